//! What the listeners show: the operator's certificate or the node's own, renewed and reloaded without a restart.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error as RustlsError, RootCertStore};
use time::{Duration, OffsetDateTime};

use super::authority::{Authority, Facts, LEAF_LIFE, Permitted, Places, is_of_type, is_self_issued, new_key};
use super::error::TlsError;
use super::{files, fingerprint_sha256, fingerprint_sha256_colons};
use crate::config::Tls;

/// The current certificate, for all listeners of a node.
///
/// [`Certificates::refresh`] is to be called now and then (once a minute does: it mostly looks at the files' times), and [`Certificates::reload`] on SIGHUP. Both
/// read and write files, so they belong on a blocking thread. Where they fail, the certificate stays what it was.
#[derive(Debug)]
pub struct Certificates {
    directory: PathBuf,
    current: RwLock<Arc<Served>>,
    source: Mutex<Source>,
}

/// One certificate, and what there is to say about it.
#[derive(Debug)]
pub struct Served {
    key: files::Shared,
    /// The certificate itself, DER.
    pub leaf: CertificateDer<'static>,
    /// The authority, DER, where clients do not know it by themselves; they trust it to trust the node.
    pub authority: Option<CertificateDer<'static>>,
    /// Where that authority is to be found as a file, alone or at the end of the chain.
    pub authority_file: Option<PathBuf>,
    /// The names it is for, sorted.
    pub names: Vec<String>,
    /// When it ends.
    pub expires: OffsetDateTime,
    /// What an operator should know, in sentences for the log.
    pub warnings: Vec<String>,
}

/// What [`Certificates::refresh`] and [`Certificates::reload`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The certificate is what it was.
    Unchanged,
    /// New handshakes are shown another one.
    Changed,
}

/// Where the current certificate comes from.
#[derive(Debug)]
struct Source {
    settings: Tls,
    stamps: Stamps,
}

type Stamps = Vec<Option<(SystemTime, u64)>>;

impl Certificates {
    /// Loads the operator's certificate, or the one in `data/tls`, which is made or renewed where need be.
    ///
    /// # Errors
    /// Where files are missing, wrong, or cannot be written.
    pub fn open(settings: &Tls, data: &Path, now: OffsetDateTime) -> Result<Arc<Self>, TlsError> {
        let directory = data.join("tls");
        let (served, stamps) = obtain_stamped(settings, &directory, now)?;
        let source = Source { settings: settings.clone(), stamps };
        Ok(Arc::new(Self { directory, current: RwLock::new(Arc::new(served)), source: Mutex::new(source) }))
    }

    /// The certificate that a node with these settings and this directory shows, as far as the files tell: none is made or
    /// renewed.
    #[must_use]
    pub fn look(settings: &Tls, data: &Path, now: OffsetDateTime) -> Option<Served> {
        let directory = data.join("tls");
        match &settings.files {
            Some(_) => obtain(settings, &directory, now).ok(),
            None => usable(settings, &Places::new(&directory), now).ok().flatten(),
        }
    }

    /// What handshakes are shown from now on.
    #[must_use]
    pub fn current(&self) -> Arc<Served> {
        Arc::clone(&self.current.read().expect("no writer of the certificate panics"))
    }

    /// Loads the certificate anew where its files have changed, and renews it where it ends soon.
    ///
    /// # Errors
    /// As [`Certificates::open`].
    pub fn refresh(&self, now: OffsetDateTime) -> Result<Refreshed, TlsError> {
        let mut source = self.source.lock().expect("no holder of the source panics");
        let own = source.settings.files.is_none();
        let due = own && self.current().expires - now < RENEW_BEFORE;
        if !due && stamps(&source.settings, &self.directory) == source.stamps {
            return Ok(Refreshed::Unchanged);
        }
        self.replace(&mut source, now)
    }

    /// Goes by new settings, and loads the certificate anew.
    ///
    /// # Errors
    /// As [`Certificates::open`]; the old settings then stay, too.
    pub fn reload(&self, settings: &Tls, now: OffsetDateTime) -> Result<Refreshed, TlsError> {
        let mut source = self.source.lock().expect("no holder of the source panics");
        let mut next = Source { settings: settings.clone(), stamps: Vec::new() };
        let refreshed = self.replace(&mut next, now)?;
        *source = next;
        Ok(refreshed)
    }

