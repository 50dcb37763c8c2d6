//! REDACT: takes back what was said (draft/message-redaction).
//!
//! The message is erased in the same step that tells of it: in a channel's log, in a feed's, and in the logs of both sides of
//! a private message. Its author may do so within `history.redact_window`, and a channel's operators at any time.

use std::sync::Arc;
use std::time::Duration;

use stentor_proto::capability::Capability;
use stentor_proto::channel::is_channel_like;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};

use super::message;
use crate::error::Error;
use crate::fleet::outbox;
use crate::following::record::OWNER;
use crate::following::sessions;
use crate::hub::msgid::MessageId;
use crate::hub::render::{GUEST_TAG, guest_mark};
use crate::hub::{Decision, Origin, Replica, State, clock};
use crate::modes::Rank;
use crate::policy::{self, Speaker};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Entry, Guard, Is, Partition, Range, StoreError};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let request = Request {
        target: message.param(0).unwrap_or_default(),
        msgid: message.param(1).unwrap_or_default(),
        reason: message.nonempty(2),
    };
    if is_channel_like(request.target) {
        return in_channel(session, &request, reply).await;
    }
    let profile = session.client.profile();
    let own = [Some(&profile.nick), profile.account.as_ref()];
    let is_own = own.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(request.target));
    let feed = session.account_folded().map(Partition::feed);
    let is_post = MessageId::parse(request.msgid).zip(feed).is_some_and(|(id, feed)| id.is_of(&feed));
    if is_own && is_post {
        return of_own_post(session, &request, reply).await;
    }
    in_private(session, &request, reply).await
}

struct Request<'a> {
    target: &'a str,
    msgid: &'a str,
    reason: Option<&'a str>,
}

impl Request<'_> {
    fn line(&self, line: Line, target: &str) -> String {
        let line = line.param(target).param(self.msgid);
        let line = match self.reason {
            Some(reason) => line.trailing(reason),
            None => line,
        };
        line.build_within(MAX_CONTENT)
    }

    fn refused(&self, code: &'static str, text: &str) -> Error {
        Error::fail(COMMAND, code, &[short(self.target), short(self.msgid)], text)
    }

    fn invalid_target(&self) -> Error {
        let context = [short(self.target)];
        Error::fail(COMMAND, "INVALID_TARGET", &context, "You cannot take back messages there")
    }

    fn unknown(&self) -> Error {
        self.refused("UNKNOWN_MSGID", "This message does not exist, or is too old")
    }

    fn forbidden(&self) -> Error {
        self.refused("REDACT_FORBIDDEN", "You may not take this message back")
    }

    /// Refuses what was said at `ms` too long ago for its author.
    fn in_time(&self, session: &Session, ms: u64) -> Result<(), Error> {
        let Some(window) = session.node.config().history.redact_window else { return Ok(()) };
        let age = Duration::from_millis(session.node.fleet.now().0.saturating_sub(ms));
        if age <= window {
            return Ok(());
        }
        let window = window.as_secs().to_string();
        let context = [short(self.target), short(self.msgid), &window];
        let text = "It is too late to take this message back";
        Err(Error::fail(COMMAND, "REDACT_WINDOW_EXPIRED", &context, text))
    }

    /// The entry that holds the message, where it is one of this log and still kept.
    async fn find(&self, session: &Session, replica: &Replica) -> Result<Entry, Error> {
        let epoch = replica.with_state(|state| state.epoch);
        let wanted = MessageId::parse(self.msgid)
            .filter(|id| id.is_of(replica.partition()) && Some(id.epoch) == epoch)
            .ok_or_else(|| self.unknown())?;
        let store = session.node.hub.store();
        let page = match store.read(replica.partition(), wanted.epoch, Range::From(wanted.id), 1).await {
            Err(StoreError::Gone) => return Err(self.unknown()),
            page => page?,
        };
        let entry = page.entries.into_iter().next().filter(|entry| entry.id == wanted.id);
        let entry = entry.ok_or_else(|| self.unknown())?;
        let line = entry.body.lines.get(usize::from(wanted.line));
        let may_go = line.and_then(|line| Message::parse(line).ok()).is_some_and(|line| may_go(&line));
        if may_go { Ok(Entry::clone(&entry)) } else { Err(self.unknown()) }
    }
}

