//! What a person is shown, in the order in which it is shown.

use std::fmt;

use jiff::Timestamp;
use stentor_proto::channel::ChannelName;
use stentor_proto::nick::Nick;

use crate::slash;

/// Where something is shown, and what text goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// What concerns no room and nobody in particular: the connection, and answers.
    Server,
    /// A room.
    Room(ChannelName),
    /// The conversation with a person.
    Person(Nick),
}

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it belongs.
    pub place: Place,
    /// When it happened, by the server's clock; none where the server gave no time.
    pub at: Option<Timestamp>,
    /// The server's id of the message. No two events carry the same id in the same place.
    pub id: Option<String>,
    /// Whether it happened while this client was not looking: it was fetched from the history.
    pub past: bool,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody said something.
    Said(Said),
    /// Somebody entered the room; oneself, where `own`.
    Joined {
        /// Who.
        nick: String,
        /// Whether this is oneself.
        own: bool,
    },
    /// Somebody left the room.
    Left {
        /// Who.
        nick: String,
        /// Whether this is oneself.
        own: bool,
        /// The reason; may be empty.
        reason: String,
        /// How.
        how: Leaving,
    },
    /// Somebody goes by another name now.
    Renamed {
        /// The old name.
        from: String,
        /// The new one.
        to: String,
        /// Whether this is oneself.
        own: bool,
    },
    /// The room has another name.
    Moved {
        /// Who gave it.
        by: String,
        /// The old name.
        from: String,
        /// The reason; may be empty.
        reason: String,
    },
    /// The room has a new topic; an empty one means none.
    Topic {
        /// Who set it; none where it was told at the entry.
        by: Option<String>,
        /// The topic.
        text: String,
    },
    /// Modes of the room, or of a person, were changed.
    Mode {
        /// Who did it.
        by: String,
        /// The change as it is written: `+o alice`.
        change: String,
    },
    /// Somebody in a conversation with oneself went away, or came back, where `text` is none.
    Away {
        /// Who.
        nick: String,
        /// The reason.
        text: Option<String>,
    },
    /// An answer of the server to what the user asked, or news from it; one line.
    Info(String),
    /// Something that the user asked for did not happen; a sentence that says why, and what to do.
    Problem(String),
    /// The connection: that it was made, lost, is tried again.
    Connection(String),
    /// Something is missing between what is above and what follows: the server no longer has it.
    Gap,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub nick: String,
    /// The text, without control codes for ACTION; may hold formatting codes.
    pub text: String,
    /// What kind of message it is.
    pub kind: Kind,
    /// Whether oneself said it.
    pub own: bool,
    /// Whether it names oneself, or is for oneself alone. Never for own messages.
    pub mention: bool,
}

/// Kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message.
    Message,
    /// A message of a program.
    Notice,
    /// `/me`.
    Action,
    /// What a person whom one follows posted, or said in a room (SUBSCRIBE). Its place is the conversation with that
    /// person.
    Post,
}

/// How somebody left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// By PART.
    Parted,
    /// By the end of the connection.
    Quit,
    /// Thrown out.
    Kicked {
        /// By whom.
        by: String,
    },
}

impl Event {
    /// Something without time and id, that happens now.
    #[must_use]
    pub fn now(place: Place, what: What) -> Self {
        Self { place, at: None, id: None, past: false, what }
    }

    /// Whether it is a post.
    pub(crate) fn is_post(&self) -> bool {
        matches!(&self.what, What::Said(said) if said.kind == Kind::Post)
    }
}

impl Place {
    /// Whether this is no conversation with a person, but with a service.
    #[must_use]
    pub fn is_service(&self) -> bool {
        matches!(self, Self::Person(nick) if slash::is_service(nick.as_str()))
    }

    /// What it is called where messages are sent to it; none for [`Place::Server`].
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Server => None,
            Self::Room(name) => Some(name.as_str()),
            Self::Person(nick) => Some(nick.as_str()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.target().unwrap_or("server"))
    }
}
