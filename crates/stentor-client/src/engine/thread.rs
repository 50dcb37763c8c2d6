//! What was shown in one place: so that nothing is shown twice, and what was missed is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use crate::event::{Event, What};

/// One place's past.
#[derive(Debug, Default)]
pub(super) struct Thread {
    seen: Seen,
    /// Where what was missed begins.
    pub(super) newest: Mark,
    /// The oldest message that was shown.
    pub(super) oldest: Option<String>,
    /// Whether there is nothing older than that.
    pub(super) beginning: bool,
    /// What came while the place's history is being fetched.
    pub(super) held: Option<Held>,
}

/// A point in a place's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The last message before it.
    pub(super) id: Option<String>,
    /// When that was, or a time before which all was shown.
    pub(super) at: Option<Timestamp>,
}

/// The state of fetching what was missed. It outlasts connections, until that has been done.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What came meanwhile.
    pub(super) events: VecDeque<Kept>,
    /// More came than is kept. It is in the history.
    pub(super) overflow: bool,
    /// How many pages were fetched.
    pub(super) pages: usize,
    /// Something in between is missing, so that what was not found may exist all the same.
    pub(super) gap: bool,
}

/// Something that is held back.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) event: Event,
    /// The id that this client gave to an own message.
    pub(super) ours: Option<String>,
}

/// Ids of messages that were shown, up to a number.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeSet<String>,
    order: VecDeque<(String, Option<Timestamp>)>,
    /// What is as old as this counts as seen: its id may have been forgotten.
    forgotten: Option<Timestamp>,
}

impl Thread {
    /// Whether an event is to be shown, which is then noted as shown.
    pub(super) fn admit(&mut self, event: &Event) -> bool {
        let (said, own) = match &event.what {
            What::Said(said) => (true, said.own),
            _ => (false, false),
        };
        if own && event.is_post() {
            // It is shown where it was written, and is in no history there: nothing goes on from it.
            return event.id.as_ref().is_none_or(|id| self.seen.insert(id, event.at));
        }
        let Some(id) = &event.id else {
            self.note_time(event.at);
            return true;
        };
        if !self.seen.insert(id, event.at) {
            return false;
        }
        if said {
            self.newest = Mark { id: Some(id.clone()), at: event.at.max(self.newest.at) };
            if self.oldest.is_none() {
                self.oldest = Some(id.clone());
            }
        } else {
            self.note_time(event.at);
        }
        true
    }

    /// A message is the better mark where there is one: what is no message may not be found in the history.
    fn note_time(&mut self, at: Option<Timestamp>) {
        if self.newest.id.is_none() {
            self.newest.at = self.newest.at.max(at);
        }
    }

    /// The same for what is put before all else.
    pub(super) fn admit_older(&mut self, event: &Event) -> bool {
        event.id.as_ref().is_none_or(|id| self.seen.insert_older(id, event.at))
    }

    /// What is kept until the history has been fetched.
    pub(super) fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.held.iter_mut().flat_map(|held| &mut held.events).map(|kept| &mut kept.event)
    }

    /// Keeps an event until the history has been fetched; returned where that is not under way.
    pub(super) fn hold(&mut self, event: Event) -> Option<Event> {
        let Some(held) = &mut self.held else { return Some(event) };
        if held.overflow && matches!(event.what, What::Said(_)) && event.id.is_some() {
            return None;
        }
        if held.events.len() >= MOST_HELD {
            held.overflow = true;
            return None;
        }
        held.events.push_back(Kept { event, ours: None });
        None
    }
}

impl Held {
    /// The connection is over: what is missing is fetched once more.
    pub(super) fn begin_again(&mut self) {
        (self.pages, self.gap) = (0, false);
    }

    /// What is left where more came than is kept. The rest is in the history by now, and what was kept of it would be shown
    /// too early.
    pub(super) fn beside_history(self) -> Self {
        let in_history = |kept: &Kept| {
            kept.ours.is_none() && kept.event.id.is_some() && matches!(kept.event.what, What::Said(_))
        };
        let events = self.events.into_iter().filter(|kept| !in_history(kept)).collect();
        Self { events, gap: self.gap, ..Self::default() }
    }
}

impl Seen {
    fn insert(&mut self, id: &str, at: Option<Timestamp>) -> bool {
        let old = at.is_some_and(|at| self.forgotten.is_some_and(|forgotten| at <= forgotten));
        if old || !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back((id.to_owned(), at));
        if self.order.len() > MOST_SEEN
            && let Some((id, at)) = self.order.pop_front()
        {
            self.ids.remove(&id);
            self.forgotten = self.forgotten.max(at);
        }
        true
    }

    /// The first to be forgotten are the oldest.
    fn insert_older(&mut self, id: &str, at: Option<Timestamp>) -> bool {
        if self.order.len() >= MOST_SEEN {
            return !self.ids.contains(id);
        }
        let new = self.ids.insert(id.to_owned());
        if new {
            self.order.push_front((id.to_owned(), at));
        }
        new
    }
}

/// The places that have a past.
pub(super) type Threads = BTreeMap<crate::event::Place, Thread>;

/// How many ids are remembered in a place.
const MOST_SEEN: usize = 4096;
/// How many events are kept while history is fetched.
pub(super) const MOST_HELD: usize = 1000;
