//! VERSION: which program this is, and what it supports.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::welcome::{self, VERSION};
use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    super::for_this_server(session, message.nonempty(0))?;
    let server = session.node.server_name.clone();
    reply.numeric(Numeric::RPL_VERSION, &[VERSION, &server], "A chat server for any IRCv3 client");
    welcome::send_isupport(session, reply);
    Ok(())
}
