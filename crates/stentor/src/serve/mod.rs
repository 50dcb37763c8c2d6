//! `stentor serve`: runs a node.
//!
//! - [`start`]: from a configuration to a node that takes clients in
//! - [`welcome`]: what is printed then
//! - [`reload`]: what SIGHUP does
//! - [`signals`]: what the process is told

mod reload;
mod signals;
mod start;
mod welcome;

use std::process;
use std::time::Duration;

use stentor_server::config::{Config, Sources};

use crate::cli::{Common, Serve};
use crate::failure::Failure;
use crate::logging::Log;
use crate::settings;
use signals::{Signals, Told};

pub(crate) fn run(args: &Serve) -> Result<(), Failure> {
    let sources = settings::sources_to_serve(args)?;
    let config = sources.load()?;
    let log = Log::start(config.log_level);
    for text in &config.warnings {
        tracing::warn!("{text}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(serve(config, &sources, &log, &args.common));
    runtime.shutdown_timeout(LAST_THREADS);
    done
}

/// Runs a node until it is told to stop.
async fn serve(config: Config, sources: &Sources, log: &Log, common: &Common) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let started = tokio::select! {
        // Neither is cancel-safe: the program ends with either.
        started = start::start(config) => started?,
        _ = signals.stop() => {
            tracing::info!("told to stop before there was a node");
            return Ok(());
        }
    };
    welcome::print(&started, common)?;
    loop {
        let (told, asked) = tokio::select! {
            // Both are cancel-safe.
            told = signals.next() => (told, None),
            asked = started.node.reloads.next() => (Told::Reload, Some(asked)),
        };
        if told != Told::Reload {
            break;
        }
        let outcome = reload::reload(&started, sources, log).await;
        if let Some(asked) = asked {
            asked.answer(outcome);
        }
    }
    tracing::info!("closing all clients, then stopping; a second signal stops at once");
    tokio::select! {
        // Neither is cancel-safe: the program ends with either.
        () = started.stop() => Ok(()),
        code = signals.stop() => {
            tracing::warn!("stopping at once");
            // Whatever a task or the store would still wait for is not waited for.
            process::exit(code)
        }
    }
}

/// How long threads may take to end that are still busy with a file.
const LAST_THREADS: Duration = Duration::from_secs(1);
