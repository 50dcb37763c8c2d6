//! WALLOPS and ANNOUNCE: texts for those who asked to hear operators, and for everybody.

use stentor_proto::message::Message;

use crate::config::Privilege;
use crate::error::Error;
use crate::operator::audit::Deed;
use crate::operator::broadcast::{self, Kind};
use crate::operator::{authorise, demand};
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    say(session, message, "WALLOPS", Privilege::Wallops, Kind::Wallops).await
}

pub(super) async fn announce(
    session: &mut Session,
    message: &Message<'_>,
    _: &mut Reply,
) -> Result<(), Error> {
    say(session, message, "ANNOUNCE", Privilege::Announce, Kind::Announcement).await
}

async fn say(
    session: &Session,
    message: &Message<'_>,
    command: &str,
    privilege: Privilege,
    kind: Kind,
) -> Result<(), Error> {
    demand(session, privilege)?;
    let text = message.nonempty(0).ok_or_else(|| super::need_more_params(command))?;
    let what = command.to_ascii_lowercase();
    authorise(session, privilege, &Deed { what: &what, target: "", reason: text }).await?;
    let profile = session.client.profile();
    let from = (&*profile.source(), &*profile.tags());
    broadcast::send(&session.node, kind, from, text).await.map_err(Error::from)
}
