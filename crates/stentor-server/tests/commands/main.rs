//! Every command's behaviour, as clients of a real node see it.

#[path = "../support/mod.rs"]
mod support;

mod account_tag;
mod away;
mod bulletin;
mod cap;
mod channel_modes;
mod charge;
mod fleet;
mod help;
mod invite;
mod join;
mod kick;
mod label;
mod lines;
mod list;
mod login;
mod message;
mod monitor;
mod names;
mod nick;
mod part;
mod ping;
mod presence;
mod quit;
mod server;
mod setname;
mod topic;
mod user_modes;
mod waiting;
mod who;
mod whois;
