//! PING and PONG.

use stentor_proto::line::Line;
use stentor_proto::message::Message;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(_: &mut Session, message: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let token = message.param(0).unwrap_or_default();
    let server = reply.server().clone();
    reply.line(Line::new("PONG").source(&server).param(&server).trailing(token).build());
    Ok(())
}

/// That a line arrived is noted already; a PONG needs no answer.
pub(super) async fn pong(_: &mut Session, _: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    Err(Error::Silent)
}
