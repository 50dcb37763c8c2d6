//! The rules of channels: pure functions of a channel's state and of who asks.
//!
//! - [`standing`]: what accounts may do in a channel whenever they come

pub mod standing;

use std::sync::Arc;

use stentor_proto::ban::ListEntry;
use stentor_proto::mode::ModeClass;
use stentor_proto::numeric::Numeric;

use crate::config::Limit;
use crate::error::Error;
use crate::hub::{Member, State};
use crate::modes::{self, Rank};
use crate::store::{Epoch, Guard, Is, Size};

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

/// Who wants to say something in a channel, and what.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// The member record of one who is a member.
    pub member: Option<&'a Member>,
    /// `nick!user@host`.
    pub source: &'a str,
    /// The account's name.
    pub account: Option<&'a str>,
    /// Whether a line of it is a CTCP request or answer, other than ACTION.
    pub is_ctcp: bool,
    /// Whether it is a NOTICE.
    pub is_notice: bool,
}

/// The rank from which on a member sees those whom an auditorium hides, hears what `U` keeps from others, and may let
/// people in, kick them and change the topic.
pub const SEES_ALL: Rank = Rank::Halfop;

/// The channel's name as its creator wrote it.
#[must_use]
pub fn name<'a>(state: &'a State, folded: &'a str) -> &'a str {
    state.field("name").unwrap_or(folded)
}

/// Whether the room exists and has this folded name.
#[must_use]
pub fn is_named(state: &State, folded: &str) -> bool {
    state.epoch.is_some() && name(state, "").eq_ignore_ascii_case(folded)
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
    if may_always_join(state, joiner.id, joiner.account) {
        return Ok(());
    }
    let who = (joiner.source, joiner.account);
    if is_banned(state, who, false) {
        return refuse(Numeric::ERR_BANNEDFROMCHAN, "You are banned from this channel (+b)");
    }
    if has_mode(state, 'R') && joiner.account.is_none() {
        return refuse(Numeric::ERR_NEEDREGGEDNICK, "You must be logged in to join this channel (+R)");
    }
    if has_mode(state, 'i') && !is_listed(state, 'I', who, false) {
        return refuse(Numeric::ERR_INVITEONLYCHAN, "You need an invitation to join this channel (+i)");
    }
    if let Some(key) = state.field("key")
        && joiner.key != Some(key)
    {
        return refuse(Numeric::ERR_BADCHANNELKEY, "You need the channel's key to join it (+k)");
    }
    let members = u64::try_from(state.members.len()).unwrap_or(u64::MAX);
    if limit(state).is_some_and(|limit| members >= limit) {
        return refuse(Numeric::ERR_CHANNELISFULL, "This channel is full (+l)");
    }
    Ok(())
}

/// Whether the rules do not stop somebody who joins: its founder, those whose standing right is a halfop's or higher, and
/// whoever has an invitation.
#[must_use]
pub fn may_always_join(state: &State, id: &str, account: Option<&str>) -> bool {
    standing::rank_of(state, account) >= Rank::Halfop || state.field(&format!("invited:{id}")).is_some()
}

/// A channel's field that says which channel its field `forward` means, `<name> <epoch>`: its name may be another's by now.
pub const FORWARD_EPOCH: &str = "forward.epoch";

/// Where the channel sends those who may not join: the name, and the epoch of the channel that is meant by it.
#[must_use]
pub fn forward(state: &State, refusal: &Error) -> Option<(String, Option<Epoch>)> {
    let by_rule = |numeric: Numeric| {
        [
            Numeric::ERR_BANNEDFROMCHAN,
            Numeric::ERR_NEEDREGGEDNICK,
            Numeric::ERR_INVITEONLYCHAN,
            Numeric::ERR_BADCHANNELKEY,
            Numeric::ERR_CHANNELISFULL,
        ]
        .contains(&numeric)
    };
    let refused = matches!(refusal, Error::Numeric(numeric, ..) if by_rule(*numeric));
    let name = state.field("forward").filter(|_| refused)?;
    // A node of an earlier version changes the name alone.
    let meant = state.field(FORWARD_EPOCH).and_then(|meant| meant.split_once(' '));
    let epoch = meant.filter(|(of, _)| *of == name).and_then(|(_, epoch)| epoch.parse().ok());
    Some((name.to_owned(), epoch))
}

