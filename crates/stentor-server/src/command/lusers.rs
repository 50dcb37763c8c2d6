//! LUSERS: counts who is here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use tokio::task::JoinSet;

use crate::admin::status::NodeInfo;
use crate::error::Error;
use crate::fleet::census;
use crate::node::Node;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    reply.expect_many();
    let (others, ()) = tokio::join!(ask_all(session), counted(&session.node));
    tell(session, &others?, reply);
    Ok(())
}

/// The same as part of a welcome, which asks nobody: the others count as they told with their leases.
pub(super) fn send(session: &Session, reply: &mut Reply) {
    let node = &session.node;
    // Whoever comes next hears of it.
    census::renew(node);
    let here = node.tenure();
    let leases = node.fleet.leases();
    let others = leases.iter().filter(|lease| lease.writer != *here.writer());
    let others: Vec<Count> = others.map(|lease| Count::of_lease(&lease.info)).collect();
    tell(session, &others, reply);
}

/// Answers another node's `COUNT`.
pub(crate) async fn answer(node: &Arc<Node>) -> String {
    counted(node).await;
    serde_json::to_string(&Count::of(node)).expect("plain data has a JSON form")
}

/// What one node counts. Between nodes it is JSON; what an older node leaves out is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Count {
    users: u64,
    /// Connections that have not registered yet.
    unregistered: u64,
    operators: u64,
    /// Users who are not found by those who share no channel with them.
    invisible: u64,
    channels: u64,
    /// The most users that the node has had.
    most: u64,
    /// The most users that the network has had, as far as the node has heard.
    most_anywhere: u64,
}

impl Count {
    fn of(node: &Node) -> Self {
        let count = node.clients.count();
        let users = to_u64(count.now);
        Self {
            users,
            unregistered: to_u64(node.clients.unregistered()),
            operators: node.operators(),
            invisible: node.invisible(),
            channels: node.census.channels(node),
            most: to_u64(count.most),
            most_anywhere: node.clients.most_anywhere(users),
        }
    }

    fn of_lease(info: &str) -> Self {
        let NodeInfo { users, operators, invisible, channels, .. } = NodeInfo::from_text(info);
        Self { users, operators, invisible, channels, ..Self::default() }
    }
}

/// Lets this node count its channels anew where that is due, for as long as the asker can wait.
async fn counted(node: &Arc<Node>) {
    census::renew(node);
    // What takes longer goes on, for whoever asks next.
    let _ = tokio::time::timeout(super::who::PATIENCE / 2, node.census.settled()).await;
}

/// What the other nodes count now. One that does not answer in time counts as it told with its lease.
async fn ask_all(session: &Session) -> Result<Vec<Count>, Error> {
    let node = &session.node;
    let peers = node.peers().await?;
    let leases = node.fleet.leases();
    let mut asked = JoinSet::new();
    for writer in peers {
        let lease = leases.iter().find(|lease| lease.writer == writer);
        let told = lease.map(|lease| Count::of_lease(&lease.info)).unwrap_or_default();
        let node = node.clone();
        asked.spawn(async move {
            let answer = node.ask(&writer, "COUNT", super::who::PATIENCE).await;
            answer.and_then(|answer| serde_json::from_str(&answer).ok()).unwrap_or(told)
        });
    }
    let mut counts = Vec::new();
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok(count) => counts.push(count),
            Err(error) => tracing::error!(%error, "the question to another node failed"),
        }
    }
    Ok(counts)
}

fn tell(session: &Session, others: &[Count], reply: &mut Reply) {
    let node = &session.node;
    let own = Count::of(node);
    let sum = |what: fn(&Count) -> u64| what(&own) + others.iter().map(what).sum::<u64>();
    let (all, operators) = (sum(|count| count.users), sum(|count| count.operators));
    let (invisible, channels) = (sum(|count| count.invisible).min(all), sum(|count| count.channels));
    let heard = others.iter().map(|count| count.most_anywhere).max().unwrap_or_default();
    let most_anywhere = node.clients.most_anywhere(all.max(heard));
    // Where the fleet looks like one server, all of it is that server.
    let (local, most, unregistered, servers) = if node.looks_like_one() {
        (all, most_anywhere, sum(|count| count.unregistered), 1)
    } else {
        (own.users, own.most, own.unregistered, others.len() + 1)
    };
    let visible = all - invisible;
    let text = format!("There are {visible} users and {invisible} invisible on {servers} servers");
    reply.numeric(Numeric::RPL_LUSERCLIENT, &[], &text);
    reply.numeric(Numeric::RPL_LUSEROP, &[&operators.to_string()], "operator(s) online");
    reply.numeric(Numeric::RPL_LUSERUNKNOWN, &[&unregistered.to_string()], "unknown connection(s)");
    reply.numeric(Numeric::RPL_LUSERCHANNELS, &[&channels.to_string()], "channels formed");
    reply.numeric(Numeric::RPL_LUSERME, &[], &format!("I have {local} clients and {} servers", servers - 1));
    let text = format!("Current local users {local}, max {most}");
    reply.numeric(Numeric::RPL_LOCALUSERS, &[&local.to_string(), &most.to_string()], &text);
    let text = format!("Current global users {all}, max {most_anywhere}");
    reply.numeric(Numeric::RPL_GLOBALUSERS, &[&all.to_string(), &most_anywhere.to_string()], &text);
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
