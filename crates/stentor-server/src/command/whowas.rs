//! WHOWAS: who held a nick before, as far as the nodes remember.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use tokio::task::JoinSet;

use super::about;
use super::who::PATIENCE;
use crate::error::Error;
use crate::hub::clock;
use crate::node::Node;
use crate::node::past::Former;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let Some(nick) = message.nonempty(0) else {
        return Err(Error::numeric(Numeric::ERR_NONICKNAMEGIVEN, &[], "No nickname given"));
    };
    // As the specifications have it, a number that is not positive asks for all.
    let wanted = message.param(1).and_then(|count| count.parse::<usize>().ok()).filter(|count| *count > 0);
    let most = wanted.unwrap_or(MOST).min(MOST);
    let (mut found, silent) = ask_all(session, nick, most).await?;
    found.sort_by_key(|former| std::cmp::Reverse(former.until));
    found.truncate(most);
    if found.is_empty() {
        reply.numeric(Numeric::ERR_WASNOSUCHNICK, &[nick], "There was no such nickname");
    }
    for former in &found {
        let Former { nick, user, host, server, .. } = former;
        let realname = if former.realname.is_empty() { "*" } else { &former.realname };
        reply.room().await;
        reply.numeric(Numeric::RPL_WHOWASUSER, &[nick, user, host, "*"], realname);
        reply.numeric(Numeric::RPL_WHOISSERVER, &[nick, server], &clock::server_time(former.until));
    }
    for server in silent {
        let text = format!("{server} did not answer in time; it may remember more");
        reply.standard("NOTE", "WHOWAS", "INCOMPLETE", &[nick], &text);
    }
    reply.numeric(Numeric::RPL_ENDOFWHOWAS, &[nick], "End of WHOWAS");
    Ok(())
}

/// Answers another node's `WHOWAS <number> <nick>` with what this one remembers.
pub(crate) fn answer(node: &Node, question: &[&str]) -> String {
    let mut found = match question {
        [most, nick] => node.past.holders(nick, most.parse().unwrap_or_default()),
        _ => Vec::new(),
    };
    about::keep_within(about::ANSWER_MAX, &mut found);
    serde_json::to_string(&found).expect("plain data has a JSON form")
}

/// What all nodes remember, in no order, and the servers that did not answer in time.
async fn ask_all(session: &Session, nick: &str, most: usize) -> Result<(Vec<Former>, Vec<String>), Error> {
    let node = &session.node;
    let mut found = node.past.holders(nick, most);
    // A nick has no spaces, so this one was nobody's.
    if nick.contains(' ') {
        return Ok((found, Vec::new()));
    }
    let question = format!("WHOWAS {most} {nick}");
    let mut asked = JoinSet::new();
    for writer in node.peers().await? {
        let (node, question) = (node.clone(), question.clone());
        asked.spawn(async move {
            let answer = node.ask(&writer, &question, PATIENCE).await;
            answer
                .and_then(|answer| serde_json::from_str::<Vec<Former>>(&answer).ok())
                .ok_or_else(|| node.server_of(&writer))
        });
    }
    let mut silent = Vec::new();
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok(Ok(more)) => found.extend(more),
            Ok(Err(server)) => silent.push(server),
            Err(error) => tracing::error!(%error, "the question to another node failed"),
        }
    }
    Ok((found, silent))
}

/// How many holders of a nick are shown at most.
const MOST: usize = 100;
