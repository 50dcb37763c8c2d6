//! A real store at the other end of a bad line.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stentor_server::store::{
    Commit, CommitFuture, Epoch, Held, Leases, Page, Partition, Peek, Range, Sink, Snapshot, Store,
    StoreError, StoreTime, Writer,
};
use tokio::sync::oneshot;

/// What goes wrong with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives.
    Lost,
    /// It arrives, and the answer does not.
    AnswerLost,
    /// There is no line for now, so it is certainly not stored.
    Away,
}

/// A real store at the other end of a bad line.
#[derive(Debug)]
pub struct BadLine {
    store: Arc<dyn Store>,
    /// In the order of the commits that they happen to; each to one in its partition, where it names one.
    faults: Mutex<VecDeque<(Option<Partition>, Fault)>>,
    /// The next snapshot of each of these fails.
    unreadable: Mutex<Vec<Partition>>,
    held: Mutex<Vec<Waiting>>,
    /// The next commit to each of these waits.
    held_commits: Mutex<Vec<Waiting>>,
    /// The next look at each of these fails, with all that is looked at together.
    unseen: Mutex<Vec<Partition>>,
    attempts: AtomicUsize,
}

/// What waits: of which partition, whom to tell that it was asked for, and when it may go on.
type Waiting = (Partition, oneshot::Sender<()>, oneshot::Receiver<()>);

impl BadLine {
    /// A line on which these happen to the first commits.
    pub fn to(store: &Arc<dyn Store>, faults: &[Fault]) -> Arc<Self> {
        let faults = Mutex::new(faults.iter().map(|fault| (None, *fault)).collect());
        Arc::new(Self {
            store: Arc::clone(store),
            faults,
            unreadable: Mutex::default(),
            held: Mutex::default(),
            held_commits: Mutex::default(),
            unseen: Mutex::default(),
            attempts: AtomicUsize::new(0),
        })
    }

    /// Makes this happen to the next commits to `partition`, so many times.
    pub fn fail(&self, partition: &Partition, fault: Fault, times: usize) {
        let mut faults = self.faults.lock().expect("nobody panics with it");
        faults.extend(std::iter::repeat_n((Some(partition.clone()), fault), times));
    }

    /// How many of the faults have not happened yet.
    pub fn faults_left(&self) -> usize {
        self.faults.lock().expect("nobody panics with it").len()
    }

    /// Nothing goes wrong with commits from now on.
    pub fn mend(&self) {
        self.faults.lock().expect("nobody panics with it").clear();
    }

    /// Makes the next snapshot of `partition` wait. The first end tells when it is asked for, the second lets it go on.
    pub fn hold_snapshot(&self, partition: &Partition) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        hold(&self.held, partition)
    }

    /// Makes the next commit to `partition` wait in the same way; others overtake it.
    pub fn hold_commit(&self, partition: &Partition) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        hold(&self.held_commits, partition)
    }

    /// Makes the next snapshot of `partition` fail.
    pub fn fail_snapshot(&self, partition: &Partition) {
        self.unreadable.lock().expect("nobody panics with it").push(partition.clone());
    }

    /// Makes the next look at some fields of `partition` fail.
    pub fn fail_peek(&self, partition: &Partition) {
        self.unseen.lock().expect("nobody panics with it").push(partition.clone());
    }

    /// How many commits were attempted.
    pub fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }

    fn fault(&self, partition: &Partition) -> Option<Fault> {
        let mut faults = self.faults.lock().expect("nobody panics with it");
        let concerned = faults.front()?.0.as_ref().is_none_or(|only| only == partition);
        if concerned { faults.pop_front().map(|(_, fault)| fault) } else { None }
    }
}

fn hold(held: &Mutex<Vec<Waiting>>, partition: &Partition) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
    let ((arrived, arrival), (go_on, going_on)) = (oneshot::channel(), oneshot::channel());
    held.lock().expect("nobody panics with it").push((partition.clone(), arrived, going_on));
    (arrival, go_on)
}

fn take_held(held: &Mutex<Vec<Waiting>>, partition: &Partition) -> Option<Waiting> {
    let mut held = held.lock().expect("nobody panics with it");
    let place = held.iter().position(|(of, ..)| of == partition)?;
    Some(held.remove(place))
}

#[async_trait]
impl Store for BadLine {
    fn attach(&self, sink: Arc<dyn Sink>) {
        self.store.attach(sink);
    }

    fn commit(&self, commit: Commit) -> CommitFuture {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let unknown = Err(StoreError::Unknown("the line is bad".into()));
        if let Some((_, arrived, go_on)) = take_held(&self.held_commits, &commit.partition) {
            let store = Arc::clone(&self.store);
            return Box::pin(async move {
                let _ = arrived.send(());
                let _ = go_on.await;
                store.commit(commit).await
            });
        }
        match self.fault(&commit.partition) {
            None => self.store.commit(commit),
            Some(Fault::Lost) => Box::pin(async { unknown }),
            Some(Fault::Away) => Box::pin(async { Err(StoreError::Unavailable("there is no line".into())) }),
            Some(Fault::AnswerLost) => {
                let answer = self.store.commit(commit);
                Box::pin(async {
                    answer.await?;
                    unknown
                })
            }
        }
    }

    async fn snapshot(&self, partition: &Partition) -> Result<Option<Snapshot>, StoreError> {
        if let Some((_, arrived, go_on)) = take_held(&self.held, partition) {
            let _ = arrived.send(());
            let _ = go_on.await;
        }
        {
            let mut unreadable = self.unreadable.lock().expect("nobody panics with it");
            if let Some(place) = unreadable.iter().position(|bad| bad == partition) {
                unreadable.remove(place);
                return Err(StoreError::Unavailable("the line is bad".into()));
            }
        }
        self.store.snapshot(partition).await
    }

    async fn peek(&self, partitions: &[Partition], fields: &[&str]) -> Result<Vec<Peek>, StoreError> {
        {
            let mut unseen = self.unseen.lock().expect("nobody panics with it");
            if let Some(place) = unseen.iter().position(|bad| partitions.contains(bad)) {
                unseen.remove(place);
                return Err(StoreError::Unavailable("the line is bad".into()));
            }
        }
        self.store.peek(partitions, fields).await
    }

    async fn read(
        &self,
        partition: &Partition,
        epoch: Epoch,
        range: Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.read(partition, epoch, range, limit).await
    }

    async fn trim(&self, partition: &Partition, before: StoreTime, keep: u64) -> Result<(), StoreError> {
        self.store.trim(partition, before, keep).await
    }

    async fn publish(&self, partition: &Partition, text: &str) -> Result<(), StoreError> {
        self.store.publish(partition, text).await
    }

    async fn watch(&self, partition: &Partition) -> Result<(), StoreError> {
        self.store.watch(partition).await
    }

    async fn unwatch(&self, partition: &Partition) {
        self.store.unwatch(partition).await;
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.store.now().await
    }

    async fn hold_lease(&self, writer: &Writer, ttl: Duration, info: &str) -> Result<Held, StoreError> {
        self.store.hold_lease(writer, ttl, info).await
    }

    async fn release_lease(&self, writer: &Writer) -> Result<(), StoreError> {
        self.store.release_lease(writer).await
    }

    async fn leases(&self) -> Result<Leases, StoreError> {
        self.store.leases().await
    }

    async fn claim_sweep(
        &self,
        dead: &Writer,
        by: &Writer,
        margin: Duration,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        self.store.claim_sweep(dead, by, margin, ttl).await
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
