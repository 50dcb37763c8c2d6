//! What the store's keys and channels are called.
//!
//! ```text
//! {c/#room}:s   the state: fields by their names, and !epoch and !last
//! {c/#room}:m   the members
//! {c/#room}:l   the log, a stream with the fields by, prev, own and body
//! {c/#room}:e   what is left of entries whose lines were taken away, by their ids; the log has them no more
//! {c/#room}:n   which number each writer used last; it outlives the partition for a while
//! {c/#room}:p   the sharded channel on which the partition's entries are published
//! {f/}:leases {f/}:over {f/}:sweeps   the nodes' leases, who gave one up, who cleans up after whom
//! {f/}:run      a marker that is gone when the store was emptied
//! {f/}:format   the version of all this
//! ```
//!
//! What stands between the braces decides where a cluster keeps a key, so a partition's keys stay together. A name is
//! escaped there as in a URL, as far as needed.

use std::fmt::Write as _;

use crate::store::Partition;

/// The keys of one partition, in the order in which every script takes them: state, members, log, numbers, erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys(pub(super) [String; 5]);

impl Keys {
    pub(super) fn of(partition: &Partition) -> Self {
        let tag = tag(partition);
        Self(["s", "m", "l", "n", "e"].map(|part| format!("{tag}:{part}")))
    }
}

/// The keys about leases: leases, released writers, sweeps, and the run marker.
pub(super) const LEASE_KEYS: [&str; 4] = ["{f/}:leases", "{f/}:over", "{f/}:sweeps", RUN];

/// The letters of all kinds of partitions.
pub(super) const KINDS: [char; 7] = ['c', 'u', 'p', 'n', 'd', 'f', 'x'];

/// The key of the run marker.
pub(super) const RUN: &str = "{f/}:run";

/// The key that holds the format's version.
pub(super) const FORMAT: &str = "{f/}:format";

/// The channel of a partition. Channels, unlike keys, are shared by all databases of a server.
pub(super) fn channel(partition: &Partition, database: u32) -> String {
    let tag = tag(partition);
    if database == 0 { format!("{tag}:p") } else { format!("{tag}:p{database}") }
}

/// A channel on which one store's handle hears itself.
pub(super) fn heartbeat_channel(name: &str) -> String {
    format!("{{f/}}:beat:{name}")
}

/// The keys and channel on which rights are tried, for one kind's letter. No name of a partition is written so.
pub(super) fn probe_keys(kind: char) -> [String; 5] {
    ["s", "m", "l", "n", "e"].map(|part| format!("{{{kind}/%}}:{part}"))
}

/// The channel on which rights are tried.
pub(super) fn probe_channel(kind: char) -> String {
    format!("{{{kind}/%}}:p")
}

/// What a state's field is called in its hash: names beginning with `!` are the store's own.
pub(super) fn field(name: &str) -> String {
    if name.starts_with('!') { format!("!={name}") } else { name.to_owned() }
}

/// The reverse of [`field`]; `None` for the store's own.
pub(super) fn field_name(stored: &str) -> Option<&str> {
    if stored.starts_with('!') { stored.strip_prefix("!=") } else { Some(stored) }
}

fn tag(partition: &Partition) -> String {
    let mut tag = String::with_capacity(partition.as_str().len() + 2);
    tag.push('{');
    for c in partition.as_str().chars() {
        if matches!(c, '{' | '}' | '%') || c.is_whitespace() || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(tag, "%{byte:02X}").expect("a string takes what is written");
            }
        } else {
            tag.push(c);
        }
    }
    tag.push('}');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_a_name_do_not_end_the_tag() {
        let keys = Keys::of(&Partition::nick("a}{b% c"));
        assert_eq!(keys.0[0], "{n/a%7D%7Bb%25%20c}:s");
        assert_eq!(channel(&Partition::channel("#caf\u{e9}"), 0), "{c/#caf\u{e9}}:p");
        assert_eq!(channel(&Partition::fleet(), 2), "{f/}:p2");
    }

    #[test]
    fn fields_of_the_store_and_of_callers_never_meet() {
        for name in ["topic", "!last", "!=x", "~hash"] {
            assert_eq!(field_name(&field(name)), Some(name));
        }
        assert_eq!(field("!last"), "!=!last");
        assert_eq!(field_name("!last"), None);
    }
}
