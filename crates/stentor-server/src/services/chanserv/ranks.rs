//! The prefixes of those who are in a channel: OP, VOICE and the like.

use super::draft::Draft;
use super::room::{Room, Who};
use super::{at, called, deed, forbidden, refusal};
use crate::error::Error;
use crate::hub::{Decision, Member, State};
use crate::modes::Rank;
use crate::policy::{self, standing};
use crate::reply::Reply;
use crate::services::Said;
use crate::session::Session;

pub(super) async fn op(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    raise(session, words, Rank::Operator).await
}

pub(super) async fn deop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    lower(session, words, "qao").await
}

pub(super) async fn halfop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    raise(session, words, Rank::Halfop).await
}

pub(super) async fn dehalfop(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    lower(session, words, "h").await
}

pub(super) async fn voice(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    raise(session, words, Rank::Voice).await
}

pub(super) async fn devoice(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    lower(session, words, "v").await
}

async fn raise(session: &Session, words: &[&str], rank: Rank) -> Said {
    let letter = rank.prefix().map_or('?', |prefix| prefix.letter);
    let room = Room::open(session, at(words, 0), deed(&format!("give {letter}"), words)).await?;
    let mut shown = String::new();
    let decide = |state: &State, who: &Who| {
        let (id, member) = target(state, who, &room.name, words.get(1).copied())?;
        shown.clone_from(&member.nick);
        raised(state, who, &room, (id, member), rank)
    };
    room.act(session, decide).await?;
    Ok(vec![format!("{shown} is {} of {} now.", called(rank), room.name)])
}

fn raised(
    state: &State,
    who: &Who,
    room: &Room,
    (id, member): (&str, &Member),
    rank: Rank,
) -> Result<Decision, Error> {
    let name = &room.name;
    let is_own = *id == *who.id;
    let own = who.standing(state);
    let may = if is_own && own >= rank { true } else { who.rank(state).may_act_on(rank) };
    if !may {
        return Err(forbidden(&if is_own {
            format!("You have no standing right in {name} to be {} there.", called(rank))
        } else {
            format!("You may not make somebody {} of {name}.", called(rank))
        }));
    }
    // Whoever takes an operator's place takes their own.
    let letters = match rank.prefix() {
        Some(_) if is_own && !who.network && rank == Rank::Operator && own > rank => {
            standing::prefixes(own).to_owned()
        }
        Some(prefix) => prefix.letter.to_string(),
        None => String::new(),
    };
    let mut draft = Draft::new(state);
    draft.prefixes((id, member), &letters, true);
    if draft.is_empty() {
        return Err(refusal(&format!("{} is {} of {name} already.", member.nick, called(rank))));
    }
    Ok(draft.finish(&room.source, name))
}

async fn lower(session: &Session, words: &[&str], letters: &str) -> Said {
    let room = Room::open(session, at(words, 0), deed(&format!("take {letters}"), words)).await?;
    let mut shown = String::new();
    let decide = |state: &State, who: &Who| {
        let name = &room.name;
        let (id, member) = target(state, who, name, words.get(1).copied())?;
        shown.clone_from(&member.nick);
        let held: String = letters.chars().filter(|letter| member.prefixes.contains(*letter)).collect();
        if held.is_empty() {
            return Err(refusal(&format!("{shown} has no such rank in {name}.")));
        }
        if !standing::may_take(who.rank(state), *id == *who.id, &held) {
            return Err(forbidden(&format!(
                "You may not take the rank of {shown} in {name}: it is too high."
            )));
        }
        let mut draft = Draft::new(state);
        draft.prefixes((id, member), &held, false);
        Ok(draft.finish(&room.source, name))
    };
    room.act(session, decide).await?;
    Ok(vec![format!("{shown} has that rank in {} no more.", room.name)])
}

/// The member with this nick, for those whose rank lets them see who listens in silence (`+u`).
///
/// # Errors
/// Where it does not.
pub(super) fn member<'a>(
    state: &'a State,
    who: &Who,
    name: &str,
    nick: &str,
) -> Result<Option<(&'a str, &'a Member)>, Error> {
    let found = policy::member_by_nick(state, nick).map(|(id, member)| (&**id, &**member));
    let is_own = found.is_some_and(|(id, _)| *id == *who.id);
    if is_own || who.rank(state) >= Rank::Halfop {
        return Ok(found);
    }
    Err(forbidden(&format!("Only halfops of {name} and higher do that to others there.")))
}

/// Whom a word is about: a member by nick, or whoever says it.
fn target<'a>(
    state: &'a State,
    who: &Who,
    name: &str,
    nick: Option<&str>,
) -> Result<(&'a str, &'a Member), Error> {
    let found = match nick {
        Some(nick) => member(state, who, name, nick)?,
        None => state.members.get_key_value(&who.id).map(|(id, member)| (&**id, &**member)),
    };
    found.ok_or_else(|| {
        refusal(&match nick {
            Some(nick) => format!("{nick} is not in {name}."),
            None => format!("You are not in {name}: join it first."),
        })
    })
}
