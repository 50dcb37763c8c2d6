//! Sends what the user said and asked: each message when its place is ready, and one at a time in each place, so that
//! their order holds whatever happens.

use std::collections::BTreeSet;

use stentor_proto::line::Line;

use super::queue::{ID_TAG, Item, MOST_ITEMS, Say, State};
use super::unconfirmed::Asked;
use super::{Engine, cut};
use crate::event::{Event, Kind, Place, Said, What};
use crate::slash;

impl Engine {
    /// Takes in text for a place.
    pub(super) fn say(&mut self, to: Place, kind: Kind, text: &str) {
        if to.is_service() && kind != Kind::Post {
            return self.tell_service(&to, kind, text);
        }
        // A post is found again in the history with oneself, and shown where it was written.
        let place = if kind == Kind::Post { self.current.clone() } else { to.clone() };
        let room = self.room_for_text(&to, kind);
        for piece in cut::pieces(text, room) {
            let say = self.queue.say(to.clone(), place.clone(), kind, piece);
            if !self.queue.push(Item::Say(say)) {
                let text = format!(
                    "{MOST_ITEMS} messages wait to be sent, and no more are taken. Not taken: {piece}"
                );
                self.problem(&place, &text);
                return;
            }
        }
    }

    /// What is said to a service is a command: nothing of it is kept where it could be looked for after a break, and to do
    /// it twice may do harm. It may hold a password, so its first word alone is shown.
    fn tell_service(&mut self, to: &Place, kind: Kind, text: &str) {
        let shown = slash::said_to_service(text);
        self.asked = self.current.clone();
        if text.len() > self.room_for_text(to, kind) {
            return self.problem_here(&format!("This is too long to be said to {to}. Not sent: {shown}"));
        }
        let said = Said { nick: self.me.clone(), text: shown.clone(), kind, own: true, mention: false };
        let asked = Asked {
            place: self.current.clone(),
            text: Some(format!("/msg {to} {shown}")),
            said: Some(Event::now(to.clone(), What::Said(said))),
        };
        self.enqueue(Item::Line(line_to(to, kind, text).build(), asked));
    }

    /// Adds a command's line to what is to be sent.
    pub(super) fn command(&mut self, line: Line) {
        self.enqueue(Item::Line(line.build(), self.typed.clone()));
    }

    /// Adds something to what is to be sent; `false` where there is too much.
    pub(super) fn enqueue(&mut self, item: Item) -> bool {
        let taken = self.queue.push(item);
        if !taken {
            let place = self.current.clone();
            self.problem(&place, "Too much waits to be sent. Please try again when it has been");
        }
        taken
    }

    /// Sends what can be sent now.
    pub(super) fn flush(&mut self) {
        if !self.is_settled() {
            return;
        }
        let mut busy: BTreeSet<Place> = BTreeSet::new();
        let mut at = 0;
        let mut said_before = false;
        while let Some(item) = self.queue.items.get(at) {
            match item {
                Item::Say(say) => {
                    let (to, id, waiting) = (say.to.clone(), say.id.clone(), say.state == State::Waiting);
                    said_before = true;
                    if waiting && !busy.contains(&to) && self.is_open(&to) {
                        self.send_message(&id);
                    }
                    // An answer that nobody will give is not awaited: it is gone from the queue then.
                    if self.queue.find(&id).is_some() {
                        busy.insert(to);
                        at += 1;
                    }
                }
                _ if said_before && !busy.is_empty() => return,
                Item::Line(..) | Item::Leave(..) if self.unconfirmed.is_full() => return,
                Item::Line(line, asked) => {
                    let (line, asked) = (line.clone(), asked.clone());
                    self.queue.items.remove(at);
                    self.send_command(line, asked);
                }
                Item::Leave(name, line, asked) => {
                    // A break ends it in the same way: there is nothing to confirm.
                    let asked = Asked { text: None, ..asked.clone() };
                    let (name, line) = (name.clone(), line.clone());
                    self.queue.items.remove(at);
                    if let Some(room) = self.rooms.get_mut(&name).filter(|room| room.leaving) {
                        room.wanted = false;
                    }
                    self.send_command(line, asked);
                }
                Item::Older(place, _) if !self.is_open(place) || self.awaits_capabilities() => return,
                Item::Older(place, count) => {
                    let (place, count) = (place.clone(), *count);
                    self.queue.items.remove(at);
                    self.ask_older(&place, count);
                }
                Item::Join(name) => {
                    let name = name.clone();
                    self.queue.items.remove(at);
                    self.send_join(&name);
                }
            }
        }
    }

