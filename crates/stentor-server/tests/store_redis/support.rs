//! What the tests of stores share: a receiver of events, and commits in short words.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stentor_server::backoff::Backoff;
use stentor_server::store::{
    By, Change, Commit, Entry, Epoch, Event, Life, Outcome, Partition, Sink, Store, StoreError, StoreTime,
    Writer,
};
use tokio::sync::Notify;
use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// Records what is logged, beside what the [`Recorder`] got before it.
pub(crate) struct LogBeside {
    recorder: Arc<Recorder>,
    /// Each line, and how many events had come by then.
    lines: Mutex<Vec<(String, usize)>>,
}

impl LogBeside {
    pub(crate) fn of(recorder: &Arc<Recorder>) -> Arc<Self> {
        Arc::new(Self { recorder: recorder.clone(), lines: Mutex::default() })
    }

    /// What had come when the first line with this in it was logged.
    pub(crate) fn events_before(&self, part: &str) -> Vec<Event> {
        let lines = self.lines.lock().expect("no holder of the lines panics");
        let (_, count) = lines.iter().find(|(line, _)| line.contains(part)).expect("it was logged");
        self.recorder.so_far().into_iter().take(*count).collect()
    }
}

impl Subscriber for LogBeside {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |_: &Field, value: &dyn fmt::Debug| line += &format!("{value:?} "));
        let count = self.recorder.so_far().len();
        self.lines.lock().expect("no holder of the lines panics").push((line, count));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Records all that a store delivers.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
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
    /// A recorder that receives what `store` delivers.
    pub(crate) fn of(store: &dyn Store) -> Arc<Self> {
        let recorder = Arc::<Self>::default();
        store.attach(recorder.clone());
        recorder
    }

    /// What has come so far.
    pub(crate) fn so_far(&self) -> Vec<Event> {
        self.events.lock().expect("no holder of the events panics").clone()
    }

    /// Waits until an event from the one at `from` on is `wanted`; returns the index after it.
    pub(crate) async fn until(&self, from: usize, what: &str, wanted: impl Fn(&Event) -> bool) -> usize {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let events = self.so_far();
            if let Some(at) = events.iter().skip(from).position(&wanted) {
                return from + at + 1;
            }
            assert!(tokio::time::timeout(PATIENCE, news).await.is_ok(), "no {what} after {events:?}");
        }
    }

    pub(crate) async fn until_lost(&self, from: usize, partition: &Partition) -> usize {
        self.until(from, "Lost", |event| matches!(event, Event::Lost(of) if of == partition)).await
    }

    pub(crate) async fn until_away(&self, from: usize) -> usize {
        self.until(from, "Away", |event| matches!(event, Event::Away)).await
    }

    pub(crate) async fn until_back(&self, from: usize) -> usize {
        self.until(from, "Back", |event| matches!(event, Event::Back)).await
    }

    pub(crate) async fn until_entry(&self, from: usize, entry: &Entry) -> usize {
        self.until(from, "entry", |event| matches!(event, Event::Entry(_, had) if had.as_ref() == entry))
            .await
    }

    pub(crate) fn count(&self, counted: impl Fn(&Event) -> bool) -> usize {
        self.so_far().iter().filter(|event| counted(event)).count()
    }
}

/// A commit by `a@1` without guards, whose deadline is far away.
pub(crate) fn commit(partition: &Partition, life: Life, number: u64, line: &str) -> Commit {
    Commit {
        partition: partition.clone(),
        life,
        guards: Vec::new(),
        changes: vec![Change::Set("topic".to_owned(), line.to_owned())],
        lines: vec![format!(":a!u@h PRIVMSG #x :{line}")],
        by: By { writer: Writer::new("a", 1), number },
        deadline: StoreTime(u64::MAX),
    }
}

/// Creates a partition with the epoch 7 under number 1.
pub(crate) async fn begin(store: &dyn Store, partition: &Partition) -> Arc<Entry> {
    committed(store, commit(partition, Life::Begin(EPOCH), 1, "begin")).await
}

/// What was committed; anything else is a failure.
pub(crate) async fn committed(store: &dyn Store, commit: Commit) -> Arc<Entry> {
    match store.commit(commit).await {
        Ok(Outcome::Committed(entry)) => entry,
        other => panic!("not committed: {other:?}"),
    }
}

/// Repeats a commit, as a node does, until the store says what became of it. A store that lost one of its connections for
/// a moment says nothing when it has it again, so there is no event to wait for.
pub(crate) async fn persist(store: &dyn Store, commit: Commit) -> Outcome {
    let mut backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(200));
    let persisting = async {
        loop {
            match store.commit(commit.clone()).await {
                Ok(outcome) => return outcome,
                Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                    tokio::time::sleep(backoff.next_pause()).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, persisting).await.expect("the store comes back")
}

/// The epoch of the partitions here.
pub(crate) const EPOCH: Epoch = Epoch(7);
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
