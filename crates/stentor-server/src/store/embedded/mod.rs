//! The store in one SQLite file, for a node on its own.
//!
//! One thread writes. It takes all that has queued up, commits it as one transaction, and only then answers and delivers.
//! It keeps what it needs to judge commits in memory, so that most of them read nothing. Members, and partitions of the
//! volatile kinds, are in memory alone.
//!
//! - `open`: the directory, its lock, and the file in it
//! - `schema`: the tables and their migrations
//! - `rows`: the SQL
//! - `state`: what the writer keeps in memory, and how to take it back
//! - `ledger`: judges commits and writes them
//! - `writer`: the thread, its queue and its batches
//! - `readers`: reading connections for history
//! - `backup`: copies of a store, made while it is in use, and put back
//! - `checkpoint`: moves the write-ahead log into the database
//! - `clock`, `leases`, `watches`: the rest of the contract, in memory

mod backup;
mod checkpoint;
mod clock;
mod leases;
mod ledger;
mod open;
mod readers;
mod rows;
mod schema;
mod state;
#[cfg(test)]
mod tests;
mod watches;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::{
    Commit, CommitFuture, Epoch, Held, Leases, Page, Partition, Peek, Range, Sink, Snapshot, Store,
    StoreError, StoreTime, Writer,
};
use crate::weight::Weight;
pub use backup::{backup, restore};
use clock::Clock;
use leases::LeaseBook;
use ledger::{Frozen, Ledger, Look};
use open::Files;
pub use open::{DirectoryLock, OpenError, OpenMode};
use readers::Readers;
use watches::Watches;
use writer::{Job, Looks, Reply};

/// What a commit survives once it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however it ends. A loss of power may take the last commits with it, never a part of one.
    Normal,
    /// A loss of power too: every transaction waits for the disk.
    Full,
}

/// The store in one SQLite file. See the [module](self).
///
/// [`Store::close`] ends it in order. Dropped without that, it finishes what has queued up, and blocks meanwhile.
#[derive(Debug)]
pub struct EmbeddedStore {
    files: Files,
    durability: Durability,
    clock: Arc<Clock>,
    opened: StoreTime,
    leases: LeaseBook,
    watches: Arc<Watches>,
    readers: Readers,
    /// The writer's queue; `None` once the store is closed.
    queue: Mutex<Option<SyncSender<Job>>>,
    /// How much of what is in it is to be written.
    waiting: Arc<AtomicUsize>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<DirectoryLock>>,
}

impl EmbeddedStore {
    /// Opens the store in `directory`.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with which path.
    pub fn open(directory: &Path, mode: OpenMode, durability: Durability) -> Result<Arc<Self>, OpenError> {
        Self::open_keeping(directory, mode, durability, PARTITIONS)
    }

    /// Opens a store that keeps about `limit` partitions in memory.
    fn open_keeping(
        directory: &Path,
        mode: OpenMode,
        durability: Durability,
        limit: usize,
    ) -> Result<Arc<Self>, OpenError> {
        let files = Files::of(directory);
        let lock = files.prepare(mode)?;
        let connection = files.database(mode, durability)?;
        let failed = |error: rusqlite::Error| files.explain(&error);
        let checkpointing = files.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        checkpointing.busy_handler(Some(checkpoint::wait_for_readers)).map_err(failed)?;
        let (clock, watches) = (Arc::new(Clock::new()), Arc::<Watches>::default());
        let opened = clock.now();
        let ledger = Ledger::new(connection, clock.clone(), limit).map_err(failed)?;

        let (queue, jobs) = sync_channel(QUEUE);
        let (checkpoints, asked) = sync_channel(1);
        let writer = writer::Writer::new(ledger, watches.clone(), checkpoints);
        let threads = vec![
            spawn("stentor-store", move || writer.run(&jobs)).map_err(|error| files.no_thread(&error))?,
            spawn("stentor-wal", move || checkpoint::run(&checkpointing, &asked))
                .map_err(|error| files.no_thread(&error))?,
        ];
        Ok(Arc::new(Self {
            readers: Readers::new(files.clone()),
            files,
            durability,
            clock,
            opened,
            leases: LeaseBook::default(),
            watches,
            queue: Mutex::new(Some(queue)),
            waiting: Arc::default(),
            threads: Mutex::new(threads),
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.files.database.clone()
    }

    /// Puts a job in line, at once or not at all.
    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.lock().expect("no holder of the queue panics");
        match queue.as_ref().ok_or_else(closed)?.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(full()),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Unavailable("its writer has ended".into())),
        }
    }

