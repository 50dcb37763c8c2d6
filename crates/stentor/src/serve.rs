//! `stentor serve`: runs a node.

use stentor_server::config::{Config, Sources};

use crate::cli::Serve;
use crate::failure::Failure;
use crate::logging::Log;
use crate::settings;

pub(crate) fn run(args: &Serve) -> Result<(), Failure> {
    let sources = settings::sources_to_serve(args)?;
    let config = sources.load()?;
    let log = Log::start(config.log_level);
    for text in &config.warnings {
        tracing::warn!("{text}");
    }
    node(config, &sources, &log)
}

/// Runs a node until it is told to stop. On SIGHUP, `sources` are read again and `log` takes the new level.
fn node(config: Config, _sources: &Sources, log: &Log) -> Result<(), Failure> {
    log.set(config.log_level);
    Err(Failure::Failed("this build has no node to run".to_owned()))
}
