//! An authority of one's own, which can vouch for a few names alone, and certificates by it.
//!
//! Both live as PEM files in one directory: `ca.pem` and `ca-key.pem`, `cert.pem` (leaf, then authority) and `key.pem`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::error::TlsError;
use super::files;
use crate::config::KeyType;

/// Where an authority and its certificate are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The authority's certificate, which clients trust.
    pub authority: PathBuf,
    /// The authority's key.
    pub authority_key: PathBuf,
    /// The node's certificate, followed by the authority's.
    pub chain: PathBuf,
    /// The node's key.
    pub key: PathBuf,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where.
    pub places: Places,
    /// The authority's certificate, DER.
    pub authority: CertificateDer<'static>,
    /// The node's certificate, DER.
    pub leaf: CertificateDer<'static>,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The names it is for, in small letters.
    pub names: BTreeSet<String>,
    /// When it ends.
    pub expires: OffsetDateTime,
}

/// An authority that can sign.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) expires: OffsetDateTime,
    pub(super) permitted: Permitted,
    issuer: Issuer<'static, KeyPair>,
}

/// The names that an authority can vouch for. A domain stands for all names below it, too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Permitted {
    domains: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

/// Makes an authority, and a certificate by it, in a directory that is made where it is not there.
///
/// # Errors
/// Where a file is there already, a name is none, or the directory cannot be written.
pub fn make(out: &Path, names: &[String], key: KeyType, now: OffsetDateTime) -> Result<Made, TlsError> {
    make_lasting(out, names, key, LEAF_LIFE, now)
}

/// The same, with a certificate that lasts for `life`, at most as long as the authority, which lasts ten years.
///
/// # Errors
/// As [`make`].
pub fn make_lasting(
    out: &Path,
    names: &[String],
    key: KeyType,
    life: Duration,
    now: OffsetDateTime,
) -> Result<Made, TlsError> {
    let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    Permitted::for_names(&names)?;
    let places = Places::new(out);
    for path in [&places.authority, &places.authority_key, &places.chain, &places.key] {
        if path.symlink_metadata().is_ok() {
            return Err(TlsError::Exists(path.clone()));
        }
    }
    files::make_directory(out)?;
    let authority = Authority::make(&places, &names, key, now)?;
    let leaf_key = new_key(key)?;
    files::write(&places.key, &leaf_key.serialize_pem(), true)?;
    let leaf = authority.issue(&places, &names, &leaf_key, life, now)?;
    Ok(Made { authority: authority.certificate, leaf, places })
}

impl Places {
    /// The files of a directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            authority: directory.join("ca.pem"),
            authority_key: directory.join("ca-key.pem"),
            chain: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        }
    }
}

impl Facts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// Where it is none, in words.
    pub fn of(certificate: &[u8]) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let expires = parsed.validity().not_after.to_datetime();
        let names = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
            _ => None,
        });
        Ok(Self { names: names.collect(), expires })
    }
}

impl Authority {
    /// Makes a new one and writes it, in place of one that is there.
    pub(super) fn make(
        places: &Places,
        names: &[String],
        key: KeyType,
        now: OffsetDateTime,
    ) -> Result<Self, TlsError> {
        let key = new_key(key)?;
        let permitted = Permitted::for_names(names)?;
        let mut params = params("Stentor authority", now, now + AUTHORITY_LIFE);
        // Tells several authorities of one machine apart in a client's list.
        params.distinguished_name.push(DnType::OrganizationalUnitName, crate::random::text(8));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(permitted.constraints());
        let certificate = params.self_signed(&key).map_err(unavailable)?;
        files::write(&places.authority_key, &key.serialize_pem(), true)?;
        files::write(&places.authority, &certificate.pem(), false)?;
        let certificate = certificate.der().clone();
        Ok(Self { certificate, expires: params.not_after, permitted, issuer: Issuer::new(params, key) })
    }

    /// Reads the one that is there; `None` where there is none.
    pub(super) fn load(places: &Places) -> Result<Option<Self>, TlsError> {
        let (certificate_file, key_file) = (&places.authority, &places.authority_key);
        let (present, missing) = match (certificate_file.exists(), key_file.exists()) {
            (true, true) => return Self::read(places).map(Some),
            (false, false) => return Ok(None),
            (true, false) => (certificate_file, key_file),
            (false, true) => (key_file, certificate_file),
        };
        Err(TlsError::HalfAuthority { present: present.clone(), missing: missing.clone() })
    }