/// Whether the rules let somebody speak in the channel, and the lowest rank that hears it.
///
/// # Errors
/// The numeric that says that nobody does.
pub fn may_speak(state: &State, channel: &str, speaker: Speaker<'_>) -> Result<Rank, Error> {
    let refuse = |text: &str| Err(Error::numeric(Numeric::ERR_CANNOTSENDTOCHAN, &[channel], text));
    let rank = speaker.member.map(Member::rank);
    if rank.is_none() && has_mode(state, 'n') {
        return refuse("Cannot send to channel: join it first (+n)");
    }
    let rank = rank.unwrap_or_default();
    if has_mode(state, 'C') && speaker.is_ctcp {
        return refuse("Cannot send to channel: it takes no CTCP (+C)");
    }
    if has_mode(state, 'T') && speaker.is_notice && rank < Rank::Halfop {
        return refuse("Cannot send to channel: it takes no notices (+T)");
    }
    if rank >= Rank::Voice {
        return Ok(Rank::Plain);
    }
    let is_banned = || is_banned(state, (speaker.source, speaker.account), true);
    if has_mode(state, 'U') {
        // Of what members say, operators judge; a ban keeps others from bothering them, too.
        return match speaker.member.is_none() && is_banned() {
            true => refuse("Cannot send to channel: you are banned (+b)"),
            false => Ok(SEES_ALL),
        };
    }
    if has_mode(state, 'm') {
        return refuse("Cannot send to channel: only voiced members may speak (+m)");
    }
    if has_mode(state, 'M') && speaker.account.is_none() {
        return refuse("Cannot send to channel: log in to speak (+M)");
    }
    if is_banned() {
        return refuse("Cannot send to channel: you are banned (+b)");
    }
    Ok(Rank::Plain)
}

/// Whether a text is a CTCP request or answer other than ACTION.
#[must_use]
pub fn is_restricted_ctcp(text: &str) -> bool {
    let Some(ctcp) = text.strip_prefix('\u{1}') else { return false };
    let word = ctcp.split([' ', '\u{1}']).next().unwrap_or_default();
    !word.eq_ignore_ascii_case("ACTION")
}

/// Whether a member shows in what `viewer`, a member or not, asks of the channel.
#[must_use]
pub fn shows(state: &State, viewer: Option<&Member>, member: &Member) -> bool {
    let hidden = has_mode(state, 'u') && member.rank() == Rank::Plain;
    match viewer {
        Some(viewer) => !hidden || viewer.rank() >= SEES_ALL,
        None => !hidden && !member.invisible,
    }
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
    own_ranked(state, channel, id, Rank::Operator)
}

/// The asker's own member record, where the asker has this rank or a higher one.
///
/// # Errors
/// As [`own_member`], and `ERR_CHANOPRIVSNEEDED`.
pub fn own_ranked(state: &State, channel: &str, id: &str, rank: Rank) -> Result<Arc<Member>, Error> {
    let member = own_member(state, channel, id)?;
    if member.rank() >= rank { Ok(member) } else { Err(rank_needed(channel, rank)) }
}

