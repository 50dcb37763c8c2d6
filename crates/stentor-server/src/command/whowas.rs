//! WHOWAS: who held a nick before. Nodes keep no such memory: a nick tells nothing of its last holder.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(_: &mut Session, message: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let Some(nick) = message.nonempty(0) else {
        return Err(Error::numeric(Numeric::ERR_NONICKNAMEGIVEN, &[], "No nickname given"));
    };
    reply.numeric(Numeric::ERR_WASNOSUCHNICK, &[nick], "There was no such nickname");
    reply.numeric(Numeric::RPL_ENDOFWHOWAS, &[nick], "End of WHOWAS");
    Ok(())
}
