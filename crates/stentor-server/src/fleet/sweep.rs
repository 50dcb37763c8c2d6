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
use crate::policy;
use crate::store::{Change, Guard, Is, Life, Partition, StoreError, Writer};
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
    sweep(hub, tenure, dead, &index, LOST).await?;
    let partition = Partition::index(dead);
    if let Some(epoch) = hub.store().peek_one(&partition, &[]).await?.epoch {
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
    reason: &str,
) -> Result<(), Refusal<()>> {
    let Some(mut index) = read_index(hub, dead).await? else { return Ok(()) };
    index.sessions.retain(|session, _| session == id);
    index.channels.retain(|_, ids| {
        ids.retain(|member| member == id);
        !ids.is_empty()
    });
    sweep(hub, tenure, dead, &index, reason).await
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
    reason: &str,
) -> Result<(), Refusal<()>> {
    for (channel, ids) in &index.channels {
        sweep_channel(hub, tenure, dead, channel, ids, reason).await?;
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
    reason: &str,
) -> Result<(), Refusal<()>> {
    let partition = Partition::channel(channel);
    let held = hub.hold(&partition).await?;
    for ids in ids.chunks(AT_ONCE) {
        let depart = |state: &State| departure(state, dead, ids, reason).ok_or(());
        match hub.transact(&held, tenure, None, depart).await {
            Ok(entry) if entry.ends => {
                return directory::forget(hub, tenure, &partition, Some(entry.epoch)).await;
            }
            Ok(_) | Err(Refusal::Rule(())) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// The commit by which these sessions leave a channel, where any of them is in it.
fn departure(state: &State, dead: &Writer, ids: &[String], reason: &str) -> Option<Decision> {
    let epoch = state.epoch?;
    let mut decision = Decision::default();
    for id in ids {
        let Some(member) = state.members.get(id.as_str()).filter(|member| member.writer == dead.as_str())
        else {
            continue;
        };
        decision.guards.push(Guard::Member(id.clone(), Is::Equal(member.to_value())));
        decision.changes.push(Change::UnsetMember(id.clone()));
        decision.lines.push(member.line("QUIT").tag(EVENT_TAG, id).trailing(reason).build());
    }
    if decision.changes.is_empty() {
        return None;
    }
    let (ends, kept) = policy::ending(state, decision.changes.len(), false);
    decision.guards.extend(kept);
    decision.life = Some(if ends { Life::End(epoch) } else { Life::Within(epoch) });
    Some(decision)
}

/// Gives up a session's nicks, its accounts and its inbox as a guest. `claims` is what the index says:
/// `<nick>[,<nick>] <account>[,<account>]`, with `*` where there is no account.
async fn sweep_claims(
    hub: &Hub,
    tenure: &Tenure,
    dead: &Writer,
    id: &str,
    claims: &str,
) -> Result<(), Refusal<()>> {
    let (nicks, account) = claims.split_once(' ').unwrap_or((claims, "*"));
    // A session that was changing its account may hold two.
    let accounts: Vec<&str> = account.split(',').filter(|account| *account != "*").collect();
    // One that was about to log in, or to log out, may have a guest's partition beside its account.
    let guest = inbox_of(None, id);
    let mut inboxes: Vec<_> = accounts.iter().map(|account| inbox_of(Some(account), id)).collect();
    inboxes.push(guest.clone());
    for inbox in &inboxes {
        if !is_moved(hub, inbox, id, dead).await? {
            super::outbox::finish(hub, tenure, inbox).await?;
        }
    }
    // The writer tells what this incarnation holds from what was moved to the next.
    let of_dead = |name: &str, value: &str| Guard::Field(name.to_owned(), Is::Equal(value.to_owned()));
    for nick in nicks.split(',').filter(|nick| *nick != "*") {
        let guards = vec![of_dead("user", id), of_dead("writer", dead.as_str())];
        end(hub, tenure, &Partition::nick(nick), guards).await?;
    }
    for account in accounts {
        release_account(hub, tenure, dead, id, account).await?;
    }
    end(hub, tenure, &guest, vec![of_dead("writer", dead.as_str())]).await
}

async fn release_account(
    hub: &Hub,
    tenure: &Tenure,
    dead: &Writer,
    id: &str,
    account: &str,
) -> Result<(), Refusal<()>> {
    let partition = Partition::account(account);
    let value = session_value(id, dead);
    if let Some(epoch) = hub.store().peek_one(&partition, &[]).await?.epoch {
        let decision = Decision {
            guards: vec![Guard::Field("session".to_owned(), Is::Equal(value))],
            changes: vec![Change::Unset("session".to_owned())],
            ..Decision::default()
        };
        hub.write_blind(tenure, &partition, Life::Within(epoch), decision).await?;
    }
    Ok(())
}

async fn end(
    hub: &Hub,
    tenure: &Tenure,
    partition: &Partition,
    guards: Vec<Guard>,
) -> Result<(), Refusal<()>> {
    if let Some(epoch) = hub.store().peek_one(partition, &[]).await?.epoch {
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
    let channels = client.channel_places();
    changes.extend(
        channels.iter().map(|name| Change::SetMember(format!("{}/{name}", client.id), String::new())),
    );
    let life = Life::Within(next.index_epoch());
    let named = hub.write_blind(next, &index, life, Decision { changes, ..Decision::default() }).await?;
    // Without its index, what the next incarnation holds would be found by no sweep.
    named.ok_or(Refusal::Fenced)?;

    let (old, new) = (lost.writer(), next.writer());
    let mut claims = vec![(Partition::nick(&nick), "writer", old.to_string(), new.to_string())];
    claims.push(match &account {
        Some(account) => {
            let value = |writer| session_value(&client.id, writer);
            (Partition::account(account), "session", value(old), value(new))
        }
        None => (Partition::guest(&client.id), "writer", old.to_string(), new.to_string()),
    });
    for (partition, field, old, new) in claims {
        if !move_one(hub, next, &partition, field, &old, new).await? {
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
                let is_old = |member: &&Arc<Member>| member.writer == lost.writer().as_str();
                let member = state.members.get(&client.id).filter(is_old).ok_or(())?;
                let there = Member { writer: next.writer().to_string(), ..Member::clone(member) };
                Ok::<_, ()>(Decision {
                    guards: vec![Guard::Member(client.id.to_string(), Is::Equal(member.to_value()))],
                    changes: vec![Change::SetMember(client.id.to_string(), there.to_value())],
                    ..Decision::default()
                })
            })
            .await;
        match moved {
            // Moved before, or not in there any more.
            Ok(_) | Err(Refusal::Rule(())) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(true)
}

/// Sets a field from the old to the new value. True where it has the new one, also from before.
async fn move_one(
    hub: &Hub,
    tenure: &Tenure,
    partition: &Partition,
    field: &str,
    old: &str,
    new: String,
) -> Result<bool, Refusal<()>> {
    let peek = hub.store().peek_one(partition, &[field]).await?;
    let (Some(epoch), Some(Some(value))) = (peek.epoch, peek.fields.into_iter().next()) else {
        return Ok(false);
    };
    if value == new {
        return Ok(true);
    }
    let decision = Decision {
        guards: vec![Guard::Field(field.to_owned(), Is::Equal(old.to_owned()))],
        changes: vec![Change::Set(field.to_owned(), new)],
        ..Decision::default()
    };
    Ok(hub.write_blind(tenure, partition, Life::Within(epoch), decision).await?.is_some())
}

/// Whether a session goes on under another incarnation, and finishes itself what it has under way.
async fn is_moved(hub: &Hub, inbox: &Partition, id: &str, dead: &Writer) -> Result<bool, StoreError> {
    let mut fields = hub.store().peek_one(inbox, &["session", "writer"]).await?.fields.into_iter();
    let (session, writer) = (fields.next().flatten(), fields.next().flatten());
    let of_account = session
        .is_some_and(|session| session.split(' ').next() == Some(id) && session != session_value(id, dead));
    Ok(of_account || writer.is_some_and(|writer| writer != dead.as_str()))
}

/// What an account's field `session` says of its session.
#[must_use]
pub fn session_value(id: &str, writer: &Writer) -> String {
    format!("{id} {writer}")
}

/// How many members leave a channel with one entry: a commit has room for so many guards and lines.
const AT_ONCE: usize = 300;
/// What others read of somebody whose node is gone.
pub const LOST: &str = "Connection to the server was lost";
