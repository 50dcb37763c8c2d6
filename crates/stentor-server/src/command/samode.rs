//! SAMODE: shows or changes the modes of any channel, as an operator of the network.

use stentor_proto::channel::is_channel_like;
use stentor_proto::message::Message;

use super::mode::{self, By};
use crate::config::Privilege;
use crate::error::Error;
use crate::operator::audit::Deed;
use crate::operator::{authorise, demand};
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Channels)?;
    let target = message.param(0).unwrap_or_default();
    if !is_channel_like(target) {
        return Err(policy::no_such_channel(target));
    }
    let modes = message.params().get(1..).unwrap_or_default().join(" ");
    authorise(session, Privilege::Channels, &Deed { what: "samode", target, reason: &modes }).await?;
    mode::act(session, message, By::Network, reply).await
}
