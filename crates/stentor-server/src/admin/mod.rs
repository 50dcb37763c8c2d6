//! What an operator can do from the command line.
//!
//! A node listens on a socket in its data directory, which the owner of the directory alone can open. Where no node runs,
//! or the store is a fleet's, the command line opens the store and executes the same requests itself.
//!
//! - [`protocol`]: requests and answers, each a JSON object in a line
//! - [`mod@execute`]: what becomes of a request
//! - [`status`]: nodes, versions, leases, users and warnings
//! - [`reach`]: how clients reach a node
//! - [`socket`]: the listener of a node
//! - [`client`]: the other end

pub mod client;
pub mod execute;
pub mod protocol;
pub mod reach;
pub mod socket;
pub mod status;

mod line;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use client::AdminClient;
pub use execute::{AdminContext, execute};
pub(crate) use line::LINE_MAX;
pub use protocol::{
    AccountRequest, AccountRow, AdminRequest, AdminResponse, BanRequest, Fault, Hidden, InviteRequest,
};
pub use reach::{Reach, ReachSource};
pub use socket::{AdminListener, serve};
pub use status::{NodeInfo, NodeStatus, Status, StatusSource, StoreStatus};

/// The name of the socket in a data directory.
pub const SOCKET_FILE: &str = "stentor.sock";

/// The socket of the node that uses the data directory `data`.
#[must_use]
pub fn socket_path(data: &Path) -> PathBuf {
    data.join(SOCKET_FILE)
}

/// Why the socket cannot be used.
#[derive(Debug)]
pub enum AdminError {
    /// Nobody listens there.
    NoNode(PathBuf),
    /// A node listens there already.
    InUse(PathBuf),
    /// Something else has that name.
    NotASocket(PathBuf),
    /// The path has more bytes than the system allows a socket's path.
    TooLong(PathBuf),
    /// The system refuses.
    Io(PathBuf, io::Error),
    /// The other end does not speak as it should.
    Protocol(String),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNode(path) => write!(f, "no node listens on {}", path.display()),
            Self::InUse(path) => write!(f, "a node listens on {} already", path.display()),
            Self::NotASocket(path) => {
                write!(f, "{} is there already, and is no socket; move it away", path.display())
            }
            Self::TooLong(path) => write!(
                f,
                "the path of the socket, {}, has {} bytes; the system allows about 100. Choose a data directory with a \
                 shorter path",
                path.display(),
                path.as_os_str().len()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Protocol(why) => write!(f, "the node's answer makes no sense: {why}"),
        }
    }
}

impl std::error::Error for AdminError {}
