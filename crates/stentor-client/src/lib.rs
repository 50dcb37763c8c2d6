//! Stentor's terminal client. It works with any IRCv3 server, and knows what Stentor adds.
//!
//! - [`event`]: what a person is shown
//! - [`engine`]: the conversation with the server, as a value: lines and inputs go in, lines and events come out
//! - [`slash`]: the commands that a user may type

pub mod engine;
pub mod event;
pub mod slash;
