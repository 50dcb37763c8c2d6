//! Where the room of a name is, as a field of `f/names` says it.

use std::fmt;
use std::time::Duration;

use crate::store::StoreTime;

/// A field of `f/names`: `<first> <then> <ms>`, the names of two places and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The room is here, if the one that is here bears the name.
    pub first: String,
    /// Otherwise it is here, and is created here where there is none. Only rooms of this name begin here.
    pub then: String,
    /// Since when a room is about to get the name, so that nobody may create one; 0 where none is.
    pub claimed: StoreTime,
}

impl Places {
    /// Where the room with this folded name is. A name without a field, or with one that cannot be read, is that of the
    /// place itself.
    #[must_use]
    pub fn read(folded: &str, field: Option<&str>) -> Self {
        field.and_then(Self::parse).unwrap_or_else(|| Self::of(folded))
    }

    fn of(folded: &str) -> Self {
        Self { first: folded.to_owned(), then: folded.to_owned(), claimed: StoreTime(0) }
    }

    fn parse(field: &str) -> Option<Self> {
        let mut words = field.split(' ').map(str::to_owned);
        let (first, then) = (words.next()?, words.next()?);
        Some(Self { first, then, claimed: StoreTime(words.next()?.parse().ok()?) })
    }

    /// Whether a room is about to get the name: whoever claimed it has neither finished nor given up.
    #[must_use]
    pub fn are_claimed(&self, now: StoreTime) -> bool {
        self.claimed.0 != 0 && now < self.claimed.plus(SETTLED)
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.first, self.then, self.claimed.0)
    }
}

/// A place for the next room of a name whose own place another room is in. No client can name it: it holds a comma.
#[must_use]
pub fn another(folded: &str) -> String {
    format!("{folded},{}", crate::random::text(8))
}

/// A claim is abandoned after this time. Who made it goes by it for half of that: the rest is for the commit to arrive.
pub(super) const SETTLED: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_back_and_a_name_without_one_is_its_own_place() {
        let places = Places { first: "#a".to_owned(), then: "#b,x".to_owned(), claimed: StoreTime(17) };
        assert_eq!(Places::read("#b", Some(&places.to_string())), places);
        for field in [None, Some(""), Some("#a"), Some("#a #b x")] {
            let places = Places::read("#b", field);
            assert_eq!((&*places.first, &*places.then), ("#b", "#b"), "{field:?}");
            assert!(!places.are_claimed(StoreTime(u64::MAX)));
        }
    }

    #[test]
    fn a_claim_is_over_when_it_is_settled_or_old() {
        let mut places = Places { claimed: StoreTime(1000), ..Places::of("#a") };
        assert!(places.are_claimed(StoreTime(1000)) && places.are_claimed(StoreTime(300_999)));
        assert!(!places.are_claimed(StoreTime(301_000)));
        places.claimed = StoreTime(0);
        assert!(!places.are_claimed(StoreTime(1)));
    }
}
