//! PING and PONG.

use stentor_proto::line::Line;
use stentor_proto::message::Message;

use crate::error::Error;
use crate::hub::Refusal;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(_: &mut Session, message: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let token = message.param(0).unwrap_or_default();
    let server = reply.server().clone();
    reply.line(Line::new("PONG").source(&server).param(&server).trailing(token).build());
    Ok(())
}

/// That a line arrived is noted already; a PONG needs no answer. It may prove that private messages were read.
pub(super) async fn pong(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if message.params().iter().any(|param| session.client.cursor.answer(param)) {
        match session.save_seen().await {
            Err(Refusal::Fenced) => return Err(Error::Fenced),
            // The next proof, or the session's end, saves it with its own.
            Err(error) => tracing::debug!(?error, "how far a client has read is not saved yet"),
            Ok(()) => {}
        }
    }
    if session.is_deaf {
        super::posts::deliver(session, reply).await;
    }
    Err(Error::Silent)
}
