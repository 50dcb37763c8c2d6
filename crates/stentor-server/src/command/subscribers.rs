//! SUBSCRIBERS: who follows one, and who may.

use stentor_proto::message::Message;

use super::subscribe::{account_of, short};
use crate::error::Error;
use crate::following::links::{self, Publisher};
use crate::following::record::{
    REFUSE, REFUSED, ROOMS, Subscriber, refused_field, subscriber_field, subscribers,
};
use crate::following::sessions;
use crate::hub::{Decision, State};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::Change;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if session.account.is_none() {
        let text = "You must be logged in to an account, so that people can follow you";
        return Err(Error::fail(COMMAND, "ACCOUNT_REQUIRED", &[], text));
    }
    let Some(subcommand) = message.nonempty(0) else { return list(session, reply).await };
    let value = message.nonempty(1).unwrap_or_default();
    match subcommand.to_ascii_uppercase().as_str() {
        "REMOVE" => remove(session, value, reply).await,
        "ALLOW" => allow(session, value, reply).await,
        "REFUSE" => {
            let on = switch(subcommand, value)?;
            let change = if on { set(REFUSE, "on") } else { Change::Unset(REFUSE.to_owned()) };
            change_feed(session, |_| Ok(vec![change.clone()])).await?;
            let text = if on { "Nobody new can follow you" } else { "People can follow you" };
            reply.standard("NOTE", COMMAND, "REFUSE", &[shown(on)], text);
            Ok(())
        }
        "ROOMS" => {
            let on = switch(subcommand, value)?;
            let change = if on { Change::Unset(ROOMS.to_owned()) } else { set(ROOMS, "off") };
            sessions::set_own(session, change).await?;
            let text = if on {
                "Who follows you hears what you say in open rooms"
            } else {
                "Who follows you hears your posts alone"
            };
            reply.standard("NOTE", COMMAND, "ROOMS", &[shown(on)], text);
            Ok(())
        }
        _ => Err(invalid(subcommand, "It is SUBSCRIBERS, or SUBSCRIBERS REMOVE, ALLOW, REFUSE or ROOMS")),
    }
}

/// Lists who follows. Subscriptions of accounts that are gone are taken away on the way.
async fn list(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
    reply.expect_many();
    let mut count: usize = 0;
    if sessions::keep_own_feed(session).await? {
        let mut some = present(session);
        some.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        session.charge_targets(some.len(), super::LOOKUPS_PER_LINE * PER_LOOKUP);
        drop_ghosts(session, &some).await?;
        let still = present(session);
        some.retain(|(follower, _)| still.iter().any(|(there, _)| there == follower));
        for (_, Subscriber { mode, name, .. }) in &some {
            let mode = mode.as_str();
            reply.room().await;
            let text = format!("{name} follows you ({mode})");
            reply.standard("NOTE", COMMAND, "SUBSCRIBER", &[name, mode], &text);
            count += 1;
        }
    }
    let text = match count {
        0 => "Nobody follows you".to_owned(),
        1 => "1 person follows you".to_owned(),
        count => format!("{count} people follow you"),
    };
    reply.standard("NOTE", COMMAND, "END", &[&count.to_string()], &text);
    Ok(())
}

fn present(session: &Session) -> Vec<(String, Subscriber)> {
    let Some(feed) = &session.feed else { return Vec::new() };
    feed.with_state(|state| subscribers(state).map(|(name, one)| (name.to_owned(), one)).collect())
}

async fn drop_ghosts(session: &Session, some: &[(String, Subscriber)]) -> Result<(), Error> {
    let (Some(claim), Some(feed)) = (&session.account, &session.feed) else { return Ok(()) };
    let Some((epoch, _)) = links::newest(feed) else { return Ok(()) };
    let (hub, tenure) = (&session.node.hub, session.client.tenure());
    for some in some.chunks(links::AT_ONCE) {
        if let Err(refusal) = links::drop_ghosts(hub, &tenure, &claim.folded, epoch, some).await {
            return Err(match refusal {
                crate::hub::Refusal::Store(error) => Error::Store(error),
                crate::hub::Refusal::Fenced => Error::Fenced,
                _ => Error::Contended,
            });
        }
    }
    Ok(())
}

