//! What a user's channels say of them: each is told of a change, also where the store is away in between.

use std::sync::Arc;

use stentor_proto::line::Line;

use super::{Node, claim};
use crate::backoff::Backoff;
use crate::client::{Client, Profile};
use crate::error::Error;
use crate::hub::render::EVENT_TAG;
use crate::hub::{Decision, Member, State};
use crate::modes::{BOT, INVISIBLE};
use crate::operator;
use crate::policy::{self, standing};
use crate::session::Session;
use crate::store::{Change, Guard, Is};

/// A new event, of which this client's own channels tell it nothing: it is told by the command itself.
#[must_use]
pub fn event(session: &Session) -> String {
    let event = crate::random::text(12);
    session.node.hub.told().first(&event, &session.client.id);
    event
}

/// Changes the user's profile as [`claim::change`] does, and tells the user's channels, also where it is not known whether
/// others have heard of it.
///
/// # Errors
/// The store's.
pub async fn change(
    session: &mut Session,
    after: &Profile,
    fields: fn(&Profile, &mut Profile),
    line: Option<String>,
) -> Result<(), Error> {
    let changed = claim::change(session, after, fields, line).await;
    if changed.as_ref().map_or_else(Error::may_be_done, |()| true) {
        spread(session).await?;
    }
    changed
}

/// Brings the user's member record in each channel up to the user's profile, and tells the members of each difference.
/// Channels that the store cannot write to now follow later, as long as the session lasts.
///
/// # Errors
/// [`Error::Fenced`].
pub async fn spread(session: &mut Session) -> Result<(), Error> {
    let channels = session.client.channel_places();
    session.charge += u32::try_from(channels.len()).unwrap_or(u32::MAX) / CHANNELS_PER_LINE;
    let mut missed = false;
    let mut fenced = false;
    for channel in channels {
        match update(&session.node, &session.client, &channel).await {
            Ok(()) => {}
            Err(error) => {
                missed = true;
                fenced |= error == Error::Fenced;
            }
        }
    }
    if missed && session.client.note_behind() {
        let (node, client) = (session.node.clone(), session.client.clone());
        session.node.tasks.spawn(catch_up(node, client));
    }
    if fenced { Err(Error::Fenced) } else { Ok(()) }
}

/// The one task of a session whose channels are behind.
async fn catch_up(node: Arc<Node>, client: Arc<Client>) {
    let mut backoff = Backoff::of_a_write();
    while node.pause(&mut backoff).await.is_ok() && client.queue.closed().is_none() {
        client.clear_behind();
        let mut missed = false;
        for channel in client.channel_places() {
            missed |= update(&node, &client, &channel).await.is_err();
        }
        if !missed || !client.note_behind() {
            return;
        }
    }
}

async fn update(node: &Node, client: &Arc<Client>, channel: &str) -> Result<(), Error> {
    let Some(replica) = client.with_channels(|channels| channels.get(channel).map(|held| held.replica()))
    else {
        return Ok(());
    };
    let id = &client.id;
    let is_operator = || operator::is_operator(&node.config(), &client.profile());
    let decide = |state: &State| {
        let member = policy::own_member(state, channel, id)?;
        let (mut changed, mut lines) = difference(&member, &client.profile());
        changed.oper = is_operator();
        let mut guards = vec![Guard::Member(id.to_string(), Is::Equal(member.to_value()))];
        let mut changes = Vec::with_capacity(2);
        let (lost, won) = standing_letters(state, &member, &changed);
        if !lost.is_empty() || !won.is_empty() {
            lost.chars().for_each(|letter| _ = changed.set_prefix(letter, false));
            won.chars().for_each(|letter| _ = changed.set_prefix(letter, true));
            let nicks = vec![&*changed.nick; lost.len() + won.len()].join(" ");
            let signed = |sign: char, letters: &str| match letters {
                "" => String::new(),
                letters => format!("{sign}{letters}"),
            };
            let (name, letters) = (policy::name(state, channel), signed('-', &lost) + &signed('+', &won));
            lines.push(format!(":{} MODE {name} {letters} {nicks}", node.server_name));
            guards.push(policy::rules_guard(state));
            changes.push(Change::Set("rules".to_owned(), policy::fresh_rules()));
        }
        if changed == *member {
            return Err(Error::Silent);
        }
        changes.push(Change::SetMember(id.to_string(), changed.to_value()));
        Ok(Decision { guards, changes, lines, ..Decision::default() })
    };
    match node.hub.transact(&replica, &client.tenure(), None, decide).await.map_err(Error::from) {
        // Up to date, or kicked in the meantime.
        Ok(_) | Err(Error::Silent | Error::Numeric(..)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The member record that fits the profile, and what members are told of the way there.
fn difference(member: &Member, profile: &Profile) -> (Member, Vec<String>) {
    let mut changed = member.clone();
    let mut lines = Vec::new();
    let mut say = |event: &str, line: Line| lines.push(line.tag(EVENT_TAG, event).build());
    if member.nick != profile.nick {
        say(&profile.events.nick, member.line("NICK").param(&profile.nick));
        changed.nick.clone_from(&profile.nick);
    }
    if member.account != profile.account {
        let account = profile.account.as_deref().unwrap_or("*");
        say(&profile.events.account, changed.line("ACCOUNT").param(account));
        changed.account.clone_from(&profile.account);
    }
    if member.realname != profile.realname {
        say(&profile.events.realname, changed.line("SETNAME").trailing(&profile.realname));
        changed.realname.clone_from(&profile.realname);
    }
    let away = profile.away_token();
    if member.away != away {
        let line = changed.line("AWAY");
        let line = match &profile.away {
            Some(text) => line.trailing(text),
            None => line,
        };
        say(&profile.events.away, line);
        away.clone_into(&mut changed.away);
    }
    changed.bot = profile.has_mode(BOT);
    changed.invisible = profile.has_mode(INVISIBLE);
    (changed, lines)
}

/// The prefixes that came with the standing right of an account that the member has left, and those that come with that of
/// the new one.
fn standing_letters(state: &State, before: &Member, after: &Member) -> (String, String) {
    let folded = |member: &Member| member.account.as_ref().map(|account| account.to_ascii_lowercase());
    let (left, own) = (folded(before), folded(after));
    if left == own {
        return (String::new(), String::new());
    }
    let of = |account: Option<&str>| standing::prefixes(standing::rank_of(state, account));
    let (old, new) = (of(left.as_deref()), of(own.as_deref()));
    let has = |letter: &char| before.prefixes.contains(*letter);
    let lost = old.chars().filter(|letter| has(letter) && !new.contains(*letter)).collect();
    (lost, new.chars().filter(|letter| !has(letter)).collect())
}

/// A change that goes to so many channels costs what one more line does.
pub(crate) const CHANNELS_PER_LINE: u32 = 4;
