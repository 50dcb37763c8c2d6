//! The conformance suite on this store, and what is this store's own.

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::store::conformance::{self, Harness};

/// Stores in directories of their own, with room for `limit` partitions in memory.
struct Fresh {
    directories: Mutex<Vec<TempDir>>,
    limit: usize,
}

#[async_trait]
impl Harness for Fresh {
    async fn open(&self) -> Vec<Arc<dyn Store>> {
        let directory = tempfile::tempdir().expect("a directory");
        let store =
            EmbeddedStore::open_keeping(directory.path(), OpenMode::Create, Durability::Normal, self.limit);
        self.directories.lock().expect("no test panicked here").push(directory);
        vec![store.expect("it opens")]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    conformance::run_all(&Fresh { directories: Mutex::default(), limit: PARTITIONS }).await;
}
