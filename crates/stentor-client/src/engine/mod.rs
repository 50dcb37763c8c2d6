//! The conversation with the server, as a value: lines and inputs go in, lines and events come out.
//!
//! It reads no clock and no socket: a driver tells it the time, carries its lines, and drops the connection where
//! [`Output::Drop`] asks for that.
//!
//! - [`options`]: what it is told at its start
//! - [`view`]: what a front end may look at

pub mod options;
pub mod view;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use stentor_proto::channel::ChannelName;

pub use self::options::{Options, Registration, Secret};
use self::view::{Room, Status};
use crate::event::{Event, Place, What};

/// The conversation with one server, over as many connections as it takes.
///
/// After each call the driver takes all of [`Engine::next_line`] and [`Engine::next_output`], and sees to it that
/// [`Engine::wake`] is called at [`Engine::wake_at`].
#[derive(Debug)]
pub struct Engine {
    options: Options,
    status: Status,
    current: Place,
    away: Option<String>,
    rooms: BTreeMap<ChannelName, Room>,
    lines: VecDeque<String>,
    outputs: VecDeque<Output>,
}

/// What the driver is to show or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Append this at the end of its place.
    Show(Event),
    /// Put this before all that the place shows. It answers [`Engine::page_back`] and `/history`, exactly once each,
    /// also where nothing was found.
    Older {
        /// The place.
        place: Place,
        /// Oldest first; may be empty.
        events: Vec<Event>,
        /// There is nothing older.
        beginning: bool,
    },
    /// The current place changed.
    Look(Place),
    /// A place was left; its buffer may go.
    Closed(Place),
    /// The connection is of no use any more, for this reason: close it, tell [`Engine::lost`], and connect again with
    /// the usual delay.
    Drop(String),
    /// It is over: the driver stops.
    End(End),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The user left, and all that was said had arrived.
    Quit,
    /// The server did not let the user in; a sentence that says why.
    LoginRefused(String),
    /// Something else; a sentence.
    Failed(String),
}

impl Engine {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            status: Status::Connecting,
            current: Place::Server,
            away: None,
            rooms: BTreeMap::new(),
            lines: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A socket is being opened.
    pub fn connecting(&mut self) {
        self.status = Status::Connecting;
    }

    /// The socket is open: the login begins.
    pub fn connected(&mut self, _now: Instant) {
        self.status = Status::LoggingIn;
        self.lines.push_back("CAP LS 302".to_owned());
    }

    /// The server sent this line, given without its CR LF.
    pub fn receive(&mut self, line: &str, _now: Instant) {
        self.outputs.push_back(Output::Show(Event::now(Place::Server, What::Info(line.to_owned()))));
    }

    /// The connection was lost, or could not be made. It is tried again at `until`; without that, it is over.
    pub fn lost(&mut self, reason: &str, until: Option<Instant>) {
        match until {
            Some(until) => self.status = Status::Waiting { until, reason: reason.to_owned() },
            None => self.outputs.push_back(Output::End(End::Failed(reason.to_owned()))),
        }
    }

    /// The user typed this line: a `/command`, or text for the current place. It may come at any time: what cannot be
    /// done before the login is done after it, in order.
    pub fn input(&mut self, text: &str, _now: Instant) {
        self.lines.push_back(text.to_owned());
    }

    /// The user gave these lines as text for the current place; none of them is a command.
    pub fn paste(&mut self, lines: &str, now: Instant) {
        for line in lines.lines() {
            self.input(line, now);
        }
    }

    /// The user changes a text for the current place.
    pub fn typing(&mut self, _now: Instant) {}

    /// Asks for what is older than all that was shown in a place.
    pub fn page_back(&mut self, place: &Place, _now: Instant) {
        self.outputs.push_back(Output::Older { place: place.clone(), events: Vec::new(), beginning: true });
    }

    /// Makes this the current place.
    pub fn look_at(&mut self, place: Place) {
        self.current = place;
    }

    /// The next line to send, without CR LF.
    pub fn next_line(&mut self) -> Option<String> {
        self.lines.pop_front()
    }

    /// The next thing to show or to do.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Engine::wake`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at `now`. Being early or late does no harm.
    pub fn wake(&mut self, _now: Instant) {}

    /// The user's nick.
    #[must_use]
    pub fn me(&self) -> &str {
        &self.options.user
    }

    /// Where text goes.
    #[must_use]
    pub fn current(&self) -> &Place {
        &self.current
    }

    /// How the connection is.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Why the user is away; none where not away.
    #[must_use]
    pub fn away(&self) -> Option<&str> {
        self.away.as_deref()
    }

    /// The rooms that the user is in, or enters again when the connection is back.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    /// One of these rooms.
    #[must_use]
    pub fn room(&self, name: &ChannelName) -> Option<&Room> {
        self.rooms.get(name)
    }

    /// How many messages were said that the server has not acknowledged yet.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        0
    }

    /// Whether QUIT was sent, after all had been acknowledged.
    #[must_use]
    pub fn finished(&self) -> bool {
        false
    }
}
