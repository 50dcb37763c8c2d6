//! Two nodes in this process, on one real `redis-server`: what the fleet promises while all its nodes live.

mod chat;
mod following;
mod history;
mod invitations;
mod leases;
mod logins;
mod moderation;
mod modes;
mod operators;
mod rename;
mod standing;
mod store_away;
mod sweeps;
mod waiting;

use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_testing::{RedisServer, TestServer};

/// Two nodes that share a Redis server.
pub(crate) struct Pair {
    pub(crate) one: TestServer,
    pub(crate) two: TestServer,
    redis: RedisServer,
}

impl Pair {
    /// Two nodes with these settings besides those of every test.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let redis = RedisServer::start();
        let one = node(&redis, "one.example", settings).await;
        let two = node(&redis, "two.example", settings).await;
        Self { one, two, redis }
    }

    /// The Redis server.
    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        &mut self.redis
    }
}

pub(crate) async fn node(redis: &RedisServer, name: &str, settings: &[(&str, &str)]) -> TestServer {
    let store = RedisStore::connect(RedisSettings::new(&redis.url())).await.expect("Redis can be reached");
    let directory = tempfile::tempdir().expect("a directory can be made");
    TestServer::start_on(store, name, directory, settings).await
}
