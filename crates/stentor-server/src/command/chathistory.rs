//! CHATHISTORY: pages back in what was said (draft/chathistory).
//!
//! The capability changes nothing about the command: a client without it may ask by hand.

use stentor_proto::capability::Capability;
use stentor_proto::channel::is_channel_like;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::following::links;
use crate::following::record::{OWNER, Subscriber};
use crate::history::targets::{self, Targets};
use crate::history::{Ask, Conversation, Log, Merged, Other, Point, Said, View};
use crate::hub::clock::{parse_server_time, server_time};
use crate::hub::msgid::MessageId;
use crate::hub::multiline::{self, Whole};
use crate::hub::render::Rendering;
use crate::hub::{Replica, State};
use crate::modes::Rank;
use crate::policy;
use crate::reply::{Reply, with_tag};
use crate::session::Session;
use crate::store::{Kind as PartitionKind, Partition, Range, StoreError};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let most = session.node.config().history.page;
    let request = Request::parse(message.params(), most)?;
    if request.kind == Kind::Targets {
        return show_targets(session, &request, reply).await;
    }
    let buffer = Buffer::open(session, &request).await?;
    let found = match read(&buffer.logs, &request).await {
        Err(Error::Store(StoreError::Gone)) => return Err(request.invalid_target()),
        result => result?,
    };
    if found.trimmed {
        note(reply, "TRIMMED", &[&buffer.name], "Older messages of this conversation are not kept any more");
    }
    for &time in &found.unfinished {
        incomplete(reply, &[&buffer.name], time);
    }
    send(session, &buffer.name, found.messages.iter().map(|(at, said)| (at, said)), reply).await;
    Ok(())
}

/// What a client asks for, with nothing looked up yet.
struct Request<'a> {
    /// As the client wrote it.
    subcommand: &'a str,
    kind: Kind,
    /// Empty for TARGETS.
    target: &'a str,
    from: Reference<'a>,
    /// The second reference, or the first once more where there is one alone.
    to: Reference<'a>,
    limit: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Latest,
    Before,
    After,
    Around,
    Between,
    Targets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reference<'a> {
    /// `*`
    Any,
    /// `timestamp=`, in milliseconds since the Unix epoch.
    Time(u64),
    /// `msgid=`
    Message(&'a str),
}

impl<'a> Request<'a> {
    fn parse(params: &[&'a str], most: usize) -> Result<Self, Error> {
        let subcommand = params.first().copied().unwrap_or_default();
        let invalid = |text| Error::fail(COMMAND, "INVALID_PARAMS", &[short(subcommand)], text);
        let kind = Kind::of(subcommand).ok_or_else(|| invalid("Unknown command"))?;
        let (targets, references) = match kind {
            Kind::Targets => (0, 2),
            Kind::Between => (1, 2),
            _ => (1, 1),
        };
        let wanted = 1 + targets + references + 1;
        if params.len() < wanted {
            return Err(invalid("Insufficient parameters"));
        }
        if params.len() > wanted {
            return Err(invalid("Too many parameters"));
        }
        let at = |index: usize| params.get(index).copied().unwrap_or_default();
        let target = if targets == 0 { "" } else { at(1) };
        let reference = |index: usize| Reference::parse(kind, subcommand, target, at(1 + targets + index));
        let (from, to) = (reference(0)?, reference(references - 1)?);
        let limit = at(wanted - 1);
        let limit: usize = limit.parse().map_err(|_| {
            let context = [short(subcommand), short(limit)];
            Error::fail(COMMAND, "INVALID_PARAMS", &context, "The limit is not a number")
        })?;
        Ok(Self { subcommand, kind, target, from, to, limit: limit.min(most) })
    }

    /// The same for what does not exist and for what this client may not read.
    fn invalid_target(&self) -> Error {
        let context = [short(self.subcommand), short(self.target)];
        Error::fail(COMMAND, "INVALID_TARGET", &context, "Messages could not be retrieved")
    }
}

impl Kind {
    fn of(subcommand: &str) -> Option<Self> {
        let kinds = [
            ("LATEST", Self::Latest),
            ("BEFORE", Self::Before),
            ("AFTER", Self::After),
            ("AROUND", Self::Around),
            ("BETWEEN", Self::Between),
            ("TARGETS", Self::Targets),
        ];
        kinds.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(subcommand)).map(|(_, kind)| kind)
    }
}

impl<'a> Reference<'a> {
    fn parse(kind: Kind, subcommand: &str, target: &str, text: &'a str) -> Result<Self, Error> {
        let invalid = |why| Error::fail(COMMAND, "INVALID_PARAMS", &[short(subcommand), short(text)], why);
        match text.split_once('=') {
            None if text == "*" && kind == Kind::Latest => Ok(Self::Any),
            Some(("timestamp", time)) => {
                parse_server_time(time).map(Self::Time).ok_or_else(|| invalid("Invalid timestamp"))
            }
            Some(("msgid", _)) if kind == Kind::Targets => Err(invalid("TARGETS takes timestamps alone")),
            Some(("msgid", id)) => Ok(Self::Message(id)),
            Some(_) => {
                let context: Vec<&str> = [subcommand, target, text]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .map(short)
                    .collect();
                let text = "Messages are referred to by msgid= or timestamp=";
                Err(Error::fail(COMMAND, "INVALID_MSGREFTYPE", &context, text))
            }
            None => Err(invalid("A reference is msgid=… or timestamp=…, or * for LATEST")),
        }
    }

