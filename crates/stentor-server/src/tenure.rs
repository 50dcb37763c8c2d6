//! One incarnation of a node: the lease it holds, and the numbers of its commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;

use crate::commit_identity::{Deadline, Numbers};
use crate::store::{Epoch, Store, StoreError, StoreTime, Writer};

/// A node between taking its lease and losing it. A node that lost its lease starts a new one; sessions of the old one
/// keep it, so that nothing they had under way can still be stored.
#[derive(Debug)]
pub struct Tenure {
    writer: Writer,
    index_epoch: Epoch,
    numbers: Arc<Numbers>,
    deadline: AtomicU64,
    over: AtomicBool,
}

impl Tenure {
    /// A tenure whose lease ends at `deadline` unless it is renewed.
    #[must_use]
    pub fn new(writer: Writer, deadline: StoreTime) -> Self {
        Self {
            writer,
            index_epoch: Epoch::random(),
            numbers: Arc::default(),
            deadline: AtomicU64::new(deadline.0),
            over: AtomicBool::new(false),
        }
    }

    /// Who writes.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The epoch of this incarnation's index partition.
    #[must_use]
    pub fn index_epoch(&self) -> Epoch {
        self.index_epoch
    }

    /// The counter of its commits.
    #[must_use]
    pub fn numbers(&self) -> &Arc<Numbers> {
        &self.numbers
    }

    /// When the lease ends, in the store's time.
    #[must_use]
    pub fn ends_at(&self) -> StoreTime {
        StoreTime(self.deadline.load(Ordering::Acquire))
    }

    /// Notes a renewal.
    pub fn renewed(&self, deadline: StoreTime) {
        self.deadline.fetch_max(deadline.0, Ordering::AcqRel);
    }

    /// Notes that the lease is lost for good. True the first time.
    pub fn end(&self) -> bool {
        !self.over.swap(true, Ordering::AcqRel)
    }

    /// Whether the lease is known to be lost.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

#[async_trait]
impl Deadline for Tenure {
    async fn deadline(&self, _: &dyn Store) -> Result<StoreTime, StoreError> {
        Ok(self.ends_at())
    }
}
