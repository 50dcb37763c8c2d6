//! Keeps certificates fresh while a node runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task;
use tokio_util::sync::CancellationToken;

use super::{Certificates, Refreshed, TlsError};

/// Looks after the certificates once a minute, until `stop`: files that have changed are loaded, and a certificate of the
/// node's own that ends soon is renewed.
pub async fn keep(certificates: Arc<Certificates>, stop: CancellationToken) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let refreshing = Arc::clone(&certificates);
        let done = task::spawn_blocking(move || refreshing.refresh(SystemTime::now().into())).await;
        let done = done.unwrap_or_else(|error| Err(TlsError::Unavailable(error.to_string())));
        // The same trouble is not told every minute.
        let failed = done.is_err();
        if !(failed && failing) {
            report(&certificates, done);
        }
        failing = failed;
    }
}

/// Tells the log what became of a refresh or a reload.
pub fn report(certificates: &Certificates, done: Result<Refreshed, TlsError>) {
    match done {
        Ok(Refreshed::Unchanged) => {}
        Ok(Refreshed::Changed) => {
            let served = certificates.current();
            let (names, until) = (served.names.join(", "), served.expires.date());
            tracing::info!(%names, %until, sha256 = served.fingerprint(), "new certificate");
            for text in &served.warnings {
                tracing::warn!("{text}");
            }
        }
        Err(error) => tracing::error!("the certificate stays what it was: {error}"),
    }
}

/// How often the files are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);