    /// Whether a message to this place may go now.
    fn is_open(&self, place: &Place) -> bool {
        if self.is_catching_up(place) {
            return false;
        }
        match place {
            // Where one is not, the server says why a message cannot be sent.
            Place::Room(name) => self.rooms.get(name).is_none_or(|room| room.view.joined || !room.wanted),
            Place::Person(_) | Place::Server => true,
        }
    }

    fn send_command(&mut self, line: String, mut asked: Asked) {
        self.lines.push_back(line);
        if let Some(event) = asked.said.take() {
            self.show(event);
        }
        self.unconfirmed.note(self.timers.count(), asked);
        self.timers.ping_soon();
    }

    fn send_message(&mut self, id: &str) {
        let since = self.queue.find(id).map(|say| self.mark_of(&say.to));
        let (tags, labels, echo) = (self.has("message-tags"), self.labels(), self.has("echo-message"));
        let Some(say) = self.queue.says_mut().find(|say| say.id == id) else { return };
        say.since = since.unwrap_or_default();
        say.state = State::Sent;
        let mut line = line_to(&say.to, say.kind, &say.text);
        if tags {
            line = line.tag(ID_TAG, id);
        }
        if labels {
            line = line.tag("label", id);
        }
        let line = line.build();
        let show = !echo && !say.shown;
        let event = show.then(|| own_event(say, &self.me));
        say.shown |= show;
        self.lines.push_back(line);
        if !labels {
            // The answer to this comes after anything that the message causes.
            self.lines.push_back(format!("PING {BARRIER}{id}"));
        }
        if let Some(event) = event {
            self.show_own(event, id);
        }
    }

    /// The server has a message. Where it does not come back as the others see it, it is shown now.
    pub(super) fn acknowledge(&mut self, id: &str) {
        let Some(say) = self.queue.take(id) else { return };
        if !say.shown {
            self.show_own(own_event(&say, &self.me), id);
        }
    }

    /// A message was refused.
    pub(super) fn refuse(&mut self, id: &str, why: &str) {
        let Some(say) = self.queue.take(id) else { return };
        let place = say.place.clone();
        self.problem(&place, &format!("Not sent: {}. ({})", why.trim_end_matches('.'), say.text));
    }

    /// Nobody can tell whether these messages arrived.
    pub(super) fn give_up(&mut self, says: Vec<Say>) {
        for say in says {
            let place = say.place.clone();
            let text = format!(
                "The connection broke before the server confirmed this, and it cannot be told whether it arrived: {}",
                say.text
            );
            self.problem(&place, &text);
        }
    }

    /// How many bytes of text fit a line to there as the others get it.
    fn room_for_text(&self, to: &Place, kind: Kind) -> usize {
        let target = to.target().filter(|_| kind != Kind::Post).unwrap_or(LONGEST_NICK);
        // Followers without the capability get a NOTICE with a mark before the text.
        let around = match kind {
            Kind::Action => "\u{1}ACTION \u{1}".len(),
            Kind::Post => "[Sub] ".len(),
            Kind::Message | Kind::Notice => 0,
        };
        let mask = self.mask.as_ref().map_or(self.me.len() + MASK, String::len);
        let rest = ":".len() + mask + " PRIVMSG ".len() + target.len() + " :\r\n".len() + around;
        self.support.line_length.saturating_sub(rest)
    }
}

fn line_to(place: &Place, kind: Kind, text: &str) -> Line {
    match kind {
        Kind::Post => Line::new("PUBLISH").trailing(text),
        Kind::Notice => Line::new("NOTICE").param(place).trailing(text),
        Kind::Message => Line::new("PRIVMSG").param(place).trailing(text),
        Kind::Action => Line::new("PRIVMSG").param(place).trailing(format!("\u{1}ACTION {text}\u{1}")),
    }
}

fn own_event(say: &Say, me: &str) -> Event {
    let (nick, text) = (me.to_owned(), say.text.clone());
    let said = Said { nick, text, kind: say.kind, own: true, mention: false };
    Event::now(say.place.clone(), What::Said(said))
}

/// Begins the tokens of PINGs that follow a message which nothing else acknowledges.
pub(super) const BARRIER: &str = "said-";
/// As long as nicks usually may be.
const LONGEST_NICK: &str = "12345678901234567890123456789012";
/// What user name and host may take beside the nick, as long as the client has not seen its own.
const MASK: usize = 1 + 11 + 1 + 63;
