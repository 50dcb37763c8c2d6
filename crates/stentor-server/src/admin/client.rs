//! The end of the socket that asks.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::BufStream;
use tokio::net::UnixStream;
use tokio::time::sleep;

use super::{AdminError, AdminRequest, AdminResponse, line};

/// A connection to a running node.
#[derive(Debug)]
pub struct AdminClient {
    path: PathBuf,
    stream: BufStream<UnixStream>,
}

impl AdminClient {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`AdminError::NoNode`] where nobody listens; otherwise what the system says.
    pub async fn connect(path: &Path) -> Result<Self, AdminError> {
        let path = path.to_owned();
        match connect(&path).await {
            Ok(stream) => Ok(Self { path, stream: BufStream::new(stream) }),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Err(AdminError::NoNode(path))
            }
            // No node can listen where no socket fits.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(AdminError::TooLong(path)),
            Err(error) => Err(AdminError::Io(path, error)),
        }
    }

    /// Asks, and waits for the answer however long the work takes. If it does not arrive, the outcome is not known.
    ///
    /// # Errors
    /// [`AdminError::Io`] where the connection breaks, [`AdminError::Protocol`] where the answer cannot be read.
    pub async fn ask(&mut self, request: &AdminRequest) -> Result<AdminResponse, AdminError> {
        let request =
            serde_json::to_string(request).map_err(|error| AdminError::Protocol(error.to_string()))?;
        if request.len() as u64 > line::LINE_MAX {
            let why = format!("this is too much for one request: at most {} bytes", line::LINE_MAX);
            return Err(AdminError::Io(self.path.clone(), io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        let answer =
            self.exchange(&request).await.map_err(|error| AdminError::Io(self.path.clone(), error))?;
        serde_json::from_slice(&answer).map_err(|error| AdminError::Protocol(error.to_string()))
    }

    async fn exchange(&mut self, request: &str) -> io::Result<Vec<u8>> {
        line::write(&mut self.stream, request).await?;
        line::read(&mut self.stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// The system refuses at once where many are waiting, so this waits on its behalf, about two seconds.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    for _ in 0..40 {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(Duration::from_millis(50)).await,
            settled => return settled,
        }
    }
    UnixStream::connect(path).await
}