    fn read(places: &Places) -> Result<Self, TlsError> {
        let of_file = |path: &Path, problem: &str| TlsError::Content(path.to_owned(), problem.to_owned());
        // Loading the pair checks that one belongs to the other.
        let pair = files::load(&places.authority, &places.authority_key)?;
        let certificate = pair.cert.first().expect("a chain has a certificate").clone();
        let text = files::read(&places.authority_key)?;
        let text = String::from_utf8(text).map_err(|_| of_file(&places.authority_key, "it is not text"))?;
        let key = KeyPair::from_pem(&text)
            .map_err(|_| of_file(&places.authority_key, "the private key cannot be used to sign"))?;
        let facts = Facts::of(&certificate).map_err(|problem| of_file(&places.authority, &problem))?;
        let permitted = Permitted::read(&certificate)
            .ok_or_else(|| of_file(&places.authority, "it is not an authority that was made here"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(unavailable)?;
        Ok(Self { certificate, expires: facts.expires, permitted, issuer })
    }

    /// Makes a certificate for a key and writes it, in place of one that is there.
    pub(super) fn issue(
        &self,
        places: &Places,
        names: &[String],
        key: &KeyPair,
        life: Duration,
        now: OffsetDateTime,
    ) -> Result<CertificateDer<'static>, TlsError> {
        let mut params = params("Stentor node", now, self.expires.min(now + life));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if key.is_compatible(&rcgen::PKCS_RSA_SHA256) {
            // TLS 1.2 clients without forward secrecy are refused, but some check for this.
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.subject_alt_names =
            names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
        let leaf = params.signed_by(key, &self.issuer).map_err(unavailable)?;
        let authority = std::str::from_utf8(&files::read(&places.authority)?)
            .map_err(|_| TlsError::Content(places.authority.clone(), "it is not text".to_owned()))?
            .to_owned();
        files::write(&places.chain, &format!("{}{authority}", leaf.pem()), false)?;
        Ok(leaf.der().clone())
    }
}

impl Permitted {
    fn for_names(names: &[String]) -> Result<Self, TlsError> {
        let mut permitted = Self::default();
        for name in names {
            match alternative_name(name)? {
                SanType::IpAddress(ip) => permitted.addresses.insert(ip),
                _ => permitted.domains.insert(name.strip_prefix("*.").unwrap_or(name).to_ascii_lowercase()),
            };
        }
        Ok(permitted)
    }

    /// The names themselves.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.domains.iter().cloned().chain(self.addresses.iter().map(IpAddr::to_string))
    }

    /// Whether a name is among them, or below one.
    pub(super) fn allows(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(ip) => self.addresses.contains(&ip),
            Err(_) => {
                let name = name.strip_prefix("*.").unwrap_or(name);
                let mut above = Some(name);
                while let Some(domain) = above {
                    if self.domains.contains(domain) {
                        return true;
                    }
                    above = domain.split_once('.').map(|(_, rest)| rest);
                }
                false
            }
        }
    }

    /// As an extension. A kind of name of which nothing is permitted must be excluded as a whole: constraints say
    /// nothing about kinds that they do not mention.
    fn constraints(&self) -> NameConstraints {
        let domains = self.domains.iter().cloned().map(GeneralSubtree::DnsName);
        let exactly = |ip: &IpAddr| CidrSubnet::from_addr_prefix(*ip, if ip.is_ipv4() { 32 } else { 128 });
        let addresses = self.addresses.iter().map(|ip| GeneralSubtree::IpAddress(exactly(ip)));
        let mut excluded_subtrees = Vec::new();
        if self.domains.is_empty() {
            excluded_subtrees.push(GeneralSubtree::DnsName(String::new()));
        }
        for all in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
            if !self.addresses.iter().any(|ip| ip.is_ipv4() == all.is_ipv4()) {
                excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(all, 0)));
            }
        }
        NameConstraints { permitted_subtrees: domains.chain(addresses).collect(), excluded_subtrees }
    }

    /// Reads the extension of a certificate; `None` where it has none, or one that [`Permitted::constraints`] would not
    /// have written.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let constraints = parsed.name_constraints().ok()??;
        let mut permitted = Self::default();
        for subtree in constraints.value.permitted_subtrees.iter().flatten() {
            match &subtree.base {
                GeneralName::DNSName(name) => permitted.domains.insert(name.to_ascii_lowercase()),
                // The address, then a mask of the same length, which is all ones.
                GeneralName::IPAddress(bytes) => {
                    permitted.addresses.insert(address(bytes.get(..bytes.len() / 2)?)?)
                }
                _ => return None,
            };
        }
        Some(permitted)
    }
}

/// Whether a certificate names itself as its issuer, as a root does.
pub(super) fn is_self_issued(certificate: &[u8]) -> bool {
    X509Certificate::from_der(certificate)
        .is_ok_and(|(_, parsed)| parsed.subject().as_raw() == parsed.issuer().as_raw())
}

/// Makes a private key.
pub(super) fn new_key(key: KeyType) -> Result<KeyPair, TlsError> {
    KeyPair::generate_for(match key {
        KeyType::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyType::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
    })
    .map_err(unavailable)
}

/// Whether a key is of a kind.
pub(super) fn is_of_type(key: &KeyPair, kind: KeyType) -> bool {
    key.is_compatible(match kind {
        KeyType::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyType::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
    })
}

fn params(name: &str, now: OffsetDateTime, until: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Clients whose clocks are a little behind get in, too.
    params.not_before = now - Duration::days(1);
    params.not_after = until;
    // X.509 counts seconds; so do comparisons with what was read back.
    params.not_after = params.not_after.replace_nanosecond(0).expect("0 is a nanosecond");
    // The first bit stays 0: a serial number is positive.
    let random = u128::from(crate::random::number() >> 1) << 64 | u128::from(crate::random::number());
    params.serial_number = Some(SerialNumber::from_slice(&random.to_be_bytes()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn alternative_name(name: &str) -> Result<SanType, TlsError> {
    if let Ok(ip) = name.parse() {
        return Ok(SanType::IpAddress(ip));
    }
    let legal = crate::config::is_certificate_name(name);
    let text = name.to_ascii_lowercase().try_into().ok().filter(|_| legal);
    text.map(SanType::DnsName).ok_or_else(|| TlsError::Name(name.to_owned()))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn unavailable(error: rcgen::Error) -> TlsError {
    TlsError::Unavailable(error.to_string())
}

/// How long an authority lasts: clients are told of it by hand.
pub(crate) const AUTHORITY_LIFE: Duration = Duration::days(3650);

/// How long a certificate lasts where nothing else is said; some clients refuse more than 825 days.
pub(crate) const LEAF_LIFE: Duration = Duration::days(365);
