//! The Stentor node: listeners, connections, sessions, commands, the hub and the stores.
//!
//! - [`account`]: who may log in, with which password, and in which roles
//! - [`admin`]: what operators ask of a node or its store
//! - [`backoff`]: waiting between attempts
//! - [`client`] and [`clients`]: what the rest of a node knows of its clients
//! - [`command`]: one file a command, and the table of them
//! - [`commit_identity`]: who writes, under which number, and until when
//! - [`config`]: settings, checked
//! - [`connection`]: one task per socket
//! - [`cursor`]: how far a client has read its account's private messages, and the posts of those whom it follows
//! - [`error`]: why a command was not done, and whose fault that is
//! - [`fleet`]: leases, sweeps and the directory
//! - [`following`]: who follows whom, and what reaches them
//! - [`history`]: pages of what was said, and how long it is kept
//! - [`hub`]: replicas of partitions, and the way commands write to them
//! - [`invite`]: codes that let their holders make an account
//! - [`limits`]: the limits that no key of the configuration moves
//! - [`listener`]: where clients come in
//! - [`metadata`]: what people and rooms say about themselves
//! - [`modes`]: the table of all modes
//! - [`node`]: everything together, from start to shutdown
//! - [`operator`]: operators, the log of what they do, and the network's bans
//! - [`policy`]: the rules of channels
//! - [`random`]: random numbers and names
//! - [`reply`]: what a command answers
//! - [`rooms`]: where the room of a name is, and giving it another name
//! - [`send_queue`]: what waits to be written to a connection
//! - [`services`]: NickServ and its like, for clients and habits that know them
//! - [`session`]: what a connection's task owns
//! - [`store`]: partitions, the one way to write to them, and the two stores
//! - [`tenure`]: one incarnation of a node
//! - [`tls`]: certificates, and the TLS that listeners speak
//! - [`weight`]: how much waits in a queue

pub mod account;
pub mod admin;
pub mod backoff;
pub mod client;
pub mod clients;
pub mod command;
pub mod commit_identity;
pub mod config;
pub mod connection;
pub mod cursor;
pub mod error;
pub mod fleet;
pub mod following;
pub mod history;
pub mod hub;
pub mod invite;
pub mod limits;
pub mod listener;
pub mod metadata;
pub mod modes;
pub mod node;
pub mod operator;
pub mod policy;
pub mod random;
pub mod reply;
pub mod rooms;
pub mod send_queue;
pub mod services;
pub mod session;
pub mod store;
pub mod tenure;
pub mod tls;
pub mod weight;
