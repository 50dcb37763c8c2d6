//! Making and ending subscriptions: two partitions change, in an order that whoever comes later can repair.

use std::sync::Arc;

use super::record::{
    FEED, Mode, NAME, OWNER, REFUSE, Subscriber, Subscription, follow_field, refused_field, subscriber_field,
    subscribers,
};
use crate::error::Error;
use crate::hub::{Decision, Hub, Refusal, Replica, State};
use crate::session::AccountClaim;
use crate::store::{Change, Entry, EntryId, Epoch, Guard, Is, Life, Partition};
use crate::tenure::Tenure;

/// An account that can be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// As its owner writes it.
    pub name: String,
    /// In the form that all spellings share.
    pub folded: String,
    /// Which owner of the name this is.
    pub epoch: Epoch,
}

/// Why an account does not become a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The publisher refuses it, or everybody.
    Refused,
    /// So many follow already.
    Full,
    /// Something failed.
    Error(Error),
}

impl From<&AccountClaim> for Publisher {
    fn from(claim: &AccountClaim) -> Self {
        Self { name: claim.name.clone(), folded: claim.folded.clone(), epoch: claim.epoch }
    }
}

impl From<Refusal<Self>> for Denied {
    fn from(refusal: Refusal<Self>) -> Self {
        match refusal {
            Refusal::Rule(denied) => denied,
            Refusal::Store(error) => Self::Error(Error::Store(error)),
            Refusal::Contended => Self::Error(Error::Contended),
            Refusal::Fenced => Self::Error(Error::Fenced),
        }
    }
}

/// The account of this folded name, where there is one.
///
/// # Errors
/// The store's.
pub async fn find(hub: &Hub, folded: &str) -> Result<Option<Publisher>, Error> {
    let peek = hub.store().peek_one(&Partition::account(folded), &["name", "removed"]).await?;
    let mut fields = peek.fields.into_iter();
    let (name, removed) = (fields.next().flatten(), fields.next().flatten());
    Ok(peek.epoch.zip(name).filter(|_| removed.is_none()).map(|(epoch, name)| Publisher {
        name,
        folded: folded.to_owned(),
        epoch,
    }))
}

/// Sees to it that the account has a feed of its own. The account notes it first, so that its sessions look for it.
///
/// # Errors
/// The store's; [`Error::Contended`] also where the account is being removed.
pub async fn ensure(hub: &Hub, tenure: &Tenure, publisher: &Publisher) -> Result<(), Error> {
    let (account, feed) = (Partition::account(&publisher.folded), Partition::feed(&publisher.folded));
    let owner = publisher.epoch.to_string();
    for _ in 0..ATTEMPTS {
        let peek = hub.store().peek_one(&feed, &[OWNER]).await?;
        let is_own = peek.fields.first().is_some_and(|field| field.as_ref() == Some(&owner));
        let life = match peek.epoch {
            Some(_) if is_own => return Ok(()),
            Some(earlier) => Life::Renew(earlier, Epoch::random()),
            None => Life::Begin(Epoch::random()),
        };
        let note = Decision {
            guards: vec![Guard::Field("removed".to_owned(), Is::Absent)],
            changes: vec![set(FEED, "on")],
            ..Decision::default()
        };
        if hub.write_blind::<Error>(tenure, &account, Life::Within(publisher.epoch), note).await?.is_none() {
            break;
        }
        let begin =
            Decision { changes: vec![set(OWNER, &owner), set(NAME, &publisher.name)], ..Decision::default() };
        hub.write_blind::<Error>(tenure, &feed, life, begin).await?;
    }
    Err(Error::Contended)
}

/// Notes in the account, of which `own` is a copy, that it is about to follow.
///
/// # Errors
/// The store's.
pub async fn note(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    own: &Arc<Replica>,
    session: &Guard,
    publisher: &str,
    subscription: Subscription,
) -> Result<(), Error> {
    let change = Change::Set(follow_field(publisher), subscription.to_string());
    change_own(hub, tenure, own, session, change).await
}

/// Takes that note away, once the subscription is gone.
///
/// # Errors
/// The store's.
pub async fn forget(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    own: &Arc<Replica>,
    session: &Guard,
    publisher: &str,
) -> Result<(), Error> {
    change_own(hub, tenure, own, session, Change::Unset(follow_field(publisher))).await
}

async fn change_own(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    own: &Arc<Replica>,
    session: &Guard,
    change: Change,
) -> Result<(), Error> {
    let decide = |state: &State| {
        // The account's session is another one by now.
        let epoch = state.epoch.ok_or(Error::Fenced)?;
        Ok(Decision {
            life: Some(Life::Within(epoch)),
            guards: vec![session.clone()],
            changes: vec![change.clone()],
            lines: Vec::new(),
        })
    };
    hub.transact(own, tenure, None, decide).await?;
    Ok(())
}

