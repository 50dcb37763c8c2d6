//! A `stentor chat` process on pipes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::node::{END, Lines, Node};

/// A data directory whose node can be started again, and the home of those who chat with it.
pub(crate) struct House {
    directory: TempDir,
}

/// A person who chats over pipes. The process is killed when this is dropped.
pub(crate) struct Talker {
    child: Child,
    input: Option<ChildStdin>,
    out: Arc<Lines>,
    err: Arc<Lines>,
}

impl House {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        fs::write(directory.path().join("stentor.toml"), CONFIG).expect("a file");
        fs::write(directory.path().join("password"), "secret\nnot this\n").expect("a file");
        let mine = fs::Permissions::from_mode(0o600);
        fs::set_permissions(directory.path().join("password"), mine).expect("a file");
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A node with TLS, on a port of its own choice or on this one, with accounts whose password is `secret`.
    pub(crate) fn node(&self, port: &str, accounts: &[&str]) -> Node {
        let config = self.path("stentor.toml").display().to_string();
        let node = Node::start(&self.data(), &[&format!("ircs://127.0.0.1:{port}")], &["--config", &config]);
        if !accounts.is_empty() {
            let hash = bcrypt::hash("secret", 4).expect("four is a legal cost");
            let lines: String = accounts.iter().map(|account| format!("{account}:{hash}\n")).collect();
            self.run(&["account", "import"], &lines);
        }
        node
    }

    /// Runs a command for operators on the node's directory, and returns what it prints.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self
            .command(arguments)
            .arg("--data")
            .arg(self.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Chats as this account, and trusts the node's directory.
    pub(crate) fn talker(&self, node: &Node, account: &str) -> Talker {
        self.talker_in(node, account, "")
    }

    /// The same, and enters a room.
    pub(crate) fn talker_in(&self, node: &Node, account: &str, room: &str) -> Talker {
        let data = self.data().display().to_string();
        self.chat(&[&format!("{}/{room}", url(node)), "--user", account, "--data", &data])
    }

    /// Chats with these arguments, and the password `secret`.
    pub(crate) fn chat(&self, arguments: &[&str]) -> Talker {
        let password = self.path("password").display().to_string();
        let arguments = [&["chat", "--password-file", &password], arguments].concat();
        Talker::start(&mut self.command(&arguments))
    }

    /// Chats with these arguments on a terminal, whose output is the standard output.
    pub(crate) fn chat_on_a_terminal(&self, arguments: &str) -> Talker {
        let mut script = Command::new("script");
        let chat = format!("{} chat --plain {arguments}", env!("CARGO_BIN_EXE_stentor"));
        script.args(["--quiet", "--return", "--command", &chat, "/dev/null"]).env("SHELL", "/bin/sh");
        Talker::start(self.at_home(&mut script))
    }

    /// The binary, which knows nothing of this machine's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
        self.at_home(&mut command).args(arguments);
        command
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STENTOR_")) {
            command.env_remove(name);
        }
        let home = self.directory.path();
        command.env("HOME", home).env("XDG_CONFIG_HOME", home.join("config")).env("NO_COLOR", "1");
        command.env("XDG_DATA_HOME", home.join("none"))
    }
}

impl Talker {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = Lines::follow(child.stdout.take().expect("it is piped"));
        let err = Lines::follow(child.stderr.take().expect("it is piped"));
        Self { input: child.stdin.take(), child, out, err }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(format!("{line}\n").as_bytes()).expect("it reads its input");
    }

    /// Waits for exactly this line on standard output.
    pub(crate) fn see(&self, line: &str) {
        let whole =
            |text: &str| text.split_inclusive('\n').any(|other| other.strip_suffix('\n') == Some(line));
        let found = self.out.wait_for(|text| whole(text).then_some(()));
        assert!(found.is_some(), "no line {line:?} came; {}", self.told());
    }

    /// Waits for this on standard error.
    pub(crate) fn see_error(&self, part: &str) {
        let found = self.err.wait_for(|text| text.contains(part).then_some(()));
        assert!(found.is_some(), "{part:?} was not told; {}", self.told());
    }

    /// Waits for this on standard output, whether or not its line is whole.
    pub(crate) fn see_part(&self, part: &str) {
        let found = self.out.wait_for(|text| text.contains(part).then_some(()));
        assert!(found.is_some(), "{part:?} did not come; {}", self.told());
    }

    /// The lines on standard output so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.out.text().lines().filter(|line| *line != END).map(str::to_owned).collect()
    }

    /// How often this line came.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|other| *other == line).count()
    }

    pub(crate) fn errors(&self) -> String {
        self.err.text().replace(END, "")
    }

    /// Its standard input, for somebody else to write to and to close.
    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.input.take().expect("the input is open")
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        stentor_testing::process::signal(&self.child, name);
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let ended = self.err.wait_for(|text| text.ends_with(END).then_some(()));
        assert!(ended.is_some(), "it does not end; {}", self.told());
        let code = self.child.wait().expect("it is ours").code();
        assert!(!self.errors().contains("panicked"), "{}", self.told());
        code
    }

    /// Closes the input, and expects everything to have been done.
    pub(crate) fn leave(mut self) {
        self.close_input();
        assert_eq!(self.wait(), Some(0), "{}", self.told());
    }

    /// All that it printed, for a test that fails.
    pub(crate) fn told(&self) -> String {
        format!("it printed:\n{}\nand told:\n{}", self.out.text(), self.err.text())
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a node is, by the name that its certificate is for.
pub(crate) fn url(node: &Node) -> String {
    let address = node.address("ircs");
    format!("ircs://localhost:{}", address.rsplit(':').next().expect("an address ends with its port"))
}

pub(crate) fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const CONFIG: &str = "\
accounts.bcrypt_cost = 4
accounts.scram_iterations = 4096
accounts.probe = '5s'
limits.lines_per_second = 0
limits.unregistered_per_address = 0
drain.time = '0'
";