/// `ERR_CHANOPRIVSNEEDED`.
#[must_use]
pub fn rank_needed(channel: &str, rank: Rank) -> Error {
    let text = match rank {
        Rank::Plain | Rank::Voice | Rank::Halfop => "You're not a channel operator or halfop",
        Rank::Operator => "You're not a channel operator",
        Rank::Admin => "You're not a channel admin",
        Rank::Founder => "You're not the channel's founder",
    };
    Error::numeric(Numeric::ERR_CHANOPRIVSNEEDED, &[channel], text)
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

/// Whether a ban matches somebody, a full `nick!user@host` and an account, and no exception does; where it is about
/// speaking, also one that takes only the voice.
#[must_use]
pub fn is_banned(state: &State, who: (&str, Option<&str>), speaking: bool) -> bool {
    is_listed(state, 'b', who, speaking) && !is_listed(state, 'e', who, speaking)
}

/// Whether an exception saves somebody from bans that keep people out.
#[must_use]
pub fn is_excepted(state: &State, who: (&str, Option<&str>)) -> bool {
    is_listed(state, 'e', who, false)
}

/// Whether this account founded the channel.
#[must_use]
pub fn is_founder(state: &State, account: Option<&str>) -> bool {
    account.is_some() && state.field("founder") == account
}

/// Whether a channel ends with the commit by which `leaving` of its members go, and what has to be guarded for that. Of the
/// last two who leave at once on two nodes, neither may take the other for staying, and a channel that is founded or given
/// up meanwhile is judged anew.
pub fn ending(state: &State, leaving: usize, gives_it_up: bool) -> (bool, Vec<Guard>) {
    if !gives_it_up && standing::is_kept(state) {
        return (false, vec![rules_guard(state)]);
    }
    let (members, leaving) = (state.members.len() as u64, leaving as u64);
    let ends = members == leaving;
    let size = if ends { Size::Exactly(members) } else { Size::Above(leaving) };
    (ends, vec![rules_guard(state), Guard::Size(size)])
}

/// Whether a room is as it was when it was created, but for what was said there: nothing was set, listed, given or
/// registered that its founder would miss. `modes` are those that a new room has.
#[must_use]
pub fn is_untouched(state: &State, modes: &str) -> bool {
    let set = |field: &str| state.field(field).is_some_and(|value| !value.is_empty());
    let same_modes = || {
        let letters = |modes: &str| modes.chars().collect::<std::collections::BTreeSet<char>>();
        letters(state.field("modes").unwrap_or_default()) == letters(modes)
    };
    !["topic", "key", "limit", "forward", "meta", REGISTERED, standing::OFFER].into_iter().any(set)
        && !['b', 'e', 'I'].into_iter().any(|letter| list_entries(state, letter).next().is_some())
        && standing::all(state).is_empty()
        && same_modes()
}

/// A room's field that says when somebody registered it, in milliseconds of the store's time.
pub const REGISTERED: &str = "registered";

/// The guard that an operator's change since the decision breaks.
#[must_use]
pub fn rules_guard(state: &State) -> Guard {
    let is = state.field("rules").map_or(Is::Absent, |rules| Is::Equal(rules.to_owned()));
    Guard::Field("rules".to_owned(), is)
}

/// A new value of `rules`: the one thing here that no state tells.
#[must_use]
pub fn fresh_rules() -> String {
    crate::random::text(10)
}

/// A list's masks with who set each and when, in no order.
pub fn list_entries(state: &State, letter: char) -> impl Iterator<Item = (&str, &str)> {
    state.fields.iter().filter_map(move |(field, value)| {
        let mask = field.strip_prefix(letter)?.strip_prefix(':')?;
        Some((mask, value.as_str()))
    })
}

/// Whether the channel's lists, of which `most` entries there may be together, have room for one more once they have `grown`.
#[must_use]
pub fn lists_have_room(state: &State, most: Limit, grown: isize) -> bool {
    let count: usize =
        modes::letters(ModeClass::List).chars().map(|letter| list_entries(state, letter).count()).sum();
    most.has_room(count.saturating_add_signed(grown))
}

fn is_listed(state: &State, letter: char, (source, account): (&str, Option<&str>), speaking: bool) -> bool {
    list_entries(state, letter)
        .filter_map(|(entry, _)| ListEntry::parse(entry).ok())
        .any(|entry| (speaking || !entry.is_mute()) && entry.matches(source, account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_forward_means_is_about_the_name_that_it_was_noted_for() {
        let meant = Epoch(0xa);
        let noted = format!("#a {meant}");
        for (name, epoch) in [("#a", Some(meant)), ("#b", None)] {
            let fields = [("forward", name), (FORWARD_EPOCH, &noted)];
            let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned())).into();
            let state = State { epoch: Some(Epoch(1)), fields, ..State::default() };
            let refusal = Error::numeric(Numeric::ERR_INVITEONLYCHAN, &[], "");
            assert_eq!(forward(&state, &refusal), Some((name.to_owned(), epoch)));
            assert_eq!(forward(&state, &Error::Silent), None);
        }
    }
}
