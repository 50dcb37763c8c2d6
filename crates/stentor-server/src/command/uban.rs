//! UBAN, and KLINE and DLINE with their opposites: who is kept out of the network.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use stentor_proto::mask::{Mask, glob_matches};
use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use crate::config::units::parse_typed_time;
use crate::config::{AddressRange, Privilege};
use crate::error::Error;
use crate::hub::clock;
use crate::node::Node;
use crate::node::people::Person;
use crate::operator::audit::{Deed, how_long};
use crate::operator::ban::{Ban, Subject, Target};
use crate::operator::bans::BanError;
use crate::operator::{authorise, demand, name_of};
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Ban)?;
    let rest = message.params().get(1..).unwrap_or_default();
    match message.param(0).unwrap_or_default().to_ascii_uppercase().as_str() {
        "ADD" => add(session, &UBAN, (rest, message.has_trailing()), reply).await,
        "DEL" | "REMOVE" => remove(session, &UBAN, rest.first().copied(), reply).await,
        "LIST" => list(session, reply, |_| true).await,
        "INFO" => info(session, rest.first().copied(), reply).await,
        _ => Err(UBAN.invalid("Use UBAN ADD, UBAN DEL, UBAN LIST or UBAN INFO; HELP UBAN tells more")),
    }
}

pub(super) async fn kline(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    add_or_list(session, message, (&KLINE, |target| matches!(target, Target::Mask(_))), reply).await
}

pub(super) async fn unkline(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Ban)?;
    remove(session, &UNKLINE, message.nonempty(0), reply).await
}

pub(super) async fn dline(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    add_or_list(session, message, (&DLINE, |target| matches!(target, Target::Range(_))), reply).await
}

pub(super) async fn undline(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Ban)?;
    remove(session, &UNDLINE, message.nonempty(0), reply).await
}

/// One of the commands that set or lift bans.
#[derive(Debug)]
struct Form {
    /// What it is called.
    command: &'static str,
    /// Reads whom a ban is about.
    read: fn(&str) -> Result<Target, String>,
    /// How it is written.
    written: &'static str,
}

const UBAN: Form = Form {
    command: "UBAN",
    read: str::parse,
    written: "UBAN ADD <target> [DURATION <time>] [FORCE] [REASON <text>]",
};
const KLINE: Form =
    Form { command: "KLINE", read: mask, written: "KLINE [<time>] [FORCE] <mask> [:<reason>]" };
const UNKLINE: Form = Form { command: "UNKLINE", read: mask, written: "UNKLINE <mask>" };
const DLINE: Form =
    Form { command: "DLINE", read: range, written: "DLINE [<time>] [FORCE] <address or range> [:<reason>]" };
const UNDLINE: Form = Form { command: "UNDLINE", read: range, written: "UNDLINE <range>" };

impl Form {
    fn target(&self, text: &str) -> Result<Target, Error> {
        (self.read)(text).map_err(|why| self.invalid(&why))
    }

    fn invalid(&self, text: &str) -> Error {
        Error::fail(self.command, "INVALID_PARAMS", &[], text)
    }

    fn refused(&self, error: BanError) -> Error {
        let code = match &error {
            BanError::Write(error) => return error.clone().into(),
            BanError::Broad | BanError::Yourself | BanError::Admin(_) => {
                let text = format!("{error}; if you mean it, say FORCE: {}", self.written);
                return Error::fail(self.command, "NEEDS_FORCE", &[], &text);
            }
            BanError::Loopback => "NEVER_BANNED",
            BanError::NoAccount(_) => "ACCOUNT_UNKNOWN",
            BanError::Full => "LIMIT_REACHED",
            BanError::Unknown(_) => "NO_SUCH_BAN",
        };
        Error::fail(self.command, code, &[], &error.to_string())
    }
}

/// Sets a ban of one kind, or, where none is named, lists those that there are.
async fn add_or_list(
    session: &mut Session,
    message: &Message<'_>,
    (form, is_kind): (&Form, fn(&Target) -> bool),
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Ban)?;
    if message.nonempty(0).is_none() {
        return list(session, reply, is_kind).await;
    }
    add(session, form, (message.params(), message.has_trailing()), reply).await
}

/// A ban that somebody wants.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    target: Target,
    lifetime: Option<Duration>,
    force: bool,
    reason: String,
}

