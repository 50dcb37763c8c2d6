//! Who a channel's founder is: REGISTER, DROP and TRANSFER.

use stentor_proto::line::Line;
use stentor_proto::numeric::Numeric;

use super::draft::Draft;
use super::room::{Room, Who};
use super::{at, forbidden, own, refusal};
use crate::command::join;
use crate::command::part::tidy;
use crate::error::Error;
use crate::fleet::directory::{self, Listing};
use crate::fleet::founded;
use crate::hub::{Decision, Refusal, State};
use crate::modes::Rank;
use crate::policy::{REGISTERED, standing};
use crate::reply::Reply;
use crate::services::{self, Said};
use crate::session::Session;
use crate::store::{Epoch, Partition, StoreError};

pub(super) async fn register(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let claim = own(session)?;
    let room = Room::open(session, at(words, 0), "register".to_owned()).await?;
    let founder = room.held.with_state(|state| state.field("founder").map(str::to_owned));
    // The name of an account that was removed is nobody's.
    let is_own = founder.as_deref() == Some(&*claim.folded);
    let gone = match founder {
        Some(founder) if session.node.accounts.find(&founder).await?.is_none() => Some(founder),
        _ => None,
    };
    if is_own {
        return keep(session, &room).await;
    }
    let now = session.node.fleet.now().0.to_string();
    take_over(session, &room, &claim.folded, |state, who| {
        let mut draft = Draft::new(state);
        may_register(state, who, &room.name, gone.as_deref())?;
        hand_over(&mut draft, &claim.folded);
        draft.set(REGISTERED, now.clone());
        Ok(draft.finish(&room.source, &room.name))
    })
    .await?;
    Ok(vec![format!(
        "You are the founder of {0} now: it keeps its topic, modes, bans and rights while nobody is in it. Say ACCESS {0} \
         ADD <account> to give somebody a rank that lasts.",
        room.name
    )])
}

/// Registers a room for the account that founded it by joining: from then on it stays whatever its founder leaves there.
async fn keep(session: &Session, room: &Room) -> Said {
    let now = session.node.fleet.now().0.to_string();
    let decide = |state: &State, who: &Who| {
        if who.standing(state) < Rank::Founder {
            return Err(changed(&room.name));
        }
        let mut draft = Draft::new(state);
        draft.set(REGISTERED, now.clone());
        Ok(draft.finish(&room.source, &room.name))
    };
    room.act(session, decide).await?;
    Ok(vec![format!(
        "{} is yours, and stays until you say DROP {0} or nothing happens there for long.",
        room.name
    )])
}

fn may_register(state: &State, who: &Who, name: &str, gone: Option<&str>) -> Result<(), Error> {
    match state.field("founder") {
        Some(founder) if Some(founder) != gone => {
            return Err(refusal(&format!("{name} has a founder already: {founder}.")));
        }
        _ => {}
    }
    // Whom the founder before trusted for good goes before who is an operator for the moment.
    let own = standing::rank_of(state, who.account.as_deref());
    if standing::has_heirs(state) && own < Rank::Operator {
        return Err(refusal(&format!(
            "{name} has operators by standing right: only one of them, who is there as an operator, can register it."
        )));
    }
    if state.members.get(&who.id).is_some_and(|member| member.is_operator()) {
        return Ok(());
    }
    Err(refusal(&format!(
        "You are not an operator of {name}: only somebody who is there as one can register it."
    )))
}

pub(super) async fn give_up(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), "drop".to_owned()).await?;
    let said = at(words, 1);
    let expected = room.held.with_state(code);
    if expected.is_none() {
        return Err(refusal(&format!("{} has no founder: there is nothing to give up.", room.name)));
    }
    let name = &room.name;
    let mut former = None;
    let decide = |state: &State, who: &Who| {
        may_give_up(state, who, name)?;
        former = state.field("founder").map(str::to_owned);
        Ok(dropped(state, &room.source, name))
    };
    if expected.as_deref() != Some(said) {
        room.would(session, |state, who| may_give_up(state, who, name))?;
        return Ok(vec![format!(
            "This takes the founder and all standing rights from {name}; it ends with its last member, or now if nobody is \
             there. If you mean it, say: DROP {name} {}",
            expected.unwrap_or_default()
        )]);
    }
    let entry = room.act(session, decide).await?;
    if entry.ends {
        return Ok(vec![format!("{name} is given up, and has ended.")]);
    }
    settle(session, &room, entry.epoch, former.as_deref(), None).await;
    Ok(vec![format!("{name} is given up: it has no founder any more, and ends with its last member.")])
}

