//! Whom something said reaches: pure functions of a feed's or a room's state.

use std::borrow::Cow;

use stentor_proto::ban::ListEntry;
use stentor_proto::message::Message;

use super::record::{self, Mode, Subscriber};
use crate::client::Client;
use crate::config::Limit;
use crate::hub::State;
use crate::policy;

/// The tag that names the room where something was said.
pub const ROOM_TAG: &str = "stentor.chat/room";
/// A tag that stays between nodes: the room's place, where that is not its name's own.
pub const PLACE_TAG: &str = "stentor.chat/place";
/// A tag that stays between nodes: the room's ban and exception masks, each behind its letter, separated by spaces.
pub const MASKS_TAG: &str = "stentor.chat/masks";

/// An open room, as what is said there is told to followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// As its creator wrote it.
    pub name: String,
    /// Its place; `None` for that of its name.
    pub place: Option<String>,
    /// The value of [`MASKS_TAG`]; empty where nobody is banned.
    pub masks: String,
}

impl Room {
    /// The room, where who is not banned could join it now without key or invitation, and nothing keeps what is said there
    /// in the room. It may have `most` members.
    #[must_use]
    pub fn open(state: &State, place: &str, most: Limit) -> Option<Self> {
        let closed = ['s', 'i', 'x'].into_iter().any(|mode| policy::has_mode(state, mode));
        let members = state.members.len();
        let is_full = policy::limit(state)
            .is_some_and(|limit| u64::try_from(members).is_ok_and(|members| members >= limit));
        if closed || is_full || !most.has_room(members) || state.field("key").is_some() {
            return None;
        }
        let mut masks = Vec::new();
        for letter in ['b', 'e'] {
            masks.extend(policy::list_entries(state, letter).map(|(mask, _)| format!("{letter}{mask}")));
        }
        if !masks.iter().any(|mask| mask.starts_with('b')) {
            masks.clear();
        }
        let name = policy::name(state, place).to_owned();
        let place = (!name.eq_ignore_ascii_case(place)).then(|| place.to_owned());
        Some(Self { name, place, masks: masks.join(" ") })
    }
}

/// Whether anybody follows with [`Mode::All`].
#[must_use]
pub fn hears_rooms(feed: &State) -> bool {
    record::subscribers(feed).any(|(_, subscriber)| subscriber.mode == Mode::All)
}

/// Something that comes over a feed: a post, or what was said in a room.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The room's place.
    room: Option<Cow<'a, str>>,
    bans: Vec<ListEntry>,
    exceptions: Vec<ListEntry>,
}

impl<'a> Heard<'a> {
    /// Reads the tags of a line; `None` where the line is not for followers.
    #[must_use]
    pub fn new(message: &Message<'a>) -> Option<Self> {
        if message.command == "REDACT" {
            return Some(Self { room: None, bans: Vec::new(), exceptions: Vec::new() });
        }
        if message.command != "PUBLISH" {
            return None;
        }
        let masks = message.tags.get(MASKS_TAG).unwrap_or_default();
        let of = |letter| {
            let masks = masks.split(' ').filter_map(move |mask| mask.strip_prefix(letter));
            // Who is only muted could be there and listen.
            let entries = masks.filter_map(|mask| ListEntry::parse(mask).ok());
            entries.filter(|entry| !entry.is_mute()).collect()
        };
        let room = message.tags.get(PLACE_TAG).or_else(|| message.tags.get(ROOM_TAG));
        Some(Self { room, bans: of('b'), exceptions: of('e') })
    }

    /// Whether it is for this client, by the feed's state at its place.
    #[must_use]
    pub fn is_for(&self, feed: &State, client: &Client) -> bool {
        let profile = client.profile();
        let Some(account) = &profile.account else { return false };
        let Some(subscriber) = Subscriber::find(feed, &account.to_ascii_lowercase()) else { return false };
        if profile.account_epoch != Some(subscriber.epoch) {
            return false;
        }
        let Some(room) = &self.room else { return true };
        let sources = [profile.source(), format!("{account}!{}@{}", profile.user, profile.host)];
        let folded = room.to_ascii_lowercase();
        subscriber.mode == Mode::All
            && !sources.iter().any(|source| self.keeps_out(source, account))
            && !client.with_channels(|channels| channels.contains_key(&folded))
    }

    fn keeps_out(&self, source: &str, account: &str) -> bool {
        let matches =
            |entries: &[ListEntry]| entries.iter().any(|entry| entry.matches(source, Some(account)));
        matches(&self.bans) && !matches(&self.exceptions)
    }
}

/// What followers read in the place of a text that is an action: `* nick waves`. Anything else is itself.
#[must_use]
pub fn readable<'a>(source: Option<&str>, text: &'a str) -> Cow<'a, str> {
    let action = text.strip_prefix("\u{1}ACTION ");
    match action {
        Some(action) => {
            let nick = source.unwrap_or_default().split('!').next().unwrap_or_default();
            format!("* {nick} {}", action.strip_suffix('\u{1}').unwrap_or(action)).into()
        }
        None => text.into(),
    }
}

/// Whether a room's message is for people: not a request that a client answers by itself.
#[must_use]
pub fn is_for_people(text: &str) -> bool {
    !text.starts_with('\u{1}') || text.starts_with("\u{1}ACTION ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Epoch;

    fn room(fields: &[(&str, &str)]) -> Option<Room> {
        let state = State {
            epoch: Some(Epoch(1)),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..State::default()
        };
        Room::open(&state, "#room", Limit::NONE)
    }

    #[test]
    fn only_open_rooms_are_told_of() {
        let open = Room { name: "#room".to_owned(), place: None, masks: String::new() };
        assert_eq!(room(&[("modes", "nmt"), ("limit", "1"), ("e:*!*@h", "ann 1")]), Some(open));
        for closed in [("modes", "ns"), ("modes", "i"), ("modes", "x"), ("key", "k"), ("limit", "0")] {
            assert_eq!(room(&[closed]), None, "{closed:?}");
        }
        let banned = room(&[("b:*!*@h", "ann 1"), ("e:bob!*@*", "ann 1")]);
        assert_eq!(banned.map(|room| room.masks).as_deref(), Some("b*!*@h ebob!*@*"));
    }

    #[test]
    fn a_ban_keeps_out_and_an_exception_lets_in() {
        let line =
            format!("@{MASKS_TAG}=b*!*@h\\sebob!*@*\\sba:eve\\sbm:dan;{ROOM_TAG}=#room :a!a@h PUBLISH :hi");
        let message = Message::parse(&line).expect("it is a line");
        let heard = Heard::new(&message).expect("it is for followers");
        assert!(heard.keeps_out("cat!c@h", "cat") && heard.keeps_out("x!c@x", "Eve"));
        assert!(!heard.keeps_out("bob!c@h", "bob") && !heard.keeps_out("cat!c@x", "cat"));
        assert!(!heard.keeps_out("dan!d@x", "dan"), "who is muted may listen");
    }

    #[test]
    fn actions_are_readable() {
        assert_eq!(readable(Some("ann!a@h"), "\u{1}ACTION waves\u{1}"), "* ann waves");
        assert_eq!(readable(Some("ann!a@h"), "hello"), "hello");
        assert!(!is_for_people("\u{1}VERSION\u{1}") && is_for_people("\u{1}ACTION x\u{1}"));
    }
}
