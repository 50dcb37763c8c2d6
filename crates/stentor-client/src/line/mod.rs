//! The front end for pipes and plain terminals: a line that is typed is sent or done, and each event is a line.
//!
//! - [`mod@clean`]: texts of other people, made safe to print
//! - `render`: what an event looks like
//! - `printer`: writing without waiting for who reads
//!
//! What people say and do, and what the server answers, goes to standard output; what concerns the connection, and what
//! did not work, to standard error.

pub mod clean;
mod printer;
mod render;

use std::time::Duration;

use stentor_proto::codec::{LineError, LineReader};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

use crate::driver::Driver;
use crate::engine::view::Status;
use crate::engine::{End, Output};
use crate::event::{Event, Place, What};
use crate::failure::Failure;
use printer::Printer;
use render::Style;

/// How the line mode behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineOptions {
    /// A person types: lines are taken while there is no connection, too, and a command that fails is no failure of the
    /// whole.
    pub interactive: bool,
    /// Whether standard output shows colours.
    pub coloured_output: bool,
    /// Whether standard error shows colours.
    pub coloured_errors: bool,
}

/// Chats until the input ends and everything has arrived, until `/quit`, or until SIGINT or SIGTERM.
///
/// # Errors
/// Where it ended otherwise, or something could not be done.
pub async fn run<I, O, E>(driver: Driver, streams: (I, O, E), options: LineOptions) -> Result<(), Failure>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
    E: AsyncWrite + Unpin,
{
    let cannot = |error: std::io::Error| Failure::Failed(format!("signals cannot be caught: {error}"));
    let signals = Signals {
        interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
        terminate: signal(SignalKind::terminate()).map_err(cannot)?,
    };
    let (input, out, err) = streams;
    let mode = LineMode {
        driver,
        input: Input { stream: input, reader: LineReader::new(LINE_MAX, LINE_MAX), ended: false },
        out: Printer::new(out),
        err: Printer::new(err),
        signals,
        options,
        phase: Phase::Talking,
        problems: 0,
    };
    mode.run().await
}

/// A conversation in lines.
struct LineMode<I, O, E> {
    driver: Driver,
    input: Input<I>,
    out: Printer<O>,
    err: Printer<E>,
    signals: Signals,
    options: LineOptions,
    phase: Phase,
    /// How many things that were asked for did not happen.
    problems: usize,
}

/// The lines that are typed.
struct Input<I> {
    stream: I,
    reader: LineReader,
    ended: bool,
}

/// What asks for an end from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Lines are taken.
    Talking,
    /// No more lines are taken; so many messages and commands are to arrive, until this time.
    Settling { left: usize, patience: Duration, until: Instant },
    /// QUIT was asked for; its answer has until this time.
    Leaving { until: Instant },
}

/// What happened.
enum Step {
    Driver(Result<Vec<Output>, crate::link::ConnectError>),
    Read(std::io::Result<usize>),
    Signal,
    Printed,
    TimeIsUp,
}

