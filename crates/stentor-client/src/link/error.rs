//! Why there is no connection.

use std::fmt;

use crate::trust::{CertificateProblem, TrustError};

/// Why a connection could not be opened.
#[derive(Clone, Debug)]
pub enum ConnectError {
    /// The server cannot be reached, or speaks something else than TLS: a sentence with its address and the reason.
    Unreachable(String),
    /// The server showed a certificate that is not trusted.
    Certificate(Box<CertificateProblem>),
    /// What is to be trusted could not be read.
    Trust(TrustError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) => f.write_str(text),
            Self::Certificate(problem) => problem.fmt(f),
            Self::Trust(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<TrustError> for ConnectError {
    fn from(error: TrustError) -> Self {
        Self::Trust(error)
    }
}
