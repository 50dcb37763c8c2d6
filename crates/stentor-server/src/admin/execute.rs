//! What becomes of a request.

use std::sync::Arc;
use std::time::Duration;

use super::protocol::AccountRow;
use super::{
    AccountRequest, AdminRequest, AdminResponse, BanRequest, Fault, Hidden, InviteRequest, ReachSource,
    StatusSource,
};
use crate::account::import::Imported;
use crate::account::{AccountError, Accounts, Choice, Password};
use crate::commit_identity::WriteError;
use crate::invite::{Code, InviteError, Invites, check_uses};
use crate::operator::audit::{Audit, CONSOLE, Deed, deeds, how_long};
use crate::operator::bans::{BanError, Bans};
use crate::store::StoreError;
use crate::store::entry::Malformed;
use crate::store::partition::DIRECTORY_BUCKETS;

/// What requests act on.
#[derive(Clone, Debug)]
pub struct AdminContext {
    /// The accounts.
    pub accounts: Arc<Accounts>,
    /// The invitations.
    pub invites: Arc<Invites>,
    /// What `status` tells.
    pub status: Arc<dyn StatusSource>,
    /// How clients reach the node; `None` in a program that is none.
    pub reach: Option<ReachSource>,
    /// The log of what operators do.
    pub audit: Audit,
    /// The network's bans.
    pub bans: Bans,
}

impl AdminContext {
    /// What acts on the store of `accounts`.
    #[must_use]
    pub fn new(
        accounts: Arc<Accounts>,
        invites: Arc<Invites>,
        status: Arc<dyn StatusSource>,
        reach: Option<ReachSource>,
    ) -> Self {
        let committer = accounts.committer().clone();
        let bans = Bans::new(committer.clone(), accounts.clone());
        Self { accounts, invites, status, reach, audit: Audit::new(committer), bans }
    }
}

/// Does what is asked, in a running node or in a program that opened the store itself.
pub async fn execute(request: AdminRequest, context: &AdminContext) -> AdminResponse {
    if let Err(Failure { fault, message }) = write_down(&request, context).await {
        return AdminResponse::Failed { fault, message };
    }
    let done = match request {
        AdminRequest::Account(request) => account(request, &context.accounts).await,
        AdminRequest::Invite(request) => invite(request, context).await,
        AdminRequest::Reach => match &context.reach {
            Some(source) => Ok(AdminResponse::Reach(source.reach())),
            None => Err(Failure { fault: Fault::Request, message: "this is no node".to_owned() }),
        },
        AdminRequest::Ban(request) => ban(request, context).await,
        AdminRequest::Audit { after, limit } => audit(after.as_deref(), limit, &context.audit).await,
        AdminRequest::Status => context.status.status().await.map(AdminResponse::Status).map_err(Into::into),
    };
    done.unwrap_or_else(|Failure { fault, message }| AdminResponse::Failed { fault, message })
}

/// Writes down what changes something, before it is done.
async fn write_down(request: &AdminRequest, context: &AdminContext) -> Result<(), Failure> {
    let Some((what, target, reason)) = deed_of(request) else { return Ok(()) };
    vet(request, context).await?;
    let deed = Deed { what, target: &target, reason: &reason };
    Ok(context.audit.record(CONSOLE, CONSOLE, &deed).await?)
}

/// What can be known beforehand: an act that is refused is none, so it is in no log.
async fn vet(request: &AdminRequest, context: &AdminContext) -> Result<(), Failure> {
    match request {
        AdminRequest::Ban(BanRequest::Add { target, force, .. }) => {
            Ok(context.bans.vet(target, None, *force).await?)
        }
        AdminRequest::Ban(BanRequest::Remove { target }) => Ok(context.bans.vet_removal(target).await?),
        AdminRequest::Account(request) => Ok(vet_account(request, &context.accounts).await?),
        _ => Ok(()),
    }
}

async fn vet_account(request: &AccountRequest, accounts: &Accounts) -> Result<(), AccountError> {
    match request {
        AccountRequest::Add { name, .. } => accounts.check_new(name).await.map(drop),
        AccountRequest::Grant { name, role } => {
            accounts.check_role(role)?;
            accounts.check_present(name).await
        }
        AccountRequest::Passwd { name, .. }
        | AccountRequest::Remove { name }
        | AccountRequest::Lock { name }
        | AccountRequest::Unlock { name }
        | AccountRequest::Revoke { name, .. }
        | AccountRequest::CertAdd { name, .. }
        | AccountRequest::CertRemove { name, .. } => accounts.check_present(name).await,
        AccountRequest::Import { .. }
        | AccountRequest::CheckNew { .. }
        | AccountRequest::CertList { .. }
        | AccountRequest::List { .. } => Ok(()),
    }
}