fn may_give_up(state: &State, who: &Who, name: &str) -> Result<(), Error> {
    if who.standing(state) == Rank::Founder {
        return Ok(());
    }
    Err(forbidden(&format!("Only the founder of {name} can give it up.")))
}

/// What DROP has to be said with: another one for each founder and life of a channel.
fn code(state: &State) -> Option<String> {
    let (epoch, founder) = (state.epoch?, state.field("founder")?);
    Some(services::code(&format!("drop {epoch} {founder}")))
}

fn dropped(state: &State, source: &str, name: &str) -> Decision {
    let mut draft = Draft::new(state);
    let founder = state.field("founder").unwrap_or_default();
    draft.instead(founder, "q", "o");
    draft.unset("founder");
    draft.unset(REGISTERED);
    draft.unset(standing::OFFER);
    for one in standing::all(state) {
        draft.unset(&standing::field_of(one.account));
    }
    draft.end_if_empty();
    draft.finish(source, name)
}

pub(super) async fn transfer(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    if at(words, 0).eq_ignore_ascii_case("ACCEPT") {
        return accept(session, at(words, 1)).await;
    }
    let to = at(words, 1);
    let room = Room::open(session, at(words, 0), format!("transfer to {}", to.to_ascii_lowercase())).await?;
    let Some(account) = session.node.accounts.find(to).await? else {
        return Err(refusal(&format!(
            "There is no account {to}: a channel can only be handed over to an account."
        )));
    };
    let is_founder = |state: &State| standing::rank_of(state, session.account_folded()) == Rank::Founder;
    if room.held.with_state(is_founder) {
        return offer(session, &room, &account.name, &account.folded).await;
    }
    let (name, source) = (&room.name, &room.source);
    let taken = take_over(session, &room, &account.folded, |state, who| {
        if !who.network {
            return Err(forbidden(&format!("Only the founder of {name} can hand it over.")));
        }
        if state.field("founder") == Some(&*account.folded) {
            return Err(refusal(&format!("{} is the founder of {name} already.", account.name)));
        }
        let mut draft = Draft::new(state);
        hand_over(&mut draft, &account.folded);
        Ok(draft.finish(source, name))
    });
    taken.await.map_err(|error| match error {
        Error::Numeric(Numeric::ERR_TOOMANYCHANNELS, ..) => {
            refusal(&format!("{} has founded as many channels as an account may.", account.name))
        }
        other => other,
    })?;
    Ok(vec![format!("{} is the founder of {name} now.", account.name)])
}

/// Offers a channel to somebody; to its founder, takes such an offer back.
async fn offer(session: &Session, room: &Room, shown: &str, to: &str) -> Said {
    let (name, source) = (&room.name, &room.source);
    let withdraws = session.account_folded() == Some(to);
    let now = session.node.fleet.now().0;
    let decide = |state: &State, who: &Who| {
        if who.standing(state) < Rank::Founder {
            return Err(forbidden(&format!("Only the founder of {name} can hand it over.")));
        }
        let mut draft = Draft::new(state);
        if !withdraws {
            draft.set(standing::OFFER, format!("{to} {} {now}", who.by));
        } else if standing::offer(state).is_some() {
            draft.unset(standing::OFFER);
        } else {
            return Err(refusal(&format!("{name} is yours, and you have offered it to nobody.")));
        }
        Ok(draft.finish(source, name))
    };
    room.act(session, decide).await?;
    if withdraws {
        return Ok(vec![format!("You keep {name}: it is offered to nobody any more.")]);
    }
    let text =
        format!("{name} is offered to you. To be its founder, say: /msg ChanServ TRANSFER ACCEPT {name}");
    let line = Line::new("NOTICE").source(source).param(shown).trailing(&text).build();
    // It is in LIST, too, should this get lost.
    tidy(
        session
            .node
            .hub
            .publish(&Partition::account(to), &session.client.id, &line)
            .await
            .map_err(Error::from),
    );
    Ok(vec![format!(
        "{name} is offered to {shown}, and stays yours until {shown} says: TRANSFER ACCEPT {name}. To take the offer back, \
         transfer it to yourself."
    )])
}

