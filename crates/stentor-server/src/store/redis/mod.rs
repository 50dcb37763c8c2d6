//! The store in Redis or Valkey, for a fleet.
//!
//! - [`settings`]: where the server is, and how to get in
//! - `connect`: opens a connection: TCP, TLS, login
//! - `inspect`: what is checked before a server is trusted
//! - `resp`: the protocol's bytes
//! - `link`: a connection that carries commands
//! - `subscriber`: the connection that receives what is published
//! - `watchman`: notices when the store is away, back, or emptied
//! - `keys`: what keys and channels are called
//! - `script`, `request`, `reply`: the scripts, what they take, what they return
//!
//! Each partition is written through one of a few connections, so its commits keep their order. A commit is one script,
//! which Redis runs whole or not at all. What is published comes in over a connection of its own.

mod connect;
mod inspect;
mod keys;
mod link;
mod reply;
mod request;
mod resp;
mod script;
pub mod settings;
mod subscriber;
mod watchman;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use connect::ConnectError;
pub(crate) use request::LONGEST_LOG;
pub use settings::RedisSettings;

use connect::Connector;
use inspect::Facts;
use keys::Keys;
use link::{Link, Ready};
use resp::Value;
use script::{Call, Script};
use subscriber::{Setup, Subscriber};
use watchman::{Run, Watchman};

use super::{
    Commit, CommitFuture, Epoch, Held, Leases, Page, Partition, Peek, Range, Sink, Snapshot, Store,
    StoreError, StoreTime, Writer,
};

/// A handle on the store of a Redis or Valkey server.
pub struct RedisStore {
    connector: Arc<Connector>,
    links: Arc<[Link]>,
    subscriber: Arc<Subscriber>,
    sink: Arc<OnceLock<Arc<dyn Sink>>>,
    facts: Arc<Mutex<Facts>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl RedisStore {
    /// Connects, logs in, and checks that the server can be relied upon.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] where a later attempt may succeed, [`ConnectError::Refused`] where none will.
    pub async fn connect(settings: RedisSettings) -> Result<Arc<Self>, ConnectError> {
        let connector = Arc::new(Connector::new(&settings).await?);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        // Ends the tasks where a later step fails.
        let undo = stop.clone().drop_guard();
        let trouble = Arc::new(Notify::new());

        let mut links = Vec::with_capacity(settings.connections);
        for _ in 0..settings.connections.max(1) {
            let ready = Ready::open(&connector).await?;
            let (connector, trouble) = (Arc::clone(&connector), Arc::clone(&trouble));
            links.push(Link::start(
                connector,
                ready,
                settings.command_timeout,
                trouble,
                &tasks,
                stop.clone(),
            ));
        }
        let first = links.first().expect("there is at least one connection");
        let facts = inspect::inspect(first, &connector.address, settings.create).await?;
        let channel = keys::heartbeat_channel(&crate::random::text(20));
        let run = Run::first(first, &channel).await.map_err(inspect::of_store)?;

        let (heard_sender, heard) = watch::channel(0);
        let (standing_sender, standing) = watch::channel(false);
        let sink = Arc::new(OnceLock::new());
        let setup = Setup {
            connector: Arc::clone(&connector),
            heartbeat: channel.clone(),
            heard: heard_sender,
            standing: standing_sender,
            sink: Arc::clone(&sink),
            trouble: Arc::clone(&trouble),
            timeout: settings.command_timeout,
        };
        let subscriptions = Subscriber::open(&connector).await?;
        let subscriber = Arc::new(Subscriber::start(setup, subscriptions, &tasks, stop.clone()));

        let links: Arc<[Link]> = links.into();
        let facts = Arc::new(Mutex::new(facts));
        let watchman = Watchman {
            connector: Arc::clone(&connector),
            links: Arc::clone(&links),
            subscriber: Arc::clone(&subscriber),
            sink: Arc::clone(&sink),
            channel,
            heard,
            standing,
            trouble,
            facts: Arc::clone(&facts),
            interval: settings.heartbeat,
            timeout: settings.command_timeout,
            stop: stop.clone(),
            sent: 0,
            run,
        };
        tasks.spawn(watchman.run());
        undo.disarm();
        Ok(Arc::new(Self { connector, links, subscriber, sink, facts, tasks, stop }))
    }

    /// What is allowed but should not be so, for the operator: a sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.facts.lock().expect("no holder of the facts panics").warnings.clone()
    }

    /// The connection that carries everything about `partition`.
    fn link(&self, partition: &Partition) -> &Link {
        let count = u64::try_from(self.links.len()).unwrap_or(1).max(1);
        let place = usize::try_from(partition.spread() % count).unwrap_or_default();
        self.links.get(place).expect("the place is below the number of connections")
    }

    /// Runs a script on a partition's keys.
    async fn run(&self, script: Script, partition: &Partition, args: &[&str]) -> Result<Value, StoreError> {
        let call = Call::script(script, &Keys::of(partition).0).args(args);
        self.link(partition).call(call).await
    }

    /// Runs a script on what the fleet shares about leases.
    async fn run_on_leases(&self, script: Script, args: &[&str]) -> Result<Value, StoreError> {
        let call = Call::script(script, &keys::LEASE_KEYS).args(args);
        self.link(&Partition::fleet()).call(call).await
    }

