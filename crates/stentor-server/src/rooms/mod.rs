//! Where rooms are: each stays in the partition that it was created in, its *place*, whatever it is called.
//!
//! - [`places`]: where the room of a name is, as `f/names` says it
//! - [`claim`]: gives a room another name
//! - [`tidy`]: takes what `f/names` need not say any more away
//!
//! A room's own field `name` is the truth. As long as nobody says RENAME, the place of a room is that of its name, and
//! nothing is written down. A renamed room stays where it is: with its log, and so with the ids of its messages. Then
//! `f/names`, of which every node has a copy, names the places where a name is to be looked for. It may name one in
//! which the room of that name is no more; it never misses the one in which it is.
//!
//! **One room for a name.** Who creates a room lists its place in the directory first, and then asks the store whether
//! a room of that name is to be created there. Who gives a name to another room claims it in `f/names` first, and then
//! looks whether such a place is listed. So of the two, one finds the other at least.

pub mod claim;
pub mod places;
pub mod tidy;

use std::sync::Arc;
use std::time::Duration;

use crate::commit_identity::Committer;
use crate::hub::{Held, Hub};
use crate::policy;
use crate::store::{Partition, StoreError, StoreTime};
use places::Places;

/// The rooms, by name.
#[derive(Debug)]
pub struct Rooms {
    hub: Arc<Hub>,
    committer: Committer,
    /// The copy of `f/names`.
    names: Held,
}

impl Rooms {
    /// The rooms of the store beneath `hub`, which `committer` writes to.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(hub: &Arc<Hub>, committer: Committer) -> Result<Self, StoreError> {
        let names = hub.hold(&Partition::names()).await?;
        Ok(Self { hub: hub.clone(), committer, names })
    }

    /// The room with this folded name, or, where there is none, the place in which it would be created.
    ///
    /// # Errors
    /// The store's.
    pub async fn hold(&self, folded: &str) -> Result<Held, StoreError> {
        for _ in 0..LOOKS {
            let Places { first, then, .. } = self.places(folded);
            let held = self.hub.hold(&Partition::channel(&first)).await?;
            if held.with_state(|state| policy::is_named(state, folded)) {
                return Ok(held);
            }
            let held = if then == first { held } else { self.hub.hold(&Partition::channel(&then)).await? };
            if held.with_state(|state| state.epoch.is_none() || policy::is_named(state, folded)) {
                return Ok(held);
            }
            // The room there has another name by now, and what says so is on its way.
            self.refresh().await?;
        }
        Err(StoreError::Unavailable(format!("{folded} is renamed again and again")))
    }

    /// The places in which the room with this folded name can be: whoever looks there judges by the room's own name.
    #[must_use]
    pub fn candidates(&self, folded: &str) -> Vec<Partition> {
        let Places { first, then, .. } = self.places(folded);
        let mut candidates = vec![Partition::channel(&first)];
        if then != first {
            candidates.push(Partition::channel(&then));
        }
        candidates
    }

    /// What the room is called now that had this folded name until it was renamed, where that was not long ago: somebody who
    /// was not there meanwhile, and so is no member, looks for that one. A secret room leads nobody to itself.
    ///
    /// # Errors
    /// The store's.
    pub async fn renamed_to(&self, folded: &str, id: &str) -> Result<Option<String>, StoreError> {
        let Places { first, then, .. } = self.places(folded);
        if first == then {
            return Ok(None);
        }
        let (held, now) = (self.hub.hold(&Partition::channel(&first)).await?, self.hub.store().now().await?);
        Ok(held.with_state(|state| {
            let has_left = leads_on(state.field(RENAMED), folded, now) && !policy::is_named(state, folded);
            let leads = has_left && policy::is_visible_to(state, id) && !state.members.contains_key(id);
            leads.then(|| policy::name(state, &first).to_owned())
        }))
    }

    /// Whether a room of this folded name that is listed in `place` may be created there now, by what the store says.
    ///
    /// # Errors
    /// The store's.
    pub async fn may_create(&self, folded: &str, place: &Partition) -> Result<bool, StoreError> {
        let peek = self.hub.store().peek_one(&Partition::names(), &[folded]).await?;
        let Some(field) = peek.fields.into_iter().next().flatten() else { return Ok(place.name() == folded) };
        let places = Places::read(folded, Some(&field));
        if place.name() != places.then || places.are_claimed(self.hub.store().now().await?) {
            return Ok(false);
        }
        // A claim that is settled by now has given the name to the room there.
        Ok(places.first == places.then || !self.bears(&places.first, folded).await?)
    }

    /// Reads what the copy may have missed.
    ///
    /// # Errors
    /// The store's.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.hub.repair(&self.names).await
    }

    /// Where the room with this folded name is, as this node knows it.
    #[must_use]
    pub fn places(&self, folded: &str) -> Places {
        self.names.with_state(|state| Places::read(folded, state.field(folded)))
    }
}

/// What a room's field [`RENAMED`] says: when it was renamed last, and the folded name that it had.
#[must_use]
pub fn last_renaming(field: Option<&str>) -> Option<(StoreTime, &str)> {
    let (ms, name) = field?.split_once(' ')?;
    Some((StoreTime(ms.parse().ok()?), name))
}

/// Whether a room's field [`RENAMED`] says that people may still look for it under this folded name, the last that it had.
fn leads_on(field: Option<&str>, folded: &str, now: StoreTime) -> bool {
    last_renaming(field).is_some_and(|(at, name)| name == folded && now < at.plus(LEADS_ON))
}

/// A room's field about its last renaming: `<ms of the store's time> <folded name that it had>`.
pub const RENAMED: &str = "renamed";
/// For how long a name leads to the room that had it.
pub const LEADS_ON: Duration = Duration::from_hours(7 * 24);
/// How often a name is looked for where its room is being renamed.
const LOOKS: usize = 4;
