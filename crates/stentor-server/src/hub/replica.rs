//! A node's copy of one partition, and the one place where its entries reach clients.

mod deliver;
mod shut;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use stentor_proto::message::Message;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use super::audience::Unseen;
use super::clock::server_time;
use super::msgid::MessageId;
use super::state::{State, UserId};
use super::told::Told;
use crate::client::Client;
use crate::history::view::is_received;
use crate::metadata;
use crate::store::{By, Change, Entry, EntryId, Kind, Link, Partition, Snapshot};
use deliver::Lines;
use shut::Shut;

/// A copy of a partition that follows its log.
#[derive(Debug)]
pub struct Replica {
    partition: Partition,
    inner: Mutex<Inner>,
    /// Woken whenever an entry was applied or a snapshot taken in.
    moved: Notify,
    /// Held while the copy is loaded, repaired or given up.
    pub(super) repair: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether the partition is watched and was read once.
    ready: bool,
    state: State,
    /// How many entries were applied.
    applied: u64,
    /// Entries that came before their predecessor, by that.
    early: HashMap<Option<Link>, Arc<Entry>>,
    /// The newest applied entries, to know a duplicate by.
    recent: VecDeque<Link>,
    /// Own commits under way.
    pending: HashMap<By, Pending>,
    /// Clients of this node that may become members by a commit whose outcome was not known.
    expected: HashMap<UserId, Arc<Client>>,
    /// Clients of this node that the partition's lines are for.
    locals: HashMap<UserId, Arc<Client>>,
    /// Those of them whom only the changes of their account reach as yet, or nothing of a feed.
    shut: HashMap<UserId, Shut>,
    /// How often entries may have been missed, and how often that had happened when the copy was last known to be whole.
    lost: (u64, u64),
}

/// What becomes of a commit's own copy, and who waits for it to be applied.
#[derive(Debug)]
pub struct Pending {
    /// Who sent the command, where somebody did.
    pub origin: Option<Origin>,
    /// Told once the entry is applied here.
    pub applied: oneshot::Sender<()>,
}

/// The client behind a commit.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The client.
    pub client: Arc<Client>,
    /// The tag of its own copy: `label=…`, `batch=…`, or nothing.
    pub tag: String,
    /// Whether it gets its own copy of what it said.
    pub echo: bool,
}

/// What an arriving entry did to the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Applied, and whatever had waited for it.
    Applied,
    /// Known already.
    Known,
    /// Its predecessor has not arrived: if that stays so, the log must be read.
    Early,
}

impl Replica {
    pub(super) fn new(partition: Partition) -> Self {
        Self {
            partition,
            inner: Mutex::default(),
            moved: Notify::new(),
            repair: tokio::sync::Mutex::default(),
        }
    }

