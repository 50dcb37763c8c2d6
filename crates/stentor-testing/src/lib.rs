//! Real servers, clients and certificates for tests. Everything listens on loopback and ends with the value that started
//! it.
//!
//! - [`server`]: a node in the test's own process
//! - [`client`]: one client's socket
//! - [`message`]: what a client read, taken apart
//! - [`bad_line`]: a store whose commits or answers get lost
//! - [`port`]: ports to listen on later
//! - [`process`]: signals to processes
//! - [`redis`]: a `redis-server` process
//! - [`terminal`]: a terminal, keys in, screen out
//! - [`tls`]: an authority, and certificates from it
//!
//! The program `readme` follows the README as a newcomer does: `cargo xtask readme`.
//!
//! Whatever is missing or fails is a panic with the reason: a test that cannot run has failed.

pub mod bad_line;
pub mod client;
pub mod message;
pub mod port;
pub mod process;
pub mod redis;
pub mod server;
pub mod terminal;
pub mod tls;

pub use bad_line::{BadLine, Fault};
pub use client::TestClient;
pub use message::{Said, command, numeric};
pub use redis::{RedisOptions, RedisServer};
pub use server::TestServer;
pub use terminal::Terminal;
pub use tls::Authority;
