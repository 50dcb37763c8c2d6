//! Which partitions are watched, and who is told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::store::{Entry, Event, Partition, Sink};

/// The watched partitions and the sink. Delivery happens under the lock, so that nothing is delivered once a watch has
/// ended; a sink does not block, as its contract says.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sink: Option<Arc<dyn Sink>>,
    watched: HashSet<Partition>,
}

impl Watches {
    pub(super) fn attach(&self, sink: Arc<dyn Sink>) {
        self.inner().sink = Some(sink);
    }

    /// Forgets the sink, which may well own the store that owns this.
    pub(super) fn detach(&self) {
        let sink = self.inner().sink.take();
        drop(sink);
    }

    pub(super) fn watch(&self, partition: &Partition) {
        self.inner().watched.insert(partition.clone());
    }

    pub(super) fn unwatch(&self, partition: &Partition) {
        self.inner().watched.remove(partition);
    }

    pub(super) fn entry(&self, partition: Partition, entry: Arc<Entry>) {
        let inner = self.inner();
        if let Some(sink) = inner.sink.as_ref().filter(|_| inner.watched.contains(&partition)) {
            sink.deliver(Event::Entry(partition, entry));
        }
    }

    pub(super) fn transient(&self, partition: &Partition, text: &str) {
        let inner = self.inner();
        if let Some(sink) = inner.sink.as_ref().filter(|_| inner.watched.contains(partition)) {
            sink.deliver(Event::Transient(partition.clone(), text.into()));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no holder of the watches panics")
    }
}
