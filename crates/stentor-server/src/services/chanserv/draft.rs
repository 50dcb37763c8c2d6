//! A change to a channel as it is put together.

use std::collections::BTreeMap;

use stentor_proto::line::Line;
use stentor_proto::mode::{ModeChange, render};

use crate::hub::{Decision, Member, State};
use crate::modes;
use crate::policy::{self, fresh_rules, rules_guard, standing};
use crate::store::{Change, Guard, Is, Life, Size};

/// What one word to ChanServ changes in a channel, and what its members are told.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) state: &'a State,
    members: BTreeMap<&'a str, (&'a Member, Member)>,
    guards: Vec<Guard>,
    changes: Vec<Change>,
    modes: Vec<ModeChange>,
    /// Nicks, and why.
    kicked: Vec<(&'a str, &'a str)>,
    ends: bool,
    /// Whether nobody may come in meanwhile.
    counts: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self {
            state,
            members: BTreeMap::new(),
            guards: Vec::new(),
            changes: Vec::new(),
            modes: Vec::new(),
            kicked: Vec::new(),
            ends: false,
            counts: false,
        }
    }

    /// Whether nothing changes so far.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.modes.is_empty()
    }

    /// Gives a member these prefixes, or takes them.
    pub(super) fn prefixes(&mut self, (id, member): (&'a str, &'a Member), letters: &str, add: bool) {
        let (_, after) = self.members.entry(id).or_insert_with(|| (member, member.clone()));
        let done = letters.chars().filter(|letter| after.set_prefix(*letter, add));
        self.modes.extend(done.map(|letter| ModeChange::with(add, letter, member.nick.clone())));
    }

    /// Gives those of an account's members who are there what comes with a standing right, in place of another one.
    pub(super) fn instead(&mut self, account: &'a str, before: &str, after: &str) {
        let gone: String = before.chars().filter(|letter| !after.contains(*letter)).collect();
        // Whose JOIN is not known here yet came in by the right of before.
        self.counts |= standing::members_of(self.state, account).next().is_none();
        for member in standing::members_of(self.state, account) {
            self.prefixes(member, &gone, false);
            self.prefixes(member, after, true);
        }
    }

    pub(super) fn set(&mut self, field: &str, value: String) {
        self.changes.push(Change::Set(field.to_owned(), value));
    }

    /// Takes a field away, where it is there.
    pub(super) fn unset(&mut self, field: &str) {
        if self.state.field(field).is_some() {
            self.changes.push(Change::Unset(field.to_owned()));
        }
    }

    /// Puts an entry into one of the lists; `value` says who did and when.
    pub(super) fn enlist(&mut self, letter: char, entry: &str, value: String) {
        self.set(&format!("{letter}:{entry}"), value);
        self.modes.push(ModeChange::with(true, letter, entry));
    }

    /// Throws members out, at most [`AT_ONCE`] of them, after the modes are changed. The last ones end a channel that is not
    /// kept.
    pub(super) fn kick(&mut self, members: &[(&'a str, &'a Member)], reason: &'a str) {
        if members.is_empty() {
            return;
        }
        let (ends, guards) = policy::ending(self.state, members.len(), false);
        self.ends = ends;
        self.guards.extend(guards);
        // Who has left meanwhile, or changed nicks, is looked at again.
        let guard =
            |(id, member): &(&str, &Member)| Guard::Member((*id).to_owned(), Is::Equal(member.to_value()));
        self.guards.extend(members.iter().map(guard));
        self.changes.extend(members.iter().map(|(id, _)| Change::UnsetMember((*id).to_owned())));
        self.kicked.extend(members.iter().map(|(_, member)| (&*member.nick, reason)));
    }

    /// Takes an entry from one of the lists.
    pub(super) fn unlist(&mut self, letter: char, entry: &str) {
        self.unset(&format!("{letter}:{entry}"));
        self.modes.push(ModeChange::with(false, letter, entry));
    }

    /// Takes all entries from a list.
    pub(super) fn clear(&mut self, letter: char) {
        let mut entries: Vec<&str> =
            policy::list_entries(self.state, letter).map(|(entry, _)| entry).collect();
        entries.sort_unstable();
        for entry in entries {
            self.unlist(letter, entry);
        }
    }

    /// Ends the channel if nobody is in it.
    pub(super) fn end_if_empty(&mut self) {
        self.ends = self.state.members.is_empty();
        self.guards.push(Guard::Size(if self.ends { Size::Exactly(0) } else { Size::Above(0) }));
    }

    /// The commit, in which `source` changes the modes of the channel that is called what the state says, `otherwise` as it
    /// was named.
    pub(super) fn finish(mut self, source: &str, otherwise: &str) -> Decision {
        let name = policy::name(self.state, otherwise);
        self.guards.push(rules_guard(self.state));
        if self.counts {
            self.guards.push(Guard::Size(Size::Exactly(self.state.members.len() as u64)));
        }
        for (id, (before, after)) in self.members {
            if *before != after {
                self.guards.push(Guard::Member(id.to_owned(), Is::Equal(before.to_value())));
                self.changes.push(Change::SetMember(id.to_owned(), after.to_value()));
            }
        }
        self.changes.push(Change::Set("rules".to_owned(), fresh_rules()));
        let line = |modes: String| {
            let line = Line::new("MODE").source(source).param(name);
            modes.split(' ').fold(line, Line::param).build()
        };
        let kick = |(nick, reason): (&str, &str)| {
            Line::new("KICK").source(source).param(name).param(nick).trailing(reason).build()
        };
        let modes = render(&self.modes, modes::LINE_BYTES).into_iter().map(line);
        let lines = modes.chain(self.kicked.into_iter().map(kick)).collect();
        let life = match self.state.epoch {
            Some(epoch) if self.ends => Some(Life::End(epoch)),
            _ => self.state.within(),
        };
        Decision { life, guards: self.guards, changes: self.changes, lines }
    }
}

/// How many are thrown out by one commit: each is guarded.
pub(super) const AT_ONCE: usize = 300;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::Epoch;

    fn member(nick: &str) -> Member {
        Member { nick: nick.to_owned(), ..Member::default() }
    }

    #[test]
    fn a_line_names_the_channel_as_the_state_does_that_it_is_decided_by() {
        let fields = [("name".to_owned(), "#New".to_owned())].into_iter().collect();
        let state = State { epoch: Some(Epoch(1)), fields, ..State::default() };
        let mut draft = Draft::new(&state);
        draft.enlist('b', "x!*@*", "ann 1".to_owned());
        assert_eq!(draft.finish("ChanServ", "#old").lines, [":ChanServ MODE #New +b x!*@*"]);
    }

    #[test]
    fn who_is_thrown_out_is_guarded_as_they_are() {
        let members = [("1", member("ann")), ("2", member("bob"))];
        let members = members.map(|(id, member)| (Arc::from(id), Arc::new(member))).into_iter().collect();
        let state = State { epoch: Some(Epoch(1)), members, ..State::default() };
        let (id, bob) = state.members.get_key_value("2").expect("bob is there");
        let mut draft = Draft::new(&state);
        draft.kick(&[(&**id, &**bob)], "out");
        let decision = draft.finish("ChanServ!ChanServ@here", "#room");
        assert!(decision.guards.contains(&Guard::Member("2".to_owned(), Is::Equal(bob.to_value()))));
        assert_eq!(decision.lines, [":ChanServ!ChanServ@here KICK #room bob :out"]);
    }
}
