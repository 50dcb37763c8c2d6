//! SUBSCRIBE and UNSUBSCRIBE: follow people, or stop.

use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::following::links::{self, Denied, Publisher};
use crate::following::record::Mode;
use crate::following::sessions;
use crate::hub::{Held, Refusal};
use crate::reply::Reply;
use crate::session::{AccountClaim, Session};
use crate::store::StoreError;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let wanted = message.param(1).unwrap_or(Mode::All.as_str());
    let mode = Mode::parse(wanted).ok_or_else(|| {
        let text = "What somebody says is followed as `all` or as `posts`";
        Error::fail(SUBSCRIBE, "INVALID_PARAMS", &[short(wanted)], text)
    })?;
    if session.is_deaf {
        // What waits in feeds that are followed already would be passed over.
        super::posts::deliver(session, reply).await;
        if session.is_deaf {
            let text = "The store cannot be reached. Please try again in a moment.";
            return Err(Error::fail(SUBSCRIBE, "TEMPORARILY_UNAVAILABLE", &[], text));
        }
    }
    for nick in names(session, message, reply) {
        if session.is_over() {
            break;
        }
        let claim = claim(session, SUBSCRIBE, nick);
        let result = match claim {
            Ok(claim) => subscribe(session, &claim, nick, mode, reply).await,
            Err(error) => Err(error),
        };
        answer(result, SUBSCRIBE, reply)?;
    }
    Ok(())
}

pub(super) async fn end(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    for nick in names(session, message, reply) {
        if session.is_over() {
            break;
        }
        let claim = claim(session, UNSUBSCRIBE, nick);
        let result = match claim {
            Ok(claim) => unsubscribe(session, &claim, nick, reply).await,
            Err(error) => Err(error),
        };
        answer(result, UNSUBSCRIBE, reply)?;
    }
    Ok(())
}

/// The names in a list. Each costs what a line does.
fn names<'a>(session: &mut Session, message: &Message<'a>, reply: &mut Reply) -> Vec<&'a str> {
    let names = message.param(0).unwrap_or_default();
    let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    session.charge_targets(names.len(), super::EACH);
    if names.len() > 1 {
        reply.expect_many();
    }
    names
}

