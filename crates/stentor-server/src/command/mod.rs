//! The commands: one file each, and one table that lists them all.

mod about;
mod accept;
mod admin;
mod audit;
pub mod authenticate;
mod away;
pub mod batch;
pub mod cap;
pub(crate) mod cert;
mod chathistory;
mod help;
mod info;
pub(crate) mod invite;
mod ison;
mod isupport;
pub(crate) mod join;
mod kick;
pub(crate) mod kill;
mod knock;
pub(crate) mod limits;
mod links;
mod list;
pub(crate) mod lusers;
pub(crate) mod markread;
mod message;
mod metadata;
mod metadata_keys;
mod mode;
pub mod monitor;
mod motd;
pub(crate) mod names;
pub(crate) mod nick;
pub mod oper;
pub(crate) mod part;
mod pass;
mod ping;
mod posts;
mod publish;
pub mod quit;
mod redact;
pub mod register;
mod rehash;
mod rename;
mod samode;
mod setname;
mod stats;
mod subscribe;
mod subscribers;
mod subscriptions;
mod time;
mod topic;
mod uban;
mod user;
mod user_mode;
mod userhost;
mod verify;
mod version;
mod waiting;
mod wallops;
mod webirc;
mod welcome;
pub(crate) mod who;
pub(crate) mod whois;
pub(crate) mod whowas;
mod whox;

use std::future::Future;
use std::pin::Pin;

use stentor_proto::capability::Capability;
use stentor_proto::mask::glob_matches;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

pub use welcome::isupport;

use crate::client::Client;
use crate::error::Error;
use crate::reply::Reply;
use crate::services::{chanserv, nickserv};
use crate::session::Session;

/// One command that clients may send.
#[derive(Debug)]
pub struct Command {
    /// Its name, in capitals.
    pub name: &'static str,
    /// How many parameters it needs.
    pub params: usize,
    /// When it may be sent.
    pub when: When,
    /// What it costs of the client's rate, in lines.
    pub cost: u32,
    /// Whether it shows a person at work.
    pub active: bool,
    run: Handler,
    /// How it is written and what it does, for HELP.
    pub help: (&'static str, &'static str),
    /// What HELP on it tells besides, a line each.
    pub details: &'static [&'static str],
}

/// When a command may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At any time.
    Always,
    /// After the welcome.
    Registered,
    /// Before the welcome.
    Registering,
}

type Handler = for<'a> fn(&'a mut Session, &'a Message<'a>, &'a mut Reply) -> Running<'a>;
type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

macro_rules! handler {
    ($path:path) => {
        |session, message, reply| Box::pin($path(session, message, reply))
    };
}

const fn command(
    name: &'static str,
    params: usize,
    run: Handler,
    help: (&'static str, &'static str),
) -> Command {
    Command { name, params, when: When::Registered, cost: 1, active: false, run, help, details: &[] }
}

impl Command {
    const fn explained(mut self, details: &'static [&'static str]) -> Self {
        self.details = details;
        self
    }

    const fn always(mut self) -> Self {
        self.when = When::Always;
        self
    }

    const fn registering(mut self) -> Self {
        self.when = When::Registering;
        self
    }

    const fn costs(mut self, lines: u32) -> Self {
        self.cost = lines;
        self
    }

    const fn active(mut self) -> Self {
        self.active = true;
        self
    }
}

