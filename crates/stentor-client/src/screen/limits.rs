//! What the screen keeps and takes at most, as rows for people.

use stentor_proto::limit::{Limit, Table};

use super::{app, buffer, edit, layout, places};

/// The limits of the screen.
pub static TABLE: Table = Table {
    title: "The terminal client's screen",
    rows: &[
        Limit::count(
            "Lines that a place keeps",
            buffer::MAX_LINES,
            "Past it the oldest are dropped, and not fetched again before the client is started anew.",
        ),
        Limit::count(
            "Places in the list",
            places::MAX_PLACES,
            "Past it a conversation with a person is dropped from the list, one without unread lines first. It \
             stays on the server.",
        ),
        Limit::bytes("Line that is being written", edit::MAX_INPUT, "More is not taken."),
        Limit::count(
            "Sent lines that can be recalled",
            edit::MAX_HISTORY,
            "Past it the oldest is forgotten.",
        ),
        Limit::count(
            "Lines pasted at once",
            app::MAX_PASTE,
            "Of more lines none is sent, and the client says so.",
        ),
        Limit::count(
            "Columns of a terminal",
            layout::MIN_WIDTH as usize,
            "A narrower one is told to be too small.",
        ),
        Limit::count(
            "Rows of a terminal",
            layout::MIN_HEIGHT as usize,
            "A lower one is told to be too small.",
        ),
    ],
};
