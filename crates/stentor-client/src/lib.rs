//! Stentor's terminal client. It works with any IRCv3 server, and knows what Stentor adds.
//!
//! - [`event`]: what a person is shown
//! - [`engine`]: the conversation with the server, as a value: lines and inputs go in, lines and events come out
//! - [`slash`]: the commands that a user may type
//! - [`trust`]: whom to believe to be the server
//! - [`link`]: the connection to a server
//! - [`driver`]: the engine and the link together, through lost connections
//! - [`failure`]: how a chat ends that does not end well
//! - `hazard`: characters that must not reach a terminal
//! - [`line`](mod@line): the front end for pipes and plain terminals
//! - [`screen`]: the front end on a whole terminal

pub mod driver;
pub mod engine;
pub mod event;
pub mod failure;
mod hazard;
pub mod line;
pub mod link;
pub mod screen;
pub mod slash;
pub mod trust;
