//! The conversation with the server, as a value: lines and inputs go in, lines and events come out.
//!
//! - [`view`]: what a front end may look at

pub mod view;
