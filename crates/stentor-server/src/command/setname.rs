//! SETNAME: changes the real name.

use stentor_proto::message::Message;

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
    let name = message.param(0).unwrap_or_default();
    let limit = session.node.config().limits.realname_length;
    if name.trim().is_empty() || name.len() > limit {
        let text = format!("A real name is not empty and has at most {limit} bytes");
        return Err(Error::fail("SETNAME", "INVALID_REALNAME", &[], &text));
    }
    let before = session.client.profile();
    if before.realname != name {
        // The client itself is told once, below, whatever channels it is in.
        let mut after = Profile::clone(&before);
        name.clone_into(&mut after.realname);
        after.events.realname = presence::event(session);
        let told = after.line("SETNAME").trailing(name).tag(EVENT_TAG, &after.events.realname).build();
        let fields = |from: &Profile, to: &mut Profile| {
            to.realname.clone_from(&from.realname);
            to.events.realname.clone_from(&from.events.realname);
        };
        presence::change(session, &after, fields, Some(told)).await?;
    }
    reply.own(&before.line("SETNAME").trailing(name));
    Ok(())
}
