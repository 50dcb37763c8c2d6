//! From a configuration to a node that takes clients in.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stentor_server::account::AccountError;
use stentor_server::account::bootstrap::{Bootstrap, BootstrapError, PasswordTo, bootstrap};
use stentor_server::admin::reach::store_name;
use stentor_server::admin::{
    self, AdminContext, AdminError, AdminListener, ReachSource, StoreStatus, socket_path,
};
use stentor_server::backoff::Backoff;
use stentor_server::commit_identity::WriteError;
use stentor_server::config::{Config, Listen, Scheme};
use stentor_server::listener::http::{self, Health};
use stentor_server::listener::{self, Bound, irc};
use stentor_server::node::{self, Node};
use stentor_server::store::StoreError;
use stentor_server::store::configured::{self, OpenStoreError, Opened};
use stentor_server::store::embedded::{DirectoryLock, OpenMode};
use stentor_server::store::redis::ConnectError;
use stentor_server::tls::{self, Certificates, renewal};
use tokio::task;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure::Failure;

/// A node with all that belongs to it.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) node: Arc<Node>,
    /// What the node is called in its fleet.
    pub(super) name: String,
    /// Where it listens, with the ports that the system chose.
    pub(super) listening: Vec<Listen>,
    /// `None` where nothing speaks TLS.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// What became of the first account.
    pub(super) admin: Bootstrap,
    watch: Watch,
    _directory: Option<DirectoryLock>,
}

impl Started {
    /// Closes all clients, then everything else. `/live` and `/ready` answer until the end.
    pub(super) async fn stop(&self) {
        self.node.shutdown().await;
        self.watch.end().await;
    }
}

/// What answers `/live` and `/ready`, from before there is a node until after.
#[derive(Debug, Default)]
struct Watch {
    health: Arc<Health>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Watch {
    fn open(&self, bound: Vec<Bound>) -> Result<(), Failure> {
        for bound in bound {
            http::serve(bound, &self.health, &self.tasks, self.stop.clone())?;
        }
        Ok(())
    }

    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        // A visitor that is slow to leave is left behind.
        let _ = tokio::time::timeout(LAST_VISITORS, self.tasks.wait()).await;
    }
}

/// Starts everything, in the order in which it is needed. Clients are taken in last.
pub(super) async fn start(config: Config) -> Result<Started, Failure> {
    let (mut opened, mut directory) = (None, None);
    if config.redis.is_some() {
        directory = Some(DirectoryLock::take(&config.data.dir).map_err(store_failure)?);
    } else {
        opened = Some(configured::open(&config, OpenMode::Create).await.map_err(store_failure)?);
    }
    let certificates = open_certificates(&config).await?;
    let bound = listener::bind(&config.listen)?;
    let listening: Vec<Listen> = bound.iter().map(Bound::listen).collect();
    let first = listening.first().map_or(0, |first| first.address.port());
    let name = config.node_name.clone().unwrap_or_else(|| node::default_name(first));

    let (visits, chats) = bound.into_iter().partition(|bound| bound.listen().scheme == Scheme::Http);
    let watch = Watch::default();
    watch.open(visits)?;
    let node = match opened {
        Some(opened) => launch(&config, &name, opened).await.map_err(store_failure)?,
        None => join_fleet(&config, &name, &watch.health).await?,
    };
    match admit(&node, &certificates, chats).await {
        Ok(admin) => {
            watch.health.running(&node);
            Ok(Started { node, name, listening, certificates, admin, watch, _directory: directory })
        }
        Err(failure) => {
            node.shutdown().await;
            Err(failure)
        }
    }
}

