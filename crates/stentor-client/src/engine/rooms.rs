//! Rooms and who is in them.

use std::collections::{BTreeMap, VecDeque};

use stentor_proto::channel::ChannelName;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::mode::{ModeClass, parse_changes};
use stentor_proto::nick::Nick;

use super::said::{LONGEST_NAME, nick_of, time_of};
use super::view::{Member, Room};
use super::{Engine, Output};
use crate::event::{Event, Leaving, Place, What};

/// A room, and what the user wants of it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) view: Room,
    /// To be entered again after a reconnect.
    pub(super) wanted: bool,
    /// JOIN was sent on this connection, and not answered.
    pub(super) joining: bool,
    /// Whether one ever was in it.
    pub(super) known: bool,
    /// The user leaves it.
    pub(super) leaving: bool,
    key: Option<String>,
    /// The members that NAMES has told so far.
    listing: Option<BTreeMap<Nick, Member>>,
}

/// The rooms whose JOIN was sent and not answered, in order.
pub(super) type Joining = VecDeque<ChannelName>;

impl Engine {
    /// Makes a room one to be in; `false` where there are too many.
    pub(super) fn want_room(&mut self, name: &ChannelName, key: Option<&str>) -> bool {
        if !self.rooms.contains_key(name) && self.rooms.len() >= MOST_ROOMS {
            return false;
        }
        let room = self.rooms.entry(name.clone()).or_insert_with(|| Held::new(name.clone()));
        room.wanted = true;
        room.leaving = false;
        if key.is_some() {
            room.key = key.map(str::to_owned);
        }
        true
    }

