//! The listener of a node.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::BufStream;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::{AdminContext, AdminError, AdminRequest, AdminResponse, Fault, execute, line};

/// A socket that only its owner can open. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct AdminListener {
    listener: UnixListener,
    file: SocketFile,
}

impl AdminListener {
    /// Listens at `path`. A socket that a dead process left there is replaced. To be called within the runtime.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub fn bind(path: &Path) -> Result<Self, AdminError> {
        let address = SockAddr::unix(path).map_err(|_| AdminError::TooLong(path.to_owned()))?;
        let failed = |error| AdminError::Io(path.to_owned(), error);
        make_room(path, &address)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        socket.bind(&address).map_err(failed)?;
        // Nobody can connect before `listen`, so at no time is the socket open to others.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        socket.listen(BACKLOG).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let file = SocketFile::at(path).map_err(failed)?;
        let listener = UnixListener::from_std(socket.into()).map_err(failed)?;
        Ok(Self { listener, file })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Answers requests until `stop`. What is being done then is finished; `tasks` waits for it.
pub fn serve(listener: AdminListener, context: AdminContext, tasks: &TaskTracker, stop: CancellationToken) {
    let connections = tasks.clone();
    tasks.spawn(accept(listener, Arc::new(context), connections, stop));
}

async fn accept(
    listener: AdminListener,
    context: Arc<AdminContext>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Both are cancel-safe: a place that was not used is free again, and accept loses no connection.
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("the places are never closed");
            (place, listener.listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (context, stop) = (Arc::clone(&context), stop.clone());
                tasks.spawn(async move {
                    if let Err(error) = answer(stream, &context, &stop).await {
                        debug!(%error, "a connection to the admin socket broke");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "the admin socket takes no connection; trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, context: &AdminContext, stop: &CancellationToken) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    loop {
        // Reading is not cancel-safe; the connection ends with it.
        let read = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            read = timeout(IDLE_MAX, line::read(&mut stream)) => read,
        };
        let (response, last) = match read {
            Err(_) | Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(request))) => (respond(&request, context).await, false),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                (refused(Fault::Request, &error.to_string()), true)
            }
            Ok(Err(error)) => return Err(error),
        };
        timeout(IDLE_MAX, line::write(&mut stream, &response)).await??;
        if last {
            return Ok(());
        }
    }
}

async fn respond(request: &[u8], context: &AdminContext) -> String {
    let response = match serde_json::from_slice::<AdminRequest>(request) {
        Ok(request) => execute(request, context).await,
        Err(error) => {
            let version = env!("CARGO_PKG_VERSION");
            return refused(
                Fault::Request,
                &format!("the node, version {version}, does not take this request: {error}"),
            );
        }
    };
    match serde_json::to_string(&response) {
        Ok(text) if text.len() as u64 <= line::LINE_MAX => text,
        Ok(_) => refused(Fault::Request, "the answer is too long for one line"),
        Err(error) => refused(Fault::Request, &format!("the answer cannot be written: {error}")),
    }
}

fn refused(fault: Fault, message: &str) -> String {
    let response = AdminResponse::Failed { fault, message: message.to_owned() };
    serde_json::to_string(&response).expect("texts can be written as JSON")
}

/// Removes the socket of a dead process.
fn make_room(path: &Path, address: &SockAddr) -> Result<(), AdminError> {
    let failed = |error| AdminError::Io(path.to_owned(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => return Err(AdminError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // A live listener with a full queue answers that this would block, and then waiting is no use either.
    probe.set_nonblocking(true).map_err(failed)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(failed(error)),
        _ => Err(AdminError::InUse(path.to_owned())),
    }
}

/// The file of a socket of ours, as opposed to one that came after it under the same name.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            debug!(%error, path = %self.path.display(), "the admin socket was not removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// How many connections may wait for a place.
const BACKLOG: i32 = 128;

/// How many connections are answered at the same time.
pub(crate) const CONNECTIONS_MAX: usize = 16;

/// How long a connection may ask nothing, or not take its answer.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(60);

/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
