//! REHASH: makes the node read its configuration and certificates again, as SIGHUP does.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::config::Privilege;
use crate::error::Error;
use crate::operator::audit::Deed;
use crate::operator::authorise;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    let server = session.node.server_name.clone();
    authorise(session, Privilege::Control, &Deed { what: "rehash", target: &server, reason: "" }).await?;
    reply.numeric(Numeric::RPL_REHASHING, &[&server], "Rehashing");
    let outcome = tokio::select! {
        // Both are cancel-safe: the reload goes on without whoever asked for it.
        outcome = session.node.reloads.ask() => outcome,
        () = session.node.drain.cancelled() => None,
    };
    match outcome {
        Some(sentences) => tell(&sentences, reply).await,
        None => reply.notice("REHASH: nothing is known yet of what became of it; the node's log will tell"),
    }
    Ok(())
}

/// What is wrong with a configuration takes several lines, and may take any number.
async fn tell(sentences: &[String], reply: &mut Reply) {
    let lines: Vec<&str> = sentences.iter().flat_map(|sentence| sentence.lines()).collect();
    for line in lines.iter().take(LINES_MAX) {
        reply.room().await;
        reply.long_notice(&format!("REHASH: {line}"));
    }
    if lines.len() > LINES_MAX {
        reply.notice("REHASH: and more, which the node's log has");
    }
}

/// How many lines an operator is told.
const LINES_MAX: usize = 20;
