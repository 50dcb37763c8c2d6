//! `stentor account`: the accounts of a store.

use stentor_server::config::Config;

use crate::cli::{AccountArgs, AccountCommand};
use crate::failure::Failure;
use crate::settings;

pub(crate) fn run(args: &AccountArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    perform(&config, &args.command)
}

fn perform(_config: &Config, _command: &AccountCommand) -> Result<(), Failure> {
    Err(Failure::Failed("this build cannot manage accounts".to_owned()))
}
