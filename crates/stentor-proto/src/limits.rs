//! The limits of lines and names that do not depend on the configuration, as rows for people.

use crate::codec::{MAX_BODY, MAX_CLIENT_TAGS};
use crate::limit::{Limit, Table};
use crate::{isupport, mask};

/// The limits of this crate.
pub static TABLE: Table = Table {
    title: "Lines",
    rows: &[
        Limit::bytes(
            "Line without its tags",
            MAX_BODY,
            "With its CR LF. A longer line is dropped and answered with `417`.",
        ),
        Limit::bytes(
            "Tags of a client's line",
            MAX_CLIENT_TAGS - "@ ".len(),
            "Without the `@` and the space after them. A longer line is dropped and answered with `417`.",
        ),
        Limit::count(
            "Tokens in one line of `005`",
            isupport::MAX_TOKENS,
            "With nick and closing text they are fifteen parameters.",
        ),
        Limit::bytes("Mask", mask::MAX_LEN, "In its full form, `nick!user@host`. A longer one is refused."),
    ],
};
