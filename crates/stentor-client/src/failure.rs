//! How a chat ends that does not end well.

use std::fmt;

use crate::link::ConnectError;

/// Why a front end ended without being asked to, or with something left undone.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Something that was asked for did not happen; sentences.
    Failed(String),
    /// The server did not let the user in; a sentence that says why.
    LoginRefused(String),
    /// There never was a connection.
    Connect(ConnectError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) | Self::LoginRefused(text) => f.write_str(text),
            Self::Connect(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}
