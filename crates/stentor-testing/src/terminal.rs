//! A real terminal: a tmux server of its own with one shell, keys in, screen out.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A terminal, which ends when this is dropped.
pub struct Terminal {
    /// Where tmux has its socket.
    directory: TempDir,
}

/// What a terminal's shell is started with.
pub struct Shell<'a> {
    /// How wide the terminal is, in characters.
    pub width: u16,
    /// How high it is, in lines.
    pub height: u16,
    /// The home of whoever sits there.
    pub home: &'a Path,
    /// Where the shell begins.
    pub directory: &'a Path,
    /// The shell's prompt, in the words of `sh`.
    pub prompt: &'a str,
    /// What its environment has besides a home, a terminal, a plain locale and UTC.
    pub environment: &'a [(String, String)],
}

impl Terminal {
    /// A terminal of this size, with a home of its own in `home`. Its shell is `sh`, with the prompt `$ `.
    pub fn start(width: u16, height: u16, home: &Path) -> Self {
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let prompt = "$ ";
        Self::open(&Shell { width, height, home, directory: home, prompt, environment: &environment })
    }

    /// A terminal with this shell, which has shown its prompt.
    pub fn open(shell: &Shell<'_>) -> Self {
        let terminal = Self { directory: tempfile::tempdir().expect("a directory can be made") };
        let (width, height) = (shell.width.to_string(), shell.height.to_string());
        let (home, directory) = (shell.home.display().to_string(), shell.directory.display().to_string());
        let mut command: Vec<String> = ["env", "-i"].map(str::to_owned).to_vec();
        command.extend([
            format!("HOME={home}"),
            "TERM=screen-256color".to_owned(),
            "LC_ALL=C.UTF-8".to_owned(),
            "TZ=UTC".to_owned(),
            format!("PS1={}", shell.prompt),
        ]);
        command.extend(shell.environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.push("sh".to_owned());
        let mut arguments = vec!["-f", "/dev/null", "start-server", ";"];
        arguments.extend(["set-option", "-g", "history-limit", "50000", ";"]);
        arguments.extend(["new-session", "-d", "-x", &width, "-y", &height, "-c", &directory]);
        arguments.extend(command.iter().map(String::as_str));
        terminal.tmux(&arguments);
        terminal.tmux(&["set-option", "-g", "status", "off"]);
        terminal.resize_to(&width, &height);
        terminal.wait("a prompt", |screen| !screen.trim().is_empty());
        terminal
    }

    /// Presses keys, by the names that tmux has for them: `Enter`, `C-a`, `M-1`.
    pub fn press(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys);
        self.tmux(&arguments);
    }

    /// Writes a text as it is.
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Writes a line, and sends it.
    pub fn enter(&self, line: &str) {
        self.write(line);
        self.press(&["Enter"]);
    }

    /// Pastes a text, as a terminal does that marks its pastes.
    pub fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p", "-r"]);
    }

    /// What is on the screen, a line a row, without spaces at their ends.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What is on the screen, and what has scrolled away above it.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"])
    }

    /// Forgets what was written, as the program that runs there does not.
    pub fn clear(&self) {
        self.tmux(&["send-keys", "-R"]);
        self.tmux(&["clear-history"]);
    }

    /// The same, with the colours.
    pub fn coloured_screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Writes all that programs send to the terminal from now on to a file too, byte by byte.
    pub fn record(&self, file: &Path) {
        self.tmux(&["pipe-pane", &format!("exec cat > '{}'", file.display())]);
    }

    /// What programs sent, as [`Self::record`] wrote it: up to this text at least.
    pub fn recorded(&self, file: &Path, until: &str) -> String {
        let read = || String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
        look(PATIENCE, || Some(read()).filter(|sent| sent.contains(until)))
            .unwrap_or_else(|| panic!("{until} was not recorded, but {:?}", read()))
    }

    /// Gives the terminal another size.
    pub fn resize(&self, width: u16, height: u16) {
        self.resize_to(&width.to_string(), &height.to_string());
    }

    /// The state that programs leave behind: the screen beside, the cursor, the mouse.
    pub fn modes(&self) -> String {
        self.tmux(&[
            "display-message",
            "-p",
            "alternate=#{alternate_on} cursor=#{cursor_flag} mouse=#{mouse_any_flag}",
        ])
        .trim_end()
        .to_owned()
    }

    /// Waits until the screen is as wanted, and returns it.
    pub fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let screen = look(PATIENCE, || Some(self.screen()).filter(|screen| wanted(screen)));
        screen.unwrap_or_else(|| panic!("{what} did not come; the screen:\n{}", self.screen()))
    }

    /// Waits until what was written is as wanted, and returns it.
    ///
    /// # Errors
    /// What was written, where that takes too long.
    pub fn wait_within(&self, time: Duration, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        look(time, || Some(self.text()).filter(|text| wanted(text))).ok_or_else(|| self.text())
    }

    /// Waits until the screen has this text, and returns it.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    fn resize_to(&self, width: &str, height: &str) {
        self.tmux(&["resize-window", "-x", width, "-y", height]);
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env("TMUX_TMPDIR", self.directory.path()).env("LC_ALL", "C.UTF-8");
        command.args(["-u", "-L", "test"]).args(arguments).stdin(Stdio::null());
        let output = command.output().expect("tmux is there");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?} failed: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env("TMUX_TMPDIR", self.directory.path());
        let _ = command.args(["-L", "test", "kill-server"]).stderr(Stdio::null()).status();
    }
}

/// Looks again and again until there is something to see. This is the one place that does.
#[expect(clippy::disallowed_methods, reason = "an outside program's screen tells nobody when it changes")]
fn look<T>(time: Duration, mut seen: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(seen) = seen() {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(GLANCE);
    }
}

/// How long a program may take until the screen shows what it was asked for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to look away between two glances.
const GLANCE: Duration = Duration::from_millis(30);
