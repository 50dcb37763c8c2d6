//! The fleet: who is alive, and what is done about those who are not.
//!
//! - [`census`]: how many channels there are
//! - [`directory`]: which channels there are
//! - [`founded`]: which of them an account has founded
//! - [`keeper`]: holds this node's lease, and starts over when it is lost
//! - [`outbox`]: private messages that are under way
//! - [`roll_call`]: which nodes have come and gone
//! - [`sweep`]: cleans up after a dead node

pub mod census;
pub mod directory;
pub mod founded;
pub mod keeper;
pub mod outbox;
pub mod roll_call;
pub mod sweep;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use crate::store::partition::stable_hash;
use crate::store::{Lease, Leases, Partition, Store, StoreError, StoreTime, Writer};

/// What this node knows of the others' leases.
#[derive(Debug)]
pub struct Fleet {
    store: Arc<dyn Store>,
    view: RwLock<View>,
    /// How long a lease must have been over before anybody acts on it, for clocks that differ.
    margin: Duration,
    lease: Duration,
    /// Whether the last attempt to renew this node's lease succeeded.
    renewed: AtomicBool,
    /// Until when, in the store's time, no lease is taken to be over.
    unsettled_until: AtomicU64,
}

#[derive(Debug)]
struct View {
    leases: Leases,
    at: Instant,
}

impl Fleet {
    /// The fleet as it stands in `store` now.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(store: Arc<dyn Store>, lease: Duration, margin: Duration) -> Result<Self, StoreError> {
        let leases = store.leases().await?;
        Ok(Self {
            store,
            view: RwLock::new(View { leases, at: Instant::now() }),
            margin,
            lease,
            renewed: AtomicBool::new(true),
            unsettled_until: AtomicU64::new(0),
        })
    }

    /// Reads the leases again.
    ///
    /// # Errors
    /// The store's.
    pub async fn refresh(&self) -> Result<Leases, StoreError> {
        let leases = self.store.leases().await?;
        *self.view.write().expect("no writer of the view panics") =
            View { leases: leases.clone(), at: Instant::now() };
        Ok(leases)
    }

    /// The leases as last read.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        self.view.read().expect("no writer of the view panics").leases.leases.clone()
    }

    /// Whether a node's incarnation is gone: its lease is over, or has been released or swept.
    ///
    /// # Errors
    /// The store's, where it has to be asked.
    pub async fn is_dead(&self, writer: &Writer) -> Result<bool, StoreError> {
        let known = {
            let view = self.view.read().expect("no writer of the view panics");
            let now = view.leases.now.plus(view.at.elapsed());
            find(&view.leases, writer).is_some_and(|lease| lease.expires > now)
        };
        if known {
            return Ok(false);
        }
        let leases = self.refresh().await?;
        Ok(find(&leases, writer).is_none_or(|lease| self.is_over(lease, &leases)))
    }

    /// Whether a lease is over beyond doubt. None is before the store has been up, and this node undisturbed, for one whole
    /// lease: until then the others may not have been able to renew.
    #[must_use]
    pub fn is_over(&self, lease: &Lease, leases: &Leases) -> bool {
        let up = leases.up_since.plus(self.lease).plus(self.margin);
        let unsettled = StoreTime(self.unsettled_until.load(Ordering::Acquire));
        lease.expires.plus(self.margin) < leases.now && up < leases.now && unsettled < leases.now
    }

    /// Notes that this node could not renew, or was too late: perhaps nobody could. The others get a whole lease to do so
    /// before any of them is taken for dead.
    pub fn disturbed(&self) {
        let until = self.now().plus(self.lease).plus(self.margin);
        self.unsettled_until.fetch_max(until.0, Ordering::AcqRel);
    }

    /// Notes how an attempt to renew this node's lease ended.
    pub fn note_renewal(&self, succeeded: bool) {
        self.renewed.store(succeeded, Ordering::Relaxed);
    }

    /// Whether the last attempt to renew this node's lease succeeded.
    #[must_use]
    pub fn is_renewed(&self) -> bool {
        self.renewed.load(Ordering::Relaxed)
    }

    /// Whether a partition is in the share of `own`, by the leases as last read: its own lease and the partition hash
    /// highest together. Nodes that see the leases differently may both take it for theirs, or neither does.
    #[must_use]
    pub fn is_in_share(&self, own: &Writer, partition: &Partition) -> bool {
        let weight = |writer: &Writer| stable_hash(&format!("{partition} {writer}"));
        let highest = (weight(own), own);
        let view = self.view.read().expect("no writer of the view panics");
        let now = view.leases.now.plus(view.at.elapsed());
        let mut live =
            view.leases.leases.iter().filter(|lease| lease.expires > now).map(|lease| &lease.writer);
        live.all(|writer| (weight(writer), writer) <= highest)
    }

    /// How long a lease lasts.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// How long a lease must have been over before anybody acts on it.
    #[must_use]
    pub fn margin(&self) -> Duration {
        self.margin
    }

    /// The store's time, estimated.
    #[must_use]
    pub fn now(&self) -> StoreTime {
        let view = self.view.read().expect("no writer of the view panics");
        view.leases.now.plus(view.at.elapsed())
    }
}

fn find<'a>(leases: &'a Leases, writer: &Writer) -> Option<&'a Lease> {
    leases.leases.iter().find(|lease| lease.writer == *writer)
}
