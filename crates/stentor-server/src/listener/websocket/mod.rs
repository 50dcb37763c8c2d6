//! IRC in WebSocket messages (<https://ircv3.net/specs/extensions/websocket>): from an HTTP request to a connection that
//! can be served. One line is one message, and nothing is compressed.
//!
//! - [`handshake`]: who may connect, and what is agreed on
//! - [`frames`]: frames in and out
//! - [`utf8`]: text that comes in pieces
//! - [`stream`]: the stream of lines that a connection is served on

pub(crate) mod frames;
mod handshake;
pub(crate) mod stream;
mod utf8;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::handshake::server::create_response_with_body;

use super::http::answer;
use super::irc::{Gate, in_time};
use super::limits::Admission;
use crate::connection::{self, Peer};
use handshake::{Own, Protocol};
use stream::WebSocket;

/// How WebSocket listeners speak TLS: as those for IRC do, with the protocol `http/1.1`, which browsers ask for, and without
/// asking for a certificate, of which browsers would make a question to the person.
pub(super) fn tls(irc: &ServerConfig) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(irc.crypto_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider speaks these versions for IRC, too")
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&irc.cert_resolver));
    config.alpn_protocols = vec![ALPN_HTTP.to_vec()];
    config.ticketer = Arc::clone(&irc.ticketer);
    config
}

/// Answers one request, and serves the client if it asked for a WebSocket and may have one.
///
/// # Errors
/// Why nothing came of it.
pub(super) async fn serve<S>(gate: Arc<Gate>, stream: S, peer: Peer, admission: Admission) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (node, partings) = (Arc::clone(&gate.node), Arc::clone(&gate.partings));
    let patience = node.config().tls.handshake_timeout;
    let host = Host { gate, peer, stage: Mutex::new(Stage::Waiting(admission)) };
    let agreed = tokio::select! {
        () = node.drain.cancelled() => return Ok(()),
        // Not cancel-safe; the connection ends with it. In a box, since its state is of no use afterwards.
        agreed = Box::pin(in_time(patience, agree(host, stream))) => agreed?,
    };
    let Some((stream, early, Granted { protocol, peer, admission })) = agreed else {
        return Ok(());
    };
    let mut socket = WebSocket::new(stream, early, protocol, node.drain.clone());
    connection::serve(Arc::clone(&node), &mut socket, peer, admission).await;
    if let Ok(_place) = partings.try_acquire() {
        tokio::select! {
            () = node.stop.cancelled() => {}
            // The connection ends either way.
            () = socket.part() => {}
        }
    }
    Ok(())
}

/// Speaks HTTP for one request. The stream comes back with what was read too much, if a WebSocket was granted.
async fn agree<S>(host: Host, stream: S) -> io::Result<Option<(S, Bytes, Granted)>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let host = Arc::new(host);
    let service = {
        let host = Arc::clone(&host);
        service_fn(move |request| {
            let answer = host.answer(request);
            async move { Ok::<_, Infallible>(answer) }
        })
    };
    let mut http = http1::Builder::new();
    http.max_buf_size(REQUEST_MAX).header_read_timeout(None);
    http.serve_connection(TokioIo::new(stream), service).with_upgrades().await.map_err(io::Error::other)?;
    let Stage::Granted(upgrade, granted) = host.next_stage(Stage::Over) else { return Ok(None) };
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let parts =
        upgraded.downcast::<TokioIo<S>>().map_err(|_| io::Error::other("the stream is another one"))?;
    let Parts { io, read_buf, .. } = parts;
    Ok(Some((io.into_inner(), read_buf, granted)))
}

/// The node as one visitor sees it.
struct Host {
    gate: Arc<Gate>,
    /// Who has connected: the client, or a proxy.
    peer: Peer,
    stage: Mutex<Stage>,
}

/// How far a visit has come.
enum Stage {
    /// Nothing has been granted. The visitor's place among the connections of its address.
    Waiting(Admission),
    Granted(OnUpgrade, Granted),
    Over,
}

/// What a client gets that asked for a WebSocket.
struct Granted {
    protocol: Option<Protocol>,
    /// The client.
    peer: Peer,
    admission: Admission,
}

