//! MODE: shows or changes the modes of a channel or of oneself.

use std::sync::Arc;

use stentor_proto::ban::ListEntry;
use stentor_proto::channel::{ChannelName, is_channel_like};
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::mode::{ModeChange, ModeClass, ModeError, parse_changes, render};
use stentor_proto::numeric::Numeric;

use crate::client::Profile;
use crate::config::Config;
use crate::error::Error;
use crate::hub::{Decision, Held, Member, Origin, State, clock};
use crate::modes::{self, Rank};
use crate::policy::{self, FORWARD_EPOCH};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Epoch, Guard, Is};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let target = message.param(0).unwrap_or_default();
    if !is_channel_like(target) {
        return super::user_mode::run(session, message, reply).await;
    }
    act(session, message, By::Member, reply).await
}

/// By what right somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// As a member, or as anybody who can see the channel.
    Member,
    /// As an operator of the network who was authorised: with a founder's rank.
    Network,
}

/// Shows or changes a channel's modes.
pub(super) async fn act(
    session: &Session,
    message: &Message<'_>,
    by: By,
    reply: &mut Reply,
) -> Result<(), Error> {
    let target = message.param(0).unwrap_or_default();
    let folded = target.to_ascii_lowercase();
    let held = session.room(target).await?;
    let id = session.client.id.clone();
    held.with_state(|state| match by {
        By::Network if state.epoch.is_some() => Ok(()),
        _ => policy::visible(state, target, &id),
    })?;
    let Some(modes) = message.param(1) else {
        show(&held, &folded, (&id, by), reply);
        return Ok(());
    };
    let args = message.params().get(2..).unwrap_or_default();
    let mut changes = Vec::new();
    let (mut lists, mut wrong) = (Vec::new(), Vec::new());
    for parsed in parse_changes(modes, args, modes::class) {
        match parsed {
            Ok(ModeChange { letter, arg: None, .. }) if is_list(letter) => {
                if !lists.contains(&letter) {
                    lists.push(letter);
                }
            }
            Ok(change) if changes.len() < MODES => changes.push(change),
            Ok(_) => {}
            Err(error) => wrong.push(error),
        }
    }
    if lists.len() + wrong.len() > 1 {
        reply.expect_many();
    }
    for error in wrong {
        refuse(error, target, reply);
    }
    for letter in lists {
        if letter != 'b' && by == By::Member {
            held.with_state(|state| policy::own_ranked(state, target, &id, Rank::Halfop).map(drop))?;
        }
        show_list(&held, &folded, letter, reply);
    }
    let forwards_to = check_forwards(session, (&held, target), by, &mut changes, reply).await?;
    if changes.is_empty() {
        return Ok(());
    }
    change(session, (&held, target), by, &Wanted { changes, forwards_to }, reply).await
}

fn is_list(letter: char) -> bool {
    modes::class(letter) == Some(ModeClass::List)
}

fn refuse(error: ModeError, target: &str, reply: &mut Reply) {
    match error {
        ModeError::Unknown(letter) => {
            let text = "is unknown mode char to me";
            reply.numeric(Numeric::ERR_UNKNOWNMODE, &[&letter.to_string()], text);
        }
        ModeError::MissingParam(letter) => {
            let text = "You must give a parameter for this mode";
            reply.numeric(Numeric::ERR_INVALIDMODEPARAM, &[target, &letter.to_string(), "*"], text);
        }
        ModeError::BadParam(letter) => {
            let text = "The parameter of this mode must be one word";
            reply.numeric(Numeric::ERR_INVALIDMODEPARAM, &[target, &letter.to_string(), "*"], text);
        }
    }
}

fn show(held: &Held, folded: &str, (id, by): (&str, By), reply: &mut Reply) {
    let (name, letters, params, created) = held.with_state(|state| {
        let mut letters = format!("+{}", state.field("modes").unwrap_or_default());
        let mut params = Vec::new();
        if let Some(key) = state.field("key") {
            letters.push('k');
            let knows = by == By::Network || state.members.contains_key(id);
            params.push(if knows { key.to_owned() } else { "*".to_owned() });
        }
        if let Some(limit) = state.field("limit") {
            letters.push('l');
            params.push(limit.to_owned());
        }
        if let Some(forward) = state.field("forward") {
            letters.push('f');
            params.push(forward.to_owned());
        }
        let created = state.field("created").and_then(|ms| ms.parse::<u64>().ok()).unwrap_or_default() / 1000;
        (policy::name(state, folded).to_owned(), letters, params, created.to_string())
    });
    let mut line = vec![name.as_str(), &letters];
    line.extend(params.iter().map(String::as_str));
    reply.expect_many();
    reply.bare(Numeric::RPL_CHANNELMODEIS, &line);
    reply.bare(Numeric::RPL_CREATIONTIME, &[&name, &created]);
}

