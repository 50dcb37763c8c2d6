//! Where IRC comes in, in plaintext or over TLS: from the socket to a connection that can be served. What comes as WebSocket
//! messages goes through `websocket` from here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::limits::{Admission, Admissions};
use super::proxy::{self, Source};
use super::{Bound, Entrance, ListenError, websocket};
use crate::account::Fingerprint;
use crate::config::Scheme;
use crate::connection::{self, Peer};
use crate::node::Node;

/// Opens the listeners for IRC, over TCP and WebSocket, and serves whoever comes, until the node drains; then the ports
/// are closed. Every connection is one of the node's tasks.
///
/// # Errors
/// Where a port cannot be opened; then none is.
///
/// # Panics
/// Where one of them speaks TLS, and `tls` is missing.
pub fn serve(bound: Vec<Bound>, node: &Arc<Node>, tls: Option<Arc<ServerConfig>>) -> Result<(), ListenError> {
    let entrances = bound.into_iter().map(Bound::open).collect::<Result<Vec<_>, _>>()?;
    let admissions = Arc::clone(&node.admissions);
    let partings = Arc::new(Semaphore::new(PARTINGS));
    let web_tls = tls.as_deref().map(|tls| Arc::new(websocket::tls(tls)));
    for entrance in entrances {
        let scheme = entrance.listen().scheme;
        let tls = if scheme.is_websocket() { &web_tls } else { &tls };
        let expected = "there are certificates where a listener speaks TLS";
        let tls = scheme.is_encrypted().then(|| tls.clone().expect(expected));
        let gate = Gate {
            node: Arc::clone(node),
            scheme,
            admissions: Arc::clone(&admissions),
            tls: tls.map(TlsAcceptor::from),
            partings: Arc::clone(&partings),
        };
        node.tasks.spawn(accept(entrance, Arc::new(gate)));
    }
    Ok(())
}

async fn accept(mut entrance: Entrance, gate: Arc<Gate>) {
    loop {
        let (stream, peer) = tokio::select! {
            () = gate.node.drain.cancelled() => return,
            // Cancel-safe.
            accepted = entrance.accept() => accepted,
        };
        gate.node.tasks.spawn(Arc::clone(&gate).take(stream, peer));
    }
}

/// What all connections of one listener pass through.
pub(super) struct Gate {
    pub(super) node: Arc<Node>,
    pub(super) scheme: Scheme,
    pub(super) admissions: Arc<Admissions>,
    tls: Option<TlsAcceptor>,
    /// Connections that end and may take a moment to hear why.
    pub(super) partings: Arc<Semaphore>,
}

/// A connection whose client may be served.
enum Arrived {
    Plain(Plain, Peer, Admission),
    Secure(Box<tokio_rustls::server::TlsStream<TcpStream>>, Peer, Admission),
}

impl Gate {
    async fn take(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let arrived = tokio::select! {
            () = self.node.drain.cancelled() => return,
            // Not cancel-safe; the connection ends with it. In a box, since its state is of no use afterwards.
            arrived = Box::pin(self.greet(stream, peer)) => arrived,
        };
        let served = match arrived {
            Ok(Arrived::Plain(stream, peer, admission)) => self.speak(stream, peer, admission).await,
            Ok(Arrived::Secure(stream, peer, admission)) => self.speak(stream, peer, admission).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection came to nothing");
        }
    }

