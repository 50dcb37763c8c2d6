//! Judges commits and writes them: the state in memory and the file, kept in step.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, ffi};

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
    /// A transaction has been begun, and neither held nor been taken back.
    writing: bool,
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
        let cache = Cache::new(limit);
        let (writing, failing) = (false, false);
        Ok(Self { connection, cache, clock, opened, fresh, ended, ending, writing, failing })
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
                Change::Erase(id) => rows::erase(&self.connection, row, *id)?,
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
        if self.writing {
            if let Err(error) = self.still_open() {
                return Err(self.abandon(error));
            }
            let commit = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
            if let Err(error) = commit {
                return Err(self.uncommitted(error));
            }
            self.writing = false;
        }
        if self.failing {
            self.failing = false;
            tracing::info!("the store writes again");
        }
        self.ended.extend(self.ending.drain(..));
        self.cache.settle();
        Ok(std::mem::take(&mut self.fresh))
    }

    /// Where the disk is full, the mark that makes a transaction hold was not written. After other errors it may have
    /// been, and be found again after a crash.
    fn uncommitted(&mut self, error: rusqlite::Error) -> StoreError {
        let certain = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        );
        match self.abandon(error) {
            StoreError::Unavailable(why) if !certain => StoreError::Unknown(why),
            other => other,
        }
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
        self.writing = false;
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
        self.writing = false;
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

    fn begin_transaction(&mut self) -> rusqlite::Result<()> {
        if self.writing {
            return self.still_open();
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.writing = true;
        Ok(())
    }

    /// SQLite takes some transactions back by itself, after an error of the disk that another statement met. What was
    /// written before must not be held for stored then.
    fn still_open(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            let why = "the transaction was taken back after an error".to_owned();
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT), Some(why)));
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

#[cfg(test)]
mod tests {
    use super::super::Durability;
    use super::super::open::{Files, OpenMode};
    use super::*;
    use crate::store::Writer;

    const EPOCH: Epoch = Epoch(7);

    fn ledger(directory: &tempfile::TempDir) -> Ledger {
        let connection = Files::of(directory.path()).database(OpenMode::Existing, Durability::Normal);
        Ledger::new(connection.expect("it opens"), Arc::new(Clock::new()), 100).expect("it reads")
    }

    fn new_ledger() -> (tempfile::TempDir, Ledger) {
        let directory = tempfile::tempdir().expect("a directory");
        let files = Files::of(directory.path());
        files.prepare(OpenMode::Create).expect("it is writable");
        drop(files.database(OpenMode::Create, Durability::Normal).expect("it is made"));
        let ledger = ledger(&directory);
        (directory, ledger)
    }

    /// Commits of `a@1` with rising numbers.
    struct Author(u64);

    impl Author {
        fn commit(&mut self, ledger: &mut Ledger, partition: &Partition, life: Life, changes: &[Change]) {
            self.0 += 1;
            let commit = Commit {
                partition: partition.clone(),
                life,
                guards: Vec::new(),
                changes: changes.to_vec(),
                lines: vec![":a!u@h PRIVMSG #x :hi".into()],
                by: By { writer: Writer::new("a", 1), number: self.0 },
                deadline: StoreTime(u64::MAX),
            };
            let outcome = ledger.commit(commit);
            assert!(matches!(outcome, Ok(Outcome::Committed(_))), "{outcome:?}");
        }
    }

    fn set(name: &str, value: &str) -> Change {
        Change::Set(name.into(), value.into())
    }

    fn member(id: &str) -> Change {
        Change::SetMember(id.into(), "m".into())
    }