async fn in_channel(session: &mut Session, request: &Request<'_>, reply: &mut Reply) -> Result<(), Error> {
    let folded = request.target.to_ascii_lowercase();
    let id = session.client.id.clone();
    let replica = session
        .joined(&folded)
        .filter(|replica| replica.with_state(|state| state.members.contains_key(&id)))
        .ok_or_else(|| request.invalid_target())?;
    let entry = request.find(session, &replica).await?;
    let is_author = is_author(session, &entry);
    let in_time = request.in_time(session, entry.id.ms);
    let profile = session.client.profile();
    let (source, account) = (profile.source(), profile.account.clone());
    let decide = |state: &State| {
        let member = state.members.get(&id).ok_or_else(|| request.invalid_target())?;
        if state.epoch != Some(entry.epoch) {
            return Err(request.unknown());
        }
        if !member.is_operator() {
            if !is_author {
                return Err(request.forbidden());
            }
            in_time.clone()?;
            if request.reason.is_some() {
                // A reason is something said.
                let speaker = Speaker {
                    member: Some(member),
                    source: &source,
                    account: account.as_deref(),
                    is_ctcp: request.reason.is_some_and(policy::is_restricted_ctcp),
                    is_notice: false,
                };
                if policy::may_speak(state, request.target, speaker)? > Rank::Plain {
                    let text =
                        "Cannot send to channel: give no reason where operators alone are heard by all (+U)";
                    return Err(Error::numeric(Numeric::ERR_CANNOTSENDTOCHAN, &[request.target], text));
                }
            }
        }
        Ok(Decision {
            life: state.within(),
            guards: vec![
                Guard::Member(id.to_string(), Is::Equal(member.to_value())),
                policy::rules_guard(state),
            ],
            changes: vec![Change::Erase(entry.id)],
            lines: vec![request.line(member.line(COMMAND), policy::name(state, &folded))],
        })
    };
    let origin = own_copy(session, reply);
    session.node.hub.transact(&replica, &session.client.tenure(), Some(origin), decide).await?;
    confirm(session, reply);
    Ok(())
}

async fn of_own_post(session: &mut Session, request: &Request<'_>, reply: &mut Reply) -> Result<(), Error> {
    let owner = session.account.as_ref().map(|claim| claim.epoch.to_string()).ok_or(Error::Fenced)?;
    let feed = sessions::make_own_feed(session).await?;
    let entry = request.find(session, &feed).await?;
    request.in_time(session, entry.id.ms)?;
    let profile = session.client.profile();
    let line = request.line(profile.line(COMMAND), &profile.nick);
    let decide = |state: &State| {
        if state.epoch != Some(entry.epoch) {
            return Err(request.unknown());
        }
        Ok(Decision {
            life: state.within(),
            guards: vec![Guard::Field(OWNER.to_owned(), Is::Equal(owner.clone()))],
            changes: vec![Change::Erase(entry.id)],
            lines: vec![line.clone()],
        })
    };
    let origin = own_copy(session, reply);
    session.node.hub.transact(&feed, &session.client.tenure(), Some(origin), decide).await?;
    confirm(session, reply);
    Ok(())
}

