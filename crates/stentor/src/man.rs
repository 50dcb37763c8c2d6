//! `stentor man`: the manual pages, from the same source as `--help`.

use std::fs;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::cli::{Cli, ManArgs};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &ManArgs) -> Result<(), Failure> {
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        // As the pages of all commands are made: `help` is no command with a page.
        Man::new(Cli::command().disable_help_subcommand(true)).render(&mut page)?;
        return Ok(Output::new().text(&String::from_utf8_lossy(&page))?);
    };
    let written =
        fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    written.map_err(|error| {
        Failure::Failed(format!("cannot write the manual pages to {}: {error}", directory.display()))
    })
}
