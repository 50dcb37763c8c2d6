//! Whom of a room's members a line is for.

use std::collections::HashMap;

use stentor_proto::line::Line;
use stentor_proto::message::Message;

use super::state::{Member, State, UserId};
use crate::modes::Rank;
use crate::policy;
use crate::store::{Change, Entry};

/// A tag that the server keeps in its own entries: the letter of the lowest rank that a line is for.
pub const RANK_TAG: &str = "stentor.chat/rank";

/// Those who see a line, by their rank at its place in the room's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    rank: Rank,
    /// Whom the line is about: they see it in any case.
    subject: Option<UserId>,
}

/// The members of an auditorium whose coming and going only some are told of, by nick.
#[derive(Debug, Default)]
pub struct Unseen(HashMap<String, UserId>);

/// Marks a line of a room as one for members of this rank and higher.
pub fn for_rank(line: Line, rank: Rank) -> Line {
    match rank.prefix() {
        Some(prefix) => line.tag(RANK_TAG, prefix.letter),
        None => line,
    }
}

/// The lowest rank that a line was said to.
#[must_use]
pub fn rank_of(message: &Message<'_>) -> Rank {
    match message.tags.get(RANK_TAG) {
        // A letter that this version does not know is for nobody below the highest.
        Some(letter) => letter.chars().next().and_then(Rank::of_letter).unwrap_or(Rank::Founder),
        None => Rank::Plain,
    }
}

impl Audience {
    /// Who sees a line of a room.
    #[must_use]
    pub fn of(message: &Message<'_>, unseen: &Unseen) -> Self {
        let subject = unseen.subject(message).cloned();
        let hidden = if subject.is_some() { policy::SEES_ALL } else { Rank::Plain };
        Self { rank: rank_of(message).max(hidden), subject }
    }

    /// Whether this user is one of them.
    #[must_use]
    pub fn includes(&self, state: &State, id: &str) -> bool {
        self.rank == Rank::Plain
            || self.subject.as_deref() == Some(id)
            || state.members.get(id).is_some_and(|member| member.rank() >= self.rank)
    }
}

impl Unseen {
    /// Those whom an entry is about, in a room that is as `before`.
    #[must_use]
    pub fn of(before: &State, entry: &Entry) -> Self {
        let mut unseen = Self::default();
        if !policy::has_mode(before, 'u') {
            return unseen;
        }
        for change in &entry.body.changes {
            let (id, after) = match change {
                Change::SetMember(id, value) => (id, Member::from_value(value)),
                Change::UnsetMember(id) => (id, None),
                Change::Set(..) | Change::Unset(..) | Change::Erase(_) => continue,
            };
            let known = before.members.get_key_value(id.as_str());
            let user: UserId = known.map_or_else(|| id.as_str().into(), |(user, _)| user.clone());
            for member in known.map(|(_, member)| &**member).into_iter().chain(&after) {
                unseen.note(&user, member);
            }
        }
        unseen
    }

    /// Those who are in either state of a room, where it is an auditorium by now.
    #[must_use]
    pub fn between(before: &State, after: &State) -> Self {
        let mut unseen = Self::default();
        if policy::has_mode(after, 'u') {
            for (id, member) in before.members.iter().chain(&after.members) {
                unseen.note(id, member);
            }
        }
        unseen
    }

    fn note(&mut self, id: &UserId, member: &Member) {
        if member.rank() == Rank::Plain {
            self.0.insert(member.nick.clone(), id.clone());
        }
    }

    fn subject(&self, message: &Message<'_>) -> Option<&UserId> {
        if self.0.is_empty() || !PRESENCE.contains(&message.command) {
            return None;
        }
        let source = message.source?;
        self.0.get(source.split('!').next().unwrap_or(source))
    }
}

/// The lines that tell of somebody's being there.
const PRESENCE: &[&str] = &["JOIN", "PART", "QUIT", "NICK", "AWAY", "ACCOUNT", "CHGHOST", "SETNAME"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Body, By, EntryId, Epoch, Writer};

    fn member(nick: &str, prefixes: &str) -> Member {
        Member {
            nick: nick.to_owned(),
            prefixes: prefixes.to_owned(),
            user: "u".to_owned(),
            host: "h".to_owned(),
            writer: "n@1".to_owned(),
            ..Member::default()
        }
    }

    fn auditorium(members: &[(&str, &str)]) -> State {
        State {
            fields: HashMap::from([("modes".to_owned(), "u".to_owned())]),
            members: members
                .iter()
                .map(|(nick, prefixes)| ((*nick).into(), member(nick, prefixes).into()))
                .collect(),
            ..State::default()
        }
    }

    fn entry(changes: Vec<Change>) -> Entry {
        let by = By { writer: Writer::new("node", 1), number: 1 };
        let body = Body { changes, lines: Vec::new() };
        Entry { id: EntryId::default(), epoch: Epoch(1), by, previous: None, ends: false, body }
    }

    fn audience(line: &str, unseen: &Unseen) -> Audience {
        Audience::of(&Message::parse(line).expect("it is a line"), unseen)
    }

    #[test]
    fn what_is_said_to_a_rank_reaches_it_and_those_above() {
        let state = auditorium(&[("ann", "o"), ("hal", "h"), ("vic", "v"), ("bob", "")]);
        let to = |letter: &str| {
            let line = format!("@{RANK_TAG}={letter} :x!u@h PRIVMSG #room :hi");
            let audience = audience(&line, &Unseen::default());
            let mut heard: Vec<_> = state.members.keys().filter(|id| audience.includes(&state, id)).collect();
            heard.sort();
            heard.iter().map(|id| id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(to("v"), ["ann", "hal", "vic"]);
        assert_eq!(to("h"), ["ann", "hal"]);
        assert_eq!(to("q"), [""; 0]);
        assert_eq!(to("?"), [""; 0], "an unknown rank is the highest");
    }

    #[test]
    fn an_auditorium_shows_the_plain_to_those_who_keep_order() {
        let state = auditorium(&[("ann", "o"), ("vic", "v"), ("bob", ""), ("eve", "")]);
        let left = Unseen::of(&state, &entry(vec![Change::UnsetMember("bob".to_owned())]));
        let gone = audience(":bob!u@h QUIT :bye", &left);
        assert!(
            gone.includes(&state, "ann") && !gone.includes(&state, "vic") && !gone.includes(&state, "eve")
        );
        assert!(gone.includes(&state, "bob"), "it is about bob");
        let said = audience(":bob!u@h PRIVMSG #room :hi", &left);
        assert!(said.includes(&state, "eve"), "what is said is for all");
        let voiced = Unseen::of(&state, &entry(vec![Change::UnsetMember("vic".to_owned())]));
        assert!(audience(":vic!u@h QUIT :bye", &voiced).includes(&state, "eve"));
        let new = entry(vec![Change::SetMember("new".to_owned(), member("new", "").to_value())]);
        let new = Unseen::of(&state, &new);
        assert!(!audience(":new!u@h JOIN #room * :New", &new).includes(&state, "eve"));
    }
}