    /// Puts a job in line and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(job(reply))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("its writer has ended".into())))
    }

    /// Looks at partitions, in memory where they are there, else in the file. What is read from the file counts only where
    /// the partition was cold before and after: in between, somebody may have joined, which no file tells.
    async fn look<T: Send + 'static>(
        &self,
        partitions: &[Partition],
        hot: impl Fn(Frozen) -> T,
        stored: impl Fn(&Connection, &Partition) -> Result<Option<T>, StoreError> + Clone + Send + 'static,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let mut found: Vec<Option<T>> = partitions.iter().map(|_| None).collect();
        let mut open: Vec<(usize, Partition)> = partitions.iter().cloned().enumerate().collect();
        let mut read = Vec::new();
        let mut read_at = None;
        loop {
            let asked = open.iter().map(|(_, partition)| partition.clone()).collect();
            let Looks { looks, purges } = self.ask(|reply| Job::Look(asked, reply)).await?;
            let mut cold = Vec::new();
            let mut stored_states = read.into_iter();
            for ((index, partition), look) in open.into_iter().zip(looks) {
                let state: Option<T> = stored_states.next().flatten();
                match look {
                    Look::Hot(frozen) => found[index] = frozen.map(&hot),
                    Look::Cold if read_at == Some(purges) => found[index] = state,
                    Look::Cold => cold.push((index, partition)),
                }
            }
            if cold.is_empty() {
                return Ok(found);
            }
            let (names, stored) = (cold.clone(), stored.clone());
            read = self.readers.run(move |connection| each_stored(connection, &names, stored)).await?;
            (open, read_at) = (cold, Some(purges));
        }
    }

    fn check_open(&self) -> Result<(), StoreError> {
        let queue = self.queue.lock().expect("no holder of the queue panics");
        if queue.is_some() { Ok(()) } else { Err(closed()) }
    }

    /// Closes the queue and hands over the threads, which end when they have done what was in it.
    fn end(&self) -> Vec<JoinHandle<()>> {
        drop(self.queue.lock().expect("no holder of the queue panics").take());
        std::mem::take(&mut *self.threads.lock().expect("no holder of the threads panics"))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn attach(&self, sink: Arc<dyn Sink>) {
        self.watches.attach(sink);
    }

    fn commit(&self, commit: Commit) -> CommitFuture {
        let (reply, answer) = oneshot::channel();
        let enqueued = commit.check().and_then(|()| {
            let weight = Weight::new(commit.size(), &self.waiting, MAX_WAITING).ok_or_else(full)?;
            self.enqueue(Job::Commit(commit, reply, weight))
        });
        if let Err(error) = enqueued {
            return Box::pin(std::future::ready(Err(error)));
        }
        Box::pin(async {
            answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("its writer ended meanwhile".into())))
        })
    }

    async fn snapshot(&self, partition: &Partition) -> Result<Option<Snapshot>, StoreError> {
        let stored = |connection: &Connection, partition: &Partition| match rows::life(connection, partition)?
        {
            Some(life) => Frozen::stored(connection, &life).map(Some),
            None => Ok(None),
        };
        let found = self.look(std::slice::from_ref(partition), |frozen| frozen, stored).await?;
        Ok(found.into_iter().next().flatten().map(Frozen::into_snapshot))
    }

    async fn peek(&self, partitions: &[Partition], fields: &[&str]) -> Result<Vec<Peek>, StoreError> {
        self.check_open()?;
        let names: Arc<[String]> = fields.iter().map(|name| (*name).to_owned()).collect();
        let hot = |frozen: Frozen| frozen.peek(&names);
        let stored_names = names.clone();
        let stored = move |connection: &Connection, partition: &Partition| {
            let Some(life) = rows::life(connection, partition)? else {
                return Ok(None);
            };
            let fields = stored_names.iter().map(|name| rows::field(connection, life.id, name));
            Ok(Some(Peek { epoch: Some(life.epoch), fields: fields.collect::<Result<_, _>>()?, members: 0 }))
        };
        let mut peeks = Vec::with_capacity(partitions.len());
        for some in partitions.chunks(PEEKS) {
            peeks.extend(self.look(some, hot, stored.clone()).await?);
        }
        let absent = || Peek { epoch: None, fields: vec![None; names.len()], members: 0 };
        Ok(peeks.into_iter().map(|peek| peek.unwrap_or_else(absent)).collect())
    }

    async fn read(
        &self,
        partition: &Partition,
        epoch: Epoch,
        range: Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let partition = partition.clone();
        if partition.is_volatile() {
            return self.ask(|reply| Job::Read(partition, epoch, range, limit, reply)).await;
        }
        self.readers.run(move |connection| rows::page(connection, &partition, epoch, range, limit)).await
    }

    async fn trim(&self, partition: &Partition, before: StoreTime, keep: u64) -> Result<(), StoreError> {
        let partition = partition.clone();
        if partition.is_volatile() {
            return self.ask(|reply| Job::TrimVolatile(partition, before, keep, reply)).await;
        }
        let cut = self.readers.run(move |connection| rows::cut(connection, &partition, before, keep)).await?;
        if let Some((life, through)) = cut {
            while self.ask(|reply| Job::Trim(life, through, reply)).await? {}
        }
        Ok(())
    }

    async fn publish(&self, partition: &Partition, text: &str) -> Result<(), StoreError> {
        self.check_open()?;
        super::check_transient(text)?;
        self.watches.transient(partition, text);
        Ok(())
    }

    async fn watch(&self, partition: &Partition) -> Result<(), StoreError> {
        self.check_open()?;
        self.watches.watch(partition);
        Ok(())
    }

    async fn unwatch(&self, partition: &Partition) {
        self.watches.unwatch(partition);
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.check_open()?;
        Ok(self.clock.now())
    }

    async fn hold_lease(&self, writer: &Writer, ttl: Duration, info: &str) -> Result<Held, StoreError> {
        self.check_open()?;
        self.leases.hold(writer, ttl, info, self.clock.now())
    }

    async fn release_lease(&self, writer: &Writer) -> Result<(), StoreError> {
        self.check_open()?;
        self.leases.release(writer);
        Ok(())
    }

    async fn leases(&self) -> Result<Leases, StoreError> {
        self.check_open()?;
        Ok(Leases { now: self.clock.now(), up_since: self.opened, leases: self.leases.list() })
    }

    async fn claim_sweep(
        &self,
        dead: &Writer,
        by: &Writer,
        margin: Duration,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        self.check_open()?;
        Ok(self.leases.claim_sweep(dead, by, margin, ttl, self.clock.now()))
    }

    fn describe(&self) -> String {
        let (version, path) = (rusqlite::version(), self.files.database.display());
        format!("embedded, SQLite {version}, synchronous {}, {path}", self.durability.pragma())
    }

    async fn close(&self) {
        let threads = self.end();
        let joined = tokio::task::spawn_blocking(|| threads.into_iter().for_each(join)).await;
        if let Err(error) = joined {
            tracing::error!(%error, "the store's threads could not be awaited");
        }
        self.readers.close().await;
        self.watches.detach();
        drop(self.lock.lock().expect("no holder of the lock panics").take());
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        let threads = self.end();
        // The last owner may be let go during a delivery, by the writer itself, which cannot wait for its own end.
        if threads.iter().all(|thread| thread.thread().id() != thread::current().id()) {
            threads.into_iter().for_each(join);
        }
    }
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Full => "FULL",
        }
    }
}

