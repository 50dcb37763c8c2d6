//! Clients that do not hear a partition's lines yet: what waited for them comes first.

use crate::client::Client;
use crate::send_queue::{EXCEEDED, SendQueue};
use crate::store::{EntryId, Kind, Partition};

/// What becomes of lines for such a client.
#[derive(Debug)]
pub(super) enum Shut {
    /// They are in the log alone.
    Deaf,
    /// They come as soon as the client hears.
    Held(Lines),
}

/// Lines in their order, as many bytes of them as may wait for the client anyway.
#[derive(Debug)]
pub(super) struct Lines {
    queue: SendQueue,
    /// The newest entry that is for the client's cursor.
    newest: Option<EntryId>,
    /// Whether there may have been more.
    has_gap: bool,
}

impl Shut {
    /// Holds what is for `client` from now on.
    pub(super) fn hold(client: &Client) -> Self {
        Self::Held(Lines { queue: client.queue.like(), newest: None, has_gap: false })
    }

    /// Notes an entry that is for the client's cursor, and whose lines were pushed.
    pub(super) fn note(&mut self, id: EntryId) {
        if let Self::Held(lines) = self {
            lines.newest = Some(id);
        }
    }

    /// Notes that entries may have been missed.
    pub(super) fn note_gap(&mut self) {
        if let Self::Held(lines) = self {
            lines.has_gap = true;
        }
    }

    /// Gives the client what was held of `partition`, and moves its cursor accordingly.
    pub(super) fn open(self, client: &Client, partition: &Partition) {
        let Self::Held(Lines { queue, newest, has_gap }) = self else { return };
        if queue.closed().is_some() {
            return client.queue.cut(EXCEEDED);
        }
        queue.pour_into(&client.queue);
        let is_feed = partition.kind() == Kind::Feed;
        match newest {
            Some(id) if is_feed => client.cursor.deliver_post(partition.name(), id),
            Some(id) => client.cursor.deliver(id),
            None => {}
        }
        match has_gap {
            true if is_feed => client.cursor.forget(partition.name()),
            true => client.cursor.stop(),
            false => {}
        }
    }
}

impl Lines {
    pub(super) fn queue(&self) -> &SendQueue {
        &self.queue
    }
}
