//! Who has been told of an event that is committed to several channels.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::state::UserId;

/// Remembers, for a while, which clients of this node were told of which event.
///
/// A QUIT or NICK is committed to each channel that the user is in; a client that shares several of them is told at the
/// first.
#[derive(Debug, Default)]
pub struct Told {
    events: Mutex<Events>,
}

#[derive(Debug)]
struct Events {
    current: HashMap<String, HashSet<UserId>>,
    previous: HashMap<String, HashSet<UserId>>,
    turned: Instant,
}

impl Told {
    /// Whether this is the first time that this client is told of this event.
    pub fn first(&self, event: &str, id: &UserId) -> bool {
        let mut events = self.events.lock().expect("no holder of the events panics");
        events.turn(Instant::now());
        if let Some(told) = events.previous.get_mut(event) {
            return told.insert(id.clone());
        }
        match events.current.get_mut(event) {
            Some(told) => told.insert(id.clone()),
            None => {
                events.current.insert(event.to_owned(), HashSet::from([id.clone()]));
                true
            }
        }
    }

    /// Forgets what is old enough. [`Told::first`] does it too, but after a burst nobody may ask for long.
    pub fn turn(&self) {
        self.events.lock().expect("no holder of the events panics").turn(Instant::now());
    }
}

impl Events {
    fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.turned) < KEPT {
            return;
        }
        self.previous = std::mem::take(&mut self.current);
        self.turned = now;
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { current: HashMap::new(), previous: HashMap::new(), turned: Instant::now() }
    }
}

/// An event is remembered at least this long: longer than its commits may take while the store is slow.
const KEPT: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_of_an_event_once() {
        let told = Told::default();
        let (ann, bob) = (UserId::from("ann"), UserId::from("bob"));
        assert!(told.first("quit", &ann));
        assert!(told.first("quit", &bob));
        assert!(!told.first("quit", &ann));
        assert!(told.first("nick", &ann));
    }

    #[test]
    fn what_is_old_is_forgotten_after_two_turns() {
        let told = Told::default();
        told.first("quit", &UserId::from("ann"));
        let mut events = told.events.lock().expect("no holder of the events panics");
        let start = events.turned;
        events.turn(start + KEPT / 2);
        assert_eq!(events.current.len(), 1);
        events.turn(start + KEPT);
        assert_eq!(
            (events.current.len(), events.previous.len()),
            (0, 1),
            "it is remembered for one more turn"
        );
        events.turn(start + KEPT * 2);
        assert_eq!((events.current.len(), events.previous.len()), (0, 0));
    }
}
