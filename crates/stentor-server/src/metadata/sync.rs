//! Telling a client what is set now: of a room and its members, of people whom it monitors, and of itself.

use std::collections::{BTreeSet, HashSet};

use stentor_proto::capability::Capability;
use stentor_proto::numeric::Numeric;

use super::{ALL, BATCH, FIELD, Values, own};
use crate::command::monitor;
use crate::error::Error;
use crate::hub::Replica;
use crate::node::people::inbox_of;
use crate::policy;
use crate::reply::{Batch, Reply};
use crate::session::Session;
use crate::store::Partition;

/// What a client sees by one name: the values there, and the people who come with it.
#[derive(Debug)]
pub struct View {
    name: String,
    values: Values,
    /// By nick, each with the place of private messages, where the values are.
    people: Vec<(String, Partition)>,
}

impl View {
    /// Values that are known already.
    #[must_use]
    pub fn of(name: String, values: Values) -> Self {
        Self { name, values, people: Vec::new() }
    }

    /// A person whose values are to be read.
    #[must_use]
    pub fn person(nick: String, inbox: Partition) -> Self {
        Self { name: nick.clone(), values: Values::new(), people: vec![(nick, inbox)] }
    }

    /// A room with those members whom the session is shown.
    #[must_use]
    pub fn room(session: &Session, replica: &Replica) -> Self {
        replica.with_state(|state| {
            let viewer = state.members.get(&session.client.id).map(|member| &**member);
            let shown = state
                .members
                .iter()
                .filter(|(id, member)| **id == session.client.id || policy::shows(state, viewer, member));
            Self {
                name: policy::name(state, replica.partition().name()).to_owned(),
                values: super::read(state.field(FIELD)),
                people: shown
                    .map(|(id, member)| (member.nick.clone(), inbox_of(member.account.as_deref(), id)))
                    .collect(),
            }
        })
    }

    /// All that the session sees: itself, its rooms with their members, and those whom it monitors, each once.
    #[must_use]
    pub fn all(session: &Session) -> Vec<Self> {
        let nick = session.client.profile().nick.clone();
        let monitored: Vec<_> = session.monitored.values().filter_map(monitor::person).collect();
        let rooms = session.client.rooms();
        let mut views = vec![Self::of(nick, own::values(session))];
        views.extend(rooms.iter().map(|replica| Self::room(session, replica)));
        views.push(Self { name: ALL.to_owned(), values: Values::new(), people: monitored });
        let mut known: HashSet<Partition> =
            session.inbox.iter().map(|inbox| inbox.partition().clone()).collect();
        for view in &mut views {
            view.people.retain(|(_, inbox)| known.insert(inbox.clone()));
        }
        views
    }
}

/// A batch under way.
struct Page<'a> {
    session: &'a Session,
    keys: &'a BTreeSet<String>,
    batch: Option<Batch>,
}

impl<'a> Page<'a> {
    fn begin(session: &'a Session, target: &str, keys: &'a BTreeSet<String>, reply: &mut Reply) -> Self {
        Self { session, keys, batch: reply.open(BATCH, &[target]) }
    }

    async fn add(&self, target: &str, values: &Values, reply: &mut Reply) {
        for (key, value) in values.iter().filter(|(key, _)| self.keys.contains(*key)) {
            reply.room().await;
            reply.line_in(&self.batch, super::news(&self.session.client, target, key, Some(value)));
        }
    }

    /// Adds a view as far as it can be read.
    async fn add_view(&self, view: &View, reply: &mut Reply) -> Result<(), Error> {
        if self.keys.is_empty() {
            return Ok(());
        }
        self.add(&view.name, &view.values, reply).await;
        for some in view.people.chunks(MEMBERS_PER_LINE) {
            for ((nick, _), values) in some.iter().zip(values_of(self.session, some).await?) {
                self.add(nick, &values, reply).await;
            }
        }
        Ok(())
    }

    fn end(self, reply: &mut Reply) {
        reply.close(self.batch);
    }
}

/// What somebody who has just joined is told: all that the client's keys have in the room, or, in a large one, that it may
/// be asked for later.
///
/// # Errors
/// The store's.
pub async fn joined(
    session: &mut Session,
    replica: &Replica,
    keys: &BTreeSet<String>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if !super::is_wanted(&session.client) {
        return Ok(());
    }
    let (name, members) = replica.with_state(|state| {
        (policy::name(state, replica.partition().name()).to_owned(), state.members.len())
    });
    if keys.is_empty() {
        Page::begin(session, &name, keys, reply).end(reply);
        return Ok(());
    }
    if members > MEMBERS {
        later(&name, reply);
        return Ok(());
    }
    let view = View::room(session, replica);
    session.charge_targets(view.people.len(), MEMBERS_PER_LINE);
    let page = Page::begin(session, &view.name, keys, reply);
    let read = page.add_view(&view, reply).await;
    page.end(reply);
    read
}

