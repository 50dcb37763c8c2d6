//! Whom a ban is about, and for how long.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stentor_proto::{Mask, Nick};

use crate::client::Client;
use crate::config::AddressRange;
use crate::store::StoreTime;

/// Whom a ban keeps out.
///
/// | Written | Means |
/// |---|---|
/// | `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/48` | real addresses |
/// | `nick!user@host`, `user@host`, with `*` and `?` | a mask; its host is the cloaked one or the real address |
/// | `name` | an account |
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Users whom a mask over `nick!user@host` matches.
    Mask(Mask),
    /// Real addresses, as a canonical range. Loopback is never meant.
    Range(AddressRange),
    /// An account, by its folded name.
    Account(String),
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom it keeps out.
    pub target: Target,
    /// Since when, in milliseconds of the store's time.
    pub created: u64,
    /// Until when, in milliseconds of the store's time; `None`: for ever.
    pub expires: Option<u64>,
    /// The operator who set it.
    pub by: String,
    /// What those read whom it keeps out.
    pub reason: String,
}

/// Somebody whom a ban may be about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `nick!user@host`, cloaked.
    source: String,
    /// The same with the real address.
    real: String,
    address: IpAddr,
    account: Option<String>,
}

impl Target {
    /// Whether it would keep out a large part of everybody.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        match self {
            Self::Mask(mask) => {
                mask.folded().chars().filter(|letter| letter.is_alphanumeric()).count() < LETTERS_MIN
            }
            Self::Range(range) if range.network().is_ipv4() => range.prefix() < V4_PREFIX_MIN,
            Self::Range(range) => range.prefix() < V6_PREFIX_MIN,
            Self::Account(_) => false,
        }
    }

    /// Whether it is about loopback addresses alone, which no ban holds for.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Range(range) => range.network().is_loopback() && range.prefix() >= LOOPBACK_PREFIX,
            _ => false,
        }
    }

    /// Whether somebody is meant.
    #[must_use]
    pub fn matches(&self, who: &Subject) -> bool {
        match self {
            Self::Mask(mask) => mask.matches(&who.source) || mask.matches(&who.real),
            Self::Range(range) => !who.address.is_loopback() && range.contains(who.address),
            Self::Account(name) => who.account.as_deref() == Some(name),
        }
    }

    /// The field that holds the ban.
    pub(super) fn field(&self) -> String {
        match self {
            Self::Mask(mask) => format!("m:{}", mask.folded()),
            Self::Range(range) => format!("r:{range}"),
            Self::Account(name) => format!("a:{name}"),
        }
    }

    fn from_field(field: &str) -> Option<Self> {
        let (kind, name) = field.split_once(':')?;
        let target = name.parse().ok()?;
        match (kind, &target) {
            ("m", Self::Mask(_)) | ("r", Self::Range(_)) | ("a", Self::Account(_)) => Some(target),
            _ => None,
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mask = || Mask::parse(text).map(Self::Mask).map_err(|error| error.to_string());
        if text.contains(['!', '@']) {
            return mask();
        }
        if let Ok(range) = text.parse::<AddressRange>() {
            return Ok(Self::Range(range.canonical()));
        }
        if text.contains('/') && text.split('/').next().is_some_and(|part| part.parse::<IpAddr>().is_ok()) {
            return Err(format!("{text} is no range of addresses"));
        }
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.split('.').count() == 4 && text.split('.').all(is_number) {
            return Err(format!("{text} is no address"));
        }
        if text.contains(['*', '?', '.', ':', '/']) {
            return mask();
        }
        match Nick::parse(text, usize::MAX) {
            Ok(name) => Ok(Self::Account(name.folded().to_owned())),
            Err(_) => Err(format!("{text} is no address, mask or account")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(mask) => mask.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Account(name) => f.write_str(name),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl Ban {
    /// Whether it still holds.
    #[must_use]
    pub fn lasts(&self, now: StoreTime) -> bool {
        self.expires.is_none_or(|expires| expires > now.0)
    }

    /// What those read whom it keeps out.
    #[must_use]
    pub fn text(&self) -> String {
        if self.reason.is_empty() { "Banned".to_owned() } else { format!("Banned ({})", self.reason) }
    }

    /// The field's value: `<created> <expires or never> <by> <reason>`.
    pub(super) fn to_value(&self) -> String {
        let expires = self.expires.map_or_else(|| NEVER.to_owned(), |expires| expires.to_string());
        format!("{} {expires} {} {}", self.created, self.by, self.reason)
    }

    /// The ban that a field holds; `None` for what this version cannot read.
    pub(super) fn from_field(field: &str, value: &str) -> Option<Self> {
        let mut words = value.splitn(4, ' ');
        Some(Self {
            target: Target::from_field(field)?,
            created: words.next()?.parse().ok()?,
            expires: match words.next()? {
                NEVER => None,
                time => Some(time.parse().ok()?),
            },
            by: words.next()?.to_owned(),
            reason: words.next()?.to_owned(),
        })
    }
}

impl Subject {
    /// Somebody with this nick and user name.
    #[must_use]
    pub fn new(nick: &str, user: &str, host: &str, address: IpAddr, account: Option<&str>) -> Self {
        Self {
            source: format!("{nick}!{user}@{host}"),
            real: format!("{nick}!{user}@{address}"),
            address,
            account: account.map(str::to_ascii_lowercase),
        }
    }

    /// A client as it is now.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        let profile = client.profile();
        let account = profile.account.as_deref();
        Self::new(&profile.nick, &profile.user, &profile.host, client.address(), account)
    }
}

const NEVER: &str = "never";
/// What loopback's own network of IPv4 has; `::1` is alone.
const LOOPBACK_PREFIX: u8 = 8;
/// A mask with fewer letters and digits than this is said to be broad.
const LETTERS_MIN: usize = 3;
/// A larger IPv4 network is.
const V4_PREFIX_MIN: u8 = 16;
/// A larger IPv6 network is.
const V6_PREFIX_MIN: u8 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().expect("it is legal")
    }

    #[test]
    fn a_target_is_known_by_its_shape() {
        for (written, shown) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:db8::1/48", "2001:db8::/48"),
            ("192.0.2.*", "*!*@192.0.2.*"),
            ("spammer!*@*", "spammer!*@*"),
            ("~bot@host", "*!~bot@host"),
            ("Ann", "ann"),
        ] {
            assert_eq!(target(written).to_string(), shown);
            assert_eq!(target(shown), target(written));
            assert_eq!(Target::from_field(&target(written).field()), Some(target(written)));
        }
        for wrong in ["", "192.0.2.0/33", "two words", "#room"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_hits_nearly_everybody_is_broad() {
        for broad in ["*!*@*", "*", "*@*.de", "*!~*@*", "10.0.0.0/8", "0.0.0.0/0", "2001::/16"] {
            assert!(target(broad).is_broad(), "{broad}");
        }
        for narrow in ["bob!*@*", "*@*.abc.cloak", "192.0.0.0/16", "2001:db8::/32", "ann"] {
            assert!(!target(narrow).is_broad(), "{narrow}");
        }
        assert!(target("127.0.0.1").is_loopback() && target("::1").is_loopback());
        assert!(!target("0.0.0.0/0").is_loopback() && !target("::/0").is_loopback());
    }

    #[test]
    fn masks_see_both_hosts_and_ranges_the_real_address_alone() {
        let address = "192.0.2.7".parse().expect("it is an address");
        let who = Subject::new("Bob", "~bob", "a.b.cloak", address, Some("Bob"));
        for hit in ["bob!*@*", "*@a.b.cloak", "*@192.0.2.*", "192.0.2.0/24", "BOB", "192.0.2.7"] {
            assert!(target(hit).matches(&who), "{hit}");
        }
        for miss in ["ann!*@*", "*@192.0.3.*", "192.0.3.0/24", "ann", "2001:db8::/32"] {
            assert!(!target(miss).matches(&who), "{miss}");
        }
        let local = Subject::new("a", "~a", "localhost", "127.0.0.1".parse().expect("it is one"), None);
        assert!(!target("0.0.0.0/0").matches(&local) && target("*@localhost").matches(&local));
    }

    #[test]
    fn a_ban_reads_back_and_ends_at_its_time() {
        for (expires, reason) in [(None, "two words"), (Some(2000), "")] {
            let ban = Ban {
                target: target("a!*@*"),
                created: 1000,
                expires,
                by: "op".into(),
                reason: reason.into(),
            };
            assert_eq!(Ban::from_field(&ban.target.field(), &ban.to_value()), Some(ban.clone()));
            assert!(ban.lasts(StoreTime(1999)));
            assert_eq!(ban.lasts(StoreTime(2000)), expires.is_none());
        }
    }
}
