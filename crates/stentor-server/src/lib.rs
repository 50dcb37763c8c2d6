//! The Stentor node: listeners, connections, sessions, commands, the hub and the stores.
//!
//! - [`config`]: settings, checked
//! - [`random`]: random numbers and names
//! - [`secret`]: text that must not be printed
//! - [`store`]: partitions, the one way to write to them, and the two stores
//! - [`tls`]: certificates, made or given, and how TLS is spoken

pub mod config;
pub mod random;
pub mod secret;
pub mod store;
pub mod tls;
