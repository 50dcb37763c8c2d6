//! PUBLISH, also SUBSCRIBE_ONLY: a post for those who follow its author.

use stentor_proto::capability::Capability;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};

use crate::client::Profile;
use crate::error::Error;
use crate::following::record::{OWNER, subscribers};
use crate::following::sessions;
use crate::hub::{Decision, State};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Guard, Is};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    // People who type it by hand forget the colon.
    let text = message.params().join(" ");
    if text.is_empty() {
        return Err(Error::numeric(Numeric::ERR_NOTEXTTOSEND, &[], "No text to send"));
    }
    let Some(owner) = session.account.as_ref().map(|claim| claim.epoch.to_string()) else {
        let text = "You must be logged in to an account, so that people can follow you";
        return Err(Error::fail(COMMAND, "ACCOUNT_REQUIRED", &[], text));
    };
    let feed = sessions::make_own_feed(session).await?;
    let profile = session.client.profile();
    let limit = session.node.config().limits.nick_length;
    let text = truncate_utf8(&text, room_for(&profile, limit));
    let tags = super::message::client_tags(session, message);
    let line = profile.line(COMMAND).raw_tags(&tags).trailing(text).build();
    let echo = session.client.has(Capability::Feeds) && session.client.has(Capability::EchoMessage);
    let origin = reply.origin(echo, echo);
    let mut count = 0;
    let decide = |state: &State| {
        let life = state.within().ok_or(Error::Contended)?;
        count = subscribers(state).count();
        let guards = vec![Guard::Field(OWNER.to_owned(), Is::Equal(owner.clone()))];
        Ok(Decision { life: Some(life), guards, changes: Vec::new(), lines: vec![line.clone()] })
    };
    session.node.hub.transact(&feed, &session.client.tenure(), Some(origin), decide).await?;
    if !echo {
        let text = match count {
            0 => "Kept. Nobody follows you yet".to_owned(),
            1 => "Published for the 1 person who follows you".to_owned(),
            count => format!("Published for the {count} people who follow you"),
        };
        reply.standard("NOTE", COMMAND, "PUBLISHED", &[&count.to_string()], &text);
    }
    Ok(())
}

/// How long a text may be that a client reads in full whatever its nick is, also as a NOTICE.
fn room_for(profile: &Profile, nick_length: usize) -> usize {
    let nick = "n".repeat(nick_length);
    let rest = Line::new("NOTICE").source(profile.source()).param(nick).trailing("[Sub] ");
    MAX_CONTENT.saturating_sub(rest.body_len())
}

const COMMAND: &str = "PUBLISH";
