//! Authorities from files and from the system.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};

use super::TrustError;

/// All certificates of a PEM file; at least one.
pub(super) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let file = |why: String| TrustError::File(path.to_owned(), why);
    let wrong = |error: PemError| match error {
        PemError::Io(error) => file(error.to_string()),
        _ => file(NO_CERTIFICATE.to_owned()),
    };
    let all = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(wrong)?;
    if all.is_empty() { Err(file(NO_CERTIFICATE.to_owned())) } else { Ok(all) }
}

/// The same; none where there is no file. One that cannot be read is an error: it may be the one that decides.
pub(super) fn read_if_there(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(TrustError::file(path, &error)),
        Ok(_) => read(path),
    }
}

/// The same for a file that nobody named; none, too, where it is not for this user.
pub(super) fn read_if_allowed(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(Vec::new()),
        _ => read_if_there(path),
    }
}

/// The system's authorities; what cannot be read is left out.
pub(super) fn system() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

const NO_CERTIFICATE: &str = "it holds no certificate in PEM";
