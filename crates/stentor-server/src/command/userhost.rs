//! USERHOST: the user names and hosts of a few people.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::about::About;
use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let mut found = Vec::new();
    let nicks: Vec<&str> =
        message.params().iter().copied().filter(|nick| !nick.is_empty()).take(NICKS).collect();
    session.charge_targets(nicks.len(), super::LOOKUPS_PER_LINE);
    for nick in nicks {
        let Some(person) = session.node.find_person(nick).await?.filter(|person| person.online) else {
            continue;
        };
        let about = match &person.local {
            Some(client) => About::of(&session.node, client),
            None => About::of_claim(&session.node, &person),
        };
        let operator = if about.operator { "*" } else { "" };
        let away = if about.away.is_some() { '-' } else { '+' };
        found.push(format!("{}{operator}={away}{}@{}", about.nick, about.user, about.host));
    }
    reply.list_or_none(Numeric::RPL_USERHOST, &found);
    Ok(())
}

/// As many as RFC 2812 lets one request name.
pub(super) const NICKS: usize = 5;
