//! PRIVMSG, NOTICE and TAGMSG: what people say.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stentor_proto::capability::Capability;
use stentor_proto::channel::is_channel_like;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::tag;
use stentor_proto::text::MAX_CONTENT;

use crate::client::{Client, Profile};
use crate::error::Error;
use crate::following::audience::Room;
use crate::following::sessions as following;
use crate::hub::audience::for_rank;
use crate::hub::msgid::MessageId;
use crate::hub::multiline::{self, Whole};
use crate::hub::render::{GUEST_TAG, Rendering, guest_mark};
use crate::hub::{Decision, Origin, Refusal, State, clock};
use crate::modes::{NO_CTCP, REGISTERED_ONLY, Rank};
use crate::node::people::Person;
use crate::policy::{self, Speaker};
use crate::reply::Reply;
use crate::services::{self, Service};
use crate::session::Session;
use crate::store::{Change, Entry, EntryId, Guard, Is, Partition, StoreError};

pub(super) async fn privmsg(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    say(session, message, reply, Kind::Privmsg).await
}

pub(super) async fn notice(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let wants_answer = reply.is_labelled();
    match say(session, message, reply, Kind::Notice).await {
        Err(Error::Numeric(..)) if !wants_answer => Ok(()),
        other => other,
    }
}

pub(super) async fn tagmsg(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    say(session, message, reply, Kind::Tagmsg).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Privmsg,
    Notice,
    Tagmsg,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Privmsg => "PRIVMSG",
            Self::Notice => "NOTICE",
            Self::Tagmsg => "TAGMSG",
        }
    }
}

