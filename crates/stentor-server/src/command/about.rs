//! What a node tells of its users to those who ask: on this node directly, to other nodes as text.

use serde::{Deserialize, Serialize};
use stentor_proto::capability::Capability;

use crate::client::{Client, Profile};
use crate::hub::{Member, State};
use crate::modes::BOT;
use crate::node::Node;
use crate::node::people::Person;
use crate::operator;
use crate::policy;
use crate::session::Session;
use crate::store::Writer;

/// What WHO and WHOIS tell of one user. As text between nodes it is JSON; what an older node leaves out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct About {
    pub(super) nick: String,
    pub(super) user: String,
    /// Cloaked.
    pub(super) host: String,
    pub(super) account: Option<String>,
    pub(super) realname: String,
    /// What the user's server is called.
    pub(super) server: String,
    /// The away message; empty where only the fact is known.
    pub(super) away: Option<String>,
    /// Whether the user is an operator.
    pub(super) operator: bool,
    /// Whether the user is a bot.
    pub(super) bot: bool,
    /// Whether every hop from the client to its node is encrypted.
    pub(super) secure: bool,
    /// The fingerprint of the user's certificate, for its owner and operators.
    pub(super) certificate: Option<String>,
    /// Seconds since the person last did something; `None` where that is not known.
    pub(super) idle: Option<u64>,
    /// When the user registered, in seconds since the Unix epoch.
    pub(super) since: u64,
    /// The channels that the asker may know of, each with all of the user's prefixes there. For WHOIS alone.
    pub(super) channels: Vec<(String, String)>,
    /// There are more channels than the answer had room for.
    pub(super) more: bool,
}

impl About {
    /// A client of this node, without its channels.
    pub(super) fn of(node: &Node, client: &Client) -> Self {
        let profile = client.profile();
        Self {
            nick: profile.nick.clone(),
            user: profile.user.clone(),
            host: profile.host.clone(),
            account: profile.account.clone(),
            realname: profile.realname.clone(),
            server: node.server_name.to_string(),
            away: profile.away.clone(),
            operator: operator::is_operator(&node.config(), &profile),
            bot: profile.has_mode(BOT),
            secure: profile.secure,
            certificate: profile.certificate.as_ref().map(ToString::to_string),
            idle: Some(client.last_active().elapsed().as_secs()),
            since: profile.since,
            channels: Vec::new(),
            more: false,
        }
    }

    /// The same, with the channels that the user with the id `asker` may know of.
    pub(super) fn with_channels(node: &Node, client: &Client, asker: &str) -> Self {
        let channels = visible_channels(client, asker);
        Self { channels, ..Self::of(node, client) }
    }

    /// The answer to another node.
    pub(super) fn into_answer(mut self) -> String {
        self.more = keep_within(ANSWER_MAX, &mut self.channels);
        serde_json::to_string(&self).expect("plain data has a JSON form")
    }

    /// What a channel knows of a member who may be on another node.
    pub(super) fn of_member(node: &Node, id: &str, member: &Member) -> Self {
        if let Some(client) = node.clients.by_id(id) {
            return Self::of(node, &client);
        }
        Self {
            nick: member.nick.clone(),
            user: member.user.clone(),
            host: member.host.clone(),
            account: member.account.clone(),
            realname: member.realname.clone(),
            server: member.writer.parse::<Writer>().map(|writer| node.server_of(&writer)).unwrap_or_default(),
            away: member.is_away().then(String::new),
            operator: member.oper,
            bot: member.bot,
            ..Self::default()
        }
    }

    /// What the claim on a nick tells of somebody whose node cannot be asked.
    pub(super) fn of_claim(node: &Node, person: &Person) -> Self {
        let (nick, rest) = person.source.split_once('!').unwrap_or((&person.source, ""));
        let (user, host) = rest.split_once('@').unwrap_or((rest, ""));
        Self {
            nick: nick.to_owned(),
            user: user.to_owned(),
            host: host.to_owned(),
            account: person.account.clone(),
            server: person.writer.as_ref().map(|writer| node.server_of(writer)).unwrap_or_default(),
            away: person.away.clone(),
            operator: person.operator,
            bot: person.modes.contains(BOT),
            ..Self::default()
        }
    }

    /// Somebody who is online, as that user's node tells, or else as the claim does. `false` where the node did not
    /// answer, or not with everything.
    pub(super) async fn fetch(session: &Session, person: &Person) -> (Self, bool) {
        let node = &session.node;
        if let Some(client) = &person.local {
            return (Self::with_channels(node, client, &session.client.id), true);
        }
        let question = format!("WHOIS {} {}", session.client.id, person.id);
        let answer = match &person.writer {
            Some(writer) => node.ask(writer, &question, super::who::PATIENCE).await,
            None => None,
        };
        match answer.and_then(|answer| serde_json::from_str::<Self>(&answer).ok()) {
            Some(about) => {
                let complete = !about.more;
                (about, complete)
            }
            None => (Self::of_claim(node, person), false),
        }
    }
}

/// Keeps the first of these items that are no longer than `most` bytes together, as JSON; whether any had to go.
pub(super) fn keep_within<T: Serialize>(most: usize, items: &mut Vec<T>) -> bool {
    let mut left = most;
    let too_much = items.iter().position(|item| {
        // A comma stands between two.
        let size = serde_json::to_string(item).expect("plain data has a JSON form").len() + 1;
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return true,
        }
        false
    });
    items.truncate(too_much.unwrap_or(items.len()));
    too_much.is_some()
}

/// Whether `asker` is in a channel with this client of this node, in which the client shows.
pub(super) fn shares_channel(client: &Client, asker: &str) -> bool {
    let shows = |state: &State| {
        let (asker, member) = (state.members.get(asker)?, state.members.get(&client.id)?);
        policy::shows(state, Some(asker), member).then_some(())
    };
    client.rooms().iter().any(|replica| replica.with_state(shows).is_some())
}

/// Whether the user asked not to be found by those who share no channel.
pub(super) fn is_invisible(profile: &Profile) -> bool {
    profile.has_mode('i')
}

/// A user's prefixes in a channel as this session reads them: all of them, or the highest alone.
pub(super) fn shown_prefixes<'a>(session: &Session, all: &'a str) -> &'a str {
    if session.client.has(Capability::MultiPrefix) { all } else { all.get(..1).unwrap_or_default() }
}

/// Those of a secret channel are for its members, and all those of an invisible user for those who share them.
fn visible_channels(client: &Client, asker: &str) -> Vec<(String, String)> {
    let hidden = is_invisible(&client.profile()) && *client.id != *asker;
    let visible = |replica: &std::sync::Arc<crate::hub::Replica>| {
        replica.with_state(|state| {
            let member = state.members.get(&client.id)?;
            let shared = state.members.contains_key(asker);
            let visible = shared || !hidden && policy::is_visible_to(state, asker);
            let name = policy::name(state, replica.partition().name()).to_owned();
            let viewer = state.members.get(asker).map(|viewer| &**viewer);
            let shown = *client.id == *asker || policy::shows(state, viewer, member);
            (visible && shown).then(|| (member.signs(true), name))
        })
    };
    let mut channels: Vec<_> = client.rooms().iter().filter_map(visible).collect();
    channels.sort_by(|left, right| left.1.cmp(&right.1));
    channels
}

/// The longest list in an answer to another node, in bytes: all that subscribers can take, with room to spare.
pub(super) const ANSWER_MAX: usize = 256 << 10;
