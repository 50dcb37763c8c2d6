//! Operators: who is one, what they may do, and what is written down of it.
//!
//! - [`audit`]: the log of what operators did
//! - [`ban`]: whom a ban is about
//! - [`bans`]: the network's bans in the store
//! - [`watch`]: this node's copy of them, and what it does to its own clients
//! - [`broadcast`]: texts for the users of all nodes
//! - [`notices`]: what operators hear at once of what matters
//!
//! A client becomes an operator by OPER alone. Its privileges are looked up anew at every use, so what a grant or the
//! configuration does not give any more ends at once. Every use is written to the audit log first; where that cannot be
//! done, the use does not happen.

pub mod audit;
pub mod ban;
pub mod bans;
pub mod broadcast;
pub mod notices;
pub mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use stentor_proto::numeric::Numeric;

use crate::client::{Client, Profile};
use crate::config::{Config, OperatorBlock, Privilege};
use crate::error::Error;
use crate::node::Node;
use crate::session::Session;
use audit::Deed;

/// By what a client is an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// By the roles of its account.
    Account,
    /// By a block of the configuration, as it was when the password was compared.
    Configured(String, Arc<OperatorBlock>),
}

/// What a client may do now. Empty where it is no operator, or not any more.
#[must_use]
pub fn privileges(config: &Config, profile: &Profile) -> BTreeSet<Privilege> {
    match &profile.operator {
        None => BTreeSet::new(),
        Some(Standing::Account) => config.roles.privileges(profile.roles.iter().map(String::as_str)),
        Some(Standing::Configured(name, block)) if config.operators.get(name) == Some(block) => {
            config.roles.privileges([block.role.as_str()])
        }
        Some(Standing::Configured(..)) => BTreeSet::new(),
    }
}

/// Whether a client is an operator now.
#[must_use]
pub fn is_operator(config: &Config, profile: &Profile) -> bool {
    profile.operator.is_some() && !privileges(config, profile).is_empty()
}

/// The name that an operator is known by in the audit log: its account's, or that of its block in the configuration.
#[must_use]
pub fn name_of(profile: &Profile) -> String {
    match (&profile.operator, &profile.account) {
        (Some(Standing::Configured(name, _)), _) => name.clone(),
        (_, Some(account)) => account.clone(),
        _ => profile.nick.clone(),
    }
}

/// The one place where commands ask for a privilege.
///
/// # Errors
/// `ERR_NOPRIVILEGES`.
pub fn demand(session: &Session, privilege: Privilege) -> Result<(), Error> {
    let (config, profile) = (session.node.config(), session.client.profile());
    let held = privileges(&config, &profile);
    if held.contains(&privilege) {
        return Ok(());
    }
    let text = if held.is_empty() {
        "Permission Denied- You're not an IRC operator".to_owned()
    } else {
        format!("Permission Denied- Your role does not have the privilege {privilege}")
    };
    Err(Error::numeric(Numeric::ERR_NOPRIVILEGES, &[], &text))
}

/// Asks for a privilege and writes down its use, before it is used.
///
/// # Errors
/// `ERR_NOPRIVILEGES`, or the store's: nothing may be done then.
pub async fn authorise(session: &Session, privilege: Privilege, deed: &Deed<'_>) -> Result<(), Error> {
    demand(session, privilege)?;
    record(session, deed).await?;
    // It may have been taken back while the store was busy.
    demand(session, privilege)
}

/// Writes down what this session does.
///
/// # Errors
/// The store's.
pub async fn record(session: &Session, deed: &Deed<'_>) -> Result<(), Error> {
    let profile = session.client.profile();
    session.node.audit.record(&profile.source(), &name_of(&profile), deed).await.map_err(Error::from)
}

/// Ends the privileges of those whom the configuration gives none any more.
pub fn review(node: &Node) {
    let config = node.config();
    for client in node.clients.all() {
        review_one(&config, &client);
    }
}

fn review_one(config: &Config, client: &Client) {
    let profile = client.profile();
    if profile.operator.is_some() && !is_operator(config, &profile) {
        client.demote();
    }
}
