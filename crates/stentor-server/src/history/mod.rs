//! What was said: pages of it for clients, and the janitor that keeps it within its bounds.
//!
//! - [`conversation`]: one buffer from several logs
//! - [`mark`]: what a page is relative to
//! - [`view`]: which lines of a log are messages of one buffer
//! - [`scan`]: collects a page from pieces of a log, without reading them itself
//! - [`reader`]: reads a log for a scan, and finds messages by their ids
//! - [`targets`]: with whom and where there are new messages
//! - [`retention`]: where a log is to be cut
//! - [`janitor`]: goes round and cuts
//!
//! A log holds everything that happened; a page holds what was said. So a page of so many messages may take more entries
//! to find, but never more than a fixed number: past that the client is told how far the search came.
//!
//! Nothing newer than the node's own copy of the partition is shown. What a client may read is decided by that copy, so
//! whoever is thrown out of a room reads nothing of what follows, even while the news of it is on its way.

pub mod conversation;
pub mod janitor;
pub mod mark;
pub mod reader;
pub mod retention;
pub mod scan;
pub mod targets;
pub mod view;

pub use conversation::{Ask, Conversation, Merged, Point};
pub use mark::{Cut, Mark, Place};
pub use reader::Log;
pub use scan::{Found, Scan};
pub use view::{Other, Said, View};