    async fn resolve(self, logs: &Conversation, request: &Request<'_>) -> Result<Option<Point>, Error> {
        match self {
            Self::Any => Ok(None),
            Self::Time(time) => Ok(Some(logs.at_time(time))),
            Self::Message(id) => match logs.at_message(id).await? {
                Some(point) => Ok(Some(point)),
                None => {
                    let context = [short(request.subcommand), short(request.target), short(id)];
                    let text = "There is no such message in this conversation";
                    Err(Error::fail(COMMAND, "MESSAGE_ERROR", &context, text))
                }
            },
        }
    }
}

/// A room or a conversation that the client may read.
struct Buffer {
    /// What the answer calls it: a room by its own name; a person as the client does, since that is how clients know their
    /// request again.
    name: String,
    logs: Conversation,
}

impl Buffer {
    async fn open(session: &Session, request: &Request<'_>) -> Result<Self, Error> {
        let target = request.target;
        if is_channel_like(target) {
            return Self::room(session, target).ok_or_else(|| request.invalid_target());
        }
        let nick = Nick::parse(target, usize::MAX).map_err(|_| request.invalid_target())?;
        let account = session.node.find_person(target).await?.and_then(|person| person.account);
        let account = account.map(|account| account.to_ascii_lowercase());
        let other = Other { nick: nick.folded().to_owned(), account };
        let view = if plays_back(session) { View::WithEvents(other) } else { View::With(other) };
        let mut logs = vec![inbox(session, view).ok_or(Error::Fenced)?];
        let own = session.account_folded().unwrap_or_default();
        if own == nick.folded() || session.client.profile().nick.eq_ignore_ascii_case(nick.folded()) {
            logs.extend(own_posts(session).await?);
        } else {
            logs.extend(posts(session, nick.folded()));
        }
        Ok(Self { name: target.to_owned(), logs: Conversation { logs } })
    }

    /// `None` unless the client is a member.
    fn room(session: &Session, target: &str) -> Option<Self> {
        let folded = target.to_ascii_lowercase();
        let replica = session.joined(&folded)?;
        let (name, log) = room(session, &replica, plays_back(session))?;
        Some(Self { name, logs: Conversation { logs: vec![log] } })
    }
}

/// A room's log as far as this node has applied it, where the client is a member.
fn room(session: &Session, replica: &Replica, events: bool) -> Option<(String, Log)> {
    replica.with_state(|state| {
        let (epoch, last) = (state.epoch?, state.last.as_ref()?.id);
        state.members.get(&session.client.id).map(|member| {
            let log = Log {
                store: session.node.hub.store().clone(),
                partition: replica.partition().clone(),
                epoch,
                last,
                view: room_view(state, member.rank(), events),
                since: None,
            };
            (policy::name(state, replica.partition().name()).to_owned(), log)
        })
    })
}

/// What was said to a rank is read by those who have it now. Of a room that hides who comes and goes, that is not played
/// back to those from whom it is hidden.
fn room_view(state: &State, rank: Rank, events: bool) -> View {
    let hides = policy::has_mode(state, 'u') && rank < policy::SEES_ALL;
    if events && !hides { View::RoomEvents(rank) } else { View::RoomOf(rank) }
}

/// Whether the client understands what happened, and not only what was said.
fn plays_back(session: &Session) -> bool {
    session.client.has(Capability::EventPlayback)
}

/// The session's private messages.
pub(super) fn inbox(session: &Session, view: View) -> Option<Log> {
    let inbox = session.inbox.as_ref()?;
    let (epoch, last) = inbox.with_state(|state| Some((state.epoch?, state.last.as_ref()?.id)))?;
    let store = session.node.hub.store().clone();
    Some(Log { store, partition: inbox.partition().clone(), epoch, last, view, since: None })
}

/// The posts of an account that the client follows, as far as they are for it.
pub(super) fn posts(session: &Session, publisher: &str) -> Option<Log> {
    let followed = session.following.get(publisher)?;
    let Subscriber { since, .. } = followed.subscriber(session)?;
    let (epoch, last) = links::newest(&followed.held)?;
    let (store, partition) = (session.node.hub.store().clone(), followed.held.partition().clone());
    Some(Log { store, partition, epoch, last, view: View::Posts, since: Some(since) })
}

