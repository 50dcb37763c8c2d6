//! Roles: names for sets of privileges, configured here and granted to accounts in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// One thing that ordinary users may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// Add, lock and remove accounts, and change their passwords.
    Accounts,
    /// Make, list and revoke invitations.
    Invite,
    /// End sessions.
    Kill,
    /// Keep addresses and accounts out of the network.
    Ban,
    /// Act as an operator in every channel, and see secret ones.
    Channels,
    /// See real addresses.
    Addresses,
    /// Speak to everybody.
    Announce,
    /// Reload, drain and stop nodes.
    Control,
}

/// The roles that exist, by name. `admin` always does, and has every privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeMap<String, BTreeSet<Privilege>>);

impl Privilege {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accounts,
        Self::Invite,
        Self::Kill,
        Self::Ban,
        Self::Channels,
        Self::Addresses,
        Self::Announce,
        Self::Control,
    ];

    /// As it stands in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Invite => "invite",
            Self::Kill => "kill",
            Self::Ban => "ban",
            Self::Channels => "channels",
            Self::Addresses => "addresses",
            Self::Announce => "announce",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Privilege {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|privilege| privilege.as_str() == text);
        known.ok_or_else(|| "there is no such privilege".to_owned())
    }
}

impl Roles {
    /// These roles, and `admin`.
    pub(super) fn new(configured: impl IntoIterator<Item = (String, BTreeSet<Privilege>)>) -> Self {
        let mut roles: BTreeMap<_, _> = configured.into_iter().collect();
        roles.insert(ADMIN.to_owned(), Privilege::ALL.into());
        Self(roles)
    }

    /// The privileges of the role `name`, or `None` where there is no such role.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&BTreeSet<Privilege>> {
        self.0.get(name)
    }

    /// Whether the holder of `roles` has a privilege. A role that is not configured any more gives none.
    #[must_use]
    pub fn allow<'a>(&self, roles: impl IntoIterator<Item = &'a str>, privilege: Privilege) -> bool {
        roles.into_iter().filter_map(|name| self.get(name)).any(|held| held.contains(&privilege))
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The role that is built in.
pub const ADMIN: &str = "admin";
