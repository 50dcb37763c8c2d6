//! What there is to know: INFO and LIST.

use stentor_proto::mask::glob_matches;

use super::room::{Room, Who};
use super::{at, called, own};
use crate::config::Privilege;
use crate::error::Error;
use crate::fleet::directory;
use crate::hub::State;
use crate::hub::clock::server_time;
use crate::modes::Rank;
use crate::operator::audit::Deed;
use crate::operator::{authorise, demand};
use crate::policy::standing;
use crate::reply::Reply;
use crate::services::Said;
use crate::session::Session;
use crate::store::{Partition, Peek};

pub(super) async fn info(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), "info".to_owned()).await?;
    let name = &room.name;
    let own = session.account_folded().map(str::to_owned);
    let tell = |state: &State, who: &Who| {
        // It may have become secret.
        if !who.network && !standing::may_know(state, &who.id, own.as_deref()) {
            return Err(super::forbidden(&format!("There is no channel {name}.")));
        }
        Ok(told(state, name, who))
    };
    let (_, said) = room.authorise(session, tell).await?;
    Ok(said)
}

fn told(state: &State, name: &str, who: &Who) -> Vec<String> {
    let mut said = vec![match state.field("founder") {
        Some(founder) => format!("{name} lasts. Its founder is {founder}."),
        None if standing::is_kept(state) => {
            format!("{name} lost its founder's account. Its operators by standing right can register it.")
        }
        None => format!("{name} has no founder, and ends with its last member."),
    }];
    if let Some(created) = state.field("created").and_then(|ms| ms.parse().ok()) {
        said.push(format!("It has been there since {}.", server_time(created)));
    }
    let (members, rights) = (state.members.len(), standing::all(state).len());
    said.push(format!("Members now: {members}. Standing rights: {rights}."));
    if let Some(topic) = state.field("topic").filter(|topic| !topic.is_empty()) {
        said.push(format!("Its topic is: {topic}"));
    }
    let rank = standing::rank_of(state, who.account.as_deref());
    if rank > Rank::Plain {
        said.push(format!("You are {} whenever you come.", called(rank)));
    }
    let offer = standing::offer(state);
    if let Some(offer) =
        offer.filter(|offer| rank == Rank::Founder || Some(offer.to) == who.account.as_deref())
    {
        said.push(format!("It is offered to {}: TRANSFER ACCEPT {name}", offer.to));
    }
    said
}

pub(super) async fn list(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let mask = words.first().map_or_else(|| "*".to_owned(), |mask| mask.to_ascii_lowercase());
    let sees_all = demand(session, Privilege::Channels).is_ok();
    if sees_all {
        let deed = Deed { what: "chanserv", target: &mask, reason: "list" };
        authorise(session, Privilege::Channels, &deed).await?;
    }
    let account = if sees_all { session.account.clone() } else { Some(own(session)?) };
    let account = account.map(|claim| claim.folded);
    let mut channels = directory::channels(&session.node.hub).await?;
    channels.sort();
    let (mut said, mut more) = (Vec::new(), 0_usize);
    for batch in channels.chunks(BATCH) {
        for line in look(session, batch, &mask, account.as_deref(), sees_all).await? {
            if said.len() < SHOWN {
                said.push(line);
            } else {
                more += 1;
            }
        }
    }
    if said.is_empty() {
        said.push(if sees_all {
            format!("No lasting channel matches {mask}.")
        } else {
            format!(
                "Of the channels that {mask} matches, none is yours, and you have a standing right in none."
            )
        });
    }
    if more > 0 {
        said.push(format!("There are {more} more: narrow it down with LIST <mask>."));
    }
    Ok(said)
}

async fn look(
    session: &Session,
    channels: &[Partition],
    mask: &str,
    account: Option<&str>,
    sees_all: bool,
) -> Result<Vec<String>, Error> {
    let right = standing::field_of(account.unwrap_or("*"));
    let fields = ["name", "founder", standing::OFFER, &right];
    let peeks = session.node.hub.store().peek(channels, &fields).await?;
    let lines = channels.iter().zip(&peeks).filter(|(_, peek)| peek.epoch.is_some());
    let lines = lines.filter_map(|(channel, peek)| {
        let name = field(peek, 0).unwrap_or(channel.name());
        if !glob_matches(mask, &name.to_ascii_lowercase()) {
            return None;
        }
        let founder = field(peek, 1);
        let given = field(peek, 3).and_then(|value| value.chars().next()).and_then(Rank::of_letter);
        let offered = field(peek, 2).and_then(|offer| offer.split(' ').next());
        match (founder, given) {
            (Some(founder), _) if Some(founder) == account => Some(format!("{name}: you are the founder")),
            (_, Some(rank)) => Some(format!("{name}: you are {}", called(rank))),
            _ if offered.is_some() && offered == account => {
                Some(format!("{name}: it is offered to you; say TRANSFER ACCEPT {name}"))
            }
            (Some(founder), _) if sees_all => Some(format!("{name}: its founder is {founder}")),
            _ => None,
        }
    });
    Ok(lines.collect())
}

fn field(peek: &Peek, index: usize) -> Option<&str> {
    peek.fields.get(index).and_then(Option::as_deref)
}

/// How many channels are looked at together.
const BATCH: usize = 200;
/// How many channels one answer names.
const SHOWN: usize = 200;
