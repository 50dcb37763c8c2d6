//! When a client has to be asked whether it is there, and when its connection has to end.

use std::time::{Duration, Instant};

use super::ping;
use super::rate::Rate;
use crate::client::Client;
use crate::node::Node;

/// The connection's deadlines.
pub(super) struct Clock {
    register_by: Option<Instant>,
    ping_interval: Option<Duration>,
    ping_timeout: Duration,
    pub(super) pinged: Option<Instant>,
    /// How much is still to be written up to that question's end, in bytes.
    ahead: usize,
    /// When the connection is closed because the node drains.
    pub(super) close_at: Option<Instant>,
}

impl Clock {
    pub(super) fn new(node: &Node) -> Self {
        let limits = &node.config().limits;
        Self {
            register_by: limits.registration_timeout.map(|timeout| Instant::now() + timeout),
            ping_interval: limits.ping_interval,
            ping_timeout: limits.ping_timeout,
            pinged: None,
            ahead: 0,
            close_at: None,
        }
    }

    pub(super) fn next_due(&self, client: &Client, rate: &Rate, lines_wait: bool) -> Instant {
        let far = Instant::now() + FAR;
        let registration = self.register_by.filter(|_| !client.profile().registered);
        let ping = match self.pinged {
            Some(pinged) => Some(pinged + self.ping_timeout),
            None => self.ping_interval.map(|interval| client.last_heard() + interval),
        };
        let seen = self.ping_interval.and_then(|interval| client.cursor.due(interval));
        let line = lines_wait.then(|| rate.next());
        [registration, ping, seen, line, self.close_at].into_iter().flatten().fold(far, Instant::min)
    }

    /// Notes that so many bytes were written. Who reads slowly, and reads, has the whole time for the answer from when the
    /// question was written.
    pub(super) fn wrote(&mut self, count: usize, now: Instant) {
        if self.ahead > 0 && self.pinged.is_some() {
            self.ahead = self.ahead.saturating_sub(count);
            self.pinged = Some(now);
        }
    }

    /// Does what is due. A reason, where the connection is to end.
    pub(super) fn act(&mut self, client: &Client, node: &Node) -> Option<String> {
        let now = Instant::now();
        let registered = client.profile().registered;
        if self.close_at.is_some_and(|at| at <= now) {
            return Some("This server is shutting down".to_owned());
        }
        if !registered && self.register_by.is_some_and(|by| by <= now) {
            return Some("Registration timed out".to_owned());
        }
        match self.pinged {
            Some(pinged) if pinged + self.ping_timeout <= now => {
                return Some(format!("Ping timeout: {} seconds", client.last_heard().elapsed().as_secs()));
            }
            None if self.ping_interval.is_some_and(|interval| client.last_heard() + interval <= now) => {
                let token = client.cursor.ask(now);
                ping(client, token.as_deref().unwrap_or(&node.server_name));
                (self.pinged, self.ahead) = (Some(now), client.queue.bytes());
            }
            _ => {}
        }
        // A client that talks is never silent for long enough to be sent a PING: it is asked what it has read all the same.
        let seen = self.ping_interval.and_then(|interval| client.cursor.due(interval));
        if seen.is_some_and(|due| due <= now)
            && let Some(token) = client.cursor.ask(now)
        {
            ping(client, &token);
        }
        None
    }
}

/// Nothing is due for so long.
const FAR: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_an_answer_begins_when_the_question_was_written() {
        let (begin, minute) = (Instant::now(), Duration::from_mins(1));
        let mut clock = Clock {
            register_by: None,
            ping_interval: Some(minute),
            ping_timeout: minute,
            pinged: None,
            ahead: 0,
            close_at: None,
        };
        clock.wrote(1, begin);
        assert_eq!(clock.pinged, None, "nothing was asked");
        (clock.pinged, clock.ahead) = (Some(begin), 30);
        clock.wrote(20, begin + minute);
        assert_eq!(clock.pinged, Some(begin + minute), "it waits yet");
        clock.wrote(20, begin + 2 * minute);
        assert_eq!(clock.pinged, Some(begin + 2 * minute), "it has been written just now");
        clock.wrote(20, begin + 3 * minute);
        assert_eq!(clock.pinged, Some(begin + 2 * minute), "what is written behind it does not count");
    }
}
