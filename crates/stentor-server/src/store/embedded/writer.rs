//! The one thread that writes: it takes all that has queued up, makes one transaction of it, and only then answers and
//! delivers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::ledger::{Ledger, Look, Trouble};
use super::watches::Watches;
use crate::store::{Commit, Entry, EntryId, Epoch, Outcome, Page, Partition, Range, StoreError, StoreTime};
use crate::weight::Weight;

/// Where an answer goes. Nobody may be waiting for it any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do. Writes come first in a batch; the rest sees all of them.
#[derive(Debug)]
pub(super) enum Job {
    /// Counts as waiting until it is in the transaction.
    Commit(Commit, Reply<Outcome>, Weight),
    /// Remove a slice of a log, up to and including an entry. True: there is more.
    Trim(i64, EntryId, Reply<bool>),
    TrimVolatile(Partition, StoreTime, u64, Reply<()>),
    /// What memory has of some partitions.
    Look(Vec<Partition>, Reply<Looks>),
    /// Read the log of a volatile partition.
    Read(Partition, Epoch, Range, usize, Reply<Page>),
}

/// What memory has of some partitions.
#[derive(Debug)]
pub(super) struct Looks {
    /// In the order of the question.
    pub(super) looks: Vec<Look>,
    /// What was cold at two looks with the same number here was cold all the time between.
    pub(super) purges: u64,
}

/// The thread's own.
#[derive(Debug)]
pub(super) struct Writer {
    ledger: Ledger,
    watches: Arc<Watches>,
    /// Where a checkpoint is asked for.
    checkpoints: SyncSender<()>,
    /// How much has been written since that was last done, in bytes, roughly.
    written: usize,
    /// Leftovers could not be removed; not again before this.
    leave_until: Option<Instant>,
}

/// An answer that waits for the transaction.
enum Answer {
    Commit(Reply<Outcome>, Result<Outcome, StoreError>),
    Trim(Reply<bool>, Result<bool, StoreError>),
}

impl Writer {
    pub(super) fn new(ledger: Ledger, watches: Arc<Watches>, checkpoints: SyncSender<()>) -> Self {
        Self { ledger, watches, checkpoints, written: 0, leave_until: None }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while self.next_batch(queue, &mut jobs) {
            if !jobs.is_empty() {
                self.batch(&mut jobs);
            }
            if self.may_tidy()
                && let Err(error) = self.ledger.remove_leftovers()
            {
                self.leave_until = Some(Instant::now() + TIDY_AGAIN);
                let _refused = self.ledger.abandon(error);
            }
        }
    }

    fn may_tidy(&self) -> bool {
        self.ledger.has_leftovers() && self.leave_until.is_none_or(|time| Instant::now() >= time)
    }

    /// Takes what has queued up; waits for something where there is nothing else to do. False: the store is closed.
    fn next_batch(&self, queue: &Receiver<Job>, jobs: &mut Vec<Job>) -> bool {
        if self.may_tidy() {
            match queue.try_recv() {
                Ok(job) => jobs.push(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        } else {
            match queue.recv() {
                Ok(job) => jobs.push(job),
                Err(_) => return false,
            }
        }
        while jobs.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        true
    }

    fn batch(&mut self, jobs: &mut Vec<Job>) {
        let mut answers = Vec::with_capacity(jobs.len());
        let mut reads = Vec::new();
        let mut failed = self.ledger.ready().err();
        for job in jobs.drain(..) {
            match job {
                Job::Commit(commit, reply, _weight) => {
                    let outcome = self.write(&mut failed, |ledger| ledger.commit(commit));
                    answers.push(Answer::Commit(reply, outcome));
                }
                Job::Trim(life, through, reply) => {
                    let more = self.write(&mut failed, |ledger| ledger.trim(life, through));
                    answers.push(Answer::Trim(reply, more));
                }
                read => reads.push(read),
            }
        }
        let settled = match failed {
            None => self.ledger.settle(),
            Some(error) => Err(self.ledger.abandon(error)),
        };
        match settled {
            Ok(fresh) => {
                self.deliver(fresh);
                answers.into_iter().for_each(Answer::send);
            }
            Err(error) => answers.into_iter().for_each(|answer| answer.refuse(error.clone())),
        }
        reads.into_iter().for_each(|read| self.read(read));
    }

    /// One part of the transaction, unless that has failed: then all its answers are the same, whatever is said here.
    fn write<T>(
        &mut self,
        failed: &mut Option<rusqlite::Error>,
        part: impl FnOnce(&mut Ledger) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        if failed.is_none() {
            match part(&mut self.ledger) {
                Ok(done) => return Ok(done),
                Err(Trouble::Alone(error)) => return Err(error),
                Err(Trouble::Transaction(error)) => *failed = Some(error),
            }
        }
        Err(StoreError::Unavailable(String::new()))
    }

    fn deliver(&mut self, fresh: Vec<(Partition, Arc<Entry>)>) {
        for (partition, entry) in fresh {
            self.written += ENTRY_SIZE + entry.body.lines.iter().map(String::len).sum::<usize>();
            self.watches.entry(partition, entry);
        }
        if self.written > CHECKPOINT_AFTER {
            self.written = 0;
            // Where one is asked for already, this one is done with it.
            let _asked = self.checkpoints.try_send(());
        }
    }

    fn read(&mut self, job: Job) {
        match job {
            Job::Look(partitions, reply) => {
                let looks = partitions.iter().map(|partition| self.ledger.look(partition)).collect();
                drop(reply.send(Ok(Looks { looks, purges: self.ledger.purges() })));
            }
            Job::Read(partition, epoch, range, limit, reply) => {
                drop(reply.send(self.ledger.read(&partition, epoch, range, limit)));
            }
            Job::TrimVolatile(partition, before, keep, reply) => {
                self.ledger.trim_volatile(&partition, before, keep);
                drop(reply.send(Ok(())));
            }
            Job::Commit(..) | Job::Trim(..) => unreachable!("these were done in the transaction"),
        }
    }
}

impl Answer {
    fn send(self) {
        match self {
            Self::Commit(reply, outcome) => drop(reply.send(outcome)),
            Self::Trim(reply, more) => drop(reply.send(more)),
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Self::Commit(reply, _) => drop(reply.send(Err(error))),
            Self::Trim(reply, _) => drop(reply.send(Err(error))),
        }
    }
}

/// How many jobs one transaction takes at most: bounds how long the first of them waits.
const BATCH: usize = 512;

/// What an entry takes in the log besides its lines, in bytes, roughly.
const ENTRY_SIZE: usize = 200;

/// After how many bytes a checkpoint is due.
const CHECKPOINT_AFTER: usize = 4 << 20;

/// How long what ended lives have left is let alone after it could not be removed.
const TIDY_AGAIN: Duration = Duration::from_secs(60);
