//! METADATA: what people and rooms say about themselves, by the drafts `draft/metadata-2` and `draft/metadata-3`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use stentor_proto::channel::is_channel_like;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::metadata_keys;
use crate::error::Error;
use crate::hub::{Decision, Held, Replica, State};
use crate::metadata::sync::{self, View};
use crate::metadata::{self, Update, Values, own};
use crate::policy;
use crate::reply::{Batch, Reply};
use crate::session::Session;
use crate::store::{Guard, Is, Partition};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if session.registering.is_some() && !metadata::is_wanted(&session.client) {
        return Err(super::not_registered());
    }
    let target = message.param(0).unwrap_or_default();
    let rest = message.params().get(2..).unwrap_or_default();
    if session.node.config().limits.metadata_keys == 0 {
        return Err(Error::numeric(Numeric::ERR_UNKNOWNCOMMAND, &[message.command], "Unknown command"));
    }
    let said = message.param(1).unwrap_or_default();
    let subcommand = said.to_ascii_uppercase();
    let (least, most) = match subcommand.as_str() {
        "GET" | "SUB" | "UNSUB" => (1, usize::MAX),
        "SET" => (1, 2),
        "LIST" | "CLEAR" | "SUBS" | "SYNC" => (0, 0),
        _ => return Err(invalid_params(said, "There is no such subcommand")),
    };
    if rest.len() < least {
        return Err(invalid_params(said, "Not enough parameters"));
    }
    if rest.len() > most {
        return Err(invalid_params(said, "Too many parameters; a value with spaces begins with a colon"));
    }
    match subcommand.as_str() {
        "GET" => return get(session, target, rest, reply).await,
        "LIST" => return list(session, target, reply).await,
        "SET" => return set(session, target, rest, reply).await,
        "CLEAR" => return clear(session, target, reply).await,
        "SYNC" => return synchronise(session, target, reply).await,
        // The others are about what the client itself hears of.
        _ if !is_oneself(session, target) => return Err(invalid(target)),
        "SUB" => metadata_keys::subscribe(session, rest, reply).await,
        "UNSUB" => metadata_keys::unsubscribe(session, rest, reply),
        _ => metadata_keys::list(session, reply),
    }
    Ok(())
}

/// Whether a request is about the client that sends it. Before its welcome it has no nick yet.
fn is_oneself(session: &Session, target: &str) -> bool {
    let has_nick = session.registering.is_none();
    target == "*" || has_nick && target.eq_ignore_ascii_case(&session.client.profile().nick)
}

/// What a request is about.
enum Target {
    /// The client itself, before its welcome.
    Nobody,
    /// The client itself.
    Oneself,
    /// Somebody else who is here, and where that person's private messages go.
    Person(String, Partition),
    /// A room that the client may look into.
    Room(Held),
}

impl Target {
    async fn find(session: &Session, target: &str) -> Result<Self, Error> {
        let is_nobody = session.registering.is_some();
        if is_oneself(session, target) {
            return Ok(if is_nobody { Self::Nobody } else { Self::Oneself });
        }
        if is_nobody {
            return Err(invalid(target));
        }
        if !is_channel_like(target) {
            let person = session.node.find_person(target).await?.filter(|person| person.online);
            return person
                .map(|person| Self::Person(person.nick, person.inbox))
                .ok_or_else(|| invalid(target));
        }
        let held = session.room(target).await?;
        let (visible, open) = held.with_state(|state| {
            let is_member = state.members.contains_key(&session.client.id);
            let closed = policy::has_mode(state, 'i') || state.field("key").is_some();
            (policy::is_visible_to(state, &session.client.id), is_member || !closed)
        });
        match (visible, open) {
            (false, _) => Err(invalid(target)),
            (true, false) => Err(no_permission(target, "*", "You are not in that channel")),
            (true, true) => Ok(Self::Room(held)),
        }
    }

    /// What it is called in answers.
    fn name(&self, session: &Session) -> String {
        match self {
            Self::Nobody => "*".to_owned(),
            Self::Oneself => session.client.profile().nick.clone(),
            Self::Person(nick, _) => nick.clone(),
            Self::Room(replica) => {
                replica.with_state(|state| policy::name(state, replica.partition().name()).to_owned())
            }
        }
    }

