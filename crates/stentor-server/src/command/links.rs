//! LINKS: lists the nodes, for operators: how the fleet is built is nobody else's business. Nodes are not linked to each
//! other, so every one is a hop from this one.

use std::collections::BTreeSet;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::about::About;
use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    if About::of(&session.node, &session.client).operator {
        list(session, reply).await?;
    }
    reply.numeric(Numeric::RPL_ENDOFLINKS, &["*"], "End of /LINKS list");
    Ok(())
}

async fn list(session: &Session, reply: &mut Reply) -> Result<(), Error> {
    let own = session.node.server_name.clone();
    let info = session.node.config().network_name.clone();
    let others: BTreeSet<String> =
        session.node.peers().await?.iter().map(|writer| session.node.server_of(writer)).collect();
    reply.numeric(Numeric::RPL_LINKS, &[&own, &own], &format!("0 {info}"));
    for name in others.iter().filter(|name| ***name != *own) {
        reply.numeric(Numeric::RPL_LINKS, &[name, &own], &format!("1 {info}"));
    }
    Ok(())
}
