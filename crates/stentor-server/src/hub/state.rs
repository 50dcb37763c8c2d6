//! A partition's state as a node knows it.

use std::collections::HashMap;
use std::sync::Arc;

use stentor_proto::line::Line;

use super::render::tags_of;
use crate::modes::{BOT, PREFIXES, Rank};
use crate::store::{Change, Entry, Epoch, Life, Link, Snapshot};

/// The id of a user: random, new for every registration, and the token that its claims are guarded by.
pub type UserId = Arc<str>;

/// Fields and members as of one entry.
#[derive(Debug, Default)]
pub struct State {
    /// Which life of the partition; `None` where it does not exist.
    pub epoch: Option<Epoch>,
    /// The newest entry that is applied.
    pub last: Option<Link>,
    /// The fields that are not private.
    pub fields: HashMap<String, String>,
    /// The members, by user id.
    pub members: HashMap<UserId, Arc<Member>>,
}

/// What a channel knows of a member: all that other members see of that user.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Member {
    /// The node and incarnation that the user is connected to.
    pub writer: String,
    /// The letters of [`PREFIXES`] that the member has, the highest first.
    pub prefixes: String,
    /// The change by which the user went away; empty where the user is here.
    pub away: String,
    /// Whether the user is an operator of the network.
    pub oper: bool,
    /// Whether the user is a bot.
    pub bot: bool,
    /// Whether only those who share a channel find the user.
    pub invisible: bool,
    /// When the member joined, in milliseconds of the store's time as its node knew it.
    pub joined: u64,
    /// The nick.
    pub nick: String,
    /// The user name.
    pub user: String,
    /// The cloaked host.
    pub host: String,
    /// The account's name.
    pub account: Option<String>,
    /// The real name.
    pub realname: String,
}

impl State {
    /// The state that a snapshot shows.
    #[must_use]
    pub fn from_snapshot(snapshot: Snapshot) -> Self {
        let members = snapshot
            .members
            .into_iter()
            .filter_map(|(id, value)| Some((id.into(), Arc::new(Member::from_value(&value)?))))
            .collect();
        Self {
            epoch: Some(snapshot.epoch),
            last: Some(snapshot.last),
            fields: snapshot.fields.into_iter().collect(),
            members,
        }
    }

    /// Takes in the next entry of the chain.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.previous.is_none() {
            self.fields.clear();
            self.members.clear();
            self.epoch = Some(entry.epoch);
        }
        for change in &entry.body.changes {
            self.change(change);
        }
        self.last = Some(entry.link());
        if entry.ends {
            *self = Self::default();
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Set(name, value) => {
                self.fields.insert(name.clone(), value.clone());
            }
            Change::Unset(name) => {
                self.fields.remove(name);
            }
            Change::SetMember(id, value) => {
                // A value that this version cannot read is a member that it cannot show.
                if let Some(member) = Member::from_value(value) {
                    self.members.insert(id.as_str().into(), Arc::new(member));
                }
            }
            Change::UnsetMember(id) => {
                self.members.remove(id.as_str());
            }
            Change::Erase(_) => {}
        }
    }

    /// A field's value.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// An account's roles.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        self.field("roles").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    /// A commit's life within the partition as it is known here, where it exists.
    #[must_use]
    pub fn within(&self) -> Option<Life> {
        self.epoch.map(Life::Within)
    }
}

impl Member {
    /// As [`Member::to_value`] writes it; `None` for anything else.
    #[must_use]
    pub fn from_value(value: &str) -> Option<Self> {
        let mut parts = value.splitn(9, ' ');
        let mut next = || parts.next().map(str::to_owned);
        let (writer, prefixes, flags, joined) = (next()?, next()?, next()?, next()?);
        let (nick, user, host, account, realname) = (next()?, next()?, next()?, next()?, next()?);
        let away = flags.strip_prefix('G');
        let flags = away.or(flags.strip_prefix('H')).unwrap_or_default();
        // An older version takes the marks of somebody who is away for a part of the change, whose id has none of them.
        let (oper, flags) = flags.strip_prefix('*').map_or((false, flags), |flags| (true, flags));
        let (bot, flags) = flags.strip_prefix(BOT).map_or((false, flags), |flags| (true, flags));
        let (invisible, change) = flags.strip_prefix('I').map_or((false, flags), |change| (true, change));
        Some(Self {
            writer,
            prefixes: if prefixes == "-" { String::new() } else { prefixes },
            away: away.map_or_else(String::new, |_| change.to_owned()),
            oper,
            bot,
            invisible,
            joined: joined.parse().ok()?,
            nick,
            user,
            host,
            account: (account != "*").then_some(account),
            realname,
        })
    }

