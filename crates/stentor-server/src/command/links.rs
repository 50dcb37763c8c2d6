//! LINKS: lists the nodes. They are not linked to each other, so every one is a hop from this one.

use std::collections::BTreeSet;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::node::server_name;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let own = session.node.server_name.clone();
    let info = session.node.config().network_name.clone();
    let others: BTreeSet<String> =
        session.node.peers().await?.iter().map(|writer| server_name(writer.node())).collect();
    reply.numeric(Numeric::RPL_LINKS, &[&own, &own], &format!("0 {info}"));
    for name in others.iter().filter(|name| ***name != *own) {
        reply.numeric(Numeric::RPL_LINKS, &[name, &own], &format!("1 {info}"));
    }
    reply.numeric(Numeric::RPL_ENDOFLINKS, &["*"], "End of /LINKS list");
    Ok(())
}
