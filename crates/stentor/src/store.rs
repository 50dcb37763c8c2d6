//! `stentor store`: copies of the embedded store.

use std::path::Path;

use stentor_server::config::Config;
use stentor_server::store::embedded::{self, OpenError};

use crate::cli::{StoreArgs, StoreCommand};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings;

pub(crate) fn run(args: &StoreArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    if config.redis.is_some() {
        let text = "a fleet's store is in Redis; back it up there, for example with `redis-cli --rdb FILE`";
        return Err(Failure::Failed(text.to_owned()));
    }
    match &args.command {
        StoreCommand::Backup { file } => backup(&config, file),
        StoreCommand::Restore { file } => restore(&config, file),
    }
}

fn backup(config: &Config, file: &Path) -> Result<(), Failure> {
    embedded::backup(&config.data.dir, file).map_err(|error| explain(&error))?;
    Ok(Output::new().text(&format!("the store is copied to {}\n", file.display()))?)
}

fn restore(config: &Config, file: &Path) -> Result<(), Failure> {
    embedded::restore(file, &config.data.dir).map_err(|error| explain(&error))?;
    Ok(Output::new().text(&format!("the store is in {}\n", config.data.dir.display()))?)
}

fn explain(error: &OpenError) -> Failure {
    Failure::Store(error.to_string())
}
