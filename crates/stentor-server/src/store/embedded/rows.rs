//! The SQL, a function for each statement, and how rows become values.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use crate::store::entry::Malformed;
use crate::store::{Body, By, Entry, EntryId, Epoch, Link, Page, Partition, Range, StoreError, StoreTime};

/// One life of a partition, as its row has it.
#[derive(Debug)]
pub(super) struct LifeRow {
    pub(super) id: i64,
    pub(super) epoch: Epoch,
    pub(super) trimmed: bool,
    last: Option<String>,
}

/// The life that a partition has now.
pub(super) fn life(connection: &Connection, partition: &Partition) -> Result<Option<LifeRow>, StoreError> {
    let sql = "SELECT id, epoch, trimmed, last FROM partitions WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?));
    let found = statement.query_row([partition.as_str()], columns).optional().map_err(failed)?;
    let Some((id, epoch, trimmed, last)) = found else {
        return Ok(None);
    };
    Ok(Some(LifeRow { id, epoch: epoch.parse().map_err(damaged)?, trimmed, last }))
}

/// The newest entry of a life, whether or not it is still logged.
pub(super) fn newest(connection: &Connection, life: &LifeRow) -> Result<Link, StoreError> {
    let sql = "SELECT ms, seq, by FROM entries WHERE partition = ?1 ORDER BY ms DESC, seq DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let columns = |row: &Row<'_>| Ok((entry_id(row)?, row.get::<_, String>(2)?));
    let found = statement.query_row([life.id], columns).optional().map_err(failed)?;
    match (found, &life.last) {
        (Some((id, by)), _) => Ok(Link { id, by: by.parse().map_err(damaged)? }),
        (None, Some(last)) => last.parse().map_err(damaged),
        (None, None) => Err(damaged(Malformed("a partition has no newest entry"))),
    }
}

/// All fields of a life.
pub(super) fn fields(connection: &Connection, life: i64) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = "SELECT name, value FROM fields WHERE partition = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map([life], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// One field of a life.
pub(super) fn field(connection: &Connection, life: i64, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM fields WHERE partition = ?1 AND name = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_row(params![life, name], |row| row.get(0)).optional().map_err(failed)
}

/// What `by` wrote into a life's log since `since`, if it is there. The newest entries are looked at first.
pub(super) fn entry_by(
    connection: &Connection,
    life: i64,
    epoch: Epoch,
    by: &By,
    since: StoreTime,
) -> Result<Option<Arc<Entry>>, StoreError> {
    let sql = "SELECT ms, seq, by, previous, body FROM entries WHERE partition = ?1 AND ms >= ?2 \
               ORDER BY ms DESC, seq DESC";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![life, signed(since.0)]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let author: By =
            row.get_ref(2).map_err(failed)?.as_str().unwrap_or_default().parse().map_err(damaged)?;
        if author == *by {
            return raw_entry(row).map_err(failed)?.parse(epoch).map(Some);
        }
        // A writer's numbers rise: an older one of it means that this one is not there.
        if author.writer == by.writer && author.number < by.number {
            break;
        }
    }
    Ok(None)
}

/// Part of a log, read in one transaction.
pub(super) fn page(
    connection: &mut Connection,
    partition: &Partition,
    epoch: Epoch,
    range: Range,
    limit: usize,
) -> Result<Page, StoreError> {
    let transaction = connection.transaction().map_err(failed)?;
    let life = life(&transaction, partition)?.filter(|life| life.epoch == epoch).ok_or(StoreError::Gone)?;
    let (condition, order, id) = match range {
        Range::From(id) => (">=", "ASC", id),
        Range::After(id) => (">", "ASC", id),
        Range::Before(id) => ("<", "DESC", id),
        Range::Latest => ("<=", "DESC", EntryId { ms: u64::MAX, seq: u64::MAX }),
    };
    let sql = format!(
        "SELECT ms, seq, by, previous, body FROM entries WHERE partition = ?1 AND (ms, seq) {condition} (?2, ?3) \
         ORDER BY ms {order}, seq {order} LIMIT ?4"
    );
    let mut statement = transaction.prepare_cached(&sql).map_err(failed)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![life.id, signed(id.ms), signed(id.seq), limit]).map_err(failed)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        entries.push(raw_entry(row).map_err(failed)?.parse(epoch)?);
    }
    if order == "DESC" {
        entries.reverse();
    }
    let trimmed = life.trimmed && reaches_edge(&entries, range, oldest(&transaction, life.id)?);
    Ok(Page { entries, trimmed })
}

