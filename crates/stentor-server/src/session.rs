//! One client's session: what its connection task owns, from the first byte to the last.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use stentor_proto::secret::Secret;

use crate::account::Known;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::command::authenticate::Exchange;
use crate::command::batch::Batch;
use crate::command::register::Registering;
use crate::connection::rate::Rate;
use crate::cursor::Unsaved;
use crate::error::Error;
use crate::fleet::sweep::session_value;
use crate::following::sessions::Followed;
use crate::hub::{Decision, Held, Origin, Refusal, Replica};
use crate::listener::limits::Admission;
use crate::metadata;
use crate::node::Node;
use crate::policy;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition};

/// A connection's session. Only its own task changes it.
#[derive(Debug)]
pub struct Session {
    /// The node that it is connected to.
    pub node: Arc<Node>,
    /// What others know of it.
    pub client: Arc<Client>,
    /// Where it comes from. In no entry, and shown to nobody but itself.
    pub address: IpAddr,
    /// What is under way before the welcome; `None` after it.
    pub registering: Option<Box<Registering>>,
    /// The code of an invitation that PASS brought, for a REGISTER.
    pub invitation: Option<Secret>,
    /// A SASL exchange that has begun.
    pub sasl: Option<Exchange>,
    /// The claim on the nick.
    pub nick: Option<NickClaim>,
    /// Nicks that it may still hold after a change that the store did not see to its end.
    pub leftovers: Vec<NickClaim>,
    /// The claim on the account.
    pub account: Option<AccountClaim>,
    /// Accounts that it may still hold after it has left them.
    pub former: Vec<AccountClaim>,
    /// Its place among the connections of its address, where a gateway has named another one.
    pub moved: Option<Admission>,
    /// What DROP has to be said with.
    pub drop_code: Option<Secret>,
    /// The partition of its private messages.
    pub inbox: Option<Held>,
    /// The epoch of its partition as a guest, from before that is made until it has surely ended.
    pub guest_inbox: Option<Epoch>,
    /// What the command under way costs beyond its row in the table, in lines.
    pub charge: u32,
    /// How fast it may change metadata.
    pub metadata_rate: Rate,
    /// What the node's index names of it.
    indexed: BTreeSet<String>,
    /// Whether its last private message may not have reached the recipient's log.
    pub unsent: bool,
    /// When it last knocked at a channel.
    pub knocked: Option<Instant>,
    /// The nicks it monitors, by folded name.
    pub monitored: HashMap<String, Held>,
    /// The feeds that it hears, by the publisher's folded account.
    pub following: HashMap<String, Followed>,
    /// The account's own feed, once it was needed.
    pub feed: Option<Held>,
    /// A message of several lines that the client has begun.
    pub batch: Option<Box<Batch>>,
    /// Whether some feeds could not be read when they were to be taken hold of.
    pub is_deaf: bool,
}

/// A nick that a session holds.
#[derive(Clone, Debug)]
pub struct NickClaim {
    /// `n/<nick>`.
    pub partition: Partition,
    /// The claim's epoch.
    pub epoch: Epoch,
}

/// An account that a session is logged in to.
#[derive(Clone, Debug)]
pub struct AccountClaim {
    /// The display name.
    pub name: String,
    /// The folded name.
    pub folded: String,
    /// `u/<account>`.
    pub partition: Partition,
    /// The account's epoch.
    pub epoch: Epoch,
    /// The account's revision: another one ends the session.
    pub revision: String,
}

impl AccountClaim {
    /// The state of the account that the session knows.
    #[must_use]
    pub fn known(&self) -> Known<'_> {
        Known { name: &self.name, epoch: self.epoch, revision: &self.revision }
    }
}

impl Session {
    /// A session that has just connected.
    #[must_use]
    pub fn new(node: Arc<Node>, client: Arc<Client>, address: IpAddr) -> Self {
        Self {
            node,
            client,
            address,
            registering: Some(Box::default()),
            invitation: None,
            sasl: None,
            nick: None,
            account: None,
            former: Vec::new(),
            moved: None,
            drop_code: None,
            inbox: None,
            guest_inbox: None,
            unsent: false,
            charge: 0,
            metadata_rate: Rate::new(Some(1), metadata::CHANGES, Instant::now()),
            leftovers: Vec::new(),
            indexed: BTreeSet::new(),
            knocked: None,
            monitored: HashMap::new(),
            following: HashMap::new(),
            feed: None,
            batch: None,
            is_deaf: false,
        }
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.client.id
    }

    /// The account's folded name.
    #[must_use]
    pub fn account_folded(&self) -> Option<&str> {
        self.account.as_ref().map(|claim| claim.folded.as_str())
    }

    /// What the node's index says of its accounts: the one that it is logged in to, and those that it may still hold.
    #[must_use]
    pub fn account_names(&self) -> String {
        let names: Vec<&str> = self.account.iter().chain(&self.former).map(|claim| &*claim.folded).collect();
        if names.is_empty() { "*".to_owned() } else { names.join(",") }
    }

