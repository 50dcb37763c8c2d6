//! A real terminal: a tmux server of its own with one shell, keys in, screen out.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::node::PATIENCE;

/// A terminal, which ends when this is dropped. Its shell is `sh`, with the prompt `$ `.
pub(crate) struct Terminal {
    /// Where tmux has its socket.
    directory: TempDir,
}

impl Terminal {
    /// A terminal of this size, with a home of its own in `home`.
    pub(crate) fn start(width: u16, height: u16, home: &Path) -> Self {
        let terminal = Self { directory: tempfile::tempdir().expect("a directory can be made") };
        let (width, height) = (width.to_string(), height.to_string());
        let home = home.display();
        let shell = format!(
            "env -i HOME={home} PATH=/usr/bin:/bin TERM=screen-256color LC_ALL=C.UTF-8 TZ=UTC PS1='$ ' sh"
        );
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, &shell]);
        terminal.tmux(&["set-option", "-g", "status", "off"]);
        terminal.resize_to(&width, &height);
        terminal.wait("a prompt", |screen| screen.starts_with('$'));
        terminal
    }

    /// Presses keys, by the names that tmux has for them: `Enter`, `C-a`, `M-1`.
    pub(crate) fn press(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys);
        self.tmux(&arguments);
    }

    /// Writes a text as it is.
    pub(crate) fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Writes a line, and sends it.
    pub(crate) fn enter(&self, line: &str) {
        self.write(line);
        self.press(&["Enter"]);
    }

    /// Pastes a text, as a terminal does that marks its pastes.
    pub(crate) fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p", "-r"]);
    }

    /// What is on the screen, a line a row, without spaces at their ends.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The same, with the colours.
    pub(crate) fn coloured_screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        self.resize_to(&width.to_string(), &height.to_string());
    }

    /// The state that programs leave behind: the screen beside, the cursor, the mouse.
    pub(crate) fn modes(&self) -> String {
        self.tmux(&[
            "display-message",
            "-p",
            "alternate=#{alternate_on} cursor=#{cursor_flag} mouse=#{mouse_any_flag}",
        ])
        .trim_end()
        .to_owned()
    }

    /// Waits until the screen is as wanted, and returns it. This is the one place that looks again and again.
    #[expect(clippy::disallowed_methods, reason = "an outside program's screen tells nobody when it changes")]
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "{what} did not come; the screen:\n{screen}");
            thread::sleep(GLANCE);
        }
    }

    /// Waits until the screen has this text, and returns it.
    pub(crate) fn wait_for(&self, text: &str) -> String {
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

/// How long to look away between two glances.
const GLANCE: Duration = Duration::from_millis(30);
