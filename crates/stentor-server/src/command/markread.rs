//! MARKREAD: up to which time a conversation has been read (draft/read-marker).
//!
//! An account keeps its markers; a guest's end with the session. Setting one is an entry of the user's own log, so all of
//! the user's sessions are told in one order, wherever they are, and nobody else is.

use stentor_proto::capability::Capability;
use stentor_proto::channel::{ChannelName, is_channel_like};
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::text::truncate_utf8;

use crate::client::Client;
use crate::error::Error;
use crate::hub::clock::{parse_server_time, server_time};
use crate::hub::{Decision, State};
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Guard, Is, Partition};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let Some(target) = message.nonempty(0) else {
        return Err(Error::fail(COMMAND, "NEED_MORE_PARAMS", &[], "Missing parameters"));
    };
    let field = field_of(session, target).await?;
    let Some(time) = message.param(1) else {
        reply.line(line(reply.server(), target, marked(&session.client, &field)));
        return Ok(());
    };
    let wanted = time.strip_prefix("timestamp=").and_then(parse_server_time).ok_or_else(|| invalid(time))?;
    // A clock that is ahead must not hide what comes until then.
    let wanted = wanted.min(session.node.fleet.now().0);
    match set(session, target, &field, wanted, reply).await {
        Err(Error::Silent) => {}
        result => result?,
    }
    Ok(())
}

/// What a client that knows markers is told of the room that it has joined.
pub(crate) fn joined(client: &Client, room: &Partition, channel: &str) -> Option<String> {
    let marked = || line(&client.server, channel, marked(client, &of_room(room)));
    client.has(Capability::ReadMarker).then(marked)
}

async fn set(
    session: &Session,
    target: &str,
    field: &str,
    wanted: u64,
    reply: &mut Reply,
) -> Result<(), Error> {
    let inbox = session.inbox.as_ref().ok_or(Error::Fenced)?;
    let knows = session.client.has(Capability::ReadMarker);
    let origin = if knows { reply.origin(true, true) } else { session.quiet_origin() };
    let news = line(reply.server(), target, Some(wanted));
    let claim = session
        .account
        .as_ref()
        .map(|_| Guard::Field("session".to_owned(), Is::Equal(session.claim_value())));
    let mut newer = None;
    let decide = |state: &State| {
        if state.epoch.is_none() {
            return Err(Error::Fenced);
        }
        let before = state.field(field);
        newer = before.and_then(|before| before.parse().ok()).filter(|before: &u64| *before >= wanted);
        if newer.is_some() {
            return Err(Error::Silent);
        }
        let is = before.map_or(Is::Absent, |before| Is::Equal(before.to_owned()));
        let mut changes = vec![Change::Set(field.to_owned(), wanted.to_string())];
        if before.is_none() {
            changes.extend(surplus(state).map(Change::Unset));
        }
        let guards = claim.iter().cloned().chain([Guard::Field(field.to_owned(), is)]).collect();
        Ok(Decision { life: state.within(), guards, changes, lines: vec![news.clone()] })
    };
    let result = session.node.hub.transact(inbox, &session.client.tenure(), Some(origin), decide).await;
    let result = result.map_err(Error::from);
    if result.is_err() {
        reply.reclaim();
    }
    if newer.is_some() || result.is_ok() && !knows {
        reply.line(line(reply.server(), target, newer.or(Some(wanted))));
    }
    result.map(drop)
}

/// The marker that goes where one more would be too many: that of the conversation which was read longest ago.
fn surplus(state: &State) -> Option<String> {
    let markers = state.fields.iter().filter(|(name, _)| name.starts_with(PREFIX));
    if markers.clone().count() < MOST {
        return None;
    }
    let oldest = markers.min_by_key(|(name, time)| (time.parse::<u64>().unwrap_or_default(), *name));
    oldest.map(|(name, _)| name.clone())
}

/// When the conversation was read last, in milliseconds since the Unix epoch.
fn marked(client: &Client, field: &str) -> Option<u64> {
    client.own_field(field)?.parse().ok()
}

/// What the marker of a conversation is called. That of a room goes by its place, which a renaming leaves as it is.
async fn field_of(session: &Session, target: &str) -> Result<String, Error> {
    let folded = folded(target).ok_or_else(|| invalid(target))?;
    if is_channel_like(target) {
        let held = session.room(&folded).await?;
        let is_hidden = held
            .with_state(|state| state.epoch.is_some() && !policy::is_visible_to(state, &session.client.id));
        // What was read in a room that is secret by now would tell how it is called. No name ends so.
        Ok(if is_hidden { format!("{PREFIX}{folded},") } else { of_room(held.partition()) })
    } else {
        Ok(format!("{PREFIX}{folded}"))
    }
}

fn of_room(place: &Partition) -> String {
    format!("{PREFIX}{}", place.name())
}

/// `None` for what is neither a channel's nor a person's name.
fn folded(target: &str) -> Option<String> {
    if is_channel_like(target) {
        ChannelName::parse(target, LONGEST).ok().map(|name| name.folded().to_owned())
    } else {
        Nick::parse(target, LONGEST).ok().map(|nick| nick.folded().to_owned())
    }
}

fn line(server: &str, target: &str, time: Option<u64>) -> String {
    let time = time.map_or_else(|| "*".to_owned(), |time| format!("timestamp={}", server_time(time)));
    Line::new(COMMAND).source(server).param(target).param(time).build()
}

fn invalid(what: &str) -> Error {
    Error::fail(COMMAND, "INVALID_PARAMS", &[truncate_utf8(what, LONGEST)], "Invalid parameters")
}

const COMMAND: &str = "MARKREAD";
const PREFIX: &str = "read:";
/// How many conversations of one user have a marker.
const MOST: usize = 256;
/// The longest name that has one, in bytes.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_that_was_read_longest_ago_makes_room() {
        let mut state = State::default();
        for n in 1..MOST {
            state.fields.insert(format!("{PREFIX}#{n}"), (1000 - n).to_string());
        }
        state.fields.insert("revision".to_owned(), "1".to_owned());
        assert_eq!(surplus(&state), None);
        state.fields.insert(format!("{PREFIX}#more"), "999999".to_owned());
        assert_eq!(surplus(&state), Some(format!("{PREFIX}#{}", MOST - 1)));
    }

    #[test]
    fn markers_are_of_channels_and_people() {
        assert_eq!(folded("#Room").as_deref(), Some("#room"));
        assert_eq!(folded("Ann").as_deref(), Some("ann"));
        assert_eq!(folded("not a name"), None);
        assert_eq!(folded("*"), None);
    }
}
