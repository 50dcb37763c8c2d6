//! ISUPPORT: what this server supports, also before the welcome, by the draft `extended-isupport`.

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    _message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if session.registering.is_some() && !session.client.has(Capability::ExtendedIsupport) {
        return Err(super::not_registered());
    }
    super::welcome::send_isupport(session, reply);
    Ok(())
}
