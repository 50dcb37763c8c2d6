//! Every command's behaviour, as clients of a real node see it.

mod account_tag;
mod authenticate;
mod away;
mod bulletin;
mod cap;
mod channel_modes;
mod charge;
mod connection;
mod fleet;
mod founded;
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
mod pass;
mod ping;
mod presence;
mod quit;
mod register;
mod server;
mod setname;
mod topic;
mod user_modes;
mod waiting;
mod who;
mod whois;

use stentor_testing as support;