/// Every command, by name.
pub const TABLE: &[Command] = &[
    command(
        "ACCEPT",
        0,
        handler!(accept::run),
        ("ACCEPT [*|<nick>|-<nick>][,…]", "Lists, adds or removes people who may write to you under the mode R."),
    )
    .costs(2),
    command("ADMIN", 0, handler!(admin::run), ("ADMIN [<server>]", "Answers that the server has no administrative information.")),
    command("ANNOUNCE", 1, handler!(wallops::announce), ("ANNOUNCE :<text>", "Says something to everybody (operators).")),
    command("AUDIT", 0, handler!(audit::run), ("AUDIT [<count>]", "Shows what operators did (operators).")).costs(3),
    command(
        "AUTHENTICATE",
        1,
        handler!(authenticate::run),
        ("AUTHENTICATE <mechanism or data>", "Logs in (SASL)."),
    )
    .always(),
    command(
        "AWAY",
        0,
        handler!(away::run),
        ("AWAY [:<text>]", "Says that you are away, or, without a text, that you are back."),
    )
    .always()
    .costs(2),
    command(
        "BATCH",
        1,
        handler!(batch::run),
        (
            "BATCH +<reference> draft/multiline <target>, then BATCH -<reference>",
            "Says what comes in between, tagged with the reference, as one message.",
        ),
    )
    .active(),
    command("CAP", 1, handler!(cap::run), ("CAP LS|LIST|REQ|END …", "Negotiates capabilities.")).always(),
    command(
        "CERT",
        1,
        handler!(cert::run),
        (
            "CERT ADD [<fingerprint>]|DEL <fingerprint>|LIST",
            "Tells which client certificates log in to your account, and changes that.",
        ),
    )
    .costs(2),
    command("CHANSERV", 0, handler!(chanserv::run), ("CHANSERV <words>", "Says something to ChanServ: try HELP.")),
    command(
        "CHATHISTORY",
        1,
        handler!(chathistory::run),
        (
            "CHATHISTORY LATEST|BEFORE|AFTER|AROUND|BETWEEN|TARGETS [<target>] <reference> [<reference>] <limit>",
            "Pages back in what was said.",
        ),
    )
    .costs(3)
    .explained(&[
        "The target is a channel, or the other side of a conversation.",
        "A reference is msgid=<id> or timestamp=<time>, as in 2026-01-31T09:00:00.000Z; LATEST also takes *.",
        "TARGETS <time> <time> <limit> has no target: it lists what was talked in between.",
    ]),
    command("CS", 0, handler!(chanserv::run), ("CS <words>", "The same as CHANSERV.")),
    command(
        "DLINE",
        0,
        handler!(uban::dline),
        (
            "DLINE [<time>] [FORCE] <address or range> [:<reason>]",
            "Keeps addresses out, or lists such bans (operators).",
        ),
    )
    .explained(&["As UBAN ADD: HELP UBAN tells of times, and of FORCE."]),
    command("HELP", 0, handler!(help::run), ("HELP [<command>]", "Lists the commands, or explains one.")),
    command("HELPOP", 0, handler!(help::run), ("HELPOP [<command>]", "The same as HELP.")),
    command("INFO", 0, handler!(info::run), ("INFO [<server>]", "Tells what this server is.")),
    command("INVITE", 0, handler!(invite::run), ("INVITE [<nick> <channel>]", "Lets somebody in, or lists where you were invited.")).active(),
    command("ISON", 1, handler!(ison::run), ("ISON <nick> […]", "Tells which of some nicks are here."))
        .costs(2),
    command("ISUPPORT", 0, handler!(isupport::run), ("ISUPPORT", "Lists what this server supports."))
        .always()
        .costs(2),
    command("JOIN", 1, handler!(join::run), ("JOIN <channel>[,…] [<key>[,…]]", "Enters channels.")).active(),
    command("KICK", 2, handler!(kick::run), ("KICK <channel>[,…] <nick>[,…] [:<reason>]", "Throws people out."))
        .active(),
    command("KILL", 1, handler!(kill::run), ("KILL <nick> [:<reason>]", "Ends somebody's session (operators).")),
    command(
        "KLINE",
        0,
        handler!(uban::kline),
        (
            "KLINE [<time>] [FORCE] <mask> [:<reason>]",
            "Keeps people out by a mask, or lists such bans (operators).",
        ),
    )
    .explained(&["As UBAN ADD: HELP UBAN tells of times, and of FORCE."]),
    command("KNOCK", 1, handler!(knock::run), ("KNOCK <channel>", "Asks to be let in.")).costs(2).active(),
    command("LINKS", 0, handler!(links::run), ("LINKS", "Lists the network's nodes (operators).")),
    command(
        "LIST",
        0,
        handler!(list::run),
        ("LIST [<channel, mask or condition>,…]", "Lists channels, by name, mask, size or age."),
    )
    .costs(5)
    .explained(&[
        "Conditions: >5 or <5 members, C>60 or C<60 minutes since it was made, T>60 or T<60 since its topic was set.",
        "!<mask> leaves channels out, as in LIST *rust*,!*test*,>2",
    ]),
    command("LUSERS", 0, handler!(lusers::run), ("LUSERS", "Counts who is here.")),
    command(
        "MARKREAD",
        0,
        handler!(markread::run),
        (
            "MARKREAD <channel or nick> [timestamp=<time>]",
            "Tells, or sets, up to which time a conversation has been read.",
        ),
    )
    .costs(2),
    command(
        "METADATA",
        2,
        handler!(metadata::run),
        (
            "METADATA <*, nick or channel> GET|LIST|SET|CLEAR|SUB|UNSUB|SUBS|SYNC [<key> …] [:<value>]",
            "Tells, and keeps, what people and channels say about themselves.",
        ),
    )
    .always()
    .costs(2)
    .explained(&[
        "SET without a value removes a key; CLEAR removes all. SUB and UNSUB choose of which keys news are told, SUBS lists \
         those, and SYNC tells their values now.",
    ]),
    command(
        "MODE",
        1,
        handler!(mode::run),
        ("MODE <target> [<modes> [<parameters>]]", "Shows or changes modes."),
    )
    .explained(&["HELP CMODES lists the modes of channels, HELP UMODES those of people."]),
    command("MONITOR", 1, handler!(monitor::run), ("MONITOR +|-|C|L|S [<nick>,…]", "Watches for people."))
        .costs(2)
        .explained(&[
            "+ adds nicks, - takes them away, C takes all away, L lists them, S tells who of them is here.",
        ]),
    command("MOTD", 0, handler!(motd::run), ("MOTD", "Shows the message of the day.")),
    command("NAMES", 0, handler!(names::run), ("NAMES <channel>[,…]", "Lists who is in a channel.")),
    command("NICK", 0, handler!(nick::run), ("NICK <nick>", "Chooses or changes your name."))
        .always()
        .costs(2),
    command("NICKSERV", 0, handler!(nickserv::run), ("NICKSERV <words>", "Says something to NickServ: try HELP.")),
    command(
        "NOTICE",
        0,
        handler!(message::notice),
        ("NOTICE <target>[,…] :<text>", "Says something, for programs."),
    )
    .active(),
    command("NS", 0, handler!(nickserv::run), ("NS <words>", "The same as NICKSERV.")),
    command("OPER", 2, handler!(oper::run), ("OPER <name> <password>", "Makes you an operator."))
        .costs(3),
    command("PART", 1, handler!(part::run), ("PART <channel>[,…] [:<reason>]", "Leaves channels.")).active(),
    command(
        "PASS",
        1,
        handler!(pass::run),
        ("PASS <account>:<password>", "Logs in, for clients without SASL."),
    )
    .registering(),
    command("PING", 1, handler!(ping::run), ("PING <token>", "Asks for a PONG.")).always(),
    command("PONG", 0, handler!(ping::pong), ("PONG <token>", "Answers a PING.")).always(),
    command("PRIVMSG", 0, handler!(message::privmsg), ("PRIVMSG <target>[,…] :<text>", "Says something."))
        .active(),
    command(
        "PUBLISH",
        0,
        handler!(publish::run),
        ("PUBLISH :<text>", "Posts something for those who follow you, wherever they are."),
    )
    .costs(2)
    .active(),
    command("QUIT", 0, handler!(quit::run), ("QUIT [:<reason>]", "Ends the connection.")).always(),
    command(
        "REDACT",
        2,
        handler!(redact::run),
        ("REDACT <channel or nick> <message id> [:<reason>]", "Takes back what was said, everywhere."),
    )
    .costs(3)
    .active(),
    command(
        "REGISTER",
        3,
        handler!(register::run),
        ("REGISTER <account|*> <email|*> <password>", "Makes an account."),
    )
    .always()
    .costs(5),
    command("REHASH", 0, handler!(rehash::run), ("REHASH", "Reads the configuration again (operators).")),
    command(
        "RENAME",
        2,
        handler!(rename::run),
        ("RENAME <channel> <new name> [:<reason>]", "Gives a channel another name; its founder may."),
    )
    .costs(20)
    .active(),
    command(
        "SAMODE",
        1,
        handler!(samode::run),
        ("SAMODE <channel> [<modes> [<parameters>]]", "Shows or changes the modes of any channel (operators)."),
    ),
    command("SETNAME", 1, handler!(setname::run), ("SETNAME :<real name>", "Changes your real name."))
        .costs(2),
    command(
        "STATS",
        0,
        handler!(stats::run),
        ("STATS u [<server>]", "Tells how long this server has been up."),
    ),
    command(
        "SUBSCRIBE",
        1,
        handler!(subscribe::run),
        (
            "SUBSCRIBE <nick>[,…] [all|posts]",
            "Follows people: their posts, and, with `all` or nothing, what they say in open rooms (not where +s, +k, +i or +x is set).",
        ),
    )
    .costs(3),
    command(
        "SUBSCRIBERS",
        0,
        handler!(subscribers::run),
        (
            "SUBSCRIBERS [REMOVE <nick>|ALLOW <nick>|REFUSE ON|OFF|ROOMS ON|OFF]",
            "Lists who follows you, removes somebody, refuses new ones, or says whether they hear what you say in rooms.",
        ),
    )
    .costs(3),
    command(
        "SUBSCRIBE_ONLY",
        0,
        handler!(publish::run),
        ("SUBSCRIBE_ONLY :<text>", "The same as PUBLISH."),
    )
    .costs(2)
    .active(),
    command("SUBSCRIPTIONS", 0, handler!(subscriptions::run), ("SUBSCRIPTIONS", "Lists whom you follow."))
        .costs(2),
    command("TAGMSG", 0, handler!(message::tagmsg), ("TAGMSG <target>[,…]", "Sends client-only tags.")),
    command("TIME", 0, handler!(time::run), ("TIME [<server>]", "Tells the server's time.")),
    command("TOPIC", 1, handler!(topic::run), ("TOPIC <channel> [:<topic>]", "Shows or changes a topic."))
        .active(),
    command(
        "UBAN",
        1,
        handler!(uban::run),
        (
            "UBAN ADD <address, range, mask or account> [DURATION <time>] [FORCE] [REASON <text>] | DEL <target> | LIST | \
             INFO <target>",
            "Keeps people out of the network (operators).",
        ),
    )
    .explained(&[
        "A target is an address like 192.0.2.7, a range like 2001:db8::/48, a mask like spam*!*@*, or an account's name.",
        "A time is 30m, 12h or 7d, and a number alone is in minutes; without one a ban lasts until it is lifted.",
        "FORCE is asked for what would hit very many, yourself or an admin. INFO also takes a nick, or nick!user@host.",
    ]),
    command("UNDLINE", 1, handler!(uban::undline), ("UNDLINE <address or range>", "Lifts a DLINE (operators).")),
    command("UNKLINE", 1, handler!(uban::unkline), ("UNKLINE <mask>", "Lifts a KLINE (operators).")),
    command(
        "UNSUBSCRIBE",
        1,
        handler!(subscribe::end),
        ("UNSUBSCRIBE <nick>[,…]", "Stops following people."),
    )
    .costs(2),
    command("USER", 4, handler!(user::run), ("USER <name> 0 * :<real name>", "Introduces you.")).always(),
    command(
        "USERHOST",
        1,
        handler!(userhost::run),
        ("USERHOST <nick> […]", "Shows the user names and hosts of up to five people."),
    ),
    command(
        "VERIFY",
        2,
        handler!(verify::run),
        ("VERIFY <account> <code>", "Of no use here: accounts need no verification."),
    )
    .always()
    .costs(2),
    command("VERSION", 0, handler!(version::run), ("VERSION [<server>]", "Tells which program this is.")),
    command(
        "WALLOPS",
        0,
        handler!(wallops::run),
        ("WALLOPS :<text>", "Says something to those with the user mode w (operators)."),
    ),
    command(
        "WEBIRC",
        4,
        handler!(webirc::run),
        ("WEBIRC <password> <gateway> <host> <address> [:<options>]", "Names a user's address, for gateways."),
    )
    .registering()
    .costs(2),
    command(
        "WHO",
        1,
        handler!(who::run),
        ("WHO <channel, nick or mask> [o][%<fields>[,<token>]]", "Lists people."),
    )
    .costs(3)
    .explained(&[
        "o: operators alone.",
        "Fields, as with WHOX: t token, c channel, u user name, i address, h host, s server, n nick, f flags, d hops, \
         l idle seconds, a account, o channel rank, r real name.",
    ]),
    command("WHOIS", 0, handler!(whois::run), ("WHOIS <nick>", "Tells about somebody.")).costs(2),
    command(
        "WHOWAS",
        0,
        handler!(whowas::run),
        ("WHOWAS <nick> [<count>]", "Tells who held a nick before, the last one first."),
    )
    .costs(2),
];

