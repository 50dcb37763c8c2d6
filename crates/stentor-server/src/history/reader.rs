//! Reads a log for scans, and finds messages by their ids.

use std::sync::Arc;

use stentor_proto::message::Message;

use super::scan::PIECE;
use super::{Cut, Found, Mark, Place, Scan, View};
use crate::hub::msgid::MessageId;
use crate::store::{Entry, EntryId, Epoch, Partition, Range, Store, StoreError};

/// A log as one client may read it: one life of a partition, up to what this node has applied, and one buffer of it.
#[derive(Clone, Debug)]
pub struct Log {
    /// Where it is.
    pub store: Arc<dyn Store>,
    /// Whose.
    pub partition: Partition,
    /// Which life of the partition.
    pub epoch: Epoch,
    /// The newest entry that may be shown.
    pub last: EntryId,
    /// The buffer.
    pub view: View,
    /// The newest entry that is too old to be shown.
    pub since: Option<EntryId>,
}

impl Log {
    /// Whether a message id is of this log.
    #[must_use]
    pub fn is_named_by(&self, msgid: &str) -> bool {
        MessageId::parse(msgid).is_some_and(|id| id.is_of(&self.partition))
    }

    /// What a message id comes to in this log, and its time; `None` for an id that has no place here.
    ///
    /// A message need not be kept any more to be referred to. One of an earlier life of the room, or one that cannot be
    /// found in the inbox, stands for its time.
    ///
    /// # Errors
    /// The store's.
    pub async fn mark_of(&self, msgid: &str) -> Result<Option<(Mark, u64)>, StoreError> {
        let Some(id) = MessageId::parse(msgid) else { return Ok(None) };
        if id.is_of(&self.partition) {
            let place = Place { id: id.id, line: usize::from(id.line) };
            let mark = if id.epoch == self.epoch { Mark::Place(place) } else { Mark::Time(id.id.ms) };
            return Ok(Some((mark, id.id.ms)));
        }
        if self.view.slack() == 0 {
            return Ok(None);
        }
        let received = self.received(msgid, id.id.ms).await?;
        Ok(Some((received.map_or(Mark::Time(id.id.ms), Mark::Place), id.id.ms)))
    }

    /// Runs a scan to its end.
    ///
    /// # Errors
    /// The store's.
    pub async fn run(&self, mut scan: Scan) -> Result<Found, StoreError> {
        while let Some((range, count)) = scan.next() {
            scan.take(&self.store.read(&self.partition, self.epoch, range, count).await?);
        }
        Ok(scan.finish())
    }

    /// A scan for the newest messages between two cuts.
    #[must_use]
    pub fn backward(&self, low: Option<Cut>, high: Option<Cut>, limit: usize) -> Scan {
        Scan::backward(self.view.clone(), self.not_too_old(low), high, self.last, limit)
    }

    /// A scan for the oldest messages between two cuts.
    #[must_use]
    pub fn forward(&self, low: Option<Cut>, high: Option<Cut>, limit: usize) -> Scan {
        Scan::forward(self.view.clone(), self.not_too_old(low), high, self.last, limit)
    }

    /// The later one of a cut and of that below which nothing is shown.
    fn not_too_old(&self, low: Option<Cut>) -> Option<Cut> {
        let Some(id) = self.since else { return low };
        let since = Cut::after(Mark::Place(Place { id, line: usize::MAX }));
        Some(low.filter(|low| low.first_above(0) > id).unwrap_or(since))
    }

    /// Where a message stands that came from another's log at `ms`: about there, in this one.
    async fn received(&self, msgid: &str, ms: u64) -> Result<Option<Place>, StoreError> {
        let mut range = Range::From(EntryId { ms: ms.saturating_sub(self.view.slack()), seq: 0 });
        for _ in 0..PIECES {
            let page = self.store.read(&self.partition, self.epoch, range, PIECE).await?;
            let place = page.entries.iter().find_map(|entry| place_of(entry, msgid));
            if place.is_some() {
                return Ok(place);
            }
            match page.entries.last() {
                Some(last) if page.entries.len() == PIECE && last.id.ms < ms.saturating_add(HELD_UP_MS) => {
                    range = Range::After(last.id);
                }
                _ => break,
            }
        }
        Ok(None)
    }
}

fn place_of(entry: &Entry, msgid: &str) -> Option<Place> {
    let is_it = |line: &String| {
        Message::parse(line)
            .is_ok_and(|message| message.tags.get("msgid").is_some_and(|there| there == msgid))
    };
    entry.body.lines.iter().position(is_it).map(|line| Place { id: entry.id, line })
}

/// How much of an inbox is looked through for one message.
const PIECES: usize = 8;
/// How long a private message may be on its way while its sender's node dies and another finishes what it began.
const HELD_UP_MS: u64 = 120_000;
