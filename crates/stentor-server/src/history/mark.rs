//! What a page of history is relative to.

use super::Said;
use crate::store::EntryId;

/// Where a line stands in its partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The entry.
    pub id: EntryId,
    /// Which line of the entry, from 0.
    pub line: usize,
}

/// What a client's reference comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// All messages of this time, in milliseconds since the Unix epoch.
    Time(u64),
    /// Between two milliseconds: right before this one.
    Edge(u64),
    /// The message at this place. It need not be there any more.
    Place(Place),
}

/// Where a range of messages begins or ends: right before or right after a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    mark: Mark,
    after: bool,
}

impl Cut {
    /// What the mark names stands above the cut.
    #[must_use]
    pub fn before(mark: Mark) -> Self {
        Self { mark, after: false }
    }

    /// What the mark names stands below the cut.
    #[must_use]
    pub fn after(mark: Mark) -> Self {
        Self { mark, after: true }
    }

    /// Whether the message stands above the cut.
    #[must_use]
    pub fn is_below(&self, said: &Said) -> bool {
        match self.mark {
            Mark::Time(time) if self.after => said.at > time,
            Mark::Time(time) | Mark::Edge(time) => said.at >= time,
            Mark::Place(place) if self.after => said.place() > place,
            Mark::Place(place) => said.place() >= place,
        }
    }

    /// The first entry that may hold messages above the cut, where an entry's time and its messages' may differ by `slack`
    /// milliseconds.
    #[must_use]
    pub fn first_above(&self, slack: u64) -> EntryId {
        match self.mark {
            Mark::Time(_) | Mark::Edge(_) => EntryId { ms: self.ms().saturating_sub(slack), seq: 0 },
            Mark::Place(place) => place.id,
        }
    }

    /// The first entry that holds no message below the cut, nor does any after it.
    #[must_use]
    pub fn end_below(&self, slack: u64) -> EntryId {
        match self.mark {
            Mark::Time(_) | Mark::Edge(_) => EntryId { ms: self.ms().saturating_add(slack), seq: 0 },
            Mark::Place(place) => after(place.id),
        }
    }

    /// The first millisecond above the cut, where it is between two.
    fn ms(&self) -> u64 {
        let Mark::Time(time) = self.mark else { return self.mark.ms() };
        time.saturating_add(u64::from(self.after))
    }

    /// Whether the cut is at this entry or later: then no entry before it stands above the cut.
    #[must_use]
    pub fn reaches(&self, id: EntryId) -> bool {
        match self.mark {
            Mark::Time(time) => id.ms <= time,
            // The first millisecond above the cut.
            Mark::Edge(time) => id.ms < time,
            Mark::Place(place) => id <= place.id,
        }
    }
}

impl Mark {
    /// Whether this mark stands before `other`.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Place(one), Self::Place(two)) => one < two,
            (one, two) => one.ms() < two.ms(),
        }
    }

    fn ms(&self) -> u64 {
        match self {
            Self::Time(time) | Self::Edge(time) => *time,
            Self::Place(place) => place.id.ms,
        }
    }
}

/// The lowest id after this one.
#[must_use]
pub fn after(id: EntryId) -> EntryId {
    match id.seq.checked_add(1) {
        Some(seq) => EntryId { ms: id.ms, seq },
        None => EntryId { ms: id.ms.saturating_add(1), seq: 0 },
    }
}