/// What a request does, whom it concerns, and why; `None` where it only looks.
fn deed_of(request: &AdminRequest) -> Option<(&'static str, String, String)> {
    let about = |what, name: &String| Some((what, name.clone(), String::new()));
    match request {
        AdminRequest::Account(request) => match request {
            AccountRequest::Add { name, .. } => about(deeds::ACCOUNT_ADD, name),
            AccountRequest::Passwd { name, .. } => about(deeds::ACCOUNT_PASSWD, name),
            AccountRequest::Remove { name } => about(deeds::ACCOUNT_REMOVE, name),
            AccountRequest::Lock { name } => about(deeds::ACCOUNT_LOCK, name),
            AccountRequest::Unlock { name } => about(deeds::ACCOUNT_UNLOCK, name),
            AccountRequest::Grant { name, role } => Some(("grant", name.clone(), role.clone())),
            AccountRequest::Revoke { name, role } => Some(("revoke", name.clone(), role.clone())),
            AccountRequest::Import { text } => {
                Some(("account-import", String::new(), format!("{} lines", text.0.lines().count())))
            }
            AccountRequest::CertAdd { name, fingerprint } => {
                Some(("certificate-add", name.clone(), fingerprint.to_string()))
            }
            AccountRequest::CertRemove { name, fingerprint } => {
                Some(("certificate-remove", name.clone(), fingerprint.to_string()))
            }
            AccountRequest::CheckNew { .. }
            | AccountRequest::CertList { .. }
            | AccountRequest::List { .. } => None,
        },
        AdminRequest::Ban(request) => match request {
            BanRequest::Add { target, lifetime, reason, .. } => {
                let how_long = how_long(lifetime.map(Duration::from_millis));
                let why = if reason.is_empty() { how_long } else { format!("{how_long}: {reason}") };
                Some(("ban", target.to_string(), why))
            }
            BanRequest::Remove { target } => about("unban", &target.to_string()),
            BanRequest::List => None,
        },
        // Written down once its id is known.
        AdminRequest::Invite(_) => None,
        AdminRequest::Audit { .. } | AdminRequest::Status | AdminRequest::Reach => None,
    }
}

async fn ban(request: BanRequest, context: &AdminContext) -> Result<AdminResponse, Failure> {
    Ok(match request {
        BanRequest::Add { target, lifetime, reason, .. } => {
            let lifetime = lifetime.map(Duration::from_millis);
            AdminResponse::Ban { ban: context.bans.add(&target, lifetime, CONSOLE, &reason).await? }
        }
        BanRequest::Remove { target } => AdminResponse::Ban { ban: context.bans.remove(&target).await? },
        BanRequest::List => AdminResponse::Bans { bans: context.bans.list().await? },
    })
}

async fn audit(after: Option<&str>, limit: usize, audit: &Audit) -> Result<AdminResponse, Failure> {
    let after = after
        .map(str::parse)
        .transpose()
        .map_err(|error: Malformed| Failure { fault: Fault::Request, message: error.to_string() })?;
    Ok(AdminResponse::Audit { records: audit.read(after, limit).await? })
}

async fn account(request: AccountRequest, accounts: &Accounts) -> Result<AdminResponse, Failure> {
    match request {
        AccountRequest::Add { name, password } => {
            let (password, answer) = given_or_random(password);
            accounts.add(&name, &password).await?;
            return Ok(answer);
        }
        AccountRequest::CheckNew { name } => accounts.check_new(&name).await.map(drop)?,
        AccountRequest::Passwd { name, password } => {
            let (password, answer) = given_or_random(password);
            accounts.passwd(&name, &password).await?;
            return Ok(answer);
        }
        AccountRequest::List { bucket } => return list(bucket, accounts).await,
        AccountRequest::Import { text } => {
            let Imported { added, unchanged, failed } = accounts.import(&text.0).await?;
            let (added, unchanged) = (added.len(), unchanged.len());
            return Ok(AdminResponse::Imported { added, unchanged, failed });
        }
        AccountRequest::Remove { name } => accounts.remove(&name).await?,
        AccountRequest::Lock { name } => return Ok(done_or_unchanged(accounts.lock(&name).await?)),
        AccountRequest::Unlock { name } => return Ok(done_or_unchanged(accounts.unlock(&name).await?)),
        AccountRequest::CertAdd { name, fingerprint } => {
            return Ok(done_or_unchanged(accounts.add_certificate(&name, &fingerprint).await?));
        }
        AccountRequest::CertRemove { name, fingerprint } => {
            return Ok(done_or_unchanged(accounts.withdraw_certificate(&name, &fingerprint).await?));
        }
        AccountRequest::CertList { name } => {
            return Ok(AdminResponse::Certificates { fingerprints: accounts.certificates(&name).await? });
        }
        AccountRequest::Grant { name, role } => accounts.grant(&name, &role).await?,
        AccountRequest::Revoke { name, role } => accounts.revoke(&name, &role).await?,
    }
    Ok(AdminResponse::Done)
}

