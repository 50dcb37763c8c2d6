//! Which channels an account has founded, so that one account cannot fill the store with channels that outlive it.
//!
//! An account's partition has a field `founded:<channel>` for each, with the channel's listing. It is written before the
//! channel is listed and created, or gets the account for its founder, and taken away when the channel has ended or is
//! another's; so it may name what is gone, and never misses what was founded under a limit. What is gone is recognised when
//! the limit is reached.

use std::sync::Arc;

use super::directory::Listing;
use crate::account::record::REMOVED;
use crate::commit_identity::{CONFLICTS_MAX, Committer, Draft, WriteError};
use crate::config::Limit;
use crate::hub::{Decision, Hub, Refusal, Replica, State};
use crate::policy;
use crate::store::{Change, Guard, Is, Life, Partition, Peek, StoreError, StoreTime};
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
    let gone = gone(hub, account.partition().name(), noted, now).await?;
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

/// The channels that an account has founded, as far as this is noted. To be asked before the account is removed.
///
/// # Errors
/// The store's.
pub async fn noted_by(committer: &Committer, account: &str) -> Result<Vec<Partition>, StoreError> {
    let snapshot = committer.store().snapshot(&Partition::account(account)).await?;
    let fields = snapshot.map(|snapshot| snapshot.fields).unwrap_or_default();
    Ok(fields.iter().filter_map(|(name, _)| name.strip_prefix(PREFIX)).map(Partition::channel).collect())
}

/// Takes a channel from an account that was removed. It goes on without a founder while somebody is in it, or while there
/// are operators by standing right, who may found it anew; otherwise it ends. True where it was that account's.
///
/// # Errors
/// The store's.
pub async fn give_up(committer: &Committer, channel: &Partition, account: &str) -> Result<bool, WriteError> {
    for _ in 0..CONFLICTS_MAX {
        let Some(snapshot) = committer.store().snapshot(channel).await? else { return Ok(false) };
        let state = State::from_snapshot(snapshot);
        let Some(epoch) = state.epoch.filter(|_| policy::is_founder(&state, Some(account))) else {
            return Ok(false);
        };
        let (ends, guards, changes) = policy::standing::without_founder(&state);
        let life = if ends { Life::End(epoch) } else { Life::Within(epoch) };
        if committer.attempt(Draft { guards, changes, ..Draft::new(channel.clone(), life) }).await? {
            return Ok(true);
        }
    }
    Err(WriteError::Contended)
}

/// Takes the standing rights of accounts that were removed out of a channel: nobody else can have them, and they would keep
/// it for ever. True where there were any.
///
/// # Errors
/// The store's.
pub async fn disinherit(committer: &Committer, channel: &Partition) -> Result<bool, WriteError> {
    for _ in 0..CONFLICTS_MAX {
        let Some(snapshot) = committer.store().snapshot(channel).await? else { return Ok(false) };
        let state = State::from_snapshot(snapshot);
        let Some(epoch) = state.epoch else { return Ok(false) };
        let names: Vec<&str> = policy::standing::all(&state).iter().map(|one| one.account).collect();
        let accounts: Vec<Partition> = names.iter().map(|name| Partition::account(name)).collect();
        let peeks = committer.store().peek(&accounts, &[REMOVED]).await?;
        let is_removed = |peek: &Peek| matches!(peek.fields.first(), Some(Some(_)));
        let removed = names.iter().zip(&peeks).filter(|(_, peek)| is_removed(peek));
        let mut changes: Vec<Change> =
            removed.map(|(name, _)| Change::Unset(policy::standing::field_of(name))).collect();
        if changes.is_empty() {
            return Ok(false);
        }
        changes.push(Change::Set("rules".to_owned(), policy::fresh_rules()));
        let guards = vec![policy::rules_guard(&state)];
        if committer
            .attempt(Draft { guards, changes, ..Draft::new(channel.clone(), Life::Within(epoch)) })
            .await?
        {
            return Ok(true);
        }
    }
    Err(WriteError::Contended)
}

fn field_of(channel: &Partition) -> String {
    format!("{PREFIX}{}", channel.name())
}

fn entries(state: &State) -> impl Iterator<Item = (&String, &String)> {
    state.fields.iter().filter(|(name, _)| name.starts_with(PREFIX))
}

/// Those whose channel does not exist in that life or has another founder, and is not about to.
async fn gone(
    hub: &Hub,
    account: &str,
    noted: Vec<(String, String)>,
    now: StoreTime,
) -> Result<Vec<(String, String)>, StoreError> {
    let channel = |name: &String| Partition::channel(name.strip_prefix(PREFIX).unwrap_or(name));
    let channels: Vec<Partition> = noted.iter().map(|(name, _)| channel(name)).collect();
    let peeks = hub.store().peek(&channels, &["founder"]).await?;
    let is_gone = |value: &str, peek: &Peek| {
        let founder = peek.fields.first().and_then(Option::as_deref);
        Listing::from_text(value).is_none_or(|noted| {
            (peek.epoch != Some(noted.epoch) || founder != Some(account)) && noted.is_settled(now)
        })
    };
    let noted = noted.into_iter().zip(peeks);
    Ok(noted.filter(|((_, value), peek)| is_gone(value, peek)).map(|(noted, _)| noted).collect())
}

const PREFIX: &str = "founded:";
/// How many notes one commit takes away: fewer than a store allows guards.
const AT_ONCE: usize = 500;
