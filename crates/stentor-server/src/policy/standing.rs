//! Standing rights: the rank that an account has in a channel whenever it comes, and who gives it.
//!
//! A field `a:<account>` of the channel holds `<letter> <who gave it> <ms>`; the founder has a field of its own. Every
//! change to them renews `rules`, so a commit that was decided by them guards on that.

use super::{fresh_rules, is_founder, is_visible_to, rules_guard};
use crate::hub::{Member, State};
use crate::modes::Rank;
use crate::store::{Change, Guard, Size};

/// The right that somebody gave to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The account's folded name.
    pub account: &'a str,
    /// The rank that it has at every JOIN.
    pub rank: Rank,
    /// The account, or the operator of the network, who gave it.
    pub by: &'a str,
    /// When, in milliseconds of the store's time as its node knew it.
    pub since: u64,
}

/// A founder's offer to hand a channel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The folded name of the account that may accept it.
    pub to: &'a str,
    /// The field as it stands, to guard on.
    pub field: &'a str,
}

/// The name of the field that holds an account's right.
#[must_use]
pub fn field_of(account: &str) -> String {
    format!("{PREFIX}{account}")
}

/// What such a field holds.
#[must_use]
pub fn value_of(rank: Rank, by: &str, since: u64) -> Option<String> {
    rank.prefix().map(|prefix| format!("{} {by} {since}", prefix.letter))
}

/// All rights that were given, the highest first.
#[must_use]
pub fn all(state: &State) -> Vec<Standing<'_>> {
    let mut all: Vec<Standing<'_>> =
        state.fields.iter().filter_map(|(name, value)| read(name.strip_prefix(PREFIX)?, value)).collect();
    all.sort_by(|left, right| right.rank.cmp(&left.rank).then_with(|| left.account.cmp(right.account)));
    all
}

/// The rank that an account was given.
#[must_use]
pub fn given(state: &State, account: &str) -> Rank {
    let value = state.field(&field_of(account));
    value.and_then(|value| read(account, value)).map(|standing| standing.rank).unwrap_or_default()
}

/// The rank that an account, by its folded name, has whenever it comes: as the founder, or as somebody gave it.
#[must_use]
pub fn rank_of(state: &State, account: Option<&str>) -> Rank {
    match account {
        Some(_) if is_founder(state, account) => Rank::Founder,
        Some(account) => given(state, account),
        None => Rank::Plain,
    }
}

/// The prefixes that come with a standing rank: it, and for those above operators what programs look for that know no
/// other.
#[must_use]
pub fn prefixes(rank: Rank) -> &'static str {
    match rank {
        Rank::Plain => "",
        Rank::Voice => "v",
        Rank::Halfop => "h",
        Rank::Operator => "o",
        Rank::Admin => "ao",
        Rank::Founder => "qo",
    }
}

/// Whether an account with the standing rank `own` may give another one `after` in the place of `before`. It follows MODE:
/// one acts on those below. What somebody is for the moment alone gives nobody anything that lasts.
#[must_use]
pub fn may_give(own: Rank, before: Rank, after: Rank) -> bool {
    own.may_act_on(before) && own.may_act_on(after) && own > Rank::Voice
}

/// Whether the channel is kept while nobody is in it: it has a founder, or, where that account was removed, operators who
/// may found it anew.
#[must_use]
pub fn is_kept(state: &State) -> bool {
    state.field("founder").is_some() || has_heirs(state)
}

/// Whether there are operators by standing right. In a room without a founder, they alone may found it anew.
#[must_use]
pub fn has_heirs(state: &State) -> bool {
    all(state).first().is_some_and(|first| first.rank >= Rank::Operator)
}

/// How a channel goes on whose founder's account was removed: whether it ends, what has to hold, and what changes.
#[must_use]
pub fn without_founder(state: &State) -> (bool, Vec<Guard>, Vec<Change>) {
    let changes = vec![
        Change::Unset("founder".to_owned()),
        Change::Unset(OFFER.to_owned()),
        Change::Set("rules".to_owned(), fresh_rules()),
    ];
    let is_empty = state.members.is_empty();
    let size = if is_empty { Size::Exactly(0) } else { Size::Above(0) };
    (is_empty && !has_heirs(state), vec![rules_guard(state), Guard::Size(size)], changes)
}

/// The founder's offer to somebody, where one is open.
#[must_use]
pub fn offer(state: &State) -> Option<Offer<'_>> {
    let field = state.field(OFFER)?;
    Some(Offer { to: field.split(' ').next()?, field })
}