async fn say(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
    kind: Kind,
) -> Result<(), Error> {
    let Some(targets) = message.nonempty(0) else {
        let text = format!("No recipient given ({})", kind.name());
        return Err(Error::numeric(Numeric::ERR_NORECIPIENT, &[], &text));
    };
    let text = message.nonempty(1).filter(|_| kind != Kind::Tagmsg);
    if text.is_none() && kind != Kind::Tagmsg {
        return Err(Error::numeric(Numeric::ERR_NOTEXTTOSEND, &[], "No text to send"));
    }
    let limit = session.node.config().limits.targets;
    let targets: Vec<&str> = targets.split(',').filter(|target| !target.is_empty()).collect();
    if !limit.allows(targets.len()) {
        let first = targets.first().copied().unwrap_or_default();
        return Err(Error::numeric(Numeric::ERR_TOOMANYTARGETS, &[first], "Too many recipients"));
    }
    if targets.len() > 1 {
        reply.expect_many();
    }
    // A program's NOTICE never draws an automatic answer; a client that labels it wants one.
    let quiet = kind == Kind::Notice && !reply.is_labelled();
    let tags = client_tags(session, message);
    let is_transient = kind == Kind::Tagmsg && !is_kept(&tags);
    let guest = session.account.is_none().then(|| guest_mark(&session.client.id));
    let said = Said { kind, tags, text, more: &[], is_transient, guest };
    for target in targets {
        if session.is_over() {
            break;
        }
        match to_target(session, target, &said, reply).await {
            Err(error @ (Error::Fenced | Error::Close(_))) => return Err(error),
            Err(Error::Numeric(..)) if quiet => {}
            Err(error) => {
                reply.reclaim();
                error.send(kind.name(), reply);
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

/// One line of a message that has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// What it says; may be empty.
    pub(super) text: String,
    /// Whether it goes on with the line before it.
    pub(super) is_concatenated: bool,
}

/// Says several lines as one message.
pub(super) async fn several(
    session: &mut Session,
    target: &str,
    tags: String,
    (is_notice, parts): (bool, &[Part]),
    reply: &mut Reply,
) -> Result<(), Error> {
    let Some((first, more)) = parts.split_first() else { return Ok(()) };
    let kind = if is_notice { Kind::Notice } else { Kind::Privmsg };
    let guest = session.account.is_none().then(|| guest_mark(&session.client.id));
    let said = Said { kind, tags, text: Some(&first.text), more, is_transient: false, guest };
    match to_target(session, target, &said, reply).await {
        Err(Error::Numeric(..)) if is_notice && !reply.is_labelled() => Ok(()),
        other => other,
    }
}

async fn to_target(
    session: &mut Session,
    target: &str,
    said: &Said<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if let Some((channel, rank)) = room_of(target) {
        to_channel(session, (channel, rank), said, reply).await
    } else if let Some(service) = services::find(target) {
        to_service(session, service, said, reply).await
    } else {
        to_person(session, target, said, reply).await
    }
}

/// The channel that a target means, and the lowest rank that is to hear: `#room`, `@#room`.
fn room_of(target: &str) -> Option<(&str, Rank)> {
    let channel = target.trim_start_matches(|sign| Rank::of_sign(sign).is_some());
    let signs = target.strip_suffix(channel).unwrap_or_default();
    let rank = signs.chars().filter_map(Rank::of_sign).min().unwrap_or_default();
    is_channel_like(channel).then_some((channel, rank))
}

struct Said<'a> {
    kind: Kind,
    tags: String,
    text: Option<&'a str>,
    /// What follows the text: further lines.
    more: &'a [Part],
    /// Whether it is stored nowhere.
    is_transient: bool,
    /// Marks what a guest says.
    guest: Option<String>,
}

impl Said<'_> {
    /// The first line, for members of a rank and higher.
    fn line_for(&self, rank: Rank, sender: &Profile, target: &str) -> String {
        let mut line = for_rank(sender.line(self.kind.name()), rank).raw_tags(&self.tags).param(target);
        if let Some(text) = self.text {
            line = line.trailing(text);
        }
        if self.is_transient {
            // It has no place in a log that could name it.
            line = line.tag("msgid", crate::random::text(TRANSIENT_ID));
        } else if let Some(guest) = &self.guest {
            line = line.tag(GUEST_TAG, guest);
        }
        line.build_within(MAX_CONTENT)
    }

    /// Whether its sender gets a copy: tags alone are for those who know tags.
    fn is_echoed_to(&self, sender: &Client) -> bool {
        sender.has(Capability::EchoMessage)
            && (self.kind != Kind::Tagmsg || sender.has(Capability::MessageTags))
    }

    /// Whether any of its lines, each of which some clients get as a message, is a CTCP request or answer.
    fn is_ctcp(&self) -> bool {
        let more = self.more.iter().map(|part| part.text.as_str());
        self.text.into_iter().chain(more).any(policy::is_restricted_ctcp)
    }

    fn lines(&self, sender: &Profile, target: &str) -> Vec<String> {
        self.lines_for(Rank::Plain, sender, target)
    }

    /// Its lines as they are meant: each with those that go on with it.
    fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.text.into_iter().map(str::to_owned).collect();
        for part in self.more {
            match sentences.last_mut() {
                Some(last) if part.is_concatenated => last.push_str(&part.text),
                _ => sentences.push(part.text.clone()),
            }
        }
        sentences.retain(|sentence| !sentence.is_empty());
        sentences
    }

    /// All lines for members of a rank and higher, the first with the tags.
    fn lines_for(&self, rank: Rank, sender: &Profile, target: &str) -> Vec<String> {
        let more = self.more.iter().map(|part| {
            let how = if part.is_concatenated { multiline::CONCAT } else { multiline::NEXT };
            let line = sender.line(self.kind.name()).tag(multiline::PART_TAG, how).param(target);
            line.trailing(&part.text).build_within(MAX_CONTENT)
        });
        std::iter::once(self.line_for(rank, sender, target)).chain(more).collect()
    }
}

/// The client-only tags of a message.
pub(super) fn client_tags(session: &Session, message: &Message<'_>) -> String {
    if !session.client.has(Capability::MessageTags) {
        return String::new();
    }
    let config = session.node.config();
    let mut seen = HashSet::new();
    // Keys are opaque: what they are made of, today's grammar need not know. Of several with one key the last one counts.
    let is_passed_on = |raw: &&str| {
        let key = raw.split('=').next().unwrap_or(raw);
        tag::is_client_only(key)
            && key.len() > 1
            && !is_denied(&config.denied_tags, key)
            && seen.insert(key.to_owned())
    };
    let mut tags: Vec<&str> = message.tags.raw().rsplit(';').filter(is_passed_on).collect();
    tags.reverse();
    tags.join(";")
}

/// Whether a client-only tag is denied, by the rules of the token CLIENTTAGDENY.
fn is_denied(denied: &[String], key: &str) -> bool {
    let name = key.trim_start_matches('+');
    if denied.first().is_some_and(|first| first == "*") {
        !denied.iter().any(|item| item.strip_prefix('-') == Some(name))
    } else {
        denied.iter().any(|item| item == name)
    }
}

