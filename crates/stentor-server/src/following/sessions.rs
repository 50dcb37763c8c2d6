//! The feeds that a session hears, and its own.

use std::sync::Arc;
use std::time::Instant;

use stentor_proto::message::Message;

use super::audience::{MASKS_TAG, PLACE_TAG, ROOM_TAG, Room, hears_rooms, is_for_people};
use super::links::{self, Publisher};
use super::record::{FEED, NAME, ROOMS, Subscriber, Subscription, follow_field, subscriptions};
use crate::client::Profile;
use crate::cursor::Marks;
use crate::error::Error;
use crate::hub::msgid::MessageId;
use crate::hub::{Decision, Held, Refusal, State, clock};
use crate::session::Session;
use crate::store::{Change, Entry, EntryId, Epoch, Guard, Is, Partition, StoreError};

/// A feed that a session hears.
#[derive(Debug)]
pub struct Followed {
    /// The copy of the feed. The session's client is among those whom its lines reach, where it is a subscriber.
    pub held: Held,
}

impl Followed {
    /// The publisher's name as its owner writes it; `folded` where the feed is gone.
    #[must_use]
    pub fn name(&self, folded: &str) -> String {
        self.held.with_state(|state| state.field(NAME).unwrap_or(folded).to_owned())
    }

    /// The subscription of the account that `session` is logged in to, where it stands.
    #[must_use]
    pub fn subscriber(&self, session: &Session) -> Option<Subscriber> {
        let claim = session.account.as_ref()?;
        let subscriber = self.held.with_state(|state| Subscriber::find(state, &claim.folded))?;
        (subscriber.epoch == claim.epoch).then_some(subscriber)
    }
}

/// What a session that is logged in guards its account's changes by.
#[must_use]
pub fn guard(session: &Session) -> Guard {
    Guard::Field("session".to_owned(), Is::Equal(session.claim_value()))
}

/// The subscriptions that the session's account notes, by the publisher's folded account, sorted.
#[must_use]
pub fn noted(session: &Session) -> Vec<(String, Subscription)> {
    let Some(inbox) = session.inbox.as_ref().filter(|_| session.account.is_some()) else { return Vec::new() };
    let mut noted: Vec<(String, Subscription)> = inbox.with_state(|state| {
        subscriptions(state).map(|(publisher, subscription)| (publisher.to_owned(), subscription)).collect()
    });
    noted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    noted
}

/// Takes hold of the feeds that the session's account follows and the session does not hear yet; nothing of them reaches the
/// client before [`open`]. Notes of subscriptions that are gone are taken away. Returns the newly held ones, with up to where
/// each has been read. Where a feed cannot be read now, the session is deaf until this succeeds.
pub async fn take_up(session: &mut Session) -> Vec<(String, Subscription)> {
    match hold_all(session).await {
        Ok(held) => {
            session.is_deaf = false;
            held
        }
        Err(error) => {
            tracing::debug!(%error, "the feeds that an account follows cannot be read now");
            session.is_deaf = true;
            Vec::new()
        }
    }
}

async fn hold_all(session: &mut Session) -> Result<Vec<(String, Subscription)>, StoreError> {
    let Some(claim) = session.account.clone() else { return Ok(Vec::new()) };
    let mut missing = noted(session);
    missing.retain(|(publisher, _)| !session.following.contains_key(publisher));
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let hub = session.node.hub.clone();
    let feeds: Vec<Partition> = missing.iter().map(|(publisher, _)| Partition::feed(publisher)).collect();
    let field = super::record::subscriber_field(&claim.folded);
    let peeks = hub.store().peek(&feeds, &[&field]).await?;
    let mut waiting = Vec::new();
    let mut stale = Vec::new();
    for ((publisher, subscription), peek) in missing.into_iter().zip(peeks) {
        let subscriber = peek.fields.into_iter().next().flatten();
        let subscriber = subscriber.and_then(|value| value.parse::<Subscriber>().ok());
        let stands = subscriber.is_some_and(|subscriber| subscriber.epoch == claim.epoch);
        if stands && peek.epoch == Some(subscription.epoch) {
            waiting.push((publisher, subscription));
        } else {
            stale.push(publisher);
        }
    }
    let mut feeds = Vec::with_capacity(waiting.len());
    for some in waiting.chunks(AT_ONCE) {
        let holding: Vec<_> = some
            .iter()
            .map(|(publisher, _)| {
                let (hub, feed) = (hub.clone(), Partition::feed(publisher));
                session.node.tasks.spawn(async move { hub.hold(&feed).await })
            })
            .collect();
        for ((publisher, subscription), held) in some.iter().zip(holding) {
            let stopped = |_| StoreError::Unavailable("the node stops".to_owned());
            feeds.push((publisher, *subscription, held.await.map_err(stopped)??));
        }
    }
    // All or none: the next attempt leaves out what is in here, and nobody else would open it.
    let mut taken = Vec::with_capacity(feeds.len());
    for (publisher, subscription, held) in feeds {
        held.add_local_shut(session.client.clone());
        session.following.insert(publisher.clone(), Followed { held });
        taken.push((publisher.clone(), subscription));
    }
    for publisher in stale {
        tidy(session, &publisher).await;
    }
    Ok(taken)
}

