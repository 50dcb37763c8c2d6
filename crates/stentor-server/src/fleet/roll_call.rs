//! Which nodes have come and gone between two looks at the leases.

use std::collections::BTreeMap;
use std::fmt;

use crate::store::{Lease, Leases, StoreTime, Writer};

/// The incarnations of other nodes that had a lease at the last look.
#[derive(Debug, Default)]
pub struct RollCall(Option<BTreeMap<Writer, Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The end of its lease, as last read.
    expires: StoreTime,
    /// Whether it was said to be lost.
    lost: bool,
}

/// What has become of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It has joined the fleet.
    Joined(String),
    /// It has given up its lease.
    Left(String),
    /// Its lease ran out.
    Lost(String),
}

impl RollCall {
    /// Looks at the leases, and tells what has changed since the last look. The first tells nothing. `is_over` judges a
    /// lease as [`super::Fleet::is_over`] does.
    pub fn note(&mut self, leases: &Leases, own: &Writer, is_over: impl Fn(&Lease) -> bool) -> Vec<News> {
        let others = leases.leases.iter().filter(|lease| lease.writer.node() != own.node());
        let mut news = Vec::new();
        let before = self.0.take();
        let is_first = before.is_none();
        let mut before = before.unwrap_or_default();
        let mut now = BTreeMap::new();
        for lease in others {
            let name = || lease.writer.node().to_owned();
            let known = before.remove(&lease.writer);
            let over = is_over(lease);
            match known {
                None if !is_first && lease.expires > leases.now => news.push(News::Joined(name())),
                Some(seen) if over && !seen.lost => news.push(News::Lost(name())),
                _ => {}
            }
            now.insert(lease.writer.clone(), Seen { expires: lease.expires, lost: over });
        }
        // Nobody takes a lease away that may still be held, so one that is gone before its end was given up.
        for (writer, seen) in before.into_iter().filter(|(_, seen)| !seen.lost) {
            let name = writer.node().to_owned();
            news.push(if seen.expires > leases.now { News::Left(name) } else { News::Lost(name) });
        }
        self.0 = Some(now);
        news
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined(name) => write!(f, "the node {name} has joined"),
            Self::Left(name) => write!(f, "the node {name} has left"),
            Self::Lost(name) => {
                write!(f, "the node {name} is lost: its lease is over, and its users are cleared away")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(now: u64, held: &[(&str, u64, u64)]) -> Leases {
        let lease = |(name, number, expires): &(&str, u64, u64)| Lease {
            writer: Writer::new(name, *number),
            expires: StoreTime(*expires),
            info: String::new(),
        };
        Leases { now: StoreTime(now), up_since: StoreTime(0), leases: held.iter().map(lease).collect() }
    }

    fn note(roll: &mut RollCall, leases: &Leases) -> Vec<News> {
        roll.note(leases, &Writer::new("own", 1), |lease| lease.expires.0 + 10 < leases.now.0)
    }

    #[test]
    fn nodes_are_told_of_once_when_they_come_leave_or_are_lost() {
        let mut roll = RollCall::default();
        let first = leases(100, &[("own", 1, 200), ("a", 1, 200)]);
        assert_eq!(note(&mut roll, &first), [], "those that were there before are no news");
        let joined = leases(150, &[("own", 1, 250), ("a", 1, 250), ("b", 1, 250), ("c", 1, 200)]);
        assert_eq!(note(&mut roll, &joined), [News::Joined("b".to_owned()), News::Joined("c".to_owned())]);
        let left = leases(190, &[("own", 1, 290), ("b", 1, 250), ("c", 1, 200)]);
        assert_eq!(note(&mut roll, &left), [News::Left("a".to_owned())]);
        let late = leases(205, &[("own", 1, 300), ("b", 1, 250), ("c", 1, 200)]);
        assert_eq!(note(&mut roll, &late), [], "it may only be slow");
        let lost = leases(220, &[("own", 1, 300), ("b", 1, 250), ("c", 1, 200)]);
        assert_eq!(note(&mut roll, &lost), [News::Lost("c".to_owned())]);
        // Another node has cleaned up after both.
        assert_eq!(note(&mut roll, &leases(270, &[("own", 2, 370)])), [News::Lost("b".to_owned())]);
        assert_eq!(note(&mut roll, &leases(280, &[("own", 2, 380)])), []);
    }
}
