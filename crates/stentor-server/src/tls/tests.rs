use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore, ServerConnection};
use time::{Duration, OffsetDateTime};

use super::authority::{Facts, Places};
use super::*;
use crate::config::{CertificateFiles, Config, KeyType, Tls};

fn settings(text: &str) -> Tls {
    Config::from_text(text).unwrap().tls
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn client(
    authority: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"irc".to_vec()];
    Arc::new(config)
}

/// Takes a handshake to its end in memory, and sends a line each way.
fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    client.writer().write_all(b"PING a\r\n").unwrap();
    server.writer().write_all(b"PONG a\r\n").unwrap();
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    let (mut asked, mut answered) = ([0; 8], [0; 8]);
    server.reader().read_exact(&mut asked).unwrap();
    client.reader().read_exact(&mut answered).unwrap();
    assert_eq!((&asked, &answered), (b"PING a\r\n", b"PONG a\r\n"));
    Ok((client, server))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_first_start_makes_what_clients_can_verify() {
    for key in ["ecdsa-p256", "rsa-2048"] {
        let data = tempfile::tempdir().unwrap();
        let settings = settings(&format!("tls.key = \"{key}\""));
        let certificates = Certificates::open(&settings, data.path(), now()).unwrap();
        let served = certificates.current();
        let server = server_config(certificates).unwrap();
        let authority = served.authority.clone().unwrap();
        for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
            let client = client(&authority, versions);
            for name in ["localhost", "127.0.0.1", "::1"] {
                let (client, server) = handshake(&server, &client, name).unwrap();
                assert_eq!(client.alpn_protocol(), Some(b"irc".as_slice()));
                assert_eq!(server.protocol_version(), Some(versions[0].version));
            }
            assert!(handshake(&server, &client, "example.org").is_err());
        }
        let places = Places::new(&data.path().join("tls"));
        assert_eq!(mode(&places.key), 0o600);
        assert_eq!(mode(&places.authority_key), 0o600);
        assert_eq!(mode(&data.path().join("tls")), 0o700);
        assert!(served.warnings.is_empty(), "{:?}", served.warnings);
    }
}

#[test]
fn the_key_exchange_is_post_quantum_and_tickets_resume() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::open(&settings(""), data.path(), now()).unwrap();
    let authority = certificates.current().authority.clone().unwrap();
    let server = server_config(certificates).unwrap();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = client(&authority, &[version]);
        let (first, _) = handshake(&server, &client, "localhost").unwrap();
        assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
        if version.version == rustls::ProtocolVersion::TLSv1_3 {
            let group = first.negotiated_key_exchange_group().unwrap().name();
            assert_eq!(group, NamedGroup::X25519MLKEM768);
        }
        let (second, _) = handshake(&server, &client, "localhost").unwrap();
        assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
    }
}

