//! KILL: ends somebody's session, wherever it is.

use std::time::Duration;

use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::truncate_utf8;

use crate::config::Privilege;
use crate::error::Error;
use crate::fleet::sweep;
use crate::hub::{Refusal, render};
use crate::modes::BOT;
use crate::node::Node;
use crate::node::people::Person;
use crate::operator::audit::Deed;
use crate::operator::{authorise, demand};
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    demand(session, Privilege::Kill)?;
    let nick = message.param(0).unwrap_or_default();
    if nick.contains('.') {
        return Err(Error::numeric(Numeric::ERR_CANTKILLSERVER, &[], "You can't kill a server!"));
    }
    let limit = session.node.config().limits.kick_length;
    let reason = truncate_utf8(message.nonempty(1).unwrap_or("No reason given"), limit);
    let person = session.node.find_person(nick).await?.filter(|person| person.online);
    let person = person.ok_or_else(|| super::no_such_nick(nick))?;
    let deed = Deed { what: "kill", target: &person.source, reason };
    authorise(session, Privilege::Kill, &deed).await?;
    // From here on it is the session that counts: another nick saves nobody.
    end(session, &person, reason).await
}

async fn end(session: &Session, person: &Person, reason: &str) -> Result<(), Error> {
    let (node, profile) = (&session.node, session.client.profile());
    let by = profile.source();
    // A session of this node may still have claims of a lost incarnation, which nobody answers for.
    let elsewhere = person.writer.as_ref().filter(|_| person.local.is_none());
    let Some(writer) = elsewhere.filter(|writer| *writer != node.tenure().writer()) else {
        kill_here(node, &person.id, (&by, &profile.tags()), reason);
        return Ok(());
    };
    let question = format!("KILL {} {by} {reason}", person.id);
    if let Some("done" | "gone") = node.ask(writer, &question, PATIENCE).await.as_deref() {
        return Ok(());
    }
    // Its node does not answer. The session loses all that it holds, and its node closes it when it wakes.
    let text = text(&by, reason);
    match sweep::session(&node.hub, &session.client.tenure(), writer, &person.id, &text).await {
        Ok(()) | Err(Refusal::Rule(())) => Ok(()),
        Err(Refusal::Store(error)) => Err(Error::Store(error)),
        Err(Refusal::Contended) => Err(Error::Contended),
        Err(Refusal::Fenced) => Err(Error::Fenced),
    }
}

/// Answers another node's `KILL <user's id> <nick!user@host> <reason>`.
pub(crate) async fn answer(node: &Node, id: &str, by: &str, question: &str) -> String {
    let reason = question.splitn(4, ' ').nth(3).unwrap_or_default();
    let killed = kill_here(node, id, (by, &tags_of(node, by).await), reason);
    if killed { "done".to_owned() } else { "gone".to_owned() }
}

/// What tags say of an operator on another node, whose question does not tell it; nothing where that cannot be found out soon.
async fn tags_of(node: &Node, by: &str) -> String {
    let found = node.find_person(by.split('!').next().unwrap_or(by));
    match tokio::time::timeout(LOOKUP, found).await {
        Ok(Ok(Some(person))) if person.source == by => {
            render::tags_of(person.account.as_deref(), person.modes.contains(BOT))
        }
        _ => String::new(),
    }
}

fn kill_here(node: &Node, id: &str, (by, tags): (&str, &str), reason: &str) -> bool {
    let Some(client) = node.clients.by_id(id) else { return false };
    let nick = client.profile().nick.clone();
    let line = Line::new("KILL").source(by).raw_tags(tags).param(nick).trailing(reason).build();
    if let Some(line) = render::alone(&line, client.capabilities()) {
        client.queue.push_line(&line);
    }
    client.queue.close(&text(by, reason));
    true
}

fn text(by: &str, reason: &str) -> String {
    format!("Killed ({} ({reason}))", by.split('!').next().unwrap_or(by))
}

/// How long another node may take to end a session.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the look for who asked for that may take.
const LOOKUP: Duration = Duration::from_millis(300);
