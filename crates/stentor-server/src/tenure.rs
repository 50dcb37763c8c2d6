//! One incarnation of a node: the lease it holds, and the numbers of its commits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

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

/// The node's present tenure, which another replaces when its lease was lost.
///
/// As a deadline it is for what the node itself writes, of no session: such a commit is decided on with the incarnation
/// that the node has when it is made.
#[derive(Debug)]
pub struct PresentTenure(RwLock<Arc<Tenure>>);

impl PresentTenure {
    /// Begins with this one.
    #[must_use]
    pub fn new(tenure: Arc<Tenure>) -> Self {
        Self(RwLock::new(tenure))
    }

    /// The present one.
    #[must_use]
    pub fn get(&self) -> Arc<Tenure> {
        self.0.read().expect("no writer of a tenure panics").clone()
    }

    /// Puts another one in its place, and returns it.
    pub fn replace(&self, next: Arc<Tenure>) -> Arc<Tenure> {
        std::mem::replace(&mut *self.0.write().expect("no writer of a tenure panics"), next)
    }
}

#[async_trait]
impl Deadline for PresentTenure {
    async fn deadline(&self, _: &dyn Store) -> Result<StoreTime, StoreError> {
        Ok(self.get().ends_at())
    }
}
