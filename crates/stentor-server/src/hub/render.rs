//! From an entry's line to the bytes that a client reads: rendered once for each set of capabilities that matters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stentor_proto::capability::{Capability, CapabilitySet};
use stentor_proto::message::Message;
use stentor_proto::tag::escape_value;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};

use super::audience::RANK_TAG;
use super::clock::{server_time, wall_ms};
use super::multiline::{self, PART_TAG};
use crate::following::audience::{MASKS_TAG, PLACE_TAG, ROOM_TAG, readable};

/// A tag that the server keeps in its own entries: one event that is committed to several channels.
pub const EVENT_TAG: &str = "stentor.chat/event";

/// A tag that the server keeps in its own entries: which guest said it, as [`guest_mark`] writes it. What somebody with an
/// account said carries the account.
pub const GUEST_TAG: &str = "stentor.chat/guest";

/// What marks a guest's messages. It tells nothing about the user's id, which is the token of its claims.
#[must_use]
pub fn guest_mark(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.get(..MARK_BYTES).unwrap_or_default())
}

/// What tags say of a user on whatever comes from it.
#[must_use]
pub fn tags_of(account: Option<&str>, is_bot: bool) -> String {
    let account = account.map(|account| format!("account={}", escape_value(account)));
    let bot = is_bot.then(|| "bot".to_owned());
    account.into_iter().chain(bot).collect::<Vec<_>>().join(";")
}

/// A line that is in no entry as a client with these capabilities reads it now, without its line end; `None` where it is not
/// for such a client.
#[must_use]
pub fn alone(line: &str, capabilities: CapabilitySet) -> Option<String> {
    let time = server_time(wall_ms());
    let bytes = Rendering::new(Message::parse(line).ok()?, &time, "").own(capabilities, "")?;
    let line = std::str::from_utf8(&bytes).ok()?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// One line of an entry, and its renderings so far.
#[derive(Debug)]
pub struct Rendering<'e> {
    message: Message<'e>,
    time: &'e str,
    msgid: &'e str,
    in_channel: bool,
    done: Vec<(CapabilitySet, Option<Bytes>)>,
    /// The further lines of a message that has several, and what its batch is called.
    rest: Vec<Message<'e>>,
    reference: String,
}

impl<'e> Rendering<'e> {
    /// Prepares a line of an entry. `time` and `msgid` are the entry's own; a line that carries such a tag keeps it.
    #[must_use]
    pub fn new(message: Message<'e>, time: &'e str, msgid: &'e str) -> Self {
        let (done, rest, reference) = Default::default();
        Self { message, time, msgid, in_channel: false, done, rest, reference }
    }

    /// Adds the further lines of the message.
    #[must_use]
    pub fn with_rest(mut self, rest: Vec<Message<'e>>) -> Self {
        if !rest.is_empty() {
            self.reference = crate::random::text(8);
        }
        self.rest = rest;
        self
    }

    /// Says that the line goes to a channel's members: some lines are for those alone who asked for them.
    #[must_use]
    pub fn in_channel(mut self, in_channel: bool) -> Self {
        self.in_channel = in_channel;
        self
    }

