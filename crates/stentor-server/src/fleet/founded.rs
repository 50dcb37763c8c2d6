//! Which channels an account has founded, so that one account cannot fill the store with channels that outlive it.
//!
//! An account's partition has a field `founded:<channel>` for each, with the channel's listing. It is written before the
//! channel is listed and created, and taken away when the channel has ended; so it may name what is gone, and never misses
//! what was founded under a limit. What is gone is recognised when the limit is reached.

use std::sync::Arc;

use super::directory::Listing;
use crate::config::Limit;
use crate::hub::{Decision, Hub, Refusal, Replica, State};
use crate::store::{Change, Guard, Is, Life, Partition, StoreError, StoreTime};
use crate::tenure::Tenure;

/// Notes in the account's partition, of which `account` is a copy, that it is about to found `channel`.
///
/// # Errors
/// [`Refusal::Rule`] where the account has reached `limit`, and the store's.
pub async fn note(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    account: &Arc<Replica>,
    channel: &Partition,
    listing: &Listing,
    limit: Limit,
) -> Result<(), Refusal<()>> {
    let field = field_of(channel);
    let decide = |state: &State| {
        let others = entries(state).filter(|(name, _)| **name != field).count();
        let changes = vec![Change::Set(field.clone(), listing.to_string())];
        limit.has_room(others).then(|| Decision { changes, ..Decision::default() }).ok_or(())
    };
    hub.transact(account, tenure, None, decide).await.map(drop)
}

/// How many channels an account has founded, as far as this is noted.
#[must_use]
pub fn count(account: &Replica) -> usize {
    account.with_state(|state| entries(state).count())
}

/// Forgets notes of channels that do not exist any more. True where there were any.
///
/// # Errors
/// The store's.
pub async fn tidy<R>(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    account: &Arc<Replica>,
    now: StoreTime,
) -> Result<bool, Refusal<R>> {
    let noted: Vec<(String, String)> = account
        .with_state(|state| entries(state).map(|(name, value)| (name.clone(), value.clone())).collect());
    let gone = gone(hub, noted, now).await?;
    let decide = |state: &State| {
        let there = gone.iter().filter(|(name, value)| state.field(name) == Some(value)).take(AT_ONCE);
        let (guards, changes) = there
            .map(|(name, value)| {
                let guard = Guard::Field(name.clone(), Is::Equal(value.clone()));
                (guard, Change::Unset(name.clone()))
            })
            .unzip();
        Ok(Decision { guards, changes, ..Decision::default() })
    };
    if !gone.is_empty() {
        hub.transact(account, tenure, None, decide).await?;
    }
    Ok(!gone.is_empty())
}

/// Takes a channel that has ended away from what the account that its listing names has founded.
///
/// # Errors
/// The store's.
pub async fn release<R>(
    hub: &Hub,
    tenure: &Tenure,
    channel: &Partition,
    listing: &Listing,
) -> Result<(), Refusal<R>> {
    let Some(founder) = &listing.founder else { return Ok(()) };
    let (account, field) = (Partition::account(founder), field_of(channel));
    let peeks = hub.store().peek(std::slice::from_ref(&account), &[&field]).await?;
    let Some(peek) = peeks.into_iter().next() else { return Ok(()) };
    let (Some(epoch), Some(Some(value))) = (peek.epoch, peek.fields.into_iter().next()) else {
        return Ok(());
    };
    if Listing::from_text(&value).is_some_and(|noted| noted.epoch != listing.epoch) {
        return Ok(());
    }
    let decision = Decision {
        guards: vec![Guard::Field(field.clone(), Is::Equal(value))],
        changes: vec![Change::Unset(field)],
        ..Decision::default()
    };
    hub.write_blind(tenure, &account, Life::Within(epoch), decision).await?;
    Ok(())
}

fn field_of(channel: &Partition) -> String {
    format!("{PREFIX}{}", channel.name())
}

fn entries(state: &State) -> impl Iterator<Item = (&String, &String)> {
    state.fields.iter().filter(|(name, _)| name.starts_with(PREFIX))
}

/// Those whose channel does not exist in that life, and is not about to.
async fn gone(
    hub: &Hub,
    noted: Vec<(String, String)>,
    now: StoreTime,
) -> Result<Vec<(String, String)>, StoreError> {
    let channel = |name: &String| Partition::channel(name.strip_prefix(PREFIX).unwrap_or(name));
    let channels: Vec<Partition> = noted.iter().map(|(name, _)| channel(name)).collect();
    let peeks = hub.store().peek(&channels, &[]).await?;
    let is_gone = |value: &str, epoch| {
        Listing::from_text(value).is_none_or(|noted| epoch != Some(noted.epoch) && noted.is_settled(now))
    };
    let noted = noted.into_iter().zip(peeks);
    Ok(noted.filter(|((_, value), peek)| is_gone(value, peek.epoch)).map(|(noted, _)| noted).collect())
}

const PREFIX: &str = "founded:";
/// How many notes one commit takes away: fewer than a store allows guards.
const AT_ONCE: usize = 500;
