//! AWAY: says that one is not there to answer, or is back.

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::truncate_utf8;

use crate::client::Profile;
use crate::error::Error;
use crate::hub::render::EVENT_TAG;
use crate::node::presence;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let limit = session.node.config().limits.away_length;
    // What `draft/pre-away` has for "nobody is there, for no reason that is given" reads as words everywhere.
    let text = message.nonempty(0).map(|text| if text == "*" { UNSPECIFIED } else { text });
    let away = text.map(|text| truncate_utf8(text, limit).to_owned());
    if session.registering.is_some() {
        return before_welcome(session, away, reply);
    }
    let before = session.client.profile();
    if before.away != away {
        let mut after = Profile::clone(&before);
        after.away.clone_from(&away);
        after.events.away = presence::event(session);
        let told = line(&after, away.as_deref());
        // The numeric tells the client itself; its channels tell the others.
        let fields = |from: &Profile, to: &mut Profile| {
            to.away.clone_from(&from.away);
            to.events.away.clone_from(&from.events.away);
        };
        presence::change(session, &after, fields, Some(told)).await?;
    }
    answer(away.is_some(), reply);
    Ok(())
}

/// By `draft/pre-away`: the claim on the nick will tell it.
fn before_welcome(session: &Session, away: Option<String>, reply: &mut Reply) -> Result<(), Error> {
    if !session.client.has(Capability::PreAway) {
        return Err(super::not_registered());
    }
    answer(away.is_some(), reply);
    session.client.update(|profile| {
        profile.events.away = crate::random::text(12);
        profile.away = away;
    });
    Ok(())
}

fn answer(is_away: bool, reply: &mut Reply) {
    if is_away {
        reply.numeric(Numeric::RPL_NOWAWAY, &[], "You have been marked as being away");
    } else {
        reply.numeric(Numeric::RPL_UNAWAY, &[], "You are no longer marked as being away");
    }
}

/// What others read of somebody's going or coming back.
pub(super) fn line(who: &Profile, away: Option<&str>) -> String {
    let line = who.line("AWAY").tag(EVENT_TAG, &who.events.away);
    match away {
        Some(text) => line.trailing(text).build(),
        None => line.build(),
    }
}

/// What others read of somebody who is away for no reason that is given.
const UNSPECIFIED: &str = "Away";
