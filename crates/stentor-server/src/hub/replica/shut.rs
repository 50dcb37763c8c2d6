//! Clients that do not hear a partition's lines yet: what waited for them comes first.

use std::sync::Arc;

use super::Replica;
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

impl Replica {
    /// Makes what happens to its account reach `client`, and the partition's lines once that is opened.
    pub fn add_local_shut(&self, client: Arc<Client>) {
        let mut inner = self.lock();
        inner.shut.insert(client.id.clone(), Shut::Deaf);
        inner.locals.insert(client.id.clone(), client);
    }

    /// Keeps the lines of all further entries for a client that was added shut until it is opened, and returns the newest
    /// entry.
    pub fn hold_local(&self, id: &str) -> EntryId {
        let mut inner = self.lock();
        if let Some((id, client)) =
            inner.locals.get_key_value(id).filter(|(id, _)| inner.shut.contains_key(*id))
        {
            let (id, shut) = (id.clone(), Shut::hold(client));
            inner.shut.insert(id, shut);
        }
        inner.newest()
    }

    /// Makes what was held, and the lines of all further entries, reach a client that was added shut, and returns the newest
    /// entry. Where `after` is given and another entry is the newest, nothing is done.
    pub fn open_local(&self, id: &str, after: Option<EntryId>) -> Option<EntryId> {
        let mut inner = self.lock();
        let newest = inner.newest();
        if after.is_some_and(|after| after != newest) {
            return None;
        }
        if let Some(shut) = inner.shut.remove(id)
            && let Some(client) = inner.locals.get(id)
        {
            shut.open(client, &self.partition);
        }
        Some(newest)
    }
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
