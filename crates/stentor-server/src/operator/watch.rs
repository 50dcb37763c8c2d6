//! This node's copy of the network's bans, and what it does to its own clients.
//!
//! A login is held against the bans before it claims anything, and again once others can see it. A ban is put in force
//! here before the clients are looked through. So of a ban and a login that race, the later of the two finds the other.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use stentor_proto::line::Line;
use stentor_proto::numeric::Numeric;

use super::ban::{Ban, Subject, Target};
use crate::client::Client;
use crate::error::Error;
use crate::hub::{Held, Hub, State};
use crate::node::Node;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Partition, StoreError, StoreTime};

/// The bans that are in force on a node.
#[derive(Debug)]
pub struct BanWatch {
    held: Held,
    set: RwLock<Arc<BanSet>>,
}

/// Bans by field.
#[derive(Debug, Default)]
struct BanSet(HashMap<String, Arc<Ban>>);

impl BanWatch {
    /// The bans of the store beneath `hub`, as they are now.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(hub: &Arc<Hub>) -> Result<Self, StoreError> {
        let held = hub.hold(&Partition::bans()).await?;
        let set = RwLock::new(Arc::new(held.with_state(BanSet::of)));
        Ok(Self { held, set })
    }

    /// The ban that keeps somebody out now.
    #[must_use]
    pub fn find(&self, who: &Subject, now: StoreTime) -> Option<Arc<Ban>> {
        self.find_among(|_| true, who, now)
    }

    /// The ban on addresses that keeps somebody out now.
    #[must_use]
    pub fn find_of_address(&self, who: &Subject, now: StoreTime) -> Option<Arc<Ban>> {
        self.find_among(|target| matches!(target, Target::Range(_)), who, now)
    }

    fn find_among(&self, kind: fn(&Target) -> bool, who: &Subject, now: StoreTime) -> Option<Arc<Ban>> {
        let set = self.set.read().expect("no writer of the bans panics").clone();
        let is_it = |ban: &&Arc<Ban>| kind(&ban.target) && ban.lasts(now) && ban.target.matches(who);
        set.0.values().find(is_it).cloned()
    }

    /// Puts the bans in force that the copy shows, and returns those that were not.
    fn renew(&self) -> Vec<Arc<Ban>> {
        let mut slot = self.set.write().expect("no writer of the bans panics");
        let next = self.held.with_state(|state| BanSet::after(&slot, state));
        let fresh =
            next.0.iter().filter(|(field, ban)| slot.0.get(*field) != Some(ban)).map(|(_, ban)| ban.clone());
        let fresh = fresh.collect();
        *slot = Arc::new(next);
        fresh
    }
}

impl BanSet {
    fn of(state: &State) -> Self {
        Self::after(&Self::default(), state)
    }

    /// What the state shows; bans that were known before are shared.
    fn after(before: &Self, state: &State) -> Self {
        let bans = state.fields.iter().filter_map(|(field, value)| {
            let ban = Ban::from_field(field, value)?;
            let known = before.0.get(field).filter(|known| ***known == ban);
            Some((field.clone(), known.cloned().unwrap_or_else(|| Arc::new(ban))))
        });
        Self(bans.collect())
    }
}

/// Closes clients whom a new ban is about, until the node stops.
pub async fn enforce(node: Arc<Node>) {
    loop {
        let changed = node.bans.held.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let fresh = node.bans.renew();
        if !fresh.is_empty() {
            let now = node.fleet.now();
            for client in node.clients.all() {
                let who = Subject::of(&client);
                if let Some(ban) = fresh.iter().find(|ban| ban.lasts(now) && ban.target.matches(&who)) {
                    close(&node, &client, ban);
                }
            }
        }
        tokio::select! {
            () = node.stop.cancelled() => return,
            () = changed => {}
        }
    }
}

fn close(node: &Node, client: &Client, ban: &Ban) {
    let nick = client.profile().nick.clone();
    let line = Line::numeric(&node.server_name, Numeric::ERR_YOUREBANNEDCREEP, nick).trailing(told(ban));
    client.queue.push_line(&line.build());
    client.queue.close(&ban.text());
}

/// Whether a session may go on as this `nick` and this account.
///
/// # Errors
/// [`Error::Close`] where a ban keeps it out; it has been told then.
pub fn check(session: &Session, nick: &str, account: Option<&str>, reply: &mut Reply) -> Result<(), Error> {
    match banned(session, nick, account) {
        None => Ok(()),
        Some(ban) => Err(refuse(&ban, reply)),
    }
}

/// Whether a session may go on from the address that a gateway has just named.
///
/// # Errors
/// [`Error::Close`] where a ban keeps that address out; the client has been told then.
pub fn check_address(session: &Session, reply: &mut Reply) -> Result<(), Error> {
    match of_address(&session.node, &session.client) {
        None => Ok(()),
        Some(ban) => Err(refuse(&ban, reply)),
    }
}

fn refuse(ban: &Ban, reply: &mut Reply) -> Error {
    reply.numeric(Numeric::ERR_YOUREBANNEDCREEP, &[], &told(ban));
    Error::Close(ban.text())
}

/// The ban that keeps a session out as this `nick` and this account.
#[must_use]
pub fn banned(session: &Session, nick: &str, account: Option<&str>) -> Option<Arc<Ban>> {
    let profile = session.client.profile();
    let wanted = session.registering.as_ref().and_then(|registering| registering.user.as_deref());
    let user = wanted.unwrap_or(&profile.user);
    let who = Subject::new(nick, user, &profile.host, session.address, account);
    session.node.bans.find(&who, session.node.fleet.now())
}

/// The ban that keeps an address out, whoever comes from there.
#[must_use]
pub fn of_address(node: &Node, client: &Client) -> Option<Arc<Ban>> {
    node.bans.find_of_address(&Subject::of(client), node.fleet.now())
}

/// Tells a client that has just connected, and closes it.
pub fn turn_away(node: &Node, client: &Client, ban: &Ban) {
    close(node, client, ban);
}

fn told(ban: &Ban) -> String {
    let reason = if ban.reason.is_empty() { "no reason was given" } else { &ban.reason };
    let until = match ban.expires {
        Some(expires) => format!(" (until {})", crate::hub::clock::server_time(expires)),
        None => String::new(),
    };
    format!("You are banned from this server: {reason}{until}")
}
