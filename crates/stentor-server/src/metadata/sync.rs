//! Telling a client what is set now: of a room and its members, of people whom it monitors, and of itself.

use std::collections::BTreeSet;

use stentor_proto::capability::Capability;
use stentor_proto::numeric::Numeric;

use super::{FIELD, Values};
use crate::error::Error;
use crate::hub::Replica;
use crate::node::people::inbox_of;
use crate::policy;
use crate::reply::{Batch, Reply};
use crate::session::Session;
use crate::store::Partition;

/// A batch that begins with its first line, or at once where an empty one says something too.
struct Page<'a> {
    session: &'a Session,
    target: String,
    keys: &'a BTreeSet<String>,
    batch: Option<Option<Batch>>,
}

impl<'a> Page<'a> {
    fn new(session: &'a Session, target: String, keys: &'a BTreeSet<String>) -> Self {
        Self { session, target, keys, batch: None }
    }

    fn begin(&mut self, reply: &mut Reply) {
        if self.batch.is_none() {
            self.batch = Some(reply.open(BATCH, &[&self.target]));
        }
    }

    async fn add(&mut self, target: &str, values: &Values, reply: &mut Reply) {
        for (key, value) in values.iter().filter(|(key, _)| self.keys.contains(*key)) {
            self.begin(reply);
            reply.room().await;
            let nick = self.session.client.profile().nick.clone();
            let line = super::numeric(&self.session.client.server, &nick, target, key, Some(value));
            if let Some(batch) = &self.batch {
                reply.line_in(batch, line);
            }
        }
    }

    fn end(self, reply: &mut Reply) {
        reply.close(self.batch.flatten());
    }
}

/// What somebody who has just joined, or wants to hear of more keys, is told: all that those keys have in the room, or, in
/// a large one, that it may be asked for later.
///
/// # Errors
/// The store's.
pub async fn joined(
    session: &mut Session,
    replica: &Replica,
    keys: &BTreeSet<String>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if keys.is_empty() || !session.client.has(Capability::Metadata) {
        return Ok(());
    }
    if replica.with_state(|state| state.members.len()) > MEMBERS {
        let name = name_of(replica);
        reply.bare(Numeric::RPL_METADATASYNCLATER, &[&name, RETRY_AFTER]);
        return Ok(());
    }
    room(session, replica, keys, false, reply).await
}

/// Tells what these keys have in a room: its own values and its members'. `whole`: also as an empty batch.
///
/// # Errors
/// The store's.
pub async fn room(
    session: &mut Session,
    replica: &Replica,
    keys: &BTreeSet<String>,
    whole: bool,
    reply: &mut Reply,
) -> Result<(), Error> {
    let name = name_of(replica);
    let (values, members) = replica.with_state(|state| {
        let others = state.members.iter().filter(|(id, _)| **id != session.client.id);
        let members: Vec<(String, Partition)> = others
            .map(|(id, member)| (member.nick.clone(), inbox_of(member.account.as_deref(), id)))
            .collect();
        (super::read(state.field(FIELD)), members)
    });
    session.charge_targets(members.len(), MEMBERS_PER_LINE);
    let mut page = Page::new(session, name.clone(), keys);
    if whole {
        page.begin(reply);
    }
    page.add(&name, &values, reply).await;
    for some in members.chunks(MEMBERS_PER_LINE) {
        let partitions: Vec<Partition> = some.iter().map(|(_, partition)| partition.clone()).collect();
        let peeks = match session.node.hub.store().peek(&partitions, &[FIELD]).await {
            Ok(peeks) => peeks,
            Err(error) => {
                page.end(reply);
                return Err(error.into());
            }
        };
        for ((nick, _), peek) in some.iter().zip(peeks) {
            let values = super::read(peek.fields.first().and_then(Option::as_deref));
            page.add(nick, &values, reply).await;
        }
    }
    page.end(reply);
    Ok(())
}

/// Tells what the client's keys have of a person, as an answer of its own.
pub async fn person(
    session: &Session,
    nick: &str,
    values: &Values,
    keys: &BTreeSet<String>,
    reply: &mut Reply,
) {
    let mut page = Page::new(session, nick.to_owned(), keys);
    page.begin(reply);
    page.add(nick, values, reply).await;
    page.end(reply);
}

/// Tells a client that monitors people what its keys have of those who are here, by nick and place of private messages.
///
/// # Errors
/// The store's.
pub async fn monitored(
    session: &Session,
    people: &[(String, Partition)],
    keys: &BTreeSet<String>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if people.is_empty() || keys.is_empty() || !session.client.has(Capability::Metadata) {
        return Ok(());
    }
    let partitions: Vec<Partition> = people.iter().map(|(_, partition)| partition.clone()).collect();
    let peeks = session.node.hub.store().peek(&partitions, &[FIELD]).await?;
    for ((nick, _), peek) in people.iter().zip(peeks) {
        let values = super::read(peek.fields.first().and_then(Option::as_deref));
        let mut page = Page::new(session, nick.clone(), keys);
        page.add(nick, &values, reply).await;
        page.end(reply);
    }
    Ok(())
}

/// Tells a client at its welcome what it says about itself.
pub fn welcome(session: &Session, reply: &mut Reply) {
    if !session.client.has(Capability::Metadata) {
        return;
    }
    let nick = session.client.profile().nick.clone();
    let batch = reply.open(BATCH, &[&nick]);
    for (key, value) in super::own::values(session) {
        reply.line_in(&batch, super::numeric(&session.client.server, &nick, &nick, &key, Some(&value)));
    }
    reply.close(batch);
}

fn name_of(replica: &Replica) -> String {
    replica.with_state(|state| policy::name(state, replica.partition().name()).to_owned())
}

/// The batches of metadata.
pub const BATCH: &str = "metadata";
/// Of a room with more members, clients are told at once of no metadata: they ask with SYNC.
pub const MEMBERS: usize = 100;
/// So many members cost as much as one more line.
pub const MEMBERS_PER_LINE: usize = 64;
/// After how many seconds to ask for the metadata of a large room.
const RETRY_AFTER: &str = "4";