    fn channel(&self, partition: &Partition) -> String {
        keys::channel(partition, self.connector.address.database)
    }
}

#[async_trait]
impl Store for RedisStore {
    fn attach(&self, sink: Arc<dyn Sink>) {
        // Only the first receiver counts; the contract has no other.
        let _ = self.sink.set(sink);
    }

    fn commit(&self, commit: Commit) -> CommitFuture {
        let submitted = commit
            .check()
            .and_then(|()| request::commit(&commit, self.connector.address.database))
            .and_then(|call| self.link(&commit.partition).submit(call));
        Box::pin(async move { reply::outcome(&commit, link::answer(submitted?).await?) })
    }

    async fn snapshot(&self, partition: &Partition) -> Result<Option<Snapshot>, StoreError> {
        reply::snapshot(self.run(Script::Snapshot, partition, &[]).await?)
    }

    async fn peek(&self, partitions: &[Partition], fields: &[&str]) -> Result<Vec<Peek>, StoreError> {
        let fields: Vec<String> = fields.iter().map(|name| keys::field(name)).collect();
        let mut names = vec!["!epoch"];
        names.extend(fields.iter().map(String::as_str));
        let mut peeks = Vec::with_capacity(partitions.len());
        // As many at a time as fit into a queue together with everything else.
        for some in partitions.chunks(PEEKS) {
            let mut replies = Vec::with_capacity(some.len());
            for partition in some {
                let call = Call::script(Script::Peek, &Keys::of(partition).0).args(&names);
                replies.push(self.link(partition).submit(call)?);
            }
            for reply in replies {
                peeks.push(reply::peek(link::answer(reply).await?)?);
            }
        }
        Ok(peeks)
    }

    async fn read(
        &self,
        partition: &Partition,
        epoch: Epoch,
        range: Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let call = request::read(partition, epoch, range, limit);
        let mut page = reply::page(epoch, range, self.link(partition).call(call).await?)?;
        page.entries.truncate(limit);
        Ok(page)
    }

    async fn trim(&self, partition: &Partition, before: StoreTime, keep: u64) -> Result<(), StoreError> {
        let oldest = format!("{}-0", before.0);
        // Redis counts with signed numbers.
        let keep = keep.min(i64::MAX.unsigned_abs()).to_string();
        self.run(Script::Trim, partition, &[&oldest, &keep]).await?;
        Ok(())
    }

    async fn publish(&self, partition: &Partition, text: &str) -> Result<(), StoreError> {
        super::check_transient(text)?;
        let call = Call::plain(&["SPUBLISH", &self.channel(partition), &reply::transient(text)]);
        self.link(partition).call(call).await?;
        Ok(())
    }

    async fn watch(&self, partition: &Partition) -> Result<(), StoreError> {
        self.subscriber.watch(partition, self.channel(partition)).await
    }

    async fn unwatch(&self, partition: &Partition) {
        self.subscriber.unwatch(self.channel(partition)).await;
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        reply::clock(self.link(&Partition::fleet()).call(Call::plain(&["TIME"])).await?)
    }

    async fn hold_lease(&self, writer: &Writer, ttl: Duration, info: &str) -> Result<Held, StoreError> {
        if info.len() > MAX_INFO {
            return Err(StoreError::Refused(format!(
                "a lease's information is longer than {MAX_INFO} bytes"
            )));
        }
        let args = [writer.as_str(), writer.node(), &millis(ttl), info];
        reply::held(self.run_on_leases(Script::Hold, &args).await?)
    }

    async fn release_lease(&self, writer: &Writer) -> Result<(), StoreError> {
        self.run_on_leases(Script::Release, &[writer.as_str()]).await?;
        Ok(())
    }

    async fn leases(&self) -> Result<Leases, StoreError> {
        reply::leases(self.run_on_leases(Script::Leases, &[]).await?)
    }

    async fn claim_sweep(
        &self,
        dead: &Writer,
        by: &Writer,
        margin: Duration,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let args = [dead.as_str(), by.as_str(), &millis(margin), &millis(ttl)];
        Ok(reply::integer(&self.run_on_leases(Script::Claim, &args).await?)? == 1)
    }

    fn describe(&self) -> String {
        let facts = self.facts.lock().expect("no holder of the facts panics");
        format!("{} at {}, {}", facts.product, self.connector.address, facts.durability)
    }

    async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The tasks end also where nobody closed the store.
impl Drop for RedisStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("address", &self.connector.address).finish_non_exhaustive()
    }
}

/// What an ACL user needs, in the words of `ACL SETUSER`; login and password come on top. With `+config|get` as well,
/// `stentor status` can tell how often the append-only file is synced.
pub const ACL_RULES: &str = "~{* &{* -@all +hello +select +ping +info +time +get +set +script|load +evalsha +eval \
    +hget +hset +hmget +hgetall +hlen +hexists +hdel +xadd +xdel +xlen +xrange +xrevrange +xtrim \
    +exists +unlink +persist +pexpireat +pexpiretime +spublish +ssubscribe +sunsubscribe";

fn millis(duration: Duration) -> String {
    // A century is as good as for ever, and a number that scripts count with exactly.
    duration.as_millis().min(3_153_600_000_000).to_string()
}

/// Partitions that are peeked at together.
const PEEKS: usize = 128;
/// The longest information of a lease, in bytes.
const MAX_INFO: usize = 4096;
