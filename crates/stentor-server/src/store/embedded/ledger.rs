//! Judges commits and writes them: the state in memory and the file, kept in step.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};

use super::clock::Clock;
use super::rows;
use super::state::{Alive, Cache, Log, Map};
use crate::store::{
    Body, By, Change, Commit, Entry, EntryId, Epoch, Failure, Life, Link, Outcome, Page, Partition,
};
use crate::store::{Range, StoreError, StoreTime};

/// The file's one writing connection and the cache that goes with it.
#[derive(Debug)]
pub(super) struct Ledger {
    connection: Connection,
    cache: Cache,
    clock: Arc<Clock>,
    /// Entries of this process begin here: no older one can be what a retry asks for.
    opened: StoreTime,
    /// What the transaction under way has appended.
    fresh: Vec<(Partition, Arc<Entry>)>,
    /// Lives that ended, whose fields and logs are still in the file.
    ended: VecDeque<i64>,
    /// Lives that end with the transaction under way.
    ending: Vec<i64>,
    /// The last transaction failed.
    failing: bool,
}

/// Why a job could not be done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The partition could not be read. Others are not affected, and nothing was changed.
    Alone(StoreError),
    /// A write failed, and with it the whole transaction.
    Transaction(rusqlite::Error),
}

/// A partition's state as it stood between two transactions.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) epoch: Epoch,
    pub(super) last: Link,
    pub(super) fields: Map,
    pub(super) members: Map,
}

/// What memory has of a partition.
#[derive(Debug)]
pub(super) enum Look {
    /// All of it; `None` where it does not exist.
    Hot(Option<Frozen>),
    /// Nothing: all there is stands in the file, and it has no members.
    Cold,
}

impl Ledger {
    /// `limit`: how many partitions to keep in memory.
    pub(super) fn new(connection: Connection, clock: Arc<Clock>, limit: usize) -> rusqlite::Result<Self> {
        let ended = rows::ended(&connection)?.into();
        let opened = clock.now();
        let (fresh, ending) = Default::default();
        Ok(Self { connection, cache: Cache::new(limit), clock, opened, fresh, ended, ending, failing: false })
    }

    /// Judges one commit and writes it into the transaction under way. The outcome holds once [`Ledger::settle`] has
    /// returned without an error.
    pub(super) fn commit(&mut self, commit: Commit) -> Result<Outcome, Trouble> {
        self.load(&commit.partition).map_err(Trouble::Alone)?;
        if self.cache.highest(&commit.partition, &commit.by.writer) >= Some(commit.by.number) {
            return self.again(&commit.partition, &commit.by).map_err(Trouble::Alone);
        }
        self.cache.use_number(&commit.partition, &commit.by);
        let now = self.clock.now();
        if now >= commit.deadline {
            return Ok(Outcome::Fenced);
        }
        let slot = self.cache.get(&commit.partition).expect("the slot was loaded");
        if let Some(failure) = slot.failure(&commit) {
            return Ok(Outcome::Conflict { failure, last: slot.last() });
        }
        let id = slot.next_id(now);
        self.write(commit, id).map(Outcome::Committed).map_err(Trouble::Transaction)
    }

    /// What became of a number that has been used.
    fn again(&self, partition: &Partition, by: &By) -> Result<Outcome, StoreError> {
        let slot = self.cache.get(partition).expect("the slot was loaded");
        let logged = match &slot.alive {
            None => slot.end.clone().filter(|end| end.by == *by),
            Some(Alive { row: Some(row), epoch, .. }) => {
                rows::entry_by(&self.connection, *row, *epoch, by, self.opened)?
            }
            Some(Alive { row: None, log, .. }) => log.entries.iter().find(|entry| entry.by == *by).cloned(),
        };
        let superseded = || Outcome::Conflict { failure: Failure::Superseded, last: slot.last() };
        Ok(logged.map_or_else(superseded, Outcome::Committed))
    }

