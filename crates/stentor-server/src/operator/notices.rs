//! Server notices: what operators who asked for it (`+s`) hear at once, on whichever node they are.
//!
//! What operators do is told from the audit log, which every node follows: it reaches each listener once and in the log's
//! order, also where the command line did it. Everything else is told by the node where it happened, to all others, and is
//! stored nowhere. Of what clients can cause in any number, a few are told in a minute, and how many were left out.
//!
//! Whoever may not read the audit log hears nothing; that is looked up at each notice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};
use tokio::sync::mpsc;

use super::audit::Record;
use super::broadcast::{self, Kind};
use crate::account::login::Slowed;
use crate::backoff::Backoff;
use crate::client::Profile;
use crate::config::{Config, Privilege};
use crate::fleet::roll_call::News;
use crate::hub::render::Rendering;
use crate::hub::{Held, Hub, clock};
use crate::node::Node;
use crate::store::{EntryId, Partition, StoreError};

/// What a notice is about: the parameter of the user mode `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Logins that are slowed down.
    Login,
    /// Sessions that operators end.
    Kill,
    /// Nodes that come and go.
    Node,
    /// Operators, and what they do besides.
    Operator,
    /// Accounts.
    Account,
    /// The network's bans.
    Ban,
}

impl Topic {
    /// All of them, by letter.
    pub const ALL: [Self; 6] =
        [Self::Login, Self::Kill, Self::Node, Self::Operator, Self::Account, Self::Ban];

    /// The topic of this letter.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.letter() == letter)
    }

    /// Its letter.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Login => 'f',
            Self::Kill => 'k',
            Self::Node => 'l',
            Self::Operator => 'o',
            Self::Account => 'u',
            Self::Ban => 'x',
        }
    }

    /// The letters of all topics.
    #[must_use]
    pub fn letters() -> String {
        Self::ALL.into_iter().map(Self::letter).collect()
    }

    /// What it is about, for `docs/modes.md`.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Login => "Logins that are slowed down after wrong passwords.",
            Self::Kill => "Sessions that operators end.",
            Self::Node => "Nodes that join the fleet, leave it or are lost.",
            Self::Operator => "Who becomes an operator, who tries to in vain, and what operators do besides.",
            Self::Account => {
                "Accounts that are made, and what operators and the command line change in them."
            }
            Self::Ban => "Bans that are set or lifted.",
        }
    }

    /// The word that a notice begins with.
    const fn word(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Kill => "KILL",
            Self::Node => "NODE",
            Self::Operator => "OPER",
            Self::Account => "ACCOUNT",
            Self::Ban => "BAN",
        }
    }

    /// What a deed of the audit log is about.
    fn of_deed(what: &str) -> Self {
        match what {
            "kill" => Self::Kill,
            "ban" | "unban" => Self::Ban,
            _ if what.starts_with("account-") || what.starts_with("certificate-") => Self::Account,
            _ => Self::Operator,
        }
    }
}

/// How a node hears of what it tells.
#[derive(Debug)]
pub struct Notices {
    audit: Held,
    budgets: Mutex<HashMap<Topic, Budget>>,
}

impl Notices {
    /// Begins to follow the audit log of the store beneath `hub`.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(hub: &Arc<Hub>) -> Result<Self, StoreError> {
        Ok(Self { audit: hub.hold(&Partition::audit()).await?, budgets: Mutex::default() })
    }

    fn newest(&self) -> Option<EntryId> {
        self.audit.with_state(|state| state.last.as_ref().map(|link| link.id))
    }

    /// How many notices were left out since the last, where one more may be told.
    fn take(&self, topic: Topic) -> Option<u64> {
        let mut budgets = self.budgets.lock().expect("no holder of the budgets panics");
        budgets.entry(topic).or_default().take(Instant::now())
    }
}

