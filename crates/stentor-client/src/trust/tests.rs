//! Certificates judged in real handshakes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::link::{ConnectError, Dialer};

/// An authority and the directory with its certificate.
struct Authority {
    directory: TempDir,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server shows.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// A server's port, at which one handshake after the other is made.
struct Server {
    listener: TcpListener,
}

impl Authority {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let certificate = params.self_signed(&key).unwrap();
        fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { directory, der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    fn issue(&self, name: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        Shown { chain: vec![leaf.der().clone(), self.der.clone()], key }
    }
}

impl Shown {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.chain[0])
    }
}

impl Server {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    /// Connects with these settings to a server that shows this.
    async fn meets(&self, settings: &TrustSettings, shown: &Shown) -> Result<(), ConnectError> {
        let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(shown.chain.clone(), key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let port = self.listener.local_addr().unwrap().port();
        let url = format!("ircs://127.0.0.1:{port}").parse().unwrap();
        let dialer = Dialer::new(url, Trust::new(settings.clone()), false);
        let serve = async {
            let (tcp, _) = self.listener.accept().await.unwrap();
            acceptor.accept(tcp).await
        };
        let (dialled, _served) = tokio::join!(dialer.dial(), serve);
        dialled.map(drop)
    }
}

fn storing(directory: &TempDir) -> TrustSettings {
    TrustSettings { known_servers: Some(directory.path().join("known_servers")), ..TrustSettings::default() }
}

fn problem(met: Result<(), ConnectError>) -> CertificateProblem {
    match met {
        Err(ConnectError::Certificate(problem)) => *problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unknown_server_is_asked_about_and_then_trusted_until_it_changes() {
    let home = tempfile::tempdir().unwrap();
    let (server, settings) = (Server::new().await, storing(&home));
    let (authority, other) = (Authority::new(), Authority::new());
    let first = authority.issue("127.0.0.1");

    let asked = problem(server.meets(&settings, &first).await);
    let question = asked.question().expect("a person may accept it");
    for stored in [first.fingerprint(), Fingerprint::of(&authority.der)] {
        assert!(question.contains(&stored.to_string()), "{question}");
    }
    assert!(asked.to_string().contains("--ca"), "{asked}");
    Trust::new(settings.clone()).remember(&asked.rejection).unwrap();
    server.meets(&settings, &first).await.unwrap();

    let renewed = authority.issue("127.0.0.1");
    server.meets(&settings, &renewed).await.expect("the same authority vouches for it");
    problem(server.meets(&settings, &authority.issue("localhost")).await);

    let changed = other.issue("127.0.0.1");
    let refused = problem(server.meets(&settings, &changed).await);
    assert_eq!(refused.question(), None);
    let told = refused.to_string();
    let file = settings.known_servers.as_ref().unwrap().display().to_string();
    for part in [first.fingerprint().to_string(), changed.fingerprint().to_string(), file] {
        assert!(told.contains(&part), "{part} is missing in {told}");
    }
}

#[tokio::test]
async fn a_pinned_certificate_may_be_for_any_name_but_not_borrow_a_pinned_authority() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new().await;
    let (authority, other) = (Authority::new(), Authority::new());
    let shown = authority.issue("elsewhere.example");
    let mut settings = storing(&home);
    settings.fingerprint = Some(shown.fingerprint());
    server.meets(&settings, &shown).await.unwrap();
    server.meets(&storing(&home), &shown).await.expect("it was stored");
    // And nothing else was: its authority was not named.
    problem(server.meets(&storing(&home), &authority.issue("127.0.0.1")).await);

    settings.fingerprint = Some(Fingerprint::of(&authority.der));
    server.meets(&settings, &authority.issue("127.0.0.1")).await.unwrap();
    problem(server.meets(&settings, &shown).await);
    let mut forged = other.issue("127.0.0.1");
    forged.chain[1] = authority.der.clone();
    let refused = problem(server.meets(&settings, &forged).await);
    assert!(refused.question().is_none() && refused.to_string().contains("--fingerprint"), "{refused}");
}

#[tokio::test]
async fn an_authority_that_is_named_vouches_for_names_alone() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new().await;
    let (authority, other) = (Authority::new(), Authority::new());
    let mut settings = storing(&home);
    settings.authority = Some(authority.file());
    server.meets(&settings, &authority.issue("127.0.0.1")).await.unwrap();
    let wrong_name = problem(server.meets(&settings, &authority.issue("elsewhere.example")).await);
    assert!(wrong_name.to_string().contains("elsewhere.example"), "{wrong_name}");
    assert_eq!(problem(server.meets(&settings, &other.issue("127.0.0.1")).await).question(), None);

    // One below a file that is no directory: whether it is there cannot be told.
    fs::write(home.path().join("plain"), "").unwrap();
    settings.authority = None;
    settings.named_local_authority = Some(home.path().join("plain").join("ca.pem"));
    assert!(server.meets_nobody(&settings).await.contains("plain"));

    settings.authority = Some(home.path().join("missing.pem"));
    let missing = server.meets_nobody(&settings).await;
    assert!(missing.contains("missing.pem"), "{missing}");
    fs::write(home.path().join("empty.pem"), "nothing").unwrap();
    settings.authority = Some(home.path().join("empty.pem"));
    assert!(server.meets_nobody(&settings).await.contains("no certificate"));
}

#[tokio::test]
async fn a_certificate_that_signed_itself_can_be_named_as_its_own_authority() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new().await;
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::ExplicitNoCa, IsCa::NoCa] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let certificate = params.self_signed(&key).unwrap();
        let file = home.path().join("own.pem");
        fs::write(&file, certificate.pem()).unwrap();
        let shown = Shown { chain: vec![certificate.der().clone()], key };
        let unknown = problem(server.meets(&storing(&home), &shown).await);
        assert!(unknown.question().is_some(), "{is_ca:?}: {unknown}");
        let settings = TrustSettings { authority: Some(file), ..TrustSettings::default() };
        server.meets(&settings, &shown).await.unwrap_or_else(|error| panic!("{is_ca:?}: {error}"));
    }
}

#[tokio::test]
async fn the_authority_of_a_server_on_this_machine_is_trusted_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new().await;
    let authority = Authority::new();
    let shown = authority.issue("127.0.0.1");
    let mut settings = storing(&home);
    settings.local_authority = Some(authority.file());
    server.meets(&settings, &shown).await.unwrap();
    settings.local_authority = Some(home.path().join("no-server-here.pem"));
    let asked = problem(server.meets(&settings, &shown).await);
    assert!(asked.question().is_some());

    // A stored fingerprint comes before it, but not before a directory that is named.
    let other = Authority::new();
    Trust::new(settings.clone()).remember(&asked.rejection).unwrap();
    settings.local_authority = Some(other.file());
    problem(server.meets(&settings, &other.issue("127.0.0.1")).await);
    settings.named_local_authority = Some(other.file());
    server.meets(&settings, &other.issue("127.0.0.1")).await.unwrap();
}

impl Server {
    /// Why nothing is even tried.
    async fn meets_nobody(&self, settings: &TrustSettings) -> String {
        let port = self.listener.local_addr().unwrap().port();
        let url = format!("ircs://127.0.0.1:{port}").parse().unwrap();
        match Dialer::new(url, Trust::new(settings.clone()), false).dial().await {
            Err(ConnectError::Trust(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}