/// Tells the client of an error about one name; one that ends the session ends the list too.
fn answer(result: Result<(), Error>, command: &str, reply: &mut Reply) -> Result<(), Error> {
    match result {
        Err(error @ (Error::Fenced | Error::Close(_))) => Err(error),
        Err(error) => {
            error.send(command, reply);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn claim(session: &Session, command: &'static str, nick: &str) -> Result<AccountClaim, Error> {
    session.account.clone().ok_or_else(|| {
        let text = "You must be logged in to an account to follow people";
        Error::fail(command, "ACCOUNT_REQUIRED", &[short(nick)], text)
    })
}

/// The account that a nick means: that of who is here, or the one of that name.
pub(super) async fn account_of(
    session: &Session,
    nick: &str,
    command: &'static str,
) -> Result<Publisher, Error> {
    let unknown = |text: &str| Error::fail(command, "NO_SUCH_ACCOUNT", &[short(nick)], text);
    let person = session.node.find_person(nick).await?.ok_or_else(|| unknown("There is no such account"))?;
    let account = person.account.ok_or_else(|| unknown("That person is not logged in to an account"))?;
    let found = links::find(&session.node.hub, &account.to_ascii_lowercase()).await?;
    found.ok_or_else(|| unknown("There is no such account"))
}

async fn subscribe(
    session: &mut Session,
    claim: &AccountClaim,
    nick: &str,
    mode: Mode,
    reply: &mut Reply,
) -> Result<(), Error> {
    let publisher = account_of(session, nick, SUBSCRIBE).await?;
    if publisher.folded == claim.folded {
        let text = "You cannot follow yourself";
        return Err(Error::fail(SUBSCRIBE, "INVALID_PARAMS", &[short(nick)], text));
    }
    let (hub, tenure) = (session.node.hub.clone(), session.client.tenure());
    links::ensure(&hub, &tenure, &publisher).await?;
    let stands = session
        .following
        .get(&publisher.folded)
        .is_some_and(|followed| followed.subscriber(session).is_some());
    if !stands {
        sessions::let_go(session, &publisher.folded);
        has_room(session, claim, &publisher).await?;
        intend(session, claim, nick, &publisher).await?;
    }
    let Some(feed) = session.following.get(&publisher.folded).map(|followed| followed.held.replica()) else {
        return Err(Error::Contended);
    };
    let most = session.node.config().limits.subscribers;
    match links::subscribe(&hub, &tenure, &feed, &publisher, claim, mode, most).await {
        Ok(_) => {}
        // It may come to be; then the note is there, and the feed is heard.
        Err(Denied::Error(error @ Error::Store(StoreError::Unknown(_)))) => return Err(error),
        Err(denied) => {
            if !stands {
                sessions::tidy(session, &publisher.folded).await;
            }
            return Err(denied_as(denied, nick));
        }
    }
    let text = match mode {
        Mode::All => format!("You follow {}: posts, and what is said in open rooms", publisher.name),
        Mode::Posts => format!("You follow the posts of {}", publisher.name),
    };
    reply.standard("NOTE", SUBSCRIBE, "SUBSCRIBED", &[&publisher.name, mode.as_str()], &text);
    Ok(())
}

/// Whether the account may follow one more. Notes of subscriptions that are gone do not count.
async fn has_room(session: &mut Session, claim: &AccountClaim, publisher: &Publisher) -> Result<(), Error> {
    let most = session.node.config().limits.subscriptions;
    let others = |session: &Session| {
        sessions::noted(session).into_iter().filter(|(name, _)| *name != publisher.folded).collect::<Vec<_>>()
    };
    if most.has_room(others(session).len()) {
        return Ok(());
    }
    for (name, _) in others(session) {
        let followed = session.following.get(&name);
        if followed.is_some_and(|followed| followed.subscriber(session).is_none()) {
            sessions::tidy(session, &name).await;
        }
    }
    if most.has_room(others(session).len()) {
        return Ok(());
    }
    let text = format!("{} follows as many as one account can", claim.name);
    Err(Error::fail(SUBSCRIBE, "TOO_MANY", &[short(&publisher.name)], &text))
}

/// Notes the subscription in the account before it is made, and hears the feed from here on.
async fn intend(
    session: &mut Session,
    claim: &AccountClaim,
    nick: &str,
    publisher: &Publisher,
) -> Result<(), Error> {
    let subscription = sessions::begin(session, publisher).await?;
    let most = session.node.config().limits.subscribers;
    let own = session.inbox.as_ref().map(Held::replica).ok_or(Error::Fenced)?;
    let feed = session.following.get(&publisher.folded).map(|followed| followed.held.replica());
    let may = feed
        .ok_or(Denied::Error(Error::Contended))
        .and_then(|feed| feed.with_state(|state| links::may_subscribe(state, &claim.folded, most)));
    let (hub, tenure) = (session.node.hub.clone(), session.client.tenure());
    let noted = match may {
        Ok(()) => {
            let guard = sessions::guard(session);
            links::note(&hub, &tenure, &own, &guard, &publisher.folded, subscription).await
        }
        Err(denied) => Err(denied_as(denied, nick)),
    };
    if noted.is_err() {
        sessions::let_go(session, &publisher.folded);
    }
    noted
}

fn denied_as(denied: Denied, nick: &str) -> Error {
    match denied {
        Denied::Refused => {
            Error::fail(SUBSCRIBE, "REFUSED", &[short(nick)], "That person does not want you to follow")
        }
        Denied::Full => {
            let text = "As many follow that person as may follow one";
            Error::fail(SUBSCRIBE, "TOO_MANY", &[short(nick)], text)
        }
        Denied::Error(error) => error,
    }
}

async fn unsubscribe(
    session: &mut Session,
    claim: &AccountClaim,
    nick: &str,
    reply: &mut Reply,
) -> Result<(), Error> {
    let folded = nick.to_ascii_lowercase();
    // The name first: an account that is gone can still be noted.
    let publisher = if sessions::notes(session, &folded) {
        folded
    } else {
        match account_of(session, nick, UNSUBSCRIBE).await {
            Ok(publisher) => publisher.folded,
            Err(Error::Fail { .. }) => return Err(not_subscribed(nick)),
            Err(error) => return Err(error),
        }
    };
    if !sessions::notes(session, &publisher) {
        return Err(not_subscribed(nick));
    }
    let (hub, tenure) = (session.node.hub.clone(), session.client.tenure());
    let name = session.following.get(&publisher).map_or(publisher.clone(), |held| held.name(&publisher));
    let stood = session.following.get(&publisher).is_none_or(|held| held.subscriber(session).is_some());
    match links::unsubscribe(&hub, &tenure, &publisher, &claim.folded, &[]).await {
        Ok(()) | Err(Refusal::Rule(())) => {}
        Err(Refusal::Store(error)) => return Err(error.into()),
        Err(Refusal::Contended) => return Err(Error::Contended),
        Err(Refusal::Fenced) => return Err(Error::Fenced),
    }
    sessions::let_go(session, &publisher);
    let own = session.inbox.as_ref().map(Held::replica).ok_or(Error::Fenced)?;
    if let Err(error) = links::forget(&hub, &tenure, &own, &sessions::guard(session), &publisher).await {
        tracing::debug!(?error, "the note of a subscription that is gone stays for now");
    }
    if !stood {
        return Err(not_subscribed(nick));
    }
    let text = format!("You no longer follow {name}");
    reply.standard("NOTE", UNSUBSCRIBE, "UNSUBSCRIBED", &[&name], &text);
    Ok(())
}

fn not_subscribed(nick: &str) -> Error {
    Error::fail(UNSUBSCRIBE, "NOT_SUBSCRIBED", &[short(nick)], "You do not follow that person")
}

/// What a client sent, as much of it as an answer repeats.
pub(super) fn short(text: &str) -> &str {
    truncate_utf8(text, REPEATED)
}

const SUBSCRIBE: &str = "SUBSCRIBE";
const UNSUBSCRIBE: &str = "UNSUBSCRIBE";
/// How many bytes of a name an answer repeats: room for the longest.
const REPEATED: usize = 128;
