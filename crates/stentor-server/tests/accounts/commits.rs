//! The committer: numbers, retries, and what becomes of answers that are lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stentor_server::account::{Accounts, COST_MIN, Hasher, Password};
use stentor_server::commit_identity::{Committer, Draft, FromNow, Numbers, WriteError};
use stentor_server::store::{
    Change, Commit, CommitFuture, Epoch, Held, Leases, Life, Outcome, Page, Partition, Peek, Range, Sink,
    Snapshot, Store, StoreError, StoreTime, Writer,
};
use tokio::task::JoinSet;

use crate::kit::{rules, store};

/// What goes wrong with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It never arrives.
    Lost,
    /// It arrives, and the answer does not.
    AnswerLost,
}

/// A real store at the other end of a bad line.
#[derive(Debug)]
struct BadLine {
    store: Arc<dyn Store>,
    faults: Mutex<VecDeque<Fault>>,
    attempts: AtomicUsize,
}

impl BadLine {
    fn to(store: &Arc<dyn Store>, faults: &[Fault]) -> Arc<Self> {
        let faults = Mutex::new(faults.iter().copied().collect());
        Arc::new(Self { store: Arc::clone(store), faults, attempts: AtomicUsize::new(0) })
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
        match self.faults.lock().expect("nobody panics with it").pop_front() {
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
        self.store.snapshot(partition).await
    }

    async fn peek(&self, partitions: &[Partition], fields: &[&str]) -> Result<Vec<Peek>, StoreError> {
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

fn draft(epoch: Epoch) -> Draft {
    let change = Change::Set("key".into(), "value".into());
    Draft { changes: vec![change], ..Draft::new(Partition::account("alice"), Life::Begin(epoch)) }
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_for_under_the_same_number() {
    for faults in [
        &[Fault::Lost][..],
        &[Fault::AnswerLost],
        &[Fault::Lost, Fault::AnswerLost],
        &[Fault::AnswerLost, Fault::AnswerLost],
    ] {
        let (_directory, store) = store();
        let line = BadLine::to(&store, faults);
        let epoch = Epoch(7);
        let outcome = Committer::standalone(line.clone()).commit(draft(epoch)).await;
        let Ok(Outcome::Committed(entry)) = outcome else { panic!("{faults:?}: {outcome:?}") };
        assert_eq!((entry.epoch, entry.by.number), (epoch, 1));
        assert_eq!(line.attempts.load(Ordering::Relaxed), faults.len() + 1);
        let page = store.read(&Partition::account("alice"), epoch, Range::Latest, 10).await.unwrap();
        assert_eq!(page.entries.len(), 1, "{faults:?}");
    }
}

#[tokio::test]
async fn what_never_arrives_is_given_up() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[Fault::Lost; 100]);
    let outcome = Committer::standalone(line.clone()).commit(draft(Epoch(7))).await;
    assert!(matches!(outcome, Err(StoreError::Unknown(_))));
    assert_eq!(line.attempts.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_number_that_was_overtaken_is_replaced() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[Fault::Lost]);
    let (numbers, deadline) = (Arc::new(Numbers::default()), Arc::new(FromNow(Duration::from_secs(30))));
    let writer = Writer::new("node", 1);
    let slow = Committer::new(line, writer.clone(), Arc::clone(&numbers), deadline.clone());
    let quick = Committer::new(store.clone(), writer, numbers, deadline);
    let epoch = quick.upsert(&Partition::fleet(), Vec::new()).await.unwrap();
    let set = |key: &str| Draft {
        changes: vec![Change::Set(key.into(), String::new())],
        ..Draft::new(Partition::fleet(), Life::Within(epoch))
    };
    // The slow commit draws its number first and is lost; the quick one then uses a higher number there.
    let (slow, quick) = tokio::join!(biased; slow.commit(set("slow")), quick.commit(set("quick")));
    let (Ok(Outcome::Committed(slow)), Ok(Outcome::Committed(quick))) = (&slow, &quick) else {
        panic!("{slow:?} {quick:?}");
    };
    assert_eq!((quick.by.number, slow.by.number), (3, 4));
    let fleet = store.snapshot(&Partition::fleet()).await.unwrap().unwrap();
    assert_eq!(fleet.fields.len(), 2);
}

#[tokio::test]
async fn commits_of_one_writer_are_handed_over_in_the_order_of_their_numbers() {
    let (_directory, store) = store();
    let node = Committer::standalone(store);
    let partition = Partition::fleet();
    let epoch = node.upsert(&partition, Vec::new()).await.unwrap();
    let mut tasks = JoinSet::new();
    for i in 0..200 {
        let node = node.clone();
        let change = Change::Set(format!("key{i}"), String::new());
        let draft = Draft { changes: vec![change], ..Draft::new(partition.clone(), Life::Within(epoch)) };
        tasks.spawn(async move { node.commit(draft).await });
    }
    for outcome in tasks.join_all().await {
        assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_partition_that_many_create_at_once_holds_what_all_of_them_set() {
    let (_directory, store) = store();
    let mut tasks = JoinSet::new();
    for i in 0..16 {
        let node = Committer::standalone(store.clone());
        let change = Change::Set(format!("key{i}"), String::new());
        tasks.spawn(async move { node.upsert(&Partition::fleet(), vec![change]).await });
    }
    let epochs: Vec<Epoch> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    let fleet = store.snapshot(&Partition::fleet()).await.unwrap().unwrap();
    assert_eq!(fleet.fields.len(), 16);
    assert!(epochs.iter().all(|epoch| *epoch == fleet.epoch));
}

#[tokio::test]
async fn after_its_deadline_a_writer_is_fenced() {
    let (_directory, store) = store();
    let (numbers, deadline) = (Arc::new(Numbers::default()), Arc::new(FromNow(Duration::ZERO)));
    let node = Committer::new(store.clone(), Writer::new("late", 1), numbers, deadline);
    assert_eq!(node.attempt(draft(Epoch(7))).await, Err(WriteError::Fenced));
    assert_eq!(store.snapshot(&Partition::account("alice")).await, Ok(None));
}

#[tokio::test]
async fn an_account_whose_answers_are_lost_is_made_once() {
    let (_directory, store) = store();
    let line = BadLine::to(&store, &[Fault::AnswerLost, Fault::Lost, Fault::AnswerLost]);
    let hasher = Arc::new(Hasher::new(COST_MIN, std::num::NonZeroUsize::MIN, 10));
    let accounts = Accounts::new(Committer::standalone(line), hasher, rules());
    let account = accounts.add("alice", &Password::new("right").unwrap()).await.unwrap();
    assert_eq!(accounts.verify("alice", "right").await, Ok(account.clone()));
    let page = store.read(&Partition::account("alice"), account.epoch, Range::Latest, 10).await.unwrap();
    assert_eq!(page.entries.len(), 1);
}
