//! Where shared state lives: partitions, each with a state, a log and an epoch, and one way to write to them.
//!
//! - [`partition`]: what a partition is called
//! - [`commit`]: what a write asks for, and how it can end
//! - [`entry`]: what a log holds, and its readable text form
//! - [`embedded`]: the store in one SQLite file, for a node on its own
//! - [`redis`]: the store in Redis or Valkey, for a fleet
//! - [`configured`]: the one of them that the configuration names
//! - [`conformance`]: the suite that both must pass
//!
//! # The contract
//!
//! **Order.** Each partition has one order of entries. Every watcher receives them in that order, but may receive
//! one twice, or miss some: it judges by [`Entry::previous`], which names the entry before it, and reads the log
//! where the chain breaks. A store that knows it missed something says [`Event::Lost`].
//!
//! **Atomicity.** A commit happens whole or not at all: guards hold, the lease is not over, and then changes, log
//! entry and publication are one step that nothing else of the partition comes between.
//!
//! **Once.** A partition remembers the highest number that each [`Writer`] has used there. A commit with a higher
//! number runs; one with the same or a lower number returns what is logged under it, or [`Failure::Superseded`]
//! when nothing is. A number is used up also by a commit that ends in a conflict or is fenced out, and it stays used
//! when the partition ends. The entry that ended a partition counts as logged until the partition begins anew. So a
//! retry, or a first attempt that arrives late, is stored at most once. A writer numbers its commits from one counter
//! and hands them to the store in the order of their numbers; so a store that has forgotten what a writer used in one
//! partition may take a number far below the writer's newest for a retry.
//!
//! **Judgement.** What is judged first decides: the number, the deadline, the life, then the guards in their order.
//!
//! **Ids.** Within an epoch they rise. Their milliseconds are the store's time, or the last entry's where that is later.
//!
//! **Erasure.** A commit may take the lines of earlier entries of its life away ([`Change::Erase`]), in the same step. The
//! entries stay where they are, so the chain holds and a writer's number is still found; no reader sees those lines again.
//! Copies outside the store, such as backups, are not reached.
//!
//! **Durability.** [`Outcome::Committed`] means stored as the store's setting declares; an event is delivered only
//! for what is stored.
//!
//! **Volatile state.** Members, and partitions that are [volatile](Partition::is_volatile) (nicks, indexes and guests),
//! describe who is here now. The embedded store forgets them when it is opened, since every session ended with the
//! process before. A volatile partition's log may lose its beginning at any time, and says so.
//!
//! **Private fields.** A field whose name begins with `~` is kept out of entries and snapshots; only
//! [`Store::peek`] reads it.

pub mod commit;
pub mod configured;
pub mod conformance;
pub mod embedded;
pub mod entry;
pub mod partition;
pub mod redis;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use commit::{Change, Commit, Failure, Guard, Is, Life, Outcome, Size};
pub use entry::{Body, By, Entry, EntryId, Epoch, Link, Writer};
pub use partition::{Kind, Partition};

/// A point in the store's own time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreTime(pub u64);

impl StoreTime {
    /// This time moved forward.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What a commit resolves to.
pub type CommitFuture = Pin<Box<dyn Future<Output = Result<Outcome, StoreError>> + Send>>;

/// Shared, ordered state. See the [module](self) for the contract that every implementation keeps.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Names the one receiver of events. Called once, before the first [`Store::watch`].
    fn attach(&self, sink: Arc<dyn Sink>);

    /// Writes to one partition.
    ///
    /// The commit takes its place in line when this is *called*, not when the future is first polled, so a caller that
    /// calls under a lock fixes the order. Dropping the future does not withdraw the commit.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: a name or a line is not legal, so nothing was judged, and the number is not used up.
    /// [`StoreError::Unavailable`]: certainly not stored. [`StoreError::Unknown`]: the answer did not arrive; call
    /// again with the same commit to learn what became of it.
    fn commit(&self, commit: Commit) -> CommitFuture;

    /// The partition as it is now, or `None` where it does not exist. Read from the primary copy.
    async fn snapshot(&self, partition: &Partition) -> Result<Option<Snapshot>, StoreError>;

    /// A few fields (private ones too) and the number of members of each of `partitions`, in their order. Each answer is
    /// consistent in itself, not with its neighbours.
    async fn peek(&self, partitions: &[Partition], fields: &[&str]) -> Result<Vec<Peek>, StoreError>;

    /// [`Store::peek`] at one partition.
    async fn peek_one(&self, partition: &Partition, fields: &[&str]) -> Result<Peek, StoreError> {
        let peeks = self.peek(std::slice::from_ref(partition), fields).await?;
        Ok(peeks.into_iter().next().unwrap_or_default())
    }