    /// The text that the store keeps.
    #[must_use]
    pub fn to_value(&self) -> String {
        let prefixes = if self.prefixes.is_empty() { "-" } else { &self.prefixes };
        let here = if self.away.is_empty() { 'H' } else { 'G' };
        let (oper, bot) = (if self.oper { "*" } else { "" }, if self.bot { "B" } else { "" });
        let invisible = if self.invisible { "I" } else { "" };
        let flags = format!("{here}{oper}{bot}{invisible}{}", self.away);
        let account = self.account.as_deref().unwrap_or("*");
        let Self { writer, joined, nick, user, host, realname, .. } = self;
        format!("{writer} {prefixes} {flags} {joined} {nick} {user} {host} {account} {realname}")
    }

    /// Whether the user is away.
    #[must_use]
    pub fn is_away(&self) -> bool {
        !self.away.is_empty()
    }

    /// `nick!user@host`.
    #[must_use]
    pub fn source(&self) -> String {
        format!("{}!{}@{}", self.nick, self.user, self.host)
    }

    /// The beginning of a line that comes from this member: its source, and what tags say of it to those who asked for them.
    pub fn line(&self, command: &str) -> Line {
        Line::new(command).source(self.source()).raw_tags(&tags_of(self.account.as_deref(), self.bot))
    }

    /// Gives the member a prefix, or takes it. False where nothing changes.
    pub fn set_prefix(&mut self, letter: char, add: bool) -> bool {
        if self.prefixes.contains(letter) == add {
            return false;
        }
        let held = PREFIXES.iter().map(|prefix| prefix.letter);
        let after = held.filter(|one| if *one == letter { add } else { self.prefixes.contains(*one) });
        let after: String = after.collect();
        self.prefixes = after;
        true
    }

    /// The highest rank that the member has.
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.prefixes.chars().filter_map(Rank::of_letter).max().unwrap_or_default()
    }

    /// Whether the member is a channel operator, or higher.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.rank() >= Rank::Operator
    }

    /// Whether the member may speak where only voiced members may.
    #[must_use]
    pub fn is_voiced(&self) -> bool {
        self.rank() >= Rank::Voice
    }

    /// The member's prefixes as NAMES and WHO show them: all of them, or the highest alone.
    #[must_use]
    pub fn signs(&self, all: bool) -> String {
        let held = PREFIXES.iter().filter(|prefix| self.prefixes.contains(prefix.letter));
        held.take(if all { PREFIXES.len() } else { 1 }).map(|prefix| prefix.sign).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_reads_back_from_its_value() {
        let member = Member {
            writer: "host:6697@1f".into(),
            prefixes: "ov".into(),
            away: "event".into(),
            joined: 12,
            nick: "Ann".into(),
            user: "ann".into(),
            host: "cloak.example".into(),
            account: None,
            realname: "Ann of  two spaces".into(),
            oper: false,
            bot: false,
            invisible: false,
        };
        for marks in 0..16 {
            let mark = |bit: u32| marks & (1 << bit) != 0;
            let away = if mark(3) { "event" } else { "" }.to_owned();
            let (oper, bot, invisible) = (mark(0), mark(1), mark(2));
            let member = Member { oper, bot, invisible, away, ..member.clone() };
            assert_eq!(Member::from_value(&member.to_value()), Some(member));
        }
        assert_eq!(Member::from_value("too short"), None);
    }
}
