//! AKICK: bans that also throw out whom they hit. They stand in the channel's list of bans, with all others.

use stentor_proto::ban::ListEntry;
use stentor_proto::text::truncate_utf8;

use super::draft::{AT_ONCE, Draft};
use super::order::ban_of;
use super::room::{Room, Who};
use super::{at, forbidden, refusal};
use crate::config::Limit;
use crate::error::Error;
use crate::hub::{Decision, Member, State, clock};
use crate::modes::Rank;
use crate::policy::{self, standing};
use crate::reply::Reply;
use crate::services::{Said, is_end};
use crate::session::Session;

pub(super) async fn run(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let (what, whom) = (at(words, 1).to_ascii_uppercase(), at(words, 2));
    let more = words.get(3..).unwrap_or_default();
    if what == "ADD" && !whom.is_empty() {
        return set(session, at(words, 0), whom, more).await;
    }
    let deed = format!("akick {} {whom}", what.to_ascii_lowercase());
    let room = Room::open(session, at(words, 0), deed).await?;
    match what.as_str() {
        "DEL" if !whom.is_empty() && more.is_empty() => remove(session, &room, whom).await,
        "" | "LIST" if whom.is_empty() => list(session, &room).await,
        _ => Err(refusal(
            "Syntax: AKICK <#channel> ADD <nick, account or mask> [<reason>], … DEL <the same>, or … LIST",
        )),
    }
}

pub(super) async fn ban(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    set(session, at(words, 0), at(words, 1), words.get(2..).unwrap_or_default()).await
}

async fn set(session: &Session, channel: &str, whom: &str, reason: &[&str]) -> Said {
    if is_end(whom) || reason.first().is_some_and(|word| is_end(word)) {
        return Err(refusal(
            "Bans here last until they are lifted: leave out +<time>, !T with its time, or !P. The words behind the mask \
             are the reason.",
        ));
    }
    let room = Room::open(session, channel, format!("akick add {whom}")).await?;
    add(session, &room, whom, &reason.join(" ")).await
}

async fn add(session: &Session, room: &Room, whom: &str, reason: &str) -> Said {
    let entry = entry(session, whom).await?;
    if entry.is_mute() && !reason.is_empty() {
        return Err(refusal("A mute throws nobody out, so nobody would read the reason: leave it out."));
    }
    let config = session.node.config();
    let name = &room.name;
    let (who, ()) = room.authorise(session, |state, who| may_ban(state, who, name)).await?;
    let ban = Ban {
        room,
        entry: &entry,
        value: format!("{} {}", session.client.profile().source(), clock::wall_ms() / 1000),
        reason: match truncate_utf8(reason, config.limits.kick_length) {
            "" => "You are banned from this channel",
            reason => reason,
        },
        most: config.channels.list_max,
    };
    let mut gone = 0;
    loop {
        let (mut hit, first) = (0, gone == 0);
        let committed = room.commit(session, &who, |state, who| {
            let (decision, count) = ban.decide(state, who, first)?;
            hit = count;
            Ok(decision)
        });
        match committed.await {
            Ok(committed) => {
                gone += hit.min(AT_ONCE);
                if committed.ends || hit <= AT_ONCE {
                    break;
                }
            }
            // The others have left by themselves, or the ban is lifted again.
            Err(Error::Silent) => break,
            Err(error) => return Err(error),
        }
    }
    let does = does(&entry);
    Ok(vec![if entry.is_mute() {
        format!("{} is {does} {name}, and stays there.", entry.as_str())
    } else {
        format!("{} is {does} {name}. Thrown out: {gone}.", entry.as_str())
    }])
}

/// What an entry does to whom it hits.
fn does(entry: &ListEntry) -> &'static str {
    if entry.is_mute() { "muted in" } else { "banned from" }
}

/// A ban that throws out whom it hits, some at a time.
struct Ban<'a> {
    room: &'a Room,
    entry: &'a ListEntry,
    /// Who sets it, and when.
    value: String,
    /// What those read whom it throws out.
    reason: &'a str,
    /// How long the channel's lists may be.
    most: Limit,
}

impl Ban<'_> {
    /// The commit, the `first` one with the ban itself, and how many there were to throw out.
    fn decide(&self, state: &State, who: &Who, first: bool) -> Result<(Decision, usize), Error> {
        let name = &self.room.name;
        may_ban(state, who, name)?;
        let is_there = is_banned(state, self.entry);
        let hit = if first || is_there { hit(state, who, self.entry) } else { Vec::new() };
        if !first && hit.is_empty() {
            return Err(Error::Silent);
        }
        if !is_there && !policy::lists_have_room(state, self.most, 0) {
            return Err(refusal(&format!("The lists of {name} are full: take something away first.")));
        }
        let mut draft = Draft::new(state);
        if !is_there {
            draft.enlist('b', self.entry.as_str(), self.value.clone());
        }
        let now = hit.get(..AT_ONCE).unwrap_or(&hit);
        draft.kick(now, self.reason);
        if draft.is_empty() {
            return Err(refusal(&format!("{} is {} {name} already.", self.entry.as_str(), does(self.entry))));
        }
        Ok((draft.finish(&self.room.source, name), hit.len()))
    }
}

/// Those whom the ban hits and no exception saves, as far as they are below whoever asks. A mask that others hide behind
/// does not hit those whom a standing right lets in all the same.
fn hit<'a>(state: &'a State, who: &Who, entry: &ListEntry) -> Vec<(&'a str, &'a Member)> {
    if entry.is_mute() {
        return Vec::new();
    }
    let rank = who.rank(state);
    let others = state.members.iter().filter(|(id, member)| **id != who.id && rank.may_act_on(member.rank()));
    let hit = others.filter(|(_, member)| {
        let (source, account) = (member.source(), member.account.as_deref());
        let folded = account.map(str::to_ascii_lowercase);
        let may_come = standing::rank_of(state, folded.as_deref()) >= Rank::Halfop;
        entry.matches(&source, account)
            && !(may_come && entry.matches(&source, None))
            && !policy::is_excepted(state, (&source, account))
    });
    hit.map(|(id, member)| (&**id, &**member)).collect()
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
                "{} is not {} {name}: see AKICK {name} LIST.",
                entry.as_str(),
                does(&entry)
            )));
        }
        let mut draft = Draft::new(state);
        for there in there {
            draft.unlist('b', there);
        }
        Ok(draft.finish(&room.source, name))
    };
    room.act(session, decide).await?;
    Ok(vec![format!("{} is not {} {name} any more.", entry.as_str(), does(&entry))])
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
    let (_, lines) = room.authorise(session, read).await?;
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
