//! Where a log is to be cut: a pure function of its entries, from the oldest on.

use std::sync::Arc;

use stentor_proto::message::Message;

use super::view::is_message;
use crate::store::{Entry, EntryId, Epoch, StoreTime};

/// What may be kept of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What is older goes.
    pub oldest: StoreTime,
    /// How many messages may be left.
    pub messages: u64,
    /// What is younger stays, whatever else is said: a retried commit, a replica that catches up, or a private message that
    /// is under way may need it.
    pub settled: StoreTime,
}

/// How many messages a log holds, as far as it has been counted. It is counted once, and then from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Which life of the partition was counted.
    pub epoch: Epoch,
    /// The oldest entry that is left. Where another one is, others have cut the log, and the count is void.
    pub oldest: Option<EntryId>,
    /// The newest entry that was.
    pub through: EntryId,
    /// How many messages there are up to it.
    pub messages: u64,
}

/// Finds the cut, given the log from its oldest entry on.
#[derive(Debug)]
pub struct Cutter {
    bounds: Bounds,
    /// How many messages are left if the cut is after the last entry that was given.
    left: u64,
    /// How many of those that go share the millisecond of that entry.
    of_this_ms: u64,
    /// The first entry of that millisecond.
    this_ms: Option<EntryId>,
    /// The first entry that stays.
    stays: Option<EntryId>,
}

/// Where to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Entries before this time go; `None`: nothing does.
    pub before: Option<StoreTime>,
    /// How many messages are left then.
    pub messages: u64,
    /// The oldest entry that is left then, among those that were looked at.
    pub oldest: Option<EntryId>,
}

impl Count {
    /// A log of which nothing has been counted.
    #[must_use]
    pub fn of(epoch: Epoch) -> Self {
        Self { epoch, oldest: None, through: EntryId::default(), messages: 0 }
    }

    /// Counts on.
    pub fn add(&mut self, entries: &[Arc<Entry>]) {
        self.oldest = self.oldest.or(entries.first().map(|entry| entry.id));
        self.messages += entries.iter().map(|entry| messages_in(entry)).sum::<u64>();
        if let Some(last) = entries.last() {
            self.through = last.id;
        }
    }
}

impl Cutter {
    /// For a log that holds `messages` messages.
    #[must_use]
    pub fn new(bounds: Bounds, messages: u64) -> Self {
        Self { bounds, left: messages, of_this_ms: 0, this_ms: None, stays: None }
    }

    /// Looks at the next entries. True where the cut is found, and no more need be looked at.
    pub fn take(&mut self, entries: &[Arc<Entry>]) -> bool {
        for entry in entries {
            if self.stays.is_some() {
                break;
            }
            if !self.must_go(entry) {
                self.stays = Some(entry.id);
                break;
            }
            if self.this_ms.is_none_or(|first| first.ms != entry.id.ms) {
                self.this_ms = Some(entry.id);
                self.of_this_ms = 0;
            }
            let messages = messages_in(entry);
            self.left = self.left.saturating_sub(messages);
            self.of_this_ms += messages;
        }
        self.stays.is_some()
    }

    /// The cut.
    #[must_use]
    pub fn finish(self) -> Cut {
        let Self { left, of_this_ms, this_ms, stays, .. } = self;
        match (this_ms, stays) {
            (None, oldest) => Cut { before: None, messages: left, oldest },
            // A log is cut between two milliseconds: what shares its own with an entry that stays, stays too.
            (Some(first), Some(stays)) if first.ms == stays.ms => {
                Cut { before: Some(StoreTime(first.ms)), messages: left + of_this_ms, oldest: Some(first) }
            }
            (Some(_), Some(stays)) => {
                Cut { before: Some(StoreTime(stays.ms)), messages: left, oldest: Some(stays) }
            }
            (Some(first), None) => {
                Cut { before: Some(StoreTime(first.ms.saturating_add(1))), messages: left, oldest: None }
            }
        }
    }

    fn must_go(&self, entry: &Entry) -> bool {
        let surplus = self.left > self.bounds.messages;
        entry.id.ms < self.bounds.settled.0 && (surplus || entry.id.ms < self.bounds.oldest.0)
    }
}

/// How many messages an entry holds: joins and the like are no part of the bound. Tags that are kept are, since nothing
/// else bounds them.
fn messages_in(entry: &Entry) -> u64 {
    let is_said = |line: &&String| {
        Message::parse(line).is_ok_and(|message| is_message(&message) || message.command == "TAGMSG")
    };
    entry.body.lines.iter().filter(is_said).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::scan::tests::{join, says};

    fn bounds(oldest: u64, messages: u64) -> Bounds {
        Bounds { oldest: StoreTime(oldest), messages, settled: StoreTime(1000) }
    }

    fn cut(bounds: Bounds, log: &[Arc<Entry>]) -> (Option<u64>, u64) {
        let mut count = Count::of(Epoch(1));
        count.add(log);
        let mut cutter = Cutter::new(bounds, count.messages);
        cutter.take(log);
        let cut = cutter.finish();
        (cut.before.map(|before| before.0), cut.messages)
    }

    #[test]
    fn messages_are_counted_and_joins_are_not() {
        let log = [says(1), join(2), join(3), says(4), join(5), says(6)];
        assert_eq!(cut(bounds(0, 3), &log), (None, 3));
        assert_eq!(cut(bounds(0, 2), &log), (Some(2), 2));
        assert_eq!(cut(bounds(0, 1), &log), (Some(5), 1));
        assert_eq!(cut(bounds(0, 0), &log), (Some(7), 0));
    }

    #[test]
    fn what_is_too_old_goes_however_few_there_are() {
        let log = [join(1), says(2), says(3), join(4), says(5)];
        assert_eq!(cut(bounds(1, 100), &log), (None, 3));
        assert_eq!(cut(bounds(4, 100), &log), (Some(4), 1));
        assert_eq!(cut(bounds(99, 100), &log), (Some(6), 0));
    }

    #[test]
    fn what_is_young_stays_however_many_there_are() {
        let log = [says(998), says(999), says(1000), says(1001)];
        assert_eq!(cut(bounds(2000, 0), &log), (Some(1000), 2));
    }

    #[test]
    fn one_millisecond_is_never_cut_in_two() {
        let mut twin = Entry::clone(&says(2));
        twin.id.seq = 1;
        let log = [says(1), says(2), Arc::new(twin), says(3)];
        assert_eq!(cut(bounds(0, 2), &log), (Some(2), 3), "one more than the bound, rather than one less");
        assert_eq!(cut(bounds(0, 1), &log), (Some(3), 1));
    }

    #[test]
    fn a_log_is_cut_in_pieces_as_in_one() {
        let log = [says(1), says(2), join(3), says(4), says(5)];
        let mut cutter = Cutter::new(bounds(0, 1), 4);
        let ended = log.iter().any(|entry| cutter.take(std::slice::from_ref(entry)));
        assert!(ended);
        let oldest = Some(log[4].id);
        assert_eq!(cutter.finish(), Cut { before: Some(StoreTime(5)), messages: 1, oldest });
    }
}
