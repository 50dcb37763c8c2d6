//! TIME: what time it is here.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

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
    let server = session.node.server_name.clone();
    reply.numeric(Numeric::RPL_TIME, &[&server], &clock::server_time(clock::wall_ms()));
    Ok(())
}