    /// Which partition it copies.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Looks at the state. The look must be short: entries wait for it.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().state)
    }

    /// The newest applied entry.
    #[must_use]
    pub fn last(&self) -> Option<Link> {
        self.lock().state.last.clone()
    }

    /// Makes the partition's lines reach `client`.
    pub fn add_local(&self, client: Arc<Client>) {
        self.lock().locals.insert(client.id.clone(), client);
    }

    /// Makes the partition's lines reach `client` if it is a member: it may have been taken in with a snapshot.
    pub fn add_local_member(&self, client: &Arc<Client>) {
        let mut inner = self.lock();
        if inner.state.members.contains_key(&client.id) {
            inner.locals.insert(client.id.clone(), client.clone());
        }
    }

    /// The same, now or as soon as it turns out to be a member.
    pub fn expect_member(&self, client: &Arc<Client>) {
        self.add_local_member(client);
        let mut inner = self.lock();
        if !inner.locals.contains_key(&client.id) {
            inner.expected.insert(client.id.clone(), client.clone());
        }
    }

    /// Ends that.
    pub fn remove_local(&self, id: &str) {
        let mut inner = self.lock();
        inner.locals.remove(id);
        inner.shut.remove(id);
        inner.expected.remove(id);
    }

    /// How many clients of this node the partition's lines reach.
    #[must_use]
    pub fn locals(&self) -> usize {
        self.lock().locals.len()
    }

    /// How many entries were applied so far.
    pub(super) fn applied(&self) -> u64 {
        self.lock().applied
    }

    pub(super) fn is_ready(&self) -> bool {
        self.lock().ready
    }

    pub(super) fn set_unready(&self) {
        let mut inner = self.lock();
        inner.ready = false;
        inner.state = State::default();
        inner.early.clear();
        inner.recent.clear();
    }

    /// Runs `submit` with the state, under the lock that fixes the order of this node's commits to the partition. What it
    /// returns as pending is registered under its number.
    pub(super) fn submit<T>(&self, submit: impl FnOnce(&State) -> (T, Option<(By, Pending)>)) -> T {
        let mut inner = self.lock();
        let (result, pending) = submit(&inner.state);
        if let Some((by, pending)) = pending {
            inner.pending.insert(by, pending);
        }
        result
    }

    /// Forgets an own commit: it was not stored, or its entry came in a snapshot.
    pub(super) fn withdraw(&self, by: &By) -> Option<Pending> {
        self.lock().pending.remove(by)
    }

    /// Sends a commit's own copy out of its place in the order, since it has none any more.
    pub(super) fn send_own_copy(&self, entry: &Entry, origin: &Origin, told: &Told) {
        let time = server_time(entry.id.ms);
        let msgid = |line| MessageId::new(&self.partition, entry.epoch, entry.id, line).to_string();
        let lines = Lines { lines: &entry.body.lines, time: &time, msgid, unseen: &Unseen::default() };
        self.lock().deliver_own(&self.partition, &lines, origin, told);
    }

    /// Takes in an entry, whichever way it came.
    pub(super) fn offer(&self, entry: &Arc<Entry>, told: &Told) -> Offered {
        let mut inner = self.lock();
        let offered = inner.offer(&self.partition, entry, told);
        drop(inner);
        if offered == Offered::Applied {
            self.moved.notify_waiters();
        }
        offered
    }

    /// Takes in the entries of a log page that begins with the newest applied entry. False where it does not, or where
    /// the chain breaks: then only a snapshot helps.
    pub(super) fn offer_page(&self, page: &[Arc<Entry>], told: &Told) -> bool {
        let mut inner = self.lock();
        let Some(first) = page.first() else { return false };
        if inner.state.last.as_ref() != Some(&first.link()) && !inner.recent.contains(&first.link()) {
            return false;
        }
        let whole = page.iter().all(|entry| inner.offer(&self.partition, entry, told) != Offered::Early);
        drop(inner);
        self.moved.notify_waiters();
        whole
    }

    /// Takes in a snapshot, or the partition's absence, and gives local clients the difference.
    ///
    /// `since` is what [`Replica::applied`] said before the snapshot was asked for: a copy that has moved since then knows
    /// better.
    pub(super) fn adopt(&self, snapshot: Option<Snapshot>, since: u64, told: &Told) {
        let mut inner = self.lock();
        if inner.ready && inner.applied != since {
            return;
        }
        let next = snapshot.map(State::from_snapshot).unwrap_or_default();
        let stale = next.last.as_ref().is_some_and(|last| inner.recent.contains(last))
            && inner.state.epoch == next.epoch;
        if inner.ready && stale {
            // Entries overtook the snapshot while it was on its way.
            return;
        }
        let before = inner.holder_of_nick(&self.partition);
        let was_ready = inner.ready;
        let lines = if inner.ready {
            super::difference::lines(&self.partition, &inner.state, &next)
        } else {
            Vec::new()
        };
        inner.ready = true;
        // Nobody waits any more for these to be applied, and they will not be.
        inner.pending.retain(|_, pending| !pending.applied.is_closed());
        inner.recent.clear();
        inner.recent.extend(next.last.clone());
        let unseen = Unseen::between(&inner.state, &next);
        inner.state = next;
        let time = server_time(super::clock::wall_ms());
        let lines = Lines { lines: &lines, time: &time, msgid: |_| String::new(), unseen: &unseen };
        inner.deliver_lines(&self.partition, &lines, None, told);
        inner.admit_expected();
        if was_ready {
            inner.end_lost(&self.partition);
            if self.partition.kind() == Kind::Nick {
                inner.tell_monitors(&self.partition, before.as_deref());
            }
        }
        inner.apply_early(&self.partition, told);
        drop(inner);
        self.moved.notify_waiters();
    }

    /// Completes when an entry was applied or a snapshot taken in after this call.
    pub fn changed(&self) -> Notified<'_> {
        self.moved.notified()
    }

    /// Waits until `link` is applied, or `None` (the partition's absence) is.
    pub(super) async fn reached(&self, link: Option<&Link>) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            {
                let inner = self.lock();
                let there = match link {
                    Some(link) => inner.recent.contains(link),
                    None => inner.state.epoch.is_none(),
                };
                if there {
                    return;
                }
            }
            moved.await;
        }
    }

    /// Notes that entries may have been missed.
    pub(super) fn note_lost(&self) {
        self.lock().lost.0 += 1;
    }

    /// How often that was noted so far.
    pub(super) fn losses(&self) -> u64 {
        self.lock().lost.0
    }

    /// Notes that what was missed up to then has been read.
    pub(super) fn made_good(&self, losses: u64) {
        let mut inner = self.lock();
        if losses > inner.lost.1 {
            inner.lost.1 = losses;
            inner.ask_to_sync(&self.partition);
        }
    }

    /// Whether entries wait for a predecessor.
    pub(super) fn has_gap(&self) -> bool {
        !self.lock().early.is_empty()
    }

    /// Sends a text that is stored nowhere to local clients, except its origin.
    pub(super) fn transient(&self, line: &str, except: Option<&str>, told: &Told) {
        let inner = self.lock();
        let Ok(message) = Message::parse(line) else { return };
        // It is in no order with a KICK; who is no member any more by what is known here is not heard.
        let needs_member = self.partition.kind() == Kind::Channel
            && message.command == "TAGMSG"
            && crate::policy::has_mode(&inner.state, 'n');
        if needs_member && except.is_some_and(|id| !inner.state.members.contains_key(id)) {
            return;
        }
        // A copy that may lack entries may not know yet who follows no more.
        let is_doubtful = !inner.ready || !inner.early.is_empty() || inner.lost.0 != inner.lost.1;
        if self.partition.kind() == Kind::Feed && is_doubtful {
            return;
        }
        if self.partition.kind() == Kind::User
            && message.command == "INVITE"
            && let Some(channel) = message.param(1)
        {
            inner.locals.values().for_each(|client| client.note_invited(channel));
        }
        let time = server_time(super::clock::wall_ms());
        let (line, unseen) = ([line.to_owned()], Unseen::default());
        let lines = Lines { lines: &line, time: &time, msgid: |_| String::new(), unseen: &unseen };
        inner.deliver_lines(&self.partition, &lines, except, told);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("applying an entry does not panic")
    }
}

