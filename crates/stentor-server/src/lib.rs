//! The Stentor node: listeners, connections, sessions, commands, the hub and the stores.
//!
//! - [`random`]: random numbers and names
//! - [`secret`]: texts that no log and no message may show
//! - [`store`]: partitions, the one way to write to them, and the two stores

pub mod random;
pub mod secret;
pub mod store;
