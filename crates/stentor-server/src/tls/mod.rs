//! Certificates, made or given, and how TLS is spoken.
//!
//! - [`authority`]: an authority of one's own, and certificates by it
//! - [`certificates`]: what the listeners show, renewed and reloaded without a restart
//! - `client_certificate`: asking clients for theirs
//! - [`files`]: reading and writing PEM files
//! - [`renewal`]: keeps certificates fresh while a node runs
//! - [`error`]: what can go wrong

pub mod authority;
pub mod certificates;
mod client_certificate;
pub mod error;
pub mod files;
pub mod renewal;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use sha2::{Digest, Sha256};

pub use authority::{Made, make, make_lasting};
pub use certificates::{Certificates, Refreshed, Served};
use client_certificate::AnyCertificate;
pub use error::TlsError;

/// The cryptography that everything here uses: aws-lc, which prefers the post-quantum hybrid key exchange.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// How a listener speaks TLS: 1.2 and 1.3, with session tickets, the protocol `irc`, and whatever certificate is the
/// current one at each handshake. Clients are asked for a certificate of theirs, and may have none.
///
/// # Errors
/// Where the system gives no randomness for the key of the tickets.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|error| TlsError::Unavailable(error.to_string()))?
        .with_client_cert_verifier(Arc::new(AnyCertificate::new()))
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![ALPN_IRC.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| TlsError::Unavailable(error.to_string()))?;
    Ok(Arc::new(config))
}

/// The SHA-256 fingerprint of a certificate (DER): 64 hexadecimal digits in small letters, as WeeChat takes it.
#[must_use]
pub fn fingerprint_sha256(certificate: &[u8]) -> String {
    Sha256::digest(certificate).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The same in capitals with colons, as irssi and `openssl x509 -fingerprint` show it.
#[must_use]
pub fn fingerprint_sha256_colons(certificate: &[u8]) -> String {
    Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// The protocol's name in the TLS handshake, as IANA lists it.
const ALPN_IRC: &[u8] = b"irc";
