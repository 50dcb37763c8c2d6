//! Requests and answers, each a JSON object in a line.
//!
//! Fields may be added; a field that is not known is passed over, so neighbouring versions understand each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Reach, Status};
use crate::account::import::BadLine;
use crate::account::{Fingerprint, Listed, Password};
use crate::invite::Invite;
use crate::operator::audit::Record;
use crate::operator::ban::{Ban, Target};

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum AdminRequest {
    /// Something about accounts.
    Account(AccountRequest),
    /// Something about invitations.
    Invite(InviteRequest),
    /// Something about bans.
    Ban(BanRequest),
    /// The log of what operators did.
    Audit {
        /// The id of the record to go on after; without: the newest ones.
        after: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// Nodes, versions, leases, users and warnings.
    Status,
    /// How clients reach this node.
    Reach,
}

/// What an operator asks for about accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum AccountRequest {
    /// Makes an account.
    Add {
        /// Its name.
        name: String,
        /// Its password; without one, a random one is made and answered.
        password: Option<Password>,
    },
    /// Asks whether an account of this name could be made.
    CheckNew {
        /// Its name.
        name: String,
    },
    /// Sets a new password and ends the account's sessions.
    Passwd {
        /// Whose.
        name: String,
        /// The password; without one, a random one is made and answered.
        password: Option<Password>,
    },
    /// Removes an account; its name stays reserved.
    Remove {
        /// Which.
        name: String,
    },
    /// Locks an account and ends its sessions.
    Lock {
        /// Which.
        name: String,
    },
    /// Lets a locked account in again.
    Unlock {
        /// Which.
        name: String,
    },
    /// Gives an account a role.
    Grant {
        /// Which account.
        name: String,
        /// Which role.
        role: String,
    },
    /// Takes a role from an account.
    Revoke {
        /// Which account.
        name: String,
        /// Which role.
        role: String,
    },
    /// Lets a client certificate log in to an account.
    CertAdd {
        /// Which account.
        name: String,
        /// Which certificate.
        fingerprint: Fingerprint,
    },
    /// Takes a client certificate from an account, and ends the account's sessions.
    CertRemove {
        /// Which account.
        name: String,
        /// Which certificate.
        fingerprint: Fingerprint,
    },
    /// Lists the client certificates that log in to an account.
    CertList {
        /// Which account.
        name: String,
    },
    /// Lists the accounts of one directory bucket. The answer names the next one.
    List {
        /// The bucket, from 0.
        bucket: u64,
    },
    /// Makes accounts of `name:hash` lines.
    Import {
        /// The lines.
        text: Hidden,
    },
}

/// What an operator asks for about invitations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum InviteRequest {
    /// Makes an invitation.
    Create {
        /// How many accounts it can make.
        uses: u32,
        /// How long it lasts, in milliseconds; without: for ever.
        lifetime: Option<u64>,
    },
    /// Lists the invitations.
    List,
    /// Ends an invitation.
    Revoke {
        /// Its code or id.
        code: Hidden,
    },
}

