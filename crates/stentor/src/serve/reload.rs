//! What SIGHUP does: the configuration and the certificates are read again.

use std::sync::Arc;
use std::time::SystemTime;

use stentor_server::config::{Config, ConfigError, Sources};
use stentor_server::tls::{Certificates, Refreshed, TlsError, renewal};
use tokio::task::{self, JoinError};

use super::start::Started;
use crate::logging::Log;

/// Reads everything again, and takes what a running node can take. What is wrong changes nothing. Returns what the log is
/// told, in sentences for whoever asked for it.
pub(super) async fn reload(started: &Started, sources: &Sources, log: &Log) -> Vec<String> {
    let node = &started.node;
    let old = node.config();
    let new = match read(sources, &old).await {
        Ok(Ok(new)) => new,
        Ok(Err(error)) => {
            return failed(format!("the configuration is wrong, so the settings stay as they were: {error}"));
        }
        Err(error) => {
            return failed(format!(
                "the configuration was not read, so the settings stay as they were: {error}"
            ));
        }
    };
    let mut outcome = Vec::new();
    for text in &new.config.warnings {
        tracing::warn!("{text}");
        outcome.push(text.clone());
    }
    if let Some(certificates) = &started.certificates {
        outcome.extend(certify(certificates, &new.config).await);
    }
    log.set(new.config.log_level);
    node.set_config(new.config);
    if !new.applied.is_empty() || new.needs_restart.is_empty() {
        let text = match new.applied.as_str() {
            "" => "the configuration was read again; no setting has changed".to_owned(),
            applied => format!("the configuration was read again; changed: {applied}"),
        };
        tracing::info!("{text}");
        outcome.push(text);
    }
    if !new.needs_restart.is_empty() {
        let text = format!("changed, but not before a restart: {}", new.needs_restart);
        tracing::warn!("{text}");
        outcome.push(text);
    }
    outcome
}

/// Tells the log, and whoever asked.
fn failed(text: String) -> Vec<String> {
    tracing::error!("{text}");
    vec![text]
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

/// What whoever asked is told of the certificates.
async fn certify(certificates: &Arc<Certificates>, config: &Config) -> Option<String> {
    let (changing, settings) = (Arc::clone(certificates), config.tls.clone());
    let done = task::spawn_blocking(move || changing.reload(&settings, SystemTime::now().into())).await;
    let done = done.unwrap_or_else(|error| Err(TlsError::Unavailable(error.to_string())));
    let told = match &done {
        Ok(Refreshed::Unchanged) => None,
        Ok(Refreshed::Changed) => Some("there is a new certificate".to_owned()),
        Err(error) => Some(format!("the certificate stays what it was: {error}")),
    };
    renewal::report(certificates, done);
    told
}
