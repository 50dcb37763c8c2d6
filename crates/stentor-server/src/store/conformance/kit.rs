//! What the cases share: nodes with a recorder each, partitions with an author, commits in the making, and a replica
//! that follows events as the contract tells it to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::store::{
    By, Change, Commit, CommitFuture, Entry, Epoch, Event, Failure, Guard, Life, Link, Outcome, Page,
    Partition, Range, Sink, Snapshot, Store, StoreTime, Writer,
};

/// The nodes of a case: handles on one store.
#[derive(Debug)]
pub(super) struct Nodes(Vec<Node>);

/// One handle, and what it delivered.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) store: Arc<dyn Store>,
    pub(super) events: Arc<Recorder>,
    /// The numbers of all commits of the case: each writer's rise, whatever partition they are for.
    numbers: Arc<AtomicU64>,
}

impl Nodes {
    pub(super) fn new(stores: &[Arc<dyn Store>]) -> Self {
        assert!(!stores.is_empty(), "a harness opens at least one handle");
        let numbers = Arc::new(AtomicU64::new(1));
        let nodes = stores.iter().map(|store| {
            let events = Arc::<Recorder>::default();
            store.attach(events.clone());
            Node { store: store.clone(), events, numbers: numbers.clone() }
        });
        Self(nodes.collect())
    }

    pub(super) fn first(&self) -> &Node {
        self.0.first().expect("a harness opens at least one handle")
    }

    /// Another node than the first, where the store has several.
    pub(super) fn last(&self) -> &Node {
        self.0.last().expect("a harness opens at least one handle")
    }

    pub(super) fn all(&self) -> &[Node] {
        &self.0
    }

    /// A channel that does not exist yet, written to by `a@1` on the first node.
    pub(super) async fn room(&self, name: &str) -> Room {
        self.first().room(Partition::channel(name), Writer::new("a", 1)).await
    }
}

impl Node {
    /// A partition and somebody who writes to it on this node.
    pub(super) async fn room(&self, partition: Partition, writer: Writer) -> Room {
        let deadline = self.now().await.plus(Duration::from_secs(3600));
        let author = Arc::new(Author { writer, deadline });
        Room { node: self.clone(), partition, epoch: Epoch::random(), author }
    }

    pub(super) async fn now(&self) -> StoreTime {
        self.store.now().await.expect("the store tells the time")
    }

    /// Waits until the store's time is past `time`.
    pub(super) async fn pass(&self, time: StoreTime) {
        loop {
            let now = self.now().await;
            if now > time {
                return;
            }
            tokio::time::sleep(Duration::from_millis(time.0 - now.0 + 1)).await;
        }
    }
}

/// Who writes, and until when.
#[derive(Debug)]
pub(super) struct Author {
    writer: Writer,
    deadline: StoreTime,
}

/// A partition, the epoch that it has or will have, and an author on one node.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) node: Node,
    pub(super) partition: Partition,
    pub(super) epoch: Epoch,
    pub(super) author: Arc<Author>,
}

impl Room {
    pub(super) fn store(&self) -> &dyn Store {
        self.node.store.as_ref()
    }

    /// The same partition, written to by somebody else on `node`.
    pub(super) async fn by(&self, node: &Node, writer: Writer) -> Self {
        Self { epoch: self.epoch, ..node.room(self.partition.clone(), writer).await }
    }

    /// The same author in another life of the partition.
    pub(super) fn with_epoch(&self, epoch: Epoch) -> Self {
        Self { epoch, ..self.clone() }
    }

    /// A commit under the author's next number.
    pub(super) fn at(&self, life: Life) -> Draft {
        let number = self.node.numbers.fetch_add(1, Ordering::SeqCst);
        let by = By { writer: self.author.writer.clone(), number };
        Draft {
            store: self.node.store.clone(),
            commit: Commit {
                partition: self.partition.clone(),
                life,
                guards: Vec::new(),
                changes: Vec::new(),
                lines: Vec::new(),
                by,
                deadline: self.author.deadline,
            },
        }
    }

    pub(super) fn within(&self) -> Draft {
        self.at(Life::Within(self.epoch))
    }

    /// Says `text`: a commit with one line and nothing else.
    pub(super) fn says(&self, text: &str) -> Draft {
        self.within().line(&format!(":a!u@h PRIVMSG #x :{text}"))
    }