fn done_or_unchanged(changed: bool) -> AdminResponse {
    if changed { AdminResponse::Done } else { AdminResponse::Unchanged }
}

async fn list(bucket: u64, accounts: &Accounts) -> Result<AdminResponse, Failure> {
    let listed = if bucket < DIRECTORY_BUCKETS { accounts.list_bucket(bucket).await? } else { Vec::new() };
    let next = bucket.checked_add(1).filter(|next| *next < DIRECTORY_BUCKETS);
    Ok(AdminResponse::Accounts { accounts: listed.into_iter().map(AccountRow::from).collect(), next })
}

async fn invite(request: InviteRequest, context: &AdminContext) -> Result<AdminResponse, Failure> {
    let AdminContext { invites, audit, .. } = context;
    // Codes stay out of the log.
    let write_down = async |what, target: &str, reason: &str| {
        audit.record(CONSOLE, CONSOLE, &Deed { what, target, reason }).await
    };
    Ok(match request {
        InviteRequest::Create { uses, lifetime } => {
            let lifetime = lifetime.map(Duration::from_millis);
            check_uses(uses)?;
            let code = Code::random();
            write_down(deeds::INVITE, &code.id(), &deeds::invited(uses, lifetime)).await?;
            let invite = invites.make(&code, uses, lifetime, OPERATOR).await?;
            AdminResponse::Invited { code: Hidden(code.reveal().to_owned()), invite }
        }
        InviteRequest::List => {
            let now = context.accounts.committer().store().now().await?.0;
            AdminResponse::Invites { invites: invites.list().await?, now }
        }
        InviteRequest::Revoke { code } => {
            let id = invites.find(&code.0).await?.id;
            write_down(deeds::INVITE_REVOKE, &id, "").await?;
            AdminResponse::Revoked { invite: invites.revoke(&id).await? }
        }
    })
}

/// The password to use, and the answer if it is taken: a random one has to be told.
fn given_or_random(given: Option<Password>) -> (Password, AdminResponse) {
    match Password::given_or_random(given) {
        (password, Choice::Given) => (password, AdminResponse::Done),
        (password, Choice::Random) => (password.clone(), AdminResponse::Password { password }),
    }
}

/// Whose invitations these are: whoever may open the socket or the store is the operator.
const OPERATOR: &str = "operator";

/// Why nothing was done.
struct Failure {
    fault: Fault,
    message: String,
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let fault = match &error {
            AccountError::Busy | AccountError::Write(WriteError::Contended) => Fault::Busy,
            AccountError::Write(_) => Fault::Store,
            _ => Fault::Request,
        };
        Self { fault, message: error.to_string() }
    }
}

impl From<InviteError> for Failure {
    fn from(error: InviteError) -> Self {
        let fault = match &error {
            InviteError::Write(WriteError::Contended) => Fault::Busy,
            InviteError::Write(_) => Fault::Store,
            _ => Fault::Request,
        };
        Self { fault, message: error.to_string() }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let fault = if error == WriteError::Contended { Fault::Busy } else { Fault::Store };
        Self { fault, message: error.to_string() }
    }
}

impl From<BanError> for Failure {
    fn from(error: BanError) -> Self {
        match error {
            BanError::Write(error) => error.into(),
            error if error.needs_force() => {
                Self { fault: Fault::Request, message: format!("{error}; if you mean it, add --force") }
            }
            error => Self { fault: Fault::Request, message: error.to_string() },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { fault: Fault::Store, message: error.to_string() }
    }
}
