//! The sweep: what a dead node's sessions held is given up for them.
//!
//! Every step is guarded by the old session's id, so that any node may repeat it, and a step that was done before does
//! nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::directory;
use crate::client::Client;
use crate::hub::render::EVENT_TAG;
use crate::hub::{Decision, Hub, Member, Refusal, State};
use crate::node::people::inbox_of;
use crate::store::{Change, Guard, Is, Life, Partition, Size, StoreError, Writer};
use crate::tenure::Tenure;

/// What a node's index says of its sessions.
#[derive(Debug, Default)]
struct Index {
    /// By session: the nicks and the account that it may hold.
    sessions: BTreeMap<String, String>,
    /// By channel: the sessions that may be in it.
    channels: BTreeMap<String, Vec<String>>,
}

/// Cleans up after one incarnation of a node, once its lease is over: one entry per channel for all of its members.
///
/// # Errors
/// The store's; the sweep can be repeated from the start.
pub async fn node(hub: &Arc<Hub>, tenure: &Arc<Tenure>, dead: &Writer) -> Result<usize, Refusal<()>> {
    let Some(index) = read_index(hub, dead).await? else { return Ok(0) };
    sweep(hub, tenure, dead, &index).await?;
    let partition = Partition::index(dead);
    let peeks = hub.store().peek(std::slice::from_ref(&partition), &[]).await?;
    if let Some(epoch) = peeks.first().and_then(|peek| peek.epoch) {
        hub.write_blind(tenure, &partition, Life::End(epoch), Decision::default()).await?;
    }
    Ok(index.sessions.len())
}

/// Cleans up after one session of a dead node, for somebody who wants its name now.
///
/// # Errors
/// The store's.
pub async fn session(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    dead: &Writer,
    id: &str,
) -> Result<(), Refusal<()>> {
    let Some(mut index) = read_index(hub, dead).await? else { return Ok(()) };
    index.sessions.retain(|session, _| session == id);
    index.channels.retain(|_, ids| {
        ids.retain(|member| member == id);
        !ids.is_empty()
    });
    sweep(hub, tenure, dead, &index).await
}

async fn read_index(hub: &Hub, dead: &Writer) -> Result<Option<Index>, StoreError> {
    let Some(snapshot) = hub.store().snapshot(&Partition::index(dead)).await? else { return Ok(None) };
    let mut index = Index::default();
    for (key, value) in snapshot.members {
        match key.split_once('/') {
            Some((id, channel)) => index.channels.entry(channel.to_owned()).or_default().push(id.to_owned()),
            None => {
                index.sessions.insert(key, value);
            }
        }
    }
    Ok(Some(index))
}

async fn sweep(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    dead: &Writer,
    index: &Index,
) -> Result<(), Refusal<()>> {
    for (channel, ids) in &index.channels {
        sweep_channel(hub, tenure, dead, channel, ids).await?;
    }
    for (id, claims) in &index.sessions {
        sweep_claims(hub, tenure, dead, id, claims).await?;
    }
    Ok(())
}

async fn sweep_channel(
    hub: &Arc<Hub>,
    tenure: &Arc<Tenure>,
    dead: &Writer,
    channel: &str,
    ids: &[String],
) -> Result<(), Refusal<()>> {
    let partition = Partition::channel(channel);
    let held = hub.hold(&partition).await?;
    let result = hub.transact(&held, tenure, None, |state| departure(state, dead, ids).ok_or(())).await;
    match result {
        Ok(entry) if entry.ends => directory::forget(hub, tenure, &partition, Some(entry.epoch)).await,
        Ok(_) | Err(Refusal::Rule(())) => Ok(()),
        Err(other) => Err(other),
    }
}

/// The commit by which these sessions leave a channel, where any of them is in it.
fn departure(state: &State, dead: &Writer, ids: &[String]) -> Option<Decision> {
    let epoch = state.epoch?;
    let mut decision = Decision::default();
    for id in ids {
        let Some(member) = state.members.get(id.as_str()).filter(|member| member.writer == dead.as_str())
        else {
            continue;
        };
        decision.guards.push(Guard::Member(id.clone(), Is::Equal(member.to_value())));
        decision.changes.push(Change::UnsetMember(id.clone()));
        decision.lines.push(member.line("QUIT").tag(EVENT_TAG, id).trailing(REASON).build());
    }
    if decision.changes.is_empty() {
        return None;
    }
    decision.life = Some(Life::Within(epoch));
    if decision.changes.len() == state.members.len() && state.field("founder").is_none() {
        let members = u64::try_from(state.members.len()).unwrap_or(u64::MAX);
        decision.guards.push(Guard::Size(Size::Exactly(members)));
        decision.life = Some(Life::End(epoch));
    }
    Some(decision)
}

