//! A partition's replica, held.

use std::fmt;
use std::sync::Arc;

use super::{Hub, Replica};

/// A replica that stays for as long as somebody holds it.
pub struct Held {
    pub(super) hub: Arc<Hub>,
    pub(super) replica: Arc<Replica>,
}

impl Held {
    /// The replica, for a use that ends before the hold does.
    #[must_use]
    pub fn replica(&self) -> Arc<Replica> {
        self.replica.clone()
    }
}

impl std::ops::Deref for Held {
    type Target = Arc<Replica>;

    fn deref(&self) -> &Arc<Replica> {
        &self.replica
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut slots = self.hub.slots();
        let Some(slot) = slots.get_mut(self.replica.partition()) else { return };
        slot.holders -= 1;
        let unheld = slot.holders == 0;
        drop(slots);
        if unheld {
            let partition = self.replica.partition().clone();
            self.hub.retired.lock().expect("no holder of the list panics").push(partition);
            self.hub.retire.notify_one();
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.replica.partition())
    }
}
