//! PART: leaves channels.

use std::sync::Arc;

use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::hub::{Decision, Member, Replica, State};
use crate::modes::Rank;
use crate::policy::{self, Speaker};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let targets = message.param(0).unwrap_or_default();
    let reason = message.param(1).filter(|reason| !reason.is_empty());
    if targets.contains(',') {
        reply.expect_many();
    }
    let targets: Vec<&str> = targets.split(',').filter(|target| !target.is_empty()).collect();
    session.charge_targets(targets.len(), super::EACH);
    each(session, targets, reason, reply).await
}

/// Leaves each, whatever keeps the client in another one.
async fn each(
    session: &mut Session,
    targets: impl IntoIterator<Item = &str>,
    reason: Option<&str>,
    reply: &mut Reply,
) -> Result<(), Error> {
    for target in targets {
        if session.is_over() {
            break;
        }
        if let Err(error) = part(session, target, reason, reply).await {
            if matches!(error, Error::Fenced) {
                return Err(error);
            }
            reply.reclaim();
            error.send("PART", reply);
        }
    }
    Ok(())
}

/// `JOIN 0`.
pub(super) async fn all(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
    reply.expect_many();
    let name = |replica: &Arc<Replica>| {
        replica.with_state(|state| policy::name(state, replica.partition().name()).to_owned())
    };
    let names: Vec<String> = session.client.rooms().iter().map(name).collect();
    session.charge_targets(names.len(), super::EACH);
    each(session, names.iter().map(String::as_str), None, reply).await
}

async fn part(
    session: &mut Session,
    target: &str,
    reason: Option<&str>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let folded = target.to_ascii_lowercase();
    let held = session.room(target).await?;
    let partition = held.partition().clone();
    let id = session.client.id.clone();
    let account = session.account_folded().map(str::to_owned);
    held.with_state(|state| policy::own_member(state, target, &id).map(drop))?;
    let config = session.node.config();
    let (limit, modes) = (config.limits.kick_length, config.channels.default_modes.clone());
    let origin = reply.origin(false, true);
    let entry = session
        .node
        .hub
        .transact(&held, &session.client.tenure(), Some(origin), |state| {
            let member = policy::own_member(state, target, &id)?;
            let name = policy::name(state, &folded);
            let mut line = member.line("PART").param(name);
            // A reason is said to the channel, too: by those who may speak there.
            if let Some(reason) = reason.filter(|reason| may_say(state, name, &member, reason)) {
                line = line.trailing(truncate_utf8(reason, limit));
            }
            // Who founded a room, and leaves it as the last one with nothing set there, gives it up.
            let gives_it_up =
                policy::is_founder(state, account.as_deref()) && policy::is_untouched(state, &modes);
            Ok::<_, Error>(leave(state, &id, line.build(), gives_it_up))
        })
        .await?;
    session.client.with_channels(|channels| channels.remove(partition.name()));
    // The client has left. What this leaves undone, the session's end and the janitor do.
    if entry.ends {
        tidy(forget(session, &partition, entry.epoch).await);
    }
    tidy(session.index::<Error>(&format!("{id}/{}", partition.name()), None).await.map_err(Error::from));
    Ok(())
}

/// Whether all of the channel may hear a member's reason.
pub(super) fn may_say(state: &State, channel: &str, member: &Member, reason: &str) -> bool {
    let speaker = Speaker {
        member: Some(member),
        source: &member.source(),
        account: member.account.as_deref(),
        is_ctcp: policy::is_restricted_ctcp(reason),
        is_notice: false,
    };
    policy::may_speak(state, channel, speaker) == Ok(Rank::Plain)
}

/// Logs that something was not tidied up now. The command that it followed is done all the same.
pub(crate) fn tidy(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::debug!(?error, "something is tidied up later");
    }
}

/// The commit by which a member leaves. The last one ends the channel that nobody founded, or that its founder
/// `gives_up`.
pub(super) fn leave(state: &State, id: &str, line: String, gives_up: bool) -> Decision {
    let mut guards = Vec::new();
    if let Some(member) = state.members.get(id) {
        guards.push(Guard::Member(id.to_owned(), Is::Equal(member.to_value())));
    }
    let (ends, kept) = policy::ending(state, 1, gives_up);
    guards.extend(kept);
    let life = match state.epoch {
        Some(epoch) if ends => Some(Life::End(epoch)),
        _ => state.within(),
    };
    Decision { life, guards, changes: vec![Change::UnsetMember(id.to_owned())], lines: vec![line] }
}

/// Takes a channel that has ended out of the directory, unless somebody is about to create it anew.
pub(crate) async fn forget(session: &Session, channel: &Partition, ended: Epoch) -> Result<(), Error> {
    crate::fleet::directory::forget(&session.node.hub, &session.client.tenure(), channel, Some(ended))
        .await
        .map_err(Error::from)
}