    /// Creates the partition.
    pub(super) async fn begin(&self) -> Arc<Entry> {
        self.at(Life::Begin(self.epoch)).set("name", "x").committed().await
    }

    pub(super) async fn snapshot(&self) -> Option<Snapshot> {
        self.store().snapshot(&self.partition).await.expect("a snapshot")
    }

    pub(super) async fn read(&self, range: Range, limit: usize) -> Page {
        let page = self.store().read(&self.partition, self.epoch, range, limit).await;
        page.unwrap_or_else(|error| panic!("reading {range:?} of {}: {error}", self.partition))
    }

    /// The whole log, page by page.
    pub(super) async fn log(&self) -> Vec<Arc<Entry>> {
        let mut log = self.read(Range::From(Default::default()), 100).await.entries;
        while let Some(last) = log.last() {
            let page = self.read(Range::After(last.id), 100).await;
            if page.entries.is_empty() {
                break;
            }
            log.extend(page.entries);
        }
        log
    }
}

/// A commit in the making.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    store: Arc<dyn Store>,
    pub(super) commit: Commit,
}

impl Draft {
    pub(super) fn guard(mut self, guard: Guard) -> Self {
        self.commit.guards.push(guard);
        self
    }

    pub(super) fn change(mut self, change: Change) -> Self {
        self.commit.changes.push(change);
        self
    }

    pub(super) fn set(self, name: &str, value: &str) -> Self {
        self.change(Change::Set(name.into(), value.into()))
    }

    pub(super) fn unset(self, name: &str) -> Self {
        self.change(Change::Unset(name.into()))
    }

    pub(super) fn member(self, id: &str, value: &str) -> Self {
        self.change(Change::SetMember(id.into(), value.into()))
    }

    pub(super) fn no_member(self, id: &str) -> Self {
        self.change(Change::UnsetMember(id.into()))
    }

    pub(super) fn line(mut self, line: &str) -> Self {
        self.commit.lines.push(line.into());
        self
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.commit.by.number = number;
        self
    }

    pub(super) fn deadline(mut self, deadline: StoreTime) -> Self {
        self.commit.deadline = deadline;
        self
    }

    /// Hands the commit over now; the same draft can be sent again, as a retry.
    pub(super) fn send(&self) -> CommitFuture {
        self.store.commit(self.commit.clone())
    }

    pub(super) async fn outcome(&self) -> Outcome {
        match self.send().await {
            Ok(outcome) => outcome,
            Err(error) => panic!("{:?} failed: {error}", self.commit),
        }
    }

    pub(super) async fn committed(&self) -> Arc<Entry> {
        match self.outcome().await {
            Outcome::Committed(entry) => entry,
            other => panic!("{:?} ended as {other:?}", self.commit),
        }
    }

    /// The commit must meet a conflict: what did not hold, and the newest entry then.
    pub(super) async fn conflict(&self) -> (Failure, Option<Link>) {
        match self.outcome().await {
            Outcome::Conflict { failure, last } => (failure, last),
            other => panic!("{:?} ended as {other:?} and should be a conflict", self.commit),
        }
    }
}

/// Records all that a store delivers.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    events: Mutex<Vec<Event>>,
    news: Notify,
}

impl Sink for Recorder {
    fn deliver(&self, event: Event) {
        self.events.lock().expect("no holder of the events panics").push(event);
        self.news.notify_waiters();
    }
}

impl Recorder {
    /// What has come so far.
    pub(super) fn so_far(&self) -> Vec<Event> {
        self.since(0)
    }

    /// What has come from the event at `index` on.
    pub(super) fn since(&self, index: usize) -> Vec<Event> {
        let events = self.events.lock().expect("no holder of the events panics");
        events.get(index..).unwrap_or_default().to_vec()
    }

