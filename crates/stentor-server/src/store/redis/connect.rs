//! Opens a connection: TCP, TLS, login.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use stentor_proto::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::resp::{self, Decoder, Value};
use super::settings::{Address, RedisSettings};

/// Why there is no store to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// It did not answer, or not now: trying again may help.
    Unreachable(String),
    /// It answered, and trying again will not help: a wrong password or certificate, too few rights, a version or
    /// setting that does not do, data of a newer format.
    Refused(String),
}

/// What it takes to open a connection, checked once.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

/// An open connection on which nobody waits for a reply.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    pub(super) decoder: Decoder,
    pub(super) inbox: BytesMut,
}

/// What bytes come from and go to.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

impl Connector {
    /// Reads the certificates that `settings` holds.
    pub(super) async fn new(settings: &RedisSettings) -> Result<Self, ConnectError> {
        let address = Address::parse(settings)?;
        let tls = if address.tls {
            let settings = settings.clone();
            // The system's whole store of authorities is read here.
            let config = tokio::task::spawn_blocking(move || tls_config(&settings))
                .await
                .map_err(|error| ConnectError::Unreachable(error.to_string()))??;
            let name = ServerName::try_from(address.host.clone()).map_err(|_| {
                ConnectError::Refused(format!("{:?} is no name that a certificate can have", address.host))
            })?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self { address, tls, timeout: settings.connect_timeout })
    }

    /// Opens a connection, logs in and chooses the database. One reply may have `limit` bytes.
    pub(super) async fn open(&self, limit: usize) -> Result<Connection, ConnectError> {
        let hint = if self.tls.is_some() { MAYBE_PLAIN } else { "" };
        let late = |_| ConnectError::Unreachable(format!("{} did not answer in time{hint}", self.address));
        tokio::time::timeout(self.timeout, self.open_slowly(limit)).await.map_err(late)?
    }

    async fn open_slowly(&self, limit: usize) -> Result<Connection, ConnectError> {
        let Address { host, port, .. } = &self.address;
        let failed = |error| of_io(&self.address, &error);
        let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some((tls, name)) => Box::new(tls.connect(name.clone(), tcp).await.map_err(failed)?),
            None => Box::new(tcp),
        };
        let mut connection = Connection { stream, decoder: Decoder::new(limit), inbox: BytesMut::new() };
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    async fn log_in(&self, connection: &mut Connection) -> Result<(), ConnectError> {
        let mut hello = vec!["HELLO", "3"];
        let Address { username, password, .. } = &self.address;
        if username.is_some() || password.is_some() {
            let user = username.as_deref().unwrap_or("default");
            hello.extend(["AUTH", user, password.as_ref().map_or("", Secret::expose)]);
        }
        hello.extend(["SETNAME", "stentor"]);
        if let Value::Error(text) = self.ask(connection, &hello).await? {
            return Err(of_hello(&self.address, &text));
        }
        if self.address.database > 0 {
            let database = self.address.database.to_string();
            if let Value::Error(text) = self.ask(connection, &["SELECT", &database]).await? {
                return Err(of_reply(&self.address, &text));
            }
        }
        Ok(())
    }

    /// Sends one command and awaits its reply.
    pub(super) async fn ask(
        &self,
        connection: &mut Connection,
        parts: &[&str],
    ) -> Result<Value, ConnectError> {
        self.send(connection, &resp::command(parts)).await
    }

    /// Sends encoded commands and awaits the first reply.
    pub(super) async fn send(
        &self,
        connection: &mut Connection,
        commands: &[u8],
    ) -> Result<Value, ConnectError> {
        connection.ask(commands).await.map_err(|error| of_io(&self.address, &error))
    }
}