/// The command with this name, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    TABLE.iter().find(|command| command.name.eq_ignore_ascii_case(name))
}

/// Runs one command and answers it. `Err` where the connection is to end.
///
/// # Errors
/// [`Error::Close`] and [`Error::Fenced`].
pub async fn dispatch(session: &mut Session, message: &Message<'_>) -> Result<(), Error> {
    if session.client.has(Capability::Multiline)
        && let Some(reference) = message.tags.get("batch")
    {
        batch::take(session, &reference, message);
        return Ok(());
    }
    let server = session.node.server_name.clone();
    let mut reply = Reply::new(session.client.clone(), server, label(&session.client, message));
    let result = run(session, message, &mut reply).await;
    if let Err(error) = &result {
        reply.reclaim();
        error.send_about(&message.command.to_ascii_uppercase(), message.params(), &mut reply);
    }
    reply.finish();
    match result {
        Err(error @ (Error::Close(_) | Error::Fenced)) => Err(error),
        _ => Ok(()),
    }
}

/// A request's label, where this client may label requests.
#[must_use]
pub fn label(client: &Client, message: &Message<'_>) -> Option<String> {
    // Of several the last one counts, as with any tag.
    let label = message.tags.raw().rsplit(';').find_map(|tag| tag.strip_prefix("label="));
    label
        .filter(|label| label.len() <= LABEL_LENGTH && !label.is_empty())
        // An answer of several lines is a batch, so one capability is nothing without the other.
        .filter(|_| client.has(Capability::LabeledResponse) && client.has(Capability::Batch))
        .map(str::to_owned)
}