    /// All that is set.
    async fn values(&self, session: &Session) -> Result<Values, Error> {
        Ok(match self {
            Self::Nobody => session
                .registering
                .as_ref()
                .map(|registering| registering.metadata.clone())
                .unwrap_or_default(),
            Self::Oneself => own::values(session),
            Self::Person(_, inbox) => {
                let peek = session.node.hub.store().peek_one(inbox, &[metadata::FIELD]).await?;
                metadata::read(peek.fields.first().and_then(Option::as_deref))
            }
            Self::Room(replica) => replica.with_state(|state| metadata::read(state.field(metadata::FIELD))),
        })
    }
}

async fn get(session: &Session, target: &str, keys: &[&str], reply: &mut Reply) -> Result<(), Error> {
    let found = Target::find(session, target).await?;
    let (name, values) = (found.name(session), found.values(session).await?);
    let batch = reply.open(metadata::BATCH, &[&name]);
    for key in keys {
        if metadata::is_key(key) {
            tell(session, &batch, &name, key, values.get(*key).map(String::as_str), reply);
        } else {
            reply.line_in(&batch, standard(session, "WARN", "INVALID_KEY", &[key], INVALID_KEY));
        }
    }
    reply.close(batch);
    Ok(())
}

async fn list(session: &Session, target: &str, reply: &mut Reply) -> Result<(), Error> {
    let found = Target::find(session, target).await?;
    let (name, values) = (found.name(session), found.values(session).await?);
    let batch = reply.open(metadata::BATCH, &[&name]);
    for (key, value) in &values {
        tell(session, &batch, &name, key, Some(value), reply);
    }
    reply.close(batch);
    Ok(())
}

async fn set(session: &mut Session, target: &str, rest: &[&str], reply: &mut Reply) -> Result<(), Error> {
    let key = rest.first().copied().unwrap_or_default();
    let value = rest.get(1).copied().filter(|value| !value.is_empty());
    if !metadata::is_key(key) {
        return Err(fail("INVALID_KEY", &[key], INVALID_KEY));
    }
    let limits = session.node.config().limits;
    if value.is_some_and(|value| value.len() > limits.metadata_value) {
        let text = format!("A value has at most {} bytes", limits.metadata_value);
        return Err(fail("INVALID_VALUE", &[key], &text));
    }
    let found = Target::find(session, target).await?;
    let name = found.name(session);
    let edit = |values: &mut Values| match value {
        // What is so already changes nothing, and nobody is told of it.
        None => values.remove(key).map(drop).ok_or(Error::Silent),
        Some(value) if values.get(key).is_some_and(|before| before == value) => Err(Error::Silent),
        Some(_) if values.len() >= limits.metadata_keys && !values.contains_key(key) => {
            let text = format!("There can be no more than {} keys", limits.metadata_keys);
            Err(fail("LIMIT_REACHED", &["SET", &name, &limits.metadata_keys.to_string()], &text))
        }
        Some(value) => {
            values.insert(key.to_owned(), value.to_owned());
            Ok(())
        }
    };
    let changes = BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]);
    pay(session, target, "SET", rest)?;
    match change(session, &found, &name, key, edit, |()| changes.clone()).await {
        Ok(_) | Err(Error::Silent) => {}
        Err(error) => return Err(error),
    }
    tell(session, &None, &name, key, value, reply);
    Ok(())
}

async fn clear(session: &mut Session, target: &str, reply: &mut Reply) -> Result<(), Error> {
    let found = Target::find(session, target).await?;
    let name = found.name(session);
    let gone = |values: Values| values.into_keys().map(|key| (key, None)).collect();
    let take = |values: &mut Values| match values.is_empty() {
        true => Err(Error::Silent),
        false => Ok(std::mem::take(values)),
    };
    pay(session, target, "CLEAR", &[])?;
    let changes = match change(session, &found, &name, "*", take, gone).await {
        Err(Error::Silent) => BTreeMap::new(),
        changed => changed?,
    };
    let batch = reply.open(metadata::BATCH, &[&name]);
    for key in changes.keys() {
        tell(session, &batch, &name, key, None, reply);
    }
    reply.close(batch);
    Ok(())
}

