//! The limits that a user or an operator can meet and that no key of the configuration moves.
//!
//! Each row names the constant that the code goes by. `docs/reference.md` is made from these tables: after a change,
//! `cargo xtask reference`.

use stentor_proto::limit::{Limit, Table};

use crate::account::{PASSWORD_MAX, certificate, hasher, import, password, throttle};
use crate::admin::{self, socket};
use crate::command;
use crate::config::MOTD_BYTES;
use crate::connection;
use crate::history::janitor;
use crate::hub;
use crate::invite;
use crate::listener::http;
use crate::listener::websocket::{self, frames, stream};
use crate::operator::{audit, bans, notices};
use crate::store::{TRANSIENT_MAX, redis};
use crate::tls::{authority, certificates, renewal};

/// All tables of this crate, in the order in which they are shown.
#[must_use]
pub fn tables() -> [&'static Table; 6] {
    [&command::limits::TABLE, &ACCOUNTS, &OPERATORS, &CONNECTIONS, &STORES, &CERTIFICATES]
}

static ACCOUNTS: Table = Table {
    title: "Accounts and invitations",
    rows: &[
        Limit::bytes("Password", PASSWORD_MAX, "A longer one is refused, not cut."),
        Limit::bytes(
            "Password that bcrypt takes as it is",
            password::BCRYPT_MAX,
            "Of a longer one bcrypt takes a digest, so every byte counts.",
        ),
        Limit::count(
            "Passwords that wait to be checked",
            hasher::QUEUE,
            "On one node. Past it a login is refused, with the advice to try again.",
        ),
        Limit::count(
            "Cost of an imported hash",
            import::IMPORTED_COST_MAX as usize,
            "`stentor account import` refuses more, since each login would keep a core busy for seconds.",
        ),
        Limit::count(
            "Client certificates of one account",
            certificate::CERTIFICATES_MAX,
            "A further one is refused until one is removed.",
        ),
        Limit::time(
            "First wait after wrong passwords",
            throttle::FIRST_WAIT,
            "After those that `limits.login_failures` lets pass, for one account from one address. Each further wrong \
             password doubles it.",
        ),
        Limit::time("Longest wait after wrong passwords", throttle::LONGEST_WAIT, "It doubles no further."),
        Limit::time(
            "Wrong passwords are forgotten after",
            throttle::FORGOTTEN_AFTER,
            "Counted from the last one; a login with the right password forgets them at once.",
        ),
        Limit::count(
            "Pairs of account and address that are remembered",
            throttle::PAIRS,
            "On one node. Past it the one whose last failure is the oldest is forgotten.",
        ),
        Limit::count("Letters of an invitation's code", invite::CODE_LENGTH, "Five random bits each."),
        Limit::count("Invitations at once", invite::INVITES_MAX, "Past it a new one is refused."),
        Limit::count("Uses of one invitation", invite::USES_MAX as usize, "More are refused."),
    ],
};

static OPERATORS: Table = Table {
    title: "Operators",
    rows: &[
        Limit::count("Network bans at once", bans::BANS_MAX, "Past it a new one is refused."),
        Limit::count(
            "Entries of the audit log",
            audit::RECORDS_MAX as usize,
            "The oldest go first, whatever `audit.max_age` says.",
        ),
        Limit::bytes("Reason in the audit log", audit::REASON_MAX, "A longer one is cut there."),
        Limit::count("Entries that one look at the audit log gets", audit::PAGE_MAX, "AUDIT shows fewer."),
        Limit::count(
            "Server notices of one topic in a minute",
            notices::TOLD as usize,
            "That one node tells of what clients cause. Further ones are counted, and the next tells how many they were.",
        ),
    ],
};

static CONNECTIONS: Table = Table {
    title: "Connections",
    rows: &[
        Limit::time(
            "One write to a client",
            connection::WRITE_TIMEOUT,
            "A client that takes nothing for so long is cut off.",
        ),
        Limit::time("Last words to a client", connection::GOODBYE_TIMEOUT, "Then the connection is closed."),
        Limit::time(
            "An answer from a store that hangs",
            hub::SETTLE,
            "Then the client is told that the outcome of its command is not known.",
        ),
        Limit::count(
            "Attempts at one change",
            hub::ATTEMPTS,
            "Each failed one means that somebody else's change came first. Then the client is told to try again.",
        ),
        Limit::bytes("Message of the day", MOTD_BYTES, "A longer one is a mistake in the configuration."),
        Limit::count("Connections to `/live` and `/ready`", http::PLACES, "At the same time; others wait."),
        Limit::time("A connection to `/live` and `/ready`", http::VISIT, "Then it is closed."),
        Limit::bytes("What such a connection may send", http::VISIT_BYTES, "Then it is closed."),
        Limit::bytes(
            "Request for a WebSocket",
            websocket::REQUEST_MAX,
            "With its headers, within `tls.handshake_timeout`. A longer one is refused.",
        ),
        Limit::bytes(
            "WebSocket message",
            frames::LONGEST_MESSAGE,
            "Whatever frames it comes in. One that is longer than a line may be is dropped as it arrives and answered \
             with 417; past this the connection ends with code 1009.",
        ),
        Limit::count(
            "WebSocket frames at once that bring no line",
            stream::FRUITLESS_BURST,
            "Pings, pongs, empty messages, and frames that do not end a message. Past it the connection ends with code \
             1008.",
        ),
        Limit::count(
            "WebSocket frames a second that bring no line",
            stream::FRUITLESS_PER_SECOND,
            "After those at once.",
        ),
        Limit::count(
            "Connections to `stentor.sock`",
            socket::CONNECTIONS_MAX,
            "At the same time; others wait.",
        ),
        Limit::time("An idle connection to `stentor.sock`", socket::IDLE_MAX, "Then it is closed."),
        Limit::bytes(
            "Request or answer on `stentor.sock`",
            admin::LINE_MAX as usize,
            "Room for importing tens of thousands of accounts at once.",
        ),
    ],
};

static STORES: Table = Table {
    title: "History and stores",
    rows: &[
        Limit::time(
            "Round of the janitor",
            janitor::ROUND,
            "What `history.max_age` and `history.max_count` no longer cover is gone at most so much later, and later \
             still where there is a great deal of it.",
        ),
        Limit::time(
            "An empty room that no account founded",
            janitor::LEFT_OVER,
            "It is removed after that. Usually it ends with its last member; one may be left over by a restart.",
        ),
        Limit::count(
            "Entries in one log on Redis",
            redis::LONGEST_LOG,
            "Joins and parts are entries too. The oldest go first, whatever `history.max_count` says.",
        ),
        Limit::bytes(
            "What is published without being kept",
            TRANSIENT_MAX,
            "Typing notices, and what nodes tell each other.",
        ),
    ],
};

static CERTIFICATES: Table = Table {
    title: "Certificates that a node makes",
    rows: &[
        Limit::time(
            "Life of the authority",
            authority::AUTHORITY_LIFE.unsigned_abs(),
            "Clients are told of it by hand.",
        ),
        Limit::time(
            "Life of a certificate",
            authority::LEAF_LIFE.unsigned_abs(),
            "Renewed by the node itself.",
        ),
        Limit::time(
            "Renewal before its end",
            certificates::RENEW_BEFORE.unsigned_abs(),
            "Without a restart.",
        ),
        Limit::time(
            "Warning before the end of your own certificate",
            certificates::WARN_BEFORE.unsigned_abs(),
            "In the log.",
        ),
        Limit::time(
            "Look at certificate files",
            renewal::INTERVAL,
            "New files are taken within this time, or at once after SIGHUP.",
        ),
    ],
};
