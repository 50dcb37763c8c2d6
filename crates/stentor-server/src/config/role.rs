//! Roles: names for sets of privileges, configured here and granted to accounts in the store. And operators without an
//! account, who are configured with their role.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use stentor_proto::Mask;

use super::AddressRange;
use crate::account::PasswordHash;

/// One thing that ordinary users may not do. [`Privilege::TABLE`] says what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// Add, lock and remove accounts, and change their passwords.
    Accounts,
    /// Make, list and revoke invitations.
    Invite,
    /// End sessions.
    Kill,
    /// Keep addresses, masks and accounts out of the network.
    Ban,
    /// Act as an operator in every channel, and see secret ones.
    Channels,
    /// See real addresses.
    Addresses,
    /// Speak to everybody.
    Announce,
    /// Speak to those who asked to hear operators.
    Wallops,
    /// Read the audit log.
    Audit,
    /// Have nodes read their configuration again.
    Control,
}

/// The roles that exist, by name. `admin` always does, and has every privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeMap<String, BTreeSet<Privilege>>);

/// Operators that the configuration names, who need no account.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Operators(BTreeMap<String, OperatorBlock>);

/// One of them: `operators.NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorBlock {
    /// The password's bcrypt hash.
    pub password: PasswordHash,
    /// The role that it gives; one that is configured, or `admin`.
    pub role: String,
    /// Where its holder may come from; empty: from anywhere.
    pub hosts: Vec<Host>,
}

/// Where somebody comes from: a range of addresses, or a mask over `nick!user@host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A range of real addresses.
    Range(AddressRange),
    /// A mask, which sees the cloaked host and the real address.
    Mask(Mask),
}

impl Privilege {
    /// All of them, as the configuration spells them, with what each allows. Commands ask for one in
    /// [`operator::demand`](crate::operator::demand), and nowhere else.
    pub const TABLE: [(Self, &'static str, &'static str); 10] = [
        (Self::Accounts, "accounts", "NickServ SAREGISTER, RESETPASS, SUSPEND, UNSUSPEND, SADROP"),
        (Self::Invite, "invite", "NickServ INVITE"),
        (Self::Kill, "kill", "KILL"),
        (Self::Ban, "ban", "UBAN, KLINE, UNKLINE, DLINE, UNDLINE"),
        (Self::Channels, "channels", "SAMODE, and ChanServ as if one were every room's founder"),
        (Self::Addresses, "addresses", "WHOIS shows real addresses"),
        (Self::Announce, "announce", "ANNOUNCE"),
        (Self::Wallops, "wallops", "WALLOPS"),
        (Self::Audit, "audit", "AUDIT"),
        (Self::Control, "control", "REHASH"),
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().map(|(privilege, ..)| privilege)
    }

    /// As it stands in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::TABLE.into_iter().find(|(known, ..)| *known == self).map_or("", |(_, name, _)| name)
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(range) => Ok(Self::Range(range)),
            Err(_) => Mask::parse(text).map(Self::Mask).map_err(|error| error.to_string()),
        }
    }
}

impl Operators {
    pub(super) fn new(blocks: BTreeMap<String, OperatorBlock>) -> Self {
        Self(blocks)
    }

    /// The operator of this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OperatorBlock> {
        self.0.get(&name.to_ascii_lowercase())
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
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
        let known = Self::all().find(|privilege| privilege.as_str() == text);
        known.ok_or_else(|| "there is no such privilege".to_owned())
    }
}

impl Roles {
    /// These roles, and `admin`.
    pub(super) fn new(configured: impl IntoIterator<Item = (String, BTreeSet<Privilege>)>) -> Self {
        let mut roles: BTreeMap<_, _> = configured.into_iter().collect();
        roles.insert(ADMIN.to_owned(), Privilege::all().collect());
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

    /// All privileges that the holder of `roles` has.
    #[must_use]
    pub fn privileges<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> BTreeSet<Privilege> {
        roles.into_iter().filter_map(|name| self.get(name)).flatten().copied().collect()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The role that is built in.
pub const ADMIN: &str = "admin";