async fn run(session: &mut Session, message: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let registered = session.registering.is_none();
    let Some(command) = find(message.command) else {
        return if registered {
            Err(Error::numeric(Numeric::ERR_UNKNOWNCOMMAND, &[message.command], "Unknown command"))
        } else {
            Err(not_registered())
        };
    };
    match command.when {
        When::Registered if !registered => {
            return Err(not_registered());
        }
        When::Registering if registered => {
            return Err(Error::numeric(Numeric::ERR_ALREADYREGISTERED, &[], "You may not reregister"));
        }
        _ => {}
    }
    if message.params().len() < command.params {
        return Err(need_more_params(command.name));
    }
    session.client.note_heard(command.active);
    (command.run)(session, message, reply).await
}

/// `ERR_NEEDMOREPARAMS`.
#[must_use]
pub fn need_more_params(command: &str) -> Error {
    Error::numeric(Numeric::ERR_NEEDMOREPARAMS, &[command], "Not enough parameters")
}

/// `ERR_NOTREGISTERED`.
fn not_registered() -> Error {
    Error::numeric(Numeric::ERR_NOTREGISTERED, &[], "You have not registered")
}

/// `ERR_NOSUCHNICK`.
#[must_use]
pub fn no_such_nick(nick: &str) -> Error {
    Error::numeric(Numeric::ERR_NOSUCHNICK, &[nick], "No such nick/channel")
}

/// Answers only where a request's server is this one, by name or mask, or is a user of this node.
fn for_this_server(session: &Session, target: Option<&str>) -> Result<(), Error> {
    let Some(target) = target else { return Ok(()) };
    let is_here = glob_matches(target, &session.node.server_name)
        || session.node.clients.by_nick(&target.to_ascii_lowercase()).is_some();
    if is_here {
        return Ok(());
    }
    Err(Error::numeric(Numeric::ERR_NOSUCHSERVER, &[target], "No such server"))
}

/// Targets that cost as much as a line of their own: each is a commit.
const EACH: usize = 1;
/// So many targets that are only looked up, or watched, cost as much as a line of their own.
const LOOKUPS_PER_LINE: usize = 4;
/// A longer label is ignored, as the specification asks.
const LABEL_LENGTH: usize = 64;
