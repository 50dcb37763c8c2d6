//! INVITE: lets somebody into a channel whatever its modes say.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::hub::Decision;
use crate::modes::Rank;
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Guard, Is, Partition};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if message.params().is_empty() {
        return list(session, reply).await;
    }
    let (Some(target), Some(channel)) = (message.nonempty(0), message.nonempty(1)) else {
        return Err(super::need_more_params("INVITE"));
    };
    let folded = channel.to_ascii_lowercase();
    let held = session.room(channel).await?;
    let id = session.client.id.clone();
    held.with_state(|state| policy::own_member(state, channel, &id).map(drop))?;
    let person = session.node.find_person(target).await?.filter(|person| person.online);
    let person = person.ok_or_else(|| super::no_such_nick(target))?;
    // Invitations of members on different nodes are compared by age.
    let now = session.node.fleet.now();
    session
        .node
        .hub
        .transact(&held, &session.client.tenure(), Some(session.quiet_origin()), |state| {
            let member = policy::own_member(state, channel, &id)?;
            if policy::has_mode(state, 'i') {
                policy::own_ranked(state, channel, &id, Rank::Halfop)?;
            }
            if state.members.get(&*person.id).is_some_and(|there| policy::shows(state, Some(&member), there))
            {
                let text = "is already on channel";
                return Err(Error::numeric(Numeric::ERR_USERONCHANNEL, &[&person.nick, channel], text));
            }
            let guards =
                vec![Guard::Member(id.to_string(), Is::Equal(member.to_value())), policy::rules_guard(state)];
            let name = policy::name(state, &folded);
            let line = member.line("INVITE").param(&person.nick).param(name).build();
            let mut changes = Vec::new();
            // Only an operator's or halfop's invitation lets somebody past the rules; anybody else's is a hint.
            if member.rank() >= Rank::Halfop {
                changes.push(Change::Set(format!("invited:{}", person.id), now.0.to_string()));
                changes.extend(oldest_beyond(state.fields.iter()).map(Change::Unset));
            }
            Ok::<_, Error>(Decision { life: state.within(), guards, changes, lines: vec![line] })
        })
        .await?;
    let name = held.with_state(|state| policy::name(state, &folded).to_owned());
    let line = session.client.profile().line("INVITE").param(&person.nick).param(&name).build();
    if let Err(error) = session.node.hub.publish(&person.inbox, &session.client.id, &line).await {
        // Whoever is invited may come in all the same, and finds it with INVITE.
        tracing::debug!(%error, "somebody is not told of an invitation");
    }
    reply.bare(Numeric::RPL_INVITING, &[&person.nick, &name]);
    if let Some(away) = &person.away {
        reply.numeric(Numeric::RPL_AWAY, &[&person.nick], away);
    }
    Ok(())
}

/// Lists the channels that the client was invited to and may enter by that.
async fn list(session: &Session, reply: &mut Reply) -> Result<(), Error> {
    let names = session.client.invited();
    let places: Vec<Partition> = names.iter().flat_map(|name| session.node.rooms.candidates(name)).collect();
    let invitation = format!("invited:{}", session.client.id);
    let peeks = session.node.hub.store().peek(&places, &[&invitation, "name"]).await?;
    reply.expect_many();
    for peek in peeks {
        let field = |index: usize| peek.fields.get(index).and_then(Option::as_deref);
        if let (Some(_), Some(name)) = (field(0), field(1)) {
            reply.bare(Numeric::RPL_INVITELIST, &[name]);
        }
    }
    reply.numeric(Numeric::RPL_ENDOFINVITELIST, &[], "End of /INVITE list");
    Ok(())
}

/// The invitations that make room for one more: the oldest of a full list.
pub(crate) fn oldest_beyond<'a>(
    fields: impl Iterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = String> {
    let mut invited: Vec<(&String, &String)> =
        fields.filter(|(name, _)| name.starts_with("invited:")).collect();
    invited.sort_by_key(|(_, at)| at.parse::<u64>().unwrap_or_default());
    let surplus = (invited.len() + 1).saturating_sub(INVITATIONS);
    invited.into_iter().take(surplus).map(|(name, _)| name.clone()).collect::<Vec<_>>().into_iter()
}

/// How many unused invitations a channel keeps.
pub(super) const INVITATIONS: usize = 100;
