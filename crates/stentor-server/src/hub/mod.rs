//! The hub: this node's replicas of the partitions that its clients need, and the way commands write to them.
//!
//! - [`clock`]: times as IRCv3 writes them
//! - [`difference`]: what clients are told when a copy had to be replaced
//! - [`msgid`]: message ids
//! - [`render`]: from an entry's line to bytes, once for each set of capabilities
//! - [`replica`]: a copy of a partition that follows its log
//! - [`state`]: what a partition holds, as values
//! - [`told`]: who has been told of an event that concerns several channels

pub mod clock;
pub mod difference;
mod feed;
pub mod msgid;
pub mod render;
pub mod replica;
pub mod state;
pub mod told;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use replica::{Origin, Replica};
pub use state::{Member, State, UserId};

use crate::store::{
    By, Change, Commit, CommitFuture, Entry, Guard, Life, Outcome, Partition, Range, Store, StoreError,
};
use crate::tenure::Tenure;
use crate::weight::Weight;
use replica::{Offered, Pending};
use told::Told;

/// The replicas of one node.
#[derive(Debug)]
pub struct Hub {
    store: Arc<dyn Store>,
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
}

/// A replica that stays for as long as somebody holds it.
pub struct Held {
    hub: Arc<Hub>,
    replica: Arc<Replica>,
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
    /// This node's lease is over: the session ends.
    Fenced,
}

