//! Claims: an account, a nick and an inbox for a session, each held by at most one.

use std::time::Duration;

use stentor_proto::nick::Nick;

use super::people::inbox_of;
use crate::account::Account;
use crate::account::record::{LOCKED, REVISION};
use crate::backoff::Backoff;
use crate::client::Profile;
use crate::config::DuplicateLogin;
use crate::error::Error;
use crate::fleet::sweep;
use crate::following::sessions;
use crate::hub::render::EVENT_TAG;
use crate::hub::{Decision, Refusal, State};
use crate::operator;
use crate::services;
use crate::session::{AccountClaim, NickClaim, Session};
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, Peek, StoreError, Writer};

/// Why a claim was not given.
#[derive(Debug)]
pub enum Refused {
    /// Somebody else holds it, and keeps it.
    Taken,
    /// Something failed.
    Error(Error),
}

impl From<Refusal<Refused>> for Refused {
    fn from(refusal: Refusal<Refused>) -> Self {
        match refusal {
            Refusal::Rule(refused) => refused,
            Refusal::Store(error) => Self::Error(Error::Store(error)),
            Refusal::Contended => Self::Error(Error::Contended),
            Refusal::Fenced => Self::Error(Error::Fenced),
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Error(Error::Store(error))
    }
}

/// Claims an account after its password was right. Whoever holds it is probed first: a session that answers is never
/// displaced under the policy `reject`.
///
/// # Errors
/// [`Refused::Taken`] where the holder answers.
pub async fn account(session: &mut Session, account: &Account) -> Result<(), Refused> {
    account_from(session, account, Rivals::ByPolicy).await
}

/// What becomes of a session that holds an account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rivals {
    /// What `accounts.duplicate_login` says.
    ByPolicy,
    /// It gives way: the account's user has asked for that.
    GiveWay,
}

/// As [`account`], with what becomes of who holds it. An account that the session was logged in to before is among its
/// former ones then.
///
/// # Errors
/// [`Refused::Taken`] where the holder stays.
pub async fn account_from(session: &mut Session, account: &Account, rivals: Rivals) -> Result<(), Refused> {
    let partition = Partition::account(&account.folded);
    session.begin_claims().await;
    let tenure = session.client.tenure();
    let value = session.claim_value();
    let nick = session.nick.as_ref().map_or("*", |claim| claim.partition.name()).to_owned();
    let accounts = match session.account_names().as_str() {
        "*" => account.folded.clone(),
        others => format!("{},{others}", account.folded),
    };
    session.index(&session.client.id.clone(), Some(&format!("{nick} {accounts}"))).await?;
    for _ in 0..ATTEMPTS {
        let fields = ["session", REVISION, LOCKED];
        let peek = session.node.hub.store().peek_one(&partition, &fields).await?;
        // What the password was compared with may be the past by now.
        let (held, revision, locked) = (field(&peek, 0), field(&peek, 1), field(&peek, 2));
        let known = (account.epoch, account.revision.as_str());
        if let Some(reason) = revoked(known, peek.epoch, locked.as_deref(), revision.as_deref()) {
            return Err(Refused::Error(Error::Close(reason.to_owned())));
        }
        let holder = held.as_deref().and_then(holder_of).filter(|(id, _)| **id != *session.client.id);
        if let Some((id, writer)) = &holder {
            may_displace(session, id, writer, rivals).await?;
        }
        let decision = Decision {
            guards: vec![
                Guard::Field("session".to_owned(), held.map_or(Is::Absent, Is::Equal)),
                account.unchanged(),
                Guard::Field(LOCKED.to_owned(), Is::Absent),
            ],
            changes: vec![Change::Set("session".to_owned(), value.clone())],
            ..Decision::default()
        };
        let life = Life::Within(account.epoch);
        if session.node.hub.write_blind::<Refused>(&tenure, &partition, life, decision).await?.is_some() {
            let former = session.account.replace(AccountClaim {
                name: account.name.clone(),
                folded: account.folded.clone(),
                partition,
                epoch: account.epoch,
                revision: account.revision.clone(),
            });
            session.former.extend(former);
            session.client.update(|profile| {
                profile.account_epoch = Some(account.epoch);
                profile.revision = Some(account.revision.clone());
            });
            if let Some((id, writer)) = holder {
                // The claim is won. What this leaves undone, the other session's own end or the sweep does.
                if let Err(refused) = clean_up(session, &writer, &id, "Replaced by a new session").await {
                    tracing::debug!(?refused, "a displaced session is cleaned up later");
                }
            }
            return Ok(());
        }
    }
    Err(Refused::Taken)
}

