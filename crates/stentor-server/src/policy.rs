//! The rules of channels: pure functions of a channel's state and of who asks.

use std::sync::Arc;

use stentor_proto::mask::Mask;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::hub::{Member, State};
use crate::store::{Guard, Size};

/// Who wants to join.
#[derive(Clone, Copy, Debug)]
pub struct Joiner<'a> {
    /// The user's id.
    pub id: &'a str,
    /// `nick!user@host`.
    pub source: &'a str,
    /// The account's folded name.
    pub account: Option<&'a str>,
    /// The key that was given.
    pub key: Option<&'a str>,
}

/// The channel's name as its creator wrote it.
#[must_use]
pub fn name<'a>(state: &'a State, folded: &'a str) -> &'a str {
    state.field("name").unwrap_or(folded)
}

/// Whether a flag without parameter is set.
#[must_use]
pub fn has_mode(state: &State, letter: char) -> bool {
    state.field("modes").is_some_and(|modes| modes.contains(letter))
}

/// The channel's limit of members.
#[must_use]
pub fn limit(state: &State) -> Option<u64> {
    state.field("limit").and_then(|limit| limit.parse().ok())
}

/// Whether the rules let somebody in.
///
/// # Errors
/// The numeric that says which rule does not.
pub fn may_join(state: &State, channel: &str, joiner: Joiner<'_>) -> Result<(), Error> {
    let refuse = |numeric, text| Err(Error::numeric(numeric, &[channel], text));
    if is_founder(state, joiner.account) && state.members.is_empty() {
        return Ok(());
    }
    let invited = state.field(&format!("invited:{}", joiner.id)).is_some();
    if !invited && is_banned(state, joiner.source) {
        return refuse(Numeric::ERR_BANNEDFROMCHAN, "You are banned from this channel (+b)");
    }
    if has_mode(state, 'i') && !invited && !is_listed(state, 'I', joiner.source) {
        return refuse(Numeric::ERR_INVITEONLYCHAN, "You need an invitation to join this channel (+i)");
    }
    if let Some(key) = state.field("key")
        && !invited
        && joiner.key != Some(key)
    {
        return refuse(Numeric::ERR_BADCHANNELKEY, "You need the channel's key to join it (+k)");
    }
    let members = u64::try_from(state.members.len()).unwrap_or(u64::MAX);
    if !invited && limit(state).is_some_and(|limit| members >= limit) {
        return refuse(Numeric::ERR_CHANNELISFULL, "This channel is full (+l)");
    }
    Ok(())
}

/// Whether the rules let somebody speak in the channel.
///
/// # Errors
/// The numeric that says so.
pub fn may_speak(state: &State, channel: &str, member: Option<&Member>, source: &str) -> Result<(), Error> {
    let refuse = |text: &str| Err(Error::numeric(Numeric::ERR_CANNOTSENDTOCHAN, &[channel], text));
    if member.is_some_and(Member::is_voiced) {
        return Ok(());
    }
    if member.is_none() && has_mode(state, 'n') {
        return refuse("Cannot send to channel: join it first (+n)");
    }
    if has_mode(state, 'm') {
        return refuse("Cannot send to channel: only voiced members may speak (+m)");
    }
    if is_banned(state, source) {
        return refuse("Cannot send to channel: you are banned (+b)");
    }
    Ok(())
}

/// The asker's own member record.
///
/// # Errors
/// `ERR_NOSUCHCHANNEL` or `ERR_NOTONCHANNEL`.
pub fn own_member(state: &State, channel: &str, id: &str) -> Result<Arc<Member>, Error> {
    visible(state, channel, id)?;
    state
        .members
        .get(id)
        .cloned()
        .ok_or_else(|| Error::numeric(Numeric::ERR_NOTONCHANNEL, &[channel], "You're not on that channel"))
}

/// The asker's own member record, where the asker is a channel operator.
///
/// # Errors
/// As [`own_member`], and `ERR_CHANOPRIVSNEEDED`.
pub fn own_operator(state: &State, channel: &str, id: &str) -> Result<Arc<Member>, Error> {
    let member = own_member(state, channel, id)?;
    if member.is_operator() {
        Ok(member)
    } else {
        Err(Error::numeric(Numeric::ERR_CHANOPRIVSNEEDED, &[channel], "You're not a channel operator"))
    }
}

/// Lets on only those who may know that the channel exists.
///
/// # Errors
/// `ERR_NOSUCHCHANNEL`, also where there is no such channel.
pub fn visible(state: &State, channel: &str, id: &str) -> Result<(), Error> {
    if is_visible_to(state, id) { Ok(()) } else { Err(no_such_channel(channel)) }
}

/// `ERR_NOSUCHCHANNEL`.
#[must_use]
pub fn no_such_channel(channel: &str) -> Error {
    Error::numeric(Numeric::ERR_NOSUCHCHANNEL, &[channel], "No such channel")
}

/// Whether the channel exists, and this user may know that it does.
#[must_use]
pub fn is_visible_to(state: &State, id: &str) -> bool {
    state.epoch.is_some() && (!has_mode(state, 's') || state.members.contains_key(id))
}

/// The member with this nick.
#[must_use]
pub fn member_by_nick<'a>(state: &'a State, nick: &str) -> Option<(&'a Arc<str>, &'a Arc<Member>)> {
    state.members.iter().find(|(_, member)| member.nick.eq_ignore_ascii_case(nick))
}

/// Whether a ban matches and no exception does.
#[must_use]
pub fn is_banned(state: &State, source: &str) -> bool {
    is_listed(state, 'b', source) && !is_listed(state, 'e', source)
}

/// Whether this account founded the channel.
#[must_use]
pub fn is_founder(state: &State, account: Option<&str>) -> bool {
    account.is_some() && state.field("founder") == account
}

/// Whether a channel ends with the commit by which `leaving` of its members go, and what has to be guarded for that. Of the
/// last two who leave at once on two nodes, neither may take the other for staying.
pub fn ending(state: &State, leaving: usize, gives_it_up: bool) -> (bool, Option<Guard>) {
    if !gives_it_up && state.field("founder").is_some() {
        return (false, None);
    }
    let (members, leaving) = (state.members.len() as u64, leaving as u64);
    let ends = members == leaving;
    let size = if ends { Size::Exactly(members) } else { Size::Above(leaving) };
    (ends, Some(Guard::Size(size)))
}

/// A list's masks with who set each and when, in no order.
pub fn list_entries(state: &State, letter: char) -> impl Iterator<Item = (&str, &str)> {
    state.fields.iter().filter_map(move |(field, value)| {
        let mask = field.strip_prefix(letter)?.strip_prefix(':')?;
        Some((mask, value.as_str()))
    })
}

fn is_listed(state: &State, letter: char, source: &str) -> bool {
    list_entries(state, letter).any(|(mask, _)| Mask::parse(mask).is_ok_and(|mask| mask.matches(source)))
}
