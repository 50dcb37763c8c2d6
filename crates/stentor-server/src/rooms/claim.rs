//! Gives a room another name: the new name is claimed before the room changes, and settled afterwards.
//!
//! A node that dies in between leaves a claim behind, under which nobody can create a room of the new name for a few
//! minutes; the room itself is under its old name or under the new one, and found under that.

use super::Rooms;
use super::places::{Places, SETTLED, another};
use crate::commit_identity::{CONFLICTS_MAX, Draft, WriteError, begin_or_within};
use crate::fleet::directory;
use crate::hub::Refusal;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, StoreError, StoreTime};
use crate::tenure::Tenure;

/// A name that a room is about to get.
#[derive(Debug)]
#[must_use]
pub struct Claim {
    /// Folded.
    name: String,
    places: Places,
    /// The name's field before the claim.
    before: Option<String>,
    /// The life of `f/names` in which it was made.
    epoch: Epoch,
}

/// Why a name was not claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// There is a room of that name, or there is about to be.
    InUse,
    /// So many rooms have been renamed that `f/names` has no room for one more.
    Full,
    /// The store did not do it, or did not say.
    Write(WriteError),
}

impl Claim {
    /// Whether nobody can take it for abandoned before what is decided by it is committed.
    #[must_use]
    pub fn holds(&self, now: StoreTime) -> bool {
        now < self.places.claimed.plus(SETTLED / 2)
    }
}

impl From<WriteError> for ClaimError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for ClaimError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

impl Rooms {
    /// Claims the folded name `new` for the room in `place`, which is called `old`.
    ///
    /// # Errors
    /// See [`ClaimError`]; the claim is withdrawn then. Where the store did not say whether it was made, or cannot be
    /// reached, it runs out.
    pub async fn claim(
        &self,
        tenure: &Tenure,
        place: &Partition,
        old: &str,
        new: &str,
    ) -> Result<Claim, ClaimError> {
        if self.names.with_state(|state| state.fields.len()) >= NAMES_MAX {
            return Err(ClaimError::Full);
        }
        for _ in 0..CONFLICTS_MAX {
            let Some(claim) = self.attempt(place, old, new).await? else { continue };
            // Whoever lists the place from now on sees the claim.
            let then = Partition::channel(&claim.places.then);
            let is_wanted = match self.refresh().await {
                Ok(()) => self.is_wanted(tenure, &then).await,
                Err(error) => Err(error.into()),
            };
            match is_wanted {
                Ok(false) => return Ok(claim),
                Ok(true) => {
                    self.withdraw(claim).await;
                    return Err(ClaimError::InUse);
                }
                Err(error) => {
                    self.withdraw(claim).await;
                    return Err(error.into());
                }
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Says that the room has the name.
    pub async fn settle(&self, claim: Claim) {
        let is = claim.places.to_string();
        let settled = Places { claimed: Default::default(), ..claim.places.clone() };
        self.change(&claim, is, Some(settled.to_string())).await;
    }

    /// Gives the claim up: the room does not have the name.
    pub async fn withdraw(&self, claim: Claim) {
        let is = claim.places.to_string();
        self.change(&claim, is, claim.before.clone()).await;
    }

    /// What this leaves undone, the next claim and the janitor do.
    async fn change(&self, claim: &Claim, is: String, next: Option<String>) {
        let draft = Draft {
            guards: vec![Guard::Field(claim.name.clone(), Is::Equal(is))],
            changes: vec![change_of(&claim.name, next)],
            ..Draft::new(Partition::names(), Life::Within(claim.epoch))
        };
        if let Err(error) = self.committer.attempt(draft).await {
            tracing::debug!(?error, name = claim.name, "a claim on a room's name runs out by itself");
        }
    }

    /// `None` where somebody else changed the same names.
    async fn attempt(&self, place: &Partition, old: &str, new: &str) -> Result<Option<Claim>, ClaimError> {
        let store = self.committer.store();
        let peek = store.peek_one(&Partition::names(), &[new, old]).await?;
        let mut fields = peek.fields.iter().cloned();
        let (before, of_old) = (fields.next().flatten(), fields.next().flatten());
        let now = store.now().await?;
        let there = Places::read(new, before.as_deref());
        if there.are_claimed(now)
            || self.bears(&there.first, new).await?
            || self.bears(&there.then, new).await?
        {
            return Err(ClaimError::InUse);
        }
        let places = Places { first: place.name().to_owned(), then: there.then, claimed: now };
        let left = Places::read(old, of_old.as_deref());
        // The next room of the old name cannot be where this one stays.
        let then = if left.then == place.name() { another(old) } else { left.then };
        let left = Places { first: place.name().to_owned(), then, claimed: Default::default() };
        let (life, epoch) = begin_or_within(peek.epoch);
        let guard = |name: &str, is: &Option<String>| {
            Guard::Field(name.to_owned(), is.clone().map_or(Is::Absent, Is::Equal))
        };
        let draft = Draft {
            guards: vec![guard(new, &before), guard(old, &of_old)],
            changes: vec![change_of(new, Some(places.to_string())), change_of(old, Some(left.to_string()))],
            ..Draft::new(Partition::names(), life)
        };
        let claim = Claim { name: new.to_owned(), places, before, epoch };
        Ok(self.committer.attempt(draft).await?.then_some(claim))
    }

    /// Whether the room in a place has this folded name.
    pub(super) async fn bears(&self, place: &str, folded: &str) -> Result<bool, StoreError> {
        let peek = self.committer.store().peek_one(&Partition::channel(place), &["name"]).await?;
        let name = peek.fields.into_iter().next().flatten();
        Ok(peek.epoch.is_some() && name.is_some_and(|name| name.eq_ignore_ascii_case(folded)))
    }

    /// Whether there is a room in a place, or somebody is about to create one.
    pub(super) async fn is_wanted(&self, tenure: &Tenure, place: &Partition) -> Result<bool, WriteError> {
        // What is listed and gone is listed no more.
        match directory::forget::<()>(&self.hub, tenure, place, None).await {
            Ok(()) | Err(Refusal::Rule(())) => {}
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(Refusal::Contended) => return Err(WriteError::Contended),
            Err(Refusal::Fenced) => return Err(WriteError::Fenced),
        }
        let key = place.as_str();
        let listed = self.committer.store().peek_one(&Partition::directory_of(key), &[key]).await?;
        let there = self.committer.store().peek_one(place, &[]).await?;
        Ok(listed.fields.into_iter().any(|field| field.is_some()) || there.epoch.is_some())
    }
}

pub(super) fn change_of(name: &str, value: Option<String>) -> Change {
    match value {
        Some(value) => Change::Set(name.to_owned(), value),
        None => Change::Unset(name.to_owned()),
    }
}

/// How many names `f/names` has room for. A renamed room takes two or three of them.
pub const NAMES_MAX: usize = 20_000;
