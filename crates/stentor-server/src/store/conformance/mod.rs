//! The suite that every store must pass: one case for each sentence of the [contract](super) that can be broken.
//!
//! A store's own tests write a [`Harness`], call [`run_all`], and get one message that names every case that failed.
//! It is a part of the crate, not of its tests, so that a store that lives elsewhere can be held to it too.
//!
//! - `guards`: what must hold, and what a conflict reports
//! - `lives`: how partitions begin, are renewed and end
//! - `numbers`: once and only once, and fencing
//! - `order`: many writers, one order, on every node; snapshots that join up with events
//! - `logs`: reading and trimming
//! - `erasing`: what was said and is taken back
//! - `watching`: what is delivered, and to whom
//! - `state`: fields, members, private fields, odd names and values
//! - `leases`: leases and sweeps
//! - `kit`: what the cases share

mod erasing;
mod guards;
mod kit;
mod leases;
mod lives;
mod logs;
mod numbers;
mod order;
mod state;
mod watching;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::Store;
use kit::Nodes;

/// How a store is brought up for a case.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Handles on one store that is empty and that nobody else uses: one, or, where several nodes can share a store, at
    /// least two. No sink is attached to any of them. The suite closes them.
    async fn open(&self) -> Vec<Arc<dyn Store>>;
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// What must hold, in words of a test's name.
    pub name: &'static str,
    run: fn(Nodes) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Case {
    const fn new(name: &'static str, run: fn(Nodes) -> Running) -> Self {
        Self { name, run }
    }

    /// Runs the case on a store of its own.
    ///
    /// # Errors
    /// What the case found wrong, or that it took longer than [`PATIENCE`].
    pub async fn run(&self, harness: &dyn Harness) -> Result<(), String> {
        let stores = harness.open().await;
        let nodes = Nodes::new(&stores);
        let mut task = JoinSet::new();
        task.spawn((self.run)(nodes));
        let ended = tokio::time::timeout(PATIENCE, task.join_next()).await;
        task.shutdown().await;
        for store in stores {
            store.close().await;
        }
        match ended {
            Ok(Some(Err(failed))) => Err(reason(failed)),
            Ok(_) => Ok(()),
            Err(_) => Err(format!("not done after {PATIENCE:?}")),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Runs every case, one after the other.
///
/// # Panics
/// When a case failed, with the names and reasons of all that did.
pub async fn run_all(harness: &dyn Harness) {
    let mut failures = Vec::new();
    for case in CASES {
        if let Err(why) = case.run(harness).await {
            failures.push(format!("- {}: {why}", case.name));
        }
    }
    let failed = failures.len();
    assert!(failures.is_empty(), "{failed} of {} cases failed:\n{}", CASES.len(), failures.join("\n"));
}

fn reason(failed: tokio::task::JoinError) -> String {
    match failed.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(other) => {
                other.downcast::<&str>().map_or("a panic without words".into(), |text| (*text).into())
            }
        },
        Err(ended) => ended.to_string(),
    }
}

/// How long one case may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The whole suite.
pub const CASES: &[Case] = &[
    Case::new("a guard on a field holds or stops the commit", |n| Box::pin(guards::fields(n))),
    Case::new("a guard on a member holds or stops the commit", |n| Box::pin(guards::members(n))),
    Case::new("a guard on the size counts members before the commit", |n| Box::pin(guards::sizes(n))),
    Case::new("a conflict names the first guard that fails and the newest entry", |n| {
        Box::pin(guards::conflict_reports(n))
    }),
    Case::new("a conflict changes nothing", |n| Box::pin(guards::conflict_changes_nothing(n))),
    Case::new("a partition begins once", |n| Box::pin(lives::begins_once(n))),
    Case::new("a commit for another life is a conflict", |n| Box::pin(lives::must_match(n))),
    Case::new("a renewed partition starts empty with a new log", |n| Box::pin(lives::renewal_drops_all(n))),
    Case::new("a partition that ended is gone, log and all", |n| Box::pin(lives::end_drops_all(n))),
    Case::new("entries of one life form one chain", |n| Box::pin(lives::chain_is_unbroken(n))),
    Case::new("epochs keep all their bits", |n| Box::pin(lives::epochs_keep_their_bits(n))),
    Case::new("a retry returns the same entry and stores nothing", |n| {
        Box::pin(numbers::retry_is_stored_once(n))
    }),
    Case::new("a retry of a lower number finds its entry", |n| Box::pin(numbers::earlier_number_is_found(n))),
    Case::new("a first attempt that comes late never runs", |n| Box::pin(numbers::late_first_attempt(n))),
    Case::new("a commit that met a conflict never runs under its number", |n| {
        Box::pin(numbers::retry_after_conflict(n))
    }),
    Case::new("a used number stays used when the partition begins anew", |n| {
        Box::pin(numbers::no_resurrection(n))
    }),
    Case::new("a retried end finds the entry that ended the partition", |n| {
        Box::pin(numbers::retried_end(n))
    }),
    Case::new("each writer has numbers of its own in each partition", |n| {
        Box::pin(numbers::belong_to_writer_and_partition(n))
    }),
    Case::new("a writer whose deadline has passed is fenced", |n| Box::pin(numbers::fencing(n))),
    Case::new("many writers make one order for every node and the log", |n| Box::pin(order::one_order(n))),
    Case::new("of many guarded claims one wins", |n| Box::pin(order::one_winner(n))),
    Case::new("a snapshot amid writers joins up with the events", |n| Box::pin(order::snapshot_joins_up(n))),
    Case::new("commits take their places in the order of the calls", |n| Box::pin(order::order_of_calls(n))),
    Case::new("a commit whose future is dropped still happens", |n| Box::pin(order::dropped_future(n))),
    Case::new("time never goes back, and ids follow it", |n| Box::pin(order::time_is_monotone(n))),
    Case::new("every range of a log reads what it says", |n| Box::pin(logs::ranges(n))),
    Case::new("a log that lost its beginning says so", |n| Box::pin(logs::trimmed_by_count(n))),
    Case::new("a log is trimmed by age", |n| Box::pin(logs::trimmed_by_age(n))),
    Case::new("a log that is trimmed to nothing goes on", |n| Box::pin(logs::trimmed_to_nothing(n))),
    Case::new("an erased entry stays in the chain and says nothing any more", |n| {
        Box::pin(erasing::every_range(n))
    }),
    Case::new("a volatile log is erased like any other", |n| Box::pin(erasing::volatile(n))),
    Case::new("an erased entry is still the one of its number", |n| Box::pin(erasing::retries(n))),
    Case::new("what a conflict was to erase stays", |n| Box::pin(erasing::conflicts(n))),
    Case::new("a log is trimmed past what was erased", |n| Box::pin(erasing::trimmed(n))),
    Case::new("an old epoch's log is gone", |n| Box::pin(logs::old_epoch_is_gone(n))),
    Case::new("an entry reads as it was delivered and returned", |n| {
        Box::pin(logs::same_entry_everywhere(n))
    }),
    Case::new("a transient text is delivered and not logged", |n| Box::pin(watching::transient(n))),
    Case::new("a transient text has a longest length", |n| Box::pin(watching::longest_transient(n))),
    Case::new("nothing comes after unwatch", |n| Box::pin(watching::unwatch(n))),
    Case::new("watching twice is watching once", |n| Box::pin(watching::twice(n))),
    Case::new("only watched partitions are delivered", |n| Box::pin(watching::only_what_is_watched(n))),
    Case::new("a partition is watched through all its lives", |n| Box::pin(watching::through_lives(n))),
    Case::new("private fields show in peek alone", |n| Box::pin(state::private_fields(n))),
    Case::new("peek answers in order, for what is absent too", |n| Box::pin(state::peek_many(n))),
    Case::new("changes apply in their order", |n| Box::pin(state::changes_in_order(n))),
    Case::new("odd names and values come back as they were", |n| Box::pin(state::odd_texts(n))),
    Case::new("what no log could hold is refused and harms nothing", |n| Box::pin(state::illegal_texts(n))),
    Case::new("partitions with odd names are apart", |n| Box::pin(state::odd_partitions(n))),
    Case::new("every kind of partition keeps state and log", |n| Box::pin(state::every_kind(n))),
    Case::new("a lease is held, listed and renewed", |n| Box::pin(leases::hold_and_renew(n))),
    Case::new("a node's name is not given twice", |n| Box::pin(leases::name_is_taken(n))),
    Case::new("a lease that is over is not revived", |n| Box::pin(leases::no_revival(n))),
    Case::new("a released lease frees the name at once", |n| Box::pin(leases::release(n))),
    Case::new("one node at a time sweeps, after the margin", |n| Box::pin(leases::sweep_claims(n))),
    Case::new("nobody sweeps what lives or is gone", |n| Box::pin(leases::nothing_to_sweep(n))),
    Case::new("a closed store answers that it is not available", |n| Box::pin(watching::closed(n))),
];