impl Wanted {
    /// Reads `[<time>] [FORCE] <target> [DURATION <time>] [FORCE] [REASON] [<reason>]`. What looks like a word of this
    /// behind the target is one, unless it is `trailing`: a reason that begins so stands behind REASON or a colon.
    fn read(params: &[&str], trailing: bool, form: &Form) -> Result<Self, Error> {
        let plain = params.len() - usize::from(trailing && !params.is_empty());
        let mut words = params.iter().copied().enumerate().peekable();
        let mut lifetime = match params {
            [first, _, ..] => parse_typed_time(first),
            _ => None,
        };
        if lifetime.is_some() {
            words.next();
        }
        let is = |word: Option<&(usize, &str)>, name: &str| {
            word.is_some_and(|(index, word)| *index < plain && word.eq_ignore_ascii_case(name))
        };
        let mut force = false;
        if is(words.peek(), "FORCE") {
            words.next();
            force = true;
        }
        let (_, target) = words.next().ok_or_else(|| form.invalid("Name whom to ban"))?;
        let target = form.target(target)?;
        loop {
            if is(words.peek(), "DURATION") {
                words.next();
                let (_, text) = words.next().unwrap_or_default();
                let time = parse_typed_time(text)
                    .ok_or_else(|| form.invalid("A duration is a time such as 30m, 12h or 7d"))?;
                lifetime = Some(time);
            } else if is(words.peek(), "FORCE") {
                words.next();
                force = true;
            } else {
                break;
            }
        }
        // A ban for ever is not what somebody means who names a time in the wrong place.
        let is_time = |(index, word): &(usize, &str)| *index < plain && parse_typed_time(word).is_some();
        if lifetime.is_none() && words.peek().is_some_and(is_time) {
            return Err(form.invalid(&format!("Syntax: {}", form.written)));
        }
        if is(words.peek(), "REASON") {
            words.next();
        }
        let reason = words.map(|(_, word)| word).collect::<Vec<_>>().join(" ");
        // A lifetime of nothing is none, as elsewhere.
        Ok(Self { target, lifetime: lifetime.filter(|time| !time.is_zero()), force, reason })
    }
}

async fn add(
    session: &Session,
    form: &Form,
    (params, trailing): (&[&str], bool),
    reply: &mut Reply,
) -> Result<(), Error> {
    let node = &session.node;
    let Wanted { target, lifetime, force, reason } = Wanted::read(params, trailing, form)?;
    let reason = truncate_utf8(&reason, node.config().limits.kick_length);
    let own = Subject::of(&session.client);
    node.ban_list.vet(&target, Some(&own), force).await.map_err(|error| form.refused(error))?;
    let how_long = how_long(lifetime);
    let why = if reason.is_empty() { how_long.clone() } else { format!("{how_long}: {reason}") };
    let shown = target.to_string();
    authorise(session, Privilege::Ban, &Deed { what: "ban", target: &shown, reason: &why }).await?;
    let by = name_of(&session.client.profile());
    node.ban_list.add(&target, lifetime, &by, reason).await.map_err(|error| form.refused(error))?;
    reply.notice(&format!("{shown} is banned {why}"));
    Ok(())
}

async fn remove(
    session: &Session,
    form: &Form,
    target: Option<&str>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let target = form.target(target.ok_or_else(|| form.invalid("Name the ban to lift"))?)?;
    session.node.ban_list.vet_removal(&target).await.map_err(|error| form.refused(error))?;
    let shown = target.to_string();
    authorise(session, Privilege::Ban, &Deed { what: "unban", target: &shown, reason: "" }).await?;
    session.node.ban_list.remove(&target).await.map_err(|error| form.refused(error))?;
    reply.notice(&format!("{shown} is not banned any more"));
    Ok(())
}

async fn list(session: &Session, reply: &mut Reply, wanted: fn(&Target) -> bool) -> Result<(), Error> {
    let bans = session.node.ban_list.list().await?;
    tell(bans.into_iter().filter(|ban| wanted(&ban.target)), reply).await;
    reply.notice("End of the list of bans");
    Ok(())
}

/// Somebody who is written `nick!user@host`, where that says who it is.
fn written_out(node: &Node, source: &str) -> Option<Subject> {
    let (nick, rest) = source.split_once('!').unwrap_or(("*", source));
    let (user, host) = rest.split_once('@')?;
    Some(match host.parse() {
        Ok(address) => Subject::new(nick, user, &node.cloak(address), address, None),
        Err(_) => Subject::new(nick, user, host, IpAddr::V4(Ipv4Addr::UNSPECIFIED), None),
    })
}

