//! What was posted while nobody was logged in to follow it: delivered after the welcome, behind private messages.
//!
//! Clients with `draft/chathistory` fetch it themselves. What comes meanwhile is read from the feeds' logs too, so that it
//! stands behind what waited; from then on posts are delivered as they come.

use std::time::Instant;

use stentor_proto::capability::Capability;

use super::chathistory;
use super::waiting::{MOST, ago};
use crate::cursor::Marks;
use crate::following::record::Subscription;
use crate::following::sessions::{self, Read};
use crate::history::conversation::merge;
use crate::history::{Cut, Log, Mark, Place, Said};
use crate::hub::clock;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{EntryId, Partition, StoreError};

/// Takes hold of the feeds that the session's account follows, delivers what waited there, and opens them.
pub(super) async fn deliver(session: &mut Session, reply: &mut Reply) {
    let was_deaf = session.is_deaf;
    let taken = sessions::take_up(session).await;
    if session.is_deaf && !was_deaf {
        reply.notice(
            "What those whom you follow post cannot be read now. It comes as soon as that is possible.",
        );
    }
    let now = Instant::now();
    if session.client.has(Capability::ChatHistory) {
        for (publisher, Subscription { epoch, seen }) in taken {
            let marks = |newest| Marks::new(seen, newest, true, now);
            sessions::open(session, &publisher, epoch, Read::Nothing, marks);
        }
        return;
    }
    let mut feeds: Vec<Feed> = taken
        .into_iter()
        .map(|(publisher, start)| Feed { publisher, start, from: start.seen, waited: false })
        .collect();
    for round in 1..=ROUNDS {
        if feeds.is_empty() {
            return;
        }
        feeds = hand_over(session, feeds, round == ROUNDS, reply).await;
    }
}

/// A feed that is not open yet.
struct Feed {
    publisher: String,
    start: Subscription,
    /// Up to where it has been read from the log.
    from: EntryId,
    /// Whether there was anything.
    waited: bool,
}

impl Feed {
    /// Opens it, unless something is still to be read: false then.
    fn open(&self, session: &Session, read: Read) -> bool {
        let marks = |newest| Marks::new(self.start.seen, newest, self.waited, Instant::now()).owing_a_pong();
        sessions::open(session, &self.publisher, self.start.epoch, read, marks)
    }
}

/// Sends what is new in all of the feeds in the order of time, and opens those that have nothing more. Returns the others;
/// none of them, where this is the last attempt: what comes from here on is held until this has been read and sent.
async fn hand_over(session: &Session, feeds: Vec<Feed>, is_last: bool, reply: &mut Reply) -> Vec<Feed> {
    let mut read = Vec::with_capacity(feeds.len());
    let mut found = Found::default();
    for mut feed in feeds {
        let Some(mut log) = chathistory::posts(session, &feed.publisher) else {
            // It is not followed any more; what comes of it is for others.
            feed.open(session, Read::Nothing);
            continue;
        };
        if is_last {
            log.last = sessions::hold(session, &feed.publisher);
        }
        match found.add(session, &log, feed.from).await {
            Ok(waited) => {
                feed.waited |= waited;
                feed.from = log.last;
                read.push(feed);
            }
            Err(error) => {
                tracing::debug!(%error, "what was posted cannot be read");
                feed.open(session, Read::Nothing);
                // Nothing counts as read: the next login delivers it.
                session.client.cursor.forget(&feed.publisher);
                found.is_incomplete = true;
            }
        }
    }
    found.send(session, reply).await;
    let how = if is_last { Read::UpToHeld } else { Read::UpTo };
    read.retain(|feed| !feed.open(session, how(feed.from)) && !is_last);
    read
}

/// Posts that waited.
#[derive(Default)]
struct Found {
    /// Ascending.
    posts: Vec<(Partition, Said)>,
    /// Whether some are not among them.
    is_incomplete: bool,
}

impl Found {
    /// Adds what is in a feed's log after `from`. True where there was anything.
    async fn add(&mut self, session: &Session, log: &Log, from: EntryId) -> Result<bool, StoreError> {
        if log.last <= from {
            return Ok(false);
        }
        let low = Cut::after(Mark::Place(Place { id: from, line: usize::MAX }));
        let most = MOST.min(session.node.config().history.page);
        let found = log.run(log.backward(Some(low), None, most)).await?;
        self.is_incomplete |= found.messages.len() == most || found.trimmed || found.unfinished.is_some();
        let waited = !found.messages.is_empty();
        let posts = found.messages.into_iter().map(|said| (log.partition.clone(), said)).collect();
        self.posts = merge(std::mem::take(&mut self.posts), posts);
        let surplus = self.posts.len().saturating_sub(most);
        self.is_incomplete |= surplus > 0;
        self.posts.drain(..surplus);
        Ok(waited)
    }

    /// Sends them as fast as the client reads: one batch for each author, or, without batches, all in their order.
    async fn send(&self, session: &Session, reply: &mut Reply) {
        if self.is_incomplete {
            reply.notice("Those whom you follow may have posted more than is shown here. CHATHISTORY has what is kept.");
        }
        if self.posts.is_empty() {
            return;
        }
        if !session.client.has(Capability::ServerTime) {
            reply.notice(&self.summary(clock::wall_ms()));
        }
        let all = self.posts.iter().map(|(at, said)| (at, said));
        if !session.client.has(Capability::Batch) {
            return chathistory::send(session, "*", all, reply).await;
        }
        let mut feeds: Vec<&Partition> = Vec::new();
        for (feed, _) in &self.posts {
            if !feeds.contains(&feed) {
                feeds.push(feed);
            }
        }
        for feed in feeds {
            let publisher = feed.name();
            let name = session.following.get(publisher).map(|followed| followed.name(publisher));
            let of_feed = all.clone().filter(|(at, _)| *at == feed);
            chathistory::send(session, &name.unwrap_or_default(), of_feed, reply).await;
        }
    }

    /// For clients that cannot show when each was posted.
    fn summary(&self, now: u64) -> String {
        let ago = |post: Option<&(Partition, Said)>| {
            ago(now.saturating_sub(post.map_or(now, |(_, said)| said.shown)))
        };
        let (first, last) = (ago(self.posts.first()), ago(self.posts.last()));
        match self.posts.len() {
            1 => format!("While you were away, 1 post came from those whom you follow, {first} ago:"),
            count if first == last => {
                format!("While you were away, {count} posts came from those whom you follow, {first} ago:")
            }
            count => format!(
                "While you were away, {count} posts came from those whom you follow, from {first} to {last} ago:"
            ),
        }
    }
}

/// How often what came meanwhile is read from the logs: the last time while the rest is held.
const ROUNDS: usize = 2;