impl<R> From<StoreError> for Refusal<R> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
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
        let held = {
            let mut slots = self.slots();
            let slot = slots
                .entry(partition.clone())
                .or_insert_with(|| Slot { replica: Arc::new(Replica::new(partition.clone())), holders: 0 });
            slot.holders += 1;
            Held { hub: self.clone(), replica: slot.replica.clone() }
        };
        if !held.is_ready() {
            let _loading = held.repair.lock().await;
            if !held.is_ready() {
                self.store.watch(partition).await?;
                let snapshot = self.store.snapshot(partition).await?;
                held.replica.adopt(snapshot, &self.told);
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

    /// How many channels this node follows.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.slots().keys().filter(|partition| partition.kind() == crate::store::Kind::Channel).count()
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
        &self,
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
            let _registered = Registered { replica, number: commit.by.number };
            match self.settle(commit, future).await? {
                Outcome::Committed(entry) => {
                    self.await_applied(replica, &entry, applied).await?;
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
        Err(Refusal::Store(StoreError::Unavailable("too many others write here at once".to_owned())))
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
            let peeks = self.store.peek(std::slice::from_ref(partition), fields).await?;
            let peek = peeks.into_iter().next().unwrap_or_default();
            let decision = decide(&peek).map_err(Refusal::Rule)?;
            let Some(life) = decision.life.or(peek.epoch.map(Life::Within)) else {
                return Err(Refusal::Store(StoreError::Gone));
            };
            if let Some(entry) = self.write_blind(tenure, partition, life, decision).await? {
                return Ok(entry);
            }
        }
        Err(Refusal::Store(StoreError::Unavailable("too many others write here at once".to_owned())))
    }

    /// Writes once, without looking first; `None` on a conflict.
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
        let commit = commit_of(partition, tenure, life, decision);
        let (commit, future) = tenure.numbers().submit(&*self.store, commit);
        match self.settle(commit, future).await? {
            Outcome::Committed(entry) => Ok(Some(entry)),
            Outcome::Conflict { .. } => Ok(None),
            Outcome::Fenced => Err(Refusal::Fenced),
        }
    }

    /// Sends a line to everybody whom the partition's lines reach, on all nodes, except its sender. It is stored nowhere
    /// and may be lost.
    ///
    /// # Errors
    /// The store's.
    pub async fn publish(&self, partition: &Partition, from: &str, line: &str) -> Result<(), StoreError> {
        self.store.publish(partition, &format!("{from} {line}")).await
    }

    fn take_transient(&self, partition: &Partition, text: &str) {
        if matches!(partition.kind(), crate::store::Kind::Index | crate::store::Kind::Fleet) {
            // The node takes these in turn; where it is behind, its peers ask again or do without.
            if let Some(weight) = Weight::new(text.len(), &self.bulletins_waiting, MAX_BULLETINS) {
                let _ = self.bulletins.try_send((partition.clone(), text.into(), weight));
            }
            return;
        }
        let (Some(replica), Some((from, line))) = (self.find(partition), text.split_once(' ')) else {
            return;
        };
        replica.transient(line, Some(from), &self.told);
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
                return Ok(());
            }
        }
        let snapshot = self.store.snapshot(replica.partition()).await?;
        replica.adopt(snapshot, &self.told);
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
            let pending = Pending { writer: tenure.writer().clone(), origin, applied: told_applied };
            let number = commit.by.number;
            (Submitted::Sent(commit, future, applied), Some((number, pending)))
        })
    }

    /// Awaits the outcome; where the answer did not arrive, asks again under the same number until the lease is over.
    async fn settle(&self, commit: Commit, first: CommitFuture) -> Result<Outcome, StoreError> {
        let mut result = first.await;
        for _ in 0..RETRIES {
            match result {
                Err(StoreError::Unknown(_)) if !self.stop.is_cancelled() => {
                    result = self.store.commit(commit.clone()).await;
                }
                other => return other,
            }
        }
        result
    }

    async fn await_applied(
        &self,
        replica: &Arc<Replica>,
        entry: &Arc<Entry>,
        applied: oneshot::Receiver<()>,
    ) -> Result<(), StoreError> {
        if replica.offer(entry, &self.told) != Offered::Early {
            return Ok(());
        }
        match timeout(PUSH_WAIT, applied).await {
            Ok(Ok(())) => Ok(()),
            _ => self.repair(replica).await,
        }
    }

    /// Reads again what a lost or early entry left open, on a task of its own.
    fn repair_soon(self: &Arc<Self>, replica: Arc<Replica>, wait: Duration) {
        let hub = self.clone();
        self.tasks.spawn(async move {
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
                pause = (pause * 2).clamp(PUSH_WAIT, Duration::from_secs(2));
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
        let is_held = |hub: &Self| hub.slots().get(partition).is_none_or(|slot| slot.holders > 0);
        if is_held(self) {
            return;
        }
        // Whoever holds it from here on waits for this lock, and then finds it unready and loads it again.
        replica.set_unready();
        self.store.unwatch(partition).await;
        let mut slots = self.slots();
        if slots.get(partition).is_some_and(|slot| slot.holders == 0) {
            slots.remove(partition);
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
    number: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.replica.withdraw(self.number);
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

impl Held {
    /// The replica, for a use that ends before the hold does.
    #[must_use]
    pub fn replica(&self) -> Arc<Replica> {
        self.replica.clone()
    }
}

impl std::ops::Deref for Held {
    type Target = Arc<Replica>;

    fn deref(&self) -> &Arc<Replica> {
        &self.replica
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut slots = self.hub.slots();
        let Some(slot) = slots.get_mut(self.replica.partition()) else { return };
        slot.holders -= 1;
        let unheld = slot.holders == 0;
        drop(slots);
        if unheld {
            let partition = self.replica.partition().clone();
            self.hub.retired.lock().expect("no holder of the list panics").push(partition);
            self.hub.retire.notify_one();
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.replica.partition())
    }
}

/// How often a command decides anew before it gives up: each conflict means that somebody else got through.
const ATTEMPTS: usize = 64;
/// How often an unanswered commit is asked about again. Each attempt has the store's own time limit.
const RETRIES: usize = 8;
/// How long an entry may take from the store's answer to its delivery before the log is read instead.
const PUSH_WAIT: Duration = Duration::from_millis(50);
/// How much of what other nodes publish for this one may wait, in bytes.
const MAX_BULLETINS: usize = 16 << 20;
/// How many entries one look at the log reads.
const PAGE: usize = 512;