    #[test]
    fn whatever_a_failed_transaction_did_is_taken_back() {
        let (directory, mut ledger) = new_ledger();
        let mut author = Author(0);
        let (room, ending, renewed) =
            (Partition::channel("#x"), Partition::channel("#end"), Partition::channel("#renew"));
        let (index, nick, new) =
            (Partition::index(&Writer::new("a", 1)), Partition::nick("a"), Partition::fleet());
        for partition in [&room, &ending, &renewed, &index] {
            let changes = [set("topic", "old"), set("~key", "k"), member("1")];
            author.commit(&mut ledger, partition, Life::Begin(EPOCH), &changes);
        }
        for _ in 1..1000 {
            author.commit(&mut ledger, &index, Life::Within(EPOCH), &[]);
        }
        ledger.settle().expect("it holds");
        let all = [&room, &ending, &renewed, &index, &nick, &new];
        for partition in all {
            ledger.load(partition).expect("it is read");
        }
        let state = |ledger: &Ledger| all.map(|partition| format!("{:?}", ledger.cache.get(partition)));
        let before = state(&ledger);

        let changes =
            [set("topic", "new"), set("topic", "newer"), Change::Unset("~key".into()), set("a", "b")];
        author.commit(&mut ledger, &room, Life::Within(EPOCH), &changes);
        author.commit(
            &mut ledger,
            &room,
            Life::Within(EPOCH),
            &[member("2"), Change::UnsetMember("1".into())],
        );
        author.commit(&mut ledger, &ending, Life::End(EPOCH), &[]);
        author.commit(&mut ledger, &ending, Life::Begin(Epoch(8)), &[member("3")]);
        author.commit(&mut ledger, &renewed, Life::Renew(EPOCH, Epoch(9)), &[set("topic", "other")]);
        author.commit(&mut ledger, &renewed, Life::End(Epoch(9)), &[]);
        author.commit(&mut ledger, &index, Life::Within(EPOCH), &[set("topic", "new")]);
        author.commit(&mut ledger, &nick, Life::Begin(EPOCH), &[]);
        author.commit(&mut ledger, &new, Life::Begin(EPOCH), &[set("a", "b")]);
        assert_ne!(state(&ledger), before);
        let _refused = ledger.abandon(rusqlite::Error::InvalidQuery);
        assert_eq!(state(&ledger), before);
        assert!(!ledger.has_leftovers(), "what did not end is not buried");
        assert_eq!(ledger.settle().expect("nothing to do"), []);

        // What the file holds is what memory holds, but for the members.
        let mut read_again = super::tests::ledger(&directory);
        for partition in [&room, &ending, &renewed] {
            read_again.load(partition).expect("it is read");
            let facts = |ledger: &Ledger| {
                let alive =
                    ledger.cache.get(partition).and_then(|slot| slot.alive.as_ref()).expect("it lives");
                (alive.row, alive.epoch, alive.last.clone(), alive.fields.clone())
            };
            assert_eq!(facts(&read_again), facts(&ledger));
        }
    }

    #[test]
    fn a_transaction_that_the_database_took_back_is_noticed() {
        let (_directory, mut ledger) = new_ledger();
        let mut author = Author(0);
        let (room, other) = (Partition::channel("#x"), Partition::channel("#y"));
        for goes_on in [false, true] {
            author.commit(&mut ledger, &room, Life::Begin(EPOCH), &[]);
            ledger.connection.execute_batch("ROLLBACK").expect("one is open");
            if goes_on {
                let begun = ledger.begin_transaction();
                assert!(begun.is_err(), "no second transaction passes for the rest of the first");
            }
            assert!(matches!(ledger.settle(), Err(StoreError::Unavailable(_))));
            assert!(matches!(ledger.look(&room), Look::Hot(None)));
        }
        author.commit(&mut ledger, &other, Life::Begin(EPOCH), &[]);
        assert_eq!(ledger.settle().expect("it holds").len(), 1);
    }

    #[test]
    fn a_full_disk_refuses_and_writing_goes_on_when_there_is_space() {
        let (_directory, mut ledger) = new_ledger();
        let mut author = Author(0);
        let room = Partition::channel("#x");
        author.commit(&mut ledger, &room, Life::Begin(EPOCH), &[]);
        ledger.settle().expect("it holds");
        let pages = |ledger: &Ledger, limit: i64| {
            let limited = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            ledger
                .connection
                .pragma_update_and_check(None, "max_page_count", limit, limited)
                .expect("a limit")
        };
        pages(&ledger, 1);
        let large = Commit {
            partition: room.clone(),
            life: Life::Within(EPOCH),
            guards: Vec::new(),
            changes: vec![set("topic", &"x".repeat(100_000))],
            lines: Vec::new(),
            by: By { writer: Writer::new("a", 1), number: 2 },
            deadline: StoreTime(u64::MAX),
        };
        let refused = match ledger.commit(large.clone()) {
            Err(Trouble::Transaction(error)) => ledger.abandon(error),
            Ok(_) => ledger.settle().expect_err("there is no space"),
            Err(other) => panic!("{other:?}"),
        };
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        pages(&ledger, 1_000_000);
        assert!(matches!(ledger.commit(large), Ok(Outcome::Committed(_))));
        assert_eq!(ledger.settle().expect("it holds").len(), 1);
    }

    #[test]
    fn what_ended_lives_leave_is_removed_also_by_the_next_process() {
        let (directory, mut ledger) = new_ledger();
        let mut author = Author(0);
        let (room, kept) = (Partition::channel("#x"), Partition::channel("#kept"));
        author.commit(&mut ledger, &kept, Life::Begin(EPOCH), &[set("topic", "t")]);
        author.commit(&mut ledger, &room, Life::Begin(EPOCH), &[set("topic", "t")]);
        for _ in 0..1200 {
            author.commit(&mut ledger, &room, Life::Within(EPOCH), &[]);
        }
        author.commit(&mut ledger, &room, Life::End(EPOCH), &[]);
        ledger.settle().expect("it holds");
        ledger.remove_leftovers().expect("a slice is removed");
        assert!(ledger.has_leftovers(), "a long log takes several slices");
        drop(ledger);

        let mut ledger = super::tests::ledger(&directory);
        while ledger.has_leftovers() {
            ledger.remove_leftovers().expect("a slice is removed");
        }
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            ledger.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("a count")
        };
        assert_eq!(["partitions", "entries", "fields", "ended"].map(count), [1, 1, 1, 0]);
    }
}
