//! What to tell clients when a copy had to be replaced by a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use stentor_proto::line::Line;
use stentor_proto::mode::{ModeChange, ModeClass, render};

use super::renamed;
use super::render::tags_of;
use super::state::{Member, State, UserId};
use crate::modes::{self, PREFIXES};
use crate::store::{Kind, Partition};

/// The lines that lead local clients from one state of a channel to another. What was said between the two is not among
/// them: a NOTICE says that it may be missing.
#[must_use]
pub fn lines(partition: &Partition, from: &State, to: &State) -> Vec<String> {
    if partition.kind() == Kind::Nick {
        return of_nick(from, to);
    }
    if partition.kind() != Kind::Channel || from.epoch.is_none() {
        return Vec::new();
    }
    let name = to.field("name").or_else(|| from.field("name")).unwrap_or_else(|| partition.name());
    let mut lines = Vec::new();
    let mut modes = Vec::new();
    if let Some(before) = from.field("name").filter(|before| *before != name) {
        lines.push(format!(":{SOURCE} {} {before} {name} :", renamed::COMMAND));
    }
    for (id, member) in sorted(from) {
        match to.members.get(id) {
            Some(now) if now.nick != member.nick => {
                lines.push(member.line("NICK").param(&now.nick).build());
            }
            Some(_) => {}
            None => lines.push(member.line("PART").param(name).trailing("Resynchronising").build()),
        }
    }
    for (id, member) in sorted(to) {
        let before = from.members.get(id);
        if before.is_none() {
            let account = member.account.as_deref().unwrap_or("*");
            lines.push(member.line("JOIN").param(name).param(account).trailing(&member.realname).build());
        }
        prefixes(before.map_or("", |before| &before.prefixes), member, &mut modes);
    }
    flags(from, to, &mut modes);
    lists(from, to, &mut modes);
    lines.extend(
        render(&modes, modes::LINE_BYTES).iter().map(|modes| format!(":{SOURCE} MODE {name} {modes}")),
    );
    if from.field("topic") != to.field("topic") {
        let setter = to.field("topic.by").unwrap_or(SOURCE);
        lines.push(format!(":{setter} TOPIC {name} :{}", to.field("topic").unwrap_or_default()));
    }
    if from.last != to.last {
        lines.push(format!(
            ":{SOURCE} NOTICE {name} :This room was read anew from the store; earlier lines may be missing here. They are \
             in its history."
        ));
    }
    lines
}

/// What those who monitor a nick are told where its holder is the same person.
fn of_nick(from: &State, to: &State) -> Vec<String> {
    let (Some(before), Some(who)) = (from.field("who"), to.field("who")) else { return Vec::new() };
    if from.epoch != to.epoch {
        return Vec::new();
    }
    let is_bot = to.field("modes").is_some_and(|letters| letters.contains(modes::BOT));
    let tags = tags_of(to.field("account"), is_bot);
    let line = |command| Line::new(command).source(who).raw_tags(&tags);
    let host = |who: &str| who.split_once('!').map(|(_, host)| host.to_owned());
    let changed = |field: &str| from.field(field) != to.field(field);
    let mut lines = Vec::new();
    if host(before) != host(who)
        && let Some((user, host)) = host(who).as_deref().and_then(|host| host.split_once('@'))
    {
        lines.push(line("CHGHOST").source(before).param(user).param(host).build());
    }
    if changed("account") {
        lines.push(line("ACCOUNT").param(to.field("account").unwrap_or("*")).build());
    }
    if let Some(name) = to.field("realname").filter(|_| changed("realname")) {
        lines.push(line("SETNAME").trailing(name).build());
    }
    if changed("away") {
        lines.push(match to.field("away") {
            Some(text) => line("AWAY").trailing(text).build(),
            None => line("AWAY").build(),
        });
    }
    lines
}

fn sorted(state: &State) -> BTreeMap<&UserId, &Arc<Member>> {
    state.members.iter().collect()
}

fn prefixes(before: &str, now: &Member, modes: &mut Vec<ModeChange>) {
    for letter in PREFIXES.iter().map(|prefix| prefix.letter) {
        let has = now.prefixes.contains(letter);
        if before.contains(letter) != has {
            modes.push(ModeChange::with(has, letter, now.nick.clone()));
        }
    }
}