/// Whether tags without a text become a part of history: reactions do, and what asks for it; typing notices do not.
fn is_kept(tags: &str) -> bool {
    tags.split(';').any(|raw| KEPT.contains(&raw.split('=').next().unwrap_or(raw)))
}

async fn to_channel(
    session: &mut Session,
    (target, to): (&str, Rank),
    said: &Said<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let folded = target.to_ascii_lowercase();
    let (replica, _held) = match session.joined(&folded) {
        Some(replica) => (replica, None),
        None => {
            let held = session.room(target).await?;
            (held.replica(), Some(held))
        }
    };
    let id = session.client.id.clone();
    let profile = session.client.profile();
    let source = profile.source();
    let tells = said.kind == Kind::Privmsg && following::tells_rooms(session).await;
    let most = session.node.config().channels.max_members;
    // As the room is when the message is decided on, which is how it stands at the message's place.
    let mut open_room = None;
    let decide = |state: &State| {
        policy::visible(state, target, &id)?;
        let member = state.members.get(&id);
        let speaker = Speaker {
            member: member.map(|member| &**member),
            source: &source,
            account: profile.account.as_deref(),
            is_ctcp: said.is_ctcp(),
            is_notice: said.kind == Kind::Notice,
        };
        let heard = policy::may_speak(state, target, speaker)?;
        let is = member.map_or(Is::Absent, |member| Is::Equal(member.to_value()));
        let guards = vec![Guard::Member(id.to_string(), is), policy::rules_guard(state)];
        let sign = to.prefix().map_or(String::new(), |prefix| prefix.sign.to_string());
        let (name, rank) = (policy::name(state, &folded), to.max(heard));
        let lines = said.lines_for(rank, &profile, &format!("{sign}{name}"));
        // What is not for all of the room is for nobody outside it.
        let told = tells && rank == Rank::Plain;
        open_room = told.then(|| Room::open(state, replica.partition().name(), most)).flatten();
        Ok(Decision { life: state.within(), guards, changes: Vec::new(), lines })
    };
    let echo = said.is_echoed_to(&session.client);
    if said.is_transient {
        // What is stored nowhere is not judged by the store: a node that woke from a pause judges itself.
        if session.node.fleet.now() >= session.client.tenure().ends_at() {
            return Err(Error::Fenced);
        }
        let line = replica.with_state(decide)?.lines.pop().unwrap_or_default();
        session.node.hub.publish(replica.partition(), &id, &line).await?;
        if echo {
            echo_transient(session, &line, reply);
        }
        return Ok(());
    }
    let origin = reply.origin(echo, echo);
    let entry = session.node.hub.transact(&replica, &session.client.tenure(), Some(origin), decide).await?;
    if let Some(room) = open_room {
        following::tell(session, &profile, &said.tags, &room, replica.partition(), &entry).await;
    }
    Ok(())
}

async fn to_person(
    session: &mut Session,
    target: &str,
    said: &Said<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let person = session.node.find_recipient(target).await?.ok_or_else(|| super::no_such_nick(target))?;
    may_write_to(session, &person, said)?;
    if session.client.profile().has_mode(REGISTERED_ONLY) && person.online {
        super::accept::answerable(session, &person).await?;
    }
    let lines = said.lines(&session.client.profile(), &person.nick);
    let echo = said.is_echoed_to(&session.client);
    if said.is_transient {
        let line = lines.into_iter().next().unwrap_or_default();
        if person.id == session.client.id {
            send_transient(session, &line, "");
        } else {
            session.node.hub.publish(&person.inbox, &session.client.id, &line).await?;
        }
        if echo {
            echo_transient(session, &line, reply);
        }
        return Ok(());
    }
    if person.id == session.client.id {
        return to_oneself(session, &lines, echo, reply).await;
    }
    finish_last(session).await?;
    let kept = Instant::now();
    let own = keep_own(session, &person.inbox, lines, None).await?;
    let own_partition = session.inbox.as_ref().map(|inbox| inbox.partition().clone());
    if own_partition.as_ref() != Some(&person.inbox) {
        session.unsent = true;
        match deliver(session, &person, &own, kept).await {
            // It is in the sender's own log, and reaches the recipient's with the next message or the session's end.
            Err(error @ (Error::Store(_) | Error::Contended | Error::Fenced)) => {
                return Err(Error::Store(StoreError::Unknown(format!("{error:?}"))));
            }
            delivered => {
                session.unsent = false;
                delivered?;
            }
        }
    }
    if echo {
        if said.kind == Kind::Privmsg && (person.away.is_some() || !person.online) {
            reply.expect_many();
        }
        let origin = reply.origin(true, true);
        let partition = own_partition.unwrap_or_else(|| person.inbox.clone());
        let msgid = MessageId::new(&partition, own.epoch, own.id, 0).to_string();
        send_own(session, &own.body.lines, &clock::server_time(own.id.ms), &msgid, &origin.tag);
    }
    if said.kind == Kind::Privmsg {
        if let Some(away) = &person.away {
            reply.numeric(Numeric::RPL_AWAY, &[&person.nick], away);
        } else if !person.online {
            reply.numeric(
                Numeric::RPL_AWAY,
                &[&person.nick],
                "Not connected now; your message waits for them",
            );
        }
    }
    Ok(())
}

