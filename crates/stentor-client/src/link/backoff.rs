//! Pauses between attempts to connect.

use std::time::Duration;

/// Pauses that double from half a second to half a minute, each cut by a random part of up to its half, so that the
/// clients of a server that comes back do not all come at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Begins with the shortest pause.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: SHORTEST }
    }

    /// How long to wait now.
    pub fn next_pause(&mut self) -> Duration {
        let mut random = [0; 4];
        // Without randomness the pause is only less fair.
        let _ = getrandom::fill(&mut random);
        self.pause(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
    }

    /// Begins again with the shortest pause.
    pub fn reset(&mut self) {
        self.next = SHORTEST;
    }

    /// The pause where `cut`, from 0 to 1, was drawn.
    fn pause(&mut self, cut: f64) -> Duration {
        let due = self.next;
        self.next = (due * 2).min(LONGEST);
        due.mul_f64(1.0 - cut / 2.0)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::new();
        let due: Vec<u128> = (0..8).map(|_| backoff.pause(0.0).as_millis()).collect();
        assert_eq!(due, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.pause(1.0), Duration::from_millis(250));
        let drawn = backoff.next_pause();
        assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&drawn), "{drawn:?}");
    }
}
