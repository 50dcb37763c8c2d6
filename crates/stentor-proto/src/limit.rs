//! Limits with fixed values, as rows that can be shown to people.
//!
//! Each crate gathers its own in a `limits` table; `docs/reference.md` is made from them. A row names the constant that
//! the code goes by, so the number is written once.

use std::fmt;
use std::time::Duration;

/// One limit that a user can meet.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is limited, in a few words.
    pub name: &'static str,
    /// The limit.
    pub amount: Amount,
    /// What it means, and what happens past it, in a sentence or two.
    pub doc: &'static str,
}

/// Limits that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// What they are about.
    pub title: &'static str,
    /// The limits, in the order in which they are shown.
    pub rows: &'static [Limit],
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many things, as the name says.
    Count(u64),
    /// So many bytes.
    Bytes(u64),
    /// So long, in whole milliseconds.
    Time(Duration),
}

impl Limit {
    /// A limit of so many things.
    #[must_use]
    pub const fn count(name: &'static str, count: usize, doc: &'static str) -> Self {
        Self { name, amount: Amount::Count(count as u64), doc }
    }

    /// A limit in bytes.
    #[must_use]
    pub const fn bytes(name: &'static str, bytes: usize, doc: &'static str) -> Self {
        Self { name, amount: Amount::Bytes(bytes as u64), doc }
    }

    /// A limit in time.
    #[must_use]
    pub const fn time(name: &'static str, time: Duration, doc: &'static str) -> Self {
        Self { name, amount: Amount::Time(time), doc }
    }
}

impl fmt::Display for Amount {
    /// In the largest unit that holds it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, units) = match self {
            Self::Count(count) => return write!(f, "{count}"),
            Self::Bytes(bytes) => (*bytes, BYTES),
            Self::Time(time) => (u64::try_from(time.as_millis()).unwrap_or(u64::MAX), TIMES),
        };
        let fits = |unit: &&(u64, &str)| number != 0 && number.is_multiple_of(unit.0);
        let (unit, name) = units.iter().rev().find(fits).unwrap_or(&units[0]);
        write!(f, "{} {name}", number / unit)
    }
}

/// Units of size and their bytes, from small to large.
const BYTES: &[(u64, &str)] = &[(1, "bytes"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB")];

/// Units of time and their milliseconds, from small to large.
const TIMES: &[(u64, &str)] =
    &[(1, "ms"), (1000, "s"), (60_000, "min"), (3_600_000, "h"), (86_400_000, "days")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_their_unit() {
        let seconds = |seconds| Amount::Time(Duration::from_secs(seconds)).to_string();
        assert_eq!(Amount::Count(20).to_string(), "20");
        assert_eq!(Amount::Bytes(512).to_string(), "512 bytes");
        assert_eq!(Amount::Bytes(4096).to_string(), "4 KiB");
        assert_eq!(Amount::Bytes(0).to_string(), "0 bytes");
        assert_eq!((seconds(90), seconds(120), seconds(3600)), ("90 s".into(), "2 min".into(), "1 h".into()));
        assert_eq!(seconds(30 * 86_400), "30 days");
        assert_eq!(Amount::Time(Duration::from_millis(250)).to_string(), "250 ms");
    }
}