/// Whether nothing that is left of a log stands before a page of it.
pub(super) fn reaches_edge(entries: &[Arc<Entry>], range: Range, oldest: Option<EntryId>) -> bool {
    match (entries.first(), oldest, range) {
        (_, None, _) => true,
        (Some(first), Some(oldest), _) => first.id == oldest,
        (None, Some(oldest), Range::Before(id)) => oldest >= id,
        (None, Some(_), _) => false,
    }
}

fn oldest(connection: &Connection, life: i64) -> Result<Option<EntryId>, StoreError> {
    let sql = "SELECT ms, seq FROM entries WHERE partition = ?1 ORDER BY ms, seq LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_row([life], entry_id).optional().map_err(failed)
}

/// The life that a partition has, and the newest of its entries that must go so that none older than `before` and at
/// most `keep` are left. `None`: nothing to remove.
pub(super) fn cut(
    connection: &mut Connection,
    partition: &Partition,
    before: StoreTime,
    keep: u64,
) -> Result<Option<(i64, EntryId)>, StoreError> {
    let transaction = connection.transaction().map_err(failed)?;
    let Some(life) = life(&transaction, partition)? else {
        return Ok(None);
    };
    let newest_first = "SELECT ms, seq FROM entries WHERE partition = ?1";
    let by_age = format!("{newest_first} AND ms < ?2 ORDER BY ms DESC, seq DESC LIMIT 1");
    let by_count = format!("{newest_first} ORDER BY ms DESC, seq DESC LIMIT 1 OFFSET ?2");
    let first_of = |sql: &str, bound: u64| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.query_row(params![life.id, signed(bound)], entry_id).optional()
    };
    let age = first_of(&by_age, before.0).map_err(failed)?;
    let count = first_of(&by_count, keep).map_err(failed)?;
    Ok(age.max(count).map(|id| (life.id, id)))
}

/// Removes a slice of a life's entries up to and including `through`, the oldest first. True: there are more.
pub(super) fn remove_slice(connection: &Connection, life: i64, through: EntryId) -> rusqlite::Result<bool> {
    let keep_last = "UPDATE partitions SET trimmed = 1, last = coalesce((SELECT ms || '-' || seq || '/' || by \
                     FROM entries WHERE partition = ?1 ORDER BY ms DESC, seq DESC LIMIT 1), last) WHERE id = ?1";
    connection.prepare_cached(keep_last)?.execute([life])?;
    let edge = "SELECT ms, seq FROM entries WHERE partition = ?1 ORDER BY ms, seq LIMIT 1 OFFSET ?2";
    let mut statement = connection.prepare_cached(edge)?;
    let edge = statement.query_row(params![life, SLICE - 1], entry_id).optional()?;
    let through_now = edge.map_or(through, |edge| edge.min(through));
    let delete = "DELETE FROM entries WHERE partition = ?1 AND (ms, seq) <= (?2, ?3)";
    let id = params![life, signed(through_now.ms), signed(through_now.seq)];
    connection.prepare_cached(delete)?.execute(id)?;
    Ok(through_now < through)
}

/// Begins a life.
pub(super) fn begin(connection: &Connection, partition: &Partition, epoch: Epoch) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO partitions (name, epoch) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![partition.as_str(), epoch.to_string()])?;
    Ok(connection.last_insert_rowid())
}

/// Ends a life. What it leaves is removed by [`bury_slice`].
pub(super) fn end(connection: &Connection, life: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM partitions WHERE id = ?1")?.execute([life])?;
    connection.prepare_cached("INSERT INTO ended (partition) VALUES (?1)")?.execute([life])?;
    Ok(())
}

