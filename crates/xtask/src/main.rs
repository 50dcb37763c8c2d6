//! What developers and CI run: `cargo xtask`, and nothing to remember besides.
//!
//! - [`command_line`]: the subcommands and their help
//! - [`suite`]: `test`, everything that CI runs, in its order
//! - [`checks`]: formatting, lints and documentation
//! - [`needs`]: the programs that the tests need
//! - [`test_run`]: `cargo test`, and the sum of its results
//! - [`deny`]: licences, banned crates and sources, as `deny.toml` has them
//! - [`licence`]: licence expressions
//! - [`fuzz`]: the fuzz targets
//! - [`readme`]: the README's steps, as they are written
//! - [`reference`](mod@reference): the page of all numbers and limits
//! - [`irctest`]: the public conformance suite for IRC servers
//! - [`process`]: programs that are run to their end
//! - [`output`]: what is printed

mod checks;
mod command_line;
mod deny;
mod fuzz;
mod irctest;
mod licence;
mod needs;
mod output;
mod process;
mod readme;
mod reference;
mod suite;
mod test_run;

use std::env;
use std::process::ExitCode;

use crate::command_line::Command;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let outcome = match command_line::parse(&arguments) {
        Err(why) => {
            output::error(&format!("{why}\n\n{}", command_line::HELP));
            return ExitCode::from(WRONG_USAGE);
        }
        Ok(Command::Help) => {
            output::line(command_line::HELP);
            Ok(())
        }
        Ok(Command::Test) => return suite::run(),
        Ok(Command::Format) => checks::format(),
        Ok(Command::Lint) => checks::formatted().and_then(|()| checks::lint()),
        Ok(Command::Document) => checks::document(),
        Ok(Command::Deny) => deny::check(),
        Ok(Command::Reference) => reference::write(),
        Ok(Command::Readme) => readme::follow(),
        Ok(Command::Fuzz { targets, seconds }) => fuzz::run_targets(&targets, seconds),
        Ok(Command::Irctest(options)) => irctest::check(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The exit code for a command line that is not understood, as clap has it.
const WRONG_USAGE: u8 = 2;
