//! Goes round at a calm pace: cuts what is too old or too much, and ends rooms that were abandoned.
//!
//! Every node has a share of the partitions that the directory lists, by a hash over the leases that are live. Two nodes that see the leases
//! differently may both visit one, or neither does until the next round; trimming twice is trimming once.
//!
//! **By count.** The store trims by entries or by time, and knows no messages. So the janitor counts: a log once as a whole,
//! then from where it stopped, and where there are too many it reads from the oldest on to find the time to cut at. What it
//! remembers for that is one line for each partition of its share.
//!
//! **Abandoned rooms.** A room that was founded outlives its members, unless its founder's account was removed and nobody is
//! its operator by a standing right. It ends when nothing has happened there
//! for `history.max_age`: by then its history is gone too. The rights of removed accounts are taken away where they could keep
//! a room, or keep others from founding it anew. A room without a founder ends with its last member; one that is
//! left over, because a process ended without taking its members out, goes after an hour.
//!
//! **Names that lead nowhere.** The directory names rooms and accounts from before they are made. What was not made then is
//! forgotten once nobody can be about to make it any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::retention::{Bounds, Count, Cutter};
use super::scan::PIECE;
use crate::fleet::{directory, founded};
use crate::following::links;
use crate::following::record::{OWNER, subscribers};
use crate::hub::{Decision, Refusal, State};
use crate::node::Node;
use crate::operator::audit::RECORDS_MAX;
use crate::policy;
use crate::store::partition::DIRECTORY_BUCKETS;
use crate::store::{
    EntryId, Epoch, Guard, Is, Kind, Life, Page, Partition, Peek, Range, Size, StoreError, StoreTime,
};

/// What one visit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Visit {
    /// The log was cut.
    pub trimmed: bool,
    /// The room was ended.
    pub ended: bool,
}

/// One node's janitor.
#[derive(Debug)]
pub struct Janitor {
    node: Arc<Node>,
    counts: HashMap<Partition, Counted>,
    round: u64,
}

#[derive(Debug)]
struct Counted {
    count: Count,
    /// The round in which it was visited last.
    round: u64,
}