impl Inner {
    fn offer(&mut self, partition: &Partition, entry: &Arc<Entry>, told: &Told) -> Offered {
        let follows = self.ready && entry.previous == self.state.last;
        // The first entry of a life follows whatever has ended, also its own life's end.
        if !follows || entry.previous.is_none() {
            // Mostly the newest: an own commit that was applied from its reply before it came as an event.
            if self.recent.iter().rev().any(|link| *link == entry.link()) {
                return Offered::Known;
            }
        }
        if !follows {
            if self.early.len() < EARLY_BOUND {
                self.early.insert(entry.previous.clone(), entry.clone());
            }
            return Offered::Early;
        }
        self.apply(partition, entry, told);
        self.apply_early(partition, told);
        Offered::Applied
    }

    fn apply_early(&mut self, partition: &Partition, told: &Told) {
        while let Some(entry) = self.early.remove(&self.state.last) {
            self.apply(partition, &entry, told);
        }
        // What is left and known by now came twice; what is older than the newest entry is of another life.
        let (recent, newest) = (&self.recent, self.state.last.as_ref().map(|last| last.id));
        self.early.retain(|_, entry| {
            newest.is_none_or(|newest| entry.id > newest) && !recent.contains(&entry.link())
        });
    }

    fn apply(&mut self, partition: &Partition, entry: &Entry, told: &Told) {
        let before = self.holder_of_nick(partition);
        let unseen = Unseen::of(&self.state, entry);
        self.state.apply(entry);
        self.applied += 1;
        if self.recent.len() == RECENT_BOUND {
            self.recent.pop_front();
        }
        self.recent.push_back(entry.link());
        let pending = self.pending.remove(&entry.by);
        let origin = pending.as_ref().and_then(|pending| pending.origin.as_ref());
        self.admit(entry, origin);
        if partition.kind() == Kind::Nick {
            self.tell_monitors(partition, before.as_deref());
        }
        let time = server_time(entry.id.ms);
        let msgid = |line| MessageId::new(partition, entry.epoch, entry.id, line).to_string();
        let lines = Lines { lines: &entry.body.lines, time: &time, msgid, unseen: &unseen };
        self.deliver(partition, &lines, origin, told);
        match partition.kind() {
            Kind::User => {
                self.move_cursors(entry);
                self.follow_account(entry);
            }
            Kind::Feed => self.move_feeds(partition, entry),
            _ => {}
        }
        for change in &entry.body.changes {
            if let Change::UnsetMember(id) = change
                && let Some(client) = self.locals.remove(id.as_str())
            {
                client.with_channels(|channels| channels.remove(partition.name()));
            }
        }
        if let Some(pending) = pending {
            // The command may have been given up meanwhile.
            let _ = pending.applied.send(());
        }
    }

