//! The scripts that run in the server. They compare, set, append and publish, and know nothing about IRC.

use bytes::{Bytes, BytesMut};

use super::resp;

/// One of the scripts; [`Script::source`] says what it takes and returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Commit,
    Snapshot,
    Peek,
    Read,
    Trim,
    Hold,
    Release,
    Claim,
    Leases,
    Beat,
    Probe,
}

impl Script {
    /// All of them, each at the place that [`Script::index`] gives.
    pub(super) const ALL: [Self; 11] = [
        Self::Commit,
        Self::Snapshot,
        Self::Peek,
        Self::Read,
        Self::Trim,
        Self::Hold,
        Self::Release,
        Self::Claim,
        Self::Leases,
        Self::Beat,
        Self::Probe,
    ];

    /// Its place in [`Script::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// What runs.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Commit => include_str!("scripts/commit.lua"),
            Self::Snapshot => include_str!("scripts/snapshot.lua"),
            Self::Peek => include_str!("scripts/peek.lua"),
            Self::Read => include_str!("scripts/read.lua"),
            Self::Trim => include_str!("scripts/trim.lua"),
            Self::Hold => include_str!("scripts/hold.lua"),
            Self::Release => include_str!("scripts/release.lua"),
            Self::Claim => include_str!("scripts/claim.lua"),
            Self::Leases => include_str!("scripts/leases.lua"),
            Self::Beat => include_str!("scripts/beat.lua"),
            Self::Probe => include_str!("scripts/probe.lua"),
        }
    }
}

/// One command, encoded but for its beginning, which depends on the connection.
#[derive(Debug)]
pub(super) struct Call {
    script: Option<Script>,
    parts: usize,
    encoded: BytesMut,
    /// What the reply's first item must be, if it is no error.
    pub(super) own: Option<String>,
}

impl Call {
    /// A plain command.
    pub(super) fn plain(parts: &[&str]) -> Self {
        let mut call = Self { script: None, parts: 0, encoded: BytesMut::with_capacity(64), own: None };
        for part in parts {
            call.push(part);
        }
        call
    }

    /// A script with its keys; arguments follow with [`Call::push`].
    pub(super) fn script(script: Script, keys: &[impl AsRef<str>]) -> Self {
        let mut call = Self { script: Some(script), ..Self::plain(&[]) };
        call.push(&keys.len().to_string());
        for key in keys {
            call.push(key.as_ref());
        }
        call
    }

    /// Adds an argument.
    pub(super) fn push(&mut self, part: &str) {
        resp::push_part(&mut self.encoded, part.as_bytes());
        self.parts += 1;
    }

    /// Adds arguments.
    #[must_use]
    pub(super) fn args(mut self, parts: &[&str]) -> Self {
        for part in parts {
            self.push(part);
        }
        self
    }

    /// How many bytes it takes while it waits.
    pub(super) fn size(&self) -> usize {
        self.encoded.len()
    }

    /// Appends the whole command, naming a script by its hash.
    pub(super) fn encode(&self, hashes: &Hashes, out: &mut BytesMut) {
        match self.script {
            Some(script) => self.encode_script(b"EVALSHA", hashes.of(script), out),
            None => {
                resp::push_header(out, self.parts);
                out.extend_from_slice(&self.encoded);
            }
        }
    }

    /// Appends the whole command with the script itself, for a server that has forgotten it.
    pub(super) fn encode_source(&self, out: &mut BytesMut) {
        let source = self.script.map_or("", Script::source);
        self.encode_script(b"EVAL", source.as_bytes(), out);
    }

    fn encode_script(&self, command: &[u8], script: &[u8], out: &mut BytesMut) {
        resp::push_header(out, self.parts + 2);
        resp::push_part(out, command);
        resp::push_part(out, script);
        out.extend_from_slice(&self.encoded);
    }
}

/// What the server calls the scripts.
#[derive(Clone, Debug)]
pub(super) struct Hashes(pub(super) [Bytes; Script::ALL.len()]);

impl Hashes {
    fn of(&self, script: Script) -> &[u8] {
        self.0.get(script.index()).map_or(b"", |hash| hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_its_place() {
        for (place, script) in Script::ALL.into_iter().enumerate() {
            assert_eq!(script.index(), place);
        }
    }
}