    fn replace(&self, source: &mut Source, now: OffsetDateTime) -> Result<Refreshed, TlsError> {
        let (served, stamps) = obtain_stamped(&source.settings, &self.directory, now)?;
        source.stamps = stamps;
        let mut current = self.current.write().expect("no writer of the certificate panics");
        let refreshed =
            if served.key.cert == current.key.cert { Refreshed::Unchanged } else { Refreshed::Changed };
        *current = Arc::new(served);
        Ok(refreshed)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().key))
    }
}

impl Served {
    /// The SHA-256 fingerprint of the certificate, 64 hexadecimal digits in small letters.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint_sha256(&self.leaf)
    }

    /// The same in capitals with colons.
    #[must_use]
    pub fn fingerprint_colons(&self) -> String {
        fingerprint_sha256_colons(&self.leaf)
    }

    fn new(key: CertifiedKey, chain_file: &Path) -> Result<Self, TlsError> {
        let leaf = key.cert.first().expect("a chain has a certificate").clone();
        let facts = Facts::of(&leaf).map_err(|problem| TlsError::Content(chain_file.to_owned(), problem))?;
        Ok(Self {
            key: Arc::new(key),
            leaf,
            authority: None,
            authority_file: None,
            names: facts.names.into_iter().collect(),
            expires: facts.expires,
            warnings: Vec::new(),
        })
    }
}

/// The certificate that the settings ask for, and how its files looked. An operator's files are looked at first, so that
/// a change while they are read is noticed the next time.
fn obtain_stamped(
    settings: &Tls,
    directory: &Path,
    now: OffsetDateTime,
) -> Result<(Served, Stamps), TlsError> {
    let before = stamps(settings, directory);
    let served = obtain(settings, directory, now)?;
    let stamps = if settings.files.is_some() { before } else { stamps(settings, directory) };
    Ok((served, stamps))
}

/// The certificate that the settings ask for.
fn obtain(settings: &Tls, directory: &Path, now: OffsetDateTime) -> Result<Served, TlsError> {
    let Some(given) = &settings.files else { return obtain_own(settings, directory, now) };
    let mut served = Served::new(files::load(&given.chain, &given.key)?, &given.chain)?;
    if let Some((authority, file)) = own_authority(&served, &given.chain) {
        served.authority = Some(authority);
        served.authority_file = Some(file);
    }
    if served.expires <= now {
        let day = served.expires.date();
        served.warnings.push(format!("the certificate in {} ended on {day}", given.chain.display()));
    } else if served.expires - now < WARN_BEFORE {
        let day = served.expires.date();
        served.warnings.push(format!("the certificate in {} ends on {day}", given.chain.display()));
    }
    if files::is_open_to_others(&given.key) {
        served.warnings.push(format!("everybody can read the private key in {}", given.key.display()));
    }
    Ok(served)
}

/// The authority behind an operator's certificate that no client knows by itself, and its file: the `ca.pem` beside it, as
/// `stentor cert make` writes it, or the end of a chain that goes up to its root, which public authorities leave out.
fn own_authority(served: &Served, chain_file: &Path) -> Option<(CertificateDer<'static>, PathBuf)> {
    let beside = Places::new(chain_file.parent()?).authority;
    if let Some(authority) = files::read_chain(&beside).ok().and_then(|chain| chain.into_iter().next())
        && vouches(&authority, &served.key.cert, served.expires)
    {
        return Some((authority, beside));
    }
    let last = served.key.cert.last()?;
    is_self_issued(last).then(|| (last.clone(), chain_file.to_owned()))
}