    /// Part of a partition's log in ascending order, at most `limit` entries.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where `epoch` is not the partition's epoch any more.
    async fn read(
        &self,
        partition: &Partition,
        epoch: Epoch,
        range: Range,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Removes log entries: all older than `before`, then the oldest until at most `keep` are left. Erased ones need not count.
    async fn trim(&self, partition: &Partition, before: StoreTime, keep: u64) -> Result<(), StoreError>;

    /// Sends `text` to the partition's watchers without storing it. It may be lost.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the text is longer than [`TRANSIENT_MAX`], and the store's.
    async fn publish(&self, partition: &Partition, text: &str) -> Result<(), StoreError>;

    /// Starts delivery of a partition's events. Once this returns, every later entry is delivered or [`Event::Lost`]
    /// is. Watching twice is watching once.
    async fn watch(&self, partition: &Partition) -> Result<(), StoreError>;

    /// Ends delivery of a partition's events.
    async fn unwatch(&self, partition: &Partition);

    /// The store's clock.
    async fn now(&self) -> Result<StoreTime, StoreError>;

    /// Takes or renews the lease of `writer` for `ttl`, with `info` for others to read (at most 4 KiB).
    ///
    /// A lease that is over is not revived, and a node name that another incarnation still holds is not given.
    async fn hold_lease(&self, writer: &Writer, ttl: Duration, info: &str) -> Result<Held, StoreError>;

    /// Gives the lease up, so that the node's name is free at once. The writer's later commits are not fenced by this;
    /// their own deadline does that.
    async fn release_lease(&self, writer: &Writer) -> Result<(), StoreError>;

    /// All leases, live or over, that have not been released.
    async fn leases(&self) -> Result<Leases, StoreError>;

    /// Claims the clean-up after `dead`, whose lease must be over by `margin`, for `by` during `ttl`. True for one caller
    /// at a time; false where the lease is live or gone, or another's claim stands.
    async fn claim_sweep(
        &self,
        dead: &Writer,
        by: &Writer,
        margin: Duration,
        ttl: Duration,
    ) -> Result<bool, StoreError>;

    /// What an operator reads in `stentor status`: the kind, version, durability and address of this store.
    fn describe(&self) -> String;

    /// Ends the store's own tasks and threads after what is under way. Later calls answer
    /// [`StoreError::Unavailable`].
    async fn close(&self);
}

/// Receives what a store delivers.
pub trait Sink: Send + Sync + fmt::Debug + 'static {
    /// Takes one event. Called from the store's reader: it must not block, and keeps the order of calls per partition.
    fn deliver(&self, event: Event);
}

/// What a store tells its [`Sink`].
#[derive(Clone, Debug)]
pub enum Event {
    /// An entry of a watched partition.
    Entry(Partition, Arc<Entry>),
    /// A text that was published to a watched partition and is stored nowhere.
    Transient(Partition, Arc<str>),
    /// Entries of a watched partition may have been missed: compare with the log.
    Lost(Partition),
    /// The store stopped answering.
    Away,
    /// The store answers again. All watches stand; [`Event::Lost`] for each of them follows or came before.
    Back,
}

/// A partition as it stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which life of the partition this is.
    pub epoch: Epoch,
    /// The newest entry.
    pub last: Link,
    /// The fields that are not private.
    pub fields: Vec<(String, String)>,
    /// The members.
    pub members: Vec<(String, String)>,
}

/// A few facts about a partition.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Peek {
    /// `None`: the partition does not exist.
    pub epoch: Option<Epoch>,
    /// The values of the fields asked for, in their order.
    pub fields: Vec<Option<String>>,
    /// How many members there are.
    pub members: u64,
}

/// Which part of a log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// From this entry on, itself included where it is still there: the oldest entries of that range.
    From(EntryId),
    /// After this id: the oldest entries of that range.
    After(EntryId),
    /// Before this id: the newest entries of that range.
    Before(EntryId),
    /// The newest entries.
    Latest,
}

/// Part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Ascending.
    pub entries: Vec<Arc<Entry>>,
    /// The log has lost its beginning to [`Store::trim`], and no entry that is left stands before this page: it begins
    /// with the oldest one, or it is empty and nothing older is left.
    pub trimmed: bool,
}

/// How an attempt to hold a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Held until `deadline`.
    Yes {
        /// When it ends, in the store's time.
        deadline: StoreTime,
        /// The store's time at the renewal.
        now: StoreTime,
    },
    /// This writer's own lease has run out; it needs a new incarnation.
    Over,
    /// Another incarnation of the node holds the name.
    Taken {
        /// When that lease ends unless it is renewed.
        until: StoreTime,
        /// The store's time now.
        now: StoreTime,
    },
}

/// The fleet's leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leases {
    /// The store's time when they were read.
    pub now: StoreTime,
    /// Since when the store has been up, as far as it knows: nobody sweeps until one whole lease after this.
    pub up_since: StoreTime,
    /// In no particular order.
    pub leases: Vec<Lease>,
}

/// One node's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub writer: Writer,
    /// When it ends, or ended.
    pub expires: StoreTime,
    /// What the node wants the others to know.
    pub info: String,
}

/// The longest text that [`Store::publish`] takes, in bytes: well below what would cost a watcher its connection.
pub const TRANSIENT_MAX: usize = 1 << 20;

/// What both stores ask before they publish.
fn check_transient(text: &str) -> Result<(), StoreError> {
    if text.len() <= TRANSIENT_MAX {
        return Ok(());
    }
    Err(StoreError::Refused(format!("a text to publish is longer than {TRANSIENT_MAX} bytes")))
}

/// Why a store could not do what was asked. None of these is the client's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Nothing was stored: the store is away, full or closing. Worth trying again later.
    Unavailable(String),
    /// The answer did not arrive: it may or may not have been stored.
    Unknown(String),
    /// The epoch that was asked for is over.
    Gone,
    /// The store refuses for good: a wrong password, too few rights, data of a newer format, damage.
    Refused(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the store is not available: {why}"),
            Self::Unknown(why) => write!(f, "the store did not answer, so the outcome is not known: {why}"),
            Self::Gone => f.write_str("that life of the partition is over"),
            Self::Refused(why) => write!(f, "the store refuses: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}