/// The own log is where the author's messages have their ids, and its entry names whose log holds the other copy.
async fn in_private(session: &mut Session, request: &Request<'_>, reply: &mut Reply) -> Result<(), Error> {
    let inbox = session.inbox.as_ref().ok_or(Error::Fenced)?.replica();
    let entry = match request.find(session, &inbox).await {
        Ok(entry) => entry,
        Err(unknown) if unknown == request.unknown() && is_received(session, &inbox, request).await? => {
            return Err(request.forbidden());
        }
        Err(error) => return Err(error),
    };
    let other = named_in(&entry);
    let recipient = outbox::recipient_of(&entry);
    if !other.eq_ignore_ascii_case(request.target) {
        // They may have another nick by now.
        let person = session.node.find_recipient(request.target).await?;
        if person.is_none_or(|person| Some(&person.inbox) != recipient.as_ref()) {
            return Err(request.unknown());
        }
    }
    request.in_time(session, entry.id.ms)?;
    let line = request.line(session.client.profile().line(COMMAND), &other);
    let Some(recipient) = recipient.filter(|recipient| recipient != inbox.partition()) else {
        return to_oneself(session, &inbox, &entry, &line, reply).await;
    };
    message::finish_last(session).await?;
    let own = message::keep_own(session, &recipient, vec![line], Some(entry.id)).await?;
    session.unsent = true;
    match message::pass_on(session, &recipient, &own).await {
        // It is in the author's own log, and reaches the other with the next message or the session's end.
        Err(Error::Store(error)) => return Err(Error::Store(StoreError::Unknown(error.to_string()))),
        passed => {
            session.unsent = false;
            passed?;
        }
    }
    if session.client.has(Capability::MessageRedaction) {
        let origin = reply.origin(true, true);
        let msgid = MessageId::new(inbox.partition(), own.epoch, own.id, 0).to_string();
        message::send_own(session, &own.body.lines, &clock::server_time(own.id.ms), &msgid, &origin.tag);
    }
    confirm(session, reply);
    Ok(())
}

async fn to_oneself(
    session: &Session,
    inbox: &Arc<Replica>,
    entry: &Entry,
    line: &str,
    reply: &mut Reply,
) -> Result<(), Error> {
    let decide = |state: &State| {
        Ok::<_, Error>(Decision {
            life: state.within(),
            guards: Vec::new(),
            changes: vec![Change::Erase(entry.id)],
            lines: vec![line.to_owned()],
        })
    };
    let origin = own_copy(session, reply);
    session.node.hub.transact(inbox, &session.client.tenure(), Some(origin), decide).await?;
    confirm(session, reply);
    Ok(())
}

/// Whether the message is one that somebody else sent to this user.
async fn is_received(session: &Session, inbox: &Replica, request: &Request<'_>) -> Result<bool, Error> {
    let Some(MessageId { id, .. }) = MessageId::parse(request.msgid) else { return Ok(false) };
    let Some(epoch) = inbox.with_state(|state| state.epoch) else { return Ok(false) };
    let hub = &session.node.hub;
    Ok(outbox::find_copy(hub, inbox.partition(), epoch, id.ms, request.msgid).await?.is_some())
}

fn own_copy(session: &Session, reply: &mut Reply) -> Origin {
    if session.client.has(Capability::MessageRedaction) {
        reply.origin(true, true)
    } else {
        session.quiet_origin()
    }
}

/// A client that does not know REDACT lines is told in words.
fn confirm(session: &Session, reply: &mut Reply) {
    if !session.client.has(Capability::MessageRedaction) {
        reply.standard("NOTE", COMMAND, "REDACTED", &[], "The message is taken back");
    }
}

/// Whether the session said it: with the account that said it, or, where that was a guest, as the same session.
fn is_author(session: &Session, entry: &Entry) -> bool {
    let Some(said) = entry.body.lines.first().and_then(|line| Message::parse(line).ok()) else {
        return false;
    };
    match (said.tags.get("account"), said.tags.get(GUEST_TAG)) {
        (Some(account), _) => session.account_folded() == Some(&account.to_ascii_lowercase()),
        (None, Some(guest)) => guest == guest_mark(&session.client.id),
        (None, None) => false,
    }
}

/// To whom a message was said.
fn named_in(entry: &Entry) -> String {
    let said = entry.body.lines.first().and_then(|line| Message::parse(line).ok());
    said.and_then(|said| said.param(0).map(str::to_owned)).unwrap_or_default()
}

/// What may be taken back: what somebody said, and nothing that happened.
fn may_go(message: &Message<'_>) -> bool {
    matches!(message.command, "PRIVMSG" | "NOTICE" | "TAGMSG" | "PUBLISH")
}

/// What a client sent, as much of it as an error repeats.
fn short(text: &str) -> &str {
    truncate_utf8(text, REPEATED)
}

const COMMAND: &str = "REDACT";
/// How many bytes of a parameter an error repeats.
const REPEATED: usize = 128;
