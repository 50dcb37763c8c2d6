//! Metadata by the drafts `draft/metadata-2` and `draft/metadata-3`: what people and rooms say about themselves, as keys
//! with values.
//!
//! - [`own`]: what a session says about itself
//! - [`sync`]: telling a client what is set now
//!
//! All that one target has is one field, [`FIELD`], of the partition that the target has anyway: a room's own, and of a
//! person the one of private messages, which an account keeps and a guest leaves behind. So one look reads it whole, and
//! one guard keeps it within its limits.
//!
//! A room's change is an entry of its log. A person's is stored once, and published in the person's rooms and to those
//! who monitor the nick; a node that may have missed such a text asks its clients to synchronise again.

pub mod own;
pub mod sync;

use std::collections::BTreeMap;

use stentor_proto::capability::Capability;
use stentor_proto::channel::is_channel_like;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::client::Client;
use crate::hub::{Member, State};
use crate::policy;

/// The field that holds a target's values, as a JSON object.
pub const FIELD: &str = "meta";
/// The command of lines that tell of changes. Clients read numerics instead.
pub const COMMAND: &str = "METADATA";

/// Keys with their values.
pub type Values = BTreeMap<String, String>;

/// What has changed: keys with their new values, or with nothing where they are not set any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    target: String,
    changes: BTreeMap<String, Option<String>>,
}

/// Reads [`FIELD`]. What cannot be read is no metadata, and nothing is no value.
#[must_use]
pub fn read(field: Option<&str>) -> Values {
    let mut values: Values = field.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    values.retain(|_, value| !value.is_empty());
    values
}

/// What [`FIELD`] holds; nothing where there are no values.
#[must_use]
pub fn write(values: &Values) -> Option<String> {
    let text = || serde_json::to_string(values).expect("texts have a JSON form");
    (!values.is_empty()).then(text)
}

/// Whether this can be a key: small letters, digits, `_`, `.`, `/` and `-`, at most [`KEY_LENGTH`] bytes.
#[must_use]
pub fn is_key(key: &str) -> bool {
    let legal = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'/' | b'-')
    };
    (1..=KEY_LENGTH).contains(&key.len()) && key.bytes().all(legal)
}

/// Tells a client which value a key has now, or that it has none, without being asked: a numeric by draft 3, and by draft 2
/// the command, to clients that know that one alone.
#[must_use]
pub fn news(client: &Client, target: &str, key: &str, value: Option<&str>) -> String {
    if client.has(Capability::Metadata) {
        let nick = client.profile().nick.clone();
        return numeric(&client.server, &nick, target, key, value);
    }
    let line = Line::new("METADATA").source(&client.server).param(target).param(key).param(EVERYBODY);
    value.into_iter().fold(line, Line::trailing).build()
}

/// `RPL_KEYVALUE` or `RPL_KEYNOTSET`.
#[must_use]
pub fn numeric(server: &str, nick: &str, target: &str, key: &str, value: Option<&str>) -> String {
    let numeric = if value.is_some() { Numeric::RPL_KEYVALUE } else { Numeric::RPL_KEYNOTSET };
    let line = Line::numeric(server, numeric, nick).param(target).param(key);
    match value {
        Some(value) => line.param(EVERYBODY).trailing(value).build(),
        None => line.trailing("key not set").build(),
    }
}

/// Asks a client to synchronise a target, each client at a time of its own: texts may have been missed.
pub fn ask_to_sync_soon(client: &Client, target: &str) {
    if let Some(line) = sync_soon(client, target) {
        client.queue.push_line(&line);
    }
}

/// What asks it so; nothing where it hears of no keys.
#[must_use]
pub fn sync_soon(client: &Client, target: &str) -> Option<String> {
    if !is_wanted(client) || client.metadata_keys().is_empty() {
        return None;
    }
    let (nick, seconds) = (client.profile().nick.clone(), 1 + crate::random::number() % SPREAD_SECONDS);
    let line = Line::numeric(&*client.server, Numeric::ERR_METADATASYNCLATER, nick);
    Some(line.param(target).param(seconds).trailing(LATER).build())
}

/// What follows the news that somebody whom a client monitors has come: the values are to be asked for, unless the client
/// hears of no keys, to which there is nothing to tell.
pub fn arrived(client: &Client, nick: &str) {
    if !is_aware(client) {
        return;
    }
    if !client.metadata_keys().is_empty() {
        return ask_to_sync_soon(client, nick);
    }
    let reference = crate::random::text(8);
    let line = || Line::new("BATCH").source(&client.server);
    let begin = line().param(format!("+{reference}")).param(BATCH).param(nick);
    client.queue.push_line(&begin.build());
    client.queue.push_line(&line().param(format!("-{reference}")).build());
}

