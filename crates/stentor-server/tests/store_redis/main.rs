//! The store in Redis, on real servers: the conformance suite, which servers it works with, and what becomes of it when
//! servers, connections and data fail.

mod connecting;
mod faults;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use stentor_server::store::Store;
use stentor_server::store::conformance::{self, Harness};
use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_testing::{RedisOptions, RedisServer};

/// Three nodes on one server; every case has a database of its own.
struct Fleet {
    server: RedisServer,
    database: AtomicU32,
}

#[async_trait]
impl Harness for Fleet {
    async fn open(&self) -> Vec<Arc<dyn Store>> {
        let database = self.database.fetch_add(1, Ordering::Relaxed);
        let settings = RedisSettings::new(&format!("{}/{database}", self.server.url()));
        let mut stores: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..3 {
            stores.push(RedisStore::connect(settings.clone()).await.expect("it connects"));
        }
        stores
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    let server = RedisOptions::new().conf("databases 200").start();
    conformance::run_all(&Fleet { server, database: AtomicU32::new(0) }).await;
}