/// What is said to a service is in no log: its sender's echo is the only copy. Of several lines it hears each by itself.
async fn to_service(
    session: &mut Session,
    service: &'static Service,
    said: &Said<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    // A program's words draw no answer.
    let heard = if said.kind == Kind::Privmsg { said.sentences() } else { Vec::new() };
    if said.is_echoed_to(&session.client) {
        if heard.iter().any(|text| services::is_answered(text)) {
            reply.expect_many();
        }
        let lines = said.lines(&session.client.profile(), service.name);
        let (time, msgid) = (clock::server_time(clock::wall_ms()), crate::random::text(TRANSIENT_ID));
        let origin = reply.origin(true, true);
        send_own(session, &lines, &time, &msgid, &origin.tag);
    }
    for text in heard {
        if session.is_over() {
            break;
        }
        services::hear(session, service, &text, reply).await?;
        reply.room().await;
    }
    Ok(())
}

/// Whether the recipient's modes let a private message through.
fn may_write_to(session: &Session, person: &Person, said: &Said<'_>) -> Result<(), Error> {
    if person.id == session.client.id {
        return Ok(());
    }
    let is_accepted = || person.accepted.split(' ').any(|id| *id == *session.client.id);
    if person.modes.contains(REGISTERED_ONLY) && session.account.is_none() && !is_accepted() {
        let text = "This user hears from those who are logged in alone (+R)";
        return Err(Error::numeric(Numeric::ERR_NEEDREGGEDNICK, &[&person.nick], text));
    }
    if person.modes.contains(NO_CTCP) && said.is_ctcp() {
        let text = "This user takes no CTCP (+T)";
        return Err(Error::numeric(Numeric::ERR_CANTSENDTOUSER, &[&person.nick], text));
    }
    Ok(())
}

/// A note to oneself is delivered, and, where its sender asked for echoes, echoed too: the echo alone bears the label.
async fn to_oneself(session: &Session, lines: &[String], echo: bool, reply: &mut Reply) -> Result<(), Error> {
    let inbox = session.inbox.as_ref().ok_or(Error::Fenced)?;
    let origin = if echo {
        reply.origin(true, true)
    } else {
        Origin { client: session.client.clone(), tag: String::new(), echo: true }
    };
    let decide = |state: &State| {
        Ok::<_, Error>(Decision { life: state.within(), lines: lines.to_vec(), ..Decision::default() })
    };
    let entry = session.node.hub.transact(inbox, &session.client.tenure(), Some(origin), decide).await?;
    if echo {
        let msgid = MessageId::new(inbox.partition(), entry.epoch, entry.id, 0).to_string();
        send_own(session, lines, &clock::server_time(entry.id.ms), &msgid, "");
    }
    Ok(())
}

/// Sees to it that the message before, which may not have reached its recipient, does so first.
pub(super) async fn finish_last(session: &mut Session) -> Result<(), Error> {
    let Some(inbox) = session.inbox.as_ref().filter(|_| session.unsent) else { return Ok(()) };
    let tenure = session.client.tenure();
    match crate::fleet::outbox::finish(&session.node.hub, &tenure, inbox.partition()).await {
        Ok(()) | Err(Refusal::Rule(())) => {}
        Err(Refusal::Store(error)) => return Err(Error::Store(error)),
        Err(Refusal::Contended) => return Err(Error::Contended),
        Err(Refusal::Fenced) => return Err(Error::Fenced),
    }
    session.unsent = false;
    Ok(())
}

