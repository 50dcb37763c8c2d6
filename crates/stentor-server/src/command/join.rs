//! JOIN: enters channels, and creates those that do not exist.

use std::sync::Arc;

use stentor_proto::capability::Capability;
use stentor_proto::channel::ChannelName;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::backoff::Backoff;
use crate::config::Channels;
use crate::error::Error;
use crate::fleet::directory::Listing;
use crate::fleet::founded;
use crate::hub::{Decision, Held, Member, Refusal, Replica, State};
use crate::metadata;
use crate::modes::{BOT, INVISIBLE, Rank};
use crate::operator;
use crate::policy::{self, Joiner, standing};
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, Size, StoreError};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let targets = message.param(0).unwrap_or_default();
    if targets == "0" {
        return super::part::all(session, reply).await;
    }
    let targets: Vec<&str> = targets.split(',').filter(|target| !target.is_empty()).collect();
    session.charge_targets(targets.len(), super::EACH);
    let mut keys = message.param(1).unwrap_or_default().split(',');
    for target in targets {
        if session.is_over() {
            break;
        }
        let key = keys.next().filter(|key| !key.is_empty());
        let entered = match join(session, target, key, reply).await {
            Ok(Some(elsewhere)) => enter_elsewhere(session, target, elsewhere, reply).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match entered {
            Ok(()) => {}
            Err(error @ (Error::Close(_) | Error::Fenced)) => return Err(error),
            Err(error) => error.send("JOIN", reply),
        }
    }
    Ok(())
}

/// The channel that another one sends somebody to.
struct Elsewhere {
    name: String,
    /// Which channel is meant by that name; `None`: whichever has it.
    epoch: Option<Epoch>,
    /// Why the client was not let in.
    refusal: Option<Error>,
}

/// Enters the channel that another one forwards to, unless it has ended meanwhile, or another one has its name: nobody
/// founds it by being sent there, and nobody inherits who is sent.
async fn enter_elsewhere(
    session: &mut Session,
    target: &str,
    elsewhere: Elsewhere,
    reply: &mut Reply,
) -> Result<(), Error> {
    let Elsewhere { name, epoch, refusal } = elsewhere;
    let is_renamed = refusal.is_none();
    let gone = || refusal.unwrap_or_else(|| policy::no_such_channel(&name));
    let mut there = name.clone();
    let mut found = session.room(&there).await?.with_state(|state| state.epoch);
    if found.is_none()
        && let Some(renamed) =
            session.node.rooms.renamed_to(&name.to_ascii_lowercase(), &session.client.id).await?
    {
        there = renamed;
        found = session.room(&there).await?.with_state(|state| state.epoch);
    }
    if found.is_none() || epoch.is_some() && epoch != found {
        return Err(gone());
    }
    let text = if is_renamed { "The channel has been renamed" } else { "Forwarding to another channel" };
    reply.numeric(Numeric::ERR_LINKCHANNEL, &[target, &there], text);
    // There and no further: channels may forward in a circle.
    match join(session, &there, None, reply).await? {
        Some(_) => {
            let text = "This channel forwards to another one";
            Err(Error::numeric(Numeric::ERR_INVITEONLYCHAN, &[&there], text))
        }
        None => Ok(()),
    }
}

/// Enters a channel. `Some` is another one, to which this one forwards those whom it does not let in.
async fn join(
    session: &mut Session,
    target: &str,
    key: Option<&str>,
    reply: &mut Reply,
) -> Result<Option<Elsewhere>, Error> {
    let config = session.node.config();
    let name = ChannelName::parse(target, config.limits.channel_length)
        .map_err(|_| policy::no_such_channel(target))?;
    // After a JOIN whose outcome is not known, the channel is held and the client may be no member.
    let known = session.joined(name.folded());
    if known.is_some_and(|replica| replica.with_state(|state| state.members.contains_key(&session.client.id)))
    {
        return Err(Error::Silent);
    }
    let count = session.client.with_channels(|channels| channels.len());
    if !config.channels.max_per_user.has_room(count) {
        return Err(Error::numeric(
            Numeric::ERR_TOOMANYCHANNELS,
            &[target],
            "You have joined too many channels",
        ));
    }
    let mut backoff = Backoff::of_a_write();
    for _ in 0..ATTEMPTS {
        match join_in_place(session, &name, key, reply).await? {
            Entered::Here => return Ok(None),
            Entered::Elsewhere(other) => return Ok(Some(other)),
            // Whoever renames a room is done in a moment.
            Entered::Nowhere => session.node.pause(&mut backoff).await.map_err(|()| Error::Fenced)?,
        }
        session.node.rooms.refresh().await?;
    }
    Err(Error::Contended)
}

