//! From a partition's lines to its clients' queues.

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;

use super::shut::Shut;
use super::{Inner, Origin};
use crate::client::Client;
use crate::following::audience::Heard;
use crate::hub::audience::{Audience, Unseen};
use crate::hub::multiline::{self, Whole};
use crate::hub::renamed;
use crate::hub::render::{EVENT_TAG, Rendering};
use crate::hub::state::UserId;
use crate::hub::told::Told;
use crate::metadata::{self, Update};
use crate::store::{Kind, Partition};

/// What clients are told at once.
pub(super) struct Lines<'a, F> {
    pub(super) lines: &'a [String],
    /// When it was said, as clients read it.
    pub(super) time: &'a str,
    /// The id of each line; empty where it has none.
    pub(super) msgid: F,
    pub(super) unseen: &'a Unseen,
}

impl Inner {
    pub(super) fn deliver<F: Fn(usize) -> String>(
        &self,
        partition: &Partition,
        lines: &Lines<'_, F>,
        origin: Option<&Origin>,
        told: &Told,
    ) {
        let Some(origin) = origin else {
            return self.deliver_lines(partition, lines, None, told);
        };
        self.deliver_own(partition, lines, origin, told);
        self.deliver_lines(partition, lines, Some(&origin.client.id), told);
    }

    pub(super) fn deliver_own<F: Fn(usize) -> String>(
        &self,
        partition: &Partition,
        lines: &Lines<'_, F>,
        origin: &Origin,
        told: &Told,
    ) {
        for Whole { line, first, rest } in multiline::messages(lines.lines) {
            let msgid = (lines.msgid)(line);
            let in_channel = partition.kind() == Kind::Channel;
            let rendering = Rendering::new(first, lines.time, &msgid).with_rest(rest).in_channel(in_channel);
            // Of metadata and of one's own absence the command itself tells; the latter stands behind a JOIN, too.
            if [metadata::COMMAND, "AWAY"].contains(&rendering.message().command) {
                continue;
            }
            if rendering.is_said() && !origin.echo || !tell_once(rendering.message(), &origin.client.id, told)
            {
                continue;
            }
            if !knows_renaming(rendering.message(), &origin.client) {
                let (client, tag) = (&origin.client, &origin.tag);
                let room = (partition, &self.state);
                renamed::tell(room, client, rendering.message(), lines.time, tag);
                continue;
            }
            let nick = &origin.client.profile().nick;
            if let Some(bytes) = rendering.own_for(origin.client.capabilities(), &origin.tag, nick) {
                origin.client.queue.push(bytes);
            }
        }
    }

    pub(super) fn deliver_lines<F: Fn(usize) -> String>(
        &self,
        partition: &Partition,
        lines: &Lines<'_, F>,
        except: Option<&str>,
        told: &Told,
    ) {
        if self.locals.is_empty() {
            return;
        }
        for Whole { line, first, rest } in multiline::messages(lines.lines) {
            if let Some(update) = Update::read(&first) {
                self.deliver_metadata(partition, &update, &first, except, told);
                continue;
            }
            let msgid = (lines.msgid)(line);
            let in_channel = partition.kind() == Kind::Channel;
            let audience = if in_channel { Audience::of(&first, lines.unseen) } else { Audience::default() };
            let heard = (partition.kind() == Kind::Feed).then(|| Heard::new(&first));
            let mut rendering =
                Rendering::new(first, lines.time, &msgid).with_rest(rest).in_channel(in_channel);
            for (id, client) in &self.locals {
                let queue = match self.shut.get(id) {
                    Some(Shut::Deaf) => continue,
                    Some(Shut::Held(lines)) => lines.queue(),
                    None => &client.queue,
                };
                if except == Some(&**id) || !audience.includes(&self.state, id) {
                    continue;
                }
                if !is_watching(partition, client) || !tell_once(rendering.message(), id, told) {
                    continue;
                }
                if !knows_renaming(rendering.message(), client) {
                    let room = (partition, &self.state);
                    renamed::tell(room, client, rendering.message(), lines.time, "");
                } else if let Some(heard) = &heard {
                    let is_for = heard.as_ref().is_some_and(|heard| heard.is_for(&self.state, client));
                    let nick = &client.profile().nick;
                    if is_for && let Some(bytes) = rendering.bytes_for(client.capabilities(), nick) {
                        queue.push(bytes);
                    }
                } else if let Some(bytes) = rendering.bytes(client.capabilities()) {
                    queue.push(bytes);
                }
            }
        }
    }

    /// Clients hear of the keys that they want to hear of, in numerics of their own. `except` is who is behind it.
    fn deliver_metadata(
        &self,
        partition: &Partition,
        update: &Update,
        message: &Message<'_>,
        except: Option<&str>,
        told: &Told,
    ) {
        let in_channel = partition.kind() == Kind::Channel;
        for (id, client) in &self.locals {
            let is_shown = !in_channel || update.is_shown(&self.state, except, id);
            // Another room, or the nick itself, may tell whom this one does not.
            if except != Some(&**id) && is_shown && update.is_for(client) && tell_once(message, id, told) {
                update.tell(client);
            }
        }
    }
}

/// Whether a client hears of what changes with those whom it monitors; of a partition of any other kind it hears all.
fn is_watching(partition: &Partition, client: &Client) -> bool {
    partition.kind() != Kind::Nick || client.has(Capability::ExtendedMonitor)
}

/// Whether a client can be given a line as it is: all but a RENAME that it did not ask for.
fn knows_renaming(message: &Message<'_>, client: &Client) -> bool {
    message.command != renamed::COMMAND || client.has(Capability::ChannelRename)
}

fn tell_once(message: &Message<'_>, id: &UserId, told: &Told) -> bool {
    match message.tags.get(EVENT_TAG) {
        Some(event) => told.first(&event, id),
        None => true,
    }
}