/// Whether somebody may know that the channel exists, who need not be in it.
#[must_use]
pub fn may_know(state: &State, id: &str, account: Option<&str>) -> bool {
    let concerned = || {
        rank_of(state, account) > Rank::Plain || offer(state).is_some_and(|offer| Some(offer.to) == account)
    };
    state.epoch.is_some() && (is_visible_to(state, id) || concerned())
}

/// The members who are logged in to an account, by its folded name.
pub fn members_of<'a>(state: &'a State, account: &'a str) -> impl Iterator<Item = (&'a str, &'a Member)> {
    let is_its = move |member: &Member| {
        member.account.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(account))
    };
    state.members.iter().filter(move |(_, member)| is_its(member)).map(|(id, member)| (&**id, &**member))
}

/// Whether somebody with the rank `own` may take these prefixes from a member, or the member lays down its own.
#[must_use]
pub fn may_take(own: Rank, is_own: bool, letters: &str) -> bool {
    is_own || letters.chars().filter_map(Rank::of_letter).all(|rank| own.may_act_on(rank))
}

fn read<'a>(account: &'a str, value: &'a str) -> Option<Standing<'a>> {
    let mut words = value.split(' ');
    let rank = words.next()?.chars().next().and_then(Rank::of_letter)?;
    let by = words.next().unwrap_or_default();
    let since = words.next().and_then(|ms| ms.parse().ok()).unwrap_or_default();
    Some(Standing { account, rank, by, since })
}

const PREFIX: &str = "a:";
/// The field that holds an offer: `<account> <who made it> <ms>`.
pub const OFFER: &str = "transfer";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Epoch;

    fn room(fields: &[(&str, &str)]) -> State {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        State { epoch: Some(Epoch(1)), fields, ..State::default() }
    }

    #[test]
    fn rights_read_back_and_are_listed_from_the_highest_down() {
        let value = value_of(Rank::Halfop, "ann", 12).expect("it is a rank");
        let state = room(&[
            ("founder", "ann"),
            ("a:zoe", "a ann 1"),
            ("a:bob", &value),
            ("a:odd", "?"),
            ("topic", "x"),
        ]);
        let listed: Vec<_> = all(&state).iter().map(|one| (one.account, one.rank, one.since)).collect();
        assert_eq!(listed, [("zoe", Rank::Admin, 1), ("bob", Rank::Halfop, 12)]);
        assert_eq!(rank_of(&state, Some("ann")), Rank::Founder);
        assert_eq!(rank_of(&state, Some("bob")), Rank::Halfop);
        assert_eq!(rank_of(&state, Some("odd")), Rank::Plain);
        assert_eq!(rank_of(&state, None), Rank::Plain);
        assert_eq!(value_of(Rank::Plain, "ann", 1), None);
    }

    #[test]
    fn rights_are_given_by_those_above_alone() {
        use Rank::{Admin, Founder, Halfop, Operator, Plain, Voice};
        assert!(may_give(Founder, Plain, Admin) && may_give(Admin, Voice, Operator));
        assert!(may_give(Operator, Operator, Plain) && may_give(Halfop, Plain, Voice));
        assert!(!may_give(Operator, Admin, Plain) && !may_give(Halfop, Operator, Voice));
        assert!(!may_give(Halfop, Plain, Halfop) && !may_give(Plain, Plain, Plain));
        assert!(
            may_take(Operator, false, "ov")
                && !may_take(Operator, false, "ao")
                && may_take(Plain, true, "qo")
        );
    }

    #[test]
    fn a_room_without_a_founder_is_kept_for_those_who_may_found_it_anew() {
        assert!(is_kept(&room(&[("founder", "ann")])) && is_kept(&room(&[("a:bob", "o ann 1")])));
        assert!(!is_kept(&room(&[])) && !is_kept(&room(&[("a:bob", "h ann 1")])));
    }

    #[test]
    fn a_secret_room_is_known_to_those_whom_it_concerns() {
        let state = room(&[("modes", "s"), ("founder", "ann"), ("a:bob", "v ann 1"), (OFFER, "cat ann 1")]);
        for account in ["ann", "bob", "cat"] {
            assert!(may_know(&state, "1", Some(account)), "{account}");
        }
        assert!(!may_know(&state, "1", Some("eve")) && !may_know(&state, "1", None));
        assert!(!may_know(&State::default(), "1", Some("ann")));
    }
}
