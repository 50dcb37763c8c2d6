//! How fast a client may send: so many lines at once, and so many a second after that.

use std::time::{Duration, Instant};

/// A bucket of permits for lines. A client that sends faster is read more slowly; nothing is dropped.
#[derive(Debug)]
pub struct Rate {
    /// The time that one line costs; none lifts the limit.
    per_line: Option<Duration>,
    burst: u32,
    /// Until when the lines so far are paid for.
    paid_until: Instant,
}

impl Rate {
    /// A full bucket of `burst` lines that fills up by `per_second`; `None` lifts the limit.
    #[must_use]
    pub fn new(per_second: Option<usize>, burst: usize, now: Instant) -> Self {
        let per_second = per_second.and_then(|lines| u32::try_from(lines).ok()).filter(|lines| *lines > 0);
        Self {
            per_line: per_second.map(|lines| Duration::from_secs(1) / lines),
            burst: u32::try_from(burst).unwrap_or(u32::MAX).max(1),
            paid_until: now,
        }
    }

    /// Whether a line may be taken now.
    #[must_use]
    pub fn ready(&self, now: Instant) -> bool {
        self.per_line.is_none() || self.next() <= now
    }

    /// When the next line may be taken.
    #[must_use]
    pub fn next(&self) -> Instant {
        let credit = self.per_line.unwrap_or_default() * (self.burst - 1);
        self.paid_until.checked_sub(credit).unwrap_or(self.paid_until)
    }

    /// Charges for `lines`.
    pub fn spend(&mut self, lines: u32, now: Instant) {
        if let Some(per_line) = self.per_line {
            self.paid_until = self.paid_until.max(now) + per_line * lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_waits() {
        let now = Instant::now();
        let mut rate = Rate::new(Some(2), 3, now);
        for _ in 0..3 {
            assert!(rate.ready(now));
            rate.spend(1, now);
        }
        assert!(!rate.ready(now));
        assert!(rate.next() > now && rate.next() <= now + Duration::from_secs(1));
    }

    #[test]
    fn no_limit_is_always_ready() {
        let mut rate = Rate::new(None, 1, Instant::now());
        rate.spend(1000, Instant::now());
        assert!(rate.ready(Instant::now()));
    }
}
