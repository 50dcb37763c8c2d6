//! How many channels there are, counted without reading the directory each time that somebody asks.
//!
//! A channel with members is counted by one node: that of the member with the lowest id. Every node that has a member there
//! sees all of them, so it knows whether it is the one, and asks nobody. A channel that its founder's account keeps while
//! nobody is in it is followed by no node; those are counted by the nodes together, each for its share of the directory. They
//! are looked for when somebody asks for numbers, at most once in `KEPT`, and what was found is kept until then: for that
//! long a channel that has just been left or entered again may be missing, or count twice.
//!
//! Secret channels count, as on other servers. What nobody may find out is whether a certain one exists, and what its name
//! is. The number tells neither.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::hub::State;
use crate::node::Node;
use crate::store::partition::DIRECTORY_BUCKETS;
use crate::store::{Kind, Partition, StoreError};

/// What one node knows of the channels that nobody is in.
#[derive(Debug, Default)]
pub struct Census {
    last: Mutex<Option<Reading>>,
    /// Held by the one task that looks for them.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What was found in this node's share of the directory.
#[derive(Clone, Copy, Debug)]
struct Reading {
    empty: u64,
    ended: Instant,
    took: Duration,
}

impl Census {
    /// How many channels this node counts: those with members whose turn it is, and the empty ones that it found last.
    #[must_use]
    pub fn channels(&self, node: &Node) -> u64 {
        let tenure = node.tenure();
        let name = tenure.writer().node();
        let occupied = node.hub.count_channels(|state| is_counted_by(state, name));
        let last = *self.last.lock().expect("no holder of the reading panics");
        last.map_or(0, |reading| reading.empty).saturating_add(occupied)
    }

    /// Waits until nobody looks any more.
    pub async fn settled(&self) {
        drop(self.turn.lock().await);
    }

    fn is_due(&self, now: Instant) -> bool {
        let last = *self.last.lock().expect("no holder of the reading panics");
        last.is_none_or(|reading| reading.is_old(now))
    }

    fn keep(&self, empty: u64, began: Instant) {
        let ended = Instant::now();
        let reading = Reading { empty, ended, took: ended.duration_since(began) };
        *self.last.lock().expect("no holder of the reading panics") = Some(reading);
    }
}

impl Reading {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.ended) >= KEPT.max(self.took.saturating_mul(REST))
    }
}

/// Looks for empty channels where that was not done lately, on a task of its own; [`Census::settled`] waits for its end.
pub fn renew(node: &Arc<Node>) {
    if !node.census.is_due(Instant::now()) {
        return;
    }
    let Ok(turn) = node.census.turn.clone().try_lock_owned() else { return };
    let node = node.clone();
    node.tasks.clone().spawn(async move {
        let began = Instant::now();
        match count_empty(&node).await {
            Ok(empty) => node.census.keep(empty, began),
            Err(error) => tracing::debug!(%error, "the empty channels are counted another time"),
        }
        drop(turn);
    });
}

/// How many channels there are in this node's share of the directory that nobody is in.
async fn count_empty(node: &Node) -> Result<u64, StoreError> {
    let (store, tenure) = (node.hub.store(), node.tenure());
    let mut empty = 0;
    for bucket in (0..DIRECTORY_BUCKETS).map(Partition::directory) {
        if !node.fleet.is_in_share(tenure.writer(), &bucket) {
            continue;
        }
        let Some(snapshot) = store.snapshot(&bucket).await? else { continue };
        let listed = snapshot.fields.iter().filter_map(|(name, _)| Partition::from_name(name));
        let channels: Vec<Partition> = listed.filter(|one| one.kind() == Kind::Channel).collect();
        for some in channels.chunks(BATCH) {
            let peeks = store.peek(some, &[]).await?;
            let found = peeks.iter().filter(|peek| peek.epoch.is_some() && peek.members == 0).count();
            empty += u64::try_from(found).unwrap_or(u64::MAX);
        }
    }
    Ok(empty)
}

/// Whether a channel is counted by the node of this name.
fn is_counted_by(state: &State, node: &str) -> bool {
    let first = state.members.iter().min_by_key(|(id, _)| *id);
    first.is_some_and(|(_, member)| member.writer.split('@').next() == Some(node))
}

/// For how long what was found is kept.
const KEPT: Duration = Duration::from_mins(1);
/// Looking takes at most one part in so many of the time.
const REST: u32 = 100;
/// How many channels are looked at together.
const BATCH: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Member;

    #[test]
    fn a_channel_is_counted_by_one_of_its_members_nodes() {
        let mut state = State::default();
        assert!(!is_counted_by(&state, "one"));
        for (id, writer) in [("b", "two@1"), ("a", "one@7"), ("c", "two@1")] {
            let member = Member { writer: writer.to_owned(), ..Member::default() };
            state.members.insert(id.into(), Arc::new(member));
        }
        assert!(is_counted_by(&state, "one") && !is_counted_by(&state, "two"));
    }

    #[test]
    fn a_reading_is_kept_for_a_minute_and_for_longer_where_it_took_long() {
        let now = Instant::now();
        let reading = |took| Reading { empty: 1, ended: now, took };
        let quick = reading(Duration::from_millis(5));
        assert!(!quick.is_old(now + Duration::from_secs(59)) && quick.is_old(now + Duration::from_mins(1)));
        let slow = reading(Duration::from_secs(3));
        assert!(!slow.is_old(now + Duration::from_secs(299)) && slow.is_old(now + Duration::from_mins(5)));
    }
}