/// Takes the note of a subscription away that is gone.
pub async fn tidy(session: &mut Session, publisher: &str) {
    let (hub, tenure) = (session.node.hub.clone(), session.client.tenure());
    let Some(claim) = session.account.as_ref().map(|claim| claim.folded.clone()) else { return };
    let Some(own) = session.inbox.as_ref().map(Held::replica) else { return };
    let gone = links::unsubscribe(&hub, &tenure, publisher, &claim, &[]).await;
    let result = match gone {
        Ok(()) | Err(Refusal::Rule(()) | Refusal::Store(StoreError::Gone)) => {
            links::forget(&hub, &tenure, &own, &guard(session), publisher).await
        }
        Err(_) => Err(Error::Contended),
    };
    if let Err(error) = result {
        return tracing::debug!(?error, "the note of a subscription that is gone stays for now");
    }
    let_go(session, publisher);
}

/// Lets go of a feed.
pub fn let_go(session: &mut Session, publisher: &str) {
    if let Some(followed) = session.following.remove(publisher) {
        followed.held.remove_local(&session.client.id);
    }
    session.client.cursor.forget(publisher);
}

/// What of a feed was read from its log.
#[derive(Clone, Copy, Debug)]
pub enum Read {
    /// Nothing: the client fetches it.
    Nothing,
    /// All up to this entry, and what came after it is still to be read.
    UpTo(EntryId),
    /// All up to this entry, and what came after it was held.
    UpToHeld(EntryId),
}

/// Keeps further posts of a feed until it is opened, and returns its newest entry.
#[must_use]
pub fn hold(session: &Session, publisher: &str) -> EntryId {
    let followed = session.following.get(publisher);
    followed.map(|followed| followed.held.hold_local(&session.client.id)).unwrap_or_default()
}

/// Makes further posts of a feed reach the client, unless something is still to be read: false then. `marks` is what the
/// client has read where it was sent, or can fetch, all up to an entry.
pub fn open(
    session: &Session,
    publisher: &str,
    epoch: Epoch,
    read: Read,
    marks: impl FnOnce(EntryId) -> Marks,
) -> bool {
    let Some(followed) = session.following.get(publisher) else { return false };
    let Some((_, newest)) = links::newest(&followed.held) else { return false };
    let (up_to, after) = match read {
        Read::Nothing => (newest, None),
        Read::UpTo(entry) => (entry, Some(entry)),
        Read::UpToHeld(entry) => (entry, None),
    };
    // First, so that a post that comes as soon as the feed is open is counted.
    session.client.cursor.start_feed(publisher, epoch, marks(up_to));
    let is_open = followed.held.open_local(&session.client.id, after).is_some();
    if !is_open {
        session.client.cursor.forget(publisher);
    }
    is_open
}

/// Begins to hear a feed from now on: the session is about to subscribe to it.
///
/// # Errors
/// The store's; [`Error::Contended`] where the feed is gone.
pub async fn begin(session: &mut Session, publisher: &Publisher) -> Result<Subscription, Error> {
    let held = session.node.hub.hold(&Partition::feed(&publisher.folded)).await?;
    let (epoch, seen) = links::newest(&held).ok_or(Error::Contended)?;
    held.add_local(session.client.clone());
    session.client.cursor.start_feed(&publisher.folded, epoch, Marks::new(seen, seen, false, Instant::now()));
    session.following.insert(publisher.folded.clone(), Followed { held });
    Ok(Subscription { epoch, seen })
}

