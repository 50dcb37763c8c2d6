//! Who is let in, who is thrown out, and what the topic is: INVITE, UNBAN, HOWTOBAN, TOPIC and CLEAR.

use stentor_proto::ban::ListEntry;
use stentor_proto::line::Line;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};

use super::draft::{AT_ONCE, Draft};
use super::room::{Room, Who};
use super::{at, deed, forbidden, ranks, refusal};
use crate::command::invite as invitations;
use crate::error::Error;
use crate::hub::{Decision, State, clock};
use crate::modes::Rank;
use crate::node::people::Person;
use crate::policy::{self, rules_guard, standing};
use crate::reply::Reply;
use crate::services::Said;
use crate::session::Session;
use crate::store::Change;

pub(super) async fn invite(session: &mut Session, words: &[&str], reply: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), "invite".to_owned()).await?;
    let (name, now) = (&room.name, session.node.fleet.now().0);
    let profile = session.client.profile();
    let mut shown = String::new();
    let decide = |state: &State, who: &Who| {
        room.name_in(state).clone_into(&mut shown);
        let rank = who.standing(state);
        if rank == Rank::Plain {
            return Err(forbidden(&format!(
                "You have no standing right in {name}: ask there with KNOCK {name}."
            )));
        }
        // An invitation passes bans, and a voice alone is not to.
        let banned = (&*profile.source(), profile.account.as_deref());
        if rank < Rank::Halfop && policy::is_banned(state, banned, false) {
            return Err(forbidden(&format!(
                "You are banned from {name}: halfops and higher there can lift that, with UNBAN."
            )));
        }
        if state.members.contains_key(&who.id) {
            return Err(refusal(&format!("You are in {name} already.")));
        }
        let mut changes = vec![Change::Set(format!("invited:{}", who.id), now.to_string())];
        changes.extend(invitations::oldest_beyond(state.fields.iter()).map(Change::Unset));
        let guards = vec![rules_guard(state)];
        Ok(Decision { life: state.within(), guards, changes, lines: Vec::new() })
    };
    room.act(session, decide).await?;
    session.client.note_invited(&shown);
    reply.line(Line::new("INVITE").source(&room.source).param(&profile.nick).param(&shown).build());
    Ok(vec![format!("You may come in, once: JOIN {shown}")])
}

pub(super) async fn unban(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), deed("unban", words)).await?;
    let name = &room.name;
    let target = match words.get(1) {
        None => {
            let profile = session.client.profile();
            Target::Person(profile.source(), profile.account.clone(), "you".to_owned())
        }
        Some(text) => whom(session, text).await?,
    };
    let mut lifted = Vec::new();
    let decide = |state: &State, who: &Who| {
        if who.rank(state) < Rank::Halfop {
            return Err(forbidden(&format!("Only halfops of {name} and higher lift bans there.")));
        }
        let mut draft = Draft::new(state);
        lifted = target.bans(state);
        if lifted.is_empty() {
            return Err(refusal(&format!("No ban in {name} hits {}.", target.shown())));
        }
        for entry in &lifted {
            draft.unlist('b', entry);
        }
        Ok(draft.finish(&room.source, name))
    };
    room.act(session, decide).await?;
    Ok(vec![format!("Lifted in {name}: {}", lifted.join(" "))])
}

/// Whose bans are lifted.
#[derive(Debug)]
enum Target {
    /// `nick!user@host`, an account, and what people are told.
    Person(String, Option<String>, String),
    /// This entry of the list alone.
    Entry(String),
}

impl Target {
    fn bans(&self, state: &State) -> Vec<String> {
        let hits = |entry: &str| match self {
            Self::Person(source, account, _) => {
                ListEntry::parse(entry).is_ok_and(|entry| entry.matches(source, account.as_deref()))
            }
            Self::Entry(text) => entry.eq_ignore_ascii_case(text),
        };
        let entries = policy::list_entries(state, 'b').map(|(entry, _)| entry);
        let mut bans: Vec<String> = entries.filter(|entry| hits(entry)).map(str::to_owned).collect();
        bans.sort();
        bans
    }

    fn shown(&self) -> &str {
        match self {
            Self::Person(_, _, shown) | Self::Entry(shown) => shown,
        }
    }
}