fn show_list(held: &Held, folded: &str, letter: char, reply: &mut Reply) {
    let (entry, end, text) = match letter {
        'e' => (Numeric::RPL_EXCEPTLIST, Numeric::RPL_ENDOFEXCEPTLIST, "End of channel exception list"),
        'I' => (Numeric::RPL_INVEXLIST, Numeric::RPL_ENDOFINVEXLIST, "End of channel invite list"),
        _ => (Numeric::RPL_BANLIST, Numeric::RPL_ENDOFBANLIST, "End of channel ban list"),
    };
    let (name, mut entries) = held.with_state(|state| {
        let entries: Vec<(String, String)> = policy::list_entries(state, letter)
            .map(|(mask, set)| (mask.to_owned(), set.to_owned()))
            .collect();
        (policy::name(state, folded).to_owned(), entries)
    });
    entries.sort();
    reply.expect_many();
    for (mask, set) in entries {
        let (setter, at) = set.split_once(' ').unwrap_or((&set, "0"));
        reply.bare(entry, &[&name, &mask, setter, at]);
    }
    reply.numeric(end, &[&name], text);
}

/// What is to be done.
struct Wanted {
    changes: Vec<ModeChange>,
    /// The channel that `+f` means.
    forwards_to: Option<Epoch>,
}

