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
        events.turn();
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
        self.events.lock().expect("no holder of the events panics").turn();
    }
}

impl Events {
    fn turn(&mut self) {
        if self.turned.elapsed() < KEPT {
            return;
        }
        self.previous = std::mem::take(&mut self.current);
        self.turned = Instant::now();
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { current: HashMap::new(), previous: HashMap::new(), turned: Instant::now() }
    }
}

/// An event is remembered at least this long: longer than its commits may take while the store is slow.
const KEPT: Duration = Duration::from_mins(2);
