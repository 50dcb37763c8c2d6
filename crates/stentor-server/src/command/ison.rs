//! ISON: tells which of some nicks are in use.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let mut here = Vec::new();
    let nicks = message.params().iter().flat_map(|param| param.split(' '));
    let nicks: Vec<&str> = nicks.filter(|nick| !nick.is_empty()).take(NICKS).collect();
    session.charge_targets(nicks.len(), super::LOOKUPS_PER_LINE);
    for nick in nicks {
        if let Some(person) = session.node.find_person(nick).await?.filter(|person| person.online) {
            here.push(person.nick);
        }
    }
    reply.list_or_none(Numeric::RPL_ISON, &here);
    Ok(())
}

/// How many nicks one request may name; with the longest nicks a reply holds about as many.
pub(super) const NICKS: usize = 32;
