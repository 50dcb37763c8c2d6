//! What the rest of a node knows of one connected client.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::Instant;

use stentor_proto::capability::{Capability, CapabilitySet};
use stentor_proto::line::Line;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::account::{Account, Fingerprint};
use crate::cursor::Cursor;
use crate::hub::{Held, Replica, UserId, render};
use crate::modes::BOT;
use crate::node::yielding::Doubt;
use crate::operator::Standing;
use crate::send_queue::SendQueue;
use crate::store::Epoch;
use crate::tenure::Tenure;

/// A connected client as other tasks see it: where to send, and who it is.
pub struct Client {
    /// The user's id, and the token of its claims.
    pub id: UserId,
    /// What its server calls itself.
    pub server: Arc<str>,
    /// What waits to be written to it.
    pub queue: SendQueue,
    /// How far it has read its account's private messages.
    pub cursor: Cursor,
    /// The incarnation that its claims belong to.
    tenure: RwLock<Arc<Tenure>>,
    /// Whether it has made any.
    has_claims: AtomicBool,
    capabilities: AtomicU64,
    /// Whether it has shown that it knows version 302 of CAP.
    knows_values: AtomicBool,
    /// Where it comes from. In no entry, and told to nobody but itself and operators who may see it.
    address: RwLock<IpAddr>,
    profile: RwLock<Arc<Profile>>,
    /// The keys of metadata that it hears of.
    metadata_keys: RwLock<Arc<BTreeSet<String>>>,
    /// The copy of the partition of its private messages that its session holds.
    inbox: RwLock<Weak<Replica>>,
    /// The channels it is in, by place.
    channels: Mutex<HashMap<String, Held>>,
    /// The channels that it was last invited to, by folded name.
    invited: Mutex<VecDeque<String>>,
    /// Whether some of its channels have not been told of its last change.
    behind: AtomicBool,
    /// Whether it is no operator any more, and its own task has not yet told others.
    demoted: AtomicBool,
    /// Whether its nick may have become the name of an account.
    pub nick_doubt: Doubt,
    heard: Mutex<Heard>,
    heard_more: Notify,
}

/// Who a user is, as others see it. Replaced whole, so a reader never sees half a change.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Profile {
    /// The nick; `*` until one is claimed.
    pub nick: String,
    /// The user name.
    pub user: String,
    /// The cloaked host.
    pub host: String,
    /// The account's display name.
    pub account: Option<String>,
    /// Which owner of the account's name this is, once the account is the session's.
    pub account_epoch: Option<Epoch>,
    /// The account's revision when its password was compared: another one ends the session.
    pub revision: Option<String>,
    /// The real name.
    pub realname: String,
    /// The away message, where the user is away.
    pub away: Option<String>,
    /// The letters of [`crate::modes::USER`] that are set, sorted.
    pub modes: String,
    /// Guests who may write to a user that hears from the logged in alone, by user id, each with the nick it had then.
    pub accepted: Vec<(UserId, String)>,
    /// The account's roles.
    pub roles: Vec<String>,
    /// By what the user is an operator, since OPER; that it still is one, [`crate::operator::privileges`] says.
    pub operator: Option<Standing>,
    /// The letters of [`crate::operator::notices::Topic`] that an operator hears of, sorted.
    pub notices: String,
    /// Whether the welcome was sent.
    pub registered: bool,
    /// When the user registered, in seconds since the Unix epoch.
    pub since: u64,
    /// The last changes that channels are told of.
    pub events: Events,
    /// Whether every hop from the client to its node is encrypted.
    pub secure: bool,
    /// Whether the client has said by TLS which host it looks for.
    pub names_host: bool,
    /// The certificate whose key the client has shown to hold. In no entry.
    pub certificate: Option<Fingerprint>,
}

/// The ids of the last changes of a user: a member of several of its channels is told of each once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Events {
    /// Of the nick.
    pub nick: String,
    /// Of the account.
    pub account: String,
    /// Of the real name.
    pub realname: String,
    /// Of being away, or of coming back.
    pub away: String,
}

#[derive(Debug)]
struct Heard {
    /// The last line of any kind.
    any: Instant,
    /// The last line that counts as activity of the person.
    active: Instant,
}

impl Client {
    /// A client that has just connected.
    #[must_use]
    pub fn new(
        id: UserId,
        server: Arc<str>,
        address: IpAddr,
        tenure: Arc<Tenure>,
        queue: SendQueue,
        profile: Profile,
    ) -> Self {
        let now = Instant::now();
        Self {
            id,
            server,
            address: RwLock::new(address),
            tenure: RwLock::new(tenure),
            has_claims: AtomicBool::new(false),
            queue,
            cursor: Cursor::default(),
            capabilities: AtomicU64::new(0),
            knows_values: AtomicBool::new(false),
            profile: RwLock::new(Arc::new(profile)),
            metadata_keys: RwLock::default(),
            inbox: RwLock::default(),
            channels: Mutex::default(),
            invited: Mutex::default(),
            behind: AtomicBool::new(false),
            demoted: AtomicBool::new(false),
            nick_doubt: Doubt::default(),
            heard: Mutex::new(Heard { any: now, active: now }),
            heard_more: Notify::new(),
        }
    }