/// What became of the attempt to enter a room where it was last known to be.
enum Entered {
    Here,
    /// It sends the client to another one.
    Elsewhere(Elsewhere),
    /// The name is or was just given to another room.
    Nowhere,
}

async fn join_in_place(
    session: &mut Session,
    name: &ChannelName,
    key: Option<&str>,
    reply: &mut Reply,
) -> Result<Entered, Error> {
    let held = session.room(name.as_str()).await?;
    let replica = held.replica();
    if replica.with_state(|state| state.epoch.is_none())
        && let Some(other) = session.node.rooms.renamed_to(name.folded(), &session.client.id).await?
    {
        if session.client.has(Capability::ChannelRename) {
            let context = [name.as_str(), &other];
            return Err(Error::fail("JOIN", "CHANNEL_RENAMED", &context, "The channel has been renamed"));
        }
        return Ok(Entered::Elsewhere(Elsewhere { name: other, epoch: None, refusal: None }));
    }
    if replica.with_state(|state| state.members.contains_key(&session.client.id)) {
        // A room that it is in has just got this name.
        return Err(Error::Silent);
    }
    let place = replica.partition().name().to_owned();
    super::part::tidy(session.forget_left().await.map_err(Error::from));
    let key_in_index = format!("{}/{place}", session.client.id);
    session.index::<Error>(&key_in_index, Some("")).await?;
    // Held from before the commit: whatever takes the client out of the channel again finds it here.
    session.client.with_channels(|channels| channels.insert(place.clone(), held));
    let refusal = match announce_and_enter(session, &replica, name, key, reply).await {
        Ok(true) => {
            greet(session, &replica, name, reply).await;
            let keys = session.client.metadata_keys();
            if let Err(error) = metadata::sync::joined(session, &replica, &keys, reply).await {
                // It has joined; the client asks again.
                tracing::debug!(?error, "a room's metadata cannot be read now");
                metadata::ask_to_sync_soon(&session.client, name.as_str());
            }
            metadata::own::introduce(session, replica.partition()).await;
            return Ok(Entered::Here);
        }
        // It may have been stored: the channel stays among the client's own, so that its end takes it out, and its lines
        // come as soon as it shows.
        Err(error @ Error::Store(StoreError::Unknown(_))) => {
            replica.expect_member(&session.client);
            return Err(error);
        }
        Ok(false) => None,
        Err(error) => Some(error),
    };
    // While the replica is held: nobody else here may be in the channel.
    let (forward, is_renamed, is_member) = replica.with_state(|state| {
        let forward = refusal.as_ref().and_then(|error| policy::forward(state, error));
        let is_renamed = state.epoch.is_some() && !policy::is_named(state, name.folded());
        (forward, is_renamed, state.members.contains_key(&session.client.id))
    });
    if is_member {
        // An earlier JOIN was stored whose outcome had not been known: the channel stays among the client's own.
        replica.expect_member(&session.client);
        return Err(refusal.unwrap_or(Error::Silent));
    }
    drop(session.client.with_channels(|channels| channels.remove(&place)));
    session.index::<Error>(&key_in_index, None).await?;
    match (refusal, forward) {
        (Some(error @ (Error::Fenced | Error::Close(_))), _) => Err(error),
        (None, _) => Ok(Entered::Nowhere),
        _ if is_renamed => Ok(Entered::Nowhere),
        (refusal, Some((name, epoch))) => Ok(Entered::Elsewhere(Elsewhere { name, epoch, refusal })),
        (Some(error), None) => Err(error),
    }
}

/// Enters; where the channel turns out not to exist, it is listed first and then created. False where it may not be created
/// here, because another room has its name or is about to get it.
async fn announce_and_enter(
    session: &mut Session,
    replica: &Arc<Replica>,
    name: &ChannelName,
    key: Option<&str>,
    reply: &mut Reply,
) -> Result<bool, Error> {
    for _ in 0..ATTEMPTS {
        let epoch = announce(session, replica, name).await?;
        // The listing stays where it may not: somebody else may be about to create the room under it.
        if epoch.is_some() && !session.node.rooms.may_create(name.folded(), replica.partition()).await? {
            return Ok(false);
        }
        match enter(session, replica, name, key, epoch, reply).await {
            // It ended between the two looks.
            Err(Error::Store(StoreError::Gone)) => {}
            other => return other.map(|()| true),
        }
    }
    Err(Error::Store(StoreError::Unavailable("the channel ends again and again".to_owned())))
}

