//! LIST: which channels there are.

use stentor_proto::mask::glob_matches;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::fleet::directory;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::{Partition, Peek};

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let wanted = Wanted::parse(message.param(0).unwrap_or_default());
    let now = session.node.fleet.now().0;
    let mut channels = match wanted.names() {
        Some(names) => names.iter().flat_map(|name| session.node.rooms.candidates(name)).collect(),
        None => directory::channels(&session.node.hub).await?,
    };
    channels.sort();
    channels.dedup();
    reply.numeric(Numeric::RPL_LISTSTART, &["Channel"], "Users  Name");
    for batch in channels.chunks(BATCH) {
        let peeks = match session.node.hub.store().peek(batch, FIELDS).await {
            Ok(peeks) => peeks,
            Err(error) => {
                // Who asks waits for the end.
                Error::from(error).send("LIST", reply);
                break;
            }
        };
        for (channel, peek) in batch.iter().zip(peeks) {
            reply.room().await;
            if peek.epoch.is_some() {
                tell(session, channel, &peek, (&wanted, now), reply);
            } else if wanted.names().is_none() {
                // Whoever listed it may have died before it was created.
                let tenure = session.client.tenure();
                let forgotten = directory::forget::<Error>(&session.node.hub, &tenure, channel, None).await;
                super::part::tidy(forgotten.map(drop).map_err(Error::from));
            }
        }
    }
    reply.numeric(Numeric::RPL_LISTEND, &[], "End of /LIST");
    Ok(())
}

fn tell(
    session: &Session,
    channel: &Partition,
    peek: &Peek,
    (wanted, now): (&Wanted, u64),
    reply: &mut Reply,
) {
    let field = |index: usize| peek.fields.get(index).and_then(Option::as_deref).unwrap_or_default();
    let secret = field(2).contains('s');
    if secret && !session.client.with_channels(|channels| channels.contains_key(channel.name())) {
        return;
    }
    let age = |ms: Option<u64>| ms.map(|ms| now.saturating_sub(ms));
    let created = age(field(3).parse().ok());
    let topic = age(field(4).parse().ok().map(|seconds: u64| seconds.saturating_mul(1000)));
    let name = if field(0).is_empty() { channel.name() } else { field(0) };
    if wanted.matches(&name.to_ascii_lowercase(), peek.members) && wanted.fits(created, topic) {
        reply.numeric(Numeric::RPL_LIST, &[name, &peek.members.to_string()], field(1));
    }
}

/// What LIST was asked for: any of some names and masks, and all of some conditions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// Folded.
    names: Vec<String>,
    masks: Vec<String>,
    not_masks: Vec<String>,
    more_than: Option<u64>,
    fewer_than: Option<u64>,
    /// When it was created.
    created: Ages,
    /// When its topic was set.
    topic: Ages,
}

/// How long ago something was, in minutes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ages {
    more_than: Option<u64>,
    less_than: Option<u64>,
}

impl Ages {
    /// `>n` or `<n`.
    fn narrow(&mut self, condition: &str) {
        if let Some(minutes) = condition.strip_prefix('>') {
            self.more_than = minutes.parse().ok();
        } else if let Some(minutes) = condition.strip_prefix('<') {
            self.less_than = minutes.parse().ok();
        }
    }

    /// Whether something so many milliseconds ago fits; what never was fits where nothing is asked.
    fn fit(&self, ms: Option<u64>) -> bool {
        let minute = |minutes: u64| minutes.saturating_mul(60_000);
        self.more_than.is_none_or(|least| ms.is_some_and(|ms| ms > minute(least)))
            && self.less_than.is_none_or(|most| ms.is_some_and(|ms| ms < minute(most)))
    }
}

impl Wanted {
    fn parse(text: &str) -> Self {
        let mut wanted = Self::default();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let age = |letter: [char; 2]| {
                item.strip_prefix(letter).filter(|condition| condition.starts_with(['<', '>']))
            };
            if let Some(condition) = age(['C', 'c']) {
                wanted.created.narrow(condition);
            } else if let Some(condition) = age(['T', 't']) {
                wanted.topic.narrow(condition);
            } else if let Some(count) = item.strip_prefix('>') {
                wanted.more_than = count.parse().ok();
            } else if let Some(count) = item.strip_prefix('<') {
                wanted.fewer_than = count.parse().ok();
            } else if let Some(mask) = item.strip_prefix('!') {
                wanted.not_masks.push(mask.to_owned());
            } else if item.contains(['*', '?']) {
                wanted.masks.push(item.to_owned());
            } else {
                wanted.names.push(item.to_ascii_lowercase());
            }
        }
        wanted.names.sort();
        wanted.names.dedup();
        wanted
    }

    /// The names, where nothing else can match: then the directory need not be read.
    fn names(&self) -> Option<&[String]> {
        (!self.names.is_empty() && self.masks.is_empty()).then_some(&self.names)
    }

    /// Whether a channel of this age, with a topic of that age, is wanted. In milliseconds.
    fn fits(&self, created: Option<u64>, topic: Option<u64>) -> bool {
        self.created.fit(created) && self.topic.fit(topic)
    }

    fn matches(&self, folded: &str, members: u64) -> bool {
        let any = self.names.is_empty() && self.masks.is_empty();
        let is_named = any
            || self.names.iter().any(|name| name == folded)
            || self.masks.iter().any(|mask| glob_matches(mask, folded));
        is_named
            && !self.not_masks.iter().any(|mask| glob_matches(mask, folded))
            && self.more_than.is_none_or(|count| members > count)
            && self.fewer_than.is_none_or(|count| members < count)
    }
}

/// What is read of each channel.
const FIELDS: &[&str] = &["name", "topic", "modes", "created", "topic.at"];
/// How many channels are looked at together.
const BATCH: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_masks_add_up_and_conditions_narrow() {
        let all = Wanted::parse("");
        assert!(all.matches("#a", 0) && all.names().is_none());
        let some = Wanted::parse("#A,#b*,>1,!#bad*");
        assert!(some.matches("#a", 2) && some.matches("#best", 2));
        assert!(!some.matches("#a", 1) && !some.matches("#badly", 2) && !some.matches("#c", 2));
        assert!(some.names().is_none());
        let old = Wanted::parse("C>2,T<10");
        let minutes = |minutes: u64| Some(minutes * 60_000);
        assert!(old.fits(minutes(3), minutes(9)) && old.matches("#any", 1));
        assert!(!old.fits(minutes(2), minutes(9)) && !old.fits(minutes(3), minutes(10)));
        assert!(!old.fits(minutes(3), None), "without a topic it was set at no time");
        assert_eq!(Wanted::parse("#B,#a,#b").names(), Some(&["#a".to_owned(), "#b".to_owned()][..]));
    }
}