impl<I, O, E> LineMode<I, O, E>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
    E: AsyncWrite + Unpin,
{
    async fn run(mut self) -> Result<(), Failure> {
        let mut chunk = vec![0; CHUNK];
        let ended = loop {
            self.take_lines();
            self.settle();
            match self.step(&mut chunk).await {
                Step::Driver(Ok(outputs)) => {
                    if let Some(end) = self.show_all(outputs) {
                        break self.judge(end);
                    }
                }
                Step::Driver(Err(error)) => break Err(Failure::Connect(error)),
                Step::Read(Ok(count)) if count > 0 => {
                    self.input.reader.feed(chunk.get(..count).unwrap_or_default());
                }
                Step::Read(_) => self.end_input(),
                Step::Printed if self.out.is_closed() && self.phase == Phase::Talking => {
                    self.stop_taking(SETTLING_MAX);
                }
                Step::Printed => {}
                Step::Signal if self.phase == Phase::Talking => self.stop_taking(LEAVING_MAX),
                Step::Signal | Step::TimeIsUp => break self.given_up(),
            }
        };
        let printed = async {
            while !(self.out.is_idle() && self.err.is_idle()) {
                tokio::select! {
                    () = self.out.work() => {}
                    () = self.err.work() => {}
                }
            }
        };
        // A terminal that was stopped with Ctrl-S does not keep the program.
        let _ = timeout(PRINTED_MAX, printed).await;
        self.driver.close().await;
        ended
    }

    async fn step(&mut self, chunk: &mut [u8]) -> Step {
        let reads = self.phase == Phase::Talking && !self.input.ended && !self.input.reader.has_line();
        let full = self.out.is_full() || self.err.is_full();
        let deadline = match self.phase {
            Phase::Talking => None,
            Phase::Settling { until, .. } | Phase::Leaving { until } => Some(until),
        };
        tokio::select! {
            result = self.driver.next(), if !full => Step::Driver(result),
            read = self.input.stream.read(chunk), if reads => Step::Read(read),
            _ = self.signals.interrupt.recv() => Step::Signal,
            _ = self.signals.terminate.recv() => Step::Signal,
            () = self.out.work() => Step::Printed,
            () = self.err.work() => Step::Printed,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Step::TimeIsUp,
        }
    }

    /// Gives the engine what was typed, as far as it may have more.
    fn take_lines(&mut self) {
        while self.phase == Phase::Talking && self.may_take() {
            match self.input.reader.next_line() {
                Some(Ok(line)) => self.driver.engine_mut().input(&line, std::time::Instant::now()),
                Some(Err(error)) => self.refuse(error),
                None if self.input.ended => self.stop_taking(SETTLING_MAX),
                None => return,
            }
        }
    }

    /// A person may type whenever they like. A pipe waits while there is no connection, and while much of what it said
    /// or asked is to be sent or on its way, so that it can hold any number of lines.
    fn may_take(&self) -> bool {
        let engine = self.driver.engine();
        let online = matches!(engine.status(), Status::Online { .. });
        self.options.interactive || online && engine.waiting() < UNDER_WAY_MAX
    }

    /// The last line counts without its end, too.
    fn end_input(&mut self) {
        self.input.reader.feed(b"\n");
        self.input.ended = true;
    }

    fn stop_taking(&mut self, patience: Duration) {
        let left = self.driver.engine().waiting();
        self.phase = Phase::Settling { left, patience, until: Instant::now() + patience };
    }

    /// Leaves once everything has arrived. As long as something does, there is time.
    fn settle(&mut self) {
        let Phase::Settling { left, patience, .. } = self.phase else { return };
        let now_left = self.driver.engine().waiting();
        if now_left == 0 {
            self.driver.engine_mut().input("/quit", std::time::Instant::now());
            self.phase = Phase::Leaving { until: Instant::now() + LEAVING_MAX };
        } else if now_left < left {
            self.stop_taking(patience);
        }
    }

    /// Prints what there is, and returns how it ended, if it has.
    fn show_all(&mut self, outputs: Vec<Output>) -> Option<End> {
        for output in outputs {
            match output {
                Output::Show(event) => self.show(&event),
                Output::Older { events, beginning, .. } => {
                    let nothing = events.is_empty() && beginning;
                    events.iter().for_each(|event| self.show(event));
                    if nothing {
                        let text = self.errors().note("there is nothing older");
                        self.err.print(&text);
                    }
                }
                Output::Look(Place::Server) | Output::Closed(_) | Output::Moved { .. } | Output::Drop(_) => {}
                Output::Look(place) => {
                    let text = self.errors().note(&format!("text goes to {place} now"));
                    self.err.print(&text);
                }
                Output::End(end) => return Some(end),
            }
        }
        None
    }

    fn show(&mut self, event: &Event) {
        let me = self.driver.engine().me();
        match &event.what {
            What::Problem(_) | What::Connection(_) => {
                let text = self.errors().event(event, me);
                self.problems += usize::from(matches!(event.what, What::Problem(_)));
                self.err.print(&text);
            }
            _ => {
                let style = Style { coloured: self.options.coloured_output };
                let text = style.event(event, me);
                self.out.print(&text);
            }
        }
    }

    fn refuse(&mut self, error: LineError) {
        self.problems += 1;
        let why = match error {
            LineError::TooLong | LineError::TagsTooLong => format!("it has more than {LINE_MAX} bytes"),
            other => other.to_string(),
        };
        let text = self.errors().note(&format!("a line of the input was not sent: {why}"));
        self.err.print(&text);
    }

    fn judge(&self, end: End) -> Result<(), Failure> {
        match end {
            End::LoginRefused(text) => Err(Failure::LoginRefused(text)),
            End::Failed(text) => Err(Failure::Failed(text)),
            End::Quit if self.problems == 0 || self.options.interactive => Ok(()),
            End::Quit if self.problems == 1 => {
                Err(Failure::Failed("one thing could not be done, see above".to_owned()))
            }
            End::Quit => {
                Err(Failure::Failed(format!("{} things could not be done, see above", self.problems)))
            }
        }
    }

    /// Time is up, or a second signal came.
    fn given_up(&self) -> Result<(), Failure> {
        let engine = self.driver.engine();
        let left = engine.waiting();
        if left == 0 {
            // Only the answer to the goodbye is missing.
            return self.judge(End::Quit);
        }
        let mut text = "the server did not confirm that it has all that was said and asked".to_owned();
        for one in engine.undelivered().take(NAMED_MAX) {
            text.push('\n');
            text.push_str(&clean::clean(&one));
        }
        if left > NAMED_MAX {
            text.push_str(&format!("\nand {} more", left - NAMED_MAX));
        }
        Err(Failure::Failed(text))
    }

    fn errors(&self) -> Style {
        Style { coloured: self.options.coloured_errors }
    }
}

/// How many bytes a line of the input may have. The engine cuts it into messages.
const LINE_MAX: usize = 64 * 1024;
/// How many bytes of the input are read at once.
const CHUNK: usize = 16 * 1024;
/// How many messages and commands of a pipe may wait or be on their way.
const UNDER_WAY_MAX: usize = 64;
/// How long after the end of the input, or the last message that arrived, to wait for the next to arrive.
const SETTLING_MAX: Duration = Duration::from_secs(60);
/// How long to wait for the answer to QUIT.
const LEAVING_MAX: Duration = Duration::from_secs(5);
/// How long the last lines may take to be printed.
const PRINTED_MAX: Duration = Duration::from_secs(2);
/// How many messages and commands that did not arrive are named.
const NAMED_MAX: usize = 20;
