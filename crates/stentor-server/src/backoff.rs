//! Waiting between attempts at what must be done in the end.

use std::time::Duration;

/// Pauses between attempts: each about twice as long as the one before, up to a longest, and not the same for everybody
/// who waits for the same thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses of at most `first`, then of at most twice that, and so on up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// For what a node has to write before it can go on: from 50 ms to two seconds.
    #[must_use]
    pub const fn of_a_write() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(2))
    }

    /// How long to wait now: between half of what is due and all of it.
    pub fn next_pause(&mut self) -> Duration {
        let due = self.next;
        self.next = (due * 2).min(self.longest);
        let half = due / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(crate::random::number() % spread)
    }

    /// Whether the next pause is the first.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.next == self.first
    }

    /// Begins again with the first pause.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(300));
        for due in [50, 100, 200, 300, 300].map(ms) {
            let pause = backoff.next_pause();
            assert!(due / 2 <= pause && pause <= due, "{pause:?} where {due:?} are due");
        }
        assert!(!backoff.is_fresh());
        backoff.reset();
        assert!(backoff.is_fresh() && backoff.next_pause() <= ms(50));
    }
}
