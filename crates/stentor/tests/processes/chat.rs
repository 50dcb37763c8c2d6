//! A client over TLS, for tests of whole processes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use stentor_server::tls;

use crate::node::{Node, PATIENCE};

/// What a client needs to trust a node: the authority in the node's data directory.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

/// A client's connection.
pub(crate) struct Chat {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    barriers: u32,
}

impl Trust {
    pub(crate) fn of(data: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let authority =
            CertificateDer::from_pem_file(data.join("tls/ca.pem")).expect("the authority is there");
        roots.add(authority).expect("it is one");
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .expect("the versions are known")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }
}

impl Chat {
    pub(crate) fn connect(node: &Node, trust: &Trust) -> Self {
        Self::connect_to(&node.address("ircs"), trust)
    }

    /// A connection to `HOST:PORT`.
    pub(crate) fn connect_to(address: &str, trust: &Trust) -> Self {
        let tcp = TcpStream::connect(address).expect("it is listened on");
        tcp.set_nodelay(true).expect("TCP has this option");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
        tcp.set_write_timeout(Some(PATIENCE)).expect("a time above zero");
        let name = ServerName::try_from("localhost").expect("a host's name");
        let session = ClientConnection::new(Arc::clone(&trust.0), name).expect("a session");
        Self { stream: BufReader::new(StreamOwned::new(session, tcp)), barriers: 0 }
    }

    /// A client that has logged in as `account` with the password that all have, with these capabilities.
    pub(crate) fn login(node: &Node, trust: &Trust, account: &str, capabilities: &str) -> Self {
        let mut chat = Self::connect(node, trust);
        chat.start_login(account, capabilities);
        chat.line_with(" 001 ");
        chat.drain();
        chat
    }

    /// Says all that a login needs, without waiting for an answer.
    pub(crate) fn start_login(&mut self, account: &str, capabilities: &str) {
        self.send(&format!("CAP REQ :{capabilities}"));
        self.send(&format!("PASS {account}:secret"));
        self.send(&format!("NICK {account}"));
        self.send(&format!("USER {account} 0 * :{account}"));
        self.send("CAP END");
    }

    pub(crate) fn send(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("the connection is open");
        stream.flush().expect("the connection is open");
    }

    /// The next line; none where the connection has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no line came within {PATIENCE:?}")
            }
            Err(_) => None,
        }
    }

    /// The next line with this in it.
    pub(crate) fn line_with(&mut self, wanted: &str) -> String {
        self.line_with_any(&[wanted])
    }

    /// The next line with any of these in it.
    pub(crate) fn line_with_any(&mut self, wanted: &[&str]) -> String {
        let mut before = Vec::new();
        while let Some(line) = self.line() {
            if wanted.iter().any(|wanted| line.contains(wanted)) {
                return line;
            }
            before.push(line);
        }
        panic!("the connection ended before a line with {wanted:?} came, after {before:#?}")
    }

    /// All lines before the PONG of a PING that is sent now.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        self.barriers += 1;
        let token = format!("barrier-{}", self.barriers);
        self.send(&format!("PING {token}"));
        let mut lines = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the connection ended, after {lines:#?}"));
            if line.contains(" PONG ") && line.ends_with(&token) {
                return lines;
            }
            lines.push(line);
        }
    }

    /// All lines up to the end of the connection.
    pub(crate) fn until_closed(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }
}
