//! What a key of the configuration is, how it is found by its name, and how the tables write one.

use std::time::Duration;

use super::keys::KEYS;
pub use super::kind::Kind;
use super::named::NAMED;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its full name, such as `accounts.bcrypt_cost`.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// Its default, as it stands in a file.
    pub default: &'static str,
    /// Whether a running node takes a new value on SIGHUP.
    pub reload: Reload,
    /// What it means, in a paragraph.
    pub doc: &'static str,
}

/// When a new value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// On SIGHUP.
    Live,
    /// When the node is started again.
    Restart,
}

impl Key {
    /// The key of this name; what is given for a role or an operator is one key, whatever its name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let named = || NAMED.iter().find(|key| key.name_in(name).is_some());
        KEYS.iter().find(|key| key.name == name).or_else(named)
    }

    /// What stands in `path` for the `NAME` of this key.
    pub(super) fn name_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (before, after) = self.name.split_once("NAME")?;
        let name = path.strip_prefix(before)?.strip_suffix(after)?;
        (!name.is_empty() && !name.contains('.')).then_some(name)
    }

    /// Whether its value is nobody's business.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.name.ends_with(".password")
    }

    /// The table that it stands in (empty at the top level), and its name there.
    #[must_use]
    pub fn split(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }
}

/// Whether `path` names a table of keys.
pub(super) fn is_section(path: &str) -> bool {
    let (table, name) = path.split_once('.').unwrap_or((path, ""));
    let named = NAMED.iter().any(|key| key.split().0 == table) && !name.contains('.');
    named || KEYS.iter().any(|key| key.split().0 == path && !path.is_empty())
}

/// What may stand beside `path` in its table; empty where there is no such table.
pub(super) fn in_section(path: &str) -> Vec<&'static str> {
    let Some((section, _)) = path.rsplit_once('.') else { return Vec::new() };
    let table = section.split('.').next().unwrap_or_default();
    let named = NAMED.iter().filter(|key| key.split().0 == table);
    let named: Vec<_> = named.filter_map(|key| key.name.rsplit('.').next()).collect();
    if named.is_empty() {
        return KEYS.iter().map(Key::split).filter(|key| key.0 == section).map(|key| key.1).collect();
    }
    named
}

/// The key that someone who wrote `path` most likely meant.
pub(super) fn nearest(path: &str) -> Option<&'static Key> {
    let (section, last) = path.rsplit_once('.').unwrap_or(("", path));
    let (close, key) =
        KEYS.iter().map(|key| (distance(path, key.name), key)).min_by_key(|(close, _)| *close)?;
    if close <= 1 + path.len() / 6 {
        return Some(key);
    }
    let mut same = KEYS.iter().filter(|key| key.split().1 == last);
    if let (Some(key), None) = (same.next(), same.next()) {
        return Some(key);
    }
    KEYS.iter().find(|key| {
        let (table, name) = key.split();
        table == section && last.len() > 2 && (name.starts_with(last) || last.starts_with(name))
    })
}

/// How many letters must be added, removed, replaced or swapped with the next to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

pub(super) const fn number(least: u64, most: u64) -> Kind {
    Kind::Number { least, most, zero: None }
}

pub(super) const fn limit(most: u64) -> Kind {
    Kind::Number { least: 1, most, zero: Some(NO_LIMIT) }
}

pub(super) const fn time(least: Duration, most: Duration) -> Kind {
    Kind::Time { least, most, zero: None }
}

pub(super) const fn time_or(zero: &'static str, least: Duration, most: Duration) -> Kind {
    Kind::Time { least, most, zero: Some(zero) }
}

pub(super) const fn text(allowed: &'static str, check: fn(&str) -> Result<(), String>) -> Kind {
    Kind::Text { allowed, check, optional: false }
}

pub(super) const fn optional(allowed: &'static str, check: fn(&str) -> Result<(), String>) -> Kind {
    Kind::Text { allowed, check, optional: true }
}

pub(super) const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    reload: Reload,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, reload, doc }
}

pub(super) const NO_LIMIT: &str = "no limit";
pub(super) const A_FILE: &str = "the path of a file, or empty";
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);
pub(super) const TENTH: Duration = Duration::from_millis(100);
