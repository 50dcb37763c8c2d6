//! A channel that somebody named to ChanServ, and by what right they ask.

use std::sync::Arc;

use stentor_proto::channel::ChannelName;

use super::{CHANSERV, FORBIDDEN, refusal};
use crate::command::part;
use crate::config::Privilege;
use crate::error::Error;
use crate::hub::{Decision, Held, State, UserId};
use crate::modes::Rank;
use crate::operator::audit::Deed;
use crate::operator::{authorise, demand, name_of};
use crate::policy::{self, standing};
use crate::session::Session;
use crate::store::{Entry, Partition};

/// A channel that exists, and that whoever asks may know of.
#[derive(Debug)]
pub(super) struct Room {
    /// A copy of its partition, which need not be called what the channel is.
    pub(super) held: Held,
    /// The channel's name, as it was when it was looked for.
    pub(super) name: String,
    /// As whom ChanServ acts.
    pub(super) source: String,
    /// What the audit log says of it.
    deed: String,
    /// Whether it is there only for an operator of the network, who was authorised.
    network: bool,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// The user's id.
    pub(super) id: UserId,
    /// The account's folded name.
    pub(super) account: Option<String>,
    /// The name that what lasts is signed with.
    pub(super) by: String,
    /// Whether it is an operator of the network who was authorised, and so acts as the founder.
    pub(super) network: bool,
}

impl Room {
    /// The channel of this name. `deed` is what the audit log says, where it takes an operator of the network to do it, or to
    /// know of the channel at all.
    ///
    /// # Errors
    /// Why there is none, as far as this client may know.
    pub(super) async fn open(session: &Session, name: &str, deed: String) -> Result<Self, Error> {
        let none = || refusal(&format!("There is no channel {name}."));
        let limit = session.node.config().limits.channel_length;
        let parsed = ChannelName::parse(name, limit).map_err(|_| none())?;
        let held = session.room(parsed.as_str()).await?;
        let sees_all = demand(session, Privilege::Channels).is_ok();
        let (shown, may_know) = held
            .with_state(|state| {
                let may_know = standing::may_know(state, &session.client.id, session.account_folded());
                let is_there = may_know || sees_all && state.epoch.is_some();
                is_there.then(|| (policy::name(state, parsed.folded()).to_owned(), may_know))
            })
            .ok_or_else(none)?;
        let source = CHANSERV.source(&session.node.server_name);
        let room = Self { held, name: shown, source, deed, network: !may_know };
        if room.network {
            room.write_down(session).await?;
        }
        Ok(room)
    }

    async fn write_down(&self, session: &Session) -> Result<(), Error> {
        let deed = Deed { what: "chanserv", target: &self.name, reason: &self.deed };
        authorise(session, Privilege::Channels, &deed).await
    }

    /// The channel's name in the state that a line is decided by: it may have got another one meanwhile.
    pub(super) fn name_in<'a>(&'a self, state: &'a State) -> &'a str {
        policy::name(state, &self.name)
    }

    /// The channel's partition.
    pub(super) fn partition(&self) -> &Partition {
        self.held.partition()
    }

    /// Decides for whoever asks; where their own right is not enough and they are an operator of the network, for them as
    /// such, once it is written down.
    ///
    /// # Errors
    /// Why it is not done.
    pub(super) async fn authorise<T>(
        &self,
        session: &Session,
        mut decide: impl FnMut(&State, &Who) -> Result<T, Error>,
    ) -> Result<(Who, T), Error> {
        let mut who = Who { network: self.network, ..Who::of(session) };
        match self.held.with_state(|state| decide(state, &who)) {
            Err(Error::Fail { code: FORBIDDEN, .. })
                if !self.network && demand(session, Privilege::Channels).is_ok() =>
            {
                self.write_down(session).await?;
                who.network = true;
                let decided = self.held.with_state(|state| decide(state, &who))?;
                Ok((who, decided))
            }
            decided => decided.map(|decided| (who, decided)),
        }
    }

    /// Whether something would be done for whoever asks, also as an operator of the network. Nothing is done yet and nothing
    /// written down, so this is for what tells nothing.
    ///
    /// # Errors
    /// Why it would not be done.
    pub(super) fn would(
        &self,
        session: &Session,
        check: impl FnOnce(&State, &Who) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let network = self.network || demand(session, Privilege::Channels).is_ok();
        let who = Who { network, ..Who::of(session) };
        self.held.with_state(|state| check(state, &who))
    }

    /// Commits what is decided by the channel's state.
    ///
    /// # Errors
    /// Why it is not done.
    pub(super) async fn commit(
        &self,
        session: &Session,
        who: &Who,
        mut decide: impl FnMut(&State, &Who) -> Result<Decision, Error>,
    ) -> Result<Arc<Entry>, Error> {
        let (hub, tenure) = (&session.node.hub, session.client.tenure());
        let decide = |state: &State| {
            if state.epoch.is_none() {
                return Err(refusal(&format!("There is no channel {} any more.", self.name)));
            }
            decide(state, who)
        };
        // Who is not in the channel gets no copy; who is reads the lines as the others do, and then the answer.
        let entry = hub.transact(&self.held, &tenure, None, decide).await?;
        self.ended(session, &entry).await;
        Ok(entry)
    }

    /// Takes the channel out of the directory, where it has ended. What was asked is done by then, and what this leaves
    /// undone the janitor does.
    async fn ended(&self, session: &Session, entry: &Entry) {
        if entry.ends {
            part::tidy(part::forget(session, self.partition(), entry.epoch).await);
        }
    }

    /// Both.
    ///
    /// # Errors
    /// Why it is not done.
    pub(super) async fn act(
        &self,
        session: &Session,
        mut decide: impl FnMut(&State, &Who) -> Result<Decision, Error>,
    ) -> Result<Arc<Entry>, Error> {
        let (who, _) = self.authorise(session, &mut decide).await?;
        self.commit(session, &who, decide).await
    }
}

impl Who {
    fn of(session: &Session) -> Self {
        Self {
            id: session.client.id.clone(),
            account: session.account_folded().map(str::to_owned),
            by: session.account_folded().map_or_else(|| name_of(&session.client.profile()), str::to_owned),
            network: false,
        }
    }

    /// The rank that lasts.
    pub(super) fn standing(&self, state: &State) -> Rank {
        if self.network { Rank::Founder } else { standing::rank_of(state, self.account.as_deref()) }
    }

    /// The higher of that and the rank in the channel now.
    pub(super) fn rank(&self, state: &State) -> Rank {
        let present = state.members.get(&self.id).map(|member| member.rank()).unwrap_or_default();
        self.standing(state).max(present)
    }
}
