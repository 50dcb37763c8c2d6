//! What a client that does not know RENAME is told of a room's new name: that it has left the one and joined the other.

use bytes::Bytes;
use stentor_proto::capability::Capability;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::pack;

use super::State;
use super::render::Rendering;
use crate::client::Client;
use crate::command::{markread, names};
use crate::metadata;
use crate::reply::with_tag;
use crate::store::Partition;

/// The command of such a line: `:<who> RENAME <old name> <new name> :<reason>`.
pub const COMMAND: &str = "RENAME";

/// Tells a member of the room, which is as `state` by now, each line with `tag` where that is not empty: what JOIN tells, but
/// for metadata, which the client asks for. Of another spelling of the same name nothing is told, as the specification of
/// RENAME has it.
pub fn tell(
    (place, state): (&Partition, &State),
    client: &Client,
    message: &Message<'_>,
    time: &str,
    tag: &str,
) {
    let (Some(old), Some(new)) = (message.param(0), message.param(1)) else { return };
    if old.eq_ignore_ascii_case(new) {
        return;
    }
    let member = state.members.get(&client.id);
    let part = client.profile().line("PART").param(old);
    let part = match message.param(2).filter(|reason| !reason.is_empty()) {
        Some(reason) => part.trailing(reason).build(),
        None => part.build(),
    };
    let join = member.map(|member| {
        let account = member.account.as_deref().unwrap_or("*");
        member.line("JOIN").param(new).param(account).trailing(&member.realname).build()
    });
    for line in [Some(part), join].into_iter().flatten() {
        if let Some(bytes) = rendered(&line, client, time, tag) {
            client.queue.push(bytes);
        }
    }
    if member.is_none() {
        // It has left meanwhile, and is told so under the name that it knows.
        return;
    }
    let topic = topic(state, client, new).into_iter().map(|line| line.build());
    let names = names_of(state, client, new).into_iter().map(|line| line.build());
    let known = topic.chain(markread::joined(client, place, new)).chain(names);
    for line in known.chain(metadata::sync_soon(client, new)) {
        client.queue.push_line(&if tag.is_empty() { line } else { with_tag(tag, &line) });
    }
}

fn rendered(line: &str, client: &Client, time: &str, tag: &str) -> Option<Bytes> {
    let message = Message::parse(line).ok()?;
    Rendering::new(message, time, "").own(client.capabilities(), tag)
}

fn topic(state: &State, client: &Client, name: &str) -> Vec<Line> {
    let field = |field: &str| state.field(field).unwrap_or_default();
    if field("topic").is_empty() {
        return Vec::new();
    }
    vec![
        numeric(client, Numeric::RPL_TOPIC).param(name).trailing(field("topic")),
        numeric(client, Numeric::RPL_TOPICWHOTIME)
            .param(name)
            .param(field("topic.by"))
            .param(field("topic.at")),
    ]
}

fn names_of(state: &State, client: &Client, name: &str) -> Vec<Line> {
    if client.has(Capability::NoImplicitNames) || client.has(Capability::NoImplicitNamesDraft) {
        return Vec::new();
    }
    let start = || numeric(client, Numeric::RPL_NAMREPLY).param(names::sign(state)).param(name);
    let members = names::shown(state, client);
    let lines = pack(start().trailing("").build().len() + 2, members.iter().map(String::as_str), ' ');
    let end = numeric(client, Numeric::RPL_ENDOFNAMES).param(name).trailing("End of /NAMES list");
    lines.into_iter().map(|line| start().trailing(line)).chain([end]).collect()
}

fn numeric(client: &Client, numeric: Numeric) -> Line {
    Line::numeric(&client.server, numeric, &client.profile().nick)
}