impl Connection {
    /// Sends encoded commands and awaits the first reply. Pushes before it are left out.
    async fn ask(&mut self, commands: &[u8]) -> io::Result<Value> {
        self.stream.write_all(commands).await?;
        self.stream.flush().await?;
        loop {
            match self.decoder.next(&mut self.inbox).map_err(damaged)? {
                Some(Value::Push(_)) => {}
                Some(value) => return Ok(value),
                None if self.stream.read_buf(&mut self.inbox).await? == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                None => {}
            }
        }
    }
}

/// What an error reply at the start means.
pub(super) fn of_reply(address: &Address, text: &str) -> ConnectError {
    let message = format!("{address}: {text}");
    if is_temporary(text) { ConnectError::Unreachable(message) } else { ConnectError::Refused(message) }
}

/// Whether the server says that it cannot just now.
pub(super) fn is_temporary(text: &str) -> bool {
    let code = text.split(' ').next().unwrap_or_default();
    matches!(
        code,
        "OOM"
            | "MISCONF"
            | "READONLY"
            | "LOADING"
            | "BUSY"
            | "MASTERDOWN"
            | "NOREPLICAS"
            | "CLUSTERDOWN"
            | "TRYAGAIN"
            | "MOVED"
            | "ASK"
    ) || text.starts_with("ERR max number of clients")
}

impl ConnectError {
    /// The reason alone, for a sentence that says what it is the reason of.
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Unreachable(why) | Self::Refused(why) => why,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the store cannot be reached: {why}"),
            Self::Refused(why) => write!(f, "the store cannot be used: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {}

fn tls_config(settings: &RedisSettings) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    match &settings.ca {
        Some(text) => {
            for certificate in certificates("the authorities to trust", text)? {
                let wrong = |error| ConnectError::Refused(format!("the authorities to trust: {error}"));
                roots.add(certificate).map_err(wrong)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(ConnectError::Refused("there is no certificate authority to trust".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Refused(error.to_string()))?
        .with_root_certificates(roots);
    let Some((chain, key)) = &settings.client_certificate else { return Ok(config.with_no_client_auth()) };
    let what = "the certificate for the store";
    let secret = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|error| ConnectError::Refused(format!("the key of {what}: {error}")))?;
    config
        .with_client_auth_cert(certificates(what, chain)?, secret)
        .map_err(|error| ConnectError::Refused(format!("{what}: {error}")))
}

/// All certificates of a text; none at all is an error too.
fn certificates(what: &str, text: &str) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(ConnectError::Refused(format!("{what}: there is no certificate")))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(ConnectError::Refused(format!("{what}: {error}"))),
    }
}

/// What a failure of the line means: TLS that was turned down stays so, everything else may pass.
fn of_io(address: &Address, error: &io::Error) -> ConnectError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls @ rustls::Error::InvalidMessage(_)) => {
            ConnectError::Refused(format!("{address}: {tls}{MAYBE_PLAIN}"))
        }
        Some(tls) => ConnectError::Refused(format!("{address}: {tls}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof && address.tls => {
            ConnectError::Unreachable(format!("{address}: the connection was closed{MAYBE_PLAIN}"))
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof && !address.tls => ConnectError::Unreachable(
            format!("{address}: the connection was closed during the login (does it want TLS, rediss://?)"),
        ),
        None => ConnectError::Unreachable(format!("{address}: {error}")),
    }
}

fn of_hello(address: &Address, text: &str) -> ConnectError {
    if text.starts_with("ERR unknown command") || text.starts_with("NOPROTO") {
        return ConnectError::Refused(format!("{address}: {text} (Redis or Valkey 7 or newer is needed)"));
    }
    if text.starts_with("NOAUTH") && address.password.is_none() {
        return ConnectError::Refused(format!(
            "{address}: it wants a password (NOAUTH); set `redis.password_file`, and `redis.username` unless the user is \
             `default`"
        ));
    }
    of_reply(address, text)
}

fn damaged(error: resp::Damaged) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.0)
}

/// Added where a server was asked for TLS and gave an answer that is none, or no answer.
const MAYBE_PLAIN: &str = " (does it speak TLS there? If not, its URL begins with redis://)";