    /// The room with this name, or, where there is none, the place in which it would be.
    ///
    /// # Errors
    /// `ERR_NOSUCHCHANNEL` for what can be no name, and the store's.
    pub async fn room(&self, name: &str) -> Result<Held, Error> {
        let folded = name.to_ascii_lowercase();
        if folded.contains(',') {
            return Err(policy::no_such_channel(name));
        }
        match self.joined(&folded) {
            Some(replica) => Ok(self.node.hub.hold(replica.partition()).await?),
            None => Ok(self.node.rooms.hold(&folded).await?),
        }
    }

    /// Whether its connection is to end: of a command that does several things, what is not done yet stays undone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.client.queue.closed().is_some()
    }

    /// The room with this folded name, where it is one of the client's own.
    #[must_use]
    pub fn joined(&self, folded: &str) -> Option<Arc<Replica>> {
        let is_named = |replica: &Arc<Replica>| replica.with_state(|state| policy::is_named(state, folded));
        let likely = self.client.with_channels(|channels| channels.get(folded).map(Held::replica));
        // The copies are looked at without the list of them: entries are applied the other way round.
        likely.filter(is_named).or_else(|| self.client.rooms().into_iter().find(is_named))
    }

    /// Takes another revision of its account for its own, and returns the one before: a change that its user is about to
    /// make ends the account's other sessions alone.
    pub fn adopt(&mut self, revision: &str) -> Option<String> {
        let claim = self.account.as_mut()?;
        let before = std::mem::replace(&mut claim.revision, revision.to_owned());
        self.client.update(|profile| profile.revision = Some(revision.to_owned()));
        Some(before)
    }

    /// Charges a command that named so many targets, where one line pays for `per_line` of them; the command's own line pays
    /// for the first.
    pub fn charge_targets(&mut self, targets: usize, per_line: usize) {
        let lines = targets.saturating_sub(1) / per_line.max(1);
        self.charge = self.charge.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    /// What the field `session` of its account says while the claim stands. It changes with the node's incarnation.
    #[must_use]
    pub fn claim_value(&self) -> String {
        session_value(&self.client.id, self.client.tenure().writer())
    }

    /// Before its first claim a session takes up the incarnation that its node has by now: the one that it connected under
    /// may be over.
    pub async fn begin_claims(&self) {
        if !self.client.has_claims() {
            self.client.begin_claims(self.node.live_tenure().await);
        }
    }

    /// Names the session's claims in the node's index, before they are made: the index may name what is gone, it never
    /// misses what exists.
    ///
    /// # Errors
    /// The store's; [`Refusal::Fenced`] where the index itself is gone.
    pub async fn index<R>(&mut self, key: &str, value: Option<&str>) -> Result<(), Refusal<R>> {
        let change = match value {
            Some(value) => {
                self.indexed.insert(key.to_owned());
                Change::SetMember(key.to_owned(), value.to_owned())
            }
            None => Change::UnsetMember(key.to_owned()),
        };
        self.write_index(vec![change]).await?;
        if value.is_none() {
            self.indexed.remove(key);
        }
        Ok(())
    }

    /// Takes the channels that others have taken the client out of from the node's index.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget_left(&mut self) -> Result<(), Refusal<Error>> {
        let own = format!("{}/", self.client.id);
        let left: Vec<String> = self.client.with_channels(|channels| {
            let is_left =
                |key: &&String| key.strip_prefix(&own).is_some_and(|place| !channels.contains_key(place));
            self.indexed.iter().filter(is_left).cloned().collect()
        });
        if left.is_empty() {
            return Ok(());
        }
        self.write_index(left.iter().cloned().map(Change::UnsetMember).collect()).await?;
        for key in left {
            self.indexed.remove(&key);
        }
        Ok(())
    }

    async fn write_index<R>(&self, changes: Vec<Change>) -> Result<(), Refusal<R>> {
        let tenure = self.client.tenure();
        let decision = Decision { changes, ..Decision::default() };
        let life = Life::Within(tenure.index_epoch());
        let index = Partition::index(tenure.writer());
        // Nothing else is asked for than the index's life, so a conflict means that this is over.
        self.node.hub.write_blind(&tenure, &index, life, decision).await?.map(drop).ok_or(Refusal::Fenced)
    }

    /// The client as the origin of a commit whose lines it gets no copy of.
    #[must_use]
    pub fn quiet_origin(&self) -> Origin {
        Origin { client: self.client.clone(), tag: String::new(), echo: false }
    }

    /// Gives up everything that the session holds, and says `reason` in its channels. Repeats while the store is away, as
    /// long as the node's lease lasts; after that the sweep does it.
    pub async fn end(mut self, reason: &str) {
        self.note_past();
        self.node.clients.remove(&self.client, self.nick.as_ref().map(|claim| claim.partition.name()));
        for (_, held) in self.monitored.drain() {
            held.remove_local(&self.client.id);
        }
        for (_, followed) in self.following.drain() {
            followed.held.remove_local(&self.client.id);
        }
        self.feed = None;
        if let Some(inbox) = &self.inbox {
            inbox.remove_local(&self.client.id);
        }
        let mut backoff = Backoff::of_a_write();
        loop {
            match self.release(reason).await {
                Ok(()) | Err(Refusal::Fenced) => break,
                Err(Refusal::Rule(())) => break,
                Err(Refusal::Contended) => {}
                Err(Refusal::Store(error)) => {
                    tracing::debug!(%error, "a session's claims wait for the store");
                }
            }
            if self.node.pause(&mut backoff).await.is_err() {
                break;
            }
        }
        for channel in self.client.channel_places() {
            if let Some(held) = self.client.with_channels(|channels| channels.remove(&channel)) {
                held.remove_local(&self.client.id);
            }
        }
    }

    /// Has the node remember who held the nick that the profile still names, if it is past its welcome.
    pub fn note_past(&self) {
        let profile = self.client.profile();
        if profile.registered {
            let most = self.node.config().limits.whowas;
            self.node.past.note(&profile, &self.node.server_name, most);
        }
    }

    async fn release(&mut self, reason: &str) -> Result<(), Refusal<()>> {
        for channel in self.client.channel_places() {
            crate::command::quit::leave(self, &channel, reason).await?;
        }
        if let Some(inbox) = self.inbox.as_ref().filter(|_| self.unsent) {
            crate::fleet::outbox::finish(&self.node.hub, &self.client.tenure(), inbox.partition()).await?;
            self.unsent = false;
        }
        self.inbox = None;
        self.end_guest_inbox().await?;
        while let Some(claim) = self.leftovers.last().or(self.nick.as_ref()).cloned() {
            self.release_nick(&claim).await?;
            if self.leftovers.pop().is_none() {
                self.nick = None;
            }
        }
        self.release_former(None).await?;
        if let Some(claim) = self.account.clone() {
            self.release_account(&claim, Some(&self.client.cursor.unsaved())).await?;
            self.account = None;
        }
        if self.indexed.is_empty() {
            // Nothing was ever claimed, so nothing was held.
            return Ok(());
        }
        self.write_index(self.indexed.iter().cloned().map(Change::UnsetMember).collect()).await
    }

    /// Gives up a nick.
    ///
    /// # Errors
    /// The store's.
    pub async fn release_nick<R>(&self, claim: &NickClaim) -> Result<(), Refusal<R>> {
        let decision = Decision {
            guards: vec![Guard::Field("user".to_owned(), Is::Equal(self.client.id.to_string()))],
            ..Decision::default()
        };
        let life = Life::End(claim.epoch);
        self.node.hub.write_blind(&self.client.tenure(), &claim.partition, life, decision).await?;
        Ok(())
    }

    /// Gives up the accounts that it has left. `seen` is up to where the last of them was read.
    ///
    /// # Errors
    /// The store's.
    pub async fn release_former(&mut self, mut seen: Option<&Unsaved>) -> Result<(), Refusal<()>> {
        while let Some(claim) = self.former.last().cloned() {
            self.release_account(&claim, seen.take()).await?;
            self.former.pop();
        }
        Ok(())
    }

    async fn release_account(&self, claim: &AccountClaim, seen: Option<&Unsaved>) -> Result<(), Refusal<()>> {
        let mut changes = vec![Change::Unset("session".to_owned()), Change::Unset("out".to_owned())];
        changes.extend(seen.into_iter().flat_map(Unsaved::changes));
        self.write_account(claim, changes).await?;
        Ok(())
    }

    /// Saves how far the client has read its private messages and its feeds, where that is not saved yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn save_seen(&self) -> Result<(), Refusal<()>> {
        self.set_seen(&self.client.cursor.unsaved()).await
    }

    /// Says in the account up to where private messages and posts have reached a session.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_seen(&self, seen: &Unsaved) -> Result<(), Refusal<()>> {
        let Some(claim) = self.account.as_ref().filter(|_| !seen.is_empty()) else { return Ok(()) };
        if self.write_account(claim, seen.changes()).await? {
            self.client.cursor.saved(seen);
        }
        Ok(())
    }

    /// Changes the account while it is this session's. False where it is not any more.
    async fn write_account(&self, claim: &AccountClaim, changes: Vec<Change>) -> Result<bool, Refusal<()>> {
        let guards = vec![Guard::Field("session".to_owned(), Is::Equal(self.claim_value()))];
        let decision = Decision { guards, changes, ..Decision::default() };
        let life = Life::Within(claim.epoch);
        let written =
            self.node.hub.write_blind(&self.client.tenure(), &claim.partition, life, decision).await?;
        Ok(written.is_some())
    }

    /// A guest's private messages end with the session, or when it has come to an account.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_guest_inbox<R>(&mut self) -> Result<(), Refusal<R>> {
        let Some(epoch) = self.guest_inbox else { return Ok(()) };
        let (tenure, partition) = (self.client.tenure(), Partition::guest(&self.client.id));
        self.node.hub.write_blind(&tenure, &partition, Life::End(epoch), Decision::default()).await?;
        self.guest_inbox = None;
        Ok(())
    }
}