/// Whether whoever trusts an authority trusts a chain, while it lasts.
fn vouches(
    authority: &CertificateDer<'static>,
    chain: &[CertificateDer<'static>],
    until: OffsetDateTime,
) -> bool {
    let mut roots = RootCertStore::empty();
    let Some((leaf, rest)) = chain.split_first() else { return false };
    let (Ok(()), Ok(until)) = (roots.add(authority.clone()), u64::try_from(until.unix_timestamp() - 1))
    else {
        return false;
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider()).build();
    let Ok(verifier) = verifier else { return false };
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let during = UnixTime::since_unix_epoch(std::time::Duration::from_secs(until));
    match verifier.verify_server_cert(leaf, rest, &name, &[], during) {
        // Names are looked at last, and which of them a client will use is not known here.
        Ok(_) => true,
        Err(RustlsError::InvalidCertificate(problem)) => matches!(
            problem,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ),
        Err(_) => false,
    }
}

/// The certificate that the node makes itself.
fn obtain_own(settings: &Tls, directory: &Path, now: OffsetDateTime) -> Result<Served, TlsError> {
    let places = Places::new(directory);
    files::make_directory(directory)?;
    if let Some(served) = usable(settings, &places, now)? {
        return Ok(served);
    }
    let mut warnings = Vec::new();
    let kept = match Authority::load(&places)? {
        Some(authority) if authority.expires - now < RENEW_BEFORE => {
            warnings.push(format!(
                "a new authority takes the place of one that ends; clients need {}",
                shown(&places)
            ));
            None
        }
        Some(authority)
            if settings.names_given
                && !settings.names.iter().all(|name| authority.permitted.allows(name)) =>
        {
            warnings.push(format!(
                "`tls.names` has new names, so there is a new authority; clients need {}",
                shown(&places)
            ));
            None
        }
        other => other,
    };
    let authority = match kept {
        Some(authority) => authority,
        None => Authority::make(&places, &settings.names, settings.key, now)?,
    };
    let before = files::read_chain(&places.chain).ok().and_then(|chain| Facts::of(chain.first()?).ok());
    let names = wanted(settings, &authority.permitted, &before.map(|facts| facts.names).unwrap_or_default());
    let key = leaf_key(settings, &places)?;
    authority.issue(&places, &names.into_iter().collect::<Vec<_>>(), &key, LEAF_LIFE, now)?;
    let mut served = Served::new(files::load(&places.chain, &places.key)?, &places.chain)?;
    served.authority = Some(authority.certificate);
    served.authority_file = Some(places.authority);
    served.warnings = warnings;
    Ok(served)
}

/// The certificate that is there, if it can go on: it is whole, for the right names, of the right kind, and lasts a while.
/// The authority's key is not needed for that; a careful operator may keep it elsewhere.
fn usable(settings: &Tls, places: &Places, now: OffsetDateTime) -> Result<Option<Served>, TlsError> {
    let (Ok(pair), Ok(authority)) =
        (files::load(&places.chain, &places.key), files::read_chain(&places.authority))
    else {
        return Ok(None);
    };
    let mut served = Served::new(pair, &places.chain)?;
    let authority = authority.into_iter().next().expect("a chain has a certificate");
    let Some(permitted) = Permitted::read(&authority) else { return Ok(None) };
    let by_authority = served.key.cert.get(1) == Some(&authority);
    let names: BTreeSet<String> = served.names.iter().cloned().collect();
    let key_fits = read_key(places).is_some_and(|key| is_of_type(&key, settings.key));
    let lasts = served.expires - now >= RENEW_BEFORE;
    if !(by_authority && key_fits && lasts && names == wanted(settings, &permitted, &names)) {
        return Ok(None);
    }
    served.authority = Some(authority);
    served.authority_file = Some(places.authority.clone());
    Ok(Some(served))
}

/// The names that the certificate should be for: those that were given, else all that the authority covers. The machine's
/// own name counts only when the authority is made: a container has another one each time.
fn wanted(settings: &Tls, permitted: &Permitted, before: &BTreeSet<String>) -> BTreeSet<String> {
    if settings.names_given {
        settings.names.iter().map(|name| canonical(name)).collect()
    } else {
        let still = before.iter().filter(|name| permitted.allows(name)).cloned();
        permitted.names().chain(still).collect()
    }
}

/// The key of the node's certificate: the one that is there, so that clients that have pinned it stay content, else a new
/// one.
fn leaf_key(settings: &Tls, places: &Places) -> Result<KeyPair, TlsError> {
    match read_key(places).filter(|key| is_of_type(key, settings.key)) {
        Some(key) => Ok(key),
        None => {
            let key = new_key(settings.key)?;
            files::write(&places.key, &key.serialize_pem(), true)?;
            Ok(key)
        }
    }
}

fn read_key(places: &Places) -> Option<KeyPair> {
    let text = String::from_utf8(files::read(&places.key).ok()?).ok()?;
    KeyPair::from_pem(&text).ok()
}

fn stamps(settings: &Tls, directory: &Path) -> Stamps {
    match &settings.files {
        Some(given) => files::stamps(&[&given.chain, &given.key]),
        None => {
            let places = Places::new(directory);
            files::stamps(&[&places.chain, &places.key, &places.authority])
        }
    }
}

/// A name as certificates spell it.
fn canonical(name: &str) -> String {
    name.parse::<IpAddr>().map_or_else(|_| name.to_ascii_lowercase(), |ip| ip.to_string())
}

fn shown(places: &Places) -> String {
    places.authority.display().to_string()
}

/// How long before its end a certificate is renewed.
pub(crate) const RENEW_BEFORE: Duration = Duration::days(30);

/// How long before its end an operator is told of a certificate of theirs.
pub(crate) const WARN_BEFORE: Duration = Duration::days(14);