/// Why an account ends the sessions that knew it at this epoch and revision, if it does.
fn revoked(
    (epoch, revision): (Epoch, &str),
    now: Option<Epoch>,
    locked: Option<&str>,
    now_revision: Option<&str>,
) -> Option<&'static str> {
    if now != Some(epoch) {
        Some("Account removed")
    } else if locked.is_some() {
        Some("Account locked")
    } else if now_revision != Some(revision) {
        Some("Password changed")
    } else {
        None
    }
}

/// Whether the session that holds an account must give way.
async fn may_displace(session: &Session, id: &str, writer: &Writer, rivals: Rivals) -> Result<(), Refused> {
    if session.node.fleet.is_dead(writer).await? {
        return clean_up(session, writer, id, sweep::LOST).await;
    }
    let config = session.node.config();
    if rivals == Rivals::GiveWay || config.accounts.duplicate_login == DuplicateLogin::Replace {
        return Ok(());
    }
    if session.node.is_alive(writer, id, config.accounts.probe).await {
        return Err(Refused::Taken);
    }
    Ok(())
}

/// The session and the node that an account's field `session` names.
fn holder_of(value: &str) -> Option<(String, Writer)> {
    let (id, writer) = value.split_once(' ')?;
    Some((id.to_owned(), writer.parse().ok()?))
}

/// Gives up what another session holds, so that its QUIT comes before what follows.
async fn clean_up(session: &Session, dead: &Writer, id: &str, reason: &str) -> Result<(), Refused> {
    sweep::session(&session.node.hub, &session.client.tenure(), dead, id, reason).await.map_err(|refusal| {
        match refusal {
            Refusal::Store(error) => Refused::Error(Error::Store(error)),
            Refusal::Contended => Refused::Error(Error::Contended),
            Refusal::Fenced | Refusal::Rule(()) => Refused::Error(Error::Fenced),
        }
    })
}

/// Claims a nick. It may be held by an earlier session of the same account that is being closed, which gives way, or by
/// one of a dead node, which is cleaned up after first.
///
/// # Errors
/// [`Refused::Taken`] where somebody else holds it, or it is the name of somebody else's account.
pub async fn nick(session: &mut Session, nick: &Nick) -> Result<(), Refused> {
    if services::is_reserved(nick.folded()) {
        return Err(Refused::Taken);
    }
    let partition = Partition::nick(nick.folded());
    session.begin_claims().await;
    let tenure = session.client.tenure();
    let before = session.nick.clone();
    let held = before.iter().chain(&session.leftovers).map(|claim| claim.partition.name());
    let names: Vec<&str> = held.chain([nick.folded()]).collect();
    let names = names.join(",");
    index_names(session, &names).await.map_err(Refused::Error)?;
    for _ in 0..ATTEMPTS {
        let epoch = Epoch::random();
        let (life, guards) = match holder(session, nick, &partition).await? {
            None => (Life::Begin(epoch), Vec::new()),
            Some((old, as_seen)) => (Life::Renew(old, epoch), as_seen),
        };
        let changes = claim_fields(session, nick.as_str());
        let decision = Decision { guards, changes, ..Decision::default() };
        let written = session.node.hub.write_blind::<Refused>(&tenure, &partition, life, decision).await;
        if let Err(Refusal::Store(StoreError::Unknown(_))) = &written {
            session.leftovers.push(NickClaim { partition: partition.clone(), epoch });
        }
        if written?.is_some() {
            // What an earlier attempt may have left is replaced.
            session.leftovers.retain(|left| left.partition != partition);
            // An account of this name may have been made since the look above; see [`super::yielding`].
            match is_name_of_another(session, nick.folded()).await {
                Ok(false) => {}
                seen => {
                    let claim = NickClaim { partition, epoch };
                    if session.release_nick::<Refused>(&claim).await.is_err() {
                        session.leftovers.push(claim);
                    }
                    return Err(seen.map_or_else(Refused::Error, |_| Refused::Taken));
                }
            }
            session.nick = Some(NickClaim { partition, epoch });
            let folded = before.as_ref().map(|claim| claim.partition.name());
            session.note_past();
            session.node.clients.rename(&session.client, folded, nick.folded());
            return Ok(());
        }
    }
    Err(Refused::Taken)
}