/// Someone who stole the authority's key cannot use it for other names.
#[test]
fn an_authority_vouches_for_its_names_alone() {
    for (permitted, others) in [
        (&["localhost", "127.0.0.1"][..], &["example.org", "127.0.0.2", "::1", "localhost.example.org"][..]),
        (&["irc.example.org"], &["example.org", "www.example.org", "127.0.0.1", "::1"]),
        (&["192.0.2.7"], &["localhost", "192.0.2.8", "2001:db8::1"]),
        (&["2001:db8::7"], &["localhost", "192.0.2.8", "2001:db8::8"]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<String> = permitted.iter().map(|name| (*name).to_owned()).collect();
        let made = make(&directory.path().join("made"), &names, KeyType::EcdsaP256, now()).unwrap();
        let client = client(&made.authority, rustls::ALL_VERSIONS);
        for name in permitted {
            handshake(&serving(&made.places), &client, name).unwrap();
        }
        let authority = authority::Authority::load(&made.places).unwrap().unwrap();
        let key = authority::new_key(KeyType::EcdsaP256).unwrap();
        fs::write(&made.places.key, key.serialize_pem()).unwrap();
        for name in others {
            authority.issue(&made.places, &[(*name).to_owned()], &key, authority::LEAF_LIFE, now()).unwrap();
            let error = handshake(&serving(&made.places), &client, name).unwrap_err();
            assert!(error.to_string().contains("NameConstraintViolation"), "{name}: {error}");
        }
    }
}

fn serving(places: &Places) -> Arc<ServerConfig> {
    let files = CertificateFiles { chain: places.chain.clone(), key: places.key.clone() };
    let settings = Tls { files: Some(files), ..settings("") };
    server_config(Certificates::open(&settings, Path::new("/nonexistent"), now()).unwrap()).unwrap()
}

#[test]
fn wildcards_work() {
    let directory = tempfile::tempdir().unwrap();
    let made = make(directory.path(), &["*.example.org".to_owned()], KeyType::EcdsaP256, now()).unwrap();
    let client = client(&made.authority, rustls::ALL_VERSIONS);
    handshake(&serving(&made.places), &client, "irc.example.org").unwrap();
}

#[test]
fn a_second_start_shows_the_same_certificate() {
    let data = tempfile::tempdir().unwrap();
    let first = Certificates::open(&settings(""), data.path(), now()).unwrap().current().fingerprint();
    let second = Certificates::open(&settings(""), data.path(), now()).unwrap().current().fingerprint();
    assert_eq!(first, second);
    // A container's host name is another one each time; that is no reason for a new certificate.
    let mut elsewhere = settings("");
    elsewhere.names =
        vec!["localhost".to_owned(), "c0ffee".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let third = Certificates::open(&elsewhere, data.path(), now()).unwrap().current().fingerprint();
    assert_eq!(first, third);
}

#[test]
fn a_certificate_renews_itself_and_keeps_its_key() {
    let data = tempfile::tempdir().unwrap();
    let start = now();
    let certificates = Certificates::open(&settings(""), data.path(), start).unwrap();
    let first = certificates.current();
    let key = fs::read(data.path().join("tls/key.pem")).unwrap();
    assert_eq!(certificates.refresh(start + Duration::days(300)).unwrap(), Refreshed::Unchanged);
    assert_eq!(certificates.refresh(start + Duration::days(340)).unwrap(), Refreshed::Changed);
    let second = certificates.current();
    assert_ne!(first.fingerprint(), second.fingerprint());
    assert_eq!(first.authority, second.authority);
    assert!(second.expires > first.expires);
    assert_eq!(fs::read(data.path().join("tls/key.pem")).unwrap(), key);
    assert_eq!(mode(&data.path().join("tls/key.pem")), 0o600);
    // Towards the end of the authority's own life there is a new one, and the operator is told.
    let late = start + Duration::days(3640);
    assert_eq!(certificates.refresh(late).unwrap(), Refreshed::Changed);
    let third = certificates.current();
    assert_ne!(third.authority, first.authority);
    assert!(third.warnings[0].contains("clients need"), "{:?}", third.warnings);
}

#[test]
fn names_decide_about_certificate_and_authority() {
    let data = tempfile::tempdir().unwrap();
    let open = |names: &str| {
        Certificates::open(&settings(&format!("tls.names = {names}")), data.path(), now()).unwrap().current()
    };
    let both = open(r#"["a.example", "B.example"]"#);
    assert_eq!(both.names, ["a.example", "b.example"]);
    let fewer = open(r#"["a.example"]"#);
    assert_eq!(fewer.names, ["a.example"]);
    assert_eq!(fewer.authority, both.authority, "fewer names need no new authority");
    let more = open(r#"["a.example", "c.example", "::1"]"#);
    assert_eq!(more.names, ["::1", "a.example", "c.example"]);
    assert_ne!(more.authority, both.authority);
    assert!(more.warnings[0].contains("`tls.names`"), "{:?}", more.warnings);
    // Without names in the settings, what is there goes on.
    let kept = Certificates::open(&settings(""), data.path(), now()).unwrap().current();
    assert_eq!(kept.fingerprint(), more.fingerprint());
}

#[test]
fn another_kind_of_key_is_another_certificate_by_the_same_authority() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::open(&settings(""), data.path(), now()).unwrap();
    let first = certificates.current();
    assert_eq!(certificates.reload(&settings("tls.key = \"rsa-2048\""), now()).unwrap(), Refreshed::Changed);
    let second = certificates.current();
    assert_eq!(first.authority, second.authority);
    let client = client(second.authority.as_ref().unwrap(), rustls::ALL_VERSIONS);
    handshake(&server_config(certificates).unwrap(), &client, "localhost").unwrap();
}

#[test]
fn half_written_files_heal_and_a_missing_authority_key_is_told() {
    let data = tempfile::tempdir().unwrap();
    let places = Places::new(&data.path().join("tls"));
    let first = Certificates::open(&settings(""), data.path(), now()).unwrap().current();
    fs::write(&places.chain, "").unwrap();
    let second = Certificates::open(&settings(""), data.path(), now()).unwrap().current();
    assert_eq!(first.authority, second.authority);
    fs::remove_file(&places.key).unwrap();
    Certificates::open(&settings(""), data.path(), now()).unwrap();
    fs::remove_file(&places.authority_key).unwrap();
    Certificates::open(&settings(""), data.path(), now()).expect("nothing needs to be signed");
    let error =
        Certificates::open(&settings(""), data.path(), now() + Duration::days(340)).unwrap_err().to_string();
    assert!(error.contains("ca-key.pem is missing") && error.contains("remove"), "{error}");
}

#[test]
fn own_certificates_reload_when_their_files_change() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["localhost".to_owned()];
    let old = make(&directory.path().join("old"), &names, KeyType::EcdsaP256, now()).unwrap();
    let new = make(&directory.path().join("new"), &names, KeyType::Rsa2048, now()).unwrap();
    let files = CertificateFiles { chain: old.places.chain.clone(), key: old.places.key.clone() };
    let settings = Tls { files: Some(files), ..settings("") };
    let certificates = Certificates::open(&settings, directory.path(), now()).unwrap();
    let server = server_config(Arc::clone(&certificates)).unwrap();
    handshake(&server, &client(&old.authority, rustls::ALL_VERSIONS), "localhost").unwrap();

    fs::copy(&new.places.chain, &old.places.chain).unwrap();
    let error = certificates.refresh(now()).unwrap_err().to_string();
    assert!(error.contains("does not belong to"), "{error}");
    handshake(&server, &client(&old.authority, rustls::ALL_VERSIONS), "localhost")
        .expect("the old one goes on");

    fs::copy(&new.places.key, &old.places.key).unwrap();
    assert_eq!(certificates.refresh(now()).unwrap(), Refreshed::Changed);
    assert_eq!(certificates.refresh(now()).unwrap(), Refreshed::Unchanged);
    handshake(&server, &client(&new.authority, rustls::ALL_VERSIONS), "localhost").unwrap();
    assert!(handshake(&server, &client(&old.authority, rustls::ALL_VERSIONS), "localhost").is_err());
    assert_eq!(certificates.current().fingerprint(), fingerprint_sha256(&new.leaf));
}

#[test]
fn an_authority_that_clients_do_not_know_is_found_by_its_certificate() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = make(ours.path(), &["*.example.org".to_owned()], KeyType::EcdsaP256, now()).unwrap();
    make(other.path(), &["a".to_owned()], KeyType::EcdsaP256, now()).unwrap();
    let files = CertificateFiles { chain: made.places.chain.clone(), key: made.places.key.clone() };
    let settings = Tls { files: Some(files), ..settings("") };
    let open = || Certificates::open(&settings, ours.path(), now()).unwrap().current();
    assert_eq!(open().authority, Some(made.authority.clone()));
    assert_eq!(open().authority_file, Some(made.places.authority.clone()));

    // The chain goes up to its root, whatever lies beside it.
    fs::copy(other.path().join("ca.pem"), &made.places.authority).unwrap();
    assert_eq!(open().authority, Some(made.authority));
    assert_eq!(open().authority_file, Some(made.places.chain.clone()));

    // A leaf alone, beside an authority that did not sign it, may be anybody's.
    let text = fs::read_to_string(&made.places.chain).unwrap();
    let end = "-----END CERTIFICATE-----";
    fs::write(&made.places.chain, format!("{}{end}\n", text.split(end).next().unwrap())).unwrap();
    assert_eq!((open().authority.clone(), open().authority_file.clone()), (None, None));
}

#[test]
fn an_operator_is_told_about_an_end_and_about_open_keys() {
    let directory = tempfile::tempdir().unwrap();
    let made = make(directory.path(), &["localhost".to_owned()], KeyType::EcdsaP256, now()).unwrap();
    fs::set_permissions(&made.places.key, fs::Permissions::from_mode(0o644)).unwrap();
    let files = CertificateFiles { chain: made.places.chain, key: made.places.key };
    let settings = Tls { files: Some(files), ..settings("") };
    let warnings = |days| {
        let when = now() + Duration::days(days);
        Certificates::open(&settings, directory.path(), when).unwrap().current().warnings.join("\n")
    };
    assert!(!warnings(300).contains("end"));
    assert!(warnings(360).contains(" ends on "));
    assert!(warnings(370).contains(" ended on "));
    assert!(warnings(0).contains("everybody can read the private key"));
}

#[test]
fn files_that_are_wrong_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let made = make(&at("made"), &["localhost".to_owned()], KeyType::EcdsaP256, now()).unwrap();
    let other = make(&at("other"), &["localhost".to_owned()], KeyType::EcdsaP256, now()).unwrap();
    let (chain, key) = (made.places.chain.clone(), made.places.key.clone());
    fs::write(at("empty"), "").unwrap();
    fs::write(at("der"), &made.leaf).unwrap();
    fs::write(
        at("encrypted"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    fs::write(at("cut"), &fs::read(&chain).unwrap()[..200]).unwrap();
    let told = |chain: &Path, key: &Path| files::load(chain, key).unwrap_err().to_string();
    assert!(
        told(&at("missing"), &key).contains("cannot read") && told(&at("missing"), &key).contains("missing")
    );
    assert!(told(&at("empty"), &key).contains("the file is empty"));
    assert!(told(&at("der"), &key).contains("there is no certificate in PEM"));
    assert!(told(&at("cut"), &key).contains("damaged"));
    assert!(told(&key, &key).contains("there is no certificate in the file"));
    assert!(told(&chain, &chain).contains("there is no private key in the file"));
    assert!(told(&chain, &at("encrypted")).contains("openssl pkey"));
    assert!(told(&chain, &other.places.key).contains("does not belong to"));
}

#[test]
fn nothing_is_overwritten_and_names_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["localhost".to_owned()];
    make(directory.path(), &names, KeyType::EcdsaP256, now()).unwrap();
    let error = make(directory.path(), &names, KeyType::EcdsaP256, now()).unwrap_err().to_string();
    assert!(error.contains("ca.pem exists already"), "{error}");
    let error =
        make(&directory.path().join("x"), &["a b".to_owned()], KeyType::EcdsaP256, now()).unwrap_err();
    assert!(error.to_string().contains("`a b`"), "{error}");
}

#[test]
fn fingerprints_have_two_forms() {
    assert_eq!(
        fingerprint_sha256(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(fingerprint_sha256_colons(b"abc").starts_with("BA:78:16:BF:8F:01:"));
}

#[test]
fn facts_are_those_of_the_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["Localhost".to_owned(), "::1".to_owned(), "127.0.0.1".to_owned()];
    let made = make(directory.path(), &names, KeyType::EcdsaP256, now()).unwrap();
    let facts = Facts::of(&made.leaf).unwrap();
    assert_eq!(facts.names.iter().map(String::as_str).collect::<Vec<_>>(), ["127.0.0.1", "::1", "localhost"]);
    let left = facts.expires - now();
    assert!(left > Duration::days(364) && left <= Duration::days(365));
    let read = CertificateDer::from_pem_file(&made.places.authority).unwrap();
    assert_eq!(read, made.authority);
}
