//! ADMIN: whom to turn to. There is no setting for that, so there is nothing to tell.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    super::for_this_server(session, message.nonempty(0))?;
    let server = &session.node.server_name;
    Err(Error::numeric(Numeric::ERR_NOADMININFO, &[server], "No administrative info available"))
}
