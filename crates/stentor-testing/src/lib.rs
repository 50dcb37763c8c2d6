//! Real servers and certificates for tests. Everything listens on loopback and ends with the value that started it.
//!
//! - [`redis`]: a `redis-server` process
//! - [`tls`]: an authority, and certificates from it
//!
//! Whatever is missing or fails is a panic with the reason: a test that cannot run has failed.

pub mod redis;
pub mod tls;

pub use redis::{RedisOptions, RedisServer};
pub use tls::Authority;
