//! Where clients come in.
//!
//! - [`irc`]: IRC, in plaintext or over TLS
//! - `websocket`: IRC in WebSocket messages, in plaintext or over TLS
//! - [`http`]: `/live` and `/ready`
//! - [`proxy`]: the PROXY protocol, with which proxies tell whom they speak for
//! - [`limits`]: how many connections one address may have
//!
//! A port is taken with [`bind`] and opened later: what is bound has its number, and takes nobody in yet.

pub mod http;
pub mod irc;
pub mod limits;
pub mod proxy;
pub(crate) mod websocket;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::backoff::Backoff;
use crate::config::Listen;

/// A port that is ours, and not open yet.
#[derive(Debug)]
pub struct Bound {
    listen: Listen,
    socket: Socket,
}

/// Why a listener could not be opened.
#[derive(Debug)]
pub struct ListenError {
    /// Which.
    pub listen: Listen,
    /// What the system says.
    pub error: io::Error,
}

/// Takes the ports of all listeners.
///
/// # Errors
/// [`ListenError`] names the one that cannot be had.
pub fn bind(wanted: &[Listen]) -> Result<Vec<Bound>, ListenError> {
    wanted.iter().map(|listen| Bound::new(*listen, wanted)).collect()
}

impl Bound {
    fn new(listen: Listen, all: &[Listen]) -> Result<Self, ListenError> {
        let SocketAddr::V6(address) = listen.address else {
            return Self::at(listen, false).map_err(|error| ListenError { listen, error });
        };
        let alone = has_twin(address.port(), all);
        match Self::at(listen, alone) {
            Err(error) if address.ip().is_unspecified() && !alone && is_missing(&error) => {
                let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                tracing::warn!(wanted = %listen, "this machine has no IPv6: listening on IPv4 alone");
                let listen = Listen { address: all, ..listen };
                Self::at(listen, false).map_err(|error| ListenError { listen, error })
            }
            bound => bound.map_err(|error| ListenError { listen, error }),
        }
    }

    /// Takes a port; `[::]` stands for IPv4 too, unless `only_v6`.
    fn at(listen: Listen, only_v6: bool) -> io::Result<Self> {
        let domain = Domain::for_address(listen.address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(only_v6)?;
        }
        // After a restart, connections of the process before may still linger on the port.
        #[cfg(unix)]
        socket.set_reuse_address(listen.address.port() != 0)?;
        socket.set_nonblocking(true)?;
        socket.bind(&listen.address.into())?;
        let address = socket.local_addr()?.as_socket().unwrap_or(listen.address);
        Ok(Self { listen: Listen { address, ..listen }, socket })
    }

    /// What is spoken, and where: with the port that the system chose.
    #[must_use]
    pub fn listen(&self) -> Listen {
        self.listen
    }

    /// Opens the port. To be called within the runtime.
    ///
    /// # Errors
    /// Where another process was faster.
    pub fn open(self) -> Result<Entrance, ListenError> {
        let listen = self.listen;
        let opened = self.socket.listen(BACKLOG).and_then(|()| TcpListener::from_std(self.socket.into()));
        let listener = opened.map_err(|error| ListenError { listen, error })?;
        tracing::info!("listening on {listen}");
        Ok(Entrance { listen, listener, backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE) })
    }
}

/// An open port.
#[derive(Debug)]
pub struct Entrance {
    listen: Listen,
    listener: TcpListener,
    backoff: Backoff,
}

impl Entrance {
    /// What is spoken, and where.
    #[must_use]
    pub fn listen(&self) -> Listen {
        self.listen
    }

    /// The next connection. Trouble of the system's, such as too few descriptors, is waited out. Cancel-safe.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.backoff.reset();
                    // What is written at once is meant to be sent at once.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection was gone before it was taken");
                        continue;
                    }
                    return (stream, peer);
                }
                Err(error) if is_of_client(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was taken");
                }
                Err(error) => {
                    if self.backoff.is_fresh() {
                        tracing::error!(%error, "{} takes no connection; trying again", self.listen);
                    }
                    tokio::time::sleep(self.backoff.next_pause()).await;
                }
            }
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listen, error } = self;
        write!(f, "cannot listen on {listen}: ")?;
        let scheme = listen.scheme.as_str();
        let ip = SocketAddr::new(listen.address.ip(), 0);
        let ip = ip.to_string();
        let ip = ip.strip_suffix(":0").unwrap_or(&ip);
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "port {} is in use. Stop the program that has it, or choose another port: --listen {scheme}://{ip}:PORT",
                listen.address.port()
            ),
            io::ErrorKind::PermissionDenied => write!(
                f,
                "the system does not allow it ({error}). Ports below 1024 need a privilege; choose another: --listen \
                 {scheme}://{ip}:PORT"
            ),
            io::ErrorKind::AddrNotAvailable => {
                write!(
                    f,
                    "this machine does not have the address {ip}. Choose one that it has, or [::] for all"
                )
            }
            _ => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Whether another listener wants the same port over IPv4; then `[::]` leaves it that.
fn has_twin(port: u16, all: &[Listen]) -> bool {
    port != 0 && all.iter().any(|other| other.address.is_ipv4() && other.address.port() == port)
}

/// Whether the machine has no IPv6 at all: it is not built in, or it is switched off.
fn is_missing(error: &io::Error) -> bool {
    let unknown_family = cfg!(unix) && error.raw_os_error() == Some(EAFNOSUPPORT);
    unknown_family || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

/// Whether an accept failed because of the one connection that was to be taken.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// How many connections may wait to be taken; a login storm is longer than the usual 128.
const BACKLOG: i32 = 1024;
/// The system's number for an address family that it does not have.
const EAFNOSUPPORT: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };
/// How long to wait after the first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(text: &str) -> Listen {
        text.parse().unwrap()
    }

    #[test]
    fn all_addresses_are_those_of_ipv4_too_unless_another_listener_has_them() {
        let bound = bind(&[listen("ircs://[::]:0")]).unwrap();
        let [bound] = bound.as_slice() else { panic!("one listener was asked for") };
        let address = bound.listen().address;
        assert_ne!(address.port(), 0);
        // A machine without IPv6 listens on IPv4 alone.
        assert!(address.is_ipv4() || !bound.socket.only_v6().unwrap());
        let both = [listen("ircs://[::]:6697"), listen("ircs://0.0.0.0:6697"), listen("irc://127.0.0.1:0")];
        assert!(has_twin(6697, &both) && !has_twin(6698, &both) && !has_twin(0, &both));
    }

    #[test]
    fn what_the_system_refuses_is_told_with_a_way_out() {
        let told =
            |listen: Listen, kind: io::ErrorKind| ListenError { listen, error: kind.into() }.to_string();
        let six = listen("ircs://[2001:db8::1]:697");
        assert!(told(six, io::ErrorKind::AddrInUse).ends_with("--listen ircs://[2001:db8::1]:PORT"));
        assert!(told(six, io::ErrorKind::PermissionDenied).contains("Ports below 1024"));
        assert!(told(six, io::ErrorKind::AddrNotAvailable).contains("the address [2001:db8::1]"));
    }
}
