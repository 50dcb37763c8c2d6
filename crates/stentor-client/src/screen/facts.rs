//! What the screen shows of the engine besides events.

use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::view::{Room, Status};
use crate::event::Place;

/// A look at the engine, for as long as one key or one drawing takes.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    /// The user's nick.
    pub(super) me: &'a str,
    pub(super) status: &'a Status,
    pub(super) away: Option<&'a str>,
    /// The room that is looked at.
    pub(super) room: Option<&'a Room>,
    /// The person who is looked at and is writing to the user.
    pub(super) writer: Option<&'a str>,
    /// The names of all rooms.
    pub(super) rooms: Vec<&'a str>,
    /// How many messages the server has not acknowledged yet.
    pub(super) unacknowledged: usize,
    pub(super) now: Instant,
}

impl<'a> Facts<'a> {
    /// What there is to know where `place` is looked at.
    pub(super) fn of(engine: &'a Engine, place: &'a Place, now: Instant) -> Self {
        let (room, writer) = match place {
            Place::Room(name) => (engine.room(name), None),
            Place::Person(nick) => (None, engine.writes_to_me(nick).then_some(nick.as_str())),
            Place::Server => (None, None),
        };
        Self {
            me: engine.me(),
            status: engine.status(),
            away: engine.away(),
            room,
            writer,
            rooms: engine.rooms().map(|room| room.name.as_str()).collect(),
            unacknowledged: engine.unacknowledged(),
            now,
        }
    }

    /// Who is typing where one looks.
    pub(super) fn typing(&self) -> Vec<&'a str> {
        let in_room = self.room.into_iter().flat_map(|room| &room.typing);
        in_room
            .filter(|(_, since)| self.now.saturating_duration_since(**since) < TYPING)
            .map(|(nick, _)| nick.as_str())
            .chain(self.writer)
            .collect()
    }

    /// When what is shown changes by itself: a typing notice runs out, a countdown goes on.
    pub(super) fn changes_at(&self) -> Option<Instant> {
        let typing = self.room.into_iter().flat_map(|room| room.typing.values()).map(|since| *since + TYPING);
        let second = match self.status {
            Status::Waiting { until, .. } if *until > self.now => {
                let left = until.duration_since(self.now);
                Some(self.now + left.saturating_sub(Duration::from_secs(left.as_secs())).max(TICK))
            }
            _ => None,
        };
        typing.filter(|end| *end > self.now).chain(second).min()
    }
}

/// How long a typing notice is believed, by <https://ircv3.net/specs/client-tags/typing>.
const TYPING: Duration = Duration::from_secs(6);
/// How soon a countdown is drawn again at the earliest.
const TICK: Duration = Duration::from_millis(50);
