//! How much waits in a queue, in bytes: a queue that counts items alone grows with what they hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes of something for as long as it waits.
#[derive(Debug)]
pub struct Weight {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Weight {
    /// Adds `bytes` to `total` until this is dropped; `None` where that would make more than `most`. What is too long by
    /// itself is the caller's to judge: here it only must not wait behind others.
    #[must_use]
    pub fn new(bytes: usize, total: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = total.fetch_add(bytes, Ordering::Relaxed);
        let weight = Self { bytes, total: Arc::clone(total) };
        (before == 0 || before.saturating_add(bytes) <= most).then_some(weight)
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_makes_room() {
        let total = Arc::default();
        let first = Weight::new(60, &total, 100).expect("it is empty");
        let second = Weight::new(40, &total, 100);
        assert!(second.is_some() && Weight::new(1, &total, 100).is_none());
        drop(first);
        assert!(Weight::new(60, &total, 100).is_some());
        drop(second);
        assert!(Weight::new(1000, &total, 100).is_some(), "alone it waits behind nothing");
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }
}
