//! The judgement of a certificate, within the TLS handshake.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::Fingerprint;
use super::problem::{Rejection, Source, Why};
use crate::link::ServerUrl;

/// What decides: each of these is enough.
#[derive(Debug)]
pub(super) struct Rule {
    /// The certificate's fingerprint, or that of an authority that came along and vouches for it.
    pub(super) pins: Vec<Fingerprint>,
    /// Authorities.
    pub(super) anchors: Anchors,
    /// Where they are from.
    pub(super) source: Source,
}

/// Authorities, and certificates that are trusted as they are.
#[derive(Debug)]
pub(super) struct Anchors {
    /// None where no certificate can be an authority.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    certificates: Vec<CertificateDer<'static>>,
}

/// Judges what a server shows. Its refusal is a [`Rejection`] inside [`CertificateError::Other`].
#[derive(Debug)]
pub(super) struct Verifier {
    rule: Rule,
    server: ServerUrl,
    provider: Arc<CryptoProvider>,
}

impl Anchors {
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok();
        Self { verifier, certificates }
    }

    fn vouch(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        // A server's own certificate is often signed by itself, and made in the way of an authority. To be in the
        // list is enough then, under its name.
        if self.certificates.iter().any(|known| known == leaf) {
            return verify_server_name(&ParsedCertificate::try_from(leaf)?, name);
        }
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let verifier = self.verifier.as_ref().ok_or(unknown)?;
        verifier.verify_server_cert(leaf, chain, name, &[], now).map(drop)
    }
}

impl Verifier {
    pub(super) fn new(rule: Rule, server: &ServerUrl, provider: Arc<CryptoProvider>) -> Self {
        Self { rule, server: server.clone(), provider }
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Box<Rejection>> {
        let Rule { pins, anchors, source } = &self.rule;
        let is_pinned = |der: &CertificateDer<'_>| pins.contains(&Fingerprint::of(der));
        let vouches = |der: &CertificateDer<'_>| vouches(der, leaf, chain, name, now, &self.provider);
        if is_pinned(leaf) || chain.iter().any(|der| is_pinned(der) && vouches(der)) {
            return Ok(());
        }
        let Err(error) = anchors.vouch(leaf, chain, name, now) else { return Ok(()) };
        let why = if pins.is_empty() { Why::of(&error) } else { Why::Differs(pins.clone()) };
        let presented = presented(leaf, chain, name, now, &self.provider);
        Err(Box::new(Rejection { server: self.server.clone(), presented, source: source.clone(), why }))
    }
}

/// What to store of a server: the fingerprint of its certificate, and that of an authority that came along and vouches
/// for it, if one does. Servers send their authorities upwards: the last is the highest.
fn presented(
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
    provider: &Arc<CryptoProvider>,
) -> Vec<Fingerprint> {
    let authorities = chain.iter().take(CHAIN_MAX).rev();
    let authority = authorities.into_iter().find(|der| vouches(der, leaf, chain, name, now, provider));
    [leaf].into_iter().chain(authority).map(|der| Fingerprint::of(der)).collect()
}

/// Whether an authority vouches for a certificate by itself.
fn vouches(
    authority: &CertificateDer<'_>,
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
    provider: &Arc<CryptoProvider>,
) -> bool {
    let anchors = Anchors::new(vec![authority.clone().into_owned()], provider);
    authority != leaf && anchors.vouch(leaf, chain, name, now).is_ok()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.judge(end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(rejection) => Err(CertificateError::Other(OtherError(Arc::new(*rejection))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// How many certificates beside the server's own are looked at for one to store.
const CHAIN_MAX: usize = 8;
