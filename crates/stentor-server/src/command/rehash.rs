//! REHASH: makes the node read its configuration and certificates again, as SIGHUP does.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::config::Privilege;
use crate::error::Error;
use crate::operator::audit::Deed;
use crate::operator::authorise;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let server = session.node.server_name.clone();
    authorise(session, Privilege::Control, &Deed { what: "rehash", target: &server, reason: "" }).await?;
    reply.numeric(Numeric::RPL_REHASHING, &[&server], "Rehashing; the node's log tells what has changed");
    session.node.reload.notify_one();
    Ok(())
}