/// Lives that ended and have left something.
pub(super) fn ended(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare("SELECT partition FROM ended")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Removes a slice of what an ended life left. True: there is more.
pub(super) fn bury_slice(connection: &Connection, life: i64) -> rusqlite::Result<bool> {
    let of_entries = "DELETE FROM entries WHERE (partition, ms, seq) IN \
                      (SELECT partition, ms, seq FROM entries WHERE partition = ?1 LIMIT ?2)";
    let of_fields = "DELETE FROM fields WHERE (partition, name) IN \
                     (SELECT partition, name FROM fields WHERE partition = ?1 LIMIT ?2)";
    for slice in [of_entries, of_fields] {
        if connection.prepare_cached(slice)?.execute(params![life, SLICE])? == SLICE {
            return Ok(true);
        }
    }
    connection.prepare_cached("DELETE FROM ended WHERE partition = ?1")?.execute([life])?;
    Ok(false)
}

/// Sets a field.
pub(super) fn set(connection: &Connection, life: i64, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO fields (partition, name, value) VALUES (?1, ?2, ?3) \
               ON CONFLICT (partition, name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute(params![life, name, value]).map(drop)
}

/// Deletes a field.
pub(super) fn unset(connection: &Connection, life: i64, name: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM fields WHERE partition = ?1 AND name = ?2";
    connection.prepare_cached(sql)?.execute(params![life, name]).map(drop)
}

/// Appends an entry.
pub(super) fn append(connection: &Connection, life: i64, entry: &Entry) -> rusqlite::Result<()> {
    let sql = "INSERT INTO entries (partition, ms, seq, by, previous, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let previous = entry.previous.as_ref().map(Link::to_string);
    let (ms, seq) = (signed(entry.id.ms), signed(entry.id.seq));
    let values = params![life, ms, seq, entry.by.to_string(), previous, entry.body.to_text()];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Takes the lines of an entry away, where it is logged. What cannot be read has none that anybody could read.
pub(super) fn erase(connection: &Connection, life: i64, id: EntryId) -> rusqlite::Result<()> {
    let place = params![life, signed(id.ms), signed(id.seq)];
    let sql = "SELECT body FROM entries WHERE partition = ?1 AND ms = ?2 AND seq = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<String> = statement.query_row(place, |row| row.get(0)).optional()?;
    let Some(body) = found else { return Ok(()) };
    let changes = Body::from_text(&body).map(|body| body.changes).unwrap_or_default();
    let stub = Body { changes, lines: Vec::new() }.to_text();
    let sql = "UPDATE entries SET body = ?4 WHERE partition = ?1 AND ms = ?2 AND seq = ?3";
    let values = params![life, signed(id.ms), signed(id.seq), stub];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// What an error of SQLite's means where nothing was written.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Refused(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// What stands in the file and is not ours.
fn damaged(what: Malformed) -> StoreError {
    StoreError::Refused(format!("the store's file is damaged: {what}"))
}

/// The columns `ms` and `seq`, which come first.
fn entry_id(row: &Row<'_>) -> rusqlite::Result<EntryId> {
    Ok(EntryId { ms: row.get(0)?, seq: row.get(1)? })
}

/// An entry whose texts have not been read.
struct RawEntry {
    id: EntryId,
    by: String,
    previous: Option<String>,
    body: String,
}

fn raw_entry(row: &Row<'_>) -> rusqlite::Result<RawEntry> {
    Ok(RawEntry { id: entry_id(row)?, by: row.get(2)?, previous: row.get(3)?, body: row.get(4)? })
}

impl RawEntry {
    fn parse(self, epoch: Epoch) -> Result<Arc<Entry>, StoreError> {
        Ok(Arc::new(Entry {
            id: self.id,
            epoch,
            by: self.by.parse().map_err(damaged)?,
            previous: self.previous.map(|link| link.parse()).transpose().map_err(damaged)?,
            ends: false,
            body: Body::from_text(&self.body).map_err(damaged)?,
        }))
    }
}

/// SQLite's integers are signed; no time or counter of ours comes near the difference, and what a client makes up may be
/// cut to the greatest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows a removal takes at once, so that commits need not wait long for it.
const SLICE: usize = 500;
