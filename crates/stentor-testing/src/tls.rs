//! An authority, and certificates from it.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A certificate authority that lives as long as this value, in files of its own.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for certificates");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Stentor test authority");
        let certificate = params.self_signed(&key).expect("an authority's certificate");
        write(&directory.path().join("ca.pem"), &certificate.pem());
        Self { directory, issuer: Issuer::new(params, key) }
    }

    /// The authority's own certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A new certificate for `localhost` and `127.0.0.1`, good for servers and for clients: its file and its key's.
    #[must_use]
    pub fn issue(&self, file: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).expect("names for a certificate");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let (chain, secret) = (self.path(file, "pem"), self.path(file, "key"));
        write(&chain, &certificate.pem());
        write(&secret, &key.serialize_pem());
        (chain, secret)
    }

    fn path(&self, file: &str, kind: &str) -> PathBuf {
        self.directory.path().join(format!("{file}.{kind}"))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a certificate can be written");
}
