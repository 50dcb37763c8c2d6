//! What people say, live and in the history.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use stentor_proto::channel::ChannelName;
use stentor_proto::message::Message;
use stentor_proto::nick::Nick;

use super::Engine;
use super::login::FEEDS;
use super::queue::{ID_TAG, State};
use crate::event::{Event, Kind, Place, Said, What};

/// A message, taken apart.
struct Heard {
    event: Event,
    /// The id that this client gave it.
    ours: Option<String>,
}

impl Engine {
    /// PRIVMSG, NOTICE or PUBLISH as it comes.
    pub(super) fn on_said(&mut self, message: &Message<'_>, label: Option<&str>) {
        let Some(mut heard) = self.hear(message) else { return };
        let own = matches!(&heard.event.what, What::Said(said) if said.own);
        if own {
            self.learn_mask(message);
            if heard.ours.is_none() {
                heard.ours = self.sent_like(&heard.event, label);
            }
        }
        if self.is_catching_up(&heard.event.place)
            && !heard.event.is_post()
            && let Some(id) = &heard.ours
        {
            // It has arrived, and is shown behind what was missed, even if this connection breaks before.
            let shown = self.queue.take(id).is_some_and(|say| say.shown);
            if !shown {
                self.show_own(heard.event, id);
            }
            return;
        }
        let ours = heard.ours.is_some();
        if let Some(event) = self.settle_own(heard) {
            self.stop_typing(&event);
            // It counts as shown from now on, so it cannot wait.
            if ours { self.show_now(event) } else { self.show(event) }
        }
    }

    /// What a line of the history tells.
    pub(super) fn past_event(&mut self, line: &str) -> Option<Event> {
        let message = Message::parse(line).ok()?;
        self.note_time(&message);
        let mut heard = self.hear(&message)?;
        heard.event.past = true;
        self.settle_own(heard)
    }

    /// A message with an id of this client's own is acknowledged by that. None where it was shown before.
    fn settle_own(&mut self, heard: Heard) -> Option<Event> {
        let Some(id) = heard.ours else { return Some(heard.event) };
        let shown = self.queue.take(&id).is_some_and(|say| say.shown);
        let new = self.queue.note_shown(&id);
        if new && !shown {
            return Some(heard.event);
        }
        // Its id in the place is still of use: the history goes on from it.
        if let Some(thread) = self.threads.get_mut(&heard.event.place).filter(|thread| thread.held.is_none())
        {
            thread.admit(&heard.event);
        }
        None
    }

    /// The message that an echo without tags is the echo of.
    fn sent_like(&self, event: &Event, label: Option<&str>) -> Option<String> {
        if let Some(label) = label.filter(|label| self.queue.find(label).is_some()) {
            return Some(label.to_owned());
        }
        if self.has("message-tags") {
            return None;
        }
        let What::Said(said) = &event.what else { return None };
        let same = |say: &&super::queue::Say| {
            say.state == State::Sent
                && say.place == event.place
                && say.text == said.text
                && say.kind == said.kind
        };
        self.queue.says().find(same).map(|say| say.id.clone())
    }

    fn hear(&self, message: &Message<'_>) -> Option<Heard> {
        let source = message.source.unwrap_or_default();
        let nick = nick_of(source);
        let text = message.params().last().copied().unwrap_or_default();
        let target = message.param(0).filter(|_| message.params().len() > 1).unwrap_or(&self.me);
        let own = self.is_me(nick);
        let ours = message.tags.get(ID_TAG).filter(|id| own && self.queue.is_ours(id));
        let ours = ours.map(|id| id.into_owned());
        let at = time_of(message);
        let id = message.tags.get("msgid").filter(|id| !id.is_empty()).map(|id| id.into_owned());
        let event = |place, what| Event { place, at, id: id.clone(), past: false, what };
        if is_server(source) {
            return Some(Heard { event: event(Place::Server, What::Info(text.to_owned())), ours: None });
        }
        let published = message.command == "PUBLISH";
        let place = match self.room_of(target).filter(|_| !published) {
            Some(room) => Place::Room(room),
            None if own && !published => self.place_of(target).unwrap_or(Place::Server),
            None if own => self.place_of_post(ours.as_deref()),
            None => self.place_of(nick).unwrap_or(Place::Server),
        };
        if own && !published && place.is_service() {
            // It was shown when it was sent, without what may be a password.
            return None;
        }
        let private = !matches!(place, Place::Room(_)) && !published;
        let (kind, text) = self.kind_of(message, nick, text, private && !own)?;
        let text = &*text;
        if let Kind::Message = kind
            && let Some(request) = text.strip_prefix('\u{1}')
        {
            let text = format!("{nick} asks by CTCP: {}", request.trim_end_matches('\u{1}'));
            return (!own).then(|| Heard { event: event(place, What::Info(text)), ours: None });
        }
        let direct = private && kind != Kind::Post && kind != Kind::Notice;
        let mention = !own && (direct || self.names_me(text));
        let said = Said { nick: nick.to_owned(), text: text.to_owned(), kind, own, mention };
        Some(Heard { event: event(place, What::Said(said)), ours })
    }

