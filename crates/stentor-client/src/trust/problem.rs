//! Why a certificate is not trusted, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustls::{CertificateError, Error};

use super::Fingerprint;
use crate::link::ServerUrl;

/// Why a server's certificate is not trusted.
#[derive(Clone, Debug)]
pub struct CertificateProblem {
    /// What was judged.
    pub rejection: Rejection,
}

/// The judgement of what a server showed.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The server.
    pub server: ServerUrl,
    /// The fingerprint of its certificate, and after it that of an authority that came along and vouches for it, if one
    /// does.
    pub presented: Vec<Fingerprint>,
    pub(super) source: Source,
    pub(super) why: Why,
}

/// What decided.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The fingerprint that was given.
    Given,
    /// The authority that was given.
    File(PathBuf),
    /// What was stored in this file.
    Known(PathBuf),
    /// The system's authorities and the local server's. Whether there is a place for a fingerprint.
    System { can_store: bool },
}

/// What is wrong.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// The certificate has none of these fingerprints.
    Differs(Vec<Fingerprint>),
    /// In words. A person may accept the certificate all the same if `may_accept`.
    Invalid { text: String, may_accept: bool },
}

impl CertificateProblem {
    /// The problem behind a failed handshake; none where that failed for another reason.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return None };
        let rejection = other.0.downcast_ref::<Rejection>()?.clone();
        Some(Self { rejection })
    }

    /// The question whether to accept the certificate from now on; none where that is not for a person to say in
    /// passing: a fingerprint changed, an authority was named, or the certificate is broken.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        let Rejection { server, presented, source: Source::System { can_store: true }, why } =
            &self.rejection
        else {
            return None;
        };
        let Why::Invalid { text, may_accept: true } = why else { return None };
        let shown = presented.first()?;
        let authority = presented.get(1).map_or_else(String::new, |authority| {
            format!(
                "\nIt comes with its authority, which may give this name other certificates, and would be trusted too:\n  \
                 {authority}"
            )
        });
        Some(format!(
            "{server} is not known here: {text}.\nIts certificate has the SHA-256 fingerprint\n  {shown}{authority}\n\
             Compare it with what the server's operator tells you (`stentor serve` prints it).\nTrust it from now on? \
             [yes/no] "
        ))
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejection { server, presented, source, why } = &self.rejection;
        let shown = presented.first().map(ToString::to_string).unwrap_or_default();
        match why {
            Why::Differs(pins) => {
                writeln!(f, "{server} shows another certificate than expected")?;
                for pin in pins {
                    writeln!(f, "expected: {pin}")?;
                }
                writeln!(f, "it shows: {shown}")?;
            }
            Why::Invalid { text, .. } => {
                writeln!(f, "the certificate of {server} is not trusted: {text}")?;
                writeln!(f, "its SHA-256: {shown}")?;
            }
        }
        match source {
            Source::Given => f.write_str("compare --fingerprint with what `stentor serve` prints"),
            Source::Known(path) => write!(
                f,
                "somebody may be listening in, or the server has a new certificate; if its operator confirms the new \
                 fingerprint, remove the line of {} from {} and connect again",
                server.host_and_port(),
                path.display()
            ),
            Source::File(path) => {
                write!(f, "is {} the authority of this server? see the server's tls/ca.pem", path.display())
            }
            Source::System { .. } => f.write_str(
                "give the server's authority with --ca FILE (its tls/ca.pem), or, once its operator confirms it, the \
                 fingerprint with --fingerprint",
            ),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CertificateProblem { rejection: self.clone() }.fmt(f)
    }
}

impl std::error::Error for Rejection {}

impl Why {
    pub(super) fn of(error: &Error) -> Self {
        let Error::InvalidCertificate(error) = error else {
            return Self::Invalid { text: error.to_string(), may_accept: false };
        };
        let (text, may_accept) = match error {
            CertificateError::UnknownIssuer => {
                ("no authority that is trusted here vouches for it".to_owned(), true)
            }
            // A certificate that signed itself in the way of an authority; webpki has no name for it.
            CertificateError::Other(_) => {
                ("no authority that is trusted here vouches for it".to_owned(), true)
            }
            CertificateError::NotValidForName => ("it is for another name".to_owned(), true),
            CertificateError::NotValidForNameContext { presented, .. } => {
                (format!("it is for other names ({})", names(presented)), true)
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ("it has expired".to_owned(), true)
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("it is not valid yet; is the clock right?".to_owned(), true)
            }
            other => (other.to_string(), false),
        };
        Self::Invalid { text, may_accept }
    }
}

/// Names out of a certificate that nobody vouches for: printable, and not too many.
fn names(presented: &[String]) -> String {
    let mut shown: Vec<String> =
        presented.iter().take(NAMES_MAX).map(|name| name.escape_debug().to_string()).collect();
    if presented.is_empty() {
        return "none at all".to_owned();
    }
    if presented.len() > NAMES_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// How many names of a certificate are told.
const NAMES_MAX: usize = 5;
