//! Who writes, under which number, and until when: what every commit needs besides its content.
//!
//! - [`Numbers`]: the counter of one writer, and the lock that keeps its commits in the order of their numbers
//! - [`Deadline`]: where the end of the writer's lease comes from
//! - [`Committer`]: the three together, with retries, for code that has no session and no replica

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{
    By, Change, Commit, CommitFuture, Epoch, Failure, Guard, Life, Outcome, Partition, Store, StoreError,
    StoreTime, Writer,
};

/// The counter that numbers the commits of one writer, starting with 1.
///
/// A store takes a number only if it is higher than all that the writer used in that partition. So a number is drawn
/// and its commit handed over under one lock; everything that writes as the same writer shares one of these.
#[derive(Debug, Default)]
pub struct Numbers {
    last: Mutex<u64>,
}

impl Numbers {
    /// Gives `commit` the next number and hands it to the store at once. Returns it as numbered, for a retry under the
    /// same number, and the answer to await.
    pub fn submit(&self, store: &dyn Store, mut commit: Commit) -> (Commit, CommitFuture) {
        let mut last = self.last.lock().expect("no holder of the counter panics");
        *last += 1;
        commit.by.number = *last;
        let answer = store.commit(commit.clone());
        (commit, answer)
    }
}

/// Tells until when a writer's commits may run.
#[async_trait]
pub trait Deadline: Send + Sync + fmt::Debug + 'static {
    /// The deadline for a commit that is made now, in the store's time.
    ///
    /// # Errors
    /// What the store says, where it has to be asked.
    async fn deadline(&self, store: &dyn Store) -> Result<StoreTime, StoreError>;
}

/// The deadline of a writer without a lease: a fixed time after the store's present.
#[derive(Clone, Copy, Debug)]
pub struct FromNow(
    /// How long a commit may take to arrive.
    pub Duration,
);

#[async_trait]
impl Deadline for FromNow {
    async fn deadline(&self, store: &dyn Store) -> Result<StoreTime, StoreError> {
        Ok(store.now().await?.plus(self.0))
    }
}

/// The content of a commit: everything but its author and deadline.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where.
    pub partition: Partition,
    /// Which life of the partition it is for.
    pub life: Life,
    /// What must hold.
    pub guards: Vec<Guard>,
    /// What it sets and deletes.
    pub changes: Vec<Change>,
    /// What clients will see.
    pub lines: Vec<String>,
}

impl Draft {
    /// A draft without guards, changes and lines.
    #[must_use]
    pub fn new(partition: Partition, life: Life) -> Self {
        Self { partition, life, guards: Vec::new(), changes: Vec::new(), lines: Vec::new() }
    }
}

/// Writes to a store as one writer.
#[derive(Clone, Debug)]
pub struct Committer {
    store: Arc<dyn Store>,
    writer: Writer,
    numbers: Arc<Numbers>,
    deadline: Arc<dyn Deadline>,
}

