//! The hub: this node's replicas of the partitions that its clients need, and the way commands write to them.
//!
//! - [`audience`]: whom of a room's members a line is for
//! - [`clock`]: times as IRCv3 writes them
//! - [`difference`]: what clients are told when a copy had to be replaced
//! - [`msgid`]: message ids
//! - [`multiline`]: messages of several lines
//! - [`renamed`]: a room's new name, for clients that do not know of such
//! - [`render`]: from an entry's line to bytes, once for each set of capabilities
//! - [`replica`]: a copy of a partition that follows its log
//! - [`state`]: what a partition holds, as values
//! - [`told`]: who has been told of an event that concerns several channels

pub mod audience;
pub mod clock;
pub mod difference;
mod feed;
mod held;
pub mod msgid;
pub mod multiline;
pub mod renamed;
pub mod render;
pub mod replica;
pub mod state;
pub mod told;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use held::Held;
pub use replica::{Origin, Replica};
pub use state::{Member, State, UserId};

use crate::backoff::Backoff;
use crate::commit_identity::WriteError;
use crate::store::{
    By, Change, Commit, CommitFuture, Entry, Failure, Guard, Life, Outcome, Partition, Range, Store,
    StoreError,
};
use crate::tenure::Tenure;
use crate::weight::Weight;
use replica::{Offered, Pending};
use told::Told;

/// The replicas of one node.
#[derive(Debug)]
pub struct Hub {
    store: Arc<dyn Store>,
    /// Marks what this hub publishes, to know it when it comes back.
    mark: String,
    slots: Mutex<HashMap<Partition, Slot>>,
    told: Told,
    /// Partitions that nobody holds any more, to be unwatched.
    retired: Mutex<Vec<Partition>>,
    retire: Notify,
    /// Where texts go that other nodes publish for this node.
    bulletins: mpsc::Sender<Bulletin>,
    /// How much waits there.
    bulletins_waiting: Arc<AtomicUsize>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Whether the store has said that it does not answer.
    away: Arc<AtomicBool>,
}

/// A text that a node published on its own, another's or the fleet's partition, and its weight while it waits.
pub type Bulletin = (Partition, Arc<str>, Weight);

#[derive(Debug)]
struct Slot {
    replica: Arc<Replica>,
    /// How many [`Held`] there are.
    holders: usize,
    /// Whether the replica is being given up: who takes hold of it now waits until that is done.
    retiring: bool,
}

/// What a command decides to write.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Which life of the partition; `None` means the one that the state shows.
    pub life: Option<Life>,
    /// What must hold.
    pub guards: Vec<Guard>,
    /// What it changes.
    pub changes: Vec<Change>,
    /// What clients will see.
    pub lines: Vec<String>,
}

/// Why a command's write did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<R> {
    /// The rules forbid it, or there is nothing to do.
    Rule(R),
    /// The store could not; nothing was stored, unless the error says that this is not known.
    Store(StoreError),
    /// Others changed the same thing again and again; nothing was stored.
    Contended,
    /// This node's lease is over: the session ends.
    Fenced,
}

impl<R> From<StoreError> for Refusal<R> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<R> From<WriteError> for Refusal<R> {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Store(error) => Self::Store(error),
            WriteError::Contended => Self::Contended,
            WriteError::Fenced => Self::Fenced,
        }
    }
}

impl Hub {
    /// A hub on `store`, which it becomes the sink of. Its workers run on `tasks` until `stop`.
    #[must_use]
    pub fn start(
        store: Arc<dyn Store>,
        bulletins: mpsc::Sender<Bulletin>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let hub = Arc::new(Self {
            store,
            mark: crate::random::text(8),
            slots: Mutex::default(),
            told: Told::default(),
            retired: Mutex::default(),
            retire: Notify::new(),
            bulletins,
            bulletins_waiting: Arc::default(),
            tasks,
            stop,
            away: Arc::default(),
        });
        feed::attach(&hub);
        let janitor = hub.clone();
        hub.tasks.spawn(async move { janitor.retire_unheld().await });
        hub
    }

    /// The store beneath.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Whether the store has stopped answering, as far as it knows.
    #[must_use]
    pub fn is_store_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Who has been told of which event.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// The replica of a partition, loaded and following its log. The partition need not exist.
    ///
    /// # Errors
    /// The store's, where it cannot be read now.
    pub async fn hold(self: &Arc<Self>, partition: &Partition) -> Result<Held, StoreError> {
        let (held, retiring) = {
            let mut slots = self.slots();
            let slot = slots.entry(partition.clone()).or_insert_with(|| Slot {
                replica: Arc::new(Replica::new(partition.clone())),
                holders: 0,
                retiring: false,
            });
            slot.holders += 1;
            (Held { hub: self.clone(), replica: slot.replica.clone() }, slot.retiring)
        };
        if retiring || !held.is_ready() {
            let _loading = held.repair.lock().await;
            if !held.is_ready() {
                let losses = held.losses();
                self.store.watch(partition).await?;
                let since = held.applied();
                let snapshot = self.store.snapshot(partition).await?;
                held.replica.adopt(snapshot, since, &self.told);
                held.made_good(losses);
            }
        }
        if held.has_gap() {
            self.repair(&held.replica).await?;
        }
        Ok(held)
    }

