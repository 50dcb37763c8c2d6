//! The IRC protocol, with IRCv3's additions, as bytes and values: no runtime, no clock, no sockets.
//!
//! What came from outside is parsed here once into types that are always legal; what goes out is built here and
//! cannot carry a second line.
//!
//! - [`message`]: one received line, taken apart without copying
//! - [`tag`]: the tags of a line, decoded on demand
//! - [`limit`] and [`limits`]: fixed limits as rows for people, and those of this crate
//! - [`line`](mod@line): one line to send
//! - [`numeric`]: the numbered replies by their standard names
//! - [`capability`]: what a client can switch on, and a set of it
//! - [`isupport`]: the tokens of reply 005
//! - [`casemapping`]: which names are the same name
//! - `folded`: a text as written, and as compared
//! - [`nick`]: a legal nickname
//! - [`channel`]: a legal channel name
//! - [`mask`]: `nick!user@host` patterns, and plain globs
//! - [`ban`]: what stands in a channel's lists
//! - [`mode`]: mode changes, read and written
//! - [`codec`]: lines out of a stream of bytes, with their length caps
//! - [`secret`]: text that must not be printed
//! - [`text`]: cutting and packing text so that it fits a line

pub mod ban;
pub mod capability;
pub mod casemapping;
pub mod channel;
pub mod codec;
mod folded;
pub mod isupport;
pub mod limit;
pub mod limits;
pub mod line;
pub mod mask;
pub mod message;
pub mod mode;
pub mod nick;
pub mod numeric;
pub mod secret;
pub mod tag;
pub mod text;

pub use ban::ListEntry;
pub use capability::{Capability, CapabilitySet};
pub use casemapping::Casemapping;
pub use channel::{ChannelName, ChannelNameError};
pub use codec::{LineError, LineReader};
pub use isupport::Isupport;
pub use line::Line;
pub use mask::{Mask, MaskError};
pub use message::{Message, ParseError};
pub use mode::{ModeChange, ModeClass, ModeError};
pub use nick::{Nick, NickError};
pub use numeric::Numeric;
pub use secret::Secret;
pub use tag::Tags;
