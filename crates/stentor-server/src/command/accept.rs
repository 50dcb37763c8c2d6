//! ACCEPT: who may write to a user that hears from the logged in alone (`+R`).

use std::sync::Arc;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::client::Profile;
use crate::error::Error;
use crate::node::claim;
use crate::node::people::Person;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let wanted = message.nonempty(0).unwrap_or("*");
    if wanted == "*" {
        let nicks: Vec<String> =
            session.client.profile().accepted.iter().map(|(_, nick)| nick.clone()).collect();
        reply.expect_many();
        reply.list(Numeric::RPL_ACCEPTLIST, &[], nicks.iter().map(String::as_str));
        reply.numeric(Numeric::RPL_ENDOFACCEPT, &[], "End of /ACCEPT list");
        return Ok(());
    }
    let wanted: Vec<&str> = wanted.split(',').filter(|nick| !nick.is_empty()).collect();
    session.charge_targets(wanted.len(), super::EACH);
    if wanted.len() > 1 {
        reply.expect_many();
    }
    for nick in wanted {
        let result = match nick.strip_prefix('-') {
            Some(nick) => remove(session, nick).await,
            None => add(session, nick).await,
        };
        match result {
            Ok(()) => {}
            Err(error @ (Error::Close(_) | Error::Fenced)) => return Err(error),
            Err(error) => error.send("ACCEPT", reply),
        }
    }
    Ok(())
}

/// Lets somebody answer whom the session writes to. The oldest of a full list gives way.
pub(super) async fn answerable(session: &Session, person: &Person) -> Result<(), Error> {
    if person.account.is_some() || session.client.profile().accepts(&person.id) {
        return Ok(());
    }
    change(session, |accepted| {
        if accepted.len() >= ACCEPTED {
            accepted.remove(0);
        }
        accepted.push((person.id.clone(), person.nick.clone()));
    })
    .await
}

async fn add(session: &Session, nick: &str) -> Result<(), Error> {
    let person = session.node.find_person(nick).await?.filter(|person| person.online);
    let person = person.ok_or_else(|| super::no_such_nick(nick))?;
    let profile = session.client.profile();
    if profile.accepts(&person.id) {
        let text = "is already on your accept list";
        return Err(Error::numeric(Numeric::ERR_ACCEPTEXIST, &[&person.nick], text));
    }
    if profile.accepted.len() >= ACCEPTED {
        return Err(Error::numeric(Numeric::ERR_ACCEPTFULL, &[], "Accept list is full"));
    }
    change(session, |accepted| accepted.push((person.id.clone(), person.nick.clone()))).await
}

async fn remove(session: &Session, nick: &str) -> Result<(), Error> {
    // Whoever is gone is known by the nick of then alone.
    let id = session.node.find_person(nick).await?.filter(|person| person.online).map(|person| person.id);
    let is_meant =
        |(known, name): &(Arc<str>, String)| id.as_ref() == Some(known) || name.eq_ignore_ascii_case(nick);
    if !session.client.profile().accepted.iter().any(is_meant) {
        return Err(Error::numeric(Numeric::ERR_ACCEPTNOT, &[nick], "is not on your accept list"));
    }
    change(session, |accepted| accepted.retain(|entry| !is_meant(entry))).await
}

/// Changes the list where other nodes look it up too.
async fn change(session: &Session, change: impl FnOnce(&mut Vec<(Arc<str>, String)>)) -> Result<(), Error> {
    let mut after = Profile::clone(&session.client.profile());
    change(&mut after.accepted);
    claim::change(session, &after, |from, to| to.accepted.clone_from(&from.accepted), None).await
}

/// How many people one list holds.
pub(super) const ACCEPTED: usize = 30;
