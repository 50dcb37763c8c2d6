//! The tables, and how older ones become these.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The statements that lead from each format to the next. `PRAGMA user_version` counts how many have run. A migration
/// that has been released is never changed.
const MIGRATIONS: &[&str] = &[FIRST];

/// Marks the file as a Stentor store: `Sten`.
pub(super) const APPLICATION_ID: i64 = 0x5374_656e;

/// The format that this program writes.
pub(super) const FORMAT: usize = MIGRATIONS.len();

/// What a file turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// A store of this format, which is not newer than ours.
    Store(usize),
    /// A store of a newer format.
    Newer(i64),
    /// A database, and not a store.
    Foreign,
}

/// Looks at a file without changing it.
pub(super) fn inspect(connection: &Connection) -> rusqlite::Result<Found> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, format) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match usize::try_from(format) {
        _ if tables == 0 && format == 0 => Found::Empty,
        _ if application != APPLICATION_ID => Found::Foreign,
        Ok(0) | Err(_) => Found::Foreign,
        Ok(known) if known <= FORMAT => Found::Store(known),
        Ok(_) => Found::Newer(format),
    })
}

/// Brings the tables from `format` to [`FORMAT`], in one transaction.
pub(super) fn migrate(connection: &mut Connection, format: usize) -> rusqlite::Result<()> {
    let steps = MIGRATIONS.get(format..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// One row of `partitions` is one life of a partition: its number is never used again, so the end of a life is the loss
/// of one row, and its fields and log are deleted afterwards, a few at a time; `ended` lists what is left to delete.
/// `last` is the newest entry's link where the log has been trimmed and may not hold that entry any more.
const FIRST: &str = "
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    trimmed INTEGER NOT NULL DEFAULT 0,
    last TEXT
);
CREATE TABLE fields (
    partition INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (partition, name)
) WITHOUT ROWID;
CREATE TABLE entries (
    partition INTEGER NOT NULL,
    ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    by TEXT NOT NULL,
    previous TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (partition, ms, seq)
) WITHOUT ROWID;
CREATE TABLE ended (
    partition INTEGER PRIMARY KEY
);
-- The logs as a person reads them.
CREATE VIEW log AS
    SELECT partitions.name AS partition, datetime(ms / 1000, 'unixepoch') AS time, ms || '-' || seq AS id, by, body
    FROM entries JOIN partitions ON partitions.id = entries.partition;
";
