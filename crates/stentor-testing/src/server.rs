//! A node in this process with a real store, and clients that talk to it over sockets.
//!
//! There are no sleeps: a test waits for a line, or for the PONG that follows all that a command caused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stentor_server::account::Password;
use stentor_server::config::Config;
use stentor_server::connection::{self, Peer};
use stentor_server::listener::limits::Admission;
use stentor_server::node::Node;
use stentor_server::store::Store;
use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::bad_line::BadLine;
use crate::client::TestClient;
use crate::message::Said;

/// A node with an embedded store of its own, and one plaintext listener on loopback.
pub struct TestServer {
    /// The node, for what no client can ask.
    pub node: Arc<Node>,
    address: SocketAddr,
    directory: TempDir,
}

impl TestServer {
    /// A node that lets guests in, hashes cheaply and has no limits on how fast clients send.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with some keys of the configuration at other values: `("accounts.required", "true")`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        Self::start_in(directory, settings).await
    }

    /// Ends the node, and starts another one in its directory.
    pub async fn restart(self, settings: &[(&str, &str)]) -> Self {
        self.node.shutdown().await;
        Self::start_in(self.directory, settings).await
    }

    /// Ends the node, and starts another one in its directory, at the other end of a line that is good for now.
    pub async fn restart_on_a_bad_line(self) -> (Arc<BadLine>, Self) {
        self.node.shutdown().await;
        let store: Arc<dyn Store> = open(&self.directory);
        let line = BadLine::to(&store, &[]);
        let server = Self::start_on(line.clone(), NODE, self.directory, &[]).await;
        (line, server)
    }

    async fn start_in(directory: TempDir, settings: &[(&str, &str)]) -> Self {
        Self::start_on(open(&directory), NODE, directory, settings).await
    }

    /// A node of this name on a store that is open already.
    pub async fn start_on(
        store: Arc<dyn Store>,
        name: &str,
        directory: TempDir,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut all: BTreeMap<&str, &str> = BTreeMap::from(DEFAULTS);
        all.extend(settings.iter().copied());
        let mut text = String::new();
        for (key, value) in all {
            let _ = writeln!(text, "{key} = {value}");
        }
        let _ = writeln!(text, "data.dir = '{}'", directory.path().display());
        let config = Config::from_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let node = Node::start(config, name, store).await.expect("the node starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        node.tasks.spawn(accept(node.clone(), listener));
        Self { node, address, directory }
    }

    /// A connection that has said nothing yet.
    pub async fn connect(&self) -> TestClient {
        TestClient::connect(self.address).await
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection that the node takes to come from this address, as behind a proxy.
    pub async fn connect_from(&self, address: IpAddr) -> TestClient {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let at = listener.local_addr().expect("a bound listener has an address");
        let (client, accepted) = tokio::join!(TestClient::connect(at), listener.accept());
        let (stream, _) = accepted.expect("loopback accepts");
        let _ = stream.set_nodelay(true);
        let served =
            connection::serve(self.node.clone(), stream, Peer::plain(address), Admission::uncounted());
        self.node.tasks.spawn(served);
        client
    }

    /// A guest, welcomed, without capabilities.
    pub async fn client(&self, nick: &str) -> TestClient {
        self.client_with(nick, &[]).await
    }

    /// A guest, welcomed, with these capabilities.
    pub async fn client_with(&self, nick: &str, capabilities: &[&str]) -> TestClient {
        let mut client = self.connect().await;
        client.register(nick, None, capabilities).await;
        client
    }

    /// A client that is logged in to the account of its nick, with these capabilities.
    pub async fn login(&self, account: &str, password: &str, capabilities: &[&str]) -> TestClient {
        self.login_and_read(account, password, capabilities).await.0
    }

    /// The same, with what was told from the welcome on.
    pub async fn login_and_read(
        &self,
        account: &str,
        password: &str,
        capabilities: &[&str],
    ) -> (TestClient, Vec<Said>) {
        let mut client = self.connect().await;
        let lines = client.register(account, Some(password), capabilities).await;
        (client, lines)
    }

    /// Makes an account.
    pub async fn account(&self, name: &str, password: &str) {
        let password = Password::new(password).expect("a test's password is legal");
        self.node.accounts.add(name, &password).await.expect("the account can be made");
    }

    /// What the server calls itself.
    pub fn name(&self) -> &str {
        &self.node.server_name
    }

    /// Ends the node as SIGTERM does.
    pub async fn shutdown(self) {
        self.node.shutdown().await;
    }
}

fn open(directory: &TempDir) -> Arc<EmbeddedStore> {
    EmbeddedStore::open(directory.path(), OpenMode::Create, Durability::Normal).expect("the store opens")
}

async fn accept(node: Arc<Node>, listener: TcpListener) {
    loop {
        let (stream, from) = tokio::select! {
            () = node.drain.cancelled() => return,
            () = node.stop.cancelled() => return,
            accepted = listener.accept() => accepted.expect("loopback accepts"),
        };
        let _ = stream.set_nodelay(true);
        node.tasks.spawn(connection::serve(
            node.clone(),
            stream,
            Peer::plain(from.ip()),
            Admission::uncounted(),
        ));
    }
}

/// The node's name, and so the server's.
const NODE: &str = "test.example";

/// What differs from the configuration's own defaults.
const DEFAULTS: [(&str, &str); 11] = [
    ("accounts.password_min", "1"),
    ("accounts.scram_iterations", "4096"),
    ("accounts.bcrypt_cost", "4"),
    ("accounts.required", "false"),
    ("accounts.registration", "'open'"),
    ("limits.lines_per_second", "0"),
    ("limits.connections_per_address", "0"),
    ("limits.unregistered_per_address", "0"),
    ("limits.registration_timeout", "0"),
    ("limits.ping_interval", "0"),
    ("drain.time", "0"),
];