    /// The replica of a partition, where this node has one now.
    #[must_use]
    pub fn find(&self, partition: &Partition) -> Option<Arc<Replica>> {
        self.slots().get(partition).map(|slot| slot.replica.clone())
    }

    /// How many of the channels that this node follows are `counted` by their state.
    #[must_use]
    pub fn count_channels(&self, counted: impl Fn(&State) -> bool) -> u64 {
        let is_channel = |partition: &Partition| partition.kind() == crate::store::Kind::Channel;
        let followed: Vec<Arc<Replica>> = {
            let slots = self.slots();
            let channels = slots.iter().filter(|(partition, _)| is_channel(partition));
            channels.map(|(_, slot)| slot.replica.clone()).collect()
        };
        let count = followed.iter().filter(|replica| replica.with_state(&counted)).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// How many partitions this node follows.
    #[must_use]
    pub fn followed(&self) -> usize {
        self.slots().len()
    }

    /// Decides by the replica's state and commits, again and again while others come in between, a bounded number of times.
    /// When this returns, the entry is applied on this node, so that whatever its command caused here has been sent.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn transact<R>(
        self: &Arc<Self>,
        replica: &Arc<Replica>,
        tenure: &Arc<Tenure>,
        origin: Option<Origin>,
        mut decide: impl FnMut(&State) -> Result<Decision, R>,
    ) -> Result<Arc<Entry>, Refusal<R>> {
        for _ in 0..ATTEMPTS {
            let submitted = self.submit(replica, tenure, origin.clone(), &mut decide);
            let (commit, future, applied) = match submitted {
                Submitted::Refused(refusal) => return Err(Refusal::Rule(refusal)),
                Submitted::Nowhere => return Err(Refusal::Store(StoreError::Gone)),
                Submitted::Sent(commit, future, applied) => (commit, future, applied),
            };
            let registered = Registered { replica, by: commit.by.clone(), left: false };
            match self.settle(&commit, future).await? {
                Outcome::Committed(entry) => {
                    if self.await_applied(replica, &entry, applied).await {
                        registered.send_own_copy(&entry, &self.told);
                    } else {
                        registered.leave();
                    }
                    return Ok(entry);
                }
                Outcome::Fenced => return Err(Refusal::Fenced),
                Outcome::Conflict { last, .. } => {
                    if timeout(PUSH_WAIT, replica.reached(last.as_ref())).await.is_err() {
                        self.repair(replica).await?;
                    }
                }
            }
        }
        Err(Refusal::Contended)
    }

    /// Writes to a partition that this node keeps no copy of. `decide` is asked again after a conflict.
    ///
    /// # Errors
    /// The store's; [`Refusal::Rule`] where `decide` gives up.
    pub async fn write<R>(
        &self,
        tenure: &Tenure,
        partition: &Partition,
        fields: &[&str],
        mut decide: impl FnMut(&crate::store::Peek) -> Result<Decision, R>,
    ) -> Result<Arc<Entry>, Refusal<R>> {
        for _ in 0..ATTEMPTS {
            let peek = self.store.peek_one(partition, fields).await?;
            let decision = decide(&peek).map_err(Refusal::Rule)?;
            let Some(life) = decision.life.or(peek.epoch.map(Life::Within)) else {
                return Err(Refusal::Store(StoreError::Gone));
            };
            if let Some(entry) = self.write_blind(tenure, partition, life, decision).await? {
                return Ok(entry);
            }
        }
        Err(Refusal::Contended)
    }

    /// Writes once, without looking first; `None` on a conflict. That another of the node's writes has overtaken it is none:
    /// then nothing is logged under its number, and it is handed over again under the next. So it is stored at most once
    /// as long as the log still holds what the seconds of a retry appended.
    ///
    /// # Errors
    /// The store's, and [`Refusal::Fenced`].
    pub async fn write_blind<R>(
        &self,
        tenure: &Tenure,
        partition: &Partition,
        life: Life,
        decision: Decision,
    ) -> Result<Option<Arc<Entry>>, Refusal<R>> {
        let mut commit = commit_of(partition, tenure, life, decision);
        for _ in 0..ATTEMPTS {
            let (numbered, future) = tenure.numbers().submit(&*self.store, commit);
            match self.settle(&numbered, future).await? {
                Outcome::Committed(entry) => {
                    self.apply_here(partition, &entry).await;
                    return Ok(Some(entry));
                }
                Outcome::Conflict { failure: Failure::Superseded, .. } => {
                    commit = Commit { deadline: tenure.ends_at(), ..numbered };
                }
                Outcome::Conflict { .. } => return Ok(None),
                Outcome::Fenced => return Err(Refusal::Fenced),
            }
        }
        Err(Refusal::Contended)
    }

