//! The store that the configuration names.

use std::fmt;
use std::sync::Arc;

use super::Store;
use super::embedded::{self, EmbeddedStore, OpenMode};
use super::redis::{ConnectError, RedisSettings, RedisStore};
use crate::config::{Config, Durability, Redis};

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What is allowed but should not be so, for the operator: a sentence each.
    pub warnings: Vec<String>,
}

/// Opens the store that `config` names: Redis where it has an address, else the one in the data directory.
///
/// # Errors
/// See [`OpenStoreError`].
pub async fn open(config: &Config, mode: OpenMode) -> Result<Opened, OpenStoreError> {
    if let Some(redis) = &config.redis {
        let store = RedisStore::connect(redis_settings(redis, mode)).await?;
        let warnings = store.warnings();
        return Ok(Opened { store, warnings });
    }
    let directory = config.data.dir.clone();
    let durability = match config.store.durability {
        Durability::Normal => embedded::Durability::Normal,
        Durability::Full => embedded::Durability::Full,
    };
    // Opening waits for the disk, and longest after a crash.
    let opening = tokio::task::spawn_blocking(move || EmbeddedStore::open(&directory, mode, durability));
    let store = opening.await.map_err(|error| OpenStoreError::Interrupted(error.to_string()))??;
    Ok(Opened { store, warnings: Vec::new() })
}

fn redis_settings(redis: &Redis, mode: OpenMode) -> RedisSettings {
    RedisSettings {
        username: redis.username.clone(),
        password: redis.password.clone(),
        ca: redis.ca.clone(),
        client_certificate: redis.client.as_ref().map(|own| (own.chain.clone(), own.key.clone())),
        create: mode == OpenMode::Create,
        ..RedisSettings::new(&redis.url.to_string())
    }
}

/// Why a store could not be opened.
#[derive(Debug)]
pub enum OpenStoreError {
    /// The embedded one.
    Embedded(embedded::OpenError),
    /// The one in Redis.
    Redis(ConnectError),
    /// The program is ending.
    Interrupted(String),
}

impl fmt::Display for OpenStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(error) => error.fmt(f),
            Self::Redis(error) => error.fmt(f),
            Self::Interrupted(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OpenStoreError {}

impl From<embedded::OpenError> for OpenStoreError {
    fn from(error: embedded::OpenError) -> Self {
        Self::Embedded(error)
    }
}

impl From<ConnectError> for OpenStoreError {
    fn from(error: ConnectError) -> Self {
        Self::Redis(error)
    }
}
