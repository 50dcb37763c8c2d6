//! The Stentor node: listeners, connections, sessions, commands, the hub and the stores.
//!
//! - [`random`]: random numbers and names
//! - [`store`]: partitions, the one way to write to them, and the two stores

pub mod random;
pub mod store;
