//! The loop: it waits for the terminal, for the server and for the time, and draws where something has changed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_core::Stream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::process::Signal as SignalName;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep_until;

use super::app::{App, Ask};
use super::draw;
use super::facts::Facts;
use super::terminal::Screen;
use super::theme::Theme;
use crate::driver::Driver;
use crate::engine::view::Status;
use crate::engine::{End, Output};
use crate::failure::Failure;
use crate::link::ConnectError;

/// How the screen behaves.
#[derive(Clone, Copy, Debug)]
pub struct ScreenOptions {
    /// Take the mouse at once: the wheel scrolls, a click goes to a place, and the terminal selects text with Shift
    /// alone. It can be taken and left later, too.
    pub mouse: bool,
    /// Ring the terminal's bell where somebody names the user or writes to them.
    pub bell: bool,
    /// How things look.
    pub theme: Theme,
}

/// Chats on the whole terminal until the user quits. The terminal is taken once the server has let the user in, and is
/// as it was when this returns.
///
/// # Errors
/// Where it ended otherwise, or the terminal cannot be used.
pub async fn run(mut driver: Driver, options: ScreenOptions) -> Result<(), Failure> {
    let ended = match log_in(&mut driver).await {
        Ok(LoggedIn::Yes(outputs)) => chat(&mut driver, options, outputs).await,
        Ok(LoggedIn::Ended(end)) => judge(end),
        Err(error) => Err(Failure::Connect(error)),
    };
    driver.close().await;
    ended
}

/// How the login went.
enum LoggedIn {
    /// With what is to be shown already.
    Yes(Vec<Output>),
    /// Not at all.
    Ended(End),
}

/// Waits until the server has let the user in, so that a refusal is told on the terminal as it was.
async fn log_in(driver: &mut Driver) -> Result<LoggedIn, ConnectError> {
    let mut outputs = Vec::new();
    while !matches!(driver.engine().status(), Status::Online { .. }) {
        outputs.extend(driver.next().await?);
        let ended = outputs.iter().position(|output| matches!(output, Output::End(_)));
        if let Some(Output::End(end)) = ended.map(|at| outputs.swap_remove(at)) {
            return Ok(LoggedIn::Ended(end));
        }
    }
    Ok(LoggedIn::Yes(outputs))
}

async fn chat(driver: &mut Driver, options: ScreenOptions, outputs: Vec<Output>) -> Result<(), Failure> {
    let screen = Screen::enter(options.mouse).map_err(terminal_failed)?;
    let signals = Signals::new().map_err(terminal_failed)?;
    let app = App::new(options.theme, TimeZone::system(), options.mouse);
    let mut session = Session {
        driver,
        screen,
        app,
        options,
        keys: EventStream::new(),
        signals,
        changed: true,
        drawn: None,
    };
    let ended = session.run(outputs).await.map_err(terminal_failed);
    // The terminal is as it was before anything else is told.
    drop(session);
    ended?
}

fn judge(end: End) -> Result<(), Failure> {
    match end {
        End::Quit => Ok(()),
        End::LoginRefused(text) => Err(Failure::LoginRefused(text)),
        End::Failed(text) => Err(Failure::Failed(text)),
    }
}

fn terminal_failed(error: io::Error) -> Failure {
    Failure::Failed(format!("the terminal cannot be used: {error}"))
}

struct Session<'a> {
    driver: &'a mut Driver,
    screen: Screen,
    app: App,
    options: ScreenOptions,
    keys: EventStream,
    signals: Signals,
    /// Whether what is drawn is not what is so.
    changed: bool,
    /// When it was drawn last.
    drawn: Option<Instant>,
}

/// What came from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    continued: Signal,
}

/// What happened.
enum Step {
    Terminal(io::Result<TerminalEvent>),
    Driver(Result<Vec<Output>, ConnectError>),
    /// It is time to draw.
    Draw,
    /// A signal asks for the end.
    Signal,
    /// The shell continued this job.
    Continued,
}

/// What is left when the loop ends.
type Ended = Result<(), Failure>;