/// The epoch of a claim on the nick that has to give way, and what must hold for it to be the one that was looked at; `None`
/// where there is none.
async fn holder(
    session: &Session,
    nick: &Nick,
    partition: &Partition,
) -> Result<Option<(Epoch, Vec<Guard>)>, Refused> {
    let own = session.account_folded();
    let partitions = [partition.clone(), Partition::account(nick.folded())];
    let fields = ["user", "writer", "account", "name", "removed"];
    let mut peeks = session.node.hub.store().peek(&partitions, &fields).await?.into_iter();
    let (claim, account) = (peeks.next().unwrap_or_default(), peeks.next().unwrap_or_default());
    let is_account = field(&account, 3).is_some() || field(&account, 4).is_some();
    if own != Some(nick.folded()) && is_account {
        return Err(Refused::Taken);
    }
    let Some(epoch) = claim.epoch else { return Ok(None) };
    // A session that goes on under its node's next incarnation keeps its claim's epoch.
    let is_still =
        |name: &str, index| Guard::Field(name.to_owned(), field(&claim, index).map_or(Is::Absent, Is::Equal));
    let as_seen = vec![is_still("user", 0), is_still("writer", 1)];
    let id = field(&claim, 0).unwrap_or_default();
    if *id == *session.client.id {
        // An earlier attempt got no answer, and was stored all the same.
        return Ok(Some((epoch, as_seen)));
    }
    let writer = field(&claim, 1).and_then(|writer| writer.parse::<Writer>().ok());
    if let Some(writer) = &writer
        && session.node.fleet.is_dead(writer).await?
    {
        clean_up(session, writer, &id, sweep::LOST).await?;
        // A claim that the dead node's index did not name is still there, and nobody's. One that somebody else has made
        // meanwhile has another epoch: it is not replaced, but looked at in its turn.
        let left = session.node.hub.store().peek_one(partition, &[]).await?.epoch;
        return Ok(left.map(|_| (epoch, as_seen)));
    }
    let of_same_account = field(&claim, 2).is_some_and(|holder| own == Some(&holder.to_ascii_lowercase()));
    if of_same_account || !session.node.knows(writer.as_ref(), &id).await {
        return Ok(Some((epoch, as_seen)));
    }
    if own != Some(nick.folded()) {
        return Err(Refused::Taken);
    }
    if let Some(writer) = &writer {
        displace(session, partition, writer, &id).await?;
    }
    let left = session.node.hub.store().peek_one(partition, &[]).await?.epoch;
    Ok(left.map(|_| (epoch, as_seen)))
}

/// Has somebody give up a nick that they had before it was the name of this session's account, and were not told. Who cannot
/// do so now goes. For as long as they may be speaking under it, it is taken.
async fn displace(
    session: &Session,
    partition: &Partition,
    writer: &Writer,
    id: &str,
) -> Result<(), Refused> {
    let node = &session.node;
    if node.have_looked(writer, id).await {
        return Ok(());
    }
    let (mut backoff, mut is_going) = (Backoff::of_a_write(), false);
    for _ in 0..DISPLACING {
        let claim = node.hub.store().peek_one(partition, &["user"]).await?;
        if field(&claim, 0).as_deref() != Some(id) {
            return Ok(());
        }
        is_going = is_going || node.have_ended(writer, id, NOT_YOURS).await;
        if !is_going || node.pause(&mut backoff).await.is_err() {
            break;
        }
    }
    Err(Refused::Taken)
}

