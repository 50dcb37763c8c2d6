//! How an account is stored: the fields of its partition.
//!
//! | Field | Holds |
//! |---|---|
//! | `name` | the name as its owner writes it |
//! | `~hash` | the password's bcrypt hash |
//! | `~scram` | the password's SCRAM verifier; absent where the password has not been seen since SCRAM is switched on |
//! | `~certs` | fingerprints of certificates that log in to it, separated by spaces; absent where there are none |
//! | `created` | milliseconds of the store's time |
//! | `roles` | separated by spaces; absent where there are none |
//! | `locked` | since when it is locked, in milliseconds; absent where it is not |
//! | `revision` | random, new at every change that must end its sessions |
//! | `removed` | since when the account is gone, in milliseconds; then it is the only field |
//!
//! The partition may hold further fields, which belong to others: `session` and `out` to the session that is logged in,
//! `founded:<channel>` to the [list of channels that it founded](crate::fleet::founded).

use crate::store::{Epoch, Guard, Is, Peek};

use super::PasswordHash;
use super::certificate::Fingerprint;
use super::scram::Verifier;

/// An account as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As its owner writes it.
    pub name: String,
    /// In the form that all spellings of the name share.
    pub folded: String,
    /// Which owner of the name this is.
    pub epoch: Epoch,
    /// When it was made, in milliseconds of the store's time.
    pub created: u64,
    /// Sorted.
    pub roles: Vec<String>,
    /// Since when it is locked, in milliseconds of the store's time.
    pub locked: Option<u64>,
    /// Changes with everything that must end the account's sessions; a session guards on it.
    pub revision: String,
}

impl Account {
    /// Whether the account holds `role`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// This state of it.
    #[must_use]
    pub fn known(&self) -> Known<'_> {
        Known { name: &self.name, epoch: self.epoch, revision: &self.revision }
    }

    /// What holds as long as nothing happened to the account that must end its sessions.
    #[must_use]
    pub fn unchanged(&self) -> Guard {
        Guard::Field(REVISION.to_owned(), Is::Equal(self.revision.clone()))
    }
}

/// The state of an account that somebody has proved to be the user of. What they do to it is done to that state alone, and
/// not to what an operator has made of it meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The account's name, in any spelling.
    pub name: &'a str,
    /// Which owner of the name it was.
    pub epoch: Epoch,
    /// Its revision then.
    pub revision: &'a str,
}

impl Known<'_> {
    /// Whether the account is in that state.
    pub(super) fn is(&self, account: &Account) -> bool {
        account.epoch == self.epoch && account.revision == self.revision
    }
}

/// What stands under a name.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// Nothing.
    Absent,
    /// A partition without an account; its log is nobody's.
    Vacant(Epoch),
    /// An account that was removed at this time; the name stays reserved.
    Removed(Epoch, u64),
    /// An account.
    Present(Box<Stored>),
}

/// An account with what is nobody else's business.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) account: Account,
    /// `None` where it cannot be read; then no password is right.
    pub(super) hash: Option<PasswordHash>,
    /// `None` where there is none, or it cannot be read; then no proof is right.
    pub(super) scram: Option<Verifier>,
    /// The certificates that log in to it.
    pub(super) certificates: Vec<Fingerprint>,
    /// The field as it stands, to guard on.
    roles: Option<String>,
}

impl Record {
    /// Reads the answer to a peek at [`FIELDS`].
    pub(super) fn read(folded: &str, peek: Peek) -> Self {
        let Some(epoch) = peek.epoch else { return Self::Absent };
        let mut values = peek.fields.into_iter();
        let mut next = || values.next().flatten();
        let (name, hash, created) = (next(), next(), next());
        let (roles, locked, revision, removed) = (next(), next(), next(), next());
        let (scram, certificates) = (next(), next());
        if let Some(since) = removed {
            return Self::Removed(epoch, time(&since));
        }
        let Some(revision) = revision else { return Self::Vacant(epoch) };
        let account = Account {
            name: name.unwrap_or_else(|| folded.to_owned()),
            folded: folded.to_owned(),
            epoch,
            created: created.as_deref().map(time).unwrap_or_default(),
            roles: roles.as_deref().map(roles_from_text).unwrap_or_default(),
            locked: locked.as_deref().map(time),
            revision,
        };
        let hash = hash.and_then(|text| PasswordHash::parse(&text).ok());
        let scram = scram.and_then(|text| Verifier::parse(&text));
        let certificates = certificates.as_deref().map(Fingerprint::read_list).unwrap_or_default();
        Self::Present(Box::new(Stored { account, hash, scram, certificates, roles }))
    }

    /// The partition's present epoch.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Absent => None,
            Self::Vacant(epoch) | Self::Removed(epoch, _) => Some(*epoch),
            Self::Present(stored) => Some(stored.account.epoch),
        }
    }
}

impl Stored {
    /// What holds as long as nobody else changed anything about the account.
    pub(super) fn guards(&self) -> Vec<Guard> {
        let roles = self.roles.clone().map_or(Is::Absent, Is::Equal);
        let locked = if self.account.locked.is_some() { Is::Present } else { Is::Absent };
        vec![
            self.account.unchanged(),
            Guard::Field(ROLES.to_owned(), roles),
            Guard::Field(LOCKED.to_owned(), locked),
        ]
    }
}

fn roles_from_text(text: &str) -> Vec<String> {
    let mut roles: Vec<String> = text.split(' ').filter(|role| !role.is_empty()).map(str::to_owned).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// A damaged time still counts as being there.
fn time(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

pub(super) const NAME: &str = "name";
pub(super) const HASH: &str = "~hash";
pub(super) const SCRAM: &str = "~scram";
pub(super) const CERTIFICATES: &str = "~certs";
pub(super) const CREATED: &str = "created";
pub(super) const ROLES: &str = "roles";
pub(crate) const LOCKED: &str = "locked";
pub(crate) const REVISION: &str = "revision";
pub(crate) const REMOVED: &str = "removed";

/// The fields that [`Record::read`] expects, in their order.
pub(super) const FIELDS: [&str; 9] =
    [NAME, HASH, CREATED, ROLES, LOCKED, REVISION, REMOVED, SCRAM, CERTIFICATES];
