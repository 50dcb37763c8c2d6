//! Whom to believe to be the server.
//!
//! - [`fingerprint`]: a certificate's fingerprint, and whether one is meant
//! - [`known_servers`]: the file of fingerprints that were accepted once
//! - `roots`: authorities from files and from the system
//! - `verifier`: the judgement, within the TLS handshake
//! - [`problem`]: why a certificate is not trusted, and what to do about it
//!
//! The first of these that there is decides: the fingerprint that was given, the authority that was given, the
//! fingerprint that was stored for this host and port, and at last the system's authorities with that of the server on
//! this machine. The authority in a data directory that was named counts beside the last two.
//!
//! A fingerprint is stored where it was given, or where a person accepted a certificate that nobody vouches for. A server
//! that an authority vouches for is trusted through that alone: nothing of it is stored, and it may change authorities.

pub mod fingerprint;
pub mod known_servers;
pub mod problem;
mod roots;
#[cfg(test)]
mod tests;
mod verifier;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;

pub use fingerprint::Fingerprint;
pub use known_servers::KnownServers;
pub use problem::{CertificateProblem, Rejection};

use crate::link::ServerUrl;
use problem::Source;
use verifier::{Anchors, Rule, Verifier};

/// What a person has said about trust.
#[derive(Clone, Debug, Default)]
pub struct TrustSettings {
    /// The fingerprint that the server's certificate has, or that of the authority behind it. Nothing else counts then.
    /// It is stored, and nothing else with it, where the server was not known.
    pub fingerprint: Option<Fingerprint>,
    /// A PEM file with authorities, or with the server's own certificate. Nothing else counts then.
    pub authority: Option<PathBuf>,
    /// The PEM file with the authority of a server on this machine. It need not be there. It may vouch for names of
    /// this machine alone.
    pub local_authority: Option<PathBuf>,
    /// The same in a directory that was named: for whatever names it is good for.
    pub named_local_authority: Option<PathBuf>,
    /// Where fingerprints are stored; none where there is no home directory.
    pub known_servers: Option<PathBuf>,
}

/// Judges certificates. Files are read again for each connection, so that a long-lived client follows a server that
/// got a new authority.
#[derive(Debug)]
pub struct Trust {
    settings: TrustSettings,
    provider: Arc<CryptoProvider>,
    /// The system's authorities, read when they are first needed.
    system: OnceLock<Vec<CertificateDer<'static>>>,
}

/// What is to be trusted could not be read or stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// A file cannot be read or written, and why.
    File(PathBuf, String),
    /// A line of the file of known servers is broken: its number, and what is wrong.
    Line(PathBuf, usize, String),
    /// There is no home directory in which to store a fingerprint.
    NoHome,
    /// TLS cannot be set up.
    Tls(String),
}

impl Trust {
    /// Trusts as the settings say.
    #[must_use]
    pub fn new(settings: TrustSettings) -> Self {
        Self { settings, provider: Arc::new(aws_lc_rs::default_provider()), system: OnceLock::new() }
    }

    /// How to speak TLS with a server: 1.2 and 1.3. No session is resumed, so that each handshake is judged.
    ///
    /// # Errors
    /// Where a file that decides cannot be read.
    pub fn client_config(&self, server: &ServerUrl) -> Result<Arc<ClientConfig>, TrustError> {
        let verifier = Verifier::new(self.rule(server)?, server, Arc::clone(&self.provider));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(|error| TrustError::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![ALPN_IRC.to_vec()];
        Ok(Arc::new(config))
    }

    /// Stores what a server showed, its certificate and the authority that came along, which
    /// [`CertificateProblem::question`] named, so that it is trusted from now on, and nothing else under its host and port.
    ///
    /// # Errors
    /// Where the file cannot be written, or knows the server already.
    pub fn remember(&self, rejection: &Rejection) -> Result<(), TrustError> {
        let path = self.settings.known_servers.as_ref().ok_or(TrustError::NoHome)?;
        KnownServers::new(path).add(&rejection.server, &rejection.presented)
    }

    /// Takes note that a server was trusted. A fingerprint that was given is stored, so that it need not be given again:
    /// that alone, as whoever names one certificate has not named the authority behind it.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn accepted(&self, server: &ServerUrl) -> Result<(), TrustError> {
        let (Some(path), Some(fingerprint)) = (&self.settings.known_servers, self.settings.fingerprint)
        else {
            return Ok(());
        };
        let known = KnownServers::new(path);
        if known.of(server)?.is_empty() { known.add(server, &[fingerprint]) } else { Ok(()) }
    }

    /// What decides about a server.
    fn rule(&self, server: &ServerUrl) -> Result<Rule, TrustError> {
        let settings = &self.settings;
        let anchors = |certificates| Anchors::new(certificates, &self.provider);
        if let Some(fingerprint) = settings.fingerprint {
            return Ok(Rule { pins: vec![fingerprint], anchors: anchors(Vec::new()), source: Source::Given });
        }
        if let Some(file) = &settings.authority {
            let source = Source::File(file.clone());
            return Ok(Rule { pins: Vec::new(), anchors: anchors(roots::read(file)?), source });
        }
        let named = settings.named_local_authority.as_deref();
        let mut certificates = named.map(roots::read_if_there).transpose()?.unwrap_or_default();
        if let Some(path) = &settings.known_servers {
            let pins = KnownServers::new(path).of(server)?;
            if !pins.is_empty() {
                return Ok(Rule {
                    pins,
                    anchors: anchors(certificates),
                    source: Source::Known(path.clone()),
                });
            }
        }
        if let Some(file) = settings.local_authority.as_deref().filter(|_| server.is_loopback()) {
            certificates.extend(roots::read_if_allowed(file)?);
        }
        certificates.extend_from_slice(self.system.get_or_init(roots::system));
        let source = Source::System { can_store: settings.known_servers.is_some() };
        Ok(Rule { pins: Vec::new(), anchors: anchors(certificates), source })
    }
}

impl TrustError {
    fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::File(path.to_owned(), error.to_string())
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Line(path, number, why) => {
                write!(f, "{}:{number}: {why}; mend or remove the line", path.display())
            }
            Self::NoHome => f.write_str(
                "there is no home directory in which to store the fingerprint; set XDG_CONFIG_HOME, or give \
                 --fingerprint each time",
            ),
            Self::Tls(why) => write!(f, "TLS cannot be set up: {why}"),
        }
    }
}

impl std::error::Error for TrustError {}

/// The protocol's name in the TLS handshake, as IANA lists it.
const ALPN_IRC: &[u8] = b"irc";