/// Whether a client has asked for metadata, under either of the names that clients know.
#[must_use]
pub fn is_wanted(client: &Client) -> bool {
    client.has(Capability::Metadata) || client.has(Capability::MetadataDraft2)
}

/// Whether a client has what it takes to hear of metadata: the capability, and the batches that it comes in.
#[must_use]
pub fn is_aware(client: &Client) -> bool {
    is_wanted(client) && client.has(Capability::Batch)
}

impl Update {
    /// Changes of `target`, a nick or a room.
    #[must_use]
    pub fn new(target: &str, changes: BTreeMap<String, Option<String>>) -> Self {
        Self { target: target.to_owned(), changes }
    }

    /// All that is set.
    #[must_use]
    pub fn of(target: &str, values: Values) -> Self {
        Self::new(target, values.into_iter().map(|(key, value)| (key, Some(value))).collect())
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// As a line between nodes.
    pub fn line(&self) -> Line {
        let changes = serde_json::to_string(&self.changes).expect("texts have a JSON form");
        Line::new(COMMAND).param(&self.target).trailing(changes)
    }

    /// Reads such a line; `None` for anything else.
    #[must_use]
    pub fn read(message: &Message<'_>) -> Option<Self> {
        if message.command != COMMAND {
            return None;
        }
        let changes = serde_json::from_str(message.param(1)?).ok()?;
        Some(Self::new(message.param(0)?, changes))
    }

    /// Whether any of it is for this client.
    #[must_use]
    pub fn is_for(&self, client: &Client) -> bool {
        is_wanted(client) && client.metadata_keys().iter().any(|key| self.changes.contains_key(key))
    }

    /// Whether a room that is told of it may tell this member. Of a person whom the room shows to some members alone, `from`
    /// by id, only they hear there.
    #[must_use]
    pub fn is_shown(&self, state: &State, from: Option<&str>, id: &str) -> bool {
        if is_channel_like(&self.target) {
            return true;
        }
        let member = |id: &str| state.members.get(id).map(|member| &**member);
        // Whoever is not known here yet, or any more, is nobody's to see but theirs who see all.
        let unknown = Member::default();
        policy::shows(state, member(id), from.and_then(member).unwrap_or(&unknown))
    }

    /// Tells a client what it wants to hear of.
    pub fn tell(&self, client: &Client) {
        for key in client.metadata_keys().iter() {
            if let Some(value) = self.changes.get(key) {
                client.queue.push_line(&news(client, &self.target, key, value.as_deref()));
            }
        }
    }
}

/// The batches of metadata.
pub const BATCH: &str = "metadata";
/// All that a client sees, as the target of SYNC.
pub const ALL: &str = "*ALL";
/// The text of `ERR_METADATASYNCLATER`.
pub const LATER: &str = "Try again later";
/// The visibility of all that is set here.
pub const EVERYBODY: &str = "*";
/// The longest key, in bytes.
pub const KEY_LENGTH: usize = 48;
/// How many changes one client may make at once; then one a second.
pub const CHANGES: usize = 30;
/// Over so many seconds clients are spread who synchronise anew.
const SPREAD_SECONDS: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_from_their_field() {
        assert_eq!(
            (read(None), read(Some("nonsense")), write(&Values::new())),
            (Values::new(), Values::new(), None)
        );
        let values =
            Values::from([("a".to_owned(), " ".to_owned()), ("b/c".to_owned(), "\"x\" \\ ü".to_owned())]);
        assert_eq!(read(write(&values).as_deref()), values);
        assert_eq!(read(Some(r#"{"a":"","b":"1"}"#)), Values::from([("b".to_owned(), "1".to_owned())]));
    }

    #[test]
    fn keys_are_short_words() {
        for key in ["a", "display-name", "vendor.example/x_1", &"k".repeat(KEY_LENGTH)] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "A", "$url", "a b", "é", ":a", &"k".repeat(KEY_LENGTH + 1)] {
            assert!(!is_key(key), "{key}");
        }
    }

    #[test]
    fn an_update_reads_back_from_its_line() {
        let changes = [("a", Some(" : \u{1}é ")), ("b", None)];
        let changes = changes.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        let update = Update::new("#room", changes.into());
        let line = update.line().build();
        assert_eq!(Update::read(&Message::parse(&line).expect("it is a line")), Some(update));
        let other = Message::parse(":ann PRIVMSG #room :{}").expect("it is a line");
        assert_eq!(Update::read(&other), None);
    }
}
