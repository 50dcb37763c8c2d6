//! A node: everything together, from start to shutdown.
//!
//! - [`bulletin`]: what nodes ask and tell each other
//! - [`claim`]: accounts, nicks and inboxes, each held by one session
//! - [`past`]: who held a nick before
//! - [`people`]: finding people by nick
//! - [`presence`]: what a user's channels say of them
//! - [`reloads`]: operators who want the configuration read again
//! - [`yielding`]: guests give way to the owners of accounts

pub mod bulletin;
pub mod claim;
mod cloak;
pub mod past;
pub mod people;
pub mod presence;
pub mod reloads;
pub mod yielding;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::login::LoginGate;
use crate::account::throttle::ThrottleSettings;
use crate::account::{Accounts, Hasher, Rules};
use crate::admin::status::NodeInfo;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::clients::Clients;
use crate::commit_identity::{Committer, Numbers};
use crate::config::Config;
use crate::fleet::census::Census;
use crate::fleet::{Fleet, keeper};
use crate::history::janitor::Janitor;
use crate::hub::Hub;
use crate::invite::Invites;
use crate::listener::limits::Admissions;
use crate::modes::INVISIBLE;
use crate::operator;
use crate::operator::audit::Audit;
use crate::operator::bans::Bans;
use crate::operator::notices::{self, Notices};
use crate::operator::watch::{self, BanWatch};
use crate::rooms::Rooms;
use crate::store::{Lease, Partition, Store, StoreError, Writer};
use crate::tenure::{PresentTenure, Tenure};
use bulletin::Questions;
use cloak::Cloak;
use past::Past;
use reloads::Reloads;

/// One process of the fleet, or a server on its own: the two differ in their store alone.
#[derive(Debug)]
pub struct Node {
    config: RwLock<Arc<Config>>,
    /// What this node calls itself towards clients.
    pub server_name: Arc<str>,
    /// Since when it runs.
    pub started: SystemTime,
    /// The partitions that its clients need.
    pub hub: Arc<Hub>,
    /// How many connections each address has.
    pub admissions: Arc<Admissions>,
    /// Its clients.
    pub clients: Clients,
    /// Who they were before.
    pub past: Past,
    /// The fleet's leases.
    pub fleet: Fleet,
    /// How many channels there are.
    pub census: Census,
    /// The accounts.
    pub accounts: Arc<Accounts>,
    /// Logins by password.
    pub login: LoginGate,
    /// The invitations.
    pub invites: Arc<Invites>,
    /// The log of what operators do.
    pub audit: Audit,
    /// Whom the network keeps out: how that is changed.
    pub ban_list: Bans,
    /// Whom the network keeps out: what is in force here.
    pub bans: BanWatch,
    /// The rooms, by name.
    pub rooms: Rooms,
    /// What operators hear at once.
    pub notices: Notices,
    /// Operators who ask that the configuration be read again.
    pub reloads: Reloads,
    /// Woken when a commit was refused because the lease is over.
    pub fenced: Notify,
    /// Woken when the lease was renewed, or another was taken in its place.
    pub renewed: Notify,
    /// Woken when a new incarnation has begun and the sessions' claims were moved to it.
    pub tenure_changed: Notify,
    /// Every task of the node. Its connections are among them.
    pub tasks: TaskTracker,
    /// Held by the one task that moves sessions and sweeps.
    pub upkeep: Arc<tokio::sync::Mutex<()>>,
    /// Sessions that are giving up what they held.
    pub ending: TaskTracker,
    /// Ends everything.
    pub stop: CancellationToken,
    /// Ends connections, before everything else ends.
    pub drain: CancellationToken,
    tenure: Arc<PresentTenure>,
    /// Incarnations that lost their lease, until their sessions have been moved or closed.
    lost: Mutex<Vec<Arc<Tenure>>>,
    questions: Questions,
    cloak: Cloak,
}