/// Whether a folded nick is, or was, the name of an account that is not the session's.
///
/// # Errors
/// The store's.
pub async fn is_name_of_another(session: &Session, folded: &str) -> Result<bool, Error> {
    if session.account_folded() == Some(folded) {
        return Ok(false);
    }
    let account = session.node.hub.store().peek_one(&Partition::account(folded), &NAMES).await?;
    Ok(account.fields.iter().any(Option::is_some))
}

/// Writes the nick in other capitals.
///
/// # Errors
/// The store's.
pub async fn respell(session: &Session, nick: &Nick) -> Result<(), Error> {
    write(session, nick, Vec::new()).await
}

async fn write(session: &Session, nick: &Nick, lines: Vec<String>) -> Result<(), Error> {
    let Some(claim) = &session.nick else { return Ok(()) };
    let decision = Decision {
        guards: vec![Guard::Field("user".to_owned(), Is::Equal(session.client.id.to_string()))],
        changes: claim_fields(session, nick.as_str()),
        lines,
        ..Decision::default()
    };
    let life = Life::Within(claim.epoch);
    session.node.hub.write_blind::<Error>(&session.client.tenure(), &claim.partition, life, decision).await?;
    Ok(())
}

/// Writes what the claim on the nick tells others, after a change of the profile, and tells those who monitor the nick
/// with `line`, where they hear of the change.
///
/// # Errors
/// The store's.
pub async fn refresh(session: &Session, line: Option<String>) -> Result<(), Error> {
    let nick = session.client.profile().nick.clone();
    let Ok(nick) = Nick::parse(&nick, usize::MAX) else { return Ok(()) };
    write(session, &nick, line.into_iter().collect()).await
}

/// Changes what the profile says in some `fields` to what `after` says there, and what the claim on the nick tells others,
/// as in [`refresh`]. It is taken back where nobody else can have heard of it.
///
/// # Errors
/// The store's.
pub async fn change(
    session: &Session,
    after: &Profile,
    fields: fn(&Profile, &mut Profile),
    line: Option<String>,
) -> Result<(), Error> {
    let before = session.client.profile();
    session.client.update(|profile| fields(after, profile));
    let written = refresh(session, line).await;
    if written.as_ref().is_err_and(|error| !error.may_be_done()) {
        session.client.update(|profile| fields(&before, profile));
    }
    written
}

/// Names in the node's index what the session may hold.
///
/// # Errors
/// The store's.
pub async fn index_names(session: &mut Session, nicks: &str) -> Result<(), Error> {
    let names = format!("{nicks} {}", session.account_names());
    session.index::<Error>(&session.client.id.clone(), Some(&names)).await?;
    Ok(())
}

/// Opens the partition of the session's private messages: the account's, or a new one for a guest. An account's reach the
/// client once [`Replica::open_local`](crate::hub::Replica::open_local) says so.
///
/// # Errors
/// The store's.
pub async fn inbox(session: &mut Session) -> Result<(), Error> {
    let profile = session.client.profile();
    let partition = inbox_of(profile.account.as_deref(), &session.client.id);
    if session.account.is_none() {
        let decision = Decision {
            changes: vec![
                Change::Set("guest".to_owned(), session.client.id.to_string()),
                Change::Set("writer".to_owned(), session.client.tenure().writer().to_string()),
            ],
            ..Decision::default()
        };
        // Where an earlier attempt got no answer and was stored all the same, there is nothing left to do.
        let life = Life::Begin(*session.guest_inbox.get_or_insert_with(Epoch::random));
        session.node.hub.write_blind::<Error>(&session.client.tenure(), &partition, life, decision).await?;
    }
    let held = session.node.hub.hold(&partition).await?;
    if session.account.is_none() {
        held.add_local(session.client.clone());
    } else {
        // Its lines come after those that waited.
        held.add_local_shut(session.client.clone());
    }
    if let Some(claim) = &session.account {
        let value = session.claim_value();
        // A role may have been taken back since the password was compared.
        session.client.set_roles(&held.with_state(State::roles));
        // The account ends this session from now on; this is for what happened to it before.
        let ended = held.with_state(|state| {
            let known = (claim.epoch, claim.revision.as_str());
            revoked(known, state.epoch, state.field(LOCKED), state.field(REVISION))
                .or_else(|| (state.field("session") != Some(&value)).then_some("Logged in from elsewhere"))
        });
        if let Some(reason) = ended {
            held.remove_local(&session.client.id);
            return Err(Error::Close(reason.to_owned()));
        }
    }
    session.client.set_inbox(Some(&held));
    session.inbox = Some(held);
    Ok(())
}

