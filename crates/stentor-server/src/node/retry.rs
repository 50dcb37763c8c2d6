//! Waiting between attempts at what must be done in the end.

use std::time::Duration;

/// The first pause.
pub const FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
pub const LONGEST: Duration = Duration::from_secs(2);

/// The pause after this one.
#[must_use]
pub fn next(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST)
}
