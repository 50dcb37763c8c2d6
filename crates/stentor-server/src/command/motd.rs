//! MOTD: the message of the day.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    send(session, reply);
    Ok(())
}

/// Sends the message of the day, or says that there is none.
pub(super) fn send(session: &Session, reply: &mut Reply) {
    let config = session.node.config();
    if config.motd.is_empty() {
        return reply.numeric(Numeric::ERR_NOMOTD, &[], "MOTD File is missing");
    }
    let server = session.node.server_name.clone();
    reply.numeric(Numeric::RPL_MOTDSTART, &[], &format!("- {server} Message of the day - "));
    for line in &config.motd {
        reply.numeric(Numeric::RPL_MOTD, &[], &format!("- {line}"));
    }
    reply.numeric(Numeric::RPL_ENDOFMOTD, &[], "End of /MOTD command.");
}
