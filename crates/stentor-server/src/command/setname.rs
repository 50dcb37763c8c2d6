//! SETNAME: changes the real name.

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;

use crate::error::Error;
use crate::hub::render::EVENT_TAG;
use crate::node::{claim, presence};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::StoreError;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let name = message.param(0).unwrap_or_default();
    let limit = session.node.config().limits.realname_length;
    if name.trim().is_empty() || name.len() > limit {
        let text = format!("A real name is not empty and has at most {limit} bytes");
        return Err(Error::fail("SETNAME", "INVALID_REALNAME", &[], &text));
    }
    let before = session.client.profile();
    let line = format!(":{} SETNAME :{name}", before.source());
    if before.realname != name {
        // The client itself is told once, below, whatever channels it is in.
        let event = presence::event(session);
        session.client.update(|profile| {
            name.clone_into(&mut profile.realname);
            profile.events.realname = event;
        });
        let profile = session.client.profile();
        let told = profile.line("SETNAME").trailing(name).tag(EVENT_TAG, &profile.events.realname);
        if let Err(error) = claim::refresh(session, Some(told.build())).await {
            // Nobody else has heard of it: it has not happened. Where that is not known, it has: others may have heard.
            if matches!(error, Error::Store(StoreError::Unknown(_))) {
                presence::spread(session).await?;
                return Err(error);
            }
            session.client.update(|profile| {
                profile.realname.clone_from(&before.realname);
                profile.events.realname.clone_from(&before.events.realname);
            });
            return Err(error);
        }
        presence::spread(session).await?;
    }
    if session.client.has(Capability::SetName) {
        reply.line(line);
    }
    Ok(())
}
