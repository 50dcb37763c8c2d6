//! The file of fingerprints that were accepted once.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::link::ServerUrl;

use super::{Fingerprint, TrustError};

/// A text file with one server a line: `host:port fingerprint [fingerprint…]`. Lines that begin with `#` are comments.
///
/// A server is trusted if its certificate has one of the fingerprints, or an authority that came along with it has one
/// and vouches for it under the server's name. So a certificate may be renewed by the same authority.
#[derive(Clone, Copy, Debug)]
pub struct KnownServers<'a> {
    path: &'a Path,
}

impl<'a> KnownServers<'a> {
    /// The file at this path; it need not be there.
    #[must_use]
    pub fn new(path: &'a Path) -> Self {
        Self { path }
    }

    /// The fingerprints of a server; none where it is not known.
    ///
    /// # Errors
    /// Where the file cannot be read, or the server's line is broken: nothing is taken for unknown that may be known.
    pub fn of(&self, server: &ServerUrl) -> Result<Vec<Fingerprint>, TrustError> {
        let text = self.read()?;
        let name = server.host_and_port();
        let mut all = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            if !words.next().is_some_and(|word| word.eq_ignore_ascii_case(&name)) {
                continue;
            }
            let broken = |why: String| TrustError::Line(self.path.to_owned(), index + 1, why);
            let pins: Result<Vec<Fingerprint>, _> = words.map(str::parse).collect();
            let pins = pins.map_err(|error| broken(error.to_string()))?;
            if pins.is_empty() {
                return Err(broken("the fingerprint is missing".to_owned()));
            }
            all.extend(pins);
        }
        Ok(all)
    }

    /// Adds a line. The file, which only its owner may read, and its directory are made where they are not there.
    ///
    /// # Errors
    /// Where that fails, or the server is known already.
    pub fn add(&self, server: &ServerUrl, fingerprints: &[Fingerprint]) -> Result<(), TrustError> {
        let of_file = |error: io::Error| TrustError::file(self.path, &error);
        if !self.of(server)?.is_empty() {
            return Err(of_file(io::Error::new(io::ErrorKind::AlreadyExists, "it knows the server already")));
        }
        if let Some(directory) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(of_file)?;
        }
        let ended = self.read()?.is_empty() || self.read()?.ends_with('\n');
        let mut line = if ended { String::new() } else { "\n".to_owned() };
        line.push_str(&server.host_and_port());
        for fingerprint in fingerprints {
            line.push(' ');
            line.push_str(&fingerprint.hex());
        }
        line.push('\n');
        // One write at the end: two clients that store at once leave two whole lines.
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(self.path).map_err(of_file)?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(of_file)
    }

    fn read(&self) -> Result<String, TrustError> {
        let of_file = |error: io::Error| TrustError::file(self.path, &error);
        match fs::metadata(self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(of_file(error)),
            Ok(found) if found.len() > SIZE_MAX => {
                return Err(of_file(io::Error::other(format!("it has more than {SIZE_MAX} bytes"))));
            }
            Ok(_) => {}
        }
        let mut text = String::new();
        File::open(self.path)
            .and_then(|file| file.take(SIZE_MAX).read_to_string(&mut text))
            .map_err(of_file)?;
        Ok(text)
    }
}

/// How many bytes the file may have: some thousand servers.
const SIZE_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn server(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_added_is_found_under_host_and_port_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config/stentor/known_servers");
        let known = KnownServers::new(&path);
        let (a, b) = (Fingerprint::of(b"a"), Fingerprint::of(b"b"));
        assert_eq!(known.of(&server("ircs://h")), Ok(vec![]));
        known.add(&server("ircs://H:1"), &[a, b]).unwrap();
        known.add(&server("ircs://[::1]:1"), &[b]).unwrap();
        assert_eq!(known.of(&server("ircs://h:1")), Ok(vec![a, b]));
        assert_eq!(known.of(&server("ircs://[::1]:1")), Ok(vec![b]));
        assert_eq!(known.of(&server("ircs://h:2")), Ok(vec![]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(known.add(&server("ircs://h:1"), &[b]).unwrap_err().to_string().contains("already"));
    }

    #[test]
    fn a_file_that_a_person_wrote_is_read_and_added_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_servers");
        let a = Fingerprint::of(b"a");
        fs::write(&path, format!("# mine\n\nHost:6697\t{a}\nbroken:1 12:34\nempty:1")).unwrap();
        let known = KnownServers::new(&path);
        assert_eq!(known.of(&server("ircs://host")), Ok(vec![a]));
        for (name, line) in [("broken:1", ":4:"), ("empty:1", ":5:")] {
            let error = known.of(&server(name)).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
        known.add(&server("new:1"), &[a]).unwrap();
        assert_eq!(known.of(&server("new:1")), Ok(vec![a]));
        assert!(fs::read_to_string(&path).unwrap().contains("\nempty:1\nnew:1 "));
    }

    #[test]
    fn a_file_that_cannot_be_read_knows_nobody_better_than_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let known = KnownServers::new(directory.path());
        assert!(matches!(known.of(&server("ircs://h")), Err(TrustError::File(..))));
    }
}