/// The bans that somebody who is here or written out, or an address or an account, is kept out by, and those within a range.
/// Of somebody who is not here, the nick alone is known. The addresses of users of other nodes are not known here.
async fn info(session: &Session, about: Option<&str>, reply: &mut Reply) -> Result<(), Error> {
    let about = about.ok_or_else(|| UBAN.invalid("Name a nick, an address, a mask or an account"))?;
    let target: Option<Target> = about.parse().ok();
    let range = about.parse::<AddressRange>().ok();
    let who = match range {
        Some(range) => {
            let address = range.network();
            Some(Subject::new("*", "*", &session.node.cloak(address), address, None))
        }
        None if about.contains('@') => written_out(&session.node, about),
        None => {
            let person = session.node.find_person(about).await?.filter(|person| person.online);
            person.map(|person| subject_of(&person))
        }
    };
    let is_within = |target: &Target| match (target, range) {
        (Target::Range(inner), Some(range)) => range.contains(inner.network()),
        _ => false,
    };
    let absent = who.is_none() && matches!(target, Some(Target::Account(_)));
    if absent {
        reply.expect_many();
        reply.notice(&format!("Nobody is called {about} right now"));
    }
    let hits = |ban: &Ban| {
        Some(&ban.target) == target.as_ref()
            || who.as_ref().is_some_and(|who| ban.target.matches(who))
            || is_within(&ban.target)
            || absent && names(&ban.target, about)
    };
    let bans = session.node.ban_list.list().await?;
    tell(bans.into_iter().filter(hits), reply).await;
    reply.notice(&format!("End of the bans on {about}"));
    Ok(())
}

/// Whether a mask is about this nick, and not about every nick.
fn names(target: &Target, nick: &str) -> bool {
    let Target::Mask(mask) = target else { return false };
    let pattern = mask.folded().split('!').next().unwrap_or_default();
    pattern.contains(|letter| letter != '*') && glob_matches(pattern, &nick.to_ascii_lowercase())
}

fn subject_of(person: &Person) -> Subject {
    if let Some(client) = &person.local {
        return Subject::of(client);
    }
    let (nick, rest) = person.source.split_once('!').unwrap_or((&person.source, "*@*"));
    let (user, host) = rest.split_once('@').unwrap_or((rest, "*"));
    Subject::new(nick, user, host, Ipv4Addr::UNSPECIFIED.into(), person.account.as_deref())
}

async fn tell(bans: impl Iterator<Item = Ban>, reply: &mut Reply) {
    for ban in bans {
        reply.room().await;
        let until = clock::until(ban.expires);
        let reason = if ban.reason.is_empty() { String::new() } else { format!(": {}", ban.reason) };
        let (target, by, since) = (&ban.target, &ban.by, clock::server_time(ban.created));
        reply.notice(&format!("{target} {until}, by {by} since {since}{reason}"));
    }
}

fn mask(text: &str) -> Result<Target, String> {
    Mask::parse(text).map(Target::Mask).map_err(|error| error.to_string())
}

fn range(text: &str) -> Result<Target, String> {
    match text.parse()? {
        target @ Target::Range(_) => Ok(target),
        _ => Err("That is no address and no range such as 192.0.2.0/24".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a line's parameters.
    fn attempt(line: &str) -> Result<Wanted, Error> {
        let line = format!("UBAN {line}");
        let message = Message::parse(&line).expect("it has a command");
        Wanted::read(message.params(), message.has_trailing(), &UBAN)
    }

    #[test]
    fn the_usual_ways_to_ask_for_a_ban_are_understood() {
        let hours = |hours| Some(Duration::from_hours(hours));
        for (line, lifetime, force, reason) in [
            ("a!*@*", None, false, ""),
            ("a!*@* go away", None, false, "go away"),
            ("1h a!*@* go away", hours(1), false, "go away"),
            ("60 a!*@*", hours(1), false, ""),
            ("60 FORCE a!*@* x", hours(1), true, "x"),
            ("60 a!*@* 5 times", hours(1), false, "5 times"),
            ("60 a!*@* :reason", hours(1), false, "reason"),
            ("a!*@* :force of habit", None, false, "force of habit"),
            ("a!*@* :force", None, false, "force"),
            ("a!*@* :5", None, false, "5"),
            ("a!*@* REASON 5 times", None, false, "5 times"),
            ("a!*@* DURATION 24h REASON duration of stay", hours(24), false, "duration of stay"),
            ("a!*@* force duration 1d", hours(24), true, ""),
            ("0 a!*@*", None, false, ""),
        ] {
            let target = "a!*@*".parse().expect("it is a mask");
            let reason = reason.to_owned();
            let wanted = Wanted { target, lifetime, force, reason };
            assert_eq!(attempt(line).expect("it can be read"), wanted, "{line}");
        }
        for wrong in ["", "a!*@* DURATION soon", "a!*@* 5 :reason", "a!*@* 7d", "a!*@* FORCE 5 reason"] {
            assert!(attempt(wrong).is_err(), "{wrong}");
        }
        assert!(range("spam!*@*").is_err());
    }
}
