//! The connection to a server: names, sockets, TLS, and lines in both directions.
//!
//! - [`url`]: which server, as a person writes it
//! - [`dial`]: opens a connection to it
//! - [`connection`]: lines over an open one
//! - [`backoff`]: pauses between attempts
//! - [`error`]: why there is no connection

pub mod backoff;
pub mod connection;
pub mod dial;
pub mod error;
pub mod url;

pub use backoff::Backoff;
pub use connection::Connection;
pub use dial::Dialer;
pub use error::ConnectError;
pub use url::{ServerUrl, UrlError};