async fn accept(session: &mut Session, name: &str) -> Said {
    let claim = own(session)?;
    let room = Room::open(session, name, "accept".to_owned()).await?;
    take_over(session, &room, &claim.folded, |state, _| {
        if standing::offer(state).is_none_or(|offer| offer.to != claim.folded) {
            return Err(refusal(&format!("{} was not offered to you.", room.name)));
        }
        let mut draft = Draft::new(state);
        hand_over(&mut draft, &claim.folded);
        Ok(draft.finish(&room.source, &room.name))
    })
    .await?;
    Ok(vec![format!("You are the founder of {} now.", room.name)])
}

/// Makes an account the founder: who is there gets the founder's prefixes, and the one before keeps an operator's.
fn hand_over<'a>(draft: &mut Draft<'a>, to: &'a str) {
    if let Some(former) = draft.state.field("founder").filter(|former| *former != to) {
        draft.instead(former, "q", "");
    }
    draft.set("founder", to.to_owned());
    draft.unset(standing::OFFER);
    draft.unset(&standing::field_of(to));
    draft.instead(to, "", standing::prefixes(Rank::Founder));
}

/// Makes the account `to` the founder by a commit that is decided like any other. The channel is counted among those that it
/// founded before that, and not any more where it was refused.
async fn take_over(
    session: &mut Session,
    room: &Room,
    to: &str,
    mut decide: impl FnMut(&State, &Who) -> Result<Decision, Error>,
) -> Result<(), Error> {
    let (who, epoch) = room
        .authorise(session, |state, who| {
            decide(state, who).and_then(|_| state.epoch.ok_or_else(|| changed(&room.name)))
        })
        .await?;
    let listing = Listing { epoch, at: session.node.fleet.now(), founder: Some(to.to_owned()) };
    let account = session.node.hub.hold(&Partition::account(to)).await?;
    join::note_founded(session, &account, room.partition(), &room.name, &listing).await?;
    let mut former = None;
    let committed = room.commit(session, &who, |state, who| {
        if state.epoch != Some(epoch) {
            return Err(changed(&room.name));
        }
        former = state.field("founder").map(str::to_owned);
        decide(state, who)
    });
    match committed.await {
        Ok(_) => {
            settle(session, room, epoch, former.as_deref().filter(|former| *former != to), Some(to)).await;
            Ok(())
        }
        // It may be the founder by now.
        Err(error @ Error::Store(StoreError::Unknown(_))) => Err(error),
        Err(error) => {
            release(session, room, epoch, to).await;
            Err(error)
        }
    }
}

/// Brings what is noted elsewhere up to a change of founders. What this leaves undone is found when somebody reaches the
/// limit of channels founded.
async fn settle(session: &Session, room: &Room, epoch: Epoch, former: Option<&str>, founder: Option<&str>) {
    if let Some(former) = former {
        release(session, room, epoch, former).await;
    }
    let (hub, tenure) = (&session.node.hub, session.client.tenure());
    match directory::refound(hub, &tenure, room.partition(), epoch, founder).await {
        Ok(()) | Err(Refusal::Rule(())) => {}
        Err(refusal) => tracing::debug!(?refusal, "a channel is listed with the founder before"),
    }
}

/// Counts the channel no more among those that an account has founded, unless it is that account's by now: somebody else
/// may have made it so meanwhile.
async fn release(session: &Session, room: &Room, epoch: Epoch, account: &str) {
    let (hub, tenure) = (&session.node.hub, session.client.tenure());
    let listing = Listing { epoch, at: session.node.fleet.now(), founder: Some(account.to_owned()) };
    let released = async {
        let peek = hub.store().peek_one(room.partition(), &["founder"]).await?;
        if peek.epoch == Some(epoch) && peek.fields.first().is_some_and(|it| it.as_deref() == Some(account)) {
            return Ok(());
        }
        founded::release::<Error>(hub, &tenure, room.partition(), &listing).await.map_err(Error::from)
    };
    tidy(released.await);
}

fn changed(name: &str) -> Error {
    refusal(&format!("{name} ended, or was made anew, just now: please look again."))
}
