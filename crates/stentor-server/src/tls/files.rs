//! Reading and writing certificates and private keys as PEM files.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as RustlsError, InconsistentKeys};

use super::error::TlsError;

/// Reads a chain, leaf first, and the leaf's key.
///
/// # Errors
/// Says which file is missing, is not PEM, or does not fit the other.
pub fn load(chain_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = read_chain(chain_file)?;
    let key = read_key(key_file)?;
    CertifiedKey::from_der(chain, key, &super::provider()).map_err(|error| match error {
        RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::Mismatch { chain: chain_file.to_owned(), key: key_file.to_owned() }
        }
        RustlsError::InvalidCertificate(problem) => TlsError::Content(
            chain_file.to_owned(),
            format!("the first certificate is not valid: {problem:?}"),
        ),
        other => TlsError::Content(key_file.to_owned(), format!("the private key cannot be used: {other}")),
    })
}

/// Reads all certificates of a PEM file; at least one.
///
/// # Errors
/// Where the file cannot be read or holds none.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(TlsError::Content(path.to_owned(), no_pem("certificate", &text))),
        Err(_) => Err(TlsError::Content(path.to_owned(), "the PEM text is damaged".to_owned())),
    }
}

/// When files were last written, to notice that they have changed.
pub(super) fn stamps(paths: &[&Path]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp =
        |path: &&Path| fs::metadata(path).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
    paths.iter().map(stamp).collect()
}

/// Makes a directory that only its owner may enter. One that exists stays as it is.
pub(super) fn make_directory(path: &Path) -> Result<(), TlsError> {
    if path.exists() && !path.is_dir() {
        let error = io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory");
        return Err(TlsError::Write(path.to_owned(), error));
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| TlsError::Write(path.to_owned(), error))
}

/// Writes a file as a whole or not at all, durably. Where it is `private`, only its owner may ever read it.
pub(super) fn write(path: &Path, text: &str, private: bool) -> Result<(), TlsError> {
    let temporary = PathBuf::from(format!("{}.{}", path.display(), crate::random::text(8)));
    let done =
        write_new(&temporary, text, private).and_then(|()| fs::rename(&temporary, path)).and_then(|()| {
            // The name must survive a power cut as well as the content does.
            path.parent().map_or(Ok(()), |directory| fs::File::open(directory)?.sync_all())
        });
    done.map_err(|error| {
        // What is left of a failed attempt is of no use; that it cannot be removed adds nothing to the error.
        let _ = fs::remove_file(&temporary);
        TlsError::Write(path.to_owned(), error)
    })
}

/// Whether others than the owner may read a file.
pub(super) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let problem = if contains(&text, b"ENCRYPTED") {
            "the private key is encrypted; decrypt it with `openssl pkey` and protect the file instead"
                .to_owned()
        } else {
            no_pem("private key", &text)
        };
        TlsError::Content(path.to_owned(), problem)
    })
}

fn write_new(path: &Path, text: &str, private: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn no_pem(what: &str, text: &[u8]) -> String {
    if text.is_empty() {
        "the file is empty".to_owned()
    } else if contains(text, b"-----BEGIN") {
        format!("there is no {what} in the file")
    } else {
        format!("there is no {what} in PEM (text with a line `-----BEGIN …-----`) in the file")
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A certificate with its key, as listeners share it.
pub(super) type Shared = Arc<CertifiedKey>;
