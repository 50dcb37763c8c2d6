//! How many accounts there are, without counting them at every creation.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A count of accounts and reserved names, which goes on with those that are made here.
#[derive(Debug, Default)]
pub(super) struct Census(Mutex<Option<Counted>>);

#[derive(Debug)]
struct Counted {
    count: usize,
    at: Instant,
}

impl Census {
    /// The count, where it is new enough to be held against a limit of `max`. Others make accounts too; far below the limit
    /// it takes them long to matter.
    pub(super) fn known(&self, max: usize, now: Instant) -> Option<usize> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.as_ref()?;
        let fresh = if counted.count <= max / 2 { FRESH_FAR_BELOW } else { FRESH };
        (now.saturating_duration_since(counted.at) < fresh).then_some(counted.count)
    }

    /// Notes what the directory said.
    pub(super) fn counted(&self, count: usize, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Counted { count, at: now });
    }

    /// Notes that one more was made here.
    pub(super) fn added(&self) {
        if let Some(counted) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            counted.count = counted.count.saturating_add(1);
        }
    }
}

/// How old a count may be that comes near the limit.
const FRESH: Duration = Duration::from_mins(1);
/// How old one may be that is at most half of the limit.
const FRESH_FAR_BELOW: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_grows_and_grows_old() {
        let (census, now) = (Census::default(), Instant::now());
        census.added();
        assert_eq!(census.known(10, now), None);
        census.counted(4, now);
        census.added();
        assert_eq!(census.known(10, now + FRESH), Some(5));
        census.added();
        assert_eq!(census.known(10, now + FRESH), None, "it comes near the limit");
        assert_eq!(census.known(10, now), Some(6));
        assert_eq!(census.known(100, now + FRESH_FAR_BELOW), None);
    }
}
