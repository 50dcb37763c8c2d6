//! The Stentor node: listeners, connections, sessions, commands, the hub and the stores.
//!
//! - [`account`]: who may log in, with which password, and in which roles
//! - [`admin`]: what an operator can do from the command line
//! - [`commit_identity`]: who writes, under which number, and until when
//! - [`config`]: settings, checked
//! - [`invite`]: codes that let their holders make an account
//! - [`random`]: random numbers and names
//! - [`secret`]: text that must not be printed
//! - [`store`]: partitions, the one way to write to them, and the two stores
//! - [`tls`]: certificates, made or given, and how TLS is spoken

pub mod account;
pub mod admin;
pub mod commit_identity;
pub mod config;
pub mod invite;
pub mod random;
pub mod secret;
pub mod store;
pub mod tls;
