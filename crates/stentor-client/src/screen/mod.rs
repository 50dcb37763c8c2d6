//! The full-screen client.
//!
//! - `run`: the loop that waits for the terminal and the server, and draws
//! - `terminal`: the terminal's modes, and giving it back as it was
//! - `app`: the state, and what keys do to it
//! - `keys`: which key does what
//! - `local`: commands that concern the screen alone
//! - `places`, `buffer`: what is shown where, and what of it is unread
//! - `facts`: what is shown of the engine besides
//! - `edit`, `complete`, `search`: the line that is being written, completion, search
//! - `format`, `wrap`, `paper`: from a text to rows of the screen
//! - `layout`, `draw`, `status`, `help`, [`theme`]: the screen itself
//! - [`limits`]: how much of all that there is at most
//!
//! What was decided:
//!
//! - The mouse is left to the terminal, so that selecting text works as everywhere, until `--mouse`, F2 or `/mouse`.
//! - Several pasted lines are asked about before they are sent, each as a message.
//! - What is being written stays with its place; when a command of the user's own leads elsewhere, it goes along.
//! - A place that is looked at fills its first page from the server; after that, older lines come where they are paged to.
//! - Lines from the history count as unread only where they were missed: not at the first entry.
//! - Colours are those of the 256-colour palette that can be read on dark and on light ground.

mod app;
mod buffer;
mod complete;
mod draw;
mod edit;
mod facts;
mod format;
mod help;
mod keys;
mod layout;
pub mod limits;
mod local;
mod paper;
mod places;
mod run;
mod search;
mod status;
mod terminal;
pub mod theme;
mod wrap;

pub use run::{ScreenOptions, run};

#[cfg(test)]
mod tests;