async fn whom(session: &Session, text: &str) -> Result<Target, Error> {
    if let Some(person) = session.node.find_person(text).await? {
        let source = if person.online { person.source } else { format!("{}!*@*", person.nick) };
        return Ok(Target::Person(source, person.account, person.nick));
    }
    let entry = ListEntry::parse(text).map_err(|_| {
        refusal(&format!(
            "{text} is nobody's nick or account, and no mask: see MODE <#channel> +b for the bans."
        ))
    })?;
    Ok(Target::Entry(entry.as_str().to_owned()))
}

pub(super) async fn kick(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), deed("kick", words)).await?;
    let (name, nick) = (&room.name, at(words, 1));
    let given = words.get(2..).unwrap_or_default().join(" ");
    // The line comes from ChanServ: it tells who asked for it.
    let by = session.client.profile().nick.clone();
    let reason = match truncate_utf8(&given, session.node.config().limits.kick_length) {
        "" => by,
        reason => format!("{reason} ({by})"),
    };
    let mut shown = String::new();
    let decide = |state: &State, who: &Who| {
        let (id, member) = ranks::member(state, who, name, nick)?
            .ok_or_else(|| refusal(&format!("{nick} is not in {name}.")))?;
        if *id != *who.id && !who.rank(state).may_act_on(member.rank()) {
            return Err(forbidden(&format!("You may not throw {} out of {name}.", member.nick)));
        }
        shown.clone_from(&member.nick);
        let mut draft = Draft::new(state);
        draft.kick(&[(id, member)], &reason);
        Ok(draft.finish(&room.source, name))
    };
    room.act(session, decide).await?;
    Ok(vec![format!("{shown} was thrown out of {name}.")])
}

pub(super) async fn how_to_ban(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), deed("howtoban", words)).await?;
    let (name, nick) = (&room.name, at(words, 1));
    let person = session.node.find_person(nick).await?;
    let person = person.ok_or_else(|| refusal(&format!("Nobody is called {nick}.")))?;
    let account = person.account.as_deref().map(str::to_ascii_lowercase);
    let mask = ban_of(&person);
    let advise = |state: &State, who: &Who| {
        if who.rank(state) < Rank::Halfop {
            return Err(forbidden(&format!("Only halfops of {name} and higher ban there.")));
        }
        if standing::rank_of(state, account.as_deref()) >= Rank::Halfop {
            let text = "has a standing right there, which passes bans: take it away first, with ACCESS";
            return Ok(vec![format!(
                "{} {text} {name} DEL {}",
                person.nick,
                account.as_deref().unwrap_or_default()
            )]);
        }
        let mut said = vec![
            format!("To keep {} out: MODE {name} +b {mask}", person.nick),
            format!("Who is in already has to be thrown out, too: KICK {name} {}", person.nick),
        ];
        let entry = ListEntry::parse(&mask).ok();
        let hit = |nick: &str, source: &str, account: Option<&str>| {
            nick != person.nick && entry.as_ref().is_some_and(|entry| entry.matches(source, account))
        };
        let mut others: Vec<&str> = state
            .members
            .values()
            .filter(|member| hit(&member.nick, &member.source(), member.account.as_deref()))
            .map(|member| &*member.nick)
            .take(SHOWN)
            .collect();
        others.sort_unstable();
        if !others.is_empty() {
            said.push(format!("It also hits: {}", others.join(" ")));
        }
        Ok(said)
    };
    let (_, said) = room.authorise(session, advise).await?;
    Ok(said)
}

/// The ban that keeps somebody out for good: of the account, where there is one; of the host otherwise.
pub(super) fn ban_of(person: &Person) -> String {
    let host = person.source.rsplit('@').next().filter(|_| person.online);
    match (&person.account, host) {
        (Some(account), _) => format!("a:{account}"),
        (None, Some(host)) => format!("*!*@{host}"),
        (None, None) => format!("{}!*@*", person.nick),
    }
}