async fn enter(
    session: &Session,
    replica: &Arc<Replica>,
    name: &ChannelName,
    key: Option<&str>,
    epoch: Option<Epoch>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let id = session.client.id.clone();
    let account = session.account_folded().map(str::to_owned);
    let settings = session.node.config().channels.clone();
    let profile = session.client.profile();
    let away = profile.away.as_deref().map(|text| super::away::line(&profile, Some(text)));
    let newcomer = Newcomer {
        name,
        id: &id,
        account: account.as_deref(),
        key,
        epoch,
        server: &session.node.server_name,
        away,
    };
    let member = Member {
        writer: session.client.tenure().writer().to_string(),
        prefixes: String::new(),
        away: profile.away_token().to_owned(),
        oper: operator::is_operator(&session.node.config(), &profile),
        bot: profile.has_mode(BOT),
        invisible: profile.has_mode(INVISIBLE),
        joined: session.node.fleet.now().0,
        nick: profile.nick.clone(),
        user: profile.user.clone(),
        host: profile.host.clone(),
        account: profile.account.clone(),
        realname: profile.realname.clone(),
    };
    // The topic and the names follow.
    reply.expect_many();
    let origin = reply.origin(false, true);
    session
        .node
        .hub
        .transact(replica, &session.client.tenure(), Some(origin), |state| {
            newcomer.decide(state, &member, &settings)
        })
        .await?;
    replica.expect_member(&session.client);
    Ok(())
}

/// Lists a channel that is about to be created with its founder and in the directory, and returns the epoch that it will
/// have; `None` where it exists.
async fn announce(
    session: &mut Session,
    replica: &Replica,
    name: &ChannelName,
) -> Result<Option<Epoch>, Error> {
    if replica.with_state(|state| state.epoch.is_some()) {
        return Ok(None);
    }
    let (epoch, partition) = (Epoch::random(), replica.partition());
    let key = partition.as_str();
    let founder = session.account_folded().map(str::to_owned);
    let listing = Listing { epoch, at: session.node.fleet.now(), founder };
    note_founder(session, name, partition, &listing).await?;
    let value = listing.to_string();
    session
        .node
        .hub
        .write(&session.client.tenure(), &Partition::directory_of(key), &[], |peek| {
            Ok::<_, Error>(Decision {
                life: Some(peek.epoch.map_or_else(|| Life::Begin(Epoch::random()), Life::Within)),
                changes: vec![Change::Set(key.to_owned(), value.clone())],
                ..Decision::default()
            })
        })
        .await?;
    Ok(Some(epoch))
}

/// Counts a channel among those that the account has founded, where it may found one more. A guest's channels end with
/// their last member, and need no such limit.
async fn note_founder(
    session: &mut Session,
    name: &ChannelName,
    channel: &Partition,
    listing: &Listing,
) -> Result<(), Error> {
    let account = session.account.as_ref().map(|claim| &claim.partition);
    let inbox = session.inbox.as_ref().filter(|inbox| Some(inbox.partition()) == account);
    let Some(own) = inbox.map(Held::replica) else { return Ok(()) };
    note_founded(session, &own, channel, name.as_str(), listing).await
}

/// The same for any account, of whose partition `account` is a copy.
///
/// # Errors
/// `ERR_TOOMANYCHANNELS` where it may found no more, and the store's.
pub(crate) async fn note_founded(
    session: &mut Session,
    account: &Arc<Replica>,
    channel: &Partition,
    shown: &str,
    listing: &Listing,
) -> Result<(), Error> {
    let limit = session.node.config().channels.max_founded;
    if limit.get().is_none() {
        return Ok(());
    }
    let (hub, tenure) = (session.node.hub.clone(), session.client.tenure());
    for _ in 0..ATTEMPTS {
        match founded::note(&hub, &tenure, account, channel, listing, limit).await {
            Ok(()) => return Ok(()),
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(Refusal::Contended) => return Err(Error::Contended),
            Err(Refusal::Fenced) => return Err(Error::Fenced),
            Err(Refusal::Rule(())) => {}
        }
        session.charge_targets(founded::count(account), super::LOOKUPS_PER_LINE);
        if !founded::tidy::<Error>(&hub, &tenure, account, listing.at).await? {
            break;
        }
    }
    let text = "You have founded too many channels. Give one up first: /msg ChanServ DROP <channel>; LIST there tells which they are";
    Err(Error::numeric(Numeric::ERR_TOOMANYCHANNELS, &[shown], text))
}