    /// The line that is rendered.
    #[must_use]
    pub fn message(&self) -> &Message<'e> {
        &self.message
    }

    /// Whether the line is something said, or said no more, which its sender sees only where it asked for an echo.
    #[must_use]
    pub fn is_said(&self) -> bool {
        matches!(self.message.command, "PRIVMSG" | "NOTICE" | "REDACT" | "TAGMSG" | PUBLISH)
    }

    /// Whether it comes over a feed, so that it reads differently for each client without [`Capability::Feeds`].
    #[must_use]
    pub fn is_of_feed(&self) -> bool {
        self.message.command == PUBLISH
    }

    /// As [`Rendering::bytes`], for the client with this nick.
    pub fn bytes_for(&mut self, capabilities: CapabilitySet, nick: &str) -> Option<Bytes> {
        if self.is_of_feed() && !capabilities.contains(Capability::Feeds) {
            return Some(self.notice(capabilities, "", nick));
        }
        self.bytes(capabilities)
    }

    /// As [`Rendering::own`], for the client with this nick.
    #[must_use]
    pub fn own_for(&self, capabilities: CapabilitySet, tag: &str, nick: &str) -> Option<Bytes> {
        if self.is_of_feed() && !capabilities.contains(Capability::Feeds) {
            return Some(self.notice(capabilities, tag, nick));
        }
        self.own(capabilities, tag)
    }

    /// What came over a feed, for a client that does not know feeds.
    fn notice(&self, capabilities: CapabilitySet, first_tag: &str, nick: &str) -> Bytes {
        let mut line = String::with_capacity(256);
        self.push_tags(&mut line, capabilities, first_tag, true);
        let tags = line.len();
        if let Some(source) = self.message.source {
            line.push(':');
            line.push_str(source);
            line.push(' ');
        }
        for part in ["NOTICE ", nick, " :[Sub] "] {
            line.push_str(part);
        }
        let text = readable(self.message.source, self.message.param(0).unwrap_or_default());
        line.push_str(truncate_utf8(&text, MAX_CONTENT.saturating_sub(line.len() - tags)));
        line.push_str("\r\n");
        Bytes::from(line)
    }

    /// What a client with these capabilities reads, line end included; `None` where it is not for such a client.
    pub fn bytes(&mut self, capabilities: CapabilitySet) -> Option<Bytes> {
        let key = capabilities.intersection(MATTERS);
        if let Some((_, bytes)) = self.done.iter().find(|(known, _)| *known == key) {
            return bytes.clone();
        }
        let bytes = self.render(key, "");
        self.done.push((key, bytes.clone()));
        bytes
    }

    /// The sender's own copy, with the tag (`label=…` or `batch=…`) that belongs to its request.
    #[must_use]
    pub fn own(&self, capabilities: CapabilitySet, tag: &str) -> Option<Bytes> {
        self.render(capabilities.intersection(MATTERS), tag)
    }

    fn render(&self, capabilities: CapabilitySet, first_tag: &str) -> Option<Bytes> {
        if !is_for(&self.message, capabilities, self.in_channel) {
            return None;
        }
        let mut lines = String::with_capacity(256);
        if self.rest.is_empty() {
            self.push_tags(&mut lines, capabilities, first_tag, true);
            push_line(&mut lines, &self.message, capabilities);
        } else if capabilities.contains(Capability::Multiline) && capabilities.contains(Capability::Batch) {
            self.push_batch(&mut lines, capabilities, first_tag);
        } else {
            self.push_each(&mut lines, capabilities, first_tag);
        }
        Some(Bytes::from(lines))
    }

    /// A message of several lines as one batch, which has the tags. Where it is part of another one, its end says so too.
    fn push_batch(&self, lines: &mut String, capabilities: CapabilitySet, first_tag: &str) {
        let (source, reference) = (self.message.source.unwrap_or_default(), &self.reference);
        let target = self.message.param(0).unwrap_or_default();
        self.push_tags(lines, capabilities, first_tag, true);
        for part in [":", source, " BATCH +", reference, " draft/multiline ", target, "\r\n"] {
            lines.push_str(part);
        }
        for message in std::iter::once(&self.message).chain(&self.rest) {
            let concat = if multiline::is_concatenated(message) { ";draft/multiline-concat " } else { " " };
            for part in ["@batch=", reference, concat] {
                lines.push_str(part);
            }
            push_line(lines, message, capabilities);
        }
        if first_tag.starts_with("batch=") {
            lines.push('@');
            lines.push_str(first_tag);
            lines.push(' ');
        }
        for part in [":", source, " BATCH -", reference, "\r\n"] {
            lines.push_str(part);
        }
    }

    /// A message of several lines as so many messages, of which the first has its id; blank ones are left out.
    fn push_each(&self, lines: &mut String, capabilities: CapabilitySet, first_tag: &str) {
        let all = std::iter::once(&self.message).chain(&self.rest);
        let shown = all.filter(|message| message.param(1).is_some_and(|text| !text.is_empty()));
        for (index, message) in shown.enumerate() {
            self.push_tags(lines, capabilities, first_tag, index == 0);
            push_line(lines, message, capabilities);
        }
    }

    /// The tags that such a client gets, with or without the message's id.
    fn push_tags(&self, line: &mut String, capabilities: CapabilitySet, first: &str, with_id: bool) {
        let message = &self.message;
        let all = capabilities.contains(Capability::MessageTags);
        // The specification of feeds has these tags, so whoever asked for feeds understands them there.
        let is_post = message.command == PUBLISH && capabilities.contains(Capability::Feeds);
        let has = |capability| is_post || capabilities.contains(capability);
        let start = line.len();
        let push = |line: &mut String, tag: &str| {
            line.push(if line.len() == start { '@' } else { ';' });
            line.push_str(tag);
        };
        if !first.is_empty() {
            push(line, first);
        }
        let (mut has_time, mut has_msgid) = (false, !with_id);
        // A client's own tags come behind the server's.
        let (own, others): (Vec<&str>, Vec<&str>) =
            message.tags.raw().split(';').filter(|raw| !raw.is_empty()).partition(|raw| raw.starts_with('+'));
        for raw in others {
            let key = raw.split('=').next().unwrap_or(raw);
            has_time |= key == "time";
            has_msgid |= key == "msgid";
            let wanted = match key {
                EVENT_TAG | GUEST_TAG | MASKS_TAG | PART_TAG | PLACE_TAG | RANK_TAG => false,
                "time" => has(Capability::ServerTime),
                "account" => has(Capability::AccountTag),
                "msgid" => with_id && has(Capability::MessageTags),
                ROOM_TAG => has(Capability::MessageTags),
                _ => all,
            };
            if wanted {
                push(line, raw);
            }
        }
        if !has_time && has(Capability::ServerTime) {
            push(line, "time=");
            line.push_str(self.time);
        }
        if !has_msgid && has(Capability::MessageTags) && !self.msgid.is_empty() {
            push(line, "msgid=");
            line.push_str(self.msgid);
        }
        if all {
            own.into_iter().for_each(|raw| push(line, raw));
        }
        if line.len() > start {
            line.push(' ');
        }
    }
}

