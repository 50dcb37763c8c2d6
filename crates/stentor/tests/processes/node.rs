//! A `stentor serve` process.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A node's process, which is killed when this is dropped.
pub(crate) struct Node {
    child: Child,
    out: Arc<Lines>,
    log: Arc<Lines>,
}

/// What a process has written so far.
#[derive(Default)]
pub(crate) struct Lines {
    text: Mutex<String>,
    more: Condvar,
}

impl Node {
    /// A node in this directory, with these listeners, once it takes clients in.
    pub(crate) fn start(data: &Path, listen: &[&str], flags: &[&str]) -> Self {
        let node = Self::start_without_welcome(data, listen, flags);
        node.welcome();
        node
    }

    /// The same, with a command for the shell before it.
    pub(crate) fn start_limited(data: &Path, listen: &[&str], before: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_stentor")]);
        let node = Self::spawn(with_arguments(command, data, listen, &[]));
        node.welcome();
        node
    }

    /// A node that may not get so far.
    pub(crate) fn start_without_welcome(data: &Path, listen: &[&str], flags: &[&str]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_stentor"));
        Self::spawn(with_arguments(command, data, listen, flags))
    }

    /// Runs any command.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let out = Lines::follow(child.stdout.take().expect("it is piped"));
        let log = Lines::follow(child.stderr.take().expect("it is piped"));
        Self { child, out, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is printed once clients are taken in: its last line is empty, after the ways in.
    pub(crate) fn welcome(&self) -> String {
        let whole =
            |text: &str| (text.contains("\nInvitation") && text.ends_with("\n\n")).then(|| text.to_owned());
        self.out.wait_for(whole).unwrap_or_else(|| panic!("no welcome came; the log:\n{}", self.log()))
    }

    /// Waits for a line of the output with this in it.
    pub(crate) fn out_line(&self, wanted: &str) {
        let found = self.out.wait_for(|text| text.contains(wanted).then_some(()));
        found.unwrap_or_else(|| panic!("no line with {wanted:?} came; the log:\n{}", self.log()));
    }

    /// `HOST:PORT` of the listener of this scheme.
    pub(crate) fn address(&self, scheme: &str) -> String {
        let before = format!("listening on {scheme}://");
        let found = self.log.wait_for(|text| {
            let line = text.split_once(before.as_str())?.1;
            line.split_once('\n').map(|(address, _)| address.to_owned())
        });
        found.unwrap_or_else(|| panic!("nothing listens; the log:\n{}", self.log()))
    }

    /// Waits for a line of the log with this in it.
    pub(crate) fn log_line(&self, wanted: &str) {
        let found = self.log.wait_for(|text| text.contains(wanted).then_some(()));
        found.unwrap_or_else(|| panic!("no line with {wanted:?} came; the log:\n{}", self.log()));
    }

    /// What has been logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        stentor_testing::process::signal(&self.child, name);
    }

    /// Its exit code, once it has ended; none where a signal ended it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        // It closes its log when it ends.
        let ended = self.log.wait_for(|text| text.ends_with(END).then_some(()));
        assert!(ended.is_some(), "it does not end; the log:\n{}", self.log());
        self.child.wait().expect("it is ours").code()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    pub(crate) fn follow(stream: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::<Self>::default();
        let writing = Arc::clone(&lines);
        thread::spawn(move || {
            let (mut stream, mut bytes) = (BufReader::new(stream), Vec::new());
            while let Ok(chunk) = stream.fill_buf()
                && !chunk.is_empty()
            {
                let count = chunk.len();
                bytes.extend_from_slice(chunk);
                stream.consume(count);
                // A character may come in two parts.
                let whole = match str::from_utf8(&bytes) {
                    Ok(_) => bytes.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = bytes.drain(..whole).collect();
                writing.add(&String::from_utf8(text).expect("it was checked"));
            }
            writing.add(END);
        });
        lines
    }

    /// All that has come so far.
    pub(crate) fn text(&self) -> String {
        self.text.lock().expect("no reader panics").clone()
    }

    fn add(&self, text: &str) {
        self.text.lock().expect("no reader panics").push_str(text);
        self.more.notify_all();
    }

    /// The first answer to `look`; `None` where none comes in time, or the stream has ended without.
    pub(crate) fn wait_for<T>(&self, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.text.lock().expect("no reader panics");
        loop {
            if let Some(found) = look(&text) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if text.ends_with(END) {
                return None;
            }
            text = self.more.wait_timeout(text, left).expect("no reader panics").0;
        }
    }
}

/// Runs a node that cannot start, and returns what it tells.
pub(crate) fn refused(code: i32, data: &Path, listen: &[&str], flags: &[&str]) -> String {
    let command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    let output: Output = with_arguments(command, data, listen, flags).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(!told.contains("panicked") && output.stdout.is_empty(), "{output:?}");
    told
}

fn with_arguments(mut command: Command, data: &Path, listen: &[&str], flags: &[&str]) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STENTOR_")) {
        command.env_remove(name);
    }
    command
        .env("STENTOR_ACCOUNTS__BCRYPT_COST", "4")
        .env("STENTOR_ACCOUNTS__SCRAM_ITERATIONS", "4096")
        .arg("serve")
        .arg("--data")
        .arg(data);
    for listen in listen {
        command.args(["--listen", listen]);
    }
    command.args(flags).stdin(Stdio::null());
    command
}

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Stands where a stream has ended.
pub(crate) const END: &str = "\u{4}";