    /// Gives an entry to the replica that this node may have of its partition, so that whom it concerns here is told before
    /// the command behind it is answered.
    async fn apply_here(&self, partition: &Partition, entry: &Arc<Entry>) {
        let Some(replica) = self.find(partition).filter(|replica| replica.is_ready()) else { return };
        if replica.offer(entry, &self.told) == Offered::Early {
            // It comes after entries that are on their way; where those are lost, the replica is repaired as always.
            let _ = timeout(PUSH_WAIT, replica.reached(Some(&entry.link()))).await;
        }
    }

    /// Sends a line to everybody whom the partition's lines reach, on all nodes, except its sender. It is stored nowhere
    /// and may be lost. Those on this node have it when this returns.
    ///
    /// # Errors
    /// The store's.
    pub async fn publish(&self, partition: &Partition, from: &str, line: &str) -> Result<(), StoreError> {
        self.deliver_transient(partition, from, line);
        self.store.publish(partition, &format!("{} {from} {line}", self.mark)).await
    }

    fn take_transient(&self, partition: &Partition, text: &str) {
        if matches!(partition.kind(), crate::store::Kind::Index | crate::store::Kind::Fleet) {
            // The node takes these in turn; where it is behind, its peers ask again or do without.
            if let Some(weight) = Weight::new(text.len(), &self.bulletins_waiting, MAX_BULLETINS) {
                let _ = self.bulletins.try_send((partition.clone(), text.into(), weight));
            }
            return;
        }
        let mut parts = text.splitn(3, ' ');
        if let (Some(mark), Some(from), Some(line)) = (parts.next(), parts.next(), parts.next())
            && mark != self.mark
        {
            self.deliver_transient(partition, from, line);
        }
    }

    fn deliver_transient(&self, partition: &Partition, from: &str, line: &str) {
        if let Some(replica) = self.find(partition) {
            replica.transient(line, Some(from), &self.told);
        }
    }

    /// Makes the replica read what it may have missed.
    ///
    /// # Errors
    /// The store's.
    pub async fn repair(&self, replica: &Replica) -> Result<(), StoreError> {
        let _repairing = replica.repair.lock().await;
        if !replica.is_ready() {
            return Ok(());
        }
        let losses = replica.losses();
        let newest =
            |replica: &Replica| replica.with_state(|state| Some((state.epoch?, state.last.clone()?)));
        while let Some((epoch, last)) = newest(replica) {
            let page = match self
                .store
                .read(&replica.partition().clone(), epoch, Range::From(last.id), PAGE)
                .await
            {
                Ok(page) => page,
                Err(StoreError::Gone) => break,
                Err(error) => return Err(error),
            };
            let full = page.entries.len() == PAGE;
            if !replica.offer_page(&page.entries, &self.told) {
                break;
            }
            if !full {
                replica.made_good(losses);
                return Ok(());
            }
        }
        let since = replica.applied();
        let snapshot = self.store.snapshot(replica.partition()).await?;
        replica.adopt(snapshot, since, &self.told);
        replica.made_good(losses);
        Ok(())
    }

    fn submit<R>(
        &self,
        replica: &Arc<Replica>,
        tenure: &Arc<Tenure>,
        origin: Option<Origin>,
        decide: &mut impl FnMut(&State) -> Result<Decision, R>,
    ) -> Submitted<R> {
        replica.submit(|state| {
            let decision = match decide(state) {
                Ok(decision) => decision,
                Err(refusal) => return (Submitted::Refused(refusal), None),
            };
            let Some(life) = decision.life.or(state.within()) else { return (Submitted::Nowhere, None) };
            let (told_applied, applied) = oneshot::channel();
            let commit = commit_of(replica.partition(), tenure, life, decision);
            let (commit, future) = tenure.numbers().submit(&*self.store, commit);
            let pending = Pending { origin, applied: told_applied };
            let by = commit.by.clone();
            (Submitted::Sent(commit, future, applied), Some((by, pending)))
        })
    }

    /// Awaits the outcome. Where the answer did not arrive, asks again under the same number for a while; from then on only
    /// an answer about that number tells that the commit was not stored.
    async fn settle(&self, commit: &Commit, first: CommitFuture) -> Result<Outcome, StoreError> {
        let (give_up, mut pauses) = (Instant::now() + SETTLE, Backoff::of_a_write());
        let mut result = first.await;
        let mut unknown = None;
        loop {
            match result {
                Err(StoreError::Unknown(why)) => unknown = Some(why),
                Err(StoreError::Unavailable(_)) if unknown.is_some() => {}
                other => return other,
            }
            if Instant::now() >= give_up || self.stop.is_cancelled() {
                return Err(StoreError::Unknown(unknown.unwrap_or_default()));
            }
            tokio::time::sleep(pauses.next_pause()).await;
            result = self.store.commit(commit.clone()).await;
        }
    }