    /// Waits until more than `index` events have come, and returns those from `index` on.
    pub(super) async fn after(&self, index: usize) -> Vec<Event> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let events = self.since(index);
            if !events.is_empty() {
                return events;
            }
            assert!(
                tokio::time::timeout(LONG, news).await.is_ok(),
                "nothing was delivered in {LONG:?} after {:?}",
                self.so_far()
            );
        }
    }

    /// The entries of `partition` so far, each once.
    pub(super) fn entries(&self, partition: &Partition) -> Vec<Arc<Entry>> {
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        for event in self.so_far() {
            if let Event::Entry(of, entry) = event
                && of == *partition
                && !entries.contains(&entry)
            {
                entries.push(entry);
            }
        }
        entries
    }

    /// Waits until `entry` of `partition` has been delivered, and returns all entries of it so far, each once.
    pub(super) async fn until(&self, partition: &Partition, entry: &Entry) -> Vec<Arc<Entry>> {
        let mut seen = 0;
        loop {
            seen += self.after(seen).await.len();
            let entries = self.entries(partition);
            if entries.iter().any(|had| had.as_ref() == entry) {
                return entries;
            }
        }
    }

    /// Waits for a transient text of `partition` that is `text`.
    pub(super) async fn until_transient(&self, partition: &Partition, text: &str) {
        let mut seen = 0;
        loop {
            let events = self.after(seen).await;
            seen += events.len();
            if events.iter().any(
                |event| matches!(event, Event::Transient(of, had) if of == partition && had.as_ref() == text),
            ) {
                return;
            }
        }
    }
}

/// A copy of a partition that is kept as the contract says: buffered events, a snapshot, then entries whose chain goes
/// on; where it breaks, the log.
#[derive(Debug)]
pub(super) struct Replica {
    room: Room,
    seen: usize,
    last: Link,
    pub(super) applied: Vec<Arc<Entry>>,
    pub(super) fields: BTreeMap<String, String>,
    pub(super) members: BTreeMap<String, String>,
}

impl Replica {
    /// Watches, takes a snapshot, and stands where that stands.
    pub(super) async fn start(room: Room) -> Self {
        room.store().watch(&room.partition).await.expect("the partition can be watched");
        let snapshot = room.snapshot().await.expect("the partition exists");
        Self {
            room,
            seen: 0,
            last: snapshot.last,
            applied: Vec::new(),
            fields: snapshot.fields.into_iter().collect(),
            members: snapshot.members.into_iter().collect(),
        }
    }

    /// Follows the events until `entry` is applied.
    pub(super) async fn follow_to(&mut self, link: &Link) {
        while self.last != *link {
            let events = self.room.node.events.after(self.seen).await;
            self.seen += events.len();
            for event in events {
                match event {
                    Event::Entry(of, entry) if of == self.room.partition => self.take(entry).await,
                    Event::Lost(of) if of == self.room.partition => self.catch_up().await,
                    _ => {}
                }
            }
        }
    }

    async fn take(&mut self, entry: Arc<Entry>) {
        if entry.previous.as_ref() == Some(&self.last) {
            self.apply(entry);
        } else if entry.id > self.last.id {
            self.catch_up().await;
        }
    }

    async fn catch_up(&mut self) {
        let page = self.room.read(Range::From(self.last.id), 10_000).await;
        let mut entries = page.entries.into_iter();
        let first = entries.next().expect("the last applied entry is still there");
        assert_eq!(first.link(), self.last, "the log holds another entry than was applied");
        entries.for_each(|entry| self.apply(entry));
    }

    fn apply(&mut self, entry: Arc<Entry>) {
        assert_eq!(entry.previous.as_ref(), Some(&self.last), "the chain is broken at {entry:?}");
        self.last = entry.link();
        for change in entry.body.changes.iter().cloned() {
            match change {
                Change::Set(name, value) => drop(self.fields.insert(name, value)),
                Change::Unset(name) => drop(self.fields.remove(&name)),
                Change::SetMember(id, value) => drop(self.members.insert(id, value)),
                Change::UnsetMember(id) => drop(self.members.remove(&id)),
                Change::Erase(_) => panic!("no entry shows what it erased"),
            }
        }
        self.applied.push(entry);
    }
}

/// Pairs in the order of their names: stores give them in any order.
pub(super) fn sorted(mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.sort();
    pairs
}

/// Pairs of texts.
pub(super) fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Asserts that each entry names the one before it, that the first names `None`, and that ids rise.
pub(super) fn assert_chain(entries: &[Arc<Entry>]) {
    let mut previous = None;
    for entry in entries {
        assert_eq!(entry.previous, previous, "the chain is broken at {entry:?}");
        if let Some(Link { id, .. }) = previous {
            assert!(entry.id > id, "{} does not come after {id}", entry.id);
        }
        previous = Some(entry.link());
    }
}

/// How long an event may take before its case fails.
const LONG: Duration = Duration::from_secs(10);