    fn write(&mut self, commit: Commit, id: EntryId) -> rusqlite::Result<Arc<Entry>> {
        let Commit { partition, life, changes, lines, by, .. } = commit;
        let shown = changes.iter().filter(|change| !change.is_private()).cloned().collect();
        let body = Body { changes: shown, lines };
        let alive = self.cache.get(&partition).and_then(|slot| slot.alive.as_ref());
        let old_row = alive.and_then(|alive| alive.row);
        let (epoch, previous) = match life {
            Life::Begin(epoch) | Life::Renew(_, epoch) => (epoch, None),
            Life::Within(epoch) | Life::End(epoch) => (epoch, alive.map(|alive| alive.last.clone())),
        };
        let ends = matches!(life, Life::End(_));
        let entry = Arc::new(Entry { id, epoch, by, previous, ends, body });
        if !partition.is_volatile() {
            self.begin_transaction()?;
        }
        if let (Life::Renew(..) | Life::End(_), Some(row)) = (life, old_row) {
            rows::end(&self.connection, row)?;
            self.ending.push(row);
        }
        match life {
            Life::Within(_) => {
                self.write_rows(old_row, &changes, &entry)?;
                self.cache.append(&partition, &entry);
                self.cache.change(&partition, changes);
            }
            Life::Begin(_) | Life::Renew(..) => {
                let volatile = partition.is_volatile();
                let row =
                    if volatile { None } else { Some(rows::begin(&self.connection, &partition, epoch)?) };
                self.write_rows(row, &changes, &entry)?;
                self.cache.set_life(&partition, Some(Alive::first(row, &entry)), None);
                self.cache.change(&partition, changes);
            }
            Life::End(_) => self.cache.set_life(&partition, None, Some(entry.clone())),
        }
        self.fresh.push((partition, entry.clone()));
        Ok(entry)
    }

    fn write_rows(&self, row: Option<i64>, changes: &[Change], entry: &Entry) -> rusqlite::Result<()> {
        let Some(row) = row else {
            return Ok(());
        };
        for change in changes {
            match change {
                Change::Set(name, value) => rows::set(&self.connection, row, name, value)?,
                Change::Unset(name) => rows::unset(&self.connection, row, name)?,
                Change::SetMember(..) | Change::UnsetMember(_) => {}
            }
        }
        rows::append(&self.connection, row, entry)
    }

    /// Removes some of a log's entries up to and including `through`. True: there are more.
    pub(super) fn trim(&mut self, row: i64, through: EntryId) -> Result<bool, Trouble> {
        self.begin_transaction()
            .and_then(|()| rows::remove_slice(&self.connection, row, through))
            .map_err(Trouble::Transaction)
    }