impl Frozen {
    fn peek(self, names: &[String]) -> Peek {
        Peek {
            epoch: Some(self.epoch),
            fields: names.iter().map(|name| self.fields.get(name).cloned()).collect(),
            members: self.members.len() as u64,
        }
    }

    fn into_snapshot(self) -> Snapshot {
        let fields = self.fields.iter().filter(|(name, _)| !name.starts_with('~'));
        Snapshot {
            epoch: self.epoch,
            last: self.last,
            fields: fields.map(|(name, value)| (name.clone(), value.clone())).collect(),
            members: self.members.iter().map(|(id, value)| (id.clone(), value.clone())).collect(),
        }
    }
}

/// What the file has of each partition; each is read in a transaction of its own.
fn each_stored<T>(
    connection: &mut Connection,
    partitions: &[(usize, Partition)],
    stored: impl Fn(&Connection, &Partition) -> Result<Option<T>, StoreError>,
) -> Result<Vec<Option<T>>, StoreError> {
    let each = partitions.iter().map(|(_, partition)| {
        let transaction = connection.transaction().map_err(rows::failed)?;
        stored(&transaction, partition)
    });
    each.collect()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(work)
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store panicked");
    }
}

fn full() -> StoreError {
    StoreError::Unavailable("too much is waiting to be written".into())
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

/// How many jobs may wait for the writer. Past it, commits are refused at once.
const QUEUE: usize = 8192;

/// How much may wait to be written, in bytes. Questions are short: one names at most [`PEEKS`] partitions.
const MAX_WAITING: usize = 64 << 20;

/// How many partitions are kept in memory, as far as they can be read again.
const PARTITIONS: usize = 50_000;

/// How many partitions one job looks at: bounds how long commits wait behind it.
const PEEKS: usize = 256;
