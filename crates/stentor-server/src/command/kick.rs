//! KICK: throws people out of a channel.

use std::sync::Arc;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::hub::{Decision, Replica};
use crate::modes::Rank;
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Guard, Is, Life};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let channels: Vec<&str> = parts(message.param(0)).collect();
    let targets: Vec<&str> = parts(message.param(1)).collect();
    // Several people leave one channel, or each leaves the channel named in the same place.
    let (&[first, ..], true) = (&*channels, channels.len() == 1 || channels.len() == targets.len()) else {
        return Err(super::need_more_params("KICK"));
    };
    let nick = session.client.profile().nick.clone();
    let reason = message.nonempty(2).unwrap_or(&nick);
    let reason = truncate_utf8(reason, session.node.config().limits.kick_length);
    if targets.len() > 1 {
        reply.expect_many();
    }
    session.charge_targets(targets.len(), super::EACH);
    for (index, target) in targets.into_iter().enumerate() {
        if session.is_over() {
            break;
        }
        let channel = channels.get(index).copied().unwrap_or(first);
        let kicked = match session.room(channel).await {
            Ok(held) => kick(session, &held, channel, target, reason, reply).await,
            Err(error) => Err(error),
        };
        match kicked {
            Ok(()) => {}
            Err(Error::Fenced) => return Err(Error::Fenced),
            Err(error) => {
                reply.reclaim();
                error.send("KICK", reply);
            }
        }
    }
    Ok(())
}

fn parts(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(',').filter(|part| !part.is_empty())
}

async fn kick(
    session: &Session,
    replica: &Arc<Replica>,
    channel: &str,
    target: &str,
    reason: &str,
    reply: &mut Reply,
) -> Result<(), Error> {
    let id = session.client.id.clone();
    let folded = channel.to_ascii_lowercase();
    let origin = reply.origin(false, true);
    let entry = session
        .node
        .hub
        .transact(replica, &session.client.tenure(), Some(origin), |state| {
            let member = policy::own_ranked(state, channel, &id, Rank::Halfop)?;
            let (kicked, victim) = policy::member_by_nick(state, target).ok_or_else(|| {
                let text = "They aren't on that channel";
                Error::numeric(Numeric::ERR_USERNOTINCHANNEL, &[target, channel], text)
            })?;
            if *kicked != id && !member.rank().may_act_on(victim.rank()) {
                return Err(policy::rank_needed(channel, victim.rank()));
            }
            let name = policy::name(state, &folded);
            let line = member.line("KICK").param(name).param(&victim.nick).trailing(reason);
            let mut guards = vec![
                Guard::Member(id.to_string(), Is::Equal(member.to_value())),
                // With the nick and the rank that they have.
                Guard::Member(kicked.to_string(), Is::Equal(victim.to_value())),
            ];
            let (ends, kept) = policy::ending(state, 1, false);
            guards.extend(kept);
            let life = match state.epoch {
                Some(epoch) if ends => Some(Life::End(epoch)),
                _ => state.within(),
            };
            let changes = vec![
                Change::UnsetMember(kicked.to_string()),
                Change::Set("rules".to_owned(), policy::fresh_rules()),
            ];
            Ok(Decision { life, guards, changes, lines: vec![line.build()] })
        })
        .await?;
    if entry.ends {
        super::part::tidy(super::part::forget(session, replica.partition(), entry.epoch).await);
    }
    Ok(())
}
