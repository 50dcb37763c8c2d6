//! From the store's events to the replicas.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Hub, PUSH_WAIT};
use crate::hub::replica::Offered;
use crate::store::{Event, Partition, Sink};

/// Takes the store's events and hands each to the worker of its partition. It never blocks: where a worker is behind, the
/// partition is marked lost and read again from its log.
#[derive(Debug)]
struct Feed {
    workers: Vec<Worker>,
    away: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Worker {
    events: mpsc::Sender<Event>,
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
            Worker { events: sender, lost }
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
                if worker.events.try_send(event).is_err() {
                    worker.lost.lock().expect("no holder of the set panics").insert(partition);
                }
            }
            // The store has logged it, with its reason.
            Event::Away => self.away.store(true, Ordering::Relaxed),
            Event::Back => self.away.store(false, Ordering::Relaxed),
        }
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
    mut events: mpsc::Receiver<Event>,
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
        for event in batch.drain(..) {
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
                hub.repair_soon(replica, Duration::ZERO);
            }
        }
        Event::Away | Event::Back => {}
    }
}

/// How many events may wait for one worker.
const QUEUE: usize = 16 * 1024;
/// How many events a worker takes before it lets others run.
const BATCH: usize = 64;