/// The account's own feed, where it may have one.
///
/// # Errors
/// The store's.
pub async fn own_feed(session: &mut Session) -> Result<Option<Held>, Error> {
    let (Some(claim), Some(inbox)) = (&session.account, &session.inbox) else { return Ok(None) };
    if !inbox.with_state(|state| state.field(FEED).is_some()) {
        return Ok(None);
    }
    session.node.hub.hold(&Partition::feed(&claim.folded)).await.map(Some).map_err(Error::from)
}

/// Keeps hold of the account's own feed from now on, where it has one. True where it does.
///
/// # Errors
/// The store's.
pub async fn keep_own_feed(session: &mut Session) -> Result<bool, Error> {
    if session.feed.is_none() {
        session.feed = own_feed(session).await?;
    }
    Ok(session.feed.is_some())
}

/// Whether what the session says in rooms is to be told to followers.
pub async fn tells_rooms(session: &mut Session) -> bool {
    let is_off =
        session.inbox.as_ref().is_none_or(|inbox| inbox.with_state(|state| state.field(ROOMS).is_some()));
    if is_off || session.account.is_none() {
        return false;
    }
    match keep_own_feed(session).await {
        Ok(true) => session.feed.as_ref().is_some_and(|feed| feed.with_state(hears_rooms)),
        Ok(false) => false,
        Err(error) => {
            tracing::debug!(?error, "followers are not told of a room's message");
            false
        }
    }
}

/// Tells followers what the session has said in an open room. It is stored nowhere and may be lost.
pub async fn tell(
    session: &Session,
    profile: &Profile,
    tags: &str,
    room: &Room,
    at: &Partition,
    entry: &Entry,
) {
    let Some(feed) = &session.feed else { return };
    // Of several lines, the first that says something: a post is one line.
    let said = entry.body.lines.iter().filter_map(|line| Message::parse(line).ok());
    let said = said.filter_map(|said| said.param(1).map(str::to_owned)).find(|text| !text.is_empty());
    let Some(text) = said.filter(|text| is_for_people(text)) else { return };
    let mut line = profile
        .line("PUBLISH")
        .tag("time", clock::server_time(entry.id.ms))
        .tag("msgid", MessageId::new(at, entry.epoch, entry.id, 0))
        .tag(ROOM_TAG, &room.name)
        .raw_tags(tags)
        .trailing(text);
    if let Some(place) = &room.place {
        line = line.tag(PLACE_TAG, place);
    }
    if !room.masks.is_empty() {
        line = line.tag(MASKS_TAG, &room.masks);
    }
    if let Err(error) = session.node.hub.publish(feed.partition(), &session.client.id, &line.build()).await {
        tracing::debug!(%error, "followers were not told of a room's message");
    }
}

/// Sets or takes away a field of the session's account.
///
/// # Errors
/// The store's.
pub async fn set_own(session: &Session, change: Change) -> Result<(), Error> {
    let inbox = session.inbox.as_ref().ok_or(Error::Fenced)?;
    let guard = guard(session);
    let decide = |state: &State| {
        Ok::<_, Error>(Decision {
            life: state.within(),
            guards: vec![guard.clone()],
            changes: vec![change.clone()],
            lines: Vec::new(),
        })
    };
    session.node.hub.transact(inbox, &session.client.tenure(), None, decide).await?;
    Ok(())
}

/// Whether the account notes that it follows `publisher`.
#[must_use]
pub fn notes(session: &Session, publisher: &str) -> bool {
    let field = follow_field(publisher);
    let inbox = session.inbox.as_ref().filter(|_| session.account.is_some());
    inbox.is_some_and(|inbox| inbox.with_state(|state| state.field(&field).is_some()))
}

/// The own feed, kept; made where there is none.
///
/// # Errors
/// The store's; [`Error::Fenced`] where the session is over.
pub async fn make_own_feed(session: &mut Session) -> Result<Arc<crate::hub::Replica>, Error> {
    let claim = session.account.as_ref().ok_or(Error::Fenced)?;
    let publisher = Publisher::from(claim);
    let owner = publisher.epoch.to_string();
    let is_there = |held: &Held| held.with_state(|state| state.field(super::record::OWNER) == Some(&owner));
    if !session.feed.as_ref().is_some_and(is_there) {
        links::ensure(&session.node.hub, &session.client.tenure(), &publisher).await?;
        if session.feed.is_none() {
            session.feed = Some(session.node.hub.hold(&Partition::feed(&publisher.folded)).await?);
        }
    }
    session.feed.as_ref().map(Held::replica).ok_or(Error::Fenced)
}

/// How many feeds are taken hold of at once.
const AT_ONCE: usize = 16;