/// Writes a private message to the sender's own log, with a note of whom it is for until it is there too. It may take back
/// an earlier one.
pub(super) async fn keep_own(
    session: &Session,
    recipient: &Partition,
    lines: Vec<String>,
    taken_back: Option<EntryId>,
) -> Result<Arc<Entry>, Error> {
    let inbox = session.inbox.as_ref().ok_or(Error::Fenced)?;
    let guard = session
        .account
        .as_ref()
        .map(|_| Guard::Field("session".to_owned(), Is::Equal(session.claim_value())));
    let entry = session
        .node
        .hub
        .transact(inbox, &session.client.tenure(), Some(session.quiet_origin()), |state| {
            if state.epoch.is_none() {
                return Err(Error::Fenced);
            }
            Ok(Decision {
                life: state.within(),
                guards: guard.iter().cloned().collect(),
                changes: [Change::Set("out".to_owned(), crate::fleet::outbox::note(recipient))]
                    .into_iter()
                    .chain(taken_back.map(Change::Erase))
                    .collect(),
                lines: lines.clone(),
            })
        })
        .await?;
    Ok(entry)
}

/// Writes it to the recipient's log, under the id and time that it has in the sender's.
async fn deliver(session: &Session, person: &Person, own: &Entry, kept: Instant) -> Result<(), Error> {
    let Some(from) = session.inbox.as_ref().map(|inbox| inbox.partition()) else { return Err(Error::Fenced) };
    if kept.elapsed() >= session.node.config().accounts.probe.min(SURELY_OWN) {
        // This node may have been paused, and somebody else may have finished the message meanwhile.
        return pass_on(session, &person.inbox, own).await;
    }
    let lines = crate::fleet::outbox::for_recipient(from, own);
    session
        .node
        .hub
        .write(&session.client.tenure(), &person.inbox, &["removed"], |peek| {
            if peek.epoch.is_none() || peek.fields.iter().any(Option::is_some) {
                return Err(super::no_such_nick(&person.nick));
            }
            Ok(Decision { lines: lines.clone(), ..Decision::default() })
        })
        .await?;
    Ok(())
}

/// Sees to it that what the session's own log has is in the recipient's too, once.
pub(super) async fn pass_on(session: &Session, recipient: &Partition, own: &Entry) -> Result<(), Error> {
    let Some(from) = session.inbox.as_ref().map(|inbox| inbox.partition()) else { return Err(Error::Fenced) };
    let (hub, tenure) = (&session.node.hub, session.client.tenure());
    match crate::fleet::outbox::pass_on(hub, &tenure, recipient, from, own).await {
        Ok(()) | Err(Refusal::Rule(())) => Ok(()),
        Err(Refusal::Store(error)) => Err(Error::Store(error)),
        Err(Refusal::Contended) => Err(Error::Contended),
        Err(Refusal::Fenced) => Err(Error::Fenced),
    }
}

fn echo_transient(session: &Session, line: &str, reply: &mut Reply) {
    let origin = reply.origin(true, true);
    send_transient(session, line, &origin.tag);
}

fn send_transient(session: &Session, line: &str, tag: &str) {
    let lines = [line.to_owned()];
    send_own(session, &lines, &clock::server_time(clock::wall_ms()), "", tag);
}

/// Sends the client a copy of what it said.
pub(super) fn send_own(session: &Session, lines: &[String], time: &str, msgid: &str, tag: &str) {
    if let Some(Whole { first, rest, .. }) = multiline::message_at(lines, 0)
        && let Some(bytes) =
            Rendering::new(first, time, msgid).with_rest(rest).own(session.client.capabilities(), tag)
    {
        session.client.queue.push(bytes);
    }
}

/// The tags that make a TAGMSG a part of history.
const KEPT: [&str; 5] = ["+draft/persist", "+draft/react", "+draft/unreact", "+react", "+unreact"];
/// So soon after its own commit a session cannot have been probed and given up.
const SURELY_OWN: Duration = Duration::from_secs(1);
/// The length of the id of what is stored nowhere. Those of stored messages are longer.
const TRANSIENT_ID: usize = 20;
