//! The terminal: taken for the screen, and given back as it was, whatever happens.

use std::io::{self, Stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::execute;
use crossterm::style::Print;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};
use rustix::process::{Signal, kill_current_process_group};
use tokio::signal::unix::{SignalKind, signal};

/// The terminal while it shows the screen. Dropping it gives the terminal back; so does a panic, before its message.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn enter(mouse: bool) -> io::Result<Self> {
        give_back_at_a_panic();
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut screen = Self { terminal, mouse };
        screen.take()?;
        Ok(screen)
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            // A panic elsewhere gave it back, and did not end the program.
            self.take()?;
        }
        self.terminal.draw(draw).map(drop)
    }

    pub(super) fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Takes the mouse, so that the wheel scrolls here; or leaves it to the terminal, which selects text with it.
    pub(super) fn set_mouse(&mut self, mouse: bool) -> io::Result<()> {
        self.mouse = mouse;
        if mouse {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    pub(super) fn ring(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Print('\x07'))
    }

    /// Forgets what was drawn, so that all is drawn anew.
    ///
    /// Not [`Terminal::clear`]: that asks the terminal where its cursor is. The thread that waits for keys may take the
    /// answer, and not every terminal gives one; either would end the program after two seconds.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.terminal.backend_mut().clear_region(ClearType::All)?;
        // Of the two buffers the one that was drawn is emptied here; the other one is empty between two frames.
        self.terminal.swap_buffers();
        Ok(())
    }

    /// Takes the terminal, or takes it again after somebody else had it. That somebody may have come unseen, where a
    /// signal that nobody can catch stopped this job: then the mode that the shell left is not ours.
    pub(super) fn take(&mut self) -> io::Result<()> {
        // Set first: what is begun must be ended, also where the rest fails.
        let taken = TAKEN.swap(true, Ordering::SeqCst);
        if taken {
            // Raw mode is set anew only where it was ended before.
            disable_raw_mode()?;
        } else {
            execute!(io::stdout(), Print(SAVE_WHEEL))?;
        }
        enable_raw_mode()?;
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            Print(KEEP_WHEEL_FROM_ARROWS)
        )?;
        if self.mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.forget()
    }

    /// Stops this job as Ctrl-Z does elsewhere, until the shell continues it; then the terminal is to be taken again.
    pub(super) async fn suspend(&mut self) -> io::Result<()> {
        let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        give_back();
        kill_current_process_group(Signal::TSTP)?;
        // The signal may reach another thread first. A group that no shell could wake again does not stop; then only
        // the time passes.
        let _ = tokio::time::timeout(STOPPING, continued.recv()).await;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("mouse", &self.mouse).finish_non_exhaustive()
    }
}

/// Gives the terminal back as it was. There is nothing to be done about errors: the terminal is gone then.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        io::stdout(),
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        Print(RESTORE_WHEEL),
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}

/// A panic's message belongs on the terminal as it was before, in lines as they are.
fn give_back_at_a_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            next(info);
        }));
    });
}

/// Whether the terminal shows the screen now.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Many terminals turn the wheel into arrow keys while a program has the whole screen; that would turn the pages of the
/// history of sent lines. The setting is saved first (xterm's private mode 1007).
const SAVE_WHEEL: &str = "\x1b[?1007s";
const KEEP_WHEEL_FROM_ARROWS: &str = "\x1b[?1007l";
const RESTORE_WHEEL: &str = "\x1b[?1007r";
/// How long a job takes to stop at most.
const STOPPING: Duration = Duration::from_millis(200);
