//! What the engine is told at its start.

use stentor_proto::Secret;

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