    /// From the entry that makes a client a member, the partition's lines reach it; not from an earlier one.
    fn admit(&mut self, entry: &Entry, origin: Option<&Origin>) {
        for change in &entry.body.changes {
            let Change::SetMember(id, _) = change else { continue };
            if let Some(client) = self.expected.remove(id.as_str()) {
                self.locals.insert(client.id.clone(), client);
            }
            if let Some(origin) = origin.filter(|origin| **id == *origin.client.id) {
                self.locals.insert(origin.client.id.clone(), origin.client.clone());
            }
        }
    }

    fn admit_expected(&mut self) {
        let members = &self.state.members;
        let found = self.expected.extract_if(|id, _| members.contains_key(id));
        self.locals.extend(found);
    }

    /// `nick!user@host` of who holds the nick, where this is a nick's partition and somebody does.
    fn holder_of_nick(&self, partition: &Partition) -> Option<String> {
        let held = partition.kind() == Kind::Nick && self.state.epoch.is_some();
        held.then(|| self.state.field("who").unwrap_or_else(|| partition.name()).to_owned())
    }

    fn tell_monitors(&self, partition: &Partition, before: Option<&str>) {
        let now = self.holder_of_nick(partition);
        let (is_there, who) = match (before, &now) {
            (None, Some(who)) => (true, who.as_str()),
            // The nick as it was last spelt.
            (Some(who), None) => (false, who.split('!').next().unwrap_or(who)),
            _ => return,
        };
        for client in self.locals.values() {
            crate::command::monitor::tell(client, is_there, who);
        }
    }

    /// What is published is in no log: metadata of members may be among what was missed.
    fn ask_to_sync(&self, partition: &Partition) {
        if partition.kind() == Kind::Channel {
            let name = self.state.field("name").unwrap_or_else(|| partition.name());
            self.locals.values().for_each(|client| metadata::ask_to_sync_soon(client, name));
        }
    }

