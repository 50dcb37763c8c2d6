//! What the user said and asked, in order, until the server has it.

use std::collections::{BTreeSet, VecDeque};

use stentor_proto::channel::ChannelName;

use super::thread::Mark;
use super::unconfirmed::Asked;
use crate::event::{Kind, Place};

/// What is to be sent, and what was sent and not yet acknowledged.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) items: VecDeque<Item>,
    /// What makes this client's ids its own.
    prefix: String,
    count: u64,
    /// Ids of own messages that were shown.
    shown: BTreeSet<String>,
    shown_order: VecDeque<String>,
}

/// One thing to send.
#[derive(Debug)]
pub(super) enum Item {
    /// A message. It stays until it is acknowledged.
    Say(Say),
    /// A command's line. It waits until what was said before it has arrived.
    Line(String, Asked),
    /// The line that leaves a room.
    Leave(ChannelName, String, Asked),
    /// A room to enter.
    Join(ChannelName),
    /// Older messages of a place to fetch, as many as this or as usual.
    Older(Place, Option<usize>),
}

/// A message.
#[derive(Debug)]
pub(super) struct Say {
    /// The value of [`ID_TAG`], and the label.
    pub(super) id: String,
    /// Whom it is for; the user, where it is a post.
    pub(super) to: Place,
    /// Where it is shown.
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) state: State,
    /// Where its place had come to when it was sent first: if the server has it, it is after that.
    pub(super) since: Mark,
    /// Whether it was shown already.
    pub(super) shown: bool,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was not sent, or is known not to have arrived.
    Waiting,
    /// It was sent.
    Sent,
    /// It was sent, and may have arrived. `over`: on a connection that is over, so that it cannot arrive any more.
    Unsure { over: bool },
}

impl Queue {
    pub(super) fn new(prefix: String) -> Self {
        let (shown, shown_order) = (BTreeSet::new(), VecDeque::new());
        Self { items: VecDeque::new(), prefix, count: 0, shown, shown_order }
    }

    /// Adds something; not where the queue is full.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let room = self.items.len() < MOST_ITEMS;
        if room {
            self.items.push_back(item);
        }
        room
    }

    /// A new message.
    pub(super) fn say(&mut self, to: Place, place: Place, kind: Kind, text: &str) -> Say {
        let id = self.next_id();
        let (state, since) = (State::Waiting, Mark::default());
        Say { id, to, place, text: text.to_owned(), kind, state, since, shown: false }
    }

    /// An id that nobody else makes.
    pub(super) fn next_id(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.prefix, self.count)
    }

    /// How many messages are not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.says().count()
    }

    pub(super) fn says(&self) -> impl Iterator<Item = &Say> {
        self.items.iter().filter_map(|item| match item {
            Item::Say(say) => Some(say),
            _ => None,
        })
    }

    pub(super) fn says_mut(&mut self) -> impl Iterator<Item = &mut Say> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Say(say) => Some(say),
            _ => None,
        })
    }

    /// Has these look at each place and room that anything is for.
    pub(super) fn move_places(&mut self, place: impl Fn(&mut Place), name: impl Fn(&mut ChannelName)) {
        for item in &mut self.items {
            match item {
                Item::Say(say) => [&mut say.to, &mut say.place].into_iter().for_each(&place),
                Item::Line(_, asked) => place(&mut asked.place),
                Item::Leave(room, _, asked) => {
                    name(room);
                    place(&mut asked.place);
                }
                Item::Join(room) => name(room),
                Item::Older(of, _) => place(of),
            }
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<&Say> {
        self.says().find(|say| say.id == id)
    }

    /// Takes out the message with this id.
    pub(super) fn take(&mut self, id: &str) -> Option<Say> {
        let at = self.items.iter().position(|item| matches!(item, Item::Say(say) if say.id == id))?;
        match self.items.remove(at) {
            Some(Item::Say(say)) => Some(say),
            _ => None,
        }
    }

    /// Takes out all messages for which this is so.
    pub(super) fn take_all(&mut self, which: impl Fn(&Say) -> bool) -> Vec<Say> {
        let ids: Vec<String> = self.says().filter(|say| which(say)).map(|say| say.id.clone()).collect();
        ids.iter().filter_map(|id| self.take(id)).collect()
    }

    /// Notes that an own message was shown; `false` where it was before.
    pub(super) fn note_shown(&mut self, id: &str) -> bool {
        if !self.shown.insert(id.to_owned()) {
            return false;
        }
        self.shown_order.push_back(id.to_owned());
        if self.shown_order.len() > MOST_SHOWN
            && let Some(oldest) = self.shown_order.pop_front()
        {
            self.shown.remove(&oldest);
        }
        true
    }

    /// Whether an own message was shown.
    pub(super) fn was_shown(&self, id: &str) -> bool {
        self.shown.contains(id)
    }

    /// Whether an id was made here.
    pub(super) fn is_ours(&self, id: &str) -> bool {
        id.strip_prefix(&*self.prefix).is_some_and(|rest| rest.starts_with('-'))
    }

    /// The connection is over: what was sent on it may have arrived.
    pub(super) fn connection_over(&mut self) {
        for say in self.says_mut() {
            if say.state != State::Waiting {
                say.state = State::Unsure { over: true };
            }
        }
    }
}

/// The tag that tells an own message from others with the same text.
pub(super) const ID_TAG: &str = "+stentor.chat/id";
/// How many messages and commands may wait.
pub(super) const MOST_ITEMS: usize = 1000;
/// How many own messages are known to have been shown.
const MOST_SHOWN: usize = 4096;
