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
    let mut channels = match wanted.names() {
        Some(names) => names.iter().map(|name| Partition::channel(name)).collect(),
        None => directory::channels(&session.node.hub).await?,
    };
    channels.sort();
    reply.numeric(Numeric::RPL_LISTSTART, &["Channel"], "Users  Name");
    for batch in channels.chunks(BATCH) {
        let peeks = session.node.hub.store().peek(batch, FIELDS).await?;
        for (channel, peek) in batch.iter().zip(peeks) {
            reply.room().await;
            if peek.epoch.is_some() {
                tell(session, channel, &peek, &wanted, reply);
            } else if wanted.names().is_none() {
                // Whoever listed it may have died before it was created.
                let tenure = session.client.tenure();
                directory::forget::<Error>(&session.node.hub, &tenure, channel, None).await?;
            }
        }
    }
    reply.numeric(Numeric::RPL_LISTEND, &[], "End of /LIST");
    Ok(())
}

fn tell(session: &Session, channel: &Partition, peek: &Peek, wanted: &Wanted, reply: &mut Reply) {
    let field = |index: usize| peek.fields.get(index).and_then(Option::as_deref).unwrap_or_default();
    let secret = field(2).contains('s');
    if secret && !session.client.with_channels(|channels| channels.contains_key(channel.name())) {
        return;
    }
    if wanted.matches(channel.name(), peek.members) {
        let name = if field(0).is_empty() { channel.name() } else { field(0) };
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
}

impl Wanted {
    fn parse(text: &str) -> Self {
        let mut wanted = Self::default();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            if let Some(count) = item.strip_prefix('>') {
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
const FIELDS: &[&str] = &["name", "topic", "modes"];
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
        assert_eq!(Wanted::parse("#B,#a,#b").names(), Some(&["#a".to_owned(), "#b".to_owned()][..]));
    }
}