/// What an operator asks for about the network's bans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum BanRequest {
    /// Keeps somebody out, and closes whoever is here.
    Add {
        /// Whom.
        target: Target,
        /// For how long, in milliseconds; without: for ever.
        lifetime: Option<u64>,
        /// What those read whom it keeps out.
        reason: String,
        /// Whether a ban that hits many, or an administrator, is meant.
        force: bool,
    },
    /// Lifts a ban.
    Remove {
        /// Which.
        target: Target,
    },
    /// Lists the bans.
    List,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum AdminResponse {
    /// It was done.
    Done,
    /// It was so already.
    Unchanged,
    /// It was done, with this random password, which is stored nowhere.
    Password {
        /// The password.
        password: Password,
    },
    /// Some accounts.
    Accounts {
        /// In no particular order.
        accounts: Vec<AccountRow>,
        /// The next bucket to ask for, if there is one.
        next: Option<u64>,
    },
    /// The client certificates of an account.
    Certificates {
        /// In the order in which they were added.
        fingerprints: Vec<Fingerprint>,
    },
    /// What an import did.
    Imported {
        /// How many accounts were made.
        added: usize,
        /// How many were there already, with the same hash.
        unchanged: usize,
        /// Lines that could not be imported.
        failed: Vec<BadLine>,
    },
    /// A new invitation.
    Invited {
        /// Its code, which is stored nowhere.
        code: Hidden,
        /// The rest of it.
        invite: Invite,
    },
    /// All invitations.
    Invites {
        /// The newest first.
        invites: Vec<Invite>,
        /// The store's time.
        now: u64,
    },
    /// An invitation that was ended.
    Revoked {
        /// It.
        invite: Invite,
    },
    /// A ban that was set or lifted.
    Ban {
        /// It.
        ban: Ban,
    },
    /// All bans.
    Bans {
        /// The newest first.
        bans: Vec<Ban>,
    },
    /// Part of the log of what operators did.
    Audit {
        /// The oldest first.
        records: Vec<Record>,
    },
    /// The state of the network.
    Status(Status),
    /// How clients reach the node.
    Reach(Reach),
    /// Nothing was done.
    Failed {
        /// Whose fault that is.
        fault: Fault,
        /// Why, as a sentence for people.
        message: String,
    },
}

/// Whose fault it is that nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The request asks for what is not possible.
    Request,
    /// The store did not do it, or did not say.
    Store,
    /// Too much is going on; trying again may help.
    Busy,
}

/// One account in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its name; folded where it is removed.
    pub name: String,
    /// When it was made, in milliseconds of the store's time; 0 where it is removed.
    pub created: u64,
    /// Sorted.
    pub roles: Vec<String>,
    /// Since when it is locked, in milliseconds of the store's time.
    pub locked: Option<u64>,
    /// Since when it is removed, in milliseconds of the store's time.
    pub removed: Option<u64>,
}

impl From<AccountRequest> for AdminRequest {
    fn from(request: AccountRequest) -> Self {
        Self::Account(request)
    }
}

impl From<InviteRequest> for AdminRequest {
    fn from(request: InviteRequest) -> Self {
        Self::Invite(request)
    }
}

impl From<BanRequest> for AdminRequest {
    fn from(request: BanRequest) -> Self {
        Self::Ban(request)
    }
}

impl From<Listed> for AccountRow {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Present(account) => Self {
                name: account.name,
                created: account.created,
                roles: account.roles,
                locked: account.locked,
                removed: None,
            },
            Listed::Removed { folded, since } => {
                Self { name: folded, created: 0, roles: Vec::new(), locked: None, removed: Some(since) }
            }
        }
    }
}

/// Text that passes over the socket and is printed in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(
    /// The text itself.
    pub String,
);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(password: Option<Password>) -> AdminRequest {
        AccountRequest::Add { name: "alice".into(), password }.into()
    }

    #[test]
    fn a_request_reads_back_from_its_line() {
        let requests = [
            add(Some(Password::new("a\"b").unwrap())),
            add(None),
            AccountRequest::Import { text: Hidden("a:b\nc:d\n".into()) }.into(),
            InviteRequest::List.into(),
            AdminRequest::Status,
            AdminRequest::Reach,
        ];
        for request in requests {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<AdminRequest>(&line).unwrap(), request);
        }
    }

    #[test]
    fn debug_prints_no_secret() {
        let request = add(Some(Password::new("hunter2").unwrap()));
        let import = AccountRequest::Import { text: Hidden("hunter2".into()) };
        assert!(!format!("{request:?} {import:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_that_is_too_long_is_no_request() {
        let line =
            format!(r#"{{"about":"account","do":"add","name":"a","password":"{}"}}"#, "x".repeat(1025));
        let error = serde_json::from_str::<AdminRequest>(&line).unwrap_err().to_string();
        assert!(error.contains("1025 bytes long; at most 1024"), "{error}");
    }
}
