//! How far a client has read the private messages of its account, and the posts of those whom it follows.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::following::record::{Subscription, follow_field};
use crate::store::{Change, EntryId, Epoch};

/// What a client was sent of its account's private messages and of feeds, and what it has proved to have read.
///
/// The proof is the PONG to a PING that went out after them. Until it comes, the account's fields stay behind: a crash
/// repeats messages at the next login, and loses none.
#[derive(Debug, Default)]
pub struct Cursor {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// In the account's own log. `None` for a guest, and where something was missed: then it does not move.
    inbox: Option<Marks>,
    /// In the feeds that the client follows, by the publisher's folded account, with the feed's epoch.
    feeds: HashMap<String, (Epoch, Marks)>,
    /// The token of the last PING, where it was not answered.
    asked: Option<String>,
}

/// The places in a log that a cursor keeps apart. `seen` and `read` are never after `delivered`.
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

/// What an account's fields are to say, where they do not yet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Unsaved {
    /// Of private messages.
    pub inbox: Option<EntryId>,
    /// Of feeds, by the publisher's folded account.
    pub feeds: Vec<(String, Subscription)>,
}

impl Cursor {
    /// Begins to follow what is delivered of private messages.
    pub fn start(&self, marks: Marks) {
        self.lock().inbox = Some(marks);
    }

    /// Ends that: something may not have been delivered.
    pub fn stop(&self) {
        self.lock().inbox = None;
    }

    /// Begins to follow what is delivered of the feed of this account, in its life `epoch`.
    pub fn start_feed(&self, publisher: &str, epoch: Epoch, marks: Marks) {
        self.lock().feeds.insert(publisher.to_owned(), (epoch, marks));
    }

    /// Ends that: it is followed no more, or something may not have been delivered.
    pub fn forget(&self, publisher: &str) {
        self.lock().feeds.remove(publisher);
    }

    /// Notes that a private message was put in the client's queue.
    pub fn deliver(&self, id: EntryId) {
        if let Some(marks) = &mut self.lock().inbox {
            marks.delivered = marks.delivered.max(id);
        }
    }

    /// Notes that a post was.
    pub fn deliver_post(&self, publisher: &str, id: EntryId) {
        if let Some((_, marks)) = self.lock().feeds.get_mut(publisher) {
            marks.delivered = marks.delivered.max(id);
        }
    }

    /// When to ask about messages that no PING has followed yet, at most once in an interval.
    #[must_use]
    pub fn due(&self, interval: Duration) -> Option<Instant> {
        let mut inner = self.lock();
        let latest = inner.logs().map(|marks| marks.asked_at).max()?;
        inner.logs().any(|marks| marks.delivered > marks.asked).then(|| latest + interval)
    }

    /// The token of a PING that goes into the queue now; `None` where it has nothing to ask about.
    #[must_use]
    pub fn ask(&self, now: Instant) -> Option<String> {
        let mut inner = self.lock();
        if !inner.logs().any(|marks| marks.delivered > marks.read) {
            return None;
        }
        let is_new = inner.logs().any(|marks| marks.delivered > marks.asked);
        for marks in inner.logs() {
            marks.asked = marks.delivered;
            marks.asked_at = now;
        }
        if !is_new && inner.asked.is_some() {
            // The same question once more: a late answer to the first counts, too.
            return inner.asked.clone();
        }
        inner.asked = Some(format!("seen-{}", crate::random::text(8)));
        inner.asked.clone()
    }

    /// Takes in what a PONG says. True where it answers the last question.
    #[must_use]
    pub fn answer(&self, text: &str) -> bool {
        let mut inner = self.lock();
        if inner.asked.as_deref() != Some(text) {
            return false;
        }
        inner.asked = None;
        for marks in inner.logs() {
            marks.read = marks.read.max(marks.asked);
            marks.owes = false;
        }
        true
    }

    /// The client says goodbye, and all that was sent to it has been written: it has read what it was sent as it came. Of
    /// what waited at its login that is not so, since it may have said goodbye before it came.
    pub fn goodbye(&self) {
        for marks in self.lock().logs().filter(|marks| !marks.owes) {
            marks.read = marks.delivered;
        }
    }

    /// What the account's fields are to say, where they do not yet.
    #[must_use]
    pub fn unsaved(&self) -> Unsaved {
        let inner = self.lock();
        let unsaved = |marks: &Marks| (marks.read > marks.seen).then_some(marks.read);
        let of_feed = |(publisher, (epoch, marks)): (&String, &(Epoch, Marks))| {
            unsaved(marks).map(|seen| (publisher.clone(), Subscription { epoch: *epoch, seen }))
        };
        Unsaved {
            inbox: inner.inbox.as_ref().and_then(unsaved),
            feeds: inner.feeds.iter().filter_map(of_feed).collect(),
        }
    }

