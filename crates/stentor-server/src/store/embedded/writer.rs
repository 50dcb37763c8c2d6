//! The one thread that writes: it takes all that has queued up, makes one transaction of it, and only then answers and
//! delivers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};

use tokio::sync::oneshot;

use super::ledger::{Frozen, Ledger, Trouble};
use super::watches::Watches;
use crate::store::{Commit, EntryId, Epoch, Outcome, Page, Partition, Peek, Range, StoreError, StoreTime};

/// Where an answer goes. Nobody may be waiting for it any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do. Writes come first in a batch; the rest sees all of them.
#[derive(Debug)]
pub(super) enum Job {
    Commit(Commit, Reply<Outcome>),
    /// Remove a slice of a log, up to and including an entry. True: there is more.
    Trim(i64, EntryId, Reply<bool>),
    TrimVolatile(Partition, StoreTime, u64, Reply<()>),
    Freeze(Partition, Reply<Option<Frozen>>),
    Peek(Vec<Partition>, Vec<String>, Reply<Vec<Peek>>),
    /// Read the log of a volatile partition.
    Read(Partition, Epoch, Range, usize, Reply<Page>),
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
    /// Leftovers could not be removed; try again after a batch that held.
    blocked: bool,
}

/// An answer that waits for the transaction.
enum Answer {
    Commit(Reply<Outcome>, Result<Outcome, StoreError>),
    Trim(Reply<bool>, bool),
}

impl Writer {
    pub(super) fn new(ledger: Ledger, watches: Arc<Watches>, checkpoints: SyncSender<()>) -> Self {
        Self { ledger, watches, checkpoints, written: 0, blocked: false }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while self.next_batch(queue, &mut jobs) {
            if !jobs.is_empty() {
                self.batch(&mut jobs);
            }
            if !self.blocked
                && self.ledger.has_leftovers()
                && let Err(error) = self.ledger.remove_leftovers()
            {
                self.blocked = true;
                let _refused = self.ledger.abandon(error);
            }
        }
    }

    /// Takes what has queued up; waits for something where there is nothing else to do. False: the store is closed.
    fn next_batch(&self, queue: &Receiver<Job>, jobs: &mut Vec<Job>) -> bool {
        if self.ledger.has_leftovers() && !self.blocked {
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
        let mut failed = None;
        for job in jobs.drain(..) {
            match job {
                Job::Commit(commit, reply) if failed.is_none() => match self.ledger.commit(commit) {
                    Ok(outcome) => answers.push(Answer::Commit(reply, Ok(outcome))),
                    Err(Trouble::Alone(error)) => answers.push(Answer::Commit(reply, Err(error))),
                    Err(Trouble::Transaction(error)) => {
                        answers.push(Answer::Commit(reply, Ok(Outcome::Fenced)));
                        failed = Some(error);
                    }
                },
                Job::Commit(_, reply) => answers.push(Answer::Commit(reply, Ok(Outcome::Fenced))),
                Job::Trim(row, through, reply) if failed.is_none() => match self.ledger.trim(row, through) {
                    Ok(more) => answers.push(Answer::Trim(reply, more)),
                    Err(Trouble::Alone(error)) => drop(reply.send(Err(error))),
                    Err(Trouble::Transaction(error)) => {
                        answers.push(Answer::Trim(reply, false));
                        failed = Some(error);
                    }
                },
                Job::Trim(.., reply) => answers.push(Answer::Trim(reply, false)),
                read => reads.push(read),
            }
        }
        let settled = match failed {
            None => self.ledger.settle(),
            Some(error) => Err(self.ledger.abandon(error)),
        };
        match settled {
            Ok(fresh) => {
                self.blocked = false;
                self.deliver(fresh);
                answers.into_iter().for_each(Answer::send);
            }
            Err(error) => answers.into_iter().for_each(|answer| answer.refuse(error.clone())),
        }
        reads.into_iter().for_each(|read| self.read(read));
    }

    fn deliver(&mut self, fresh: Vec<(Partition, Arc<crate::store::Entry>)>) {
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
            Job::Freeze(partition, reply) => drop(reply.send(self.ledger.freeze(&partition))),
            Job::Peek(partitions, names, reply) => {
                let peeks = partitions.iter().map(|partition| self.ledger.peek(partition, &names));
                drop(reply.send(peeks.collect()));
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
            Self::Trim(reply, more) => drop(reply.send(Ok(more))),
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