pub(super) async fn topic(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room = Room::open(session, at(words, 0), deed("topic", words)).await?;
    let name = &room.name;
    let text = words.get(1..).unwrap_or_default().join(" ");
    if text.is_empty() {
        let topic = room.held.with_state(|state| state.field("topic").unwrap_or_default().to_owned());
        return Ok(vec![match topic.as_str() {
            "" => format!("{name} has no topic."),
            topic => format!("The topic of {name} is: {topic}"),
        }]);
    }
    let profile = session.client.profile();
    let topic = truncate_utf8(&text, session.node.config().limits.topic_length);
    let decide = |state: &State, who: &Who| {
        if who.rank(state) < Rank::Halfop {
            return Err(forbidden(&format!(
                "Only halfops of {name} and higher change its topic here. Inside, say: TOPIC {name} :{topic}"
            )));
        }
        let changes = vec![
            Change::Set("topic".to_owned(), topic.to_owned()),
            Change::Set("topic.by".to_owned(), profile.source()),
            Change::Set("topic.at".to_owned(), (clock::wall_ms() / 1000).to_string()),
        ];
        let line = profile.line("TOPIC").param(room.name_in(state)).trailing(topic).build_within(MAX_CONTENT);
        Ok(Decision { life: state.within(), guards: vec![rules_guard(state)], changes, lines: vec![line] })
    };
    room.act(session, decide).await?;
    Ok(vec![format!("The topic of {name} is changed.")])
}

pub(super) async fn clear(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let room =
        Room::open(session, at(words, 0), format!("clear {}", at(words, 1).to_ascii_lowercase())).await?;
    match at(words, 1).to_ascii_uppercase().as_str() {
        "USERS" => clear_users(session, &room).await,
        "BANS" => clear_lists(session, &room, "b").await,
        "ACCESS" => clear_lists(session, &room, "beI").await,
        _ => Err(refusal("Syntax: CLEAR <#channel> USERS, CLEAR <#channel> BANS or CLEAR <#channel> ACCESS")),
    }
}

fn may_clear(state: &State, who: &Who, name: &str) -> Result<(), Error> {
    if who.standing(state) == Rank::Founder {
        return Ok(());
    }
    Err(forbidden(&format!("Only the founder of {name} can clear it.")))
}

/// Throws out everybody else who is there now, some at a time.
async fn clear_users(session: &Session, room: &Room) -> Said {
    let name = &room.name;
    let (who, mut ids) = room
        .authorise(session, |state, who| {
            may_clear(state, who, name)?;
            Ok(state.members.keys().filter(|id| **id != who.id).cloned().collect::<Vec<_>>())
        })
        .await?;
    ids.sort_unstable();
    let mut count = 0;
    for ids in ids.chunks(AT_ONCE) {
        let mut gone = 0;
        let decide = |state: &State, who: &Who| {
            may_clear(state, who, name)?;
            let there: Vec<_> = ids.iter().filter_map(|id| state.members.get_key_value(id)).collect();
            let there: Vec<_> = there.into_iter().map(|(id, member)| (&**id, &**member)).collect();
            gone = there.len();
            if there.is_empty() {
                return Err(Error::Silent);
            }
            let mut draft = Draft::new(state);
            draft.kick(&there, "Cleared by ChanServ");
            Ok(draft.finish(&room.source, name))
        };
        match room.commit(session, &who, decide).await {
            Ok(entry) => {
                count += gone;
                if entry.ends {
                    break;
                }
            }
            // They have left by themselves.
            Err(Error::Silent) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(vec![format!("{count} were thrown out of {name}. Who may come back is for its modes to say.")])
}

async fn clear_lists(session: &Session, room: &Room, lists: &str) -> Said {
    let name = &room.name;
    let all = lists.len() > 1;
    let decide = |state: &State, who: &Who| {
        may_clear(state, who, name)?;
        let mut draft = Draft::new(state);
        for letter in lists.chars() {
            draft.clear(letter);
        }
        if all {
            for one in standing::all(state) {
                draft.unset(&standing::field_of(one.account));
                draft.instead(one.account, standing::prefixes(one.rank), "");
            }
            for field in state.fields.keys().filter(|field| field.starts_with("invited:")) {
                draft.unset(field);
            }
        }
        if draft.is_empty() {
            return Err(refusal(&format!("There is nothing of that kind in {name}.")));
        }
        Ok(draft.finish(&room.source, name))
    };
    room.act(session, decide).await?;
    Ok(vec![if all {
        format!(
            "{name} has no bans, exceptions, invitations and standing rights any more; its founder stays."
        )
    } else {
        format!("{name} has no bans any more.")
    }])
}

/// How many nicks one answer names.
const SHOWN: usize = 20;
