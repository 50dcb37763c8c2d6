//! What comes out of the engine besides lines.

use crate::event::{Event, Place};

/// What the driver is to show or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Append this at the end of its place.
    Show(Event),
    /// Put this before all that the place shows. It answers [`page_back`](super::Engine::page_back) and `/history`, exactly once each,
    /// also where nothing was found.
    Older {
        /// The place.
        place: Place,
        /// Oldest first; may be empty.
        events: Vec<Event>,
        /// There is nothing older.
        beginning: bool,
    },
    /// The current place changed.
    Look(Place),
    /// A place was left; its buffer may go.
    Closed(Place),
    /// A place has another name; all that it shows stays.
    Moved {
        /// The place as it was known.
        from: Place,
        /// The same place from now on.
        to: Place,
    },
    /// The connection is of no use any more, for this reason: close it, tell [`lost`](super::Engine::lost), and connect again with
    /// the usual delay.
    Drop(String),
    /// It is over: the driver stops.
    End(End),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The user left, and all that was said had arrived.
    Quit,
    /// The server did not let the user in; a sentence that says why.
    LoginRefused(String),
    /// Something else; a sentence.
    Failed(String),
}
