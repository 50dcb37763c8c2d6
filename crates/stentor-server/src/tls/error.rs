//! What can go wrong with certificates.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What is wrong with certificates or their files, in words for an operator.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file or directory cannot be made or written.
    Write(PathBuf, io::Error),
    /// A file is there that would be overwritten.
    Exists(PathBuf),
    /// A file was read, but does not hold what it should.
    Content(PathBuf, String),
    /// The key does not belong to the certificate.
    Mismatch {
        /// The certificate's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// One of the files of the node's own authority is missing.
    HalfAuthority {
        /// What is there.
        present: PathBuf,
        /// What is not.
        missing: PathBuf,
    },
    /// A name that no certificate can be for.
    Name(String),
    /// The cryptographic library refused.
    Unavailable(String),
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(_, error) | Self::Write(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
            Self::Exists(path) => {
                write!(f, "{} exists already; remove it or choose another directory", path.display())
            }
            Self::Content(path, problem) => write!(f, "{}: {problem}", path.display()),
            Self::Mismatch { chain, key } => write!(
                f,
                "the private key in {} does not belong to the first certificate in {}",
                key.display(),
                chain.display()
            ),
            Self::HalfAuthority { present, missing } => write!(
                f,
                "{} is missing, so no certificate can be renewed; restore it, or remove {} to make a new authority",
                missing.display(),
                present.display()
            ),
            Self::Name(name) => write!(f, "`{name}` is neither a host name nor an IP address"),
            Self::Unavailable(problem) => write!(f, "TLS cannot be set up: {problem}"),
        }
    }
}
