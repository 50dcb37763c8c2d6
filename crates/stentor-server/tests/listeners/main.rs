//! The listeners of a real node, over sockets on loopback.

mod certificates;
mod http;
mod irc;
mod proxy;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use stentor_server::config::{Config, Scheme};
use stentor_server::listener::{self, irc as irc_listener};
use stentor_server::node::Node;
use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use stentor_server::tls::{self, Certificates};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A node with a listener of each kind for clients.
struct Server {
    node: Arc<Node>,
    plain: SocketAddr,
    secure: SocketAddr,
    web: SocketAddr,
    web_secure: SocketAddr,
    connector: TlsConnector,
    /// Whom its clients trust.
    roots: RootCertStore,
    _directory: TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// With more lines of configuration: whole keys, such as `tls.handshake_timeout = "1s"`.
    async fn start_with(settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let config = config(directory.path(), settings);
        let store = EmbeddedStore::open(directory.path(), OpenMode::Create, Durability::Normal);
        let certificates = Certificates::open(&config.tls, directory.path(), SystemTime::now().into());
        let certificates = certificates.expect("certificates are made");
        let bound = listener::bind(&config.listen).expect("loopback has free ports");
        let at = |scheme| {
            let listen = bound.iter().map(listener::Bound::listen).find(|listen| listen.scheme == scheme);
            listen.expect("it is listened on").address
        };
        let (plain, secure) = (at(Scheme::Irc), at(Scheme::Ircs));
        let (web, web_secure) = (at(Scheme::Ws), at(Scheme::Wss));
        let node = Node::start(config, "test.example", store.expect("the store opens")).await;
        let node = node.expect("the node starts");
        let server = tls::server_config(Arc::clone(&certificates)).expect("TLS can be set up");
        irc_listener::serve(bound, &node, Some(server)).expect("the ports open");
        let roots = roots(&certificates);
        let connector = connector(roots.clone());
        Self { node, plain, secure, web, web_secure, connector, roots, _directory: directory }
    }

    async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.plain).await.expect("it is listened on"))
    }

    async fn connect_secure(&self) -> io::Result<Client<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(self.secure).await.expect("it is listened on");
        self.handshake(stream).await
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<Client<TlsStream<TcpStream>>> {
        let name = ServerName::try_from("localhost").expect("a host's name");
        Ok(Client::new(in_time(self.connector.connect(name, stream)).await?))
    }
}

/// One client's side of a connection.
struct Client<S>(BufStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the node takes bytes");
        self.0.flush().await.expect("the node takes bytes");
    }

    /// The next line; empty at the end of the connection.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        in_time(self.0.read_line(&mut line)).await.expect("the connection ends in order");
        line.trim_end().to_owned()
    }

    /// The next line with this in it.
    async fn line_with(&mut self, wanted: &str) -> String {
        loop {
            let line = self.line().await;
            assert!(!line.is_empty(), "the connection ended before a line with {wanted:?} came");
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// Registers as a guest, and returns the host that others see.
    async fn register(&mut self, nick: &str) -> String {
        self.send(format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN #{nick}\r\n")).await;
        let line = self.line_with(" JOIN ").await;
        let source = line.split(' ').next().unwrap_or_default();
        source.rsplit('@').next().unwrap_or_default().to_owned()
    }
}

fn config(directory: &Path, settings: &str) -> Config {
    let text = format!(
        "listen = ['irc://127.0.0.1:0', 'ircs://127.0.0.1:0', 'ws://127.0.0.1:0', 'wss://127.0.0.1:0']\n\
         data.dir = '{}'\naccounts.required = false\naccounts.bcrypt_cost = 4\n\
         accounts.scram_iterations = 4096\ndrain.time = 0\n{settings}\n",
        directory.display()
    );
    Config::from_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The node's authority, and nobody else.
fn roots(certificates: &Certificates) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(certificates.current().authority.clone().expect("the node made it"))
        .expect("it is an authority");
    roots
}

/// A client that trusts these.
fn connector(roots: RootCertStore) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);
