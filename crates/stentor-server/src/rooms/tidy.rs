//! Takes what `f/names` need not say any more away: the names whose rooms are in the places of these names again.

use super::claim::change_of;
use super::places::Places;
use super::{RENAMED, Rooms, leads_on};
use crate::commit_identity::{Draft, WriteError};
use crate::store::{Guard, Is, Life, Partition};
use crate::tenure::Tenure;

impl Rooms {
    /// Goes through all names once.
    ///
    /// # Errors
    /// The store's, and [`WriteError::Fenced`].
    pub async fn tidy(&self, tenure: &Tenure) -> Result<(), WriteError> {
        let names: Vec<(String, String)> = self.names.with_state(|state| {
            state.fields.iter().map(|(name, field)| (name.clone(), field.clone())).collect()
        });
        for (name, field) in names {
            self.tidy_one(tenure, &name, &field).await?;
        }
        Ok(())
    }

    async fn tidy_one(&self, tenure: &Tenure, name: &str, field: &str) -> Result<(), WriteError> {
        let places = Places::read(name, Some(field));
        let now = self.committer.store().now().await?;
        if places.are_claimed(now) || places.first != name && self.bears(&places.first, name).await? {
            return Ok(());
        }
        let first = Partition::channel(&places.first);
        let peek = self.committer.store().peek_one(&first, &[RENAMED]).await?;
        if leads_on(peek.fields.first().and_then(Option::as_deref), name, now) {
            // It leads to that room yet.
            return Ok(());
        }
        if places.then == name {
            // Whoever creates a room of that name does so there, with this field and without.
            self.replace(name, field, None).await?;
            return Ok(());
        }
        if self.is_needed(tenure, name, &places).await? {
            return Ok(());
        }
        // As for another name of a room: whoever lists the place from now on sees the claim, and creates nothing there.
        let claim = Places { claimed: now, ..places.clone() }.to_string();
        if !self.replace(name, field, Some(claim.clone())).await? {
            return Ok(());
        }
        let next = if self.is_needed(tenure, name, &places).await? { Some(field.to_owned()) } else { None };
        self.replace(name, &claim, next).await?;
        Ok(())
    }

    /// Whether there is a room of this name elsewhere than in its own place, or one of another name in that.
    async fn is_needed(&self, tenure: &Tenure, name: &str, places: &Places) -> Result<bool, WriteError> {
        let (own, then) = (Partition::channel(name), Partition::channel(&places.then));
        Ok(self.is_wanted(tenure, &then).await?
            || self.is_wanted(tenure, &own).await? && !self.bears(name, name).await?)
    }

    /// Changes a field from one value to another, or to none. False where it has another one by now.
    async fn replace(&self, name: &str, is: &str, next: Option<String>) -> Result<bool, WriteError> {
        let Some(epoch) = self.committer.epoch_of(&Partition::names()).await? else { return Ok(false) };
        let draft = Draft {
            guards: vec![Guard::Field(name.to_owned(), Is::Equal(is.to_owned()))],
            changes: vec![change_of(name, next)],
            ..Draft::new(Partition::names(), Life::Within(epoch))
        };
        self.committer.attempt(draft).await
    }
}
