//! What was said to an account while nobody was logged in to it: delivered after the welcome.
//!
//! Clients with `draft/chathistory` fetch it themselves. What comes meanwhile is read from the log too, so that it stands
//! behind what waited; from then on messages are delivered as they come.

use std::time::{Duration, Instant};

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;

use super::chathistory;
use crate::connection;
use crate::cursor::{Marks, SEEN, Unsaved};
use crate::history::view::correspondent;
use crate::history::{Cut, Log, Mark, Place, Said, View};
use crate::hub::Replica;
use crate::hub::clock;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{EntryId, StoreError};

/// Delivers what waited for the session's account, private messages and posts, and opens its inbox and its feeds.
pub(super) async fn deliver(session: &mut Session, reply: &mut Reply) {
    deliver_messages(session, reply).await;
    super::posts::deliver(session, reply).await;
    if !session.client.has(Capability::ChatHistory)
        && let Some(token) = session.client.cursor.ask(Instant::now())
    {
        connection::ping(&session.client, &token);
    }
}

async fn deliver_messages(session: &mut Session, reply: &mut Reply) {
    let (Some(_), Some(inbox)) = (&session.account, &session.inbox) else { return };
    let inbox = inbox.replica();
    let Some(seen) = inbox.with_state(|state| state.field(SEEN).and_then(|seen| seen.parse().ok())) else {
        let newest = inbox.open_local(&session.client.id, None).unwrap_or_default();
        begin_now(session, newest).await;
        return;
    };
    let now = Instant::now();
    if session.client.has(Capability::ChatHistory) {
        let newest = inbox.open_local(&session.client.id, None).unwrap_or_default();
        session.client.cursor.start(Marks::new(seen, newest, true, now));
        return;
    }
    hand_over(session, &inbox, seen, reply).await;
}

/// The account was made by a version that kept no cursor: what it received before this login is history.
async fn begin_now(session: &Session, newest: EntryId) {
    match session.set_seen(&Unsaved::of_inbox(newest)).await {
        Ok(()) => session.client.cursor.start(Marks::new(newest, newest, false, Instant::now())),
        Err(error) => tracing::debug!(?error, "an account's cursor begins with another login"),
    }
}

/// Sends what is after `seen`, and opens the inbox where that ends. Where the log cannot be read it is opened all the same,
/// and nothing counts as read.
async fn hand_over(session: &Session, inbox: &Replica, seen: EntryId, reply: &mut Reply) {
    let (id, cursor) = (&session.client.id, &session.client.cursor);
    let (mut from, mut waited) = (seen, false);
    for round in 1..=ROUNDS {
        let Some(mut log) = chathistory::inbox(session, View::Received) else { break };
        if round == ROUNDS {
            // More keeps coming: what comes from here on waits until this has been read and sent.
            log.last = inbox.hold_local(id);
        }
        match Waiting::read(session, &log, from).await {
            Ok(waiting) => {
                waited |= !waiting.messages.is_empty();
                waiting.send(session, &log, reply).await;
            }
            Err(error) => {
                tracing::debug!(%error, "what waited for an account cannot be read");
                reply.notice("What was said to you while you were away cannot be read now. It waits for your next login.");
                break;
            }
        }
        // First, so that a message that comes as soon as the inbox is open is counted.
        cursor.start(Marks::new(seen, log.last, waited, Instant::now()).owing_a_pong());
        if inbox.open_local(id, (round < ROUNDS).then_some(log.last)).is_some() {
            return;
        }
        cursor.stop();
        from = log.last;
    }
    inbox.open_local(id, None);
}

/// Messages that waited.
struct Waiting {
    /// The newest, ascending.
    messages: Vec<Said>,
    /// How many older ones there are, at most [`COUNTED`].
    older: usize,
    /// Whether there may be more than that: the search was ended.
    maybe_more: bool,
    /// Whether some may have been trimmed away unread.
    trimmed: bool,
}

impl Waiting {
    async fn read(session: &Session, log: &Log, after: EntryId) -> Result<Self, StoreError> {
        let place = |id, line| Mark::Place(Place { id, line });
        let low = Some(Cut::after(place(after, usize::MAX)));
        let most = MOST.min(session.node.config().history.page);
        let found = log.run(log.backward(low, None, most)).await?;
        let mut waiting = Self {
            messages: found.messages,
            older: 0,
            maybe_more: found.unfinished.is_some(),
            trimmed: found.trimmed,
        };
        if waiting.messages.len() == most
            && let Some(first) = waiting.messages.first()
        {
            let high = Some(Cut::before(Mark::Place(first.place())));
            let found = log.run(log.backward(low, high, COUNTED)).await?;
            waiting.older = found.messages.len();
            waiting.trimmed = found.trimmed;
            waiting.maybe_more = found.unfinished.is_some() || waiting.older == COUNTED;
        }
        Ok(waiting)
    }

