//! The first account of a store: `admin`, with every privilege.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{self, Path, PathBuf};

use tracing::info;

use super::{ADMIN, AccountError, Accounts, Password};

/// Where the password of a new `admin` goes.
#[derive(Clone, Copy, Debug)]
pub enum PasswordTo<'a> {
    /// To the caller, who shows it on a terminal and nowhere else.
    Terminal,
    /// To the file [`PASSWORD_FILE`] in this directory, which its owner alone can read.
    Directory(&'a Path),
}

/// What became of `admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// The name is taken, by an account or by one that was removed: the store has had its `admin`.
    Settled,
    /// Made, with this password.
    Shown(Password),
    /// Made, with the password in this file.
    Written(PathBuf),
}

/// Makes `admin` unless the store has had one. Of nodes that start at the same time, one makes it: the account's creation
/// is guarded by its absence.
///
/// # Errors
/// See [`BootstrapError`]; `admin` was not made then.
pub async fn bootstrap(accounts: &Accounts, to: PasswordTo<'_>) -> Result<Bootstrap, BootstrapError> {
    let name = accounts.new_name(ADMIN)?;
    if super::vacant_life(&accounts.record(&name).await?, &name).is_err() {
        return Ok(Bootstrap::Settled);
    }
    let password = Password::generate();
    let turn = accounts.hasher().turn().await.map_err(AccountError::from)?;
    let credentials = turn.credentials(&password).await.map_err(AccountError::from)?;
    // The file comes first: an account whose password is nowhere would be of no use.
    let file = match to {
        PasswordTo::Terminal => None,
        PasswordTo::Directory(directory) => {
            let path = directory.join(PASSWORD_FILE);
            // It is read in a log, or pasted elsewhere.
            let path = path::absolute(&path).unwrap_or(path);
            write_private(&path, &password).map_err(|error| BootstrapError::File(path.clone(), error))?;
            Some(path)
        }
    };
    let made = accounts.create(&name, &credentials, &[ADMIN.to_owned()]).await;
    match (made, file) {
        (Ok(_), None) => Ok(Bootstrap::Shown(password)),
        (Ok(_), Some(path)) => {
            info!(path = %path.display(), "the account admin was made; its password is in this file");
            Ok(Bootstrap::Written(path))
        }
        (Err(error), file) => {
            if let Some(path) = file {
                fs::remove_file(&path).map_err(|error| BootstrapError::File(path, error))?;
            }
            match error {
                AccountError::Exists(_) | AccountError::Reserved(_) => Ok(Bootstrap::Settled),
                error => Err(error.into()),
            }
        }
    }
}

/// Replaces the file as a whole, so that it never has the rights or the content of one that was there before.
fn write_private(path: &Path, password: &Password) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{}", password.reveal())?;
    file.sync_all()
}

/// The name of the file that a new `admin`'s password is written to.
pub const PASSWORD_FILE: &str = "admin-password";

/// Why `admin` could not be made.
#[derive(Debug)]
pub enum BootstrapError {
    /// The account could not be made.
    Account(AccountError),
    /// The file for its password could not be written or removed.
    File(PathBuf, io::Error),
}

impl std::fmt::Display for BootstrapError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(error) => write!(f, "the account admin could not be made: {error}"),
            Self::File(path, error) => {
                write!(f, "the password of admin could not be written to {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for BootstrapError {}

impl From<AccountError> for BootstrapError {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<crate::store::StoreError> for BootstrapError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Account(error.into())
    }
}