    /// Serves a client in the language of the listener.
    async fn speak<S>(self: Arc<Self>, stream: S, peer: Peer, admission: Admission) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if self.scheme.is_websocket() {
            return websocket::serve(self, stream, peer, admission).await;
        }
        let node = Arc::clone(&self.node);
        drop(self);
        connection::serve(node, stream, peer, admission).await;
        Ok(())
    }

    /// Learns who it is, whether there is room, and sets up TLS.
    async fn greet(&self, mut stream: TcpStream, peer: SocketAddr) -> io::Result<Arrived> {
        let config = self.node.config();
        let patience = config.tls.handshake_timeout;
        let mut address = peer.ip().to_canonical();
        let is_trusted =
            |address: IpAddr| config.proxy_trusted.iter().any(|trusted| trusted.contains(address));
        if is_trusted(address) && self.begins_with_proxy(&stream, patience).await? {
            let source = in_time(patience, proxy::read(&mut stream)).await;
            if let Err(error) = &source
                && error.kind() == io::ErrorKind::InvalidData
            {
                tracing::warn!(proxy = %address, %error, "a trusted proxy was turned away");
            }
            if let Source::Client(client) = source? {
                address = client.ip().to_canonical();
            }
        }
        let admission = if self.scheme.is_websocket() && is_trusted(address) {
            // It is a proxy that speaks HTTP, which tells later whom it speaks for.
            Admission::uncounted()
        } else if let Some(admission) = self.admissions.admit(address, &config.limits) {
            admission
        } else {
            self.part(stream, self.too_many()).await;
            return Err(io::Error::other("there are too many from its address"));
        };
        let Some(tls) = &self.tls else {
            return Ok(Arrived::Plain(Plain { stream, begun: false }, Peer::plain(address), admission));
        };
        let mut first = [0];
        if in_time(patience, stream.peek(&mut first)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first != [HANDSHAKE] {
            self.part(stream, if self.scheme.is_websocket() { SPEAK_HTTPS } else { SPEAK_TLS }).await;
            return Err(io::Error::other("it does not speak TLS, and this port does"));
        }
        let stream = in_time(patience, tls.accept(stream)).await?;
        // A session that is resumed remembers its certificate.
        let tls = stream.get_ref().1;
        let certificate = tls.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.map(|certificate| Fingerprint::of(certificate));
        let peer = Peer { address, secure: true, names_host: tls.server_name().is_some(), certificate };
        Ok(Arrived::Secure(Box::new(stream), peer, admission))
    }

    /// Whether a trusted proxy begins with a PROXY header; one that speaks HTTP need not.
    async fn begins_with_proxy(&self, stream: &TcpStream, patience: Duration) -> io::Result<bool> {
        if !self.scheme.is_websocket() {
            return Ok(true);
        }
        let mut first = [0];
        let count = in_time(patience, stream.peek(&mut first)).await?;
        Ok(count > 0 && proxy::parse(&first).is_ok())
    }

    fn too_many(&self) -> &'static [u8] {
        match self.scheme {
            _ if self.tls.is_some() => ACCESS_DENIED,
            scheme if scheme.is_websocket() => TOO_MANY_REQUESTS,
            _ => TOO_MANY,
        }
    }

    /// Says a last word and closes in a way that lets it arrive: with bytes unread, the system would reset the connection
    /// and the client might not see the word. Where many are leaving, the rest leave without.
    async fn part(&self, mut stream: TcpStream, last: &[u8]) {
        let Ok(_place) = self.partings.try_acquire() else { return };
        let leave = async {
            stream.write_all(last).await?;
            stream.shutdown().await?;
            let mut rest = (&mut stream).take(PARTING_BYTES);
            let mut buffer = [0; 1024];
            while rest.read(&mut buffer).await? > 0 {}
            io::Result::Ok(())
        };
        // The client may be gone, or not reading: it has had its chance.
        let _ = timeout(PARTING_TIME, leave).await;
    }
}

pub(super) async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(patience, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A plaintext connection that notices a client which begins with TLS: it is told in its own language, and the
/// connection ends.
#[derive(Debug)]
struct Plain {
    stream: TcpStream,
    begun: bool,
}

impl Plain {
    fn refuse_tls(&self) -> io::Error {
        // What is not read makes the system reset the connection, and the client might not see the alert.
        let mut buffer = [0; 1024];
        while self.stream.try_read(&mut buffer).is_ok_and(|count| count > 0) {}
        let sent = self.stream.try_write(PROTOCOL_VERSION);
        let peer = self.stream.peer_addr().ok();
        tracing::debug!(?peer, ?sent, "a client speaks TLS on a plaintext port");
        io::Error::new(io::ErrorKind::InvalidData, "TLS on a plaintext port")
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if !self.begun
            && let Some(first) = buf.filled().get(before)
        {
            if *first == HANDSHAKE {
                return Poll::Ready(Err(self.refuse_tls()));
            }
            self.begun = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The first byte of a TLS connection: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;
/// The fatal alert `access_denied` (RFC 8446, section 6).
const ACCESS_DENIED: &[u8] = &[21, 3, 3, 0, 2, 2, 49];
/// The fatal alert `protocol_version`.
const PROTOCOL_VERSION: &[u8] = &[21, 3, 3, 0, 2, 2, 70];
const TOO_MANY: &[u8] = b"ERROR :Too many connections from your address\r\n";
const TOO_MANY_REQUESTS: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\n\
    Connection: close\r\n\r\nToo many connections from your address\n";
const SPEAK_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This port speaks TLS: wss:// instead of ws://\n";
const SPEAK_TLS: &[u8] = b"ERROR :This port speaks TLS; switch it on in your client\r\n";
/// How many refused connections may take their time to leave.
const PARTINGS: usize = 256;
/// How long such a connection may take.
pub(super) const PARTING_TIME: Duration = Duration::from_secs(2);
/// How much such a connection may still send.
pub(super) const PARTING_BYTES: u64 = 64 * 1024;
