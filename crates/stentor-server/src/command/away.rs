//! AWAY: says that one is not there to answer, or is back.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::truncate_utf8;

use crate::client::Profile;
use crate::error::Error;
use crate::hub::render::EVENT_TAG;
use crate::node::claim;
use crate::node::presence;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let limit = session.node.config().limits.away_length;
    let away = message.nonempty(0).map(|text| truncate_utf8(text, limit).to_owned());
    let before = session.client.profile();
    if before.away != away {
        let event = presence::event(session);
        session.client.update(|profile| {
            profile.away.clone_from(&away);
            profile.events.away = event;
        });
        if let Err(error) = claim::refresh(session).await {
            // Nobody else has heard of it: it has not happened.
            session.client.update(|profile| {
                profile.away.clone_from(&before.away);
                profile.events.away.clone_from(&before.events.away);
            });
            return Err(error);
        }
        // The numeric tells the client itself; its channels tell the others.
        presence::spread(session).await?;
    }
    match away {
        Some(_) => reply.numeric(Numeric::RPL_NOWAWAY, &[], "You have been marked as being away"),
        None => reply.numeric(Numeric::RPL_UNAWAY, &[], "You are no longer marked as being away"),
    }
    Ok(())
}

/// What others read of somebody's going or coming back.
pub(super) fn line(who: &Profile, away: Option<&str>) -> String {
    let line = who.line("AWAY").tag(EVENT_TAG, &who.events.away);
    match away {
        Some(text) => line.trailing(text).build(),
        None => line.build(),
    }
}