fn flags(from: &State, to: &State, modes: &mut Vec<ModeChange>) {
    let (before, now) = (from.field("modes").unwrap_or_default(), to.field("modes").unwrap_or_default());
    modes
        .extend(before.chars().filter(|flag| !now.contains(*flag)).map(|flag| ModeChange::flag(false, flag)));
    modes.extend(now.chars().filter(|flag| !before.contains(*flag)).map(|flag| ModeChange::flag(true, flag)));
    for (field, letter) in [("key", 'k'), ("limit", 'l'), ("forward", 'f')] {
        match (from.field(field), to.field(field)) {
            (before, Some(now)) if before != Some(now) => modes.push(ModeChange::with(true, letter, now)),
            (Some(before), None) if letter == 'k' => modes.push(ModeChange::with(false, letter, before)),
            (Some(_), None) => modes.push(ModeChange::flag(false, letter)),
            _ => {}
        }
    }
}

fn lists(from: &State, to: &State, modes: &mut Vec<ModeChange>) {
    for letter in modes::letters(ModeClass::List).chars() {
        let masks = |state: &State| -> Vec<String> {
            crate::policy::list_entries(state, letter).map(|(mask, _)| mask.to_owned()).collect()
        };
        let (before, now) = (masks(from), masks(to));
        let gone = before.iter().filter(|mask| !now.contains(mask));
        modes.extend(gone.map(|mask| ModeChange::with(false, letter, mask.clone())));
        let new = now.iter().filter(|mask| !before.contains(mask));
        modes.extend(new.map(|mask| ModeChange::with(true, letter, mask.clone())));
    }
}

/// Who says what no one person did: a server's name, since it has a dot.
const SOURCE: &str = "store.stentor";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Epoch;

    fn member(nick: &str, prefixes: &str) -> Arc<Member> {
        let (user, host) = ("u".to_owned(), "h".to_owned());
        Arc::new(Member {
            nick: nick.to_owned(),
            prefixes: prefixes.to_owned(),
            user,
            host,
            ..Member::default()
        })
    }

    fn state(members: &[(&str, Arc<Member>)], fields: &[(&str, &str)]) -> State {
        State {
            epoch: Some(Epoch(1)),
            members: members.iter().map(|(id, member)| ((*id).into(), member.clone())).collect(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..State::default()
        }
    }

    #[test]
    fn people_modes_and_topic_are_told() {
        let from = state(
            &[("1", member("ann", "o")), ("2", member("bob", ""))],
            &[("name", "#before"), ("modes", "nt"), ("key", "k")],
        );
        let to = state(
            &[("1", member("anne", "")), ("3", member("cat", "v"))],
            &[("name", "#room"), ("modes", "it"), ("topic", "new"), ("b:*!*@x", "ann 1")],
        );
        let mut told = lines(&Partition::channel("#room"), &from, &to);
        told.sort();
        assert_eq!(
            told,
            [
                ":ann!u@h NICK anne",
                ":bob!u@h PART #room :Resynchronising",
                ":cat!u@h JOIN #room * :",
                ":store.stentor MODE #room -o+v-n+i-k+b anne cat k *!*@x",
                ":store.stentor RENAME #before #room :",
                ":store.stentor TOPIC #room :new",
            ]
        );
    }

    #[test]
    fn what_changed_with_a_monitored_person_is_told() {
        let from =
            state(&[], &[("who", "ann!u@old"), ("account", "Ann"), ("away", "tea"), ("realname", "A")]);
        let to = state(&[], &[("who", "ann!u@new"), ("realname", "B")]);
        assert_eq!(
            lines(&Partition::nick("ann"), &from, &to),
            [":ann!u@old CHGHOST u new", ":ann!u@new ACCOUNT *", ":ann!u@new SETNAME :B", ":ann!u@new AWAY",]
        );
        let other = State { epoch: Some(Epoch(2)), ..to };
        assert!(lines(&Partition::nick("ann"), &from, &other).is_empty(), "somebody else holds the nick now");
    }

    #[test]
    fn nothing_is_told_of_a_room_that_was_not_known() {
        assert!(lines(&Partition::channel("#room"), &State::default(), &state(&[], &[])).is_empty());
    }
}
