//! From the store's events to the replicas.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Hub, PUSH_WAIT};
use crate::hub::replica::Offered;
use crate::store::{Event, Partition, Sink};
use crate::weight::Weight;

/// Takes the store's events and hands each to the worker of its partition. It never blocks: where a worker is behind, the
/// partition is marked lost and read again from its log.
#[derive(Debug)]
struct Feed {
    workers: Vec<Worker>,
    away: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Worker {
    events: mpsc::Sender<(Event, Weight)>,
    /// How much waits in it.
    waiting: Arc<AtomicUsize>,
    lost: Arc<Mutex<HashSet<Partition>>>,
}

/// Starts the workers and makes the hub the store's sink.
pub(super) fn attach(hub: &Arc<Hub>) {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = (0..count)
        .map(|_| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let lost = Arc::new(Mutex::default());
            let worker = work(Arc::downgrade(hub), receiver, Arc::clone(&lost), hub.stop.clone());
            hub.tasks.spawn(worker);
            Worker { events: sender, waiting: Arc::default(), lost }
        })
        .collect();
    hub.store.attach(Arc::new(Feed { workers, away: Arc::clone(&hub.away) }));
}

impl Sink for Feed {
    fn deliver(&self, event: Event) {
        match &event {
            Event::Entry(partition, _) | Event::Transient(partition, _) | Event::Lost(partition) => {
                let worker = self.worker(partition);
                let partition = partition.clone();
                if !worker.take(event) {
                    worker.lost.lock().expect("no holder of the set panics").insert(partition);
                }
            }
            // The store has logged it, with its reason.
            Event::Away => self.away.store(true, Ordering::Relaxed),
            Event::Back => self.away.store(false, Ordering::Relaxed),
        }
    }
}

impl Worker {
    /// False where it is too far behind.
    fn take(&self, event: Event) -> bool {
        let size = match &event {
            Event::Entry(_, entry) => entry.body.size(),
            Event::Transient(_, text) => text.len(),
            Event::Lost(_) | Event::Away | Event::Back => 0,
        };
        Weight::new(PER_EVENT + size, &self.waiting, MAX_WAITING)
            .is_some_and(|weight| self.events.try_send((event, weight)).is_ok())
    }
}

impl Feed {
    fn worker(&self, partition: &Partition) -> &Worker {
        let count = u64::try_from(self.workers.len()).unwrap_or(1).max(1);
        let index = usize::try_from(partition.spread() % count).unwrap_or_default();
        &self.workers[index]
    }
}

async fn work(
    hub: Weak<Hub>,
    mut events: mpsc::Receiver<(Event, Weight)>,
    lost: Arc<Mutex<HashSet<Partition>>>,
    stop: tokio_util::sync::CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            received = events.recv_many(&mut batch, BATCH) => if received == 0 { return },
        }
        let Some(hub) = hub.upgrade() else { return };
        for (event, _weight) in batch.drain(..) {
            // What was published after an entry that had no room must not overtake the news of that.
            if let Event::Transient(partition, _) = &event
                && lost.lock().expect("no holder of the set panics").contains(partition)
            {
                continue;
            }
            take(&hub, event);
        }
        let overflowed = std::mem::take(&mut *lost.lock().expect("no holder of the set panics"));
        for partition in overflowed {
            take(&hub, Event::Lost(partition));
        }
        tokio::task::yield_now().await;
    }
}

fn take(hub: &Arc<Hub>, event: Event) {
    match event {
        Event::Entry(partition, entry) => {
            let Some(replica) = hub.find(&partition) else { return };
            if replica.offer(&entry, &hub.told) == Offered::Early && replica.is_ready() {
                hub.repair_soon(replica, PUSH_WAIT);
            }
        }
        Event::Transient(partition, text) => hub.take_transient(&partition, &text),
        Event::Lost(partition) => {
            if let Some(replica) = hub.find(&partition) {
                replica.note_lost();
                hub.repair_soon(replica, Duration::ZERO);
            }
        }
        Event::Away | Event::Back => {}
    }
}

/// How many events may wait for one worker.
const QUEUE: usize = 16 * 1024;
/// How much may wait for one worker, in bytes; one event that is longer waits alone.
const MAX_WAITING: usize = 32 << 20;
/// What an event takes besides its texts.
const PER_EVENT: usize = 256;
/// How many events a worker takes before it lets others run.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_behind_is_handed_no_more_than_it_may_keep() {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        let worker = Worker { events: sender, waiting: Arc::default(), lost: Arc::default() };
        let text = "x".repeat(1 << 20);
        let event = || Event::Transient(Partition::channel("#x"), text.as_str().into());
        let taken = (0..QUEUE).take_while(|_| worker.take(event())).count();
        assert_eq!(taken, 31, "with what it takes besides, one less than there are mebibytes");
        drop(receiver.try_recv().expect("one waits"));
        assert!(worker.take(event()) && !worker.take(event()));
    }
}
