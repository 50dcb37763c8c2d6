//! Moves the write-ahead log into the database, from a connection and a thread of its own.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

/// Checkpoints when asked, and now and then without, until nobody can ask any more.
pub(super) fn run(connection: &Connection, asked: &Receiver<()>) {
    loop {
        match asked.recv_timeout(IDLE) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Err(error) = checkpoint(connection) {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database; it grows meanwhile");
        }
    }
}

/// A passive checkpoint stops nobody, but under steady load it never catches up, and the log grows. Past a limit the
/// rest is done while the writer waits: little, since a second passive one has just moved what came during the first.
/// Where somebody reads for long, as a backup does, that is given up, and the log grows until the next time.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    let pages = |row: &rusqlite::Row<'_>| row.get::<_, i64>(1);
    let logged = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages)?;
    if logged > LOG_LIMIT {
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages)?;
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], pages)?;
    }
    Ok(())
}

/// Waits for readers as long as the writer can well wait too.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite asks on a thread of its own and has no event to wait for"
)]
pub(super) fn wait_for_readers(attempts: i32) -> bool {
    thread::sleep(Duration::from_millis(1));
    attempts < READERS
}

/// How long the log waits when little is written.
const IDLE: Duration = Duration::from_secs(60);

/// For how many milliseconds a reader may keep the writer waiting.
const READERS: i32 = 10;

/// Pages in the log past which the writer is made to wait: 64 MiB.
const LOG_LIMIT: i64 = 16_384;
