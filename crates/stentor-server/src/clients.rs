//! The clients of one node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::client::Client;
use crate::hub::UserId;

/// Every client of this node that has registered, by id and by nick.
#[derive(Debug, Default)]
pub struct Clients {
    inner: Mutex<Inner>,
    changed: Notify,
    most_anywhere: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<UserId, Arc<Client>>,
    by_nick: HashMap<String, UserId>,
    most: usize,
}

/// How many clients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Now.
    pub now: usize,
    /// At the most since the node started.
    pub most: usize,
}

impl Clients {
    /// Adds a client, so that it can be asked about by id.
    pub fn add(&self, client: &Arc<Client>) {
        self.lock().by_id.insert(client.id.clone(), client.clone());
    }

    /// Notes that a client holds this nick, and no more the one before.
    pub fn rename(&self, client: &Arc<Client>, from: Option<&str>, to: &str) {
        let mut inner = self.lock();
        // The owner of an account of that name may have it by now.
        if let Some(from) = from.filter(|from| inner.by_nick.get(*from) == Some(&client.id)) {
            inner.by_nick.remove(from);
        }
        inner.by_nick.insert(to.to_owned(), client.id.clone());
        inner.most = inner.most.max(inner.by_nick.len());
    }

    /// Removes a client, and the folded nick that it holds.
    pub fn remove(&self, client: &Client, nick: Option<&str>) {
        let mut inner = self.lock();
        inner.by_id.remove(&client.id);
        if let Some(nick) = nick.filter(|nick| inner.by_nick.get(*nick) == Some(&client.id)) {
            inner.by_nick.remove(nick);
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().by_id.is_empty()
    }

    /// Completes when a client has gone after this call.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// The client with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<Arc<Client>> {
        self.lock().by_id.get(id).cloned()
    }

    /// The client with this folded nick.
    #[must_use]
    pub fn by_nick(&self, folded: &str) -> Option<Arc<Client>> {
        let inner = self.lock();
        inner.by_nick.get(folded).and_then(|id| inner.by_id.get(id)).cloned()
    }

    /// All of them, as they are now.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.lock().by_id.values().cloned().collect()
    }

    /// How many have connected and not registered yet.
    #[must_use]
    pub fn unregistered(&self) -> usize {
        let inner = self.lock();
        inner.by_id.len().saturating_sub(inner.by_nick.len())
    }

    /// How many have registered.
    #[must_use]
    pub fn count(&self) -> Count {
        let inner = self.lock();
        Count { now: inner.by_nick.len(), most: inner.most }
    }

    /// How many users the network has had at the most, as far as this node has heard; with so many now.
    pub fn most_anywhere(&self, now: u64) -> u64 {
        self.most_anywhere.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of the clients panics")
    }
}
