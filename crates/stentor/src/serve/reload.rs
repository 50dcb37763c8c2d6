//! What SIGHUP does: the configuration and the certificates are read again.

use std::sync::Arc;
use std::time::SystemTime;

use stentor_server::config::{Config, ConfigError, Sources};
use stentor_server::tls::{Certificates, TlsError, renewal};
use tokio::task::{self, JoinError};

use super::start::Started;
use crate::logging::Log;

/// Reads everything again, and takes what a running node can take. What is wrong changes nothing.
pub(super) async fn reload(started: &Started, sources: &Sources, log: &Log) {
    let node = &started.node;
    let old = node.config();
    let new = match read(sources, &old).await {
        Ok(Ok(new)) => new,
        Ok(Err(error)) => {
            tracing::error!("the configuration is wrong, so the settings stay as they were: {error}");
            return;
        }
        Err(error) => {
            tracing::error!(%error, "the configuration was not read, so the settings stay as they were");
            return;
        }
    };
    for text in &new.config.warnings {
        tracing::warn!("{text}");
    }
    if let Some(certificates) = &started.certificates {
        certify(certificates, &new.config).await;
    }
    log.set(new.config.log_level);
    node.set_config(new.config);
    match (new.applied.as_str(), new.needs_restart.as_str()) {
        ("", "") => tracing::info!("the configuration was read again; no setting has changed"),
        ("", _) => {}
        (applied, _) => tracing::info!("the configuration was read again; changed: {applied}"),
    }
    if !new.needs_restart.is_empty() {
        tracing::warn!("changed, but not before a restart: {}", new.needs_restart);
    }
}

struct New {
    config: Config,
    applied: String,
    needs_restart: String,
}

/// The settings to go on with, and the keys in which they differ from those of now.
async fn read(sources: &Sources, old: &Arc<Config>) -> Result<Result<New, ConfigError>, JoinError> {
    let (sources, old) = (sources.clone(), Arc::clone(old));
    let reading = move || {
        let loaded = sources.load()?;
        let changes = old.changes(&loaded);
        Ok(New {
            config: old.reloaded(&loaded)?,
            applied: changes.applied.join(", "),
            needs_restart: changes.needs_restart.join(", "),
        })
    };
    task::spawn_blocking(reading).await
}

async fn certify(certificates: &Arc<Certificates>, config: &Config) {
    let (changing, settings) = (Arc::clone(certificates), config.tls.clone());
    let done = task::spawn_blocking(move || changing.reload(&settings, SystemTime::now().into())).await;
    let done = done.unwrap_or_else(|error| Err(TlsError::Unavailable(error.to_string())));
    renewal::report(certificates, done);
}
