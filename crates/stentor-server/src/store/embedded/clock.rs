//! A clock that follows the machine's and never goes back.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::store::StoreTime;

/// The store's time. When the machine's clock is set back, this one goes on at half speed until the other has caught
/// up: a clock that stood still would let no lease run out.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Reading>);

/// What the clock showed when it was last anchored.
#[derive(Debug)]
struct Reading {
    shown: u64,
    anchored: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Reading { shown: wall(), anchored: Instant::now() }))
    }

    pub(super) fn now(&self) -> StoreTime {
        let mut reading = self.0.lock().expect("no holder of the clock panics");
        StoreTime(reading.show(wall(), Instant::now()) / 1000)
    }
}

impl Reading {
    fn show(&mut self, wall: u64, now: Instant) -> u64 {
        let elapsed = micros(now.saturating_duration_since(self.anchored).as_micros());
        let slow = self.shown + elapsed / 2;
        let shown = slow.max(wall);
        // Anchoring at every call would lose the odd half of a microsecond each time.
        if shown > slow || elapsed > 1000 {
            *self = Self { shown, anchored: now };
        }
        shown
    }
}

/// The machine's clock in microseconds since the Unix epoch.
fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| micros(since.as_micros()))
}

fn micros(micros: u128) -> u64 {
    u64::try_from(micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_is_followed_slowly() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut reading = Reading { shown: 10_000_000, anchored: start };
        assert_eq!(reading.show(10_005_000, at(5)), 10_005_000, "it follows the machine's clock");
        assert_eq!(reading.show(9_000_000, at(15)), 10_010_000, "half speed while that is behind");
        assert_eq!(reading.show(9_010_000, at(25)), 10_015_000);
        assert_eq!(reading.show(99_000_000, at(26)), 99_000_000, "and forward at once");
    }

    #[test]
    fn frequent_looks_do_not_stop_a_slow_clock() {
        let start = Instant::now();
        let mut reading = Reading { shown: 10_000_000, anchored: start };
        let mut shown = 0;
        for micros in 0..=10_000 {
            shown = reading.show(0, start + Duration::from_micros(micros));
        }
        assert!((10_004_000..=10_005_000).contains(&shown), "{shown}");
    }
}
