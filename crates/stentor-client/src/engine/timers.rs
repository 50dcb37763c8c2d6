//! What happens at a time: pings, typing, and what takes too long.

use std::time::{Duration, Instant};

use stentor_proto::line::Line;

use super::Engine;
use super::login::Stage;
use super::queue::State;
use super::said::TYPING;
use super::send::BARRIER;
use super::view::Status;
use crate::event::Place;

/// The times of one connection.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// When the server is asked next whether it is there.
    ping_at: Option<Instant>,
    /// The question that is unanswered: its token, and when it was asked.
    asked: Option<(String, Instant)>,
    count: u64,
    /// When the server was asked last.
    last_asked: Option<Instant>,
    own: Option<Typing>,
}

/// That the user types.
#[derive(Debug)]
struct Typing {
    place: Place,
    /// When it was last told.
    told: Instant,
    /// When it last was so.
    last: Instant,
}

impl Timers {
    /// How many PINGs there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// An answer is wanted to what was sent now.
    pub(super) fn ping_soon(&mut self) {
        if let (Some(at), Some(last)) = (self.ping_at, self.last_asked) {
            self.ping_at = Some(at.min(last + SOON));
        }
    }

    /// The text was sent, which says enough.
    pub(super) fn stop_typing(&mut self) {
        self.own = None;
    }
}

impl Engine {
    /// When [`Engine::wake`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let timers = &self.timers;
        let unanswered = timers.asked.as_ref().map(|(_, asked)| *asked + SILENCE);
        let own = timers.own.as_ref().map(|own| own.last + TYPING);
        let typists =
            self.typists.values().chain(self.rooms.values().flat_map(|room| room.view.typing.values()));
        let typists = typists.min().map(|since| *since + TYPING);
        let all = [timers.ping_at, unanswered, own, typists, self.login.deadline, self.history.deadline()];
        all.into_iter().chain([self.quit_by, self.rejoin_at]).flatten().min()
    }

    /// Does what is due at `now`. Being early or late does no harm.
    pub fn wake(&mut self, now: Instant) {
        self.now = Some(now);
        self.forget_typists(now);
        if self.quit_by.is_some_and(|by| now >= by) {
            self.quit_by = None;
            self.tell_unconfirmed();
            return self.finish(self.end_now());
        }
        if self.login.deadline.is_some_and(|deadline| now >= deadline) {
            self.login.deadline = None;
            return self.drop_connection("the login took too long");
        }
        if self
            .timers
            .asked
            .as_ref()
            .is_some_and(|(_, asked)| now.saturating_duration_since(*asked) >= SILENCE)
        {
            self.timers = Timers::default();
            return self.drop_connection("the server does not answer");
        }
        if self.timers.ping_at.is_some_and(|at| now >= at) {
            self.timers.ping_at = Some(now + INTERVAL);
            if self.timers.asked.is_none() {
                self.timers.count += 1;
                let token = format!("{LAG}{}", self.timers.count);
                self.lines.push_back(format!("PING {token}"));
                self.timers.asked = Some((token, now));
                self.timers.last_asked = Some(now);
            }
        }
        if self.rejoin_at.is_some_and(|at| now >= at) {
            self.rejoin_at = None;
            self.rejoin();
        }
        self.history_overdue(now);
        self.pause_typing(now);
        self.go_on();
    }

    pub(super) fn begin_pings(&mut self) {
        // The first comes soon, so that the lag is known.
        self.timers.ping_at = self.now;
    }

    /// The server asks for a sign of life. One that asks on and on, and reads no answer, is given up.
    pub(super) fn on_ping(&mut self, token: &str) {
        if self.lines.iter().filter(|line| line.starts_with("PONG ")).count() >= MOST_PONGS {
            return self.drop_connection("the server does not read the answers to its PINGs");
        }
        self.lines.push_back(Line::new("PONG").trailing(token).build());
    }

    pub(super) fn on_pong(&mut self, token: &str, now: Instant) {
        if let Some(id) = token.strip_prefix(BARRIER) {
            if self.queue.find(id).is_none_or(|say| say.state != State::Sent) {
                return;
            }
            if self.has("echo-message") {
                return self.refuse(id, "the server gave no answer");
            }
            return self.acknowledge(id);
        }
        if let Some((_, asked)) = self.timers.asked.take_if(|(asked, _)| asked == token) {
            self.unconfirmed.confirm(self.timers.count);
            if !self.unconfirmed.is_empty() {
                self.timers.ping_soon();
            }
            let lag = Some(now.saturating_duration_since(asked));
            if matches!(self.status, Status::Online { .. }) {
                self.status = Status::Online { lag };
            }
        }
    }

    /// The user types: the others learn of it at most every three seconds.
    pub(super) fn tell_typing(&mut self, now: Instant) {
        if !self.may_tell_typing() {
            return;
        }
        let place = self.current.clone();
        let told = self.timers.own.as_ref().filter(|own| own.place == place).map(|own| own.told);
        let fresh = told.filter(|told| now.saturating_duration_since(*told) < PACE);
        if fresh.is_none() {
            self.send_typing(&place, "active");
        }
        self.timers.own = Some(Typing { place, told: fresh.unwrap_or(now), last: now });
    }

    /// The user has stopped in the middle of a text.
    fn pause_typing(&mut self, now: Instant) {
        let paused = |own: &mut Typing| now.saturating_duration_since(own.last) >= TYPING;
        if let Some(own) = self.timers.own.take_if(paused) {
            self.send_typing(&own.place, "paused");
        }
    }

    /// The user turns away from a text.
    pub(super) fn tell_done(&mut self) {
        if let Some(own) = self.timers.own.take() {
            self.send_typing(&own.place, "done");
        }
    }

    fn may_tell_typing(&self) -> bool {
        let there = match &self.current {
            Place::Room(name) => self.rooms.get(name).is_some_and(|room| room.view.joined),
            Place::Person(_) => !self.current.is_service(),
            Place::Server => false,
        };
        there && self.login.stage == Stage::Settled && self.has("message-tags") && self.support.typing
    }

    fn send_typing(&mut self, place: &Place, how: &str) {
        if self.login.stage == Stage::Settled {
            self.lines.push_back(Line::new("TAGMSG").tag("+typing", how).param(place).build());
        }
    }
}

/// How often the server is asked whether it is there.
const INTERVAL: Duration = Duration::from_secs(30);
/// How long after one question the next may follow, where a command waits for a sign of life.
const SOON: Duration = Duration::from_millis(250);
/// How long it may take to answer.
const SILENCE: Duration = Duration::from_secs(60);
/// How many answers to PINGs may wait to be sent.
const MOST_PONGS: usize = 64;
/// How often others are told that the user types.
const PACE: Duration = Duration::from_secs(3);
/// How long the end of the connection is awaited after a QUIT.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);
/// Begins the tokens of these PINGs.
const LAG: &str = "lag-";
