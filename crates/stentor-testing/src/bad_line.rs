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

/// What goes wrong with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives.
    Lost,
    /// It arrives, and the answer does not.
    AnswerLost,
}

/// A real store at the other end of a bad line.
#[derive(Debug)]
pub struct BadLine {
    store: Arc<dyn Store>,
    /// In the order of the commits that they happen to; each to one in its partition, where it names one.
    faults: Mutex<VecDeque<(Option<Partition>, Fault)>>,
    /// The next snapshot of each of these fails.
    unreadable: Mutex<Vec<Partition>>,
    /// The next look at each of these fails, with all that is looked at together.
    unseen: Mutex<Vec<Partition>>,
    attempts: AtomicUsize,
}

impl BadLine {
    /// A line on which these happen to the first commits.
    pub fn to(store: &Arc<dyn Store>, faults: &[Fault]) -> Arc<Self> {
        let faults = Mutex::new(faults.iter().map(|fault| (None, *fault)).collect());
        Arc::new(Self {
            store: Arc::clone(store),
            faults,
            unreadable: Mutex::default(),
            unseen: Mutex::default(),
            attempts: AtomicUsize::new(0),
        })
    }

    /// Makes this happen to the next commits to `partition`, so many times.
    pub fn fail(&self, partition: &Partition, fault: Fault, times: usize) {
        let mut faults = self.faults.lock().expect("nobody panics with it");
        faults.extend(std::iter::repeat_n((Some(partition.clone()), fault), times));
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

#[async_trait]
impl Store for BadLine {
    fn attach(&self, sink: Arc<dyn Sink>) {
        self.store.attach(sink);
    }

    fn commit(&self, commit: Commit) -> CommitFuture {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let unknown = Err(StoreError::Unknown("the line is bad".into()));
        match self.fault(&commit.partition) {
            None => self.store.commit(commit),
            Some(Fault::Lost) => Box::pin(async { unknown }),
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