impl Node {
    /// Takes a lease under `name` and starts the node's own tasks. It has no listeners yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(config: Config, name: &str, store: Arc<dyn Store>) -> Result<Arc<Self>, StoreError> {
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        // Ends the tasks where a later step fails.
        let undo = stop.clone().drop_guard();
        let (bulletins, heard) = mpsc::channel(BULLETINS);
        let hub = Hub::start(store.clone(), bulletins, tasks.clone(), stop.clone());
        let info = info_of(&config).to_text();
        let tenure = keeper::begin(&store, name, config.fleet.lease, &info, &stop).await?;
        let fleet = Fleet::look(store.clone(), config.fleet.lease, config.fleet.margin).await?;
        let present = Arc::new(PresentTenure::new(tenure.clone()));
        // A name and numbers of its own: what the node writes for no session outlives an incarnation.
        let writer = Writer::new(name, crate::random::number());
        let committer = Committer::new(store.clone(), writer, Arc::new(Numbers::default()), present.clone());
        let hasher = Arc::new(Hasher::of(&config));
        let accounts = Arc::new(Accounts::new(committer.clone(), hasher, Rules::of(&config)));
        let cloak = Cloak::of_fleet(&committer).await?;
        let (slowed, heard_slowed) = mpsc::channel(SLOWED);
        let node = Arc::new(Self {
            server_name: shown_name(&config, name).into(),
            started: SystemTime::now(),
            admissions: Arc::default(),
            clients: Clients::default(),
            past: Past::default(),
            fleet,
            census: Census::default(),
            login: LoginGate::new(accounts.clone(), ThrottleSettings::of(&config), cloak.secret())
                .telling(slowed),
            invites: Arc::new(Invites::new(committer.clone())),
            audit: Audit::new(committer.clone()),
            ban_list: Bans::new(committer.clone(), accounts.clone()),
            bans: BanWatch::start(&hub).await?,
            rooms: Rooms::start(&hub, committer.clone()).await?,
            notices: Notices::start(&hub).await?,
            reloads: Reloads::default(),
            hub,
            accounts,
            fenced: Notify::new(),
            renewed: Notify::new(),
            tenure_changed: Notify::new(),
            tasks,
            upkeep: Arc::default(),
            ending: TaskTracker::new(),
            stop,
            drain: CancellationToken::new(),
            tenure: present,
            lost: Mutex::default(),
            questions: Questions::default(),
            cloak,
            config: RwLock::new(Arc::new(config)),
        });
        node.watch_bulletins(&tenure).await?;
        node.tasks.spawn(bulletin::hear(node.clone(), heard));
        node.tasks.spawn(keeper::keep(node.clone()));
        node.tasks.spawn(watch::enforce(node.clone()));
        node.tasks.spawn(notices::follow(node.clone()));
        node.tasks.spawn(notices::tell_slowed(node.clone(), heard_slowed));
        node.tasks.spawn(Janitor::new(node.clone()).run());
        undo.disarm();
        Ok(node)
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.config.read().expect("no writer of the settings panics").clone()
    }

    /// Puts other settings in force, for what is done from now on, and tells clients what is offered no more or anew.
    pub fn set_config(&self, config: Config) {
        self.accounts.set_rules(Rules::of(&config));
        self.accounts.hasher().set_cost(config.accounts.bcrypt_cost);
        self.accounts.hasher().set_iterations(config.accounts.scram_iterations);
        self.login.set(ThrottleSettings::of(&config));
        let config = Arc::new(config);
        let before = {
            let mut slot = self.config.write().expect("no writer of the settings panics");
            std::mem::replace(&mut *slot, config.clone())
        };
        operator::review(self);
        for client in self.clients.all() {
            crate::command::cap::tell_changes(&client, &before, &config);
        }
    }

    /// What clients are told that this writer's server is called.
    #[must_use]
    pub fn server_of(&self, writer: &Writer) -> String {
        shown_name(&self.config(), writer.node())
    }

    /// Whether clients see the whole fleet as one server.
    #[must_use]
    pub fn looks_like_one(&self) -> bool {
        self.config().network_server.is_some()
    }

    /// The present incarnation.
    #[must_use]
    pub fn tenure(&self) -> Arc<Tenure> {
        self.tenure.get()
    }

    /// Whether the lease of an incarnation lasts, by what this node knows of the store's clock.
    fn is_live(&self, tenure: &Tenure) -> bool {
        !tenure.is_over() && tenure.ends_at() > self.fleet.now()
    }

    /// The present incarnation, once it has a lease; as it is where that takes too long, or the node stops.
    pub async fn live_tenure(&self) -> Arc<Tenure> {
        let live = async {
            loop {
                // Before the look, so that no renewal in between is missed.
                let renewed = self.renewed.notified();
                let tenure = self.tenure();
                if self.is_live(&tenure) {
                    return tenure;
                }
                self.fenced.notify_one();
                renewed.await;
            }
        };
        // Cancel-safe: neither changes anything.
        tokio::select! {
            tenure = live => tenure,
            () = tokio::time::sleep(LONGEST_WITHOUT_LEASE) => self.tenure(),
            () = self.stop.cancelled() => self.tenure(),
        }
    }

    /// Puts a new incarnation in the place of one that lost its lease, whose sessions are still to be moved.
    pub fn replace_tenure(&self, next: Arc<Tenure>) {
        let lost = self.tenure.replace(next);
        self.lost.lock().expect("no holder of the list panics").push(lost);
    }

    /// Lost incarnations that may still have sessions.
    #[must_use]
    pub fn lost_tenures(&self) -> Vec<Arc<Tenure>> {
        self.lost.lock().expect("no holder of the list panics").clone()
    }

    /// Notes that nothing of a lost incarnation is left.
    pub fn forget_tenure(&self, lost: &Arc<Tenure>) {
        self.lost.lock().expect("no holder of the list panics").retain(|one| !Arc::ptr_eq(one, lost));
    }

    /// The other nodes that may have users: all whose leases are not over beyond doubt.
    ///
    /// # Errors
    /// The store's.
    pub async fn peers(&self) -> Result<Vec<Writer>, StoreError> {
        let leases = self.fleet.refresh().await?;
        let own = self.tenure();
        let alive = |lease: &&Lease| lease.writer != *own.writer() && !self.fleet.is_over(lease, &leases);
        Ok(leases.leases.iter().filter(alive).map(|lease| lease.writer.clone()).collect())
    }

    /// Makes what other nodes publish for this one, and for all, reach it.
    ///
    /// # Errors
    /// The store's.
    pub async fn watch_bulletins(&self, tenure: &Tenure) -> Result<(), StoreError> {
        self.hub.store().watch(&Partition::index(tenure.writer())).await?;
        self.hub.store().watch(&Partition::fleet()).await
    }

    /// Whether clients may be sent here: the store answers, and the lease is held. It asks nobody, so it is cheap.
    ///
    /// # Errors
    /// Why not, in a few words.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.drain.is_cancelled() {
            Err("this node is shutting down")
        } else if self.hub.is_store_away() || !self.fleet.is_renewed() {
            Err("the store does not answer")
        } else if !self.is_live(&self.tenure()) {
            Err("this node's lease is over")
        } else {
            Ok(())
        }
    }

    /// What others see in the place of an address: the same for the same address, and for nearby ones alike at the end.
    #[must_use]
    pub fn cloak(&self, address: IpAddr) -> String {
        self.cloak.of(address)
    }

    /// How many operators are connected here.
    #[must_use]
    pub fn operators(&self) -> u64 {
        let (config, clients) = (self.config(), self.clients.all());
        let count = clients.iter().filter(|client| operator::is_operator(&config, &client.profile())).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// How many users here are not found by those who share no channel with them.
    #[must_use]
    pub fn invisible(&self) -> u64 {
        let clients = self.clients.all();
        let hidden = |client: &Arc<Client>| {
            let profile = client.profile();
            profile.registered && profile.has_mode(INVISIBLE)
        };
        u64::try_from(clients.into_iter().filter(hidden).count()).unwrap_or(u64::MAX)
    }

    /// What this node tells the others with its lease.
    #[must_use]
    pub fn lease_info(&self) -> String {
        let info = NodeInfo {
            users: u64::try_from(self.clients.count().now).unwrap_or(u64::MAX),
            operators: self.operators(),
            invisible: self.invisible(),
            channels: self.census.channels(self),
            ..info_of(&self.config())
        };
        info.to_text()
    }

    /// Waits before the next attempt, a little longer each time. `Err` where the node stops meanwhile.
    ///
    /// # Errors
    /// `Err(())` once the node stops.
    pub async fn pause(&self, backoff: &mut Backoff) -> Result<(), ()> {
        tokio::select! {
            () = self.stop.cancelled() => Err(()),
            () = tokio::time::sleep(backoff.next_pause()) => Ok(()),
        }
    }

    /// When to close one more connection while the node drains: they reconnect elsewhere one after another, not all at
    /// once.
    #[must_use]
    pub fn drain_delay(&self) -> Duration {
        let clients = u32::try_from(self.clients.count().now).unwrap_or(u32::MAX);
        let spread = (self.config().drain_time / 2).min(PER_CLIENT.saturating_mul(clients));
        spread.mul_f64(
            f64::from(u32::try_from(crate::random::number() >> 32).unwrap_or_default()) / f64::from(u32::MAX),
        )
    }

    /// Stops taking commands, tells the clients, waits until they have gone or `drain.time` is over, and gives up the lease.
    pub async fn shutdown(&self) {
        self.drain.cancel();
        let drain_time = self.config().drain_time;
        let gone = async {
            loop {
                // Before the look, so that nobody who goes in between is missed.
                let changed = self.clients.changed();
                if self.clients.is_empty() {
                    break;
                }
                changed.await;
            }
            self.ending.close();
            self.ending.wait().await;
        };
        if tokio::time::timeout(drain_time, gone).await.is_err() {
            tracing::warn!(clients = self.clients.all().len(), "the drain time is over: the rest is cut off");
        }
        if let Err(error) = keeper::finish(self).await {
            tracing::warn!(?error, "the lease could not be given up; it runs out by itself");
        }
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_TASKS, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "some tasks did not end in time");
        }
        self.accounts.hasher().close().await;
        self.hub.store().close().await;
    }
}