impl Host {
    fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let node = &self.gate.node;
        let mut answer = match (request.method(), request.uri().path()) {
            (&Method::GET, "/live") => answer(StatusCode::OK, "live").into_response(),
            (&Method::GET, "/ready") => match node.ready() {
                Ok(()) => answer(StatusCode::OK, "ready").into_response(),
                Err(why) => answer(StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
            },
            _ => match self.upgrade(request) {
                Ok(granted) => return granted,
                Err(refusal) => *refusal,
            },
        };
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn upgrade(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Box<Response<Body>>> {
        let mut response =
            create_response_with_body(&request, Body::empty).map_err(|_| Box::new(not_asked(&request)))?;
        let peer = self.client(&request)?;
        let config = self.gate.node.config();
        let own = Own {
            origins: &config.websocket_origins,
            names: &config.tls.names,
            encrypted: self.gate.scheme.is_encrypted(),
        };
        if let Err(origin) = handshake::check_origin(request.headers(), own) {
            tracing::info!(origin, "a web page was refused that `websocket.origins` does not list");
            return Err(refused(StatusCode::FORBIDDEN, ORIGIN));
        }
        let admission = match self.next_stage(Stage::Over) {
            // A proxy has no place of its own; its client has.
            Stage::Waiting(_) if peer.address != self.peer.address => {
                self.gate.admissions.admit(peer.address, &config.limits)
            }
            Stage::Waiting(admission) => Some(admission),
            Stage::Granted(..) | Stage::Over => None,
        };
        let Some(admission) = admission else {
            return Err(refused(StatusCode::TOO_MANY_REQUESTS, "Too many connections from your address"));
        };
        let protocol = Protocol::choose(request.headers());
        if let Some(protocol) = protocol {
            let name = HeaderValue::from_static(protocol.name());
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        let granted = Granted { protocol, peer, admission };
        self.next_stage(Stage::Granted(hyper::upgrade::on(&mut request), granted));
        Ok(response)
    }

    /// Goes on to another stage, and returns the one before.
    fn next_stage(&self, next: Stage) -> Stage {
        std::mem::replace(&mut *self.stage.lock().expect("no holder of a stage panics"), next)
    }

    /// The client, who may be behind a proxy.
    fn client(&self, request: &Request<Incoming>) -> Result<Peer, Box<Response<Body>>> {
        let config = self.gate.node.config();
        if !config.proxy_trusted.iter().any(|trusted| trusted.contains(self.peer.address)) {
            return Ok(self.peer.clone());
        }
        let Some(client) = handshake::forwarded_for(request.headers(), &config.proxy_trusted) else {
            tracing::warn!(proxy = %self.peer.address, "a trusted proxy did not tell whom it speaks for");
            return Err(refused(StatusCode::BAD_REQUEST, NOBODY));
        };
        let is_near = self.peer.secure || self.peer.address.is_loopback();
        let secure = is_near && handshake::forwarded_secure(request.headers());
        Ok(Peer { address: client, secure, names_host: false, certificate: None })
    }
}

/// The answer to a request for something else, or for a WebSocket in another form.
fn not_asked(request: &Request<Incoming>) -> Response<Body> {
    let headers = request.headers();
    let is_other_version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13");
    if headers.contains_key(header::UPGRADE) && !is_other_version {
        return *refused(StatusCode::BAD_REQUEST, "This is no request for a WebSocket as RFC 6455 has it");
    }
    let mut response = *refused(StatusCode::UPGRADE_REQUIRED, "IRC is spoken here, over WebSocket");
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn refused(status: StatusCode, text: &str) -> Box<Response<Body>> {
    Box::new(answer(status, text).into_response())
}

const ALPN_HTTP: &[u8] = b"http/1.1";
const ORIGIN: &str = "This page may not connect here. The operator can list it in `websocket.origins`";
const NOBODY: &str =
    "A trusted proxy has to tell whom it speaks for, in X-Forwarded-For or by the PROXY protocol";
/// How long a request may be, its headers included.
pub(crate) const REQUEST_MAX: usize = 16 * 1024;
