//! Which lines of a log are messages of one buffer.

use std::sync::Arc;

use stentor_proto::message::Message;

use super::Place;
use crate::fleet::outbox;
use crate::hub::audience::rank_of;
use crate::hub::clock::parse_server_time;
use crate::hub::multiline::{self, Whole};
use crate::modes::Rank;
use crate::store::{Entry, Partition};

/// One buffer of a client, as a part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// A room: all that was said there to everybody.
    Room,
    /// A room as somebody of this rank reads it: also what was said to that rank and to lower ones.
    RoomOf(Rank),
    /// The same, and who came and went, the topics, the modes.
    RoomEvents(Rank),
    /// Private messages to and from this person.
    With(Other),
    /// The same with all that refers to them: tags that are kept, and what was taken back.
    WithEvents(Other),
    /// Private messages to and from anybody.
    Everybody,
    /// Private messages from others.
    Received,
    /// A feed: what its owner has posted.
    Posts,
}

/// The other side of a conversation: whoever had the nick, and, under whatever nick, who was logged in to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Folded.
    pub nick: String,
    /// Folded. That of who has the nick now, if there is one.
    pub account: Option<String>,
}

/// A message in a log.
#[derive(Clone, Debug)]
pub struct Said {
    /// The entry that holds it.
    pub entry: Arc<Entry>,
    /// Which line of the entry, from 0.
    pub line: usize,
    /// When clients were told that it was said, in milliseconds since the Unix epoch.
    pub shown: u64,
    /// The time that it is found by: `shown`, unless it came into this log much later than that.
    pub at: u64,
}

impl View {
    /// The messages of an entry that belong to the buffer, in their order.
    #[must_use]
    pub fn said(&self, entry: &Arc<Entry>) -> Vec<Said> {
        let lines = entry.body.lines.iter().enumerate();
        lines.filter_map(|(line, text)| self.read(entry, line, text)).collect()
    }

    /// By how many milliseconds an entry's time and [`Said::at`] of its messages may differ.
    #[must_use]
    pub fn slack(&self) -> u64 {
        match self {
            Self::Room | Self::RoomOf(_) | Self::RoomEvents(_) | Self::Posts => 0,
            Self::With(_) | Self::WithEvents(_) | Self::Everybody | Self::Received => SLACK_MS,
        }
    }

    /// The rank that a room is read with.
    fn rank(&self) -> Option<Rank> {
        match self {
            Self::Room => Some(Rank::Plain),
            Self::RoomOf(rank) | Self::RoomEvents(rank) => Some(*rank),
            Self::With(_) | Self::WithEvents(_) | Self::Everybody | Self::Received | Self::Posts => None,
        }
    }

    /// Whether a line is what the view is about, whoever it is from.
    fn shows(&self, message: &Message<'_>) -> bool {
        let events = matches!(self, Self::RoomEvents(_) | Self::WithEvents(_));
        (is_message(message) || events && is_event(message)) && !multiline::is_part(message)
    }

    fn read(&self, entry: &Arc<Entry>, line: usize, text: &str) -> Option<Said> {
        let message = Message::parse(text).ok().filter(|message| self.shows(message))?;
        if let Self::With(other) | Self::WithEvents(other) = self
            && !other.is_in(entry, &message)?
        {
            return None;
        }
        if *self == Self::Received && !is_received(&message) {
            return None;
        }
        if self.rank().is_some_and(|rank| rank_of(&message) > rank) {
            return None;
        }
        let told = message.tags.get("time").and_then(|time| parse_server_time(&time));
        let shown = told.filter(|_| self.slack() > 0).unwrap_or(entry.id.ms);
        let at = if shown.abs_diff(entry.id.ms) <= self.slack() { shown } else { entry.id.ms };
        Some(Said { entry: entry.clone(), line, shown, at })
    }
}

impl Other {
    /// Whether a private message is one of the conversation; `None` for what is no such message.
    fn is_in(&self, entry: &Entry, message: &Message<'_>) -> Option<bool> {
        if correspondent(message)?.eq_ignore_ascii_case(&self.nick) {
            return Some(true);
        }
        let Some(account) = &self.account else { return Some(false) };
        let is_theirs = || message.tags.get("account").is_some_and(|tag| tag.eq_ignore_ascii_case(account));
        let is_for_them = || outbox::recipient_of(entry) == Some(Partition::account(account));
        Some(if is_received(message) { is_theirs() } else { is_for_them() })
    }
}

impl Said {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { id: self.entry.id, line: self.line }
    }

    /// The message, with all its lines.
    #[must_use]
    pub fn whole(&self) -> Option<Whole<'_>> {
        multiline::message_at(&self.entry.body.lines, self.line)
    }

    /// The message's lines as those of a room with this name, where they were said while it had another one.
    #[must_use]
    pub fn renamed(&self, room: &str) -> Option<Vec<String>> {
        let message = Message::parse(self.text()).ok()?;
        let target = message.param(0)?;
        let before = target.get(target.find('#')?..)?;
        if before.eq_ignore_ascii_case(room) {
            return None;
        }
        let lines = self.entry.body.lines.get(self.line..).unwrap_or_default();
        let count = 1 + self.whole().map_or(0, |whole| whole.rest.len());
        // Neither tags nor a source hold a space, so this is where the parameters begin.
        let (is, shown) = (
            format!(" {} {target}", message.command),
            format!(" {} {}{room}", message.command, target.strip_suffix(before).unwrap_or_default()),
        );
        Some(lines.iter().take(count).map(|line| line.replacen(&is, &shown, 1)).collect())
    }

    /// The line as it is logged.
    #[must_use]
    pub fn text(&self) -> &str {
        self.entry.body.lines.get(self.line).map(String::as_str).unwrap_or_default()
    }
}

/// Whether a line is something said that stays, and counts.
#[must_use]
pub fn is_message(message: &Message<'_>) -> bool {
    matches!(message.command, "PRIVMSG" | "NOTICE" | "PUBLISH")
}

/// Whether a line is no message, and yet a part of what happened in a conversation.
#[must_use]
pub fn is_event(message: &Message<'_>) -> bool {
    let events = ["JOIN", "KICK", "MODE", "NICK", "PART", "QUIT", "REDACT", "TAGMSG", "TOPIC"];
    events.contains(&message.command)
}

/// Whether a private message came from the sender's log. One's own, and a note to oneself, do not.
#[must_use]
pub fn is_received(message: &Message<'_>) -> bool {
    message.tags.get("msgid").is_some()
}

/// The nick at the other end of a private message, as it was spelt. A received one has its id from the sender's log, so it
/// carries it; one's own has the id of the entry that holds it.
#[must_use]
pub fn correspondent<'a>(message: &Message<'a>) -> Option<&'a str> {
    if is_received(message) {
        message.source.map(|source| source.split('!').next().unwrap_or(source))
    } else {
        message.param(0)
    }
}

/// How much later than it was said a private message may reach its recipient's log, and still be found by the time that
/// its sender's log gave it. What was held up for longer is found by when it came: a client that asks for all since its
/// last visit gets it.
const SLACK_MS: u64 = 10_000;
