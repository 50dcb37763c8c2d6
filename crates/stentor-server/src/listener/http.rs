//! `/live` and `/ready`, for whatever watches over the process.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Bound, Entrance, ListenError};
use crate::node::Node;

/// What `/ready` tells: it outlives the node, before and after.
#[derive(Debug)]
pub struct Health(RwLock<Stage>);

#[derive(Debug)]
enum Stage {
    Starting(String),
    Running(Arc<Node>),
}

impl Default for Health {
    fn default() -> Self {
        Self(RwLock::new(Stage::Starting("starting".to_owned())))
    }
}

impl Health {
    /// Notes why there is no node yet.
    pub fn starting(&self, why: &str) {
        *self.0.write().expect("no writer of the stage panics") = Stage::Starting(why.to_owned());
    }

    /// Notes that there is a node; from now on it is asked.
    pub fn running(&self, node: &Arc<Node>) {
        *self.0.write().expect("no writer of the stage panics") = Stage::Running(Arc::clone(node));
    }

    /// Whether clients may be sent here.
    ///
    /// # Errors
    /// Why not, in a few words.
    pub fn ready(&self) -> Result<(), String> {
        match &*self.0.read().expect("no writer of the stage panics") {
            Stage::Starting(why) => Err(why.clone()),
            Stage::Running(node) => node.ready().map_err(str::to_owned),
        }
    }
}

/// Opens a listener for HTTP and answers until `stop`.
///
/// # Errors
/// Where the port cannot be opened.
pub fn serve(
    bound: Bound,
    health: &Arc<Health>,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Result<(), ListenError> {
    let entrance = bound.open()?;
    let routes = Router::new()
        .route("/live", get(|| async { answer(StatusCode::OK, "live") }))
        .route("/ready", get(ready))
        .with_state(Arc::clone(health));
    let door = Door { entrance, places: Arc::new(Semaphore::new(PLACES)) };
    let served = axum::serve(door, routes).with_graceful_shutdown(stop.cancelled_owned());
    tasks.spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "/live and /ready are answered no more");
        }
    });
    Ok(())
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    match health.ready() {
        Ok(()) => answer(StatusCode::OK, "ready"),
        Err(why) => answer(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// A page of one line.
pub(super) fn answer(status: StatusCode, text: &str) -> impl IntoResponse + use<> {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, format!("{text}\n"))
}

/// Takes in a few connections at a time; others wait.
struct Door {
    entrance: Entrance,
    places: Arc<Semaphore>,
}

/// A connection that ends when its time is over, however slow the other side is, or when it has sent more than requests
/// for two pages can have.
struct Visit {
    stream: TcpStream,
    /// How many bytes it may still send.
    left: usize,
    over: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl axum::serve::Listener for Door {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed");
        let (stream, peer) = self.entrance.accept().await;
        (Visit { stream, left: VISIT_BYTES, over: Box::pin(tokio::time::sleep(VISIT)), _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.entrance.listen().address)
    }
}

impl Visit {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.over.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        self.left = self.left.checked_sub(read).ok_or(io::ErrorKind::InvalidData)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How many connections are served at the same time.
pub(crate) const PLACES: usize = 64;
/// How long a connection lasts; whoever asks more often opens another one.
pub(crate) const VISIT: Duration = Duration::from_secs(15);
/// How much a connection may send in all.
pub(crate) const VISIT_BYTES: usize = 32 * 1024;