struct Newcomer<'a> {
    name: &'a ChannelName,
    id: &'a Arc<str>,
    account: Option<&'a str>,
    key: Option<&'a str>,
    /// What the channel is listed under, where it did not exist.
    epoch: Option<Epoch>,
    /// Who gives the prefixes of those with standing rights.
    server: &'a str,
    /// What tells the others that the newcomer is away.
    away: Option<String>,
}

impl Newcomer<'_> {
    fn decide(&self, state: &State, member: &Member, settings: &Channels) -> Result<Decision, Error> {
        let name = policy::name(state, self.name.as_str());
        let account = member.account.as_deref().unwrap_or("*");
        let line = member.line("JOIN").param(name).param(account).trailing(&member.realname).build();
        if state.epoch.is_none() {
            let epoch = self.epoch.ok_or(Error::Store(StoreError::Gone))?;
            return Ok(self.create(epoch, member, &settings.default_modes, line));
        }
        if state.members.contains_key(self.id) || !policy::is_named(state, self.name.folded()) {
            return Err(Error::Silent);
        }
        let source = member.source();
        let joiner = Joiner { id: self.id, source: &source, account: self.account, key: self.key };
        policy::may_join(state, self.name.as_str(), joiner)?;
        let most = settings.max_members.get();
        if most.is_some_and(|most| state.members.len() >= most) {
            let text = "This channel is as full as channels can be here";
            return Err(Error::numeric(Numeric::ERR_CHANNELISFULL, &[self.name.as_str()], text));
        }
        let mut member = member.clone();
        let mut lines = vec![line];
        lines.extend(self.away.clone());
        // A room that a crash left without members has no operator either: the first who may enter is one.
        let is_left_over = state.members.is_empty() && !standing::is_kept(state);
        let least = if is_left_over { Rank::Operator } else { Rank::Plain };
        let prefixes = standing::prefixes(standing::rank_of(state, self.account).max(least));
        if !prefixes.is_empty() {
            prefixes.clone_into(&mut member.prefixes);
            let nicks = vec![&*member.nick; prefixes.len()].join(" ");
            lines.push(format!(":{} MODE {name} +{prefixes} {nicks}", self.server));
        }
        let mut guards = vec![Guard::Member(self.id.to_string(), Is::Absent), policy::rules_guard(state)];
        guards.push(Guard::Size(if state.members.is_empty() { Size::Exactly(0) } else { Size::Above(0) }));
        if let Some(limit) = policy::limit(state) {
            guards.push(Guard::Size(Size::Below(limit)));
        }
        let mut changes = vec![Change::SetMember(self.id.to_string(), member.to_value())];
        let invitation = format!("invited:{}", self.id);
        if policy::may_always_join(state, self.id, self.account) {
            guards.pop_if(|guard| matches!(guard, Guard::Size(Size::Below(_))));
        }
        if state.field(&invitation).is_some() {
            changes.push(Change::Unset(invitation));
        }
        guards.extend(
            most.and_then(|most| u64::try_from(most).ok()).map(|most| Guard::Size(Size::Below(most))),
        );
        Ok(Decision { life: state.within(), guards, changes, lines })
    }

    fn create(&self, epoch: Epoch, member: &Member, modes: &str, line: String) -> Decision {
        let set = |name: &str, value: String| Change::Set(name.to_owned(), value);
        let mut changes = vec![
            set("name", self.name.as_str().to_owned()),
            // As it is its founder's first moment there.
            set("created", member.joined.to_string()),
            set("modes", modes.to_owned()),
            set("rules", policy::fresh_rules()),
        ];
        // A guest's room is nobody's for good.
        let mut prefixes = "o";
        if let Some(account) = self.account {
            changes.push(set("founder", account.to_owned()));
            prefixes = standing::prefixes(Rank::Founder);
        }
        let founder = Member { prefixes: prefixes.to_owned(), ..member.clone() };
        changes.push(Change::SetMember(self.id.to_string(), founder.to_value()));
        Decision { life: Some(Life::Begin(epoch)), guards: Vec::new(), changes, lines: vec![line] }
    }
}

async fn greet(session: &Session, held: &Replica, name: &ChannelName, reply: &mut Reply) {
    super::topic::show(held, name.folded(), reply, false);
    if let Some(line) = super::markread::joined(&session.client, held.partition(), name.as_str()) {
        reply.line(line);
    }
    let has = |capability| session.client.has(capability);
    if !has(Capability::NoImplicitNames) && !has(Capability::NoImplicitNamesDraft) {
        super::names::show(session, held, name.folded(), reply).await;
    }
}

/// How often a channel may end while somebody is about to enter it.
const ATTEMPTS: usize = 8;
