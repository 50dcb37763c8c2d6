//! What the engine is told at its start.

use std::fmt;

/// Whom to log in as, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The account, which is the nick too.
    pub user: String,
    /// Its password. An empty one means: no login, come as a guest.
    pub password: Secret,
    /// Make the account first.
    pub register: Option<Registration>,
}

/// How an account is made.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    /// The invitation code, where the server asks for one.
    pub invite: Option<Secret>,
}

/// A text that must not be printed. Its `Debug` shows nothing of it.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}