/// What follows new subscriptions: what those keys have wherever the client sees it, or that it may be asked for later. The
/// latter is told also to those who see nothing but themselves yet, as clients know it from Ergo.
pub async fn subscribed(session: &mut Session, keys: &BTreeSet<String>, reply: &mut Reply) {
    // Their members are counted before they are looked at: in several rooms there may be the same people.
    let sizes: Vec<usize> = session
        .client
        .rooms()
        .iter()
        .map(|replica| replica.with_state(|state| state.members.len()))
        .collect();
    let is_large = sizes.iter().any(|size| *size > MEMBERS) || sizes.iter().sum::<usize>() > 10 * MEMBERS;
    let views = if is_large { Vec::new() } else { View::all(session) };
    let people: usize = views.iter().map(|view| view.people.len()).sum();
    let is_alone = sizes.is_empty() && people == 0;
    // The second draft has nothing to tell then, and does not know this target.
    if is_alone && !session.client.has(Capability::Metadata) {
        return;
    }
    if is_large || is_alone || people > MEMBERS {
        later(ALL, reply);
    } else {
        tell(session, ALL, &views, keys, reply).await;
    }
}

/// Tells what these keys have in some views, as one batch, also as an empty one. Of what cannot be read the client is told
/// to ask later.
pub async fn tell(
    session: &mut Session,
    target: &str,
    views: &[View],
    keys: &BTreeSet<String>,
    reply: &mut Reply,
) {
    session.charge_targets(views.iter().map(|view| view.people.len()).sum(), MEMBERS_PER_LINE);
    let page = Page::begin(session, target, keys, reply);
    let mut unread = Vec::new();
    for view in views {
        if let Err(error) = page.add_view(view, reply).await {
            tracing::debug!(?error, target = view.name, "metadata cannot be read now");
            unread.push(view.name.as_str());
        }
    }
    page.end(reply);
    unread.into_iter().for_each(|name| later(name, reply));
}

/// Tells a client that monitors people, and has just been told that these are here, what its keys have of them: a batch for
/// each, also an empty one.
pub async fn monitored(session: &mut Session, people: &[(String, Partition)], reply: &mut Reply) {
    if people.is_empty() || !super::is_wanted(&session.client) {
        return;
    }
    session.charge_targets(people.len(), MEMBERS_PER_LINE);
    let keys = session.client.metadata_keys();
    for some in people.chunks(MEMBERS_PER_LINE) {
        let values = match keys.is_empty() {
            true => Ok(vec![Values::new(); some.len()]),
            false => values_of(session, some).await,
        };
        match values {
            Ok(values) => {
                for ((nick, _), values) in some.iter().zip(&values) {
                    let page = Page::begin(session, nick, &keys, reply);
                    page.add(nick, values, reply).await;
                    page.end(reply);
                    reply.room().await;
                }
            }
            Err(error) => {
                tracing::debug!(?error, "the metadata of monitored people cannot be read now");
                some.iter().for_each(|(nick, _)| later(nick, reply));
            }
        }
    }
}

/// Tells a client at its welcome what it says about itself.
pub fn welcome(session: &Session, reply: &mut Reply) {
    if !super::is_wanted(&session.client) {
        return;
    }
    let nick = session.client.profile().nick.clone();
    let batch = reply.open(BATCH, &[&nick]);
    for (key, value) in own::values(session) {
        reply.line_in(&batch, super::news(&session.client, &nick, &key, Some(&value)));
    }
    reply.close(batch);
}

async fn values_of(session: &Session, people: &[(String, Partition)]) -> Result<Vec<Values>, Error> {
    let partitions: Vec<Partition> = people.iter().map(|(_, partition)| partition.clone()).collect();
    let peeks = session.node.hub.store().peek(&partitions, &[FIELD]).await?;
    Ok(peeks.iter().map(|peek| super::read(peek.fields.first().and_then(Option::as_deref))).collect())
}

fn later(target: &str, reply: &mut Reply) {
    reply.numeric(Numeric::ERR_METADATASYNCLATER, &[target, RETRY_AFTER], super::LATER);
}

/// With more people, clients are told at once of no metadata: they ask with SYNC.
pub const MEMBERS: usize = 100;
/// So many members cost as much as one more line.
pub const MEMBERS_PER_LINE: usize = 64;
/// After how many seconds to ask for what was too much at once.
const RETRY_AFTER: &str = "4";