/// What a node is called whom nobody gave a name: the machine's name and the port of its first listener.
#[must_use]
pub fn default_name(port: u16) -> String {
    let host = hostname::get().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let host: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')).take(57).collect();
    let host = if host.is_empty() { "localhost" } else { &host };
    format!("{host}:{port}")
}

fn shown_name(config: &Config, node: &str) -> String {
    config.network_server.clone().unwrap_or_else(|| server_name(node))
}

/// A node's name as a server's name: one word with a dot, which no nick can be.
fn server_name(name: &str) -> String {
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let word = word.trim_matches('-');
    if word.contains('.') { word.to_owned() } else { format!("{word}.stentor") }
}

/// What a node without users tells.
fn info_of(config: &Config) -> NodeInfo {
    NodeInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: config.shared().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..NodeInfo::default()
    }
}

/// How many texts of other nodes may wait. The hub bounds their bytes.
const BULLETINS: usize = 4096;
/// How many notices of slowed logins may wait; a further one is dropped.
const SLOWED: usize = 64;
/// The time that a draining node takes for each client, where its drain time allows.
const PER_CLIENT: Duration = Duration::from_millis(10);
/// How long a login waits for the node to get a lease anew.
const LONGEST_WITHOUT_LEASE: Duration = Duration::from_secs(5);
/// How long the node's own tasks may take to end.
const LAST_TASKS: Duration = Duration::from_secs(5);