/// Makes the first account, and opens the ways in.
async fn admit(
    node: &Arc<Node>,
    certificates: &Option<Arc<Certificates>>,
    chats: Vec<Bound>,
) -> Result<Bootstrap, Failure> {
    let admin = first_account(node).await?;
    let socket = AdminListener::bind(&socket_path(&node.config().data.dir)).map_err(socket_failure)?;
    let status = Arc::new(StoreStatus(Arc::clone(node.hub.store())));
    let reach = ReachSource {
        listening: chats.iter().map(Bound::listen).collect(),
        certificates: certificates.clone(),
        store: store_name(&node.config()),
    };
    let (accounts, invites) = (Arc::clone(&node.accounts), Arc::clone(&node.invites));
    let context = AdminContext::new(accounts, invites, status, Some(reach));
    admin::serve(socket, context, &node.tasks, node.stop.clone());
    let tls = match certificates {
        Some(certificates) => {
            node.tasks.spawn(renewal::keep(Arc::clone(certificates), node.stop.clone()));
            Some(tls::server_config(Arc::clone(certificates))?)
        }
        None => None,
    };
    irc::serve(chats, node, tls)?;
    Ok(admin)
}

/// The certificates, where a listener needs them.
async fn open_certificates(config: &Config) -> Result<Option<Arc<Certificates>>, Failure> {
    if !config.listen.iter().any(|listen| listen.scheme.is_encrypted()) {
        return Ok(None);
    }
    let (settings, data) = (config.tls.clone(), config.data.dir.clone());
    let opening = move || Certificates::open(&settings, &data, SystemTime::now().into());
    let opened = task::spawn_blocking(opening).await;
    let certificates = opened.map_err(|error| Failure::Failed(error.to_string()))??;
    for text in &certificates.current().warnings {
        tracing::warn!("{text}");
    }
    Ok(Some(certificates))
}

/// Starts a node on a store. Where that fails, the store is closed.
async fn launch(config: &Config, name: &str, opened: Opened) -> Result<Arc<Node>, StoreError> {
    for text in &opened.warnings {
        tracing::warn!("{text}");
    }
    match Node::start(config.clone(), name, Arc::clone(&opened.store)).await {
        Ok(node) => Ok(node),
        Err(error) => {
            opened.store.close().await;
            Err(error)
        }
    }
}

/// Starts a node on the fleet's store, which may still be starting itself.
async fn join_fleet(config: &Config, name: &str, health: &Health) -> Result<Arc<Node>, Failure> {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let why = match configured::open(config, OpenMode::Create).await {
            Ok(opened) => match launch(config, name, opened).await {
                Ok(node) => return Ok(node),
                Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_))) => error.to_string(),
                Err(error) => return Err(store_failure(error)),
            },
            Err(OpenStoreError::Redis(error @ ConnectError::Unreachable(_))) => error.to_string(),
            Err(error) => return Err(store_failure(error)),
        };
        health.starting(&why);
        tracing::warn!("{why}; nobody is taken in until it answers");
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

/// Makes `admin`, in a store that has never had one. Its password is shown on a terminal alone.
async fn first_account(node: &Node) -> Result<Bootstrap, Failure> {
    let config = node.config();
    let to = if io::stdout().is_terminal() {
        PasswordTo::Terminal
    } else {
        PasswordTo::Directory(&config.data.dir)
    };
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let error = match bootstrap(&node.accounts, to).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        match &error {
            BootstrapError::Account(AccountError::Write(WriteError::Store(StoreError::Refused(_)))) => {
                return Err(store_failure(error));
            }
            BootstrapError::Account(AccountError::Write(_)) => {}
            _ => return Err(Failure::Failed(error.to_string())),
        }
        tracing::warn!("{error}; trying again");
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

fn store_failure(error: impl ToString) -> Failure {
    Failure::Store(error.to_string())
}

fn socket_failure(error: AdminError) -> Failure {
    match error {
        AdminError::TooLong(_) => Failure::Configuration(error.to_string()),
        _ => Failure::Failed(format!("the socket for `stentor account` and the like: {error}")),
    }
}

/// The first wait for the store.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest wait for the store.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long answers to `/live` and `/ready` may take at the end.
const LAST_VISITORS: Duration = Duration::from_millis(500);
