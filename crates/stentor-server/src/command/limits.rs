//! The limits of commands that no key of the configuration moves.

use stentor_proto::limit::{Limit, Table};

use super::{
    EACH, LABEL_LENGTH, LOOKUPS_PER_LINE, accept, authenticate, invite, ison, knock, mode, names, rename,
    userhost, waiting, who,
};
use crate::client::INVITATIONS;
use crate::history::scan;
use crate::metadata;
use crate::node::presence;
use crate::rooms::LEADS_ON;
use crate::rooms::claim::NAMES_MAX;

/// The limits of commands.
pub(crate) static TABLE: Table = Table {
    title: "Commands",
    rows: &[
        Limit::count("Changes in one MODE", mode::MODES, "Further ones are ignored."),
        Limit::bytes("Key of a room (`+k`)", mode::KEY_LENGTH, "A longer one is answered with `696`."),
        Limit::count(
            "Unused invitations (INVITE) of a room",
            invite::INVITATIONS,
            "A further one replaces the oldest.",
        ),
        Limit::count("People in an ACCEPT list", accept::ACCEPTED, "A further one is answered with `456`."),
        Limit::count(
            "Invitations that INVITE lists",
            INVITATIONS,
            "The newest; older ones let their bearers in all the same.",
        ),
        Limit::time(
            "Between two KNOCKs of a session",
            knock::PAUSE,
            "An earlier one is answered with `712`.",
        ),
        Limit::time(
            "Between two RENAMEs of a room",
            rename::PAUSE,
            "An earlier one is answered with `FAIL RENAME CANNOT_RENAME`.",
        ),
        Limit::time(
            "The old name of a renamed room leads to it for",
            LEADS_ON,
            "Those who are no members, unless it is secret; its members may use the name again at once.",
        ),
        Limit::count(
            "Members of a room that is renamed",
            rename::MEMBERS,
            "A larger one keeps its name, but for its capitals.",
        ),
        Limit::count(
            "Names of renamed rooms",
            NAMES_MAX,
            "In the whole fleet; a renamed room takes two or three. Past it RENAME is refused.",
        ),
        Limit::count("Rooms in one NAMES", names::TARGETS, "Further ones are ignored."),
        Limit::count("Nicks in one ISON", ison::NICKS, "Further ones are ignored."),
        Limit::count("Nicks in one USERHOST", userhost::NICKS, "Further ones are ignored."),
        Limit::bytes("Value of the tag `label`", LABEL_LENGTH, "A longer label is ignored."),
        Limit::bytes(
            "Piece of AUTHENTICATE",
            authenticate::CHUNK,
            "Base64. A piece of exactly this length has a successor.",
        ),
        Limit::bytes("All pieces of AUTHENTICATE", authenticate::LONGEST, "More is answered with `904`."),
        Limit::time(
            "Answers of other nodes to WHO and WHOIS",
            who::PATIENCE,
            "What a node has not told by then is missing from the answer.",
        ),
        Limit::count(
            "Entries that one CHATHISTORY looks at",
            scan::BUDGET,
            "Joins and parts count as entries. Past it the page ends early, and a NOTE says how far the search came.",
        ),
        Limit::count(
            "Private messages delivered at a login",
            waiting::MOST,
            "For clients that do not fetch them with CHATHISTORY; never more than `history.page`. Older ones stay in \
             the history.",
        ),
        Limit::count(
            "Older private messages counted at a login",
            waiting::COUNTED,
            "The client is told how many older ones wait, up to this number.",
        ),
        Limit::count(
            "Targets of JOIN, PART and KICK that cost a line",
            EACH,
            "Beyond the first, so many targets cost as much as a further line.",
        ),
        Limit::count(
            "Nicks of MONITOR, ISON and USERHOST that cost a line",
            LOOKUPS_PER_LINE,
            "Beyond the first, so many nicks cost as much as a further line.",
        ),
        Limit::count(
            "Rooms that a change of oneself costs a line for",
            presence::CHANNELS_PER_LINE as usize,
            "AWAY, NICK and SETNAME are told to each room that one is in; so many rooms cost as much as a further line.",
        ),
        Limit::bytes("Key in metadata", metadata::KEY_LENGTH, "A longer one is answered with `INVALID_KEY`."),
        Limit::count(
            "Changes of metadata at once",
            metadata::CHANGES,
            "Then one a second; more are answered with `775`.",
        ),
        Limit::count(
            "People whose metadata comes with JOIN or METADATA SUB",
            metadata::sync::MEMBERS,
            "Where the client sees more, it is told with `774` to ask later.",
        ),
        Limit::count(
            "People whose metadata costs a line",
            metadata::sync::MEMBERS_PER_LINE,
            "Beyond the first, so many people cost as much as a further line.",
        ),
    ],
};
