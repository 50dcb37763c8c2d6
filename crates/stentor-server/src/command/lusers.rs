//! LUSERS: counts who is here.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::admin::status::NodeInfo;
use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    reply.expect_many();
    send(session, reply);
    Ok(())
}

/// Counts the users of the network, as far as the nodes have told with their leases, and of this node.
pub(super) fn send(session: &Session, reply: &mut Reply) {
    let node = &session.node;
    let own = node.clients.count();
    let here = node.tenure();
    let leases = node.fleet.leases();
    let others = leases.iter().filter(|lease| lease.writer != *here.writer());
    let remote: u64 = others.map(|lease| NodeInfo::from_text(&lease.info).users).sum();
    let local = u64::try_from(own.now).unwrap_or(u64::MAX);
    let most = u64::try_from(own.most).unwrap_or(u64::MAX);
    let (all, nodes) = (local + remote, leases.len().max(1));
    let text = format!("There are {all} users and 0 invisible on {nodes} servers");
    reply.numeric(Numeric::RPL_LUSERCLIENT, &[], &text);
    reply.numeric(Numeric::RPL_LUSEROP, &["0"], "operator(s) online");
    reply.numeric(
        Numeric::RPL_LUSERUNKNOWN,
        &[&node.clients.unregistered().to_string()],
        "unknown connection(s)",
    );
    reply.numeric(Numeric::RPL_LUSERCHANNELS, &[&node.hub.channels().to_string()], "channels formed");
    reply.numeric(Numeric::RPL_LUSERME, &[], &format!("I have {local} clients and {} servers", nodes - 1));
    let text = format!("Current local users {local}, max {most}");
    reply.numeric(Numeric::RPL_LOCALUSERS, &[&local.to_string(), &most.to_string()], &text);
    let text = format!("Current global users {all}, max {}", most.max(all));
    reply.numeric(Numeric::RPL_GLOBALUSERS, &[&all.to_string(), &most.max(all).to_string()], &text);
}
