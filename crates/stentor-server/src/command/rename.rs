//! RENAME: gives a channel another name (draft/channel-rename). Its members, modes and history stay as they are.

use std::time::Duration;

use stentor_proto::capability::Capability;
use stentor_proto::channel::ChannelName;
use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::hub::{Decision, Member, State};
use crate::modes::Rank;
use crate::policy;
use crate::reply::Reply;
use crate::rooms::claim::{Claim, ClaimError};
use crate::rooms::{RENAMED, last_renaming};
use crate::session::Session;
use crate::store::{Change, Guard, Is, StoreError, StoreTime};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let config = session.node.config();
    let request = Request {
        from: message.param(0).unwrap_or_default(),
        to: message.param(1).unwrap_or_default(),
        reason: truncate_utf8(message.param(2).unwrap_or_default(), config.limits.kick_length),
        id: &session.client.id.clone(),
        now: session.node.fleet.now(),
    };
    let held = session.room(request.from).await?;
    let name = ChannelName::parse(request.to, config.limits.channel_length)
        .map_err(|error| request.cannot(&format!("{}: {error}", request.to)))?;
    let old = held.with_state(|state| {
        request.may_rename(state)?;
        Ok::<_, Error>(policy::name(state, held.partition().name()).to_ascii_lowercase())
    })?;
    if held.with_state(|state| policy::name(state, "") == name.as_str()) {
        return Err(request.cannot("It has that name"));
    }
    let claim = if old == name.folded() {
        None
    } else {
        let rooms = &session.node.rooms;
        let claim = rooms.claim(&session.client.tenure(), held.partition(), &old, name.folded()).await;
        Some(claim.map_err(|error| request.refused(error))?)
    };
    // Who does not know the command is told by several lines, or, of another spelling, by none.
    let knows = session.client.has(Capability::ChannelRename);
    if !knows && claim.is_some() {
        reply.expect_many();
    }
    let origin = reply.origin(false, knows || claim.is_some());
    let node = session.node.clone();
    let holds = || claim.as_ref().is_none_or(|claim| claim.holds(node.fleet.now()));
    let decide =
        |state: &State| if holds() { request.decide(state, &old, &name) } else { Err(Error::Contended) };
    let renamed = session.node.hub.transact(&held, &session.client.tenure(), Some(origin), decide).await;
    let renamed = renamed.map(drop).map_err(Error::from);
    if let Some(claim) = claim {
        conclude(session, claim, &renamed).await;
    }
    renamed
}

/// Settles a claim by what became of the room. Where that is not known, the claim stands until it runs out.
async fn conclude(session: &Session, claim: Claim, renamed: &Result<(), Error>) {
    match renamed {
        Ok(()) => session.node.rooms.settle(claim).await,
        Err(Error::Store(StoreError::Unknown(_))) => {}
        Err(_) => session.node.rooms.withdraw(claim).await,
    }
}

struct Request<'a> {
    /// As the client wrote it.
    from: &'a str,
    to: &'a str,
    reason: &'a str,
    id: &'a str,
    now: StoreTime,
}

impl Request<'_> {
    /// The member who asks, where the rules allow it: the founder, or an operator of a channel that has none.
    fn may_rename(&self, state: &State) -> Result<Member, Error> {
        let needed = if state.field("founder").is_some() { Rank::Founder } else { Rank::Operator };
        let member = policy::own_ranked(state, self.from, self.id, needed)?;
        if self.respells(state) {
            return Ok(Member::clone(&member));
        }
        if state.members.len() > MEMBERS {
            return Err(self.cannot(&format!("It has more than {MEMBERS} members")));
        }
        let last = last_renaming(state.field(RENAMED));
        if last.is_some_and(|(last, _)| self.now < last.plus(PAUSE)) {
            return Err(self.cannot("It has been renamed a moment ago; wait a minute"));
        }
        Ok(Member::clone(&member))
    }

    fn decide(&self, state: &State, old: &str, name: &ChannelName) -> Result<Decision, Error> {
        if !policy::is_named(state, old) {
            return Err(policy::no_such_channel(self.from));
        }
        let member = self.may_rename(state)?;
        let set = |field: &str, value: String| Change::Set(field.to_owned(), value);
        // Another spelling leads nobody from one name to another, and so begins no pause.
        let renamed = (!self.respells(state)).then(|| set(RENAMED, format!("{} {old}", self.now.0)));
        let line = member.line("RENAME").param(policy::name(state, old)).param(name.as_str());
        Ok(Decision {
            life: state.within(),
            guards: vec![
                Guard::Member(self.id.to_owned(), Is::Equal(member.to_value())),
                policy::rules_guard(state),
            ],
            // Whoever joins or speaks decides again, by the new name.
            changes: [set("name", name.as_str().to_owned()), set("rules", policy::fresh_rules())]
                .into_iter()
                .chain(renamed)
                .collect(),
            lines: vec![line.trailing(self.reason).build()],
        })
    }

    /// Whether the name stays the same but for its capitals.
    fn respells(&self, state: &State) -> bool {
        policy::is_named(state, &self.to.to_ascii_lowercase())
    }

    fn refused(&self, error: ClaimError) -> Error {
        match error {
            ClaimError::InUse => self.fail("CHANNEL_NAME_IN_USE", "There is a channel of that name"),
            ClaimError::Full => {
                self.cannot("Too many channels here have other names than they began with; ask an operator")
            }
            ClaimError::Write(error) => error.into(),
        }
    }

    fn cannot(&self, text: &str) -> Error {
        self.fail("CANNOT_RENAME", text)
    }

    fn fail(&self, code: &'static str, text: &str) -> Error {
        Error::fail("RENAME", code, &[self.from, self.to], text)
    }
}

/// How long a channel keeps a name at least, whatever its capitals.
pub(super) const PAUSE: Duration = Duration::from_secs(60);
/// A channel with more members is not renamed: clients that do not know RENAME are told all of them anew.
pub(super) const MEMBERS: usize = 1000;
