//! How both sides of a subscription are stored.
//!
//! | Partition | Field | Holds |
//! |---|---|---|
//! | `p/<account>` | `name` | the account's name as its owner writes it |
//! | | `owner` | the account's epoch: a feed is nobody else's |
//! | | `s:<follower>` | a [`Subscriber`] |
//! | | `refuse` | `on` where nobody new may follow |
//! | | `refused:<account>` | since when that account may not follow, in milliseconds |
//! | `u/<account>` | `feed` | `on` where the account may have a feed |
//! | | `follow:<publisher>` | a [`Subscription`] |
//! | | `rooms` | `off` where what the account says in rooms is kept from its followers |

use std::fmt;
use std::str::FromStr;

use crate::hub::State;
use crate::store::entry::Malformed;
use crate::store::{EntryId, Epoch};

/// How much of what somebody says a subscription is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Posts, and what is said in rooms that the subscriber could join.
    All,
    /// Posts alone.
    Posts,
}

/// A subscription as the feed has it: `<mode> <epoch of the follower's account> <since> <the account's name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// What it is for.
    pub mode: Mode,
    /// Which owner of the follower's name it belongs to.
    pub epoch: Epoch,
    /// The feed's newest entry when it began: what is after it may be read.
    pub since: EntryId,
    /// The follower's name as its owner writes it.
    pub name: String,
}

/// A subscription as the follower's account has it: `<epoch of the feed> <seen>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Which life of the feed it is for.
    pub epoch: Epoch,
    /// Up to where posts have reached a session.
    pub seen: EntryId,
}

impl Mode {
    /// The mode that a client names so, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::Posts].into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(text))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Posts => "posts",
        }
    }
}

impl Subscriber {
    /// The subscription of the account `follower`, folded, in a feed. It is that account's only where the epoch is.
    #[must_use]
    pub fn find(feed: &State, follower: &str) -> Option<Self> {
        feed.field(&subscriber_field(follower))?.parse().ok()
    }
}

/// All subscriptions of a feed, by folded account, in no order.
pub fn subscribers(feed: &State) -> impl Iterator<Item = (&str, Subscriber)> {
    feed.fields.iter().filter_map(|(field, value)| {
        Some((field.strip_prefix(SUBSCRIBER)?, value.parse::<Subscriber>().ok()?))
    })
}

/// All subscriptions that an account notes, by the publisher's folded account, in no order.
pub fn subscriptions(account: &State) -> impl Iterator<Item = (&str, Subscription)> {
    account
        .fields
        .iter()
        .filter_map(|(field, value)| Some((field.strip_prefix(FOLLOW)?, value.parse::<Subscription>().ok()?)))
}

/// The feed's field for the account `follower`.
#[must_use]
pub fn subscriber_field(follower: &str) -> String {
    format!("{SUBSCRIBER}{follower}")
}

/// The feed's field that keeps the account `follower` out.
#[must_use]
pub fn refused_field(follower: &str) -> String {
    format!("{REFUSED}{follower}")
}

/// The account's field for the feed of `publisher`.
#[must_use]
pub fn follow_field(publisher: &str) -> String {
    format!("{FOLLOW}{publisher}")
}

/// The publisher's folded account, where this is a field that notes a subscription.
#[must_use]
pub fn publisher_of(field: &str) -> Option<&str> {
    field.strip_prefix(FOLLOW)
}

impl fmt::Display for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.mode.as_str(), self.epoch, self.since, self.name)
    }
}

impl FromStr for Subscriber {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or(Malformed("a subscription is too short"));
        let mode = Mode::parse(next()?).ok_or(Malformed("a subscription has no known mode"))?;
        let (epoch, since) = (next()?.parse()?, next()?.parse()?);
        Ok(Self { mode, epoch, since, name: next()?.to_owned() })
    }
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.epoch, self.seen)
    }
}

impl FromStr for Subscription {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (epoch, seen) = text.split_once(' ').ok_or(Malformed("a subscription is too short"))?;
        Ok(Self { epoch: epoch.parse()?, seen: seen.parse()? })
    }
}

/// Of a feed: its account's name.
pub const NAME: &str = "name";
/// Of a feed: its account's epoch.
pub const OWNER: &str = "owner";
/// Of a feed: nobody new may follow.
pub const REFUSE: &str = "refuse";
/// Of an account: it may have a feed.
pub const FEED: &str = "feed";
/// Of an account: what it says in rooms is not for followers.
pub const ROOMS: &str = "rooms";
const SUBSCRIBER: &str = "s:";
/// How a feed's fields begin that keep accounts out.
pub const REFUSED: &str = "refused:";
const FOLLOW: &str = "follow:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_read_back_from_their_text() {
        let seen = EntryId { ms: 17, seq: 3 };
        let subscription = Subscription { epoch: Epoch(9), seen };
        assert_eq!(subscription.to_string().parse(), Ok(subscription));
        for mode in [Mode::All, Mode::Posts] {
            let subscriber = Subscriber { mode, epoch: Epoch(7), since: seen, name: "Ann".to_owned() };
            assert_eq!(subscriber.to_string().parse(), Ok(subscriber));
        }
        for text in ["", "all", "some 0000000000000007 17-3", "all 7 17-3 Ann", "all 0000000000000007 17-3"] {
            assert!(text.parse::<Subscriber>().is_err(), "{text:?}");
        }
    }
}