impl Session<'_> {
    async fn run(&mut self, outputs: Vec<Output>) -> io::Result<Ended> {
        let size = self.screen.size()?;
        self.app.resize(size.width, size.height);
        if let Some(ended) = self.show(outputs)? {
            return Ok(ended);
        }
        loop {
            self.settle();
            let ended = match self.step().await {
                Step::Terminal(event) => self.happened(event?).await?,
                Step::Driver(Ok(outputs)) => {
                    self.changed = true;
                    self.show(outputs)?
                }
                Step::Driver(Err(error)) => Some(Err(Failure::Connect(error))),
                Step::Draw => {
                    self.draw()?;
                    None
                }
                Step::Signal => Some(self.leave()),
                Step::Continued => {
                    self.take_again()?;
                    None
                }
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    /// Each branch is cancel-safe: keys and signals stay in their queues, and the driver says that it is.
    async fn step(&mut self) -> Step {
        let draw_at = self.draw_at();
        let timer = async {
            match draw_at {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let keys = &mut self.keys;
        let key = poll_fn(|context| Pin::new(&mut *keys).poll_next(context));
        tokio::select! {
            event = key => Step::Terminal(event.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))),
            outputs = self.driver.next() => Step::Driver(outputs),
            () = timer => Step::Draw,
            _ = self.signals.interrupt.recv() => Step::Signal,
            _ = self.signals.terminate.recv() => Step::Signal,
            _ = self.signals.hangup.recv() => Step::Signal,
            _ = self.signals.continued.recv() => Step::Continued,
        }
    }

    /// When to draw next: soon after a change, or when something on the screen runs out. An idle screen is never drawn.
    fn draw_at(&self) -> Option<Instant> {
        if self.changed {
            return Some(self.drawn.map_or_else(Instant::now, |drawn| drawn + FRAME));
        }
        self.facts(Instant::now()).changes_at()
    }

    fn draw(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let facts = Facts::of(self.driver.engine(), &self.app.places.current().place, now);
        self.screen.draw(|frame| draw::draw(frame, &self.app, &facts))?;
        self.changed = false;
        self.drawn = Some(now);
        Ok(())
    }

    fn facts(&self, now: Instant) -> Facts<'_> {
        Facts::of(self.driver.engine(), &self.app.places.current().place, now)
    }

    fn show(&mut self, outputs: Vec<Output>) -> io::Result<Option<Ended>> {
        let now = Timestamp::now();
        let mut rings = false;
        for output in outputs {
            if let Output::End(end) = output {
                return Ok(Some(judge(end)));
            }
            rings |= self.app.show(output, now);
        }
        if rings && self.options.bell {
            self.screen.ring()?;
        }
        Ok(None)
    }

    async fn happened(&mut self, event: TerminalEvent) -> io::Result<Option<Ended>> {
        self.changed = true;
        let place = self.app.places.current().place.clone();
        let facts = Facts::of(self.driver.engine(), &place, Instant::now());
        let asks = self.app.happened(event, &facts);
        for ask in asks {
            if let Some(ended) = self.comply(ask).await? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// Text goes where the engine says, so that is what the prompt must tell; and a place that is new gets its lines.
    fn settle(&mut self) {
        let place = self.driver.engine().current().clone();
        if self.app.places.current().place != place {
            self.app.show(Output::Look(place.clone()), Timestamp::now());
        }
        let facts = Facts::of(self.driver.engine(), &place, Instant::now());
        if let Some(Ask::PageBack(place)) = self.app.fill(&facts) {
            self.driver.engine_mut().page_back(&place);
        }
    }

    async fn comply(&mut self, ask: Ask) -> io::Result<Option<Ended>> {
        let now = Instant::now();
        let engine = self.driver.engine_mut();
        match ask {
            Ask::Input(text) => engine.input(&text, now),
            Ask::Paste(lines) => engine.paste(&lines, now),
            Ask::Typing => engine.typing(now),
            Ask::PageBack(place) => engine.page_back(&place),
            Ask::Look(place) => engine.look_at(place),
            Ask::Mouse(mouse) => self.screen.set_mouse(mouse)?,
            Ask::Redraw => self.screen.forget()?,
            Ask::Suspend => {
                self.screen.suspend().await?;
                self.take_again()?;
            }
            Ask::End => return Ok(Some(self.leave())),
        }
        Ok(None)
    }

    /// Somebody else may have had the terminal, and it may have another size.
    fn take_again(&mut self) -> io::Result<()> {
        self.screen.take()?;
        let size = self.screen.size()?;
        self.app.resize(size.width, size.height);
        self.changed = true;
        Ok(())
    }

    /// Ends without waiting for the server; says so where that may lose something.
    fn leave(&mut self) -> Ended {
        let engine = self.driver.engine_mut();
        match engine.unacknowledged() {
            0 => {
                engine.input("/quit", Instant::now());
                Ok(())
            }
            1 => Err(Failure::Failed(
                "the server did not confirm the last message; it may not have arrived".to_owned(),
            )),
            count => Err(Failure::Failed(format!(
                "the server did not confirm the last {count} messages; they may not have arrived"
            ))),
        }
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            continued: signal(SignalKind::from_raw(SignalName::CONT.as_raw()))?,
        })
    }
}

/// The shortest time between two drawings.
const FRAME: Duration = Duration::from_millis(16);