/// Makes the account `follower` a subscriber of the feed, or changes its mode. What was posted before is not for it.
///
/// # Errors
/// See [`Denied`].
pub async fn subscribe(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    feed: &Arc<Replica>,
    publisher: &Publisher,
    follower: &AccountClaim,
    mode: Mode,
    most: crate::config::Limit,
) -> Result<Arc<Entry>, Denied> {
    let field = subscriber_field(&follower.folded);
    let owner = publisher.epoch.to_string();
    let decide = |state: &State| {
        if state.epoch.is_none() || state.field(OWNER) != Some(&owner) {
            return Err(Denied::Error(Error::Contended));
        }
        let known = state.field(&field).map(str::to_owned);
        let before = known.as_deref().and_then(|value| value.parse::<Subscriber>().ok());
        let before = before.filter(|before| before.epoch == follower.epoch);
        let mut guards = vec![Guard::Field(field.clone(), known.map_or(Is::Absent, Is::Equal))];
        if before.is_none() {
            may_subscribe(state, &follower.folded, most)?;
            guards.push(Guard::Field(REFUSE.to_owned(), Is::Absent));
            guards.push(Guard::Field(refused_field(&follower.folded), Is::Absent));
        }
        let newest = state.last.as_ref().map(|last| last.id).unwrap_or_default();
        let since = before.map_or(newest, |before| before.since);
        let subscriber = Subscriber { mode, epoch: follower.epoch, since, name: follower.name.clone() };
        let changes = vec![Change::Set(field.clone(), subscriber.to_string())];
        Ok(Decision { life: state.within(), guards, changes, lines: Vec::new() })
    };
    Ok(hub.transact(feed, tenure, None, decide).await?)
}

/// Whether somebody new may follow.
///
/// # Errors
/// [`Denied::Refused`] and [`Denied::Full`].
pub fn may_subscribe(feed: &State, follower: &str, most: crate::config::Limit) -> Result<(), Denied> {
    if feed.field(REFUSE).is_some() || feed.field(&refused_field(follower)).is_some() {
        return Err(Denied::Refused);
    }
    if most.has_room(subscribers(feed).count()) { Ok(()) } else { Err(Denied::Full) }
}

/// Ends the subscription of the account `follower`, where there is one, and makes `more` changes to the feed with it. A
/// commit is made in any case: an earlier one of this node that has not arrived will not do so after it.
///
/// # Errors
/// The store's; [`Refusal::Rule`] where there is no feed.
pub async fn unsubscribe(
    hub: &Hub,
    tenure: &Tenure,
    publisher: &str,
    follower: &str,
    more: &[Change],
) -> Result<(), Refusal<()>> {
    let changes: Vec<Change> =
        std::iter::once(Change::Unset(subscriber_field(follower))).chain(more.iter().cloned()).collect();
    let decide = |peek: &crate::store::Peek| match peek.epoch {
        Some(_) => Ok(Decision { changes: changes.clone(), ..Decision::default() }),
        None => Err(()),
    };
    hub.write(tenure, &Partition::feed(publisher), &[], decide).await.map(drop)
}

/// Takes the subscriptions away that an account does not know of, at most [`AT_ONCE`] of those given: an account was
/// removed in the middle of it all, or a store lost what was written last. Returns how many.
///
/// # Errors
/// The store's.
pub async fn drop_ghosts(
    hub: &Hub,
    tenure: &Tenure,
    publisher: &str,
    epoch: Epoch,
    some: &[(String, Subscriber)],
) -> Result<usize, Refusal<()>> {
    let field = follow_field(publisher);
    let accounts: Vec<Partition> = some.iter().map(|(follower, _)| Partition::account(follower)).collect();
    let peeks = hub.store().peek(&accounts, &[&field]).await?;
    let is_ghost = |subscriber: &Subscriber, peek: &crate::store::Peek| {
        peek.epoch != Some(subscriber.epoch) || !peek.fields.iter().any(Option::is_some)
    };
    let ghosts = some.iter().zip(&peeks).filter(|((_, subscriber), peek)| is_ghost(subscriber, peek));
    let (guards, changes): (Vec<Guard>, Vec<Change>) = ghosts
        .take(AT_ONCE)
        .map(|((follower, subscriber), _)| {
            let field = subscriber_field(follower);
            (Guard::Field(field.clone(), Is::Equal(subscriber.to_string())), Change::Unset(field))
        })
        .unzip();
    let count = changes.len();
    if count > 0 {
        let decision = Decision { guards, changes, ..Decision::default() };
        hub.write_blind(tenure, &Partition::feed(publisher), Life::Within(epoch), decision).await?;
    }
    Ok(count)
}

/// The feed's newest entry, as far as it is applied here, and its epoch.
#[must_use]
pub fn newest(feed: &Replica) -> Option<(Epoch, EntryId)> {
    feed.with_state(|state| Some((state.epoch?, state.last.as_ref()?.id)))
}

fn set(field: &str, value: &str) -> Change {
    Change::Set(field.to_owned(), value.to_owned())
}

/// How often others may come in between.
const ATTEMPTS: usize = 8;
/// How many subscriptions one commit takes away: fewer than a store allows guards.
pub const AT_ONCE: usize = 256;
