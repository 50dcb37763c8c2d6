//! How far a client has read the private messages of its account.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::store::EntryId;

/// What a client was sent of its account's private messages, and what it has proved to have read.
///
/// The proof is the PONG to a PING that went out after them. Until it comes, the account's field `seen` stays behind: a
/// crash repeats messages at the next login, and loses none.
#[derive(Debug, Default)]
pub struct Cursor {
    /// `None` for a guest, and where something was missed: then nothing moves.
    marks: Mutex<Option<Marks>>,
}

/// The places in the account's log that a cursor keeps apart. `seen` and `read` are never after `delivered`.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// What the account's field says.
    pub seen: EntryId,
    /// What the client has proved to have read.
    pub read: EntryId,
    /// The newest message that was put in its queue.
    pub delivered: EntryId,
    /// What the last PING asked about.
    asked: EntryId,
    asked_at: Instant,
    /// Whether messages were delivered at the login, and the PING after them was not answered.
    owes: bool,
}

impl Cursor {
    /// Begins to follow what is delivered.
    pub fn start(&self, marks: Marks) {
        *self.lock() = Some(marks);
    }

    /// Ends that: something may not have been delivered.
    pub fn stop(&self) {
        *self.lock() = None;
    }

    /// Notes that a message was put in the client's queue.
    pub fn deliver(&self, id: EntryId) {
        if let Some(marks) = &mut *self.lock() {
            marks.delivered = marks.delivered.max(id);
        }
    }

    /// When to ask about messages that no PING has followed yet, at most once in an interval.
    #[must_use]
    pub fn due(&self, interval: Duration) -> Option<Instant> {
        let marks = (*self.lock())?;
        (marks.delivered > marks.asked).then(|| marks.asked_at + interval)
    }

    /// The token of a PING that goes into the queue now; `None` where it has nothing to ask about.
    #[must_use]
    pub fn ask(&self, now: Instant) -> Option<String> {
        let mut marks = self.lock();
        let marks = marks.as_mut().filter(|marks| marks.delivered > marks.read)?;
        marks.asked = marks.delivered;
        marks.asked_at = now;
        Some(token(marks.asked))
    }

    /// Takes in what a PONG says. True where it answers the last question.
    #[must_use]
    pub fn answer(&self, text: &str) -> bool {
        let mut marks = self.lock();
        let asked = |marks: &&mut Marks| marks.asked > marks.read && text == token(marks.asked);
        let Some(marks) = marks.as_mut().filter(asked) else { return false };
        marks.read = marks.asked;
        marks.owes = false;
        true
    }

    /// The client says goodbye, and all that was sent to it has been written: it has read what it was sent as it came. Of
    /// what waited at its login that is not so, since it may have said goodbye before it came.
    pub fn goodbye(&self) {
        if let Some(marks) = self.lock().as_mut().filter(|marks| !marks.owes) {
            marks.read = marks.delivered;
        }
    }

    /// What the account's field is to say, where it does not yet.
    #[must_use]
    pub fn unsaved(&self) -> Option<EntryId> {
        (*self.lock()).filter(|marks| marks.read > marks.seen).map(|marks| marks.read)
    }

    /// Notes that the account's field says so.
    pub fn saved(&self, seen: EntryId) {
        if let Some(marks) = &mut *self.lock() {
            marks.seen = marks.seen.max(seen);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Marks>> {
        self.marks.lock().expect("no holder of the marks panics")
    }
}

impl Marks {
    /// At a login at `now`: `seen` is what the account's field says, and the log was looked through up to `delivered`. Where
    /// `waiting`, there may be messages between the two, which the client has yet to read.
    #[must_use]
    pub fn new(seen: EntryId, delivered: EntryId, waiting: bool, now: Instant) -> Self {
        let delivered = delivered.max(seen);
        let read = if waiting { seen } else { delivered };
        Self { seen, read, delivered, asked: read, asked_at: now, owes: false }
    }

    /// Nothing but a PONG shows that they were read.
    #[must_use]
    pub fn owing_a_pong(mut self) -> Self {
        self.owes = self.read < self.delivered;
        self
    }
}

fn token(asked: EntryId) -> String {
    format!("seen-{asked}")
}

/// The account's field that says up to which entry of its log private messages have reached a session.
pub const SEEN: &str = "seen";

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn id(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    fn started(waiting: bool) -> (Cursor, Instant) {
        let (cursor, now) = (Cursor::default(), Instant::now());
        cursor.start(Marks::new(id(1), id(5), waiting, now).owing_a_pong());
        (cursor, now)
    }

    #[test]
    fn what_waited_counts_as_read_with_the_pong_alone() {
        let (cursor, now) = started(true);
        let token = cursor.ask(now).expect("there is something to ask about");
        cursor.deliver(id(7));
        cursor.goodbye();
        assert_eq!(cursor.unsaved(), None);
        assert!(!cursor.answer("seen-7-0"));
        assert!(cursor.answer(&token));
        assert!(!cursor.answer(&token));
        assert_eq!(cursor.unsaved(), Some(id(5)));
        cursor.saved(id(5));
        assert_eq!(cursor.unsaved(), None);
        cursor.goodbye();
        assert_eq!(cursor.unsaved(), Some(id(7)));
    }

    #[test]
    fn where_nothing_waited_there_is_nothing_to_ask_and_the_end_saves_the_way_through_the_log() {
        let (cursor, now) = started(false);
        assert_eq!((cursor.ask(now), cursor.due(MINUTE)), (None, None));
        assert_eq!(cursor.unsaved(), Some(id(5)));
    }

    #[test]
    fn live_messages_are_asked_about_once_in_an_interval() {
        let (cursor, now) = started(false);
        cursor.deliver(id(6));
        cursor.deliver(id(7));
        assert_eq!(cursor.due(MINUTE), Some(now + MINUTE));
        let token = cursor.ask(now + MINUTE).expect("there is something to ask about");
        assert_eq!(cursor.due(MINUTE), None);
        cursor.deliver(id(8));
        assert_eq!(cursor.due(MINUTE), Some(now + 2 * MINUTE));
        assert!(cursor.answer(&token));
        assert_eq!(cursor.unsaved(), Some(id(7)));
    }

    #[test]
    fn nothing_moves_after_something_was_missed() {
        let (cursor, now) = started(false);
        cursor.stop();
        cursor.deliver(id(6));
        cursor.goodbye();
        assert_eq!((cursor.ask(now), cursor.unsaved()), (None, None));
    }
}