    /// The capabilities that it has negotiated.
    #[must_use]
    pub fn capabilities(&self) -> CapabilitySet {
        CapabilitySet::from_bits(self.capabilities.load(Ordering::Relaxed))
    }

    /// Whether it has negotiated one of them.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities().contains(capability)
    }

    /// Changes the negotiated capabilities from those `before` to those `after`; what was withdrawn meanwhile stays so.
    pub fn change_capabilities(&self, before: CapabilitySet, after: CapabilitySet) {
        self.capabilities.fetch_or(after.bits() & !before.bits(), Ordering::Relaxed);
        self.capabilities.fetch_and(!(before.bits() & !after.bits()), Ordering::Relaxed);
    }

    /// Takes capabilities away, whatever it asks for meanwhile.
    pub fn withdraw_capabilities(&self, gone: CapabilitySet) {
        self.capabilities.fetch_and(!gone.bits(), Ordering::Relaxed);
    }

    /// Notes that it knows version 302 of CAP, in which capabilities have values.
    pub fn note_values(&self) {
        self.knows_values.store(true, Ordering::Relaxed);
    }

    /// Whether that was noted.
    #[must_use]
    pub fn knows_values(&self) -> bool {
        self.knows_values.load(Ordering::Relaxed)
    }

    /// The incarnation of its node that its claims belong to.
    #[must_use]
    pub fn tenure(&self) -> Arc<Tenure> {
        self.tenure.read().expect("no writer of a tenure panics").clone()
    }

    /// Notes that its claims have been taken over by another incarnation of its node.
    pub fn set_tenure(&self, tenure: Arc<Tenure>) {
        *self.tenure.write().expect("no writer of a tenure panics") = tenure;
    }

    /// Notes that it makes claims from now on, under this incarnation of its node.
    pub fn begin_claims(&self, tenure: Arc<Tenure>) {
        self.set_tenure(tenure);
        self.has_claims.store(true, Ordering::Release);
    }

    /// Whether it may have claims.
    #[must_use]
    pub fn has_claims(&self) -> bool {
        self.has_claims.load(Ordering::Acquire)
    }

    /// Where it comes from, as far as is known now.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        *self.address.read().expect("no writer of an address panics")
    }

    /// Notes the address that a gateway has named.
    pub fn set_address(&self, address: IpAddr) {
        *self.address.write().expect("no writer of an address panics") = address;
    }

    /// Who it is now.
    #[must_use]
    pub fn profile(&self) -> Arc<Profile> {
        self.profile.read().expect("no writer of a profile panics").clone()
    }

    /// Changes who it is.
    pub fn update(&self, change: impl FnOnce(&mut Profile)) {
        let mut slot = self.profile.write().expect("no writer of a profile panics");
        let mut profile = Profile::clone(&slot);
        change(&mut profile);
        *slot = Arc::new(profile);
    }

    /// Notes its account's roles. Whoever was an operator by a role that is gone is none any more.
    pub fn set_roles(&self, roles: &[String]) {
        let mut lost = false;
        self.update(|profile| {
            let held = |role: &String| roles.contains(role);
            lost = profile.operator == Some(Standing::Account) && !profile.roles.iter().all(held);
            profile.roles = roles.to_vec();
        });
        if lost {
            self.demote();
        }
    }

    /// Notes the account that it has logged in to. Whoever was an operator by the roles of another one is none any more: OPER
    /// has to be said again.
    pub fn enter_account(&self, account: &Account) {
        let mut lost = false;
        self.update(|profile| {
            let before = profile.account.replace(account.name.clone());
            lost = profile.operator == Some(Standing::Account) && before.as_ref() != Some(&account.name);
            profile.roles.clone_from(&account.roles);
        });
        if lost {
            self.demote();
        }
    }

    /// Notes that it has logged out. Whoever was an operator by the account's roles is none any more.
    pub fn leave_account(&self) {
        let mut lost = false;
        self.update(|profile| {
            lost = profile.operator == Some(Standing::Account);
            profile.account = None;
            profile.account_epoch = None;
            profile.revision = None;
            profile.roles.clear();
        });
        if lost {
            self.demote();
        }
    }

    /// Ends its being an operator, and says so to it. Its own task tells the others.
    pub fn demote(&self) {
        let (mut was, mut heard) = (None, String::new());
        self.update(|profile| {
            was = profile.operator.take();
            heard = std::mem::take(&mut profile.notices);
        });
        if was.is_none() {
            return;
        }
        let profile = self.profile();
        self.demoted.store(true, Ordering::Release);
        let gone = if heard.is_empty() { "-o" } else { "-os" };
        let line = profile.line("MODE").param(&profile.nick).param(gone).build();
        if let Some(line) = render::alone(&line, self.capabilities()) {
            self.queue.push_line(&line);
        }
    }

    /// Whether it was demoted since the last call.
    pub fn take_demoted(&self) -> bool {
        self.demoted.load(Ordering::Relaxed) && self.demoted.swap(false, Ordering::AcqRel)
    }

    /// The keys of metadata that it hears of.
    #[must_use]
    pub fn metadata_keys(&self) -> Arc<BTreeSet<String>> {
        self.metadata_keys.read().expect("no writer of the keys panics").clone()
    }

    /// Replaces them. The caller bounds them.
    pub fn set_metadata_keys(&self, keys: BTreeSet<String>) {
        *self.metadata_keys.write().expect("no writer of the keys panics") = Arc::new(keys);
    }

    /// Notes where its private messages are by now, or that they are nowhere.
    pub fn set_inbox(&self, inbox: Option<&Arc<Replica>>) {
        *self.inbox.write().expect("no writer of an inbox panics") =
            inbox.map(Arc::downgrade).unwrap_or_default();
    }

    /// A field of its own partition. It may be asked for while the copy of a room is looked at, never the other way round.
    #[must_use]
    pub fn own_field(&self, name: &str) -> Option<String> {
        let inbox = self.inbox.read().expect("no writer of an inbox panics").upgrade()?;
        inbox.with_state(|state| state.field(name).map(str::to_owned))
    }

    /// Its channels, for a look or a change.
    pub fn with_channels<T>(&self, look: impl FnOnce(&mut HashMap<String, Held>) -> T) -> T {
        look(&mut self.channels.lock().expect("no holder of the channels panics"))
    }

    /// Its channels.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<Replica>> {
        self.with_channels(|channels| channels.values().map(Held::replica).collect())
    }

    /// The places of its channels.
    #[must_use]
    pub fn channel_places(&self) -> Vec<String> {
        self.with_channels(|channels| channels.keys().cloned().collect())
    }

    /// Notes that it was invited to a channel. Of many such notes the newest are kept.
    pub fn note_invited(&self, channel: &str) {
        let folded = channel.to_ascii_lowercase();
        let mut invited = self.invited.lock().expect("no holder of the invitations panics");
        invited.retain(|known| *known != folded);
        if invited.len() == INVITATIONS {
            invited.pop_front();
        }
        invited.push_back(folded);
    }

    /// The channels that it was last invited to, by folded name, the oldest first. An invitation may have been used or
    /// have been replaced by others since.
    #[must_use]
    pub fn invited(&self) -> Vec<String> {
        self.invited.lock().expect("no holder of the invitations panics").iter().cloned().collect()
    }

    /// Notes that some of its channels have not been told of a change. True where that was not so before.
    pub fn note_behind(&self) -> bool {
        !self.behind.swap(true, Ordering::AcqRel)
    }

    /// Notes that they are about to be told.
    pub fn clear_behind(&self) {
        self.behind.store(false, Ordering::Release);
    }

    /// Notes that a line arrived, and whether it shows a person at work.
    pub fn note_heard(&self, active: bool) {
        let now = Instant::now();
        let mut heard = self.heard.lock().expect("no holder of the times panics");
        heard.any = now;
        if active {
            heard.active = now;
        }
        drop(heard);
        self.heard_more.notify_waiters();
    }

    /// Completes when the next line arrives after this call.
    pub fn heard_more(&self) -> Notified<'_> {
        self.heard_more.notified()
    }

    /// When the last line arrived.
    #[must_use]
    pub fn last_heard(&self) -> Instant {
        self.heard.lock().expect("no holder of the times panics").any
    }

    /// When the person last did something.
    #[must_use]
    pub fn last_active(&self) -> Instant {
        self.heard.lock().expect("no holder of the times panics").active
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("nick", &self.profile().nick)
            .finish_non_exhaustive()
    }
}

impl Profile {
    /// What the user's member records say of being away: the change that made it so, or nothing.
    #[must_use]
    pub fn away_token(&self) -> &str {
        if self.away.is_some() { &self.events.away } else { "" }
    }

    /// Whether somebody is on the list of those who may write to the user whatever its modes say.
    #[must_use]
    pub fn accepts(&self, id: &str) -> bool {
        self.accepted.iter().any(|(accepted, _)| **accepted == *id)
    }

    /// Whether a mode is set.
    #[must_use]
    pub fn has_mode(&self, letter: char) -> bool {
        self.modes.contains(letter)
    }

    /// `nick!user@host`.
    #[must_use]
    pub fn source(&self) -> String {
        format!("{}!{}@{}", self.nick, self.user, self.host)
    }

    /// The beginning of a line that comes from this user: its source, and what tags say of it to those who asked for them.
    pub fn line(&self, command: &str) -> Line {
        Line::new(command).source(self.source()).raw_tags(&self.tags())
    }

    /// What tags say of this user on whatever comes from it.
    #[must_use]
    pub fn tags(&self) -> String {
        render::tags_of(self.account.as_deref(), self.has_mode(BOT))
    }
}

/// How many invitations a client can look up.
pub(crate) const INVITATIONS: usize = 100;