    /// Notes that the account's fields say so.
    pub fn saved(&self, saved: &Unsaved) {
        let mut inner = self.lock();
        if let (Some(marks), Some(seen)) = (&mut inner.inbox, saved.inbox) {
            marks.seen = marks.seen.max(seen);
        }
        for (publisher, subscription) in &saved.feeds {
            if let Some((_, marks)) = inner.feeds.get_mut(publisher) {
                marks.seen = marks.seen.max(subscription.seen);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of the marks panics")
    }
}

impl Inner {
    fn logs(&mut self) -> impl Iterator<Item = &mut Marks> {
        self.inbox.iter_mut().chain(self.feeds.values_mut().map(|(_, marks)| marks))
    }
}

impl Unsaved {
    /// Nothing but private messages up to there.
    #[must_use]
    pub fn of_inbox(seen: EntryId) -> Self {
        Self { inbox: Some(seen), feeds: Vec::new() }
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inbox.is_none() && self.feeds.is_empty()
    }

    /// The changes to the account's fields.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let inbox = self.inbox.iter().map(|seen| Change::Set(SEEN.to_owned(), seen.to_string()));
        let of_feed = |(publisher, subscription): &(String, Subscription)| {
            Change::Set(follow_field(publisher), subscription.to_string())
        };
        inbox.chain(self.feeds.iter().map(of_feed)).collect()
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
        assert_eq!(cursor.unsaved().inbox, None);
        assert!(!cursor.answer("seen-7-0"));
        assert!(cursor.answer(&token));
        assert!(!cursor.answer(&token));
        assert_eq!(cursor.unsaved().inbox, Some(id(5)));
        cursor.saved(&Unsaved::of_inbox(id(5)));
        assert_eq!(cursor.unsaved().inbox, None);
        cursor.goodbye();
        assert_eq!(cursor.unsaved().inbox, Some(id(7)));
    }

    #[test]
    fn where_nothing_waited_there_is_nothing_to_ask_and_the_end_saves_the_way_through_the_log() {
        let (cursor, now) = started(false);
        assert_eq!((cursor.ask(now), cursor.due(MINUTE)), (None, None));
        assert_eq!(cursor.unsaved().inbox, Some(id(5)));
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
        assert_eq!(cursor.unsaved().inbox, Some(id(7)));
    }

    #[test]
    fn nothing_moves_after_something_was_missed() {
        let (cursor, now) = started(false);
        cursor.stop();
        cursor.deliver(id(6));
        cursor.goodbye();
        assert_eq!((cursor.ask(now), cursor.unsaved().inbox), (None, None));
    }

    #[test]
    fn one_pong_is_about_all_that_was_delivered_before_its_ping() {
        let (cursor, now) = started(false);
        cursor.start_feed("bob", Epoch(3), Marks::new(id(1), id(1), false, now));
        cursor.deliver_post("bob", id(4));
        cursor.deliver_post("cat", id(4));
        cursor.deliver(id(6));
        let token = cursor.ask(now).expect("there is something to ask about");
        cursor.deliver_post("bob", id(5));
        assert!(cursor.answer(&token));
        let bob = |ms| vec![("bob".to_owned(), Subscription { epoch: Epoch(3), seen: id(ms) })];
        let unsaved = cursor.unsaved();
        assert_eq!(unsaved, Unsaved { inbox: Some(id(6)), feeds: bob(4) });
        cursor.saved(&unsaved);
        assert!(cursor.unsaved().is_empty());
        cursor.goodbye();
        assert_eq!(cursor.unsaved(), Unsaved { inbox: None, feeds: bob(5) });
        cursor.forget("bob");
        assert!(cursor.unsaved().is_empty());
    }

    #[test]
    fn a_late_answer_counts_where_nothing_more_was_asked_about_meanwhile() {
        let (cursor, now) = started(false);
        cursor.deliver(id(6));
        let first = cursor.ask(now).expect("there is something to ask about");
        assert_eq!(cursor.ask(now + MINUTE).as_ref(), Some(&first));
        cursor.deliver(id(7));
        let second = cursor.ask(now + 2 * MINUTE).expect("there is more to ask about");
        assert!(!cursor.answer(&first));
        assert!(cursor.answer(&second));
        assert_eq!(cursor.unsaved().inbox, Some(id(7)));
    }
}