/// Gives up a session's nicks, its account and, for a guest, its inbox. `claims` is what the index says:
/// `<nick>[,<nick>] <account or *>`.
async fn sweep_claims(
    hub: &Hub,
    tenure: &Tenure,
    dead: &Writer,
    id: &str,
    claims: &str,
) -> Result<(), Refusal<()>> {
    let (nicks, account) = claims.split_once(' ').unwrap_or((claims, "*"));
    let account = (account != "*").then_some(account);
    let inbox = inbox_of(account, id);
    super::outbox::finish(hub, tenure, &inbox).await?;
    for nick in nicks.split(',').filter(|nick| *nick != "*") {
        end_if(hub, tenure, &Partition::nick(nick), "user", id).await?;
    }
    let Some(account) = account else {
        return end(hub, tenure, &inbox, Vec::new()).await;
    };
    let partition = Partition::account(account);
    let value = session_value(id, dead);
    let peeks = hub.store().peek(std::slice::from_ref(&partition), &[]).await?;
    if let Some(epoch) = peeks.first().and_then(|peek| peek.epoch) {
        let decision = Decision {
            guards: vec![Guard::Field("session".to_owned(), Is::Equal(value))],
            changes: vec![Change::Unset("session".to_owned())],
            ..Decision::default()
        };
        hub.write_blind(tenure, &partition, Life::Within(epoch), decision).await?;
    }
    Ok(())
}

async fn end_if(
    hub: &Hub,
    tenure: &Tenure,
    partition: &Partition,
    field: &str,
    value: &str,
) -> Result<(), Refusal<()>> {
    end(hub, tenure, partition, vec![Guard::Field(field.to_owned(), Is::Equal(value.to_owned()))]).await
}

async fn end(
    hub: &Hub,
    tenure: &Tenure,
    partition: &Partition,
    guards: Vec<Guard>,
) -> Result<(), Refusal<()>> {
    let peeks = hub.store().peek(std::slice::from_ref(partition), &[]).await?;
    if let Some(epoch) = peeks.first().and_then(|peek| peek.epoch) {
        let decision = Decision { guards, ..Decision::default() };
        hub.write_blind(tenure, partition, Life::End(epoch), decision).await?;
    }
    Ok(())
}

/// Moves what a session holds from a lost incarnation of its node to the next. False where any of it is another's by now.
///
/// # Errors
/// The store's; the move can be repeated from the start.
pub async fn move_claims(
    hub: &Arc<Hub>,
    client: &Arc<Client>,
    lost: &Tenure,
    next: &Arc<Tenure>,
) -> Result<bool, Refusal<()>> {
    let profile = client.profile();
    let nick = profile.nick.to_ascii_lowercase();
    let account = profile.account.as_ref().map(|account| account.to_ascii_lowercase());
    let index = Partition::index(next.writer());
    let claims = format!("{nick} {}", account.as_deref().unwrap_or("*"));
    let mut changes = vec![Change::SetMember(client.id.to_string(), claims)];
    let channels = client.channel_names();
    changes.extend(
        channels.iter().map(|name| Change::SetMember(format!("{}/{name}", client.id), String::new())),
    );
    let life = Life::Within(next.index_epoch());
    hub.write_blind(next, &index, life, Decision { changes, ..Decision::default() }).await?;

    let set = |name: &str, value: String| vec![Change::Set(name.to_owned(), value)];
    let writer = set("writer", next.writer().to_string());
    if !move_one(hub, next, &Partition::nick(&nick), "user", &client.id, writer).await? {
        return Ok(false);
    }
    if let Some(account) = &account {
        let (old, new) = (session_value(&client.id, lost.writer()), session_value(&client.id, next.writer()));
        if !move_one(hub, next, &Partition::account(account), "session", &old, set("session", new)).await? {
            return Ok(false);
        }
    }
    for name in channels {
        let Some(replica) = client.with_channels(|channels| channels.get(&name).map(|held| held.replica()))
        else {
            continue;
        };
        let moved = hub
            .transact(&replica, next, None, |state| {
                let member = state.members.get(&client.id).ok_or(())?;
                let there = Member { writer: next.writer().to_string(), ..Member::clone(member) };
                Ok::<_, ()>(Decision {
                    guards: vec![Guard::Member(client.id.to_string(), Is::Equal(member.to_value()))],
                    changes: vec![Change::SetMember(client.id.to_string(), there.to_value())],
                    ..Decision::default()
                })
            })
            .await;
        match moved {
            Ok(_) => {}
            Err(Refusal::Rule(())) => return Ok(false),
            Err(other) => return Err(other),
        }
    }
    Ok(true)
}

async fn move_one(
    hub: &Hub,
    tenure: &Tenure,
    partition: &Partition,
    field: &str,
    value: &str,
    changes: Vec<Change>,
) -> Result<bool, Refusal<()>> {
    let peeks = hub.store().peek(std::slice::from_ref(partition), &[]).await?;
    let Some(epoch) = peeks.first().and_then(|peek| peek.epoch) else { return Ok(false) };
    let guards = vec![Guard::Field(field.to_owned(), Is::Equal(value.to_owned()))];
    let decision = Decision { guards, changes, ..Decision::default() };
    Ok(hub.write_blind(tenure, partition, Life::Within(epoch), decision).await?.is_some())
}

/// What an account's field `session` says of its session.
#[must_use]
pub fn session_value(id: &str, writer: &Writer) -> String {
    format!("{id} {writer}")
}

/// What others read of somebody whose node is gone.
const REASON: &str = "Connection to the server was lost";
