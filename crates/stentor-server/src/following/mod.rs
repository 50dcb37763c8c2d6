//! Following people: posts that reach all who follow their author, and what followed people say in open rooms.
//!
//! - [`record`]: how both sides of a subscription are stored
//! - [`links`]: making and ending subscriptions
//! - [`sessions`]: the feeds that a session hears, and its own
//! - [`audience`]: whom something said reaches
//! - [`removal`]: what is taken away when an account is removed
//!
//! An account's posts are the log of its **feed**, the partition `p/<account>`. A post is appended there once, and the
//! nodes of those who follow read it. The feed's field `s:<follower>` is the subscription: what reaches a follower is
//! decided by it, at its place in the feed's order. The follower's account has a field `follow:<publisher>` for each, so
//! that its sessions know which feeds to watch. It is written before the subscription and taken away after it: it may
//! name one that is gone, it never misses one that exists.
//!
//! What a followed person says in a room is published on the feed and appended nowhere.

pub mod audience;
pub mod links;
pub mod record;
pub mod removal;
pub mod sessions;
