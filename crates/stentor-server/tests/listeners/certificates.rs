//! Client certificates: asked for, never demanded, and good for logging in once their owner has said so.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use stentor_server::account::{Fingerprint, Password};
use stentor_server::tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Client, Server, in_time};

/// A certificate that its client made itself.
struct Own {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Own {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(Vec::new()).expect("no names are legal");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, key }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// A connection that shows it.
    async fn connect(&self, server: &mut Server) -> Client<TlsStream<TcpStream>> {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        let config = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .expect("the versions are known")
            .with_root_certificates(server.roots.clone())
            .with_client_auth_cert(vec![self.certificate.clone()], key)
            .expect("the key fits");
        let others = std::mem::replace(&mut server.connector, TlsConnector::from(Arc::new(config)));
        let client = server.connect_secure().await.expect("any certificate will do");
        server.connector = others;
        client
    }
}

async fn external(client: &mut Client<TlsStream<TcpStream>>, response: &str) -> String {
    client.send(format!("CAP REQ sasl\r\nAUTHENTICATE EXTERNAL\r\nAUTHENTICATE {response}\r\n")).await;
    loop {
        let line = client.line().await;
        if [" 902 ", " 903 ", " 904 "].iter().any(|end| line.contains(end)) || line.is_empty() {
            return line;
        }
    }
}

#[tokio::test]
async fn a_certificate_logs_in_to_the_account_that_lists_it() {
    let mut server = Server::start().await;
    let accounts = server.node.accounts.clone();
    let password = Password::new("sesame").expect("it is legal");
    for name in ["ann", "bob"] {
        accounts.add(name, &password).await.expect("the store takes it");
    }
    let own = Own::new();
    let mut ann = own.connect(&mut server).await;
    assert!(external(&mut ann, "+").await.contains(" 904 "), "nobody has registered it");
    // Its owner adds the one that is in use, without typing it.
    ann.send("AUTHENTICATE PLAIN\r\nAUTHENTICATE AGFubgBzZXNhbWU=\r\nCAP END\r\n").await;
    ann.line_with(" 903 ").await;
    ann.send("NICK ann\r\nUSER ann 0 * :Ann\r\nNS CERT ADD\r\nWHOIS ann\r\n").await;
    ann.line_with(&format!("The certificate {} logs in to ann", own.fingerprint())).await;
    ann.line_with(&format!(" 276 ann ann :has client certificate fingerprint {}", own.fingerprint())).await;
    ann.send("QUIT\r\n").await;
    while !ann.line().await.is_empty() {}
    // `ann`, and `bob`.
    for (response, outcome) in [("Ym9i", " 904 "), ("QW5u", " 903 ")] {
        let mut again = own.connect(&mut server).await;
        let line = external(&mut again, response).await;
        assert!(line.contains(outcome), "{response}: {line}");
    }
    assert!(external(&mut Own::new().connect(&mut server).await, "+").await.contains(" 904 "));
    accounts.lock("ann").await.expect("it is there");
    let mut locked = own.connect(&mut server).await;
    let refused = external(&mut locked, "+").await;
    assert!(refused.contains(" 902 ") && refused.contains("locked"), "{refused}");
}

#[tokio::test]
async fn a_fingerprint_is_for_its_owner_and_for_operators() {
    let mut server = Server::start().await;
    let own = Own::new();
    let mut ann = own.connect(&mut server).await;
    ann.register("ann").await;
    let mut bob = server.connect_secure().await.expect("no certificate is demanded");
    bob.register("bob").await;
    bob.send("WHOIS ann\r\n").await;
    loop {
        let line = bob.line().await;
        assert!(!line.contains(" 276 "), "{line}");
        if line.contains(" 318 ") {
            break;
        }
    }
}

#[tokio::test]
async fn the_policy_of_tls_has_its_duration_where_it_is_kept() {
    let server = Server::start_with("tls.sts = \"1h\"\ntls.sts_port = 6697\n").await;
    let mut ann = server.connect_secure().await.expect("it speaks TLS");
    ann.send("CAP LS 302\r\n").await;
    let line = ann.line_with("sts=").await;
    assert!(line.contains("sts=duration=3600,port=6697"), "{line}");
    // Who comes to an address has no host to remember it for.
    let stream = TcpStream::connect(server.secure).await.expect("it is listened on");
    let address = ServerName::try_from("127.0.0.1").expect("an address is a name, too");
    let mut bob =
        Client::new(in_time(server.connector.connect(address, stream)).await.expect("it is listed"));
    bob.send("CAP LS 302\r\nCAP LIST\r\n").await;
    loop {
        let line = bob.line().await;
        assert!(!line.contains("sts="), "{line}");
        if line.contains(" LIST ") {
            break;
        }
    }
}

#[tokio::test]
async fn a_gateway_may_be_known_by_its_certificate() {
    let own = Own::new();
    let settings =
        format!("webirc.trusted = [\"127.0.0.1\"]\nwebirc.certificates = [\"{}\"]\n", own.fingerprint());
    let mut server = Server::start_with(&settings).await;
    let mut ann = own.connect(&mut server).await;
    ann.send("WEBIRC x gate host.example 192.0.2.7\r\n").await;
    let host = ann.register("ann").await;
    assert_eq!(host, server.node.cloak("192.0.2.7".parse().expect("an address")));
    let mut eve = Own::new().connect(&mut server).await;
    eve.send("WEBIRC x gate host.example 192.0.2.7\r\n").await;
    eve.line_with("WEBIRC was refused").await;
}