    pub(super) fn send_join(&mut self, name: &ChannelName) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if !room.wanted || room.joining || room.view.joined {
            return;
        }
        room.joining = true;
        let mut line = Line::new("JOIN").param(&room.view.name);
        if let Some(key) = &room.key {
            line = line.param(key);
        }
        self.lines.push_back(line.build());
        self.joining.push_back(name.clone());
    }

    /// Enters all rooms again that the user did not leave.
    pub(super) fn rejoin(&mut self) {
        let names: Vec<ChannelName> = self.rooms.keys().cloned().collect();
        for name in names {
            self.send_join(&name);
        }
    }

    pub(super) fn on_join(&mut self, message: &Message<'_>) {
        let nick = nick_of(message.source.unwrap_or_default());
        let Some(name) = message.param(0).and_then(|name| self.room_of(name)) else { return };
        let own = self.is_me(nick);
        if own {
            self.learn_mask(message);
            self.entered(&name, message.param(0).unwrap_or_default());
        } else if let (Ok(nick), Some(room)) = (Nick::parse(nick, LONGEST_NAME), self.rooms.get_mut(&name)) {
            room.view.members.entry(nick).or_default();
        }
        self.happened(message, Place::Room(name), What::Joined { nick: nick.to_owned(), own });
    }

    fn entered(&mut self, name: &ChannelName, written: &str) {
        self.joining.retain(|joining| joining != name);
        // The server may put the user into a room. What is being written goes where it was meant for, all the same.
        if !self.rooms.contains_key(name) && !self.want_room(name, None) {
            return;
        }
        let Some(room) = self.rooms.get_mut(name) else { return };
        if let Ok(written) = ChannelName::parse(written, LONGEST_NAME) {
            room.view.name = written;
        }
        let again = room.known;
        room.view.joined = true;
        (room.wanted, room.joining, room.known) = (true, false, true);
        room.view.members.clear();
        room.view.typing.clear();
        let place = Place::Room(room.view.name.clone());
        let said_before = self
            .queue
            .says()
            .any(|say| say.to == place && matches!(say.state, super::queue::State::Unsure { .. }));
        if again || said_before {
            self.catch_up(&place);
        }
    }

    /// A JOIN was refused.
    pub(super) fn not_entered(&mut self, name: &ChannelName, why: &str) {
        self.joining.retain(|joining| joining != name);
        let Some(room) = self.rooms.get_mut(name).filter(|room| room.joining) else {
            let place = self.asked.clone();
            return self.problem(&place, why);
        };
        room.joining = false;
        room.wanted = false;
        let place = Place::Room(room.view.name.clone());
        if room.known {
            let unsure =
                |say: &super::queue::Say| say.to == place && say.state != super::queue::State::Waiting;
            let lost = self.queue.take_all(unsure);
            self.let_out(&place);
            self.problem(&place, why);
            return self.give_up(lost);
        }
        self.close(&place);
        let current = self.current.clone();
        self.problem(&current, why);
        for say in self.queue.take_all(|say| say.to == place) {
            self.problem(&current, &format!("Not sent: you are not in {place}. ({})", say.text));
        }
    }

    /// A JOIN was refused for a reason that goes away. `name`: which, where the server says that.
    pub(super) fn not_entered_yet(&mut self, name: Option<ChannelName>, why: &str) {
        let Some(name) = name.or_else(|| self.joining.front().cloned()) else { return };
        self.joining.retain(|joining| *joining != name);
        let Some(room) = self.rooms.get_mut(&name) else { return };
        room.joining = false;
        let place = Place::Room(room.view.name.clone());
        self.problem(&place, &format!("{why} It is tried again"));
        self.rejoin_at = self.now.map(|now| now + AGAIN);
    }

    /// Forgets a place that the user left.
    pub(super) fn close(&mut self, place: &Place) {
        if let Place::Room(name) = place {
            self.rooms.remove(name);
        }
        let lost = self.queue.take_all(|say| say.to == *place && say.state != super::queue::State::Waiting);
        if matches!(place, Place::Room(_)) {
            // What was shown of a conversation is remembered: its news come without being asked for.
            self.threads.remove(place);
        }
        self.recent.retain(|other| other != place);
        if self.current == *place {
            let next = self.recent.last().cloned().unwrap_or(Place::Server);
            self.look(next);
        }
        self.outputs.push_back(Output::Closed(place.clone()));
        self.give_up(lost);
    }

    /// Makes a place the current one, and tells so.
    pub(super) fn look(&mut self, place: Place) {
        if self.current != place {
            self.look_at(place.clone());
            self.outputs.push_back(Output::Look(place));
        }
    }

    pub(super) fn on_part(&mut self, message: &Message<'_>) {
        let nick = nick_of(message.source.unwrap_or_default());
        let Some(name) = message.param(0).and_then(|name| self.room_of(name)) else { return };
        let reason = message.param(1).unwrap_or_default().to_owned();
        self.left(message, &name, nick, reason, Leaving::Parted);
    }

    pub(super) fn on_kick(&mut self, message: &Message<'_>) {
        let by = nick_of(message.source.unwrap_or_default()).to_owned();
        let (Some(name), Some(nick)) =
            (message.param(0).and_then(|name| self.room_of(name)), message.param(1))
        else {
            return;
        };
        let reason = message.param(2).unwrap_or_default().to_owned();
        self.left(message, &name, nick, reason, Leaving::Kicked { by });
    }

    fn left(&mut self, message: &Message<'_>, name: &ChannelName, nick: &str, reason: String, how: Leaving) {
        let own = self.is_me(nick);
        let place = Place::Room(name.clone());
        self.happened(message, place.clone(), What::Left { nick: nick.to_owned(), own, reason, how });
        let Some(room) = self.rooms.get_mut(name) else { return };
        if !own {
            room.view.forget(nick);
            return;
        }
        room.view.joined = false;
        room.wanted = false;
        room.view.members.clear();
        room.view.typing.clear();
        if room.leaving {
            self.close(&place);
        }
    }

    pub(super) fn on_quit(&mut self, message: &Message<'_>) {
        let nick = nick_of(message.source.unwrap_or_default());
        let own = self.is_me(nick);
        let reason = message.param(0).unwrap_or_default();
        for name in self.rooms_with(nick) {
            if let Some(room) = self.rooms.get_mut(&name) {
                room.view.forget(nick);
            }
            let (nick, reason) = (nick.to_owned(), reason.to_owned());
            self.happened(message, Place::Room(name), What::Left { nick, own, reason, how: Leaving::Quit });
        }
    }

    pub(super) fn on_nick(&mut self, message: &Message<'_>) {
        let from = nick_of(message.source.unwrap_or_default());
        let Some(to) = message.param(0) else { return };
        let own = self.is_me(from);
        let rooms = self.rooms_with(from);
        for name in &rooms {
            if let (Some(room), Ok(to)) = (self.rooms.get_mut(name), Nick::parse(to, LONGEST_NAME)) {
                let member = room.view.forget(from).unwrap_or_default();
                room.view.members.insert(to, member);
            }
        }
        let places = rooms.into_iter().map(Place::Room).chain(own.then_some(Place::Server));
        for place in places {
            let (from, to) = (from.to_owned(), to.to_owned());
            self.happened(message, place, What::Renamed { from, to, own });
        }
        if own {
            self.me = to.to_owned();
            self.mask = None;
        }
    }

    /// AWAY, by `away-notify`.
    pub(super) fn on_away(&mut self, message: &Message<'_>) {
        let nick = nick_of(message.source.unwrap_or_default());
        let text = message.nonempty(0).map(str::to_owned);
        for name in self.rooms_with(nick) {
            if let Some(member) = self.rooms.get_mut(&name).and_then(|room| room.view.member(nick)) {
                member.away = text.is_some();
            }
        }
        if let Some(place) = self.place_of(nick).filter(|place| self.threads.contains_key(place)) {
            self.told_away(&place, nick, text);
        }
    }

    /// Tells once that the other end of a conversation is away, or back.
    pub(super) fn told_away(&mut self, place: &Place, nick: &str, text: Option<String>) {
        let before = self.told.get(place).cloned().unwrap_or_default();
        if before == text || self.told.len() >= MOST_TOLD && !self.told.contains_key(place) {
            return;
        }
        match &text {
            Some(text) => drop(self.told.insert(place.clone(), Some(text.clone()))),
            None => drop(self.told.remove(place)),
        }
        self.show(Event::now(place.clone(), What::Away { nick: nick.to_owned(), text }));
    }

    pub(super) fn on_topic(&mut self, message: &Message<'_>) {
        let by = Some(nick_of(message.source.unwrap_or_default()).to_owned());
        let Some(name) = message.param(0).and_then(|name| self.room_of(name)) else { return };
        let text = message.param(1).unwrap_or_default().to_owned();
        if let Some(room) = self.rooms.get_mut(&name) {
            room.view.topic.clone_from(&text);
        }
        self.happened(message, Place::Room(name), What::Topic { by, text });
    }

    /// The topic as it is told at the entry, or after a question.
    pub(super) fn topic_is(&mut self, name: &ChannelName, text: &str) {
        let place = Place::Room(name.clone());
        let asked = self.topic_asked.take_if(|asked| *asked == *name).is_some();
        let changed = match self.rooms.get_mut(name) {
            Some(room) => std::mem::replace(&mut room.view.topic, text.to_owned()) != text,
            None => true,
        };
        if asked || changed {
            let place = if self.rooms.contains_key(name) { place } else { self.asked.clone() };
            self.show(Event::now(place, What::Topic { by: None, text: text.to_owned() }));
        }
    }

    pub(super) fn on_mode(&mut self, message: &Message<'_>) {
        let by = nick_of(message.source.unwrap_or_default()).to_owned();
        let (target, rest) = match message.params() {
            [target, rest @ ..] => (*target, rest),
            [] => return,
        };
        let change = rest.join(" ");
        let Some(name) = self.room_of(target) else {
            return self.happened(
                message,
                Place::Server,
                What::Mode { by, change: format!("{target} {change}") },
            );
        };
        if let Some((modes, args)) = rest.split_first() {
            let changes = parse_changes(modes, args, |letter| self.support.class(letter));
            for change in changes.into_iter().flatten() {
                let is_prefix = self.support.class(change.letter) == Some(ModeClass::Prefix);
                let (Some(sign), Some(nick), true) =
                    (self.support.sign(change.letter), change.arg, is_prefix)
                else {
                    continue;
                };
                if let Some(member) = self.rooms.get_mut(&name).and_then(|room| room.view.member(&nick)) {
                    member.prefixes = self.support.with_sign(&member.prefixes, sign, change.add);
                }
            }
        }
        self.happened(message, Place::Room(name), What::Mode { by, change });
    }

    /// A line of NAMES.
    pub(super) fn on_names(&mut self, message: &Message<'_>) {
        let (Some(target), Some(list)) = (message.param(2), message.param(3)) else { return };
        let listed = self.room_of(target);
        let asked = listed.as_ref().is_some_and(|name| self.names_asked.contains(name));
        let room = listed.as_ref().and_then(|name| self.rooms.get_mut(name)).filter(|room| room.view.joined);
        let Some(room) = room else {
            let place = self.asked.clone();
            return self.info(&place, &format!("{target}: {list}"));
        };
        let Held { view, listing, .. } = room;
        let all = listing.get_or_insert_default();
        for entry in list.split(' ').filter(|entry| !entry.is_empty()) {
            let (signs, name) = self.support.split_signs(entry);
            if let Ok(nick) = Nick::parse(nick_of(name), LONGEST_NAME) {
                let away = view.members.get(&nick).is_some_and(|member| member.away);
                all.insert(nick, Member { prefixes: signs.to_owned(), away });
            }
        }
        if asked {
            let place = Place::Room(view.name.clone());
            let names: Vec<String> = list
                .split(' ')
                .map(|entry| self.support.split_signs(entry))
                .map(|(signs, name)| format!("{signs}{}", nick_of(name)))
                .collect();
            self.info(&place, &names.join(" "));
        }
    }

    pub(super) fn on_end_of_names(&mut self, message: &Message<'_>) {
        let Some(name) = message.param(1).and_then(|name| self.room_of(name)) else { return };
        let asked = self.names_asked.remove(&name);
        let Some(room) = self.rooms.get_mut(&name) else { return };
        if let Some(members) = room.listing.take() {
            room.view.members = members;
        }
        if asked {
            let count = room.view.members.len();
            let (place, people) = (Place::Room(name), if count == 1 { "person" } else { "people" });
            self.info(&place, &format!("{count} {people}"));
        }
    }

    /// A flag of WHO tells who is away.
    pub(super) fn who_flags(&mut self, room: &str, nick: &str, flags: &str) {
        let name = self.room_of(room);
        if let Some(member) = name.and_then(|name| self.rooms.get_mut(&name)?.view.member(nick)) {
            member.away = flags.starts_with('G');
        }
    }

    /// Shows something that a line tells, with its time and id.
    pub(super) fn happened(&mut self, message: &Message<'_>, place: Place, what: What) {
        let id = message.tags.get("msgid").filter(|id| !id.is_empty()).map(|id| id.into_owned());
        self.show(Event { place, at: time_of(message), id, past: false, what });
    }

    fn rooms_with(&self, nick: &str) -> Vec<ChannelName> {
        let Ok(nick) = Nick::parse(nick, LONGEST_NAME) else { return Vec::new() };
        let with = self.rooms.values().filter(|room| room.view.members.contains_key(&nick));
        with.map(|room| room.view.name.clone()).collect()
    }

    /// The connection is over: who is in the rooms is not known any more, and rooms that were being left have been.
    pub(super) fn forget_members(&mut self) {
        let gone = self.rooms.values().filter(|room| room.leaving && !room.wanted);
        let gone: Vec<Place> = gone.map(|room| Place::Room(room.view.name.clone())).collect();
        gone.iter().for_each(|place| self.close(place));
        self.joining.clear();
        self.rejoin_at = None;
        for room in self.rooms.values_mut() {
            room.view.joined = false;
            room.joining = false;
            room.listing = None;
            room.view.members.clear();
            room.view.typing.clear();
        }
    }
}

impl Held {
    fn new(name: ChannelName) -> Self {
        let (members, typing) = (BTreeMap::new(), BTreeMap::new());
        let view = Room { name, joined: false, topic: String::new(), members, typing };
        Self { view, wanted: false, joining: false, known: false, leaving: false, key: None, listing: None }
    }
}

impl Room {
    fn forget(&mut self, nick: &str) -> Option<Member> {
        let nick = Nick::parse(nick, LONGEST_NAME).ok()?;
        self.typing.remove(&nick);
        self.members.remove(&nick)
    }

    fn member(&mut self, nick: &str) -> Option<&mut Member> {
        self.members.get_mut(&Nick::parse(nick, LONGEST_NAME).ok()?)
    }
}

/// How many rooms one may be in.
const MOST_ROOMS: usize = 1000;
/// Of how many people it is remembered that one knows them to be away.
const MOST_TOLD: usize = 1000;
/// When a room that could not be entered is tried again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);
