//! Opening a connection: all addresses of a host, then TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::{ConnectError, Connection, ServerUrl};
use crate::trust::{CertificateProblem, Rejection, Trust, TrustError};

/// Opens connections to one server.
#[derive(Debug)]
pub struct Dialer {
    server: ServerUrl,
    trust: Trust,
    plaintext_allowed: bool,
}

impl Dialer {
    /// Connects to `server`, whose certificate `trust` judges. Without TLS it connects to addresses of this machine
    /// alone, unless `plaintext_allowed`.
    #[must_use]
    pub fn new(server: ServerUrl, trust: Trust, plaintext_allowed: bool) -> Self {
        Self { server, trust, plaintext_allowed }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Trusts from now on what the server showed.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn remember(&self, rejection: &Rejection) -> Result<(), TrustError> {
        self.trust.remember(rejection)
    }

    /// Opens a connection. It takes half a minute at most.
    ///
    /// # Errors
    /// Where the server cannot be reached, or is not trusted.
    pub async fn dial(&self) -> Result<Connection, ConnectError> {
        let addresses = self.addresses().await?;
        let tcp = first_to_answer(addresses).await.map_err(|why| self.unreachable(&why))?;
        // Lines are small, and somebody waits for each.
        let _ = tcp.set_nodelay(true);
        if !self.server.tls() {
            return Ok(Connection::new(Box::new(tcp)));
        }
        let connector = TlsConnector::from(self.trust.client_config(&self.server)?);
        let handshake = connector.connect(self.server.server_name(), tcp);
        match timeout(HANDSHAKE_MAX, handshake).await {
            Ok(Ok(stream)) => {
                // Where it cannot be stored, the fingerprint has to be given again the next time, and nothing is worse.
                let _ = self.trust.accepted(&self.server);
                Ok(Connection::new(Box::new(stream)))
            }
            Ok(Err(error)) => Err(self.failed_handshake(&error)),
            Err(_) => Err(self.unreachable("it takes connections, but does not answer in TLS")),
        }
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = timeout(LOOKUP_MAX, lookup_host((self.server.host(), self.server.port()))).await;
        let found = found.map_err(|_| self.unreachable("looking up its name takes too long"))?;
        let found = found.map_err(|error| self.unreachable(&error.to_string()))?;
        let may = |address: &SocketAddr| {
            self.server.tls() || self.plaintext_allowed || address.ip().to_canonical().is_loopback()
        };
        let (usable, refused): (Vec<_>, Vec<_>) = found.partition(may);
        match (usable.is_empty(), refused.is_empty()) {
            (false, _) => Ok(in_turns(usable)),
            (true, true) => Err(self.unreachable("its name has no address")),
            (true, false) => Err(self.unreachable(
                "it is another machine, to which everything would go without encryption; use ircs://, or say \
                 --allow-plaintext",
            )),
        }
    }

    fn failed_handshake(&self, error: &io::Error) -> ConnectError {
        if let Some(problem) = CertificateProblem::of(error) {
            return ConnectError::Certificate(Box::new(problem));
        }
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let why = match tls {
            Some(rustls::Error::InvalidMessage(_)) => {
                "what answers does not speak TLS; is it the right port? (irc:// speaks plaintext)".to_owned()
            }
            _ if error.kind() == io::ErrorKind::UnexpectedEof => {
                "it closed the connection within the TLS handshake; is it the right port?".to_owned()
            }
            _ => error.to_string(),
        };
        self.unreachable(&why)
    }

    fn unreachable(&self, why: &str) -> ConnectError {
        ConnectError::Unreachable(format!("{} cannot be reached: {why}", self.server))
    }
}

/// Both families by turns, the first of the list first (RFC 8305, section 4).
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut all = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => return all,
            (a, b) => all.extend(a.into_iter().chain(b)),
        }
    }
}

/// Tries the addresses, each a moment after the one before or as soon as that fails, and takes the first that answers
/// (RFC 8305, section 5). In words, why none does.
async fn first_to_answer(addresses: Vec<SocketAddr>) -> Result<TcpStream, String> {
    let mut waiting = addresses.into_iter().take(ADDRESSES_MAX);
    // Dropped with this future, which ends all attempts.
    let mut attempts = JoinSet::new();
    let mut failures: Vec<String> = Vec::new();
    loop {
        let more = waiting.next();
        let all_begun = more.is_none();
        if let Some(address) = more {
            attempts.spawn(attempt(address));
        }
        tokio::select! {
            () = sleep(STAGGER), if !all_begun => {}
            done = attempts.join_next() => match done {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(why))) => failures.push(why),
                Some(Err(error)) => failures.push(error.to_string()),
                None => return Err(failures.join("; ")),
            },
        }
    }
}

async fn attempt(address: SocketAddr) -> Result<TcpStream, String> {
    match timeout(ATTEMPT_MAX, TcpStream::connect(address)).await {
        // While nothing listens on a port of this machine, TCP can connect a socket of that number to itself.
        Ok(Ok(stream)) if stream.local_addr().is_ok_and(|own| own == address) => {
            Err(format!("{address}: nothing listens there"))
        }
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("{address}: {}", plain(&error))),
        Err(_) => Err(format!("{address}: no answer within {} seconds", ATTEMPT_MAX.as_secs())),
    }
}

/// What went wrong, without the number that the system has for it.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there (connection refused)".to_owned(),
        io::ErrorKind::NetworkUnreachable => "there is no way to this network".to_owned(),
        io::ErrorKind::HostUnreachable => "there is no way to this host".to_owned(),
        _ => error.to_string(),
    }
}

/// How long a look-up of the name may take.
const LOOKUP_MAX: Duration = Duration::from_secs(10);
/// How long one address has to answer.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long after one address the next is tried, too.
const STAGGER: Duration = Duration::from_millis(250);
/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 16;
/// How long the TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns_beginning_with_the_preferred_one() {
        let v4 = |last| SocketAddr::from((Ipv4Addr::new(192, 0, 2, last), 1));
        let v6 = |last| SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last), 1));
        assert_eq!(in_turns(vec![v6(1), v6(2), v6(3), v4(1)]), [v6(1), v4(1), v6(2), v6(3)]);
        assert_eq!(in_turns(vec![v4(1), v6(1), v4(2)]), [v4(1), v6(1), v4(2)]);
        assert!(in_turns(vec![]).is_empty());
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_keep_the_next_from_answering() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let stream = first_to_answer(vec![closed, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let why = first_to_answer(vec![closed]).await.unwrap_err();
        assert!(why.contains(&closed.to_string()) && why.contains("refused"), "{why}");
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_told_from_a_bad_certificate() {
        use tokio::io::AsyncWriteExt as _;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = format!("ircs://127.0.0.1:{port}").parse().unwrap();
        let dialer = Dialer::new(server, Trust::new(Default::default()), false);
        let plain = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b":irc.example NOTICE * :looking up your host\r\n").await.unwrap();
            stream
        };
        let (error, _stream) = tokio::join!(dialer.dial(), plain);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("does not speak TLS") && error.contains(&port.to_string()), "{error}");
    }
}
