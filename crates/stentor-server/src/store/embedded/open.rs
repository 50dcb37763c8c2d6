//! The directory, its lock, and the file in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io, thread};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Durability;
use super::schema::{self, Found};

/// Whether a store may be made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Make the directory and the store where they are missing.
    Create,
    /// There must be a store.
    Existing,
}

/// Why a store could not be opened. Each says which path it is about.
#[derive(Debug)]
pub enum OpenError {
    /// There is no store at this path.
    NotFound(PathBuf),
    /// Another process has the directory open.
    Locked {
        /// The directory.
        path: PathBuf,
        /// That process, where it is known.
        pid: Option<u32>,
    },
    /// The directory or a file in it cannot be made, read or written.
    NotWritable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The store was written by a newer Stentor.
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: usize,
    },
    /// The file is no store, or a broken one.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A data directory that no other process uses until this is dropped. A node whose store is elsewhere takes it by itself.
#[derive(Debug)]
pub struct DirectoryLock {
    pub(super) file: File,
}

impl DirectoryLock {
    /// Makes the directory where it is missing, and takes it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] or [`OpenError::NotWritable`].
    pub fn take(directory: &Path) -> Result<Self, OpenError> {
        let files = Files::of(directory);
        files.make_directory()?;
        files.lock()
    }
}

impl Drop for DirectoryLock {
    /// Closing the file is not enough: a process that is just being started has a copy of its descriptor until it runs its
    /// program, and the lock would last as long.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The paths of a store.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    pub(super) database: PathBuf,
    lock: PathBuf,
}

impl Files {
    pub(super) fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            database: directory.join("stentor.db"),
            lock: directory.join("stentor.lock"),
        }
    }

    /// Makes sure that the directory is there, and the database file too: made here and not by SQLite, so that
    /// nobody else can read it from its first moment on.
    pub(super) fn prepare(&self, mode: OpenMode) -> Result<DirectoryLock, OpenError> {
        self.check_directory()?;
        if mode == OpenMode::Existing && !self.database.exists() {
            return Err(OpenError::NotFound(self.database.clone()));
        }
        self.make_directory()?;
        let lock = self.lock()?;
        let database = private_file(&self.database).map_err(|error| not_writable(&self.database, &error))?;
        drop(database);
        Ok(lock)
    }

    /// Something else of that name would be reported as a file that exists, or as a store that does not.
    fn check_directory(&self) -> Result<(), OpenError> {
        if self.directory.exists() && !self.directory.is_dir() {
            let why = "it is not a directory".to_owned();
            return Err(OpenError::NotWritable { path: self.directory.clone(), why });
        }
        Ok(())
    }

    fn make_directory(&self) -> Result<(), OpenError> {
        self.check_directory()?;
        if self.directory.is_dir() {
            return Ok(());
        }
        private_directory(&self.directory).map_err(|error| not_writable(&self.directory, &error))
    }

    /// Takes the lock, which the system gives back when this process ends, however it ends.
    fn lock(&self) -> Result<DirectoryLock, OpenError> {
        let failed = |error: io::Error| not_writable(&self.lock, &error);
        let mut lock = private_file(&self.lock).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = (&mut lock).take(32).read_to_string(&mut text);
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { path: self.directory.clone(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
        Ok(DirectoryLock { file: lock })
    }

    /// Opens the database, refuses what is not ours, and brings it to this program's format.
    pub(super) fn database(&self, mode: OpenMode, durability: Durability) -> Result<Connection, OpenError> {
        let failed = |error: rusqlite::Error| self.explain(&error);
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        if connection.is_readonly("main").map_err(failed)? {
            let why = "it can only be read".to_owned();
            return Err(OpenError::NotWritable { path: self.database.clone(), why });
        }
        let format = match found(&self.database, &connection)? {
            None if mode == OpenMode::Existing => return Err(OpenError::NotFound(self.database.clone())),
            None => 0,
            Some(format) => format,
        };
        let journal = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let kept =
            connection.pragma_update_and_check(None, "journal_mode", "wal", journal).map_err(failed)?;
        if kept != "wal" {
            let why = format!("its file system keeps no write-ahead log (journal mode {kept})");
            return Err(OpenError::NotWritable { path: self.database.clone(), why });
        }
        connection.pragma_update(None, "synchronous", durability.pragma()).map_err(failed)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
        // What was erased, or trimmed away, is overwritten with zeros, not only let go.
        let applied = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        connection.pragma_update_and_check(None, "secure_delete", "on", applied).map_err(failed)?;
        schema::migrate(&mut connection, format).map_err(failed)?;
        Ok(connection)
    }

    /// A connection with the settings that all connections share. Checkpoints are made by their own thread alone.
    pub(super) fn connect(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let connection =
            Connection::open_with_flags(&self.database, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_handler(Some(wait_for_lock))?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    pub(super) fn no_thread(&self, error: &io::Error) -> OpenError {
        let why = format!("no thread can be started: {error}");
        OpenError::NotWritable { path: self.directory.clone(), why }
    }

    pub(super) fn explain(&self, error: &rusqlite::Error) -> OpenError {
        explain(self.database.clone(), error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) => write!(f, "there is no store at {}", path.display()),
            Self::Locked { path, pid: Some(pid) } => {
                write!(f, "{} is in use by another process (pid {pid})", path.display())
            }
            Self::Locked { path, pid: None } => write!(f, "{} is in use by another process", path.display()),
            Self::NotWritable { path, why } => write!(f, "{} cannot be used: {why}", path.display()),
            Self::NewerFormat { path, found, known } => write!(
                f,
                "{} was written by a newer version of Stentor (format {found}; this one knows up to {known})",
                path.display()
            ),
            Self::Damaged { path, why } => write!(f, "{} is no usable store: {why}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// Refuses a database that is not a store of ours, or a newer one's.
pub(super) fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    found(path, connection)?.map(|_| ()).ok_or_else(|| OpenError::NotFound(path.to_owned()))
}

/// The format of a store; none where there is nothing yet.
fn found(path: &Path, connection: &Connection) -> Result<Option<usize>, OpenError> {
    let path = path.to_owned();
    match schema::inspect(connection).map_err(|error| explain(path.clone(), &error))? {
        Found::Empty => Ok(None),
        Found::Store(format) => Ok(Some(format)),
        Found::Newer(found) => Err(OpenError::NewerFormat { path, found, known: schema::FORMAT }),
        Found::Foreign => {
            let why = "it is a database, but not one of Stentor's".to_owned();
            Err(OpenError::Damaged { path, why })
        }
    }
}

fn explain(path: PathBuf, error: &rusqlite::Error) -> OpenError {
    let why = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, why },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path, pid: None },
        _ => OpenError::NotWritable { path, why },
    }
}

pub(super) fn not_writable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::NotWritable { path: path.to_owned(), why: error.to_string() }
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    options.open(path)
}

/// Waits a little for another connection's lock, which only checkpoints and people with `sqlite3` hold. SQLite's own
/// waits grow to a tenth of a second, and every commit would wait with them.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite asks on a thread of its own and has no event to wait for"
)]
fn wait_for_lock(attempts: i32) -> bool {
    thread::sleep(Duration::from_millis(1));
    attempts < BUSY
}

/// How often a connection waits for another one's lock before it gives up: ten seconds.
const BUSY: i32 = 10_000;

/// How much of the file the writer may keep in memory, in KiB.
const CACHE_KIB: i64 = 65_536;

/// How many prepared statements a connection keeps: more than there are.
const STATEMENTS: usize = 64;
