//! Copies of a store, made while it is in use, and put back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::open::{DirectoryLock, Files, OpenError, check, not_writable};

/// Copies the store in `directory` into a new file, `to`: all that was committed when the copying began. A node may
/// run meanwhile. Nobody but the user can read the copy.
///
/// # Errors
/// [`OpenError::NotFound`] where there is no store, [`OpenError::NotWritable`] where `to` exists or cannot be written,
/// and those of a store that cannot be used. What was written of a copy that failed is removed.
pub fn backup(directory: &Path, to: &Path) -> Result<(), OpenError> {
    let files = Files::of(directory);
    if !files.database.exists() {
        return Err(OpenError::NotFound(files.database));
    }
    // A log that a node left behind when it was killed can only be read by who may write.
    let connection =
        files.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| files.explain(&error))?;
    check(&files.database, &connection)?;
    let copy = new_file(to)?;
    let copied = copy_into(&connection, to).and_then(|()| copy.sync_all().map_err(|error| error.to_string()));
    copied.map_err(|why| {
        // What is left of it is of no use, and the first reason is the one to tell.
        let _ = fs::remove_file(to);
        OpenError::NotWritable { path: to.to_owned(), why }
    })
}

/// Puts a copy where a node looks for its store. There must be none yet.
///
/// # Errors
/// [`OpenError::NotFound`] or [`OpenError::Damaged`] where `from` is no copy of a store, [`OpenError::NewerFormat`],
/// [`OpenError::Locked`] while a node runs there, [`OpenError::NotWritable`] where there is a store already.
pub fn restore(from: &Path, directory: &Path) -> Result<(), OpenError> {
    inspect(from)?;
    let _lock = DirectoryLock::take(directory)?;
    let files = Files::of(directory);
    // The log of another store would be taken for this one's.
    for path in ["stentor.db", "stentor.db-wal", "stentor.db-shm"].map(|name| directory.join(name)) {
        if path.exists() {
            return Err(OpenError::NotWritable { path, why: "there is a store already".to_owned() });
        }
    }
    let arriving = directory.join("stentor.db.restoring");
    let failed = |error: io::Error| not_writable(&files.database, &error);
    let _ = fs::remove_file(&arriving);
    let mut target = new_file(&arriving)?;
    let copied = File::open(from)
        .and_then(|mut source| io::copy(&mut source, &mut target))
        .and_then(|_| target.sync_all())
        .and_then(|()| fs::rename(&arriving, &files.database));
    copied.map_err(|error| {
        let _ = fs::remove_file(&arriving);
        failed(error)
    })
}

/// Makes sure that a file is a whole store, without writing beside it.
fn inspect(path: &Path) -> Result<(), OpenError> {
    if !path.is_file() {
        return Err(OpenError::NotFound(path.to_owned()));
    }
    let damaged = |why: String| OpenError::Damaged { path: path.to_owned(), why };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| damaged(error.to_string()))?;
    check(path, &connection)?;
    let verdict = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|error| damaged(error.to_string()))?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(verdict)) }
}

fn copy_into(connection: &Connection, to: &Path) -> Result<(), String> {
    let name = to.to_str().ok_or("its name is not UTF-8")?;
    connection.execute("VACUUM INTO ?1", [name]).map(|_| ()).map_err(|error| error.to_string())
}

/// An empty file for the user alone, which SQLite then fills.
fn new_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| OpenError::NotWritable { path: PathBuf::from(path), why: error.to_string() })
}
