//! KNOCK: asks a channel's operators for an invitation.

use std::time::{Duration, Instant};

use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::hub::State;
use crate::hub::audience::for_rank;
use crate::policy::{self, SEES_ALL};
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let target = message.param(0).unwrap_or_default();
    let folded = target.to_ascii_lowercase();
    let held = session.room(target).await?;
    let profile = session.client.profile();
    let source = profile.source();
    let name = held.with_state(|state| {
        may_knock(state, target, &session.client.id, (&source, session.account_folded()))?;
        Ok::<_, Error>(policy::name(state, &folded).to_owned())
    })?;
    if session.knocked.is_some_and(|last| last.elapsed() < PAUSE) {
        let text = "You have knocked a moment ago; wait a minute";
        return Err(Error::numeric(Numeric::ERR_TOOMANYKNOCK, &[&name], text));
    }
    // One line for everybody who may open, so it names the channel where others name the client.
    let line = Line::numeric(reply.server(), Numeric::RPL_KNOCK, &name).raw_tags(&profile.tags());
    let line =
        for_rank(line, SEES_ALL).param(&name).param(&source).trailing("has asked for an invitation").build();
    session.node.hub.publish(held.partition(), &session.client.id, &line).await?;
    session.knocked = Some(Instant::now());
    reply.numeric(Numeric::RPL_KNOCKDLVR, &[&name], "Your knock has been delivered");
    Ok(())
}

fn may_knock(state: &State, channel: &str, id: &str, who: (&str, Option<&str>)) -> Result<(), Error> {
    policy::visible(state, channel, id)?;
    let refuse = |numeric, text| Err(Error::numeric(numeric, &[channel], text));
    if state.members.contains_key(id) {
        return refuse(Numeric::ERR_KNOCKONCHAN, "You are already on that channel");
    }
    let joiner = policy::Joiner { id, source: who.0, account: who.1, key: None };
    if policy::may_join(state, channel, joiner).is_ok() {
        return refuse(Numeric::ERR_CHANOPEN, "The channel is open: join it");
    }
    if policy::has_mode(state, 'K') {
        return refuse(Numeric::ERR_CANNOTKNOCK, "This channel takes no knocks (+K)");
    }
    if policy::is_banned(state, who, true) {
        return refuse(Numeric::ERR_CANNOTKNOCK, "You are banned from this channel (+b)");
    }
    Ok(())
}

/// How long a session waits between two knocks.
pub(super) const PAUSE: Duration = Duration::from_secs(60);
