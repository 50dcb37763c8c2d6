//! What a front end may look at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stentor_proto::channel::ChannelName;
use stentor_proto::nick::Nick;

/// A room that one is in.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its name, as the server writes it.
    pub name: ChannelName,
    /// Whether one is in it now: not so while the connection is lost, before the server has let one in, and after a kick.
    pub joined: bool,
    /// Its topic; may be empty.
    pub topic: String,
    /// Who is in it.
    pub members: BTreeMap<Nick, Member>,
    /// Who is typing, and since when nothing was heard of it.
    pub typing: BTreeMap<Nick, Instant>,
}

/// Somebody in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The prefixes, highest first: `@`, `+`; may be empty.
    pub prefixes: String,
    /// Whether away.
    pub away: bool,
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A socket is being opened.
    Connecting,
    /// The socket is open, and the login under way.
    LoggingIn,
    /// Logged in.
    Online {
        /// How long the server took to answer lately; none before it first did.
        lag: Option<Duration>,
    },
    /// The connection is lost, and tried again at this time.
    Waiting {
        /// When.
        until: Instant,
        /// Why it was lost.
        reason: String,
    },
    /// It is over.
    Ended,
}