    fn kind_of<'t>(
        &self,
        message: &Message<'_>,
        nick: &str,
        text: &'t str,
        to_me: bool,
    ) -> Option<(Kind, Cow<'t, str>)> {
        Some(match message.command {
            "PUBLISH" => match action(text) {
                Some(action) => (Kind::Post, format!("* {nick} {action}").into()),
                None => (Kind::Post, text.into()),
            },
            "NOTICE" => match text.strip_prefix("[Sub] ").filter(|_| to_me && !self.has(FEEDS)) {
                Some(post) => (Kind::Post, post.into()),
                None => (Kind::Notice, text.into()),
            },
            "PRIVMSG" => match action(text) {
                Some(action) => (Kind::Action, action.into()),
                None => (Kind::Message, text.into()),
            },
            _ => return None,
        })
    }

    /// Where an own post is shown: where it was written.
    fn place_of_post(&self, ours: Option<&str>) -> Place {
        let written = ours.and_then(|id| self.queue.find(id)).map(|say| say.place.clone());
        written.or_else(|| self.place_of(&self.me)).unwrap_or(Place::Server)
    }

    /// Whether the user's nick is a word of a text.
    fn names_me(&self, text: &str) -> bool {
        let mapping = self.support.casemapping;
        let (text, me) = (mapping.fold(text), mapping.fold(&self.me));
        let is_part = |character: char| character.is_alphanumeric() || "-[]\\`_^{|}".contains(character);
        !me.is_empty()
            && text.match_indices(&*me).any(|(at, found)| {
                let before = text.get(..at).and_then(|before| before.chars().next_back());
                let after = text.get(at + found.len()..).and_then(|after| after.chars().next());
                !before.is_some_and(is_part) && !after.is_some_and(is_part)
            })
    }

    /// The place of a conversation with somebody, or in a room.
    pub(super) fn place_of(&self, name: &str) -> Option<Place> {
        match self.room_of(name) {
            Some(room) => Some(Place::Room(room)),
            None => Nick::parse(name, LONGEST_NAME).ok().map(Place::Person),
        }
    }

    /// The room that a target means, with or without a sign for some of its members.
    pub(super) fn room_of(&self, target: &str) -> Option<ChannelName> {
        let signs = &self.support.status_signs;
        let name = target.trim_start_matches(|character| signs.contains(character));
        let name = ChannelName::parse(name, LONGEST_NAME).ok()?;
        // The spelling that is known already is the one that is shown.
        Some(self.rooms.get(&name).map_or(name, |room| room.view.name.clone()))
    }

    pub(super) fn is_me(&self, nick: &str) -> bool {
        self.support.casemapping.eq(nick, &self.me)
    }

    /// How long the server makes the client's own lines for others.
    pub(super) fn learn_mask(&mut self, message: &Message<'_>) {
        if let Some(source) = message.source.filter(|source| source.contains('@')) {
            self.mask = Some(source.to_owned());
        }
    }

    /// Remembers the first time that the server told, and the latest.
    pub(super) fn note_time(&mut self, message: &Message<'_>) {
        let time = time_of(message);
        self.began = self.began.or(time);
        self.latest = self.latest.max(time);
    }

    /// TAGMSG: who is typing.
    pub(super) fn on_tagmsg(&mut self, message: &Message<'_>, now: Instant) {
        let nick = nick_of(message.source.unwrap_or_default());
        let Some(typing) = message.tags.get("+typing").filter(|_| !self.is_me(nick)) else { return };
        let (Ok(nick), Some(target)) = (Nick::parse(nick, LONGEST_NAME), message.param(0)) else { return };
        let typists = match self.room_of(target) {
            Some(name) => match self.rooms.get_mut(&name) {
                Some(room) => &mut room.view.typing,
                None => return,
            },
            None => &mut self.typists,
        };
        if *typing == *"active" && (typists.len() < MOST_TYPISTS || typists.contains_key(&nick)) {
            typists.insert(nick, now);
        } else {
            typists.remove(&nick);
        }
    }

    /// Whoever has said something types no more.
    fn stop_typing(&mut self, event: &Event) {
        let What::Said(said) = &event.what else { return };
        let Ok(nick) = Nick::parse(&said.nick, LONGEST_NAME) else { return };
        match &event.place {
            Place::Room(name) => {
                if let Some(room) = self.rooms.get_mut(name) {
                    room.view.typing.remove(&nick);
                }
            }
            _ => drop(self.typists.remove(&nick)),
        }
    }

    /// Forgets those who seem to have stopped typing.
    pub(super) fn forget_typists(&mut self, now: Instant) {
        let fresh = |since: &Instant| now.saturating_duration_since(*since) < TYPING;
        for room in self.rooms.values_mut() {
            room.view.typing.retain(|_, since| fresh(since));
        }
        self.typists.retain(|_, since| fresh(since));
    }
}

/// What is done, where a text says what somebody does.
fn action(text: &str) -> Option<&str> {
    let action = text.strip_prefix("\u{1}ACTION")?.trim_end_matches('\u{1}');
    Some(action.trim_start_matches(' '))
}

/// The nick of a source.
pub(super) fn nick_of(source: &str) -> &str {
    source.split(['!', '@']).next().unwrap_or(source)
}

/// Whether a source is no person.
fn is_server(source: &str) -> bool {
    source.is_empty() || !source.contains('!') && source.contains('.')
}

/// When a line says that it happened.
pub(super) fn time_of(message: &Message<'_>) -> Option<Timestamp> {
    message.tags.get("time")?.parse().ok()
}

/// Longer names are nobody's.
pub(super) const LONGEST_NAME: usize = 256;
/// How long somebody who has sent nothing more counts as typing.
pub(super) const TYPING: Duration = Duration::from_secs(6);
/// How many people who type are told apart in a place.
const MOST_TYPISTS: usize = 100;