impl Janitor {
    /// A janitor that knows nothing yet.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, counts: HashMap::new(), round: 0 }
    }

    /// Goes round until the node stops.
    pub async fn run(mut self) {
        let jitter = crate::random::number() % FIRST_MS;
        if !self.rest_until(Instant::now() + Duration::from_millis(jitter)).await {
            return;
        }
        loop {
            self.round += 1;
            for bucket in 0..DIRECTORY_BUCKETS {
                let end = Instant::now() + ROUND / BUCKETS;
                self.node.hub.told().turn();
                self.node.login.tidy();
                if let Err(refusal) = self.visit_bucket(bucket, end).await {
                    tracing::debug!(?refusal, bucket, "the janitor leaves this part for the next round");
                }
                if !self.rest_until(end).await {
                    return;
                }
            }
            let round = self.round;
            self.counts.retain(|_, counted| counted.round == round);
        }
    }

    /// Visits a partition once, as if it were `now`.
    ///
    /// # Errors
    /// The store's, and [`Refusal::Fenced`] where this node's lease is over.
    pub async fn visit(&mut self, partition: &Partition, now: StoreTime) -> Result<Visit, Refusal<()>> {
        let peek = self.node.hub.store().peek_one(partition, &["founder"]).await?;
        let ended = match self.put_right(partition, &peek, now).await {
            Err(Refusal::Fenced) => return Err(Refusal::Fenced),
            ended => ended,
        };
        if ended == Ok(true) || peek.epoch.is_none() {
            self.counts.remove(partition);
            return ended.map(|ended| Visit { trimmed: false, ended });
        }
        // A write that failed keeps no log from being cut: that may be what makes room.
        let trimmed = match self.trim(partition, &peek, now).await {
            Ok(trimmed) => trimmed,
            // Created anew meanwhile: there is nothing to cut yet.
            Err(StoreError::Gone) => false,
            Err(error) => return Err(error.into()),
        };
        ended.map(|ended| Visit { trimmed, ended })
    }

    /// Takes away what somebody left who is gone. True where the partition ended.
    async fn put_right(
        &self,
        partition: &Partition,
        peek: &Peek,
        now: StoreTime,
    ) -> Result<bool, Refusal<()>> {
        match (partition.kind(), peek.epoch) {
            (Kind::Feed, _) => return self.end_feed(partition).await,
            (Kind::Channel, Some(_)) => {}
            (Kind::Channel, None) => {
                directory::forget(&self.node.hub, &self.node.tenure(), partition, None).await?;
                return Ok(false);
            }
            (Kind::User, None) => {
                self.node.accounts.forget_unmade(partition, now).await?;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        let is_founded = match peek.fields.first() {
            Some(Some(founder)) => !self.give_up(partition, founder).await?,
            _ => false,
        };
        if !is_founded {
            founded::disinherit(self.node.accounts.committer(), partition).await?;
        }
        Ok(peek.members == 0 && self.end(partition, now).await?)
    }

    /// Visits this node's share of what a directory bucket lists, evenly until `end`; where that is past, without a pause.
    ///
    /// # Errors
    /// The store's where it is away, and [`Refusal::Fenced`]. What cannot be read or written does not keep others waiting: a
    /// full store takes no writes, and has to be cut all the same.
    pub async fn visit_bucket(&mut self, bucket: u64, end: Instant) -> Result<(), Refusal<()>> {
        if bucket == 0 && self.is_mine(&Partition::audit()) {
            let now = self.node.hub.store().now().await?;
            go_on(&Partition::audit(), self.visit_operators(now).await.map_err(Refusal::from))?;
        }
        if bucket == 0 && self.is_mine(&Partition::names()) {
            let tidied = self.node.rooms.tidy(&self.node.tenure()).await;
            go_on(&Partition::names(), tidied.map_err(Refusal::from))?;
        }
        let share = self.share_of(bucket).await?;
        let mut left = u32::try_from(share.len()).unwrap_or(u32::MAX);
        for partition in share {
            // This fails where the store is away.
            let now = self.node.hub.store().now().await?;
            if let Some(Visit { trimmed, ended }) = go_on(&partition, self.visit(&partition, now).await)? {
                tracing::debug!(%partition, trimmed, ended, "visited");
            }
            let pause = end.saturating_duration_since(Instant::now()) / left.saturating_add(1);
            left = left.saturating_sub(1);
            if !self.rest_until(Instant::now() + pause).await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Cuts the logs that no directory lists: of what operators did, and those of which the fields tell all that matters.
    ///
    /// # Errors
    /// The store's.
    pub async fn visit_operators(&self, now: StoreTime) -> Result<(), StoreError> {
        let ago = |age: Duration| {
            StoreTime(now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))
        };
        let store = self.node.hub.store();
        let oldest = self.node.config().audit_max_age.map_or(StoreTime(0), ago);
        store.trim(&Partition::audit(), oldest, RECORDS_MAX).await?;
        store.trim(&Partition::names(), ago(KNOWN), u64::MAX).await?;
        store.trim(&Partition::bans(), ago(KNOWN), u64::MAX).await
    }

    async fn share_of(&self, bucket: u64) -> Result<Vec<Partition>, StoreError> {
        let snapshot = self.node.hub.store().snapshot(&Partition::directory(bucket)).await?;
        let listed = snapshot.map(|snapshot| snapshot.fields).unwrap_or_default();
        let listed = listed.iter().filter_map(|(name, _)| Partition::from_name(name));
        // An account may have a feed, which is listed nowhere else.
        let listed = listed.flat_map(|partition| {
            let feed = (partition.kind() == Kind::User).then(|| Partition::feed(partition.name()));
            [Some(partition), feed].into_iter().flatten()
        });
        let mut share: Vec<Partition> = listed.filter(|partition| self.is_mine(partition)).collect();
        if bucket == 0 {
            share.extend(self.guests());
        }
        Ok(share)
    }

    /// The inboxes of this node's guests, which no directory lists.
    fn guests(&self) -> Vec<Partition> {
        let clients = self.node.clients.all();
        let guests = clients.iter().filter(|client| client.profile().account.is_none());
        guests.map(|client| Partition::guest(&client.id)).collect()
    }

    fn is_mine(&self, partition: &Partition) -> bool {
        self.node.fleet.is_in_share(self.node.tenure().writer(), partition)
    }

    /// Takes a room from its founder where that account was removed. True where it did.
    async fn give_up(&self, room: &Partition, founder: &str) -> Result<bool, Refusal<()>> {
        let account = self.node.hub.store().peek_one(&Partition::account(founder), &["removed"]).await?;
        if !matches!(account.fields.first(), Some(Some(_))) {
            return Ok(false);
        }
        Ok(founded::give_up(self.node.accounts.committer(), room, founder).await?)
    }

    /// Ends an empty room where it is time. False where it is not, or somebody came.
    async fn end(&self, room: &Partition, now: StoreTime) -> Result<bool, Refusal<()>> {
        let Some(snapshot) = self.node.hub.store().snapshot(room).await? else { return Ok(false) };
        let (epoch, last) = (snapshot.epoch, StoreTime(snapshot.last.id.ms));
        let state = State::from_snapshot(snapshot);
        let is_kept = policy::standing::is_kept(&state);
        let Some(kept) = (if is_kept { self.node.config().history.max_age } else { Some(LEFT_OVER) }) else {
            return Ok(false);
        };
        if last.plus(kept) >= now || !state.members.is_empty() {
            return Ok(false);
        }
        let guards = vec![policy::rules_guard(&state), Guard::Size(Size::Exactly(0))];
        let decision = Decision { guards, ..Decision::default() };
        let (hub, tenure) = (&self.node.hub, self.node.tenure());
        let ended = hub.write_blind(&tenure, room, Life::End(epoch), decision).await?;
        if ended.is_some() {
            directory::forget(hub, &tenure, room, Some(epoch)).await?;
        }
        Ok(ended.is_some())
    }

    /// Ends a feed whose account is gone; otherwise takes those subscriptions away that their accounts do not know of. True
    /// where it ended.
    async fn end_feed(&self, feed: &Partition) -> Result<bool, Refusal<()>> {
        let (hub, tenure) = (&self.node.hub, self.node.tenure());
        let Some(snapshot) = hub.store().snapshot(feed).await? else { return Ok(false) };
        let state = State::from_snapshot(snapshot);
        let Some(epoch) = state.epoch else { return Ok(false) };
        let account = hub.store().peek_one(&Partition::account(feed.name()), &[]).await?;
        let owner = state.field(OWNER).map(str::to_owned);
        if owner != account.epoch.map(|epoch| epoch.to_string()) {
            let guards = vec![Guard::Field(OWNER.to_owned(), owner.map_or(Is::Absent, Is::Equal))];
            let decision = Decision { guards, ..Decision::default() };
            return Ok(hub.write_blind(&tenure, feed, Life::End(epoch), decision).await?.is_some());
        }
        let all: Vec<_> = subscribers(&state).map(|(name, one)| (name.to_owned(), one)).collect();
        for some in all.chunks(links::AT_ONCE) {
            links::drop_ghosts(hub, &tenure, feed.name(), epoch, some).await?;
        }
        Ok(false)
    }

    /// Cuts a log to its bounds. True where something went.
    async fn trim(&mut self, partition: &Partition, peek: &Peek, now: StoreTime) -> Result<bool, StoreError> {
        let Some(epoch) = peek.epoch else { return Ok(false) };
        let history = self.node.config().history;
        let ago = |age: Duration| now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let bounds = Bounds {
            oldest: StoreTime(history.max_age.map_or(0, ago)),
            messages: history.max_count.get().map_or(u64::MAX, |count| count as u64),
            settled: StoreTime(ago(SETTLED)),
        };
        let count = match bounds.messages {
            u64::MAX => Count::of(epoch),
            _ => self.count(partition, epoch).await?,
        };
        let mut cutter = Cutter::new(bounds, count.messages);
        // In most logs nothing is to be cut, which the oldest entry shows.
        let mut page = self.read(partition, epoch, Range::From(EntryId::default()), 1).await?;
        while !cutter.take(&page.entries)
            && let Some(last) = page.entries.last()
        {
            page = self.read(partition, epoch, Range::After(last.id), PIECE).await?;
        }
        let cut = cutter.finish();
        if let Some(before) = cut.before {
            self.node.hub.store().trim(partition, before, u64::MAX).await?;
        }
        if bounds.messages != u64::MAX {
            let count = Count { messages: cut.messages, oldest: cut.oldest, ..count };
            self.counts.insert(partition.clone(), Counted { count, round: self.round });
        }
        Ok(cut.before.is_some())
    }

    /// How many messages the log holds: counted on from the last visit, where nobody else has cut it since.
    async fn count(&mut self, partition: &Partition, epoch: Epoch) -> Result<Count, StoreError> {
        let oldest = self.read(partition, epoch, Range::From(EntryId::default()), 1).await?;
        let oldest = oldest.entries.first().map(|entry| entry.id);
        let known = self.counts.remove(partition).map(|counted| counted.count);
        let mut count =
            known.filter(|count| count.epoch == epoch && count.oldest == oldest).unwrap_or(Count::of(epoch));
        loop {
            let page = self.read(partition, epoch, Range::After(count.through), PIECE).await?;
            count.add(&page.entries);
            if page.entries.len() < PIECE {
                return Ok(count);
            }
        }
    }

    async fn read(
        &self,
        partition: &Partition,
        epoch: Epoch,
        range: Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.node.hub.store().read(partition, epoch, range, limit).await
    }

    /// False once the node stops.
    async fn rest_until(&self, time: Instant) -> bool {
        tokio::select! {
            () = self.node.stop.cancelled() => false,
            () = tokio::time::sleep_until(time) => true,
        }
    }
}

/// Notes what failed at a partition; an error only where nothing else can be done either.
fn go_on<T>(partition: &Partition, result: Result<T, Refusal<()>>) -> Result<Option<T>, Refusal<()>> {
    match result {
        Ok(done) => return Ok(Some(done)),
        Err(Refusal::Fenced) => return Err(Refusal::Fenced),
        Err(Refusal::Store(error @ (StoreError::Refused(_) | StoreError::Gone))) => {
            tracing::warn!(%partition, %error, "the janitor cannot keep this within its bounds");
        }
        Err(Refusal::Contended) => {
            tracing::warn!(%partition, "others write at once where the janitor tries to: it leaves this for the next round");
        }
        Err(refusal) => tracing::debug!(%partition, ?refusal, "the janitor leaves this for the next round"),
    }
    Ok(None)
}

/// How long one round over everything takes at least.
pub(crate) const ROUND: Duration = Duration::from_hours(1);
/// How long the logs of bans and of renamed rooms are kept: every node has read them by then.
const KNOWN: Duration = Duration::from_hours(24);
/// [`DIRECTORY_BUCKETS`] as the divisor of a time.
const BUCKETS: u32 = 64;
/// The first round begins within this time, in milliseconds: nodes that start together do not all begin at once.
const FIRST_MS: u64 = 60_000;
/// How long an empty room without a founder may stand. Guests come back after a restart, and find it as it was.
pub(crate) const LEFT_OVER: Duration = Duration::from_hours(1);
/// Entries younger than this are not cut: longer than a commit is retried, and than a sweep takes to finish what a dead node
/// had under way.
const SETTLED: Duration = Duration::from_mins(2);