    /// A snapshot may show that local clients are members no more, or have lost their account: neither stays where it was.
    fn end_lost(&mut self, partition: &Partition) {
        match partition.kind() {
            Kind::Channel => {
                let members = &self.state.members;
                let (here, gone) = std::mem::take(&mut self.locals)
                    .into_iter()
                    .partition(|(id, _)| members.contains_key(id));
                self.locals = here;
                let gone: HashMap<UserId, Arc<Client>> = gone;
                for client in gone.into_values() {
                    client.with_channels(|channels| channels.remove(partition.name()));
                }
            }
            Kind::User => {
                // Messages may be among what was missed: the next login gets them.
                for (id, client) in &self.locals {
                    match self.shut.get_mut(id) {
                        Some(shut) => shut.note_gap(),
                        None => client.cursor.stop(),
                    }
                }
                self.follow_roles();
                let owner = self.state.field("session").and_then(|value| value.split(' ').next());
                for client in self.locals.values().filter(|client| client.profile().account.is_some()) {
                    if self.state.field("removed").is_some() {
                        client.queue.close("Account removed");
                    } else if self.state.field("locked").is_some() {
                        client.queue.close("Account locked");
                    } else if self.state.field("revision") != client.profile().revision.as_deref() {
                        client.queue.close("Password changed");
                    } else if owner != Some(&*client.id) {
                        client.queue.close("Logged in from elsewhere");
                    }
                }
            }
            Kind::Feed => {
                // Posts may be among what was missed: the next login gets them.
                for (id, client) in &self.locals {
                    match self.shut.get_mut(id) {
                        Some(shut) => shut.note_gap(),
                        None => client.cursor.forget(partition.name()),
                    }
                }
            }
            _ => {}
        }
    }

    fn newest(&self) -> EntryId {
        self.state.last.as_ref().map(|last| last.id).unwrap_or_default()
    }

    /// A post is in the queues of those who follow.
    fn move_feeds(&mut self, partition: &Partition, entry: &Entry) {
        let is_post = |line: &String| Message::parse(line).is_ok_and(|message| message.command == "PUBLISH");
        if !entry.body.lines.iter().any(is_post) {
            return;
        }
        for (id, client) in &self.locals {
            match self.shut.get_mut(id) {
                Some(shut) => shut.note(entry.id),
                None => client.cursor.deliver_post(partition.name(), entry.id),
            }
        }
    }

    /// What was received is in the queues of those whom it reaches by now.
    fn move_cursors(&mut self, entry: &Entry) {
        let is_received = |line: &String| Message::parse(line).is_ok_and(|message| is_received(&message));
        if !entry.body.lines.iter().any(is_received) {
            return;
        }
        for (id, client) in &self.locals {
            match self.shut.get_mut(id) {
                Some(shut) => shut.note(entry.id),
                None => client.cursor.deliver(entry.id),
            }
        }
    }

    /// Gives local clients the account's roles.
    fn follow_roles(&self) {
        let roles = self.state.roles();
        for client in self.locals.values() {
            client.set_roles(&roles);
        }
    }

    /// Ends the sessions whose claim on the account an entry took away, and gives the others the account's roles.
    fn follow_account(&self, entry: &Entry) {
        let of_roles =
            |change: &Change| matches!(change, Change::Set(name, _) | Change::Unset(name) if name == "roles");
        if entry.body.changes.iter().any(of_roles) {
            self.follow_roles();
        }
        let reason = entry.body.changes.iter().find_map(|change| match change {
            Change::Set(name, _) if name == "removed" => Some("Account removed"),
            Change::Set(name, _) if name == "locked" => Some("Account locked"),
            Change::Set(name, _) if name == "revision" => Some("Password changed"),
            Change::Set(name, _) if name == "session" => Some("Logged in from elsewhere"),
            _ => None,
        });
        let Some(reason) = reason else { return };
        let owner = self.state.field("session").and_then(|value| value.split(' ').next());
        let revision = self.state.field("revision");
        for client in self.locals.values() {
            let stays = match reason {
                "Logged in from elsewhere" => owner == Some(&*client.id),
                // Its own user has made the change.
                "Password changed" => client.profile().revision.as_deref() == revision,
                _ => false,
            };
            if !stays {
                client.queue.close(reason);
            }
        }
    }
}

/// How many applied entries a replica remembers, to know duplicates by: more than can be between a reply and its push.
const RECENT_BOUND: usize = 256;
/// How many entries may wait for a predecessor; what comes beyond is read from the log.
const EARLY_BOUND: usize = 1024;

#[cfg(test)]
mod tests;
