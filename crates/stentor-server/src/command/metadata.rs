//! METADATA: what people and rooms say about themselves, by the draft `draft/metadata-3`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use stentor_proto::capability::Capability;
use stentor_proto::channel::is_channel_like;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::hub::{Decision, Held, Replica, State};
use crate::metadata::{self, Update, Values, own, sync};
use crate::policy;
use crate::reply::{Batch, Reply};
use crate::session::Session;
use crate::store::{Guard, Is, Partition};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if session.registering.is_some() && !session.client.has(Capability::Metadata) {
        return Err(super::not_registered());
    }
    let target = message.param(0).unwrap_or_default();
    let rest = message.params().get(2..).unwrap_or_default();
    if session.node.config().limits.metadata_keys == 0 {
        return Err(Error::numeric(Numeric::ERR_UNKNOWNCOMMAND, &[message.command], "Unknown command"));
    }
    let subcommand = message.param(1).unwrap_or_default().to_ascii_uppercase();
    match subcommand.as_str() {
        "GET" | "SET" if rest.is_empty() => Err(super::need_more_params("METADATA")),
        "GET" => get(session, target, rest, reply).await,
        "LIST" => list(session, target, reply).await,
        "SET" => set(session, target, rest, reply).await,
        "CLEAR" => clear(session, target, reply).await,
        "SUB" => super::metadata_keys::subscribe(session, rest, reply).await,
        "UNSUB" => super::metadata_keys::unsubscribe(session, rest, reply),
        "SUBS" => super::metadata_keys::list(session, reply),
        "SYNC" => synchronise(session, target, reply).await,
        _ => Err(fail("SUBCOMMAND_INVALID", &[&subcommand], "There is no such subcommand")),
    }
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
        if session.registering.is_some() {
            return if target == "*" { Ok(Self::Nobody) } else { Err(invalid(target)) };
        }
        if target == "*" || target.eq_ignore_ascii_case(&session.client.profile().nick) {
            return Ok(Self::Oneself);
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
    let batch = reply.open(sync::BATCH, &[&name]);
    for key in keys {
        if metadata::is_key(key) {
            tell(session, &batch, &name, key, values.get(*key).map(String::as_str), reply);
        } else {
            reply.line_in(&batch, failure(session, "KEY_INVALID", &[key], INVALID_KEY));
        }
    }
    reply.close(batch);
    Ok(())
}

async fn list(session: &Session, target: &str, reply: &mut Reply) -> Result<(), Error> {
    let found = Target::find(session, target).await?;
    let (name, values) = (found.name(session), found.values(session).await?);
    let batch = reply.open(sync::BATCH, &[&name]);
    for (key, value) in &values {
        tell(session, &batch, &name, key, Some(value), reply);
    }
    reply.close(batch);
    Ok(())
}

async fn set(session: &mut Session, target: &str, rest: &[&str], reply: &mut Reply) -> Result<(), Error> {
    let (key, value) = (rest.first().copied().unwrap_or_default(), rest.get(1).copied());
    if !metadata::is_key(key) {
        return Err(fail("KEY_INVALID", &[key], INVALID_KEY));
    }
    let limits = session.node.config().limits;
    if value.is_some_and(|value| value.len() > limits.metadata_value) {
        let text = format!("A value has at most {} bytes", limits.metadata_value);
        return Err(fail("INVALID_VALUE", &[key], &text));
    }
    let found = Target::find(session, target).await?;
    let name = found.name(session);
    let edit = |values: &mut Values| match value {
        None if values.remove(key).is_none() => {
            Err(fail("KEY_NOT_SET", &[&name, key], "That key is not set"))
        }
        None => Ok(()),
        Some(_) if values.len() >= limits.metadata_keys && !values.contains_key(key) => {
            let text = format!("There can be no more than {} keys", limits.metadata_keys);
            Err(fail("LIMIT_REACHED", &[&name], &text))
        }
        Some(value) => {
            values.insert(key.to_owned(), value.to_owned());
            Ok(())
        }
    };
    let changes = BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]);
    change(session, &found, &name, key, edit, |()| changes.clone()).await?;
    tell(session, &None, &name, key, value, reply);
    Ok(())
}

async fn clear(session: &mut Session, target: &str, reply: &mut Reply) -> Result<(), Error> {
    let found = Target::find(session, target).await?;
    let name = found.name(session);
    let gone = |values: Values| values.into_keys().map(|key| (key, None)).collect();
    let changes = change(session, &found, &name, "*", |values| Ok(std::mem::take(values)), gone).await?;
    let batch = reply.open(sync::BATCH, &[&name]);
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
    if matches!(target, Target::Person(..)) {
        return Err(no_permission(name, key, "Only they themselves can change that"));
    }
    pay(session, name, key)?;
    match target {
        Target::Room(replica) => change_room(session, replica, name, key, edit, changes).await,
        Target::Oneself => {
            let done = changes(own::change(session, edit).await?);
            own::announce(session, done.clone()).await;
            Ok(done)
        }
        Target::Nobody | Target::Person(..) => {
            let registering = session.registering.as_mut().ok_or(Error::Silent)?;
            Ok(changes(edit(&mut registering.metadata)?))
        }
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

/// Charges for a change, where the client may make one now.
fn pay(session: &mut Session, name: &str, key: &str) -> Result<(), Error> {
    let now = Instant::now();
    if !session.metadata_rate.ready(now) {
        let wait = session.metadata_rate.next().saturating_duration_since(now).as_secs() + 1;
        return Err(fail("RATE_LIMITED", &[name, key, &wait.to_string()], "Too many changes; wait a moment"));
    }
    session.metadata_rate.spend(1, now);
    Ok(())
}

async fn synchronise(session: &mut Session, target: &str, reply: &mut Reply) -> Result<(), Error> {
    let found = Target::find(session, target).await?;
    let keys = session.client.metadata_keys();
    match &found {
        Target::Room(replica) => sync::room(session, replica, &keys, true, reply).await,
        _ => {
            let (name, values) = (found.name(session), found.values(session).await?);
            sync::person(session, &name, &values, &keys, reply).await;
            Ok(())
        }
    }
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

/// A failure that is one line of an answer.
pub(super) fn failure(session: &Session, code: &str, context: &[&str], text: &str) -> String {
    let line = Line::new("FAIL").source(&session.client.server).param("METADATA").param(code);
    context.iter().fold(line, |line, param| line.param(param)).trailing(text).build()
}

fn invalid(target: &str) -> Error {
    fail("INVALID_TARGET", &[target], "Nobody and no channel that you can see has that name")
}

fn no_permission(target: &str, key: &str, text: &str) -> Error {
    fail("KEY_NO_PERMISSION", &[target, key], text)
}

fn fail(code: &'static str, context: &[&str], text: &str) -> Error {
    Error::fail("METADATA", code, context, text)
}

pub(super) const INVALID_KEY: &str = "A key has small letters, digits, `_`, `.`, `/` and `-`";
