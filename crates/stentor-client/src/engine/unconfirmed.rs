//! Commands that were sent, until a sign of life shows that the server has them: one that a broken connection may have
//! swallowed is named.

use std::collections::VecDeque;

use super::queue::Item;
use super::{End, Engine};
use crate::event::{Event, Place};
use crate::slash;

/// A command as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Where it was typed.
    pub(super) place: Place,
    /// What may be shown of it; nothing where it need not be, as it is done again by itself.
    pub(super) text: Option<String>,
    /// What is shown when it is sent, where it was said to somebody.
    pub(super) said: Option<Event>,
}

/// The commands whose arrival is not known, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// Each with the number of the last PING before it.
    sent: VecDeque<(u64, Asked)>,
}

impl Asked {
    /// Nothing was typed yet.
    pub(super) fn nothing() -> Self {
        Self { place: Place::Server, text: None, said: None }
    }

    /// A command that was typed here.
    pub(super) fn new(place: &Place, line: &str) -> Self {
        let text: String = slash::without_secret(line).chars().take(LONGEST_SHOWN).collect();
        Self { place: place.clone(), text: Some(text), said: None }
    }
}

impl Unconfirmed {
    /// Whether no more may be sent before a sign of life.
    pub(super) fn is_full(&self) -> bool {
        self.sent.len() >= MOST_SENT
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Notes that a command was sent after this PING.
    pub(super) fn note(&mut self, ping: u64, asked: Asked) {
        self.sent.push_back((ping, asked));
    }

    /// This PING was answered: what was sent before it has arrived.
    pub(super) fn confirm(&mut self, ping: u64) {
        self.sent.retain(|(before, _)| *before >= ping);
    }
}

impl Engine {
    /// The connection is over: tells which commands may not have arrived.
    pub(super) fn tell_unconfirmed(&mut self) {
        for (_, asked) in std::mem::take(&mut self.unconfirmed.sent) {
            if let Some(text) = asked.text {
                self.problem(&asked.place, &format!("The connection broke; not confirmed: {text}"));
            }
        }
    }

    /// How many messages and commands wait: those that were not sent, and messages that are not acknowledged.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.items.len()
    }

    /// All of these, in order, as a sentence's end each: `not confirmed, to #room: hello`, `not sent: /topic new`.
    pub fn undelivered(&self) -> impl Iterator<Item = String> {
        self.queue.items.iter().map(|item| match item {
            Item::Say(say) => format!("not confirmed, to {}: {}", say.place, say.text),
            Item::Line(_, asked) | Item::Leave(_, _, asked) => {
                format!("not sent: {}", asked.text.as_deref().unwrap_or("/away"))
            }
            Item::Join(name) => format!("not sent: /join {name}"),
            Item::Older(place, _) => format!("not sent: /history, in {place}"),
        })
    }

    /// How it ends where the user does not wait any longer.
    pub(super) fn end_now(&self) -> End {
        match self.waiting() {
            0 => End::Quit,
            count if count == self.unacknowledged() => {
                End::Failed(format!("You left before {count} messages had arrived"))
            }
            count => End::Failed(format!("You left before {count} messages and commands had arrived")),
        }
    }
}

/// How many commands may be sent without a sign of life; more wait.
const MOST_SENT: usize = 64;
/// How many characters of a command are shown.
const LONGEST_SHOWN: usize = 200;
