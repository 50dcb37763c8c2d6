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
}

/// Which messages are asked for. All answers are in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The newest, or the newest after a mark.
    Latest(Option<Mark>),
    /// The newest before a mark.
    Before(Mark),
    /// The oldest after a mark.
    After(Mark),
    /// As many before a mark as from it on.
    Around(Mark),
    /// Those between two marks: the nearest to the first.
    Between(Mark, Mark),
}

impl Log {
    /// At most `limit` messages.
    ///
    /// # Errors
    /// The store's; [`StoreError::Gone`] where the partition has another life by now.
    pub async fn page(&self, ask: Ask, limit: usize) -> Result<Found, StoreError> {
        let after = |mark| Some(Cut::after(mark));
        let before = |mark| Some(Cut::before(mark));
        match ask {
            Ask::Latest(since) => self.run(self.backward(since.and_then(after), None, limit)).await,
            Ask::Before(mark) => self.run(self.backward(None, before(mark), limit)).await,
            Ask::After(mark) => self.run(self.forward(after(mark), None, limit)).await,
            Ask::Between(from, to) if to.is_before(&from) => {
                self.run(self.backward(after(to), before(from), limit)).await
            }
            Ask::Between(from, to) => self.run(self.forward(after(from), before(to), limit)).await,
            Ask::Around(mark) => {
                let earlier = limit.saturating_sub(1) / 2;
                let later = self.run(self.forward(before(mark), None, limit - earlier)).await?;
                let rest = limit - later.messages.len();
                let mut found = self.run(self.backward(None, before(mark), rest)).await?;
                found.messages.extend(later.messages);
                found.trimmed |= later.trimmed;
                found.unfinished = found.unfinished.or(later.unfinished);
                Ok(found)
            }
        }
    }

    /// What a message id comes to in this log; `None` for an id that has no place here.
    ///
    /// A message need not be kept any more to be referred to. One of an earlier life of the room, or one that cannot be
    /// found in the inbox, stands for its time.
    ///
    /// # Errors
    /// The store's.
    pub async fn mark_of(&self, msgid: &str) -> Result<Option<Mark>, StoreError> {
        let Some(id) = MessageId::parse(msgid) else { return Ok(None) };
        if id.is_of(&self.partition) {
            let place = Place { id: id.id, line: usize::from(id.line) };
            return Ok(Some(if id.epoch == self.epoch { Mark::Place(place) } else { Mark::Time(id.id.ms) }));
        }
        if self.view == View::Room {
            return Ok(None);
        }
        let received = self.received(msgid, id.id.ms).await?;
        Ok(Some(received.map_or(Mark::Time(id.id.ms), Mark::Place)))
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
        Scan::backward(self.view.clone(), low, high, self.last, limit)
    }

    fn forward(&self, low: Option<Cut>, high: Option<Cut>, limit: usize) -> Scan {
        Scan::forward(self.view.clone(), low, high, self.last, limit)
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
