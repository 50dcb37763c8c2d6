//! How the commands for operators reach a store: through the node that has it open, or by opening it.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use stentor_server::account::bootstrap::PASSWORD_FILE;
use stentor_server::account::login::LoginError;
use stentor_server::account::{ADMIN, Accounts, Hasher, Rules};
use stentor_server::admin::reach::store_name;
use stentor_server::admin::{
    AdminClient, AdminContext, AdminError, AdminRequest, AdminResponse, Fault, Reach, StoreStatus, execute,
    socket_path,
};
use stentor_server::commit_identity::Committer;
use stentor_server::config::Config;
use stentor_server::invite::Invites;
use stentor_server::store::configured::{self, OpenStoreError};
use stentor_server::store::embedded::{OpenError, OpenMode};

use crate::failure::Failure;
use crate::output;

/// A way to ask for things.
pub(crate) enum Operator {
    /// The node that has the embedded store open.
    Node(AdminClient),
    /// The store itself.
    Store(AdminContext),
}

/// Runs `work`, which may wait, to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

impl Operator {
    /// Finds the way. A fleet's store is opened beside its nodes.
    pub(crate) async fn find(config: &Config) -> Result<Self, Failure> {
        let (operator, warnings) = Self::open(config).await?;
        for text in &warnings {
            output::warning(text);
        }
        Ok(operator)
    }

    /// The same, for a look before the work: what is to be said is said then.
    pub(crate) async fn find_quietly(config: &Config) -> Result<Self, Failure> {
        Self::open(config).await.map(|(operator, _)| operator)
    }

    async fn open(config: &Config) -> Result<(Self, Vec<String>), Failure> {
        if config.redis.is_none() {
            let path = socket_path(&config.data.dir);
            match AdminClient::connect(&path).await {
                Ok(client) => return Ok((Self::Node(client), Vec::new())),
                // No node can listen where no socket fits.
                Err(AdminError::NoNode(_) | AdminError::TooLong(_)) => {}
                Err(error) => {
                    return Err(Failure::Store(format!("the running node cannot be reached: {error}")));
                }
            }
        }
        let opened = configured::open(config, OpenMode::Existing).await.map_err(explain)?;
        let committer = Committer::standalone(Arc::clone(&opened.store));
        let accounts = Accounts::new(committer.clone(), Arc::new(Hasher::of(config)), Rules::of(config));
        let (invites, status) = (Arc::new(Invites::new(committer)), Arc::new(StoreStatus(opened.store)));
        let context = AdminContext::new(Arc::new(accounts), invites, status, None);
        Ok((Self::Store(context), opened.warnings))
    }

    /// Asks for something. A refusal is a failure.
    pub(crate) async fn ask(&mut self, request: impl Into<AdminRequest>) -> Result<AdminResponse, Failure> {
        let request = request.into();
        let response = match self {
            Self::Node(client) => client.ask(&request).await.map_err(|error| {
                Failure::Failed(format!(
                    "the node's answer did not arrive, so it may or may not be done: {error}"
                ))
            })?,
            Self::Store(context) => execute(request, context).await,
        };
        match response {
            AdminResponse::Failed { fault: Fault::Store, message } => Err(Failure::Store(message)),
            AdminResponse::Failed { message, .. } => Err(Failure::Failed(message)),
            done => Ok(done),
        }
    }

    /// How clients reach the node; where none of this store answers here, what the settings and the data directory tell.
    pub(crate) async fn reach(&mut self, config: &Config) -> Reach {
        let answer = match self {
            Self::Node(client) => client.ask(&AdminRequest::Reach).await.ok(),
            Self::Store(_) if config.redis.is_some() => ask_neighbour(config).await,
            Self::Store(_) => None,
        };
        match answer {
            // The directory may be that of a node with another store.
            Some(AdminResponse::Reach(reach)) if reach.store == store_name(config) => reach,
            _ => {
                let is_the_nodes =
                    config.redis.is_none() || config.given().any(|(key, ..)| key == "data.dir");
                let data = is_the_nodes.then_some(config.data.dir.as_path());
                Reach::configured(config, data, SystemTime::now().into())
            }
        }
    }

    /// The file with the password of the first account, where there is one of this store.
    pub(crate) async fn first_password(&self, config: &Config) -> Option<PathBuf> {
        let path = config.data.dir.join(PASSWORD_FILE);
        let text = fs::read_to_string(&path).ok()?;
        match self {
            Self::Store(context) if config.redis.is_some() => {
                // The directory may be that of a node with another store.
                let known = context.accounts.verify(ADMIN, text.trim_end()).await;
                matches!(known, Ok(_) | Err(LoginError::Locked)).then_some(path)
            }
            _ => Some(path),
        }
    }

    /// Lets go of the store.
    pub(crate) async fn close(self) {
        if let Self::Store(context) = self {
            context.accounts.committer().store().close().await;
        }
    }
}

/// Asks the node of a fleet that uses the data directory, if there is one.
async fn ask_neighbour(config: &Config) -> Option<AdminResponse> {
    let mut client = AdminClient::connect(&socket_path(&config.data.dir)).await.ok()?;
    client.ask(&AdminRequest::Reach).await.ok()
}

/// An answer that belongs to another question: the node is of a version that sees it differently.
pub(crate) fn unexpected(response: &AdminResponse) -> Failure {
    Failure::Failed(format!("the node answered something else: {response:?}"))
}

fn explain(error: OpenStoreError) -> Failure {
    let hint = match &error {
        OpenStoreError::Embedded(OpenError::NotFound(_)) => {
            "\n`stentor serve` makes one; --data names its directory"
        }
        OpenStoreError::Embedded(OpenError::Locked { .. }) => {
            "\nnothing listens on its socket; if a node is just starting, try again"
        }
        _ => "",
    };
    Failure::Store(format!("{error}{hint}"))
}
