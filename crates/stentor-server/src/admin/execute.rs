//! What becomes of a request.

use std::sync::Arc;
use std::time::Duration;

use super::protocol::AccountRow;
use super::{
    AccountRequest, AdminRequest, AdminResponse, Fault, Hidden, InviteRequest, ReachSource, StatusSource,
};
use crate::account::import::Imported;
use crate::account::{AccountError, Accounts, Password};
use crate::commit_identity::WriteError;
use crate::invite::{InviteError, Invites};
use crate::store::StoreError;
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
}

/// Does what is asked, in a running node or in a program that opened the store itself.
pub async fn execute(request: AdminRequest, context: &AdminContext) -> AdminResponse {
    let done = match request {
        AdminRequest::Account(request) => account(request, &context.accounts).await,
        AdminRequest::Invite(request) => invite(request, &context.invites, &context.accounts).await,
        AdminRequest::Reach => match &context.reach {
            Some(source) => Ok(AdminResponse::Reach(source.reach())),
            None => Err(Failure { fault: Fault::Request, message: "this is no node".to_owned() }),
        },
        AdminRequest::Status => context.status.status().await.map(AdminResponse::Status).map_err(Into::into),
    };
    done.unwrap_or_else(|Failure { fault, message }| AdminResponse::Failed { fault, message })
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

async fn invite(
    request: InviteRequest,
    invites: &Invites,
    accounts: &Accounts,
) -> Result<AdminResponse, Failure> {
    Ok(match request {
        InviteRequest::Create { uses, lifetime } => {
            let lifetime = lifetime.map(Duration::from_millis);
            let (code, invite) = invites.create(uses, lifetime, OPERATOR).await?;
            AdminResponse::Invited { code: Hidden(code.reveal().to_owned()), invite }
        }
        InviteRequest::List => {
            let now = accounts.committer().store().now().await?.0;
            AdminResponse::Invites { invites: invites.list().await?, now }
        }
        InviteRequest::Revoke { code } => AdminResponse::Revoked { invite: invites.revoke(&code.0).await? },
    })
}

/// The password to use, and the answer if it is taken: a random one has to be told.
fn given_or_random(given: Option<Password>) -> (Password, AdminResponse) {
    match given {
        Some(password) => (password, AdminResponse::Done),
        None => {
            let password = Password::generate();
            (password.clone(), AdminResponse::Password { password })
        }
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

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { fault: Fault::Store, message: error.to_string() }
    }
}
