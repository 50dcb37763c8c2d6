//! NICK: chooses or changes a name.

use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::modes::Rank;
use crate::node::claim::{self, Refused};
use crate::node::presence;
use crate::operator::watch;
use crate::policy;
use crate::reply::Reply;
use crate::services;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let Some(wanted) = message.nonempty(0) else {
        return Err(Error::numeric(Numeric::ERR_NONICKNAMEGIVEN, &[], "No nickname given"));
    };
    // The limit is for new names: that of one's account may be longer.
    let is_own = session.account_folded().is_some_and(|own| own.eq_ignore_ascii_case(wanted));
    let limit = if is_own { usize::MAX } else { session.node.config().limits.nick_length };
    let nick = Nick::parse(wanted, limit).map_err(|_| {
        let shown = if wanted.contains(' ') { "*" } else { wanted };
        Error::numeric(Numeric::ERR_ERRONEUSNICKNAME, &[shown], "Erroneous nickname")
    })?;
    let Some(registering) = session.registering.as_mut() else {
        return change(session, &nick, reply).await;
    };
    registering.nick = Some(nick);
    super::register::advance(session, reply).await
}

/// `ERR_NICKNAMEINUSE`, and whether waiting for the nick is of any use.
pub(super) async fn in_use(session: &Session, nick: &Nick) -> Error {
    if services::is_reserved(nick.folded()) {
        let text = "Nickname belongs to a part of the server";
        return Error::numeric(Numeric::ERR_NICKNAMEINUSE, &[nick.as_str()], text);
    }
    let text = match session.node.accounts.find(nick.as_str()).await {
        Ok(Some(account)) if session.account_folded() != Some(&account.folded) => {
            "Nickname belongs to an account: log in to it, or choose another"
        }
        _ => "Nickname is already in use",
    };
    Error::numeric(Numeric::ERR_NICKNAMEINUSE, &[nick.as_str()], text)
}

/// Changes the nick of a session that has been welcomed.
///
/// # Errors
/// Why it stays as it was.
pub(crate) async fn change(session: &mut Session, nick: &Nick, reply: &mut Reply) -> Result<(), Error> {
    let before = session.client.profile();
    if before.nick == nick.as_str() {
        return Ok(());
    }
    let same = before.nick.eq_ignore_ascii_case(nick.as_str());
    if session.node.config().accounts.required && !same {
        let text = "Here your nick is your account's name; only its capitals can change";
        return Err(Error::numeric(Numeric::ERR_ERRONEUSNICKNAME, &[nick.as_str()], text));
    }
    if !same && watch::banned(session, nick.as_str(), before.account.as_deref()).is_some() {
        return Err(Error::numeric(
            Numeric::ERR_ERRONEUSNICKNAME,
            &[nick.as_str()],
            "That nickname is banned",
        ));
    }
    let renamed = format!("{}!{}@{}", nick.as_str(), before.user, before.host);
    if !same && let Some(channel) = silenced_in(session, &renamed, before.account.as_deref()) {
        let text = "You cannot change your nick while you are banned or muted there";
        return Err(Error::numeric(Numeric::ERR_BANONCHAN, &[nick.as_str(), &channel], text));
    }
    switch(session, nick, reply).await
}

/// Takes another nick where the session's own has become the name of somebody else's account. What keeps people from changing
/// their nick does not keep this from happening.
///
/// # Errors
/// Why it stays as it was.
pub(crate) async fn look_again(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
    let Some(lost) = session.nick.as_ref().map(|claim| claim.partition.name().to_owned()) else {
        return Ok(());
    };
    if !claim::is_name_of_another(session, &lost).await? {
        return Ok(());
    }
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let name = format!("Guest{}", 10_000 + crate::random::number() % 90_000);
        let Ok(nick) = Nick::parse(&name, usize::MAX) else { continue };
        outcome = switch(session, &nick, reply).await;
        match &outcome {
            Ok(()) => {
                let text = format!(
                    "The nick {lost} is the name of an account now, which its owner alone bears: you are {name} instead. If \
                     the account is yours, log in to it"
                );
                reply.notice(&text);
                return Ok(());
            }
            Err(Error::Numeric(Numeric::ERR_NICKNAMEINUSE, ..)) => {}
            Err(_) => break,
        }
    }
    outcome
}

/// Claims the nick, or respells it, and tells everybody.
async fn switch(session: &mut Session, nick: &Nick, reply: &mut Reply) -> Result<(), Error> {
    let before = session.client.profile();
    let same = before.nick.eq_ignore_ascii_case(nick.as_str());
    let old = session.nick.clone();
    if same {
        claim::respell(session, nick).await?;
    } else {
        match claim::nick(session, nick).await {
            Ok(()) => {}
            Err(Refused::Taken) => return Err(in_use(session, nick).await),
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    // The client itself is told first, and not again by its channels.
    let event = presence::event(session);
    session.client.update(|profile| {
        nick.as_str().clone_into(&mut profile.nick);
        profile.events.nick = event;
    });
    reply.own(&before.line("NICK").param(nick.as_str()));
    if let (Some(old), false) = (old, same) {
        session.leftovers.push(old);
    }
    watch::check(session, nick.as_str(), before.account.as_deref(), reply)?;
    presence::spread(session).await?;
    if !same {
        crate::metadata::own::introduce_nick(session).await;
    }
    // The change is done. What this leaves undone, the session's end does.
    while let Some(old) = session.leftovers.last().cloned() {
        if let Err(refusal) = session.release_nick::<Error>(&old).await {
            tracing::debug!(?refusal, "an old nick is given up later");
            return Ok(());
        }
        session.leftovers.pop();
    }
    if !same && let Err(error) = claim::index_names(session, nick.folded()).await {
        tracing::debug!(?error, "the index names an old nick for longer");
    }
    Ok(())
}

/// A channel in which the user is banned or muted, and would not be as `source`, with this account.
pub(super) fn silenced_in(session: &Session, source: &str, account: Option<&str>) -> Option<String> {
    let profile = session.client.profile();
    let before = (&*profile.source(), profile.account.as_deref());
    let id = &session.client.id;
    session.client.rooms().iter().find_map(|replica| {
        replica.with_state(|state| {
            let rank = state.members.get(id)?.rank();
            let is_silenced = |who| policy::is_banned(state, who, true);
            let shakes_off = rank < Rank::Voice && is_silenced(before) && !is_silenced((source, account));
            shakes_off.then(|| policy::name(state, replica.partition().name()).to_owned())
        })
    })
}

/// How many nicks are tried for a guest who has to have another.
const ATTEMPTS: usize = 8;