    /// Ends the transaction: what was done since the last call holds, and the entries that it appended are returned.
    ///
    /// # Errors
    /// Nothing of it holds, or that is not known.
    pub(super) fn settle(&mut self) -> Result<Vec<(Partition, Arc<Entry>)>, StoreError> {
        if !self.connection.is_autocommit()
            && let Err(error) =
                self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]))
        {
            // Where the disk is full, the mark that makes a transaction hold was not written. After other errors
            // it may have been, and be found again after a crash.
            let certain = matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            );
            return Err(match self.abandon(error) {
                StoreError::Unavailable(why) if !certain => StoreError::Unknown(why),
                other => other,
            });
        }
        if self.failing {
            self.failing = false;
            tracing::info!("the store writes again");
        }
        self.ended.extend(self.ending.drain(..));
        self.cache.settle();
        Ok(std::mem::take(&mut self.fresh))
    }

    /// Takes the transaction back, in the file and in memory, and says what that means for its jobs.
    pub(super) fn abandon(&mut self, error: rusqlite::Error) -> StoreError {
        if !self.failing {
            self.failing = true;
            tracing::error!(%error, "the store cannot write; commits are refused until it can");
        }
        // Where this fails too, `ready` tries again before anything else is written.
        let _still_open = self.ready();
        self.cache.take_back();
        self.fresh.clear();
        self.ending.clear();
        rows::failed(error)
    }

    /// Makes sure that nothing of a failed transaction is left over.
    pub(super) fn ready(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch("ROLLBACK") }
    }

    /// Whether ended lives have left something in the file.
    pub(super) fn has_leftovers(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Removes a little of what ended lives have left, in a transaction of its own.
    pub(super) fn remove_leftovers(&mut self) -> rusqlite::Result<()> {
        let Some(&life) = self.ended.front() else {
            return Ok(());
        };
        self.begin_transaction()?;
        let more = rows::bury_slice(&self.connection, life)?;
        self.connection.execute_batch("COMMIT")?;
        if !more {
            self.ended.pop_front();
        }
        Ok(())
    }

    /// What memory has of a partition. Between transactions only.
    pub(super) fn look(&self, partition: &Partition) -> Look {
        match self.cache.get(partition) {
            Some(slot) => Look::Hot(slot.alive.as_ref().map(|alive| Frozen {
                epoch: alive.epoch,
                last: alive.last.clone(),
                fields: alive.fields.clone(),
                members: alive.members.clone(),
            })),
            None if partition.is_volatile() => Look::Hot(None),
            None => Look::Cold,
        }
    }

    /// Changes whenever a partition may have become cold.
    pub(super) fn purges(&self) -> u64 {
        self.cache.purges()
    }

    /// Part of a volatile partition's log. Between transactions only.
    pub(super) fn read(
        &self,
        partition: &Partition,
        epoch: Epoch,
        range: Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let alive = self.cache.get(partition).and_then(|slot| slot.alive.as_ref());
        let log =
            alive.filter(|alive| alive.epoch == epoch).map(|alive| &alive.log).ok_or(StoreError::Gone)?;
        let all = log.entries.iter();
        let mut entries: Vec<Arc<Entry>> = match range {
            Range::From(id) => all.filter(|entry| entry.id >= id).take(limit).cloned().collect(),
            Range::After(id) => all.filter(|entry| entry.id > id).take(limit).cloned().collect(),
            Range::Before(id) => all.rev().filter(|entry| entry.id < id).take(limit).cloned().collect(),
            Range::Latest => all.rev().take(limit).cloned().collect(),
        };
        if matches!(range, Range::Before(_) | Range::Latest) {
            entries.reverse();
        }
        let oldest = log.entries.front().map(|entry| entry.id);
        let trimmed = log.trimmed && rows::reaches_edge(&entries, range, oldest);
        Ok(Page { entries, trimmed })
    }

    /// Trims a volatile partition's log. Between transactions only.
    pub(super) fn trim_volatile(&mut self, partition: &Partition, before: StoreTime, keep: u64) {
        let Some(alive) = self.cache.touch(partition).and_then(|slot| slot.alive.as_mut()) else {
            return;
        };
        let Log { entries, trimmed } = &mut alive.log;
        while let Some(oldest) = entries.front()
            && (oldest.id.ms < before.0 || entries.len() as u64 > keep)
        {
            entries.pop_front();
            *trimmed = true;
        }
    }

    /// Makes sure that the partition has a slot.
    fn load(&mut self, partition: &Partition) -> Result<(), StoreError> {
        if self.cache.touch(partition).is_some() {
            return Ok(());
        }
        let life = if partition.is_volatile() { None } else { rows::life(&self.connection, partition)? };
        let alive = life.map(|life| Alive::stored(&self.connection, &life)).transpose()?;
        self.cache.insert(partition.clone(), alive);
        Ok(())
    }

    fn begin_transaction(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        Ok(())
    }
}

impl Alive {
    /// A life as the file has it: nobody is there.
    fn stored(connection: &Connection, life: &rows::LifeRow) -> Result<Self, StoreError> {
        let Frozen { epoch, last, fields, members } = Frozen::stored(connection, life)?;
        Ok(Self { row: Some(life.id), epoch, last, fields, members, log: Log::default() })
    }

    /// A life with its first entry.
    fn first(row: Option<i64>, entry: &Arc<Entry>) -> Self {
        let mut log = Log::default();
        if row.is_none() {
            log.entries.push_back(entry.clone());
        }
        let (fields, members) = Default::default();
        Self { row, epoch: entry.epoch, last: entry.link(), fields, members, log }
    }
}

impl Frozen {
    /// A partition that is cold.
    pub(super) fn stored(connection: &Connection, life: &rows::LifeRow) -> Result<Self, StoreError> {
        Ok(Self {
            epoch: life.epoch,
            last: rows::newest(connection, life)?,
            fields: Arc::new(rows::fields(connection, life.id)?),
            members: Map::default(),
        })
    }
}
