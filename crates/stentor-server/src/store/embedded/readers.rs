//! Connections that only read: pages of history, without making the writer wait.

use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::open::Files;
use super::{closed, rows};
use crate::store::StoreError;

/// A few reading connections, opened when they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    files: Files,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(files: Files) -> Self {
        Self { files, slots: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    /// Runs `work` on a reading connection, on a thread that may block.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| closed())?;
        let (files, idle) = (self.files.clone(), self.idle.clone());
        let task = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let kept = idle.lock().expect("no holder of the connections panics").pop();
            let mut connection = match kept {
                Some(connection) => connection,
                None => files.connect(OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(rows::failed)?,
            };
            let result = work(&mut connection);
            idle.lock().expect("no holder of the connections panics").push(connection);
            result
        });
        task.await.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("a reader ended: {error}"))))
    }

    /// Waits for what is under way, refuses what comes, and closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.slots.acquire_many(READERS as u32).await {
            self.slots.close();
            drop(all);
        }
        self.idle.lock().expect("no holder of the connections panics").clear();
    }
}

/// How many may read at once.
const READERS: usize = 4;