    /// Sends them as fast as the client reads: one batch for each correspondent, or, without batches, all in their order.
    async fn send(&self, session: &Session, log: &Log, reply: &mut Reply) {
        if self.trimmed {
            reply.notice("You were away for so long that messages to you may not be kept any more.");
        }
        if let Some(text) = self.left_out() {
            reply.notice(&text);
        }
        if self.messages.is_empty() {
            return;
        }
        let client = &session.client;
        if !client.has(Capability::ServerTime) {
            reply.notice(&self.summary(clock::wall_ms()));
        }
        if !client.has(Capability::Batch) {
            let messages = self.messages.iter().map(|said| (&log.partition, said));
            return chathistory::send(session, "*", messages, reply).await;
        }
        for (nick, messages) in self.by_correspondent() {
            let messages = messages.iter().map(|said| (&log.partition, said));
            chathistory::send(session, &nick, messages, reply).await;
        }
    }

    /// In the order in which they spoke first.
    fn by_correspondent(&self) -> Vec<(String, Vec<Said>)> {
        let mut groups: Vec<(String, Vec<Said>)> = Vec::new();
        for said in &self.messages {
            let Ok(message) = Message::parse(said.text()) else { continue };
            let nick = correspondent(&message).unwrap_or("*");
            match groups.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(nick)) {
                Some((_, messages)) => messages.push(said.clone()),
                None => groups.push((nick.to_owned(), vec![said.clone()])),
            }
        }
        groups
    }

    fn left_out(&self) -> Option<String> {
        let how_many = match (self.older, self.maybe_more) {
            (0, false) => return None,
            (0, true) => "There may be older messages".to_owned(),
            (older, true) => format!("There are {older} older messages or more"),
            (1, false) => "There is 1 older message".to_owned(),
            (older, false) => format!("There are {older} older messages"),
        };
        Some(format!("{how_many} that waited for you and are not shown here. CHATHISTORY has them."))
    }

    /// For clients that cannot show when each was sent.
    fn summary(&self, now: u64) -> String {
        let ago = |said: Option<&Said>| ago(now.saturating_sub(said.map_or(now, |said| said.shown)));
        let (first, last) = (ago(self.messages.first()), ago(self.messages.last()));
        match self.messages.len() {
            1 => format!("While you were away, 1 message came for you, {first} ago:"),
            count if first == last => {
                format!("While you were away, {count} messages came for you, {first} ago:")
            }
            count => {
                format!("While you were away, {count} messages came for you, from {first} to {last} ago:")
            }
        }
    }
}

/// A time in one unit, rounded down.
pub(super) fn ago(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole =
        units.into_iter().map(|(length, name)| (seconds / length, name)).find(|(count, _)| *count > 0);
    let (count, name) = whole.unwrap_or((seconds, "second"));
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// How many messages are delivered at a login, where `history.page` allows so many.
pub(super) const MOST: usize = 200;
/// How many older ones are counted.
pub(super) const COUNTED: usize = 1000;
/// How often what came meanwhile is read from the log: the last time while the rest is held.
const ROUNDS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let minute = 60_000;
        let told = [0, 1_999, minute - 1, minute, 59 * minute, 119 * minute, 49 * 60 * minute].map(ago);
        let wanted = ["0 seconds", "1 second", "59 seconds", "1 minute", "59 minutes", "1 hour", "2 days"];
        assert_eq!(told, wanted);
    }

    #[test]
    fn what_is_left_out_is_counted_as_far_as_it_is_known() {
        let left_out = |older, maybe_more| {
            Waiting { messages: Vec::new(), older, maybe_more, trimmed: false }.left_out()
        };
        assert_eq!(left_out(0, false), None);
        for (older, maybe_more, wanted) in [
            (0, true, "There may be older messages that"),
            (1, false, "There is 1 older message that"),
            (7, false, "There are 7 older messages that"),
            (7, true, "There are 7 older messages or more that"),
        ] {
            assert!(left_out(older, maybe_more).is_some_and(|text| text.starts_with(wanted)), "{wanted}");
        }
    }
}