/// The capabilities that change how a line looks, or whether a client gets it.
const MATTERS: CapabilitySet = CapabilitySet::of(&[
    Capability::MessageTags,
    Capability::ServerTime,
    Capability::AccountTag,
    Capability::AccountNotify,
    Capability::AwayNotify,
    Capability::Batch,
    Capability::ChgHost,
    Capability::ExtendedJoin,
    Capability::Feeds,
    Capability::InviteNotify,
    Capability::MessageRedaction,
    Capability::Multiline,
    Capability::ReadMarker,
    Capability::SetName,
]);

fn is_for(message: &Message<'_>, capabilities: CapabilitySet, in_channel: bool) -> bool {
    let needed = match message.command {
        "TAGMSG" => Capability::MessageTags,
        "ACCOUNT" => Capability::AccountNotify,
        "AWAY" => Capability::AwayNotify,
        "CHGHOST" => Capability::ChgHost,
        "INVITE" if in_channel => Capability::InviteNotify,
        "MARKREAD" => Capability::ReadMarker,
        "REDACT" => Capability::MessageRedaction,
        "SETNAME" => Capability::SetName,
        _ => return true,
    };
    capabilities.contains(needed)
}

fn push_line(lines: &mut String, message: &Message<'_>, capabilities: CapabilitySet) {
    if let Some(source) = message.source {
        lines.push(':');
        lines.push_str(source);
        lines.push(' ');
    }
    lines.push_str(message.command);
    push_params(lines, message, capabilities);
    lines.push_str("\r\n");
}

fn push_params(line: &mut String, message: &Message<'_>, capabilities: CapabilitySet) {
    let params = message.params();
    let plain_join = message.command == "JOIN" && !capabilities.contains(Capability::ExtendedJoin);
    let shown = if plain_join { params.get(..1).unwrap_or(params) } else { params };
    for (index, param) in shown.iter().enumerate() {
        line.push(' ');
        let last = index + 1 == shown.len();
        if last && (free_text_at(message.command) == Some(index) || needs_colon(param)) {
            line.push(':');
        }
        line.push_str(param);
    }
}

/// Which parameter of a command is text for people: it gets its colon even where one word would not need it, since some
/// clients rely on that.
fn free_text_at(command: &str) -> Option<usize> {
    match command {
        "QUIT" | "AWAY" | "SETNAME" | "WALLOPS" | PUBLISH => Some(0),
        "PRIVMSG" | "NOTICE" | "TOPIC" | "PART" | "KILL" => Some(1),
        "KICK" | "JOIN" | "REDACT" | "RENAME" => Some(2),
        _ => None,
    }
}

/// How much of a guest's digest is enough.
const MARK_BYTES: usize = 15;
/// What somebody posts, or what comes over a feed from a room.
const PUBLISH: &str = "PUBLISH";

fn needs_colon(param: &str) -> bool {
    param.is_empty() || param.starts_with(':') || param.contains(' ')
}