/// Ends somebody's subscription, and keeps that account from coming back until it is allowed.
async fn remove(session: &mut Session, nick: &str, reply: &mut Reply) -> Result<(), Error> {
    let follower = target(session, nick).await?;
    let most = session.node.config().limits.subscribers;
    let (field, refused) = (subscriber_field(&follower.folded), refused_field(&follower.folded));
    let since = session.node.fleet.now().0.to_string();
    let mut followed = false;
    change_feed(session, |state| {
        followed = state.field(&field).is_some();
        let count = state.fields.keys().filter(|name| name.starts_with(REFUSED)).count();
        if state.field(&refused).is_none() && !most.has_room(count) {
            let text = "You refuse as many people as one account can";
            return Err(Error::fail(COMMAND, "TOO_MANY", &[short(nick)], text));
        }
        Ok(vec![Change::Unset(field.clone()), set(&refused, &since)])
    })
    .await?;
    let name = &follower.name;
    let text = if followed {
        format!("{name} no longer follows you, and cannot until SUBSCRIBERS ALLOW {name}")
    } else {
        format!("{name} did not follow you, and cannot until SUBSCRIBERS ALLOW {name}")
    };
    reply.standard("NOTE", COMMAND, "REMOVED", &[name], &text);
    Ok(())
}

async fn allow(session: &mut Session, nick: &str, reply: &mut Reply) -> Result<(), Error> {
    // One that is refused may be gone by now.
    let own = refused_field(&nick.to_ascii_lowercase());
    let is_refused = sessions::keep_own_feed(session).await?
        && session.feed.as_ref().is_some_and(|feed| feed.with_state(|state| state.field(&own).is_some()));
    let (name, refused) = if is_refused {
        (nick.to_owned(), own)
    } else {
        let follower = target(session, nick).await?;
        let refused = refused_field(&follower.folded);
        (follower.name, refused)
    };
    change_feed(session, |state| {
        if state.field(&refused).is_none() {
            return Err(Error::fail(COMMAND, "NOT_REFUSED", &[short(nick)], "You do not refuse that person"));
        }
        Ok(vec![Change::Unset(refused.clone())])
    })
    .await?;
    let text = format!("{name} can follow you again");
    reply.standard("NOTE", COMMAND, "ALLOWED", &[&name], &text);
    Ok(())
}

async fn target(session: &Session, nick: &str) -> Result<Publisher, Error> {
    if nick.is_empty() {
        return Err(invalid("*", "Say whom"));
    }
    account_of(session, nick, COMMAND).await
}

/// Changes the session's own feed, which is made where there is none.
async fn change_feed(
    session: &mut Session,
    mut plan: impl FnMut(&State) -> Result<Vec<Change>, Error>,
) -> Result<(), Error> {
    let feed = sessions::make_own_feed(session).await?;
    let decide = |state: &State| {
        let life = state.within().ok_or(Error::Contended)?;
        Ok(Decision { life: Some(life), changes: plan(state)?, ..Decision::default() })
    };
    session.node.hub.transact(&feed, &session.client.tenure(), None, decide).await?;
    Ok(())
}

fn switch(subcommand: &str, value: &str) -> Result<bool, Error> {
    match value.to_ascii_uppercase().as_str() {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(invalid(subcommand, "It is ON or OFF")),
    }
}

fn shown(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

fn invalid(what: &str, text: &str) -> Error {
    Error::fail(COMMAND, "INVALID_PARAMS", &[short(what)], text)
}

fn set(field: &str, value: &str) -> Change {
    Change::Set(field.to_owned(), value.to_owned())
}

const COMMAND: &str = "SUBSCRIBERS";
/// So many times as many followers as other look-ups cost as much as a line: they are read many at once.
const PER_LOOKUP: usize = 16;