/// Lets go of what came with an account that the session has left, and gives the account up. What the store does not see to
/// now, the session's end does.
pub async fn leave_former(session: &mut Session) {
    if session.former.is_empty() {
        return;
    }
    // A guest's inbox ends later; that of an account is its next session's.
    if let Some(inbox) = session.inbox.take_if(|inbox| !inbox.partition().is_volatile()) {
        session.client.set_inbox(None);
        inbox.remove_local(&session.client.id);
    }
    let seen = session.client.cursor.unsaved();
    session.client.cursor.stop();
    for publisher in session.following.keys().cloned().collect::<Vec<_>>() {
        sessions::let_go(session, &publisher);
    }
    session.feed = None;
    session.is_deaf = false;
    if let Err(refusal) = session.release_former(Some(&seen)).await {
        tracing::debug!(?refusal, "an account that was left is given up later");
        return;
    }
    let nick = session.nick.as_ref().map_or("*", |claim| claim.partition.name()).to_owned();
    if let Err(error) = index_names(session, &nick).await {
        tracing::debug!(?error, "the index names an account that was left for longer");
    }
}

/// A session has another account, or is a guest's again: its private messages go there from now on.
///
/// # Errors
/// The store's.
pub async fn move_inbox(session: &mut Session) -> Result<(), Error> {
    if let Some(old) = session.inbox.take() {
        session.client.set_inbox(None);
        old.remove_local(&session.client.id);
    }
    session.end_guest_inbox::<Error>().await?;
    let profile = session.client.profile();
    let account = profile.account.as_deref().unwrap_or("*");
    let line = profile.line("ACCOUNT").param(account).tag(EVENT_TAG, &profile.events.account);
    refresh(session, Some(line.build())).await?;
    inbox(session).await
}

fn claim_fields(session: &Session, nick: &str) -> Vec<Change> {
    let profile = session.client.profile();
    let mut changes = Vec::with_capacity(8);
    let mut set = |name: &str, value: Option<String>| {
        changes.push(match value {
            Some(value) => Change::Set(name.to_owned(), value),
            None => Change::Unset(name.to_owned()),
        });
    };
    set("user", Some(session.client.id.to_string()));
    set("writer", Some(session.client.tenure().writer().to_string()));
    set("who", Some(format!("{nick}!{}@{}", profile.user, profile.host)));
    set("account", profile.account.clone());
    set("away", profile.away.clone());
    set("oper", operator::is_operator(&session.node.config(), &profile).then(|| "1".to_owned()));
    set("modes", (!profile.modes.is_empty()).then(|| profile.modes.clone()));
    let accepted: Vec<&str> = profile.accepted.iter().map(|(id, _)| &**id).collect();
    set("accepted", (!accepted.is_empty()).then(|| accepted.join(" ")));
    set("realname", Some(profile.realname.clone()));
    changes
}

fn field(peek: &Peek, index: usize) -> Option<String> {
    peek.fields.get(index).cloned().flatten()
}

/// What an account's partition says of its name as long as that is nobody else's.
const NAMES: [&str; 2] = ["name", "removed"];
/// Why a session ends that bears the name of somebody else's account and can have no other nick.
pub const NOT_YOURS: &str = "Your nick is the name of an account";
/// How often a claim is attempted while others change the same thing.
const ATTEMPTS: usize = 16;
/// How long a node waits at most for another's answer about a session, whatever the probe's setting.
pub const LONGEST_PROBE: Duration = Duration::from_secs(60);
/// How often a nick is looked at that somebody is to give up by going, in about half a second.
const DISPLACING: usize = 5;