/// The client's own posts.
async fn own_posts(session: &Session) -> Result<Option<Log>, Error> {
    let Some(claim) = &session.account else { return Ok(None) };
    let (store, partition) = (session.node.hub.store().clone(), Partition::feed(&claim.folded));
    let peek = store.peek_one(&partition, &[OWNER]).await?;
    let owner = peek.fields.into_iter().next().flatten();
    let Some(epoch) = peek.epoch.filter(|_| owner == Some(claim.epoch.to_string())) else {
        return Ok(None);
    };
    let newest = store.read(&partition, epoch, Range::Latest, 1).await?;
    let Some(last) = newest.entries.last().map(|entry| entry.id) else { return Ok(None) };
    Ok(Some(Log { store, partition, epoch, last, view: View::Posts, since: None }))
}

async fn read(logs: &Conversation, request: &Request<'_>) -> Result<Merged, Error> {
    let from = request.from.resolve(logs, request).await?;
    let ask = match (request.kind, from) {
        (Kind::Latest | Kind::Targets, from) => Ask::Latest(from),
        (Kind::Before, Some(mark)) => Ask::Before(mark),
        (Kind::After, Some(mark)) => Ask::After(mark),
        (Kind::Around, Some(mark)) => Ask::Around(mark),
        (Kind::Between, Some(mark)) => match request.to.resolve(logs, request).await? {
            Some(to) => Ask::Between(mark, to),
            None => Ask::After(mark),
        },
        // `*` is refused for these when the request is read.
        (_, None) => Ask::Latest(None),
    };
    Ok(logs.page(&ask, request.limit).await?)
}

/// Sends a page of the buffer that the client calls `name`, as fast as it reads.
pub(super) async fn send(
    session: &Session,
    name: &str,
    messages: impl Iterator<Item = (&Partition, &Said)>,
    reply: &mut Reply,
) {
    let batch = reply.begin_batch("chathistory", &[name]);
    let tag = match &batch {
        Some(reference) => format!("batch={reference}"),
        None => reply.nested_tag().unwrap_or_default(),
    };
    let client = &session.client;
    let nick = client.profile().nick.clone();
    for (partition, said) in messages {
        let renamed = if partition.kind() == PartitionKind::Channel { said.renamed(name) } else { None };
        let whole = match &renamed {
            Some(lines) => multiline::message_at(lines, 0),
            None => said.whole(),
        };
        let Some(Whole { first, rest, .. }) = whole else { continue };
        let id = MessageId::new(partition, said.entry.epoch, said.entry.id, said.line).to_string();
        let time = server_time(said.entry.id.ms);
        let rendering = Rendering::new(first, &time, &id).with_rest(rest);
        if let Some(bytes) = rendering.own_for(client.capabilities(), &tag, &nick) {
            client.queue.room().await;
            client.queue.push(bytes);
        }
    }
    if let Some(reference) = batch {
        reply.end_batch(&reference);
    }
}

async fn show_targets(session: &Session, request: &Request<'_>, reply: &mut Reply) -> Result<(), Error> {
    let (Reference::Time(from), Reference::Time(to)) = (request.from, request.to) else {
        return Err(request.invalid_target());
    };
    let replicas = session.client.rooms();
    let rooms = replicas.iter().filter_map(|replica| room(session, replica, false));
    let feeds = session
        .following
        .iter()
        .filter_map(|(publisher, followed)| Some((followed.name(publisher), posts(session, publisher)?)));
    let rooms = rooms.chain(feeds).collect();
    let Targets { list, unfinished } =
        targets::find(rooms, inbox(session, View::Everybody), from, to, request.limit).await?;
    if let Some(time) = unfinished {
        incomplete(reply, &[], time);
    }
    let batch = reply.begin_batch("draft/chathistory-targets", &[]);
    let tag = match &batch {
        Some(reference) => Some(format!("batch={reference}")),
        None => reply.nested_tag(),
    };
    for target in list {
        let line = Line::new(COMMAND).source(reply.server()).param("TARGETS").param(&target.name);
        let line = line.param(server_time(target.latest)).build();
        session.client.queue.room().await;
        session.client.queue.push_line(&tag.as_ref().map_or(line.clone(), |tag| with_tag(tag, &line)));
    }
    if let Some(reference) = batch {
        reply.end_batch(&reference);
    }
    Ok(())
}

/// The search was ended because it took too long: the client learns from where to go on.
fn incomplete(reply: &mut Reply, context: &[&str], time: u64) {
    let from = format!("timestamp={}", server_time(time));
    let context: Vec<&str> = context.iter().copied().chain([&*from]).collect();
    let text = format!("There may be more than this: the search went as far as {}", server_time(time));
    note(reply, "INCOMPLETE", &context, &text);
}

/// Goes before the batch, so that whoever reads the page knows it already.
fn note(reply: &mut Reply, code: &str, context: &[&str], text: &str) {
    reply.expect_many();
    reply.standard("NOTE", COMMAND, code, context, text);
}

/// What a client sent, as much of it as an error repeats.
fn short(text: &str) -> &str {
    truncate_utf8(text, REPEATED)
}

const COMMAND: &str = "CHATHISTORY";
/// How many bytes of a parameter an error repeats: room for the longest name, and for three of them in a line.
const REPEATED: usize = 128;
