//! Why something was not done to an account.

use std::fmt;

use stentor_proto::NickError;

use super::certificate::CERTIFICATES_MAX;
use super::hasher::Busy;
use crate::commit_identity::WriteError;
use crate::config::ADMIN;
use crate::store::StoreError;

/// Why something was not done to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// No account can have that name.
    Name {
        /// Why not.
        error: NickError,
        /// The longest name in bytes.
        max: usize,
    },
    /// There is such an account, by this spelling of its name.
    Exists(String),
    /// The name was an account's that is removed.
    Reserved(String),
    /// The name is the one of a service.
    Service(String),
    /// The certificate logs in to another account.
    CertificateTaken,
    /// As many certificates as may log in to one account do.
    TooManyCertificates,
    /// There are as many accounts as there may be.
    Full(usize),
    /// There is no such account.
    Unknown(String),
    /// It is not any more as whoever asks has proved to know it.
    Changed(String),
    /// No other account that can log in has the role [`ADMIN`].
    LastAdmin(String),
    /// There is no such role.
    UnknownRole {
        /// What was asked for.
        role: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Too many logins are waiting.
    Busy,
    /// The store did not do it, or did not say.
    Write(WriteError),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { error: NickError::TooLong, max } => {
                write!(f, "the name is too long; at most {max} bytes are allowed")
            }
            Self::Name { error, .. } => write!(f, "an account is called like a nickname, and {error}"),
            Self::Exists(name) => write!(f, "the account {name} exists already"),
            Self::Reserved(name) => write!(
                f,
                "{name} is the name of an account that was removed; such names stay reserved, so that nobody inherits them"
            ),
            Self::Service(name) => write!(f, "{name} is what people call a part of the server"),
            Self::CertificateTaken => f.write_str("that certificate logs in to another account"),
            Self::TooManyCertificates => {
                write!(f, "at most {CERTIFICATES_MAX} certificates log in to one account; remove one first")
            }
            Self::Full(max) => write!(f, "there may be no more than {max} accounts (accounts.max)"),
            Self::Unknown(name) => write!(f, "there is no account {name}"),
            Self::Changed(name) => write!(
                f,
                "{name} was changed meanwhile, as by another password, so nothing was done; log in again, and look"
            ),
            Self::LastAdmin(name) => write!(
                f,
                "{name} is the only account with the role {ADMIN} that can log in; give the role to another one first: \
                 `stentor account grant NAME {ADMIN}`"
            ),
            Self::UnknownRole { role, known } => {
                write!(f, "there is no role {role}; there are: {}", known.join(", "))
            }
            Self::Busy => Busy.fmt(f),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AccountError {}

impl From<Busy> for AccountError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<WriteError> for AccountError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}