/// How much is told of one topic.
#[derive(Debug, Default)]
struct Budget {
    since: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Budget {
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            (self.since, self.told) = (Some(now), 0);
        }
        if self.told == TOLD {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Tells something that happened on this node, to listeners on all nodes.
pub async fn tell(node: &Node, topic: Topic, text: &str) {
    let Some(left_out) = node.notices.take(topic) else { return };
    let text = truncate_utf8(text, TEXT_MAX);
    let more = if left_out == 0 { String::new() } else { format!("; {left_out} more were not told") };
    let text = format!("{text} (on {}{more})", node.tenure().writer().node());
    if let Err(error) = broadcast::send(node, Kind::Notice(topic), (&node.server_name, ""), &text).await {
        tracing::debug!(%error, "the other nodes were not told a notice for operators");
    }
}

/// Tells this node's own listeners.
pub fn deliver(node: &Node, topic: Topic, text: &str) {
    let (config, time) = (node.config(), clock::server_time(clock::wall_ms()));
    for client in node.clients.all() {
        let profile = client.profile();
        if !hears(&config, &profile, topic) {
            continue;
        }
        let line = Line::new("NOTICE").source(&node.server_name).param(&profile.nick);
        let line = line.trailing(format!("*** {}: {text}", topic.word())).build_within(MAX_CONTENT);
        let Ok(message) = Message::parse(&line) else { continue };
        if let Some(bytes) = Rendering::new(message, &time, "").own(client.capabilities(), "") {
            client.queue.push(bytes);
        }
    }
}

fn hears(config: &Config, profile: &Profile, topic: Topic) -> bool {
    profile.notices.contains(topic.letter()) && super::privileges(config, profile).contains(&Privilege::Audit)
}

/// Tells this node's listeners what is added to the audit log, until the node stops.
pub async fn follow(node: Arc<Node>) {
    let mut told = node.notices.newest();
    let mut backoff = Backoff::of_a_write();
    loop {
        let changed = node.notices.audit.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let newest = node.notices.newest();
        if newest != told {
            if let Err(error) = tell_deeds(&node, told, newest).await {
                tracing::debug!(%error, "the audit log cannot be read now");
                if node.pause(&mut backoff).await.is_err() {
                    return;
                }
                continue;
            }
            (told, backoff) = (newest, Backoff::of_a_write());
        }
        tokio::select! {
            () = node.stop.cancelled() => return,
            () = changed => {}
        }
    }
}

/// Tells what was done after one entry and up to another: the log may hold later ones by now, which are told in their turn.
async fn tell_deeds(node: &Node, after: Option<EntryId>, newest: Option<EntryId>) -> Result<(), StoreError> {
    // At rest nobody listens, and nothing is read.
    if node.clients.all().iter().all(|client| client.profile().notices.is_empty()) {
        return Ok(());
    }
    let mut records = node.audit.read(after, DEEDS + 1).await?;
    records.retain(|record| record.entry() <= newest.unwrap_or_default());
    for record in records.iter().take(DEEDS) {
        deliver(node, Topic::of_deed(&record.what), &shown(record));
    }
    if records.len() > DEEDS {
        deliver(node, Topic::Operator, "more was done at once than is told here: AUDIT shows it");
    }
    Ok(())
}

fn shown(record: &Record) -> String {
    let Record { who, operator, node, what, target, reason, .. } = record;
    let target = if target == "*" { String::new() } else { format!(" {target}") };
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{operator} ({who} on {node}) {what}{target}{why}")
}

/// Tells of logins that are slowed down from now on, until the node stops. Only the cloaked address is told.
pub async fn tell_slowed(node: Arc<Node>, mut slowed: mpsc::Receiver<Slowed>) {
    loop {
        let Slowed { what, address } = tokio::select! {
            () = node.stop.cancelled() => return,
            next = slowed.recv() => match next {
                Some(next) => next,
                None => return,
            },
        };
        let text = format!(
            "too many wrong passwords for {what} from {}: further ones are slowed down",
            node.cloak(address)
        );
        tell(&node, Topic::Login, &text).await;
    }
}

/// Tells this node's listeners of other nodes: each node sees the leases for itself.
pub fn tell_of_nodes(node: &Node, news: &[News]) {
    for one in news {
        deliver(node, Topic::Node, &one.to_string());
    }
}

/// How many notices of one topic a node tells in a [`WINDOW`], besides those from the audit log.
pub(crate) const TOLD: u32 = 10;
/// Meanwhile further ones are counted.
const WINDOW: Duration = Duration::from_mins(1);
/// How many entries of the audit log are told at once.
const DEEDS: usize = 50;
/// The longest text that a node tells the others, in bytes.
const TEXT_MAX: usize = 380;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_unique_and_sorted() {
        let letters: Vec<char> = Topic::letters().chars().collect();
        assert!(letters.is_sorted_by(|left, right| left < right));
        for topic in Topic::ALL {
            assert_eq!(Topic::of_letter(topic.letter()), Some(topic));
        }
        assert_eq!(Topic::of_letter('z'), None);
    }

    #[test]
    fn what_is_left_out_is_counted_and_told_with_the_next() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        for _ in 0..TOLD {
            assert_eq!(budget.take(now), Some(0));
        }
        for _ in 0..3 {
            assert_eq!(budget.take(now + WINDOW / 2), None);
        }
        assert_eq!(budget.take(now + WINDOW), Some(3));
        assert_eq!(budget.take(now + WINDOW), Some(0));
    }
}
