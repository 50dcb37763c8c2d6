//! Texts for the users of all nodes: stored nowhere, and a node that is cut off misses them.
//!
//! They are published on the fleet's partition as `to-all <writer>[,<tags>] <kind> <nick!user@host> <text>`. An older version
//! only compares the first of these words with its own.

use std::sync::Arc;

use stentor_proto::line::Line;
use stentor_proto::message::Message;

use super::notices::{self, Topic};
use crate::hub::clock;
use crate::hub::render::Rendering;
use crate::modes::WALLOPS;
use crate::node::Node;
use crate::store::{Partition, StoreError, Writer};

/// Whom a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those with the user mode `w`.
    Wallops,
    /// Everybody.
    Announcement,
    /// Operators who asked to hear of this.
    Notice(Topic),
}

impl Kind {
    fn word(self) -> String {
        match self {
            Self::Wallops => WALLOPS_WORD.to_owned(),
            Self::Announcement => ANNOUNCEMENT_WORD.to_owned(),
            Self::Notice(topic) => format!("{NOTICE_WORD}{}", topic.letter()),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            WALLOPS_WORD => Some(Self::Wallops),
            ANNOUNCEMENT_WORD => Some(Self::Announcement),
            _ => Topic::of_letter(word.strip_prefix(NOTICE_WORD)?.parse().ok()?).map(Self::Notice),
        }
    }
}

/// Sends a text to those whom it is for, on this node and on all others, with what tags say of who sends it.
///
/// # Errors
/// The store's; those on this node have it then.
pub async fn send(
    node: &Node,
    kind: Kind,
    (source, tags): (&str, &str),
    text: &str,
) -> Result<(), StoreError> {
    deliver(node, kind, (source, tags), text);
    let (writer, word) = (node.tenure().writer().clone(), kind.word());
    let comma = if tags.is_empty() { "" } else { "," };
    let text = format!("{TO_ALL} {writer}{comma}{tags} {word} {source} {text}");
    node.hub.store().publish(&Partition::fleet(), &text).await
}

/// Takes in a text that was published on the fleet's partition. False if it is of another kind.
pub fn hear(node: &Arc<Node>, text: &str) -> bool {
    let mut words = text.splitn(5, ' ');
    let (Some(TO_ALL), Some(writer), Some(kind)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    // No incarnation has a comma, and no nick.
    let (writer, tags) = match writer.rsplit_once(',') {
        Some((writer, tags)) if writer.parse::<Writer>().is_ok() => (writer, tags),
        _ => (writer, ""),
    };
    // This node's own users have what it sent.
    if writer != node.tenure().writer().as_str()
        && let (Some(kind), Some(source), Some(text)) = (Kind::parse(kind), words.next(), words.next())
    {
        deliver(node, kind, (source, tags), text);
    }
    true
}

fn deliver(node: &Node, kind: Kind, (source, tags): (&str, &str), text: &str) {
    if let Kind::Notice(topic) = kind {
        return notices::deliver(node, topic, text);
    }
    let time = clock::server_time(clock::wall_ms());
    let wallops = Line::new("WALLOPS").source(source).raw_tags(tags).trailing(text).build();
    let Ok(message) = Message::parse(&wallops) else { return };
    let mut rendering = Rendering::new(message, &time, "");
    for client in node.clients.all() {
        let profile = client.profile();
        match kind {
            _ if !profile.registered => {}
            Kind::Notice(_) => {}
            Kind::Wallops => {
                if profile.has_mode(WALLOPS)
                    && let Some(bytes) = rendering.bytes(client.capabilities())
                {
                    client.queue.push(bytes);
                }
            }
            Kind::Announcement => {
                let line = Line::new("NOTICE").source(&node.server_name).param(&profile.nick);
                let line = line.trailing(format!("Announcement: {text}")).build();
                let Ok(message) = Message::parse(&line) else { continue };
                if let Some(bytes) = Rendering::new(message, &time, "").own(client.capabilities(), "") {
                    client.queue.push(bytes);
                }
            }
        }
    }
}

/// The first word of what nodes publish for their users.
const TO_ALL: &str = "to-all";
const WALLOPS_WORD: &str = "wallops";
const ANNOUNCEMENT_WORD: &str = "announcement";
/// A topic's letter follows.
const NOTICE_WORD: &str = "notice-";