impl Committer {
    /// Writes as `writer`, sharing its counter and its deadline with whatever else writes under that name.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        writer: Writer,
        numbers: Arc<Numbers>,
        deadline: Arc<dyn Deadline>,
    ) -> Self {
        Self { store, writer, numbers, deadline }
    }

    /// Writes under a name of its own, without a lease: for a program that opens the store, changes something and ends.
    #[must_use]
    pub fn standalone(store: Arc<dyn Store>) -> Self {
        let writer = Writer::new("operator", crate::random::number());
        Self::new(store, writer, Arc::default(), Arc::new(FromNow(STANDALONE_DEADLINE)))
    }

    /// The store that it writes to.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// As whom it writes.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Commits `draft`. An unknown outcome is asked for again under the same number, and a number that turns out never to
    /// have run is replaced, a few times altogether; so the content runs at most once as long as the log still holds
    /// what these few seconds appended.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where an attempt got no answer and no later one told what became of it; otherwise what the
    /// store said.
    pub async fn commit(&self, draft: Draft) -> Result<Outcome, StoreError> {
        let (mut commit, mut answer) = self.submit(&draft).await?;
        let (mut pauses, mut unknown) = (PAUSES.into_iter(), None);
        loop {
            let result = answer.await;
            let pause = pauses.next();
            match result {
                Err(StoreError::Unknown(why)) => unknown = Some(why),
                // This attempt was not stored; what became of the one before is as unknown as it was.
                Err(StoreError::Unavailable(_)) if unknown.is_some() => {}
                Ok(Outcome::Conflict { failure: Failure::Superseded, .. }) if pause.is_some() => {
                    unknown = None;
                    (commit, answer) = self.submit(&draft).await?;
                    continue;
                }
                settled => return settled,
            }
            let Some(pause) = pause else { return Err(StoreError::Unknown(unknown.unwrap_or_default())) };
            tokio::time::sleep(pause).await;
            answer = self.store.commit(commit.clone());
        }
    }

    /// Makes `changes` in a partition that is created if it does not exist. Returns the epoch they were made in.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn upsert(&self, partition: &Partition, changes: Vec<Change>) -> Result<Epoch, WriteError> {
        for _ in 0..CONFLICTS_MAX {
            let epoch = self.epoch_of(partition).await?;
            let (life, epoch) = begin_or_within(epoch);
            let draft = Draft { changes: changes.clone(), ..Draft::new(partition.clone(), life) };
            if self.attempt(draft).await? {
                return Ok(epoch);
            }
        }
        Err(WriteError::Contended)
    }

    /// Commits `draft` for a caller that reads and decides again on a conflict: whether it was committed.
    ///
    /// # Errors
    /// [`WriteError::Store`] and [`WriteError::Fenced`].
    pub async fn attempt(&self, draft: Draft) -> Result<bool, WriteError> {
        match self.commit(draft).await? {
            Outcome::Committed(_) => Ok(true),
            Outcome::Conflict { .. } => Ok(false),
            Outcome::Fenced => Err(WriteError::Fenced),
        }
    }

    /// The partition's present epoch.
    ///
    /// # Errors
    /// What the store says.
    pub async fn epoch_of(&self, partition: &Partition) -> Result<Option<Epoch>, StoreError> {
        Ok(self.store.peek_one(partition, &[]).await?.epoch)
    }

    async fn submit(&self, draft: &Draft) -> Result<(Commit, CommitFuture), StoreError> {
        let deadline = self.deadline.deadline(&*self.store).await?;
        let draft = draft.clone();
        let commit = Commit {
            partition: draft.partition,
            life: draft.life,
            guards: draft.guards,
            changes: draft.changes,
            lines: draft.lines,
            by: By { writer: self.writer.clone(), number: 0 },
            deadline,
        };
        Ok(self.numbers.submit(&*self.store, commit))
    }
}

/// The life for a write that wants the partition whether it exists already or not, and the epoch that it then has.
#[must_use]
pub fn begin_or_within(present: Option<Epoch>) -> (Life, Epoch) {
    match present {
        Some(epoch) => (Life::Within(epoch), epoch),
        None => {
            let epoch = Epoch::random();
            (Life::Begin(epoch), epoch)
        }
    }
}

/// How often a caller of [`Committer::attempt`] reads and decides again before it gives up.
pub const CONFLICTS_MAX: usize = 32;

const STANDALONE_DEADLINE: Duration = Duration::from_secs(30);

/// How long to wait before each further attempt at a commit whose outcome is not known.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Why a write that was decided on did not happen. None of these is the client's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The store could not do it, or did not say.
    Store(StoreError),
    /// The writer's lease is over.
    Fenced,
    /// Others changed the same thing again and again. Worth trying again.
    Contended,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Fenced => f.write_str("this node's lease is over, so it may not write"),
            Self::Contended => f.write_str("others kept changing the same thing; try again"),
        }
    }
}

impl std::error::Error for WriteError {}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
