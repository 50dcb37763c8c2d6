//! SUBSCRIPTIONS: whom one follows.

use stentor_proto::message::Message;

use crate::error::Error;
use crate::following::sessions;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, _: &Message<'_>, reply: &mut Reply) -> Result<(), Error> {
    if session.account.is_none() {
        let text = "You must be logged in to an account to follow people";
        return Err(Error::fail(COMMAND, "ACCOUNT_REQUIRED", &[], text));
    }
    if session.is_deaf {
        super::posts::deliver(session, reply).await;
    }
    if session.is_deaf {
        let text = "The store cannot be reached. Please try again in a moment.";
        return Err(Error::fail(COMMAND, "TEMPORARILY_UNAVAILABLE", &[], text));
    }
    reply.expect_many();
    let mut count: usize = 0;
    for (publisher, _) in sessions::noted(session) {
        let Some(followed) = session.following.get(&publisher) else { continue };
        let name = followed.name(&publisher);
        let Some(subscriber) = followed.subscriber(session) else {
            // The publisher has ended it.
            sessions::tidy(session, &publisher).await;
            continue;
        };
        let mode = subscriber.mode.as_str();
        reply.room().await;
        reply.standard(
            "NOTE",
            COMMAND,
            "SUBSCRIPTION",
            &[&name, mode],
            &format!("You follow {name} ({mode})"),
        );
        count += 1;
    }
    let text = match count {
        0 => "You follow nobody".to_owned(),
        1 => "You follow 1 person".to_owned(),
        count => format!("You follow {count} people"),
    };
    reply.standard("NOTE", COMMAND, "END", &[&count.to_string()], &text);
    Ok(())
}

const COMMAND: &str = "SUBSCRIPTIONS";