/// Leaves out each change that forwards to a channel where this cannot be, or where its maker is no operator, spells the
/// others' channels as they call themselves, and returns which one the last of them means.
async fn check_forwards(
    session: &Session,
    (held, target): (&Held, &str),
    by: By,
    changes: &mut Vec<ModeChange>,
    reply: &mut Reply,
) -> Result<Option<Epoch>, Error> {
    if !changes.iter().any(|change| change.letter == 'f' && change.add) {
        return Ok(None);
    }
    if by == By::Member {
        held.with_state(|state| policy::own_operator(state, target, &session.client.id).map(drop))?;
    }
    let (mut checked, mut means) = (Vec::with_capacity(changes.len()), None);
    for mut change in std::mem::take(changes) {
        if let ('f', true, Some(to)) = (change.letter, change.add, &change.arg) {
            match forward_to(session, target, to, by).await {
                Ok((name, epoch)) => (change.arg, means) = (Some(name), epoch),
                Err(error @ Error::Numeric(..)) => {
                    error.send("MODE", reply);
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        checked.push(change);
    }
    *changes = checked;
    Ok(means)
}

async fn forward_to(
    session: &Session,
    target: &str,
    to: &str,
    by: By,
) -> Result<(String, Option<Epoch>), Error> {
    let text = "That is no channel to forward to";
    let invalid = || Error::numeric(Numeric::ERR_INVALIDMODEPARAM, &[target, "f", to], text);
    let limit = session.node.config().limits.channel_length;
    let name = ChannelName::parse(to, limit).map_err(|_| invalid())?;
    if to.eq_ignore_ascii_case(target) {
        return Err(invalid());
    }
    let id = &session.client.id;
    let held = session.room(to).await?;
    held.with_state(|state| {
        let is_network = by == By::Network && state.epoch.is_some();
        if !is_network && !policy::is_visible_to(state, id) {
            return Err(invalid());
        }
        // Who is not even a member is told the same.
        let rank = state.members.get(id).map(|member| member.rank());
        if !is_network && rank.is_none_or(|rank| rank < Rank::Operator) {
            return Err(policy::rank_needed(to, Rank::Operator));
        }
        Ok((policy::name(state, name.folded()).to_owned(), state.epoch))
    })
}

async fn change(
    session: &Session,
    room: (&Held, &str),
    by: By,
    wanted: &Wanted,
    reply: &mut Reply,
) -> Result<(), Error> {
    // A mask is shown in full, and a key that was not named, so what is shown may be longer than what was asked.
    let changes = wanted.changes.iter();
    let most: usize = changes.map(|change| change.arg.as_ref().map_or(2, |arg| arg.len() + 40)).sum();
    if most > modes::LINE_BYTES {
        reply.expect_many();
    }
    // A label is on the one line of a change that is done whole; beside complaints that is in a batch with them.
    let mut outcome = Outcome { may_be_partial: !reply.is_labelled(), ..Outcome::default() };
    let mut result = commit(session, room, by, wanted, reply.origin(false, true), &mut outcome).await;
    if outcome.is_partial && !outcome.may_be_partial {
        reply.reclaim();
        reply.expect_many();
        outcome.may_be_partial = true;
        result = commit(session, room, by, wanted, reply.origin(false, true), &mut outcome).await;
    }
    if result.is_err() {
        reply.reclaim();
    }
    for complaint in outcome.complaints {
        more_precisely(session, complaint).await.send("MODE", reply);
    }
    result
}

/// What can be done of a command, as of the last look at the state.
#[derive(Default)]
struct Outcome {
    complaints: Vec<Error>,
    /// Whether some changes can be made, and others cannot.
    is_partial: bool,
    /// Whether those are made then.
    may_be_partial: bool,
}

async fn commit(
    session: &Session,
    (held, target): (&Held, &str),
    by: By,
    wanted: &Wanted,
    origin: Origin,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let id = session.client.id.clone();
    let folded = target.to_ascii_lowercase();
    let config = session.node.config();
    let decide = |state: &State| {
        outcome.complaints.clear();
        outcome.is_partial = false;
        let setter = match by {
            By::Member => Setter::member(&*policy::own_member(state, target, &id)?),
            By::Network if state.epoch.is_none() => return Err(policy::no_such_channel(target)),
            By::Network => Setter::network(&session.client.profile()),
        };
        let mut draft = Draft::new(state, &config, &setter, wanted.forwards_to);
        for change in &wanted.changes {
            if let Err(error) = draft.add(target, change)
                && !outcome.complaints.contains(&error)
            {
                outcome.complaints.push(error);
            }
        }
        let name = policy::name(state, &folded);
        let done = draft.finish()?;
        outcome.is_partial = !outcome.complaints.is_empty();
        if outcome.is_partial && !outcome.may_be_partial {
            return Err(Error::Silent);
        }
        let lines = render(&done.modes, modes::LINE_BYTES).into_iter().map(|modes| {
            let mut line = setter.line.clone().param(name);
            for word in modes.split(' ') {
                line = line.param(word);
            }
            line.build()
        });
        let mut guards = vec![policy::rules_guard(state)];
        guards.extend(setter.value.map(|value| Guard::Member(id.to_string(), Is::Equal(value))));
        guards.extend(done.guards);
        Ok(Decision { life: state.within(), guards, changes: done.changes, lines: lines.collect() })
    };
    let made = session.node.hub.transact(held, &session.client.tenure(), Some(origin), decide).await;
    made.map(drop).map_err(Error::from)
}

/// Who is not in the channel may not exist at all.
async fn more_precisely(session: &Session, complaint: Error) -> Error {
    if let Error::Numeric(Numeric::ERR_USERNOTINCHANNEL, params, _) = &complaint
        && let Some(nick) = params.first()
        && let Ok(person) = session.node.find_person(nick).await
        && person.is_none_or(|person| !person.online)
    {
        return super::no_such_nick(nick);
    }
    complaint
}

/// Who makes the changes.
struct Setter {
    rank: Rank,
    nick: String,
    /// `nick!user@host`.
    source: String,
    /// The beginning of the line that tells of them.
    line: Line,
    /// The member's record, which must still be this.
    value: Option<String>,
}

impl Setter {
    fn member(member: &Member) -> Self {
        Self {
            rank: member.rank(),
            nick: member.nick.clone(),
            source: member.source(),
            line: member.line("MODE"),
            value: Some(member.to_value()),
        }
    }

    fn network(profile: &Profile) -> Self {
        Self {
            rank: Rank::Founder,
            nick: profile.nick.clone(),
            source: profile.source(),
            line: profile.line("MODE"),
            value: None,
        }
    }
}

/// What a MODE command amounts to.
struct Finished {
    /// For clients.
    modes: Vec<ModeChange>,
    /// For the store.
    changes: Vec<Change>,
    /// What must hold.
    guards: Vec<Guard>,
}

/// A MODE command's outcome as it is put together.
struct Draft<'a> {
    state: &'a State,
    config: &'a Config,
    setter: &'a Setter,
    forwards_to: Option<Epoch>,
    flags: String,
    members: Vec<(Arc<str>, Member, Member)>,
    changes: Vec<Change>,
    done: Vec<ModeChange>,
    /// How many entries the lists have more by now, or fewer.
    grown: isize,
}

impl<'a> Draft<'a> {
    fn new(state: &'a State, config: &'a Config, setter: &'a Setter, forwards_to: Option<Epoch>) -> Self {
        Self {
            state,
            config,
            setter,
            forwards_to,
            flags: state.field("modes").unwrap_or_default().to_owned(),
            members: Vec::new(),
            changes: Vec::new(),
            done: Vec::new(),
            grown: 0,
        }
    }

    fn add(&mut self, target: &str, change: &ModeChange) -> Result<(), Error> {
        if let (Some(rank), Some(nick)) = (Rank::of_letter(change.letter), &change.arg) {
            return self.prefix(target, change, rank, nick);
        }
        let who = modes::channel(change.letter).map_or(Rank::Founder, |mode| mode.who);
        if self.setter.rank < who {
            return Err(policy::rank_needed(target, who));
        }
        match (change.letter, change.arg.as_deref()) {
            (letter, Some(mask)) if is_list(letter) => self.list(target, change.add, letter, mask),
            ('k', Some(key)) => self.key(target, change.add, key),
            ('l', limit) => self.limit(target, change.add, limit),
            ('f', forward) => {
                self.forward(change.add, forward);
                Ok(())
            }
            (letter, _) => {
                if self.flags.contains(letter) != change.add {
                    self.flags.retain(|flag| flag != letter);
                    if change.add {
                        self.flags.push(letter);
                    }
                    self.done.push(ModeChange::flag(change.add, letter));
                }
                Ok(())
            }
        }
    }

    fn list(&mut self, target: &str, add: bool, letter: char, mask: &str) -> Result<(), Error> {
        let shown = letter.to_string();
        let mask = ListEntry::parse(mask).map_err(|_| {
            Error::numeric(Numeric::ERR_INVALIDMODEPARAM, &[target, &shown, mask], "That is not a mask")
        })?;
        match self.entry(letter, mask.as_str()) {
            Some(_) if add => return Ok(()),
            Some(there) => {
                self.grown -= 1;
                self.changes.push(Change::Unset(format!("{letter}:{there}")));
                self.done.push(ModeChange::with(false, letter, there));
                return Ok(());
            }
            None if !add => return Ok(()),
            None => {}
        }
        if !policy::lists_have_room(self.state, self.config.channels.list_max, self.grown) {
            let text = format!("The channel's lists are full: {letter} takes no more");
            return Err(Error::numeric(Numeric::ERR_BANLISTFULL, &[target, mask.as_str()], &text));
        }
        self.grown += 1;
        let value = format!("{} {}", self.setter.source, clock::wall_ms() / 1000);
        self.changes.push(Change::Set(format!("{letter}:{}", mask.as_str()), value));
        self.done.push(ModeChange::with(true, letter, mask.as_str()));
        Ok(())
    }

    /// A field after the changes so far.
    fn field(&self, name: &str) -> Option<&str> {
        let changed = self.changes.iter().rev().find_map(|change| match change {
            Change::Set(field, value) if field == name => Some(Some(value.as_str())),
            Change::Unset(field) if field == name => Some(None),
            _ => None,
        });
        changed.unwrap_or_else(|| self.state.field(name))
    }

    /// The entry of a list that says the same, after the changes so far.
    fn entry(&self, letter: char, mask: &str) -> Option<String> {
        let named = |field: &str| {
            let entry = field.strip_prefix(letter)?.strip_prefix(':')?;
            entry.eq_ignore_ascii_case(mask).then(|| entry.to_owned())
        };
        let changed = self.changes.iter().rev().find_map(|change| match change {
            Change::Set(field, _) => named(field).map(Some),
            Change::Unset(field) => named(field).map(|_| None),
            _ => None,
        });
        changed.unwrap_or_else(|| {
            let mut there = policy::list_entries(self.state, letter).map(|(entry, _)| entry);
            there.find(|entry| entry.eq_ignore_ascii_case(mask)).map(str::to_owned)
        })
    }

    fn key(&mut self, target: &str, add: bool, key: &str) -> Result<(), Error> {
        if !add {
            if let Some(old) = self.field("key").map(str::to_owned) {
                self.done.push(ModeChange::with(false, 'k', old));
                self.changes.push(Change::Unset("key".to_owned()));
            }
            return Ok(());
        }
        if key.len() > KEY_LENGTH || key.contains([',', ' ']) || key.chars().any(char::is_control) {
            let text = format!("A key is one word of at most {KEY_LENGTH} bytes, without commas");
            return Err(Error::numeric(Numeric::ERR_INVALIDMODEPARAM, &[target, "k", "*"], &text));
        }
        self.changes.push(Change::Set("key".to_owned(), key.to_owned()));
        self.done.push(ModeChange::with(true, 'k', key));
        Ok(())
    }

    fn limit(&mut self, target: &str, add: bool, limit: Option<&str>) -> Result<(), Error> {
        if !add {
            if self.field("limit").is_some() {
                self.done.push(ModeChange::flag(false, 'l'));
                self.changes.push(Change::Unset("limit".to_owned()));
            }
            return Ok(());
        }
        let limit = limit.unwrap_or_default();
        let Some(number) = limit.parse::<u32>().ok().filter(|number| *number > 0) else {
            let text = "The limit is a number of people, 1 or more";
            return Err(Error::numeric(Numeric::ERR_INVALIDMODEPARAM, &[target, "l", limit], text));
        };
        self.changes.push(Change::Set("limit".to_owned(), number.to_string()));
        self.done.push(ModeChange::with(true, 'l', number.to_string()));
        Ok(())
    }

    fn forward(&mut self, add: bool, to: Option<&str>) {
        let before = self.field("forward");
        match to.filter(|_| add) {
            Some(to) => {
                let epoch = self.forwards_to.map(|epoch| format!("{to} {epoch}"));
                let is_same = before == Some(to) && self.field(FORWARD_EPOCH) == epoch.as_deref();
                if is_same {
                    return;
                }
                self.changes.push(Change::Set("forward".to_owned(), to.to_owned()));
                self.changes.push(match epoch {
                    Some(epoch) => Change::Set(FORWARD_EPOCH.to_owned(), epoch),
                    None => Change::Unset(FORWARD_EPOCH.to_owned()),
                });
                self.done.push(ModeChange::with(true, 'f', to));
            }
            None if before.is_some() => {
                self.changes.push(Change::Unset("forward".to_owned()));
                self.changes.push(Change::Unset(FORWARD_EPOCH.to_owned()));
                self.done.push(ModeChange::flag(false, 'f'));
            }
            _ => {}
        }
    }

    fn prefix(&mut self, target: &str, change: &ModeChange, rank: Rank, nick: &str) -> Result<(), Error> {
        let (add, letter) = (change.add, change.letter);
        // Whoever has a rank may lay it down.
        let is_own = !add && self.setter.nick.eq_ignore_ascii_case(nick);
        if !is_own && !self.setter.rank.may_act_on(rank) {
            return Err(policy::rank_needed(target, if rank >= Rank::Admin { Rank::Founder } else { rank }));
        }
        let (id, member) = policy::member_by_nick(self.state, nick).ok_or_else(|| {
            Error::numeric(Numeric::ERR_USERNOTINCHANNEL, &[nick, target], "They aren't on that channel")
        })?;
        let known = self.members.iter().position(|(known, ..)| known == id);
        let index = known.unwrap_or_else(|| {
            self.members.push((id.clone(), Member::clone(member), Member::clone(member)));
            self.members.len() - 1
        });
        let Some((_, _, changed)) = self.members.get_mut(index) else { return Ok(()) };
        if !changed.set_prefix(letter, add) {
            return Ok(());
        }
        self.done.push(ModeChange::with(add, letter, member.nick.clone()));
        Ok(())
    }

    /// `Silent` where nothing changes.
    fn finish(mut self) -> Result<Finished, Error> {
        if self.done.is_empty() {
            return Err(Error::Silent);
        }
        let mut guards = Vec::new();
        for (id, before, after) in self.members {
            guards.push(Guard::Member(id.to_string(), Is::Equal(before.to_value())));
            self.changes.push(Change::SetMember(id.to_string(), after.to_value()));
        }
        if self.state.field("modes") != Some(&self.flags) {
            let mut flags: Vec<char> = self.flags.chars().collect();
            flags.sort_unstable();
            self.changes.push(Change::Set("modes".to_owned(), flags.into_iter().collect()));
        }
        self.changes.push(Change::Set("rules".to_owned(), policy::fresh_rules()));
        Ok(Finished { modes: self.done, changes: self.changes, guards })
    }
}

/// How many changes one command may make.
pub(super) const MODES: usize = 20;
/// The longest key, in bytes.
pub(super) const KEY_LENGTH: usize = 32;
