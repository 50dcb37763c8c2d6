//! INFO: what this server is.

use std::time::UNIX_EPOCH;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::welcome::VERSION;
use crate::error::Error;
use crate::hub::clock;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    super::for_this_server(session, message.nonempty(0))?;
    let started = session.node.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let started = clock::server_time(u64::try_from(started.as_millis()).unwrap_or_default());
    reply.numeric(Numeric::RPL_INFO, &[], &format!("This is {VERSION}, a chat server for any IRCv3 client."));
    reply.numeric(Numeric::RPL_INFO, &[], "It runs as one process, or as a fleet of nodes with one memory.");
    reply.numeric(Numeric::RPL_INFO, &[], &format!("This node was started at {started}."));
    reply.numeric(Numeric::RPL_ENDOFINFO, &[], "End of /INFO list");
    Ok(())
}