    /// Awaits that a committed entry is applied here. It is stored whatever comes of this: where the log cannot be read now,
    /// the replica catches up later, and this is false.
    async fn await_applied(
        self: &Arc<Self>,
        replica: &Arc<Replica>,
        entry: &Arc<Entry>,
        applied: oneshot::Receiver<()>,
    ) -> bool {
        if replica.offer(entry, &self.told) != Offered::Early {
            return true;
        }
        if matches!(timeout(PUSH_WAIT, applied).await, Ok(Ok(()))) {
            return true;
        }
        if let Err(error) = self.repair(replica).await {
            tracing::debug!(partition = %replica.partition(), %error, "an own entry is applied later");
            self.repair_soon(replica.clone(), PUSH_WAIT);
            return false;
        }
        true
    }

    /// Reads again what a lost or early entry left open, on a task of its own.
    fn repair_soon(self: &Arc<Self>, replica: Arc<Replica>, wait: Duration) {
        let hub = self.clone();
        self.tasks.spawn(async move {
            let mut backoff = Backoff::new(PUSH_WAIT, LONGEST_WAIT);
            let mut pause = wait;
            loop {
                tokio::select! {
                    () = hub.stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                if !wait.is_zero() && !replica.has_gap() {
                    return;
                }
                match hub.repair(&replica).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::debug!(partition = %replica.partition(), %error, "cannot catch up yet");
                    }
                }
                pause = backoff.next_pause();
            }
        });
    }

    async fn retire_unheld(&self) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.retire.notified() => {}
            }
            let retired = std::mem::take(&mut *self.retired.lock().expect("no holder of the list panics"));
            for partition in retired {
                self.retire(&partition).await;
            }
        }
    }

    async fn retire(&self, partition: &Partition) {
        let Some(replica) = self.find(partition) else { return };
        let _giving_up = replica.repair.lock().await;
        match self.slots().get_mut(partition) {
            // Whoever takes hold of it from here on waits for the lock above, and then loads it again.
            Some(slot) if slot.holders == 0 => slot.retiring = true,
            _ => return,
        }
        replica.set_unready();
        self.store.unwatch(partition).await;
        let mut slots = self.slots();
        match slots.get_mut(partition) {
            Some(slot) if slot.holders > 0 => slot.retiring = false,
            _ => drop(slots.remove(partition)),
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Partition, Slot>> {
        self.slots.lock().expect("no holder of the slots panics")
    }
}

enum Submitted<R> {
    Refused(R),
    /// The partition does not exist, and the decision was not to create it.
    Nowhere,
    Sent(Commit, CommitFuture, oneshot::Receiver<()>),
}

/// Sees to it that no commit stays registered as pending: not one that failed, nor one whose entry came in a snapshot.
struct Registered<'a> {
    replica: &'a Replica,
    by: By,
    /// Whether it stays registered after all.
    left: bool,
}

impl Registered<'_> {
    /// Leaves the commit registered, for when its entry is applied after all.
    fn leave(mut self) {
        self.left = true;
    }

    /// The sender's own copy, where the entry was taken in with a snapshot and so was not rendered in its place.
    fn send_own_copy(&self, entry: &Entry, told: &Told) {
        if let Some(origin) = self.replica.withdraw(&self.by).and_then(|pending| pending.origin) {
            self.replica.send_own_copy(entry, &origin, told);
        }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.replica.withdraw(&self.by);
        }
    }
}

fn commit_of(partition: &Partition, tenure: &Tenure, life: Life, decision: Decision) -> Commit {
    Commit {
        partition: partition.clone(),
        life,
        guards: decision.guards,
        changes: decision.changes,
        lines: decision.lines,
        by: By { writer: tenure.writer().clone(), number: 0 },
        deadline: tenure.ends_at(),
    }
}

/// How often a command decides anew before it gives up: each conflict means that somebody else got through.
pub(crate) const ATTEMPTS: usize = 64;
/// How long an unanswered commit is asked about: a lost connection is back by then. A client whose store hangs for longer
/// is told that the outcome is not known, rather than nothing.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);
/// How long an entry may take from the store's answer to its delivery before the log is read instead.
const PUSH_WAIT: Duration = Duration::from_millis(50);
/// The longest pause between two attempts at the same thing.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How much of what other nodes publish for this one may wait, in bytes.
const MAX_BULLETINS: usize = 16 << 20;
/// How many entries one look at the log reads.
const PAGE: usize = 512;
