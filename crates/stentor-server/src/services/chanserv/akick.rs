//! AKICK: bans that also throw out whom they hit. They stand in the channel's list of bans, with all others.

use stentor_proto::ban::ListEntry;
use stentor_proto::mode::ModeClass;

use super::draft::Draft;
use super::order::ban_of;
use super::room::{Room, Who};
use super::{at, forbidden, refusal};
use crate::error::Error;
use crate::fleet::directory;
use crate::hub::{Decision, State, clock};
use crate::modes::{self, Rank};
use crate::policy;
use crate::reply::Reply;
use crate::services::Said;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let (room, whom) = (Room::open(session, at(words, 0)).await?, at(words, 2));
    match at(words, 1).to_ascii_uppercase().as_str() {
        "ADD" if !whom.is_empty() => add(session, &room, whom).await,
        "DEL" if !whom.is_empty() => remove(session, &room, whom).await,
        "LIST" => list(session, &room).await,
        _ => Err(refusal(
            "It is written: AKICK <#channel> ADD <nick, account or mask>, … DEL <the same>, or … LIST",
        )),
    }
}

async fn add(session: &Session, room: &Room, whom: &str) -> Said {
    let entry = entry(session, whom).await?;
    let name = &room.name;
    let most = session.node.config().channels.list_max;
    let value = format!("{} {}", session.client.profile().source(), clock::wall_ms() / 1000);
    let mut gone = 0;
    let decide = |state: &State, who: &Who| {
        may_ban(state, who, name)?;
        let lists = modes::letters(ModeClass::List);
        let count = lists.chars().map(|letter| policy::list_entries(state, letter).count()).sum();
        let is_there = is_banned(state, &entry);
        if !is_there && !most.has_room(count) {
            return Err(refusal(&format!("The lists of {name} are full: take something away first.")));
        }
        let mut draft = Draft::new(state);
        if !is_there {
            draft.enlist('b', entry.as_str(), value.clone());
        }
        gone = throw_out(&mut draft, who, &entry);
        if draft.is_empty() {
            return Err(refusal(&format!("{} is banned from {name} already.", entry.as_str())));
        }
        Ok(draft.finish(&room.source, name))
    };
    let committed = room.act(session, &format!("akick add {}", entry.as_str()), decide).await?;
    if committed.ends {
        let (hub, tenure) = (&session.node.hub, session.client.tenure());
        directory::forget::<Error>(hub, &tenure, room.partition(), Some(committed.epoch)).await?;
    }
    Ok(vec![format!("{} is banned from {name}. Thrown out: {gone}.", entry.as_str())])
}

/// Throws out those whom the ban hits and no exception saves, as far as they are below whoever asks.
fn throw_out(draft: &mut Draft<'_>, who: &Who, entry: &ListEntry) -> usize {
    let state = draft.state;
    let rank = who.rank(state);
    let hit: Vec<_> = state
        .members
        .iter()
        .filter(|(id, member)| **id != who.id && rank.may_act_on(member.rank()))
        .filter(|(_, member)| {
            let (source, account) = (member.source(), member.account.as_deref());
            entry.matches(&source, account) && !policy::is_excepted(state, (&source, account))
        })
        .filter(|_| !entry.is_mute())
        .map(|(id, member)| (&**id, &**member))
        .collect();
    draft.kick(&hit, "You are banned from this channel");
    hit.len()
}

async fn remove(session: &Session, room: &Room, whom: &str) -> Said {
    let entry = entry(session, whom).await?;
    let name = &room.name;
    let decide = |state: &State, who: &Who| -> Result<Decision, Error> {
        may_ban(state, who, name)?;
        let there = policy::list_entries(state, 'b').map(|(there, _)| there);
        let there: Vec<&str> = there.filter(|there| there.eq_ignore_ascii_case(entry.as_str())).collect();
        if there.is_empty() {
            return Err(refusal(&format!(
                "{} is not banned from {name}: see AKICK {name} LIST.",
                entry.as_str()
            )));
        }
        let mut draft = Draft::new(state);
        for there in there {
            draft.unlist('b', there);
        }
        Ok(draft.finish(&room.source, name))
    };
    room.act(session, &format!("akick del {}", entry.as_str()), decide).await?;
    Ok(vec![format!("{} is not banned from {name} any more.", entry.as_str())])
}

async fn list(session: &Session, room: &Room) -> Said {
    let name = &room.name;
    let read = |state: &State, who: &Who| {
        may_ban(state, who, name)?;
        let line =
            |(entry, set): (&str, &str)| format!("{entry}, by {}", set.split(' ').next().unwrap_or(set));
        let mut lines: Vec<String> = policy::list_entries(state, 'b').map(line).collect();
        lines.sort();
        Ok(lines)
    };
    let (_, lines) = room.authorise(session, "akick list", read).await?;
    Ok(if lines.is_empty() { vec![format!("Nobody is banned from {name}.")] } else { lines })
}

fn may_ban(state: &State, who: &Who, name: &str) -> Result<(), Error> {
    if who.rank(state) >= Rank::Halfop {
        return Ok(());
    }
    Err(forbidden(&format!("Only halfops of {name} and higher ban there.")))
}

fn is_banned(state: &State, entry: &ListEntry) -> bool {
    policy::list_entries(state, 'b').any(|(there, _)| there.eq_ignore_ascii_case(entry.as_str()))
}

/// What stands in the list of bans for somebody, or for a mask.
async fn entry(session: &Session, whom: &str) -> Result<ListEntry, Error> {
    let text = match session.node.find_person(whom).await? {
        Some(person) => ban_of(&person),
        None => whom.to_owned(),
    };
    ListEntry::parse(&text).map_err(|_| refusal(&format!("{whom} is nobody's nick or account, and no mask.")))
}