/// Edits what is set, and tells those who hear of it. `key` is what a refusal is about.
async fn change<T>(
    session: &mut Session,
    target: &Target,
    name: &str,
    key: &str,
    mut edit: impl FnMut(&mut Values) -> Result<T, Error>,
    changes: impl Fn(T) -> BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<String>>, Error> {
    match target {
        Target::Room(replica) => change_room(session, replica, name, key, edit, changes).await,
        Target::Oneself => {
            let done = changes(own::change(session, edit).await?);
            own::announce_to_others(session, &Update::new(name, done.clone())).await;
            Ok(done)
        }
        Target::Nobody | Target::Person(..) => match session.registering.as_mut() {
            Some(registering) => Ok(changes(edit(&mut registering.metadata)?)),
            None => Err(no_permission(name, key, "Only they themselves can change that")),
        },
    }
}

async fn change_room<T>(
    session: &Session,
    replica: &Arc<Replica>,
    name: &str,
    key: &str,
    mut edit: impl FnMut(&mut Values) -> Result<T, Error>,
    changes: impl Fn(T) -> BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<String>>, Error> {
    let id = session.client.id.clone();
    let mut result = BTreeMap::new();
    let decide = |state: &State| {
        let member = policy::own_operator(state, name, &id)
            .map_err(|_| no_permission(name, key, "Only the channel's operators can change that"))?;
        let (guard, change, done) = own::edited(state, &mut edit)?;
        result = changes(done);
        let guards = vec![guard, Guard::Member(id.to_string(), Is::Equal(member.to_value()))];
        let line = Update::new(name, result.clone()).line().source(member.source()).build();
        Ok(Decision { life: state.within(), guards, changes: vec![change], lines: vec![line] })
    };
    let origin = Some(session.quiet_origin());
    session.node.hub.transact(replica, &session.client.tenure(), origin, decide).await?;
    Ok(result)
}

/// Charges for a change, where the client may make one now. Otherwise it is told its request, to be made again later.
fn pay(session: &mut Session, target: &str, subcommand: &str, rest: &[&str]) -> Result<(), Error> {
    let now = Instant::now();
    if !session.metadata_rate.ready(now) {
        let wait = session.metadata_rate.next().saturating_duration_since(now).as_secs() + 1;
        let wait = wait.to_string();
        let mut request = [&[&wait, target, subcommand], rest].concat();
        let last = request.pop().unwrap_or_default();
        return Err(Error::numeric(Numeric::ERR_METADATARATELIMIT, &request, last));
    }
    session.metadata_rate.spend(1, now);
    Ok(())
}

async fn synchronise(session: &mut Session, target: &str, reply: &mut Reply) -> Result<(), Error> {
    let keys = session.client.metadata_keys();
    if target.eq_ignore_ascii_case(metadata::ALL) && session.registering.is_none() {
        let views = View::all(session);
        sync::tell(session, metadata::ALL, &views, &keys, reply).await;
        return Ok(());
    }
    let found = Target::find(session, target).await?;
    let name = found.name(session);
    let view = match found {
        Target::Room(replica) => View::room(session, &replica),
        Target::Person(nick, inbox) => View::person(nick, inbox),
        Target::Oneself | Target::Nobody => View::of(name.clone(), found.values(session).await?),
    };
    sync::tell(session, &name, &[view], &keys, reply).await;
    Ok(())
}

fn tell(
    session: &Session,
    batch: &Option<Batch>,
    target: &str,
    key: &str,
    value: Option<&str>,
    reply: &mut Reply,
) {
    let nick = session.client.profile().nick.clone();
    reply.line_in(batch, metadata::numeric(&session.client.server, &nick, target, key, value));
}

/// A standard reply that is one line of an answer.
pub(super) fn standard(session: &Session, kind: &str, code: &str, context: &[&str], text: &str) -> String {
    let line = Line::new(kind).source(&session.client.server).param("METADATA").param(code);
    context.iter().fold(line, |line, param| line.param(param)).trailing(text).build()
}

fn invalid(target: &str) -> Error {
    fail("INVALID_TARGET", &[target], "Nobody and no channel that you can see has that name")
}

/// `subcommand` as the client wrote it, where that is one word.
fn invalid_params(subcommand: &str, text: &str) -> Error {
    let is_word = !subcommand.is_empty() && !subcommand.starts_with(':') && !subcommand.contains(' ');
    fail("INVALID_PARAMS", &[if is_word { subcommand } else { "*" }], text)
}

fn no_permission(target: &str, key: &str, text: &str) -> Error {
    fail("KEY_NO_PERMISSION", &[target, key], text)
}

fn fail(code: &'static str, context: &[&str], text: &str) -> Error {
    Error::fail("METADATA", code, context, text)
}

pub(super) const INVALID_KEY: &str = "A key has small letters, digits, `_`, `.`, `/` and `-`";
