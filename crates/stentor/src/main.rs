//! The one binary, `stentor`: the node, its administration, and what they need.
//!
//! - [`cli`]: the command line, as it is read
//! - [`settings`]: from the command line to a checked configuration
//! - [`serve`], [`chat`], [`account`], [`invite`], [`ban`], [`audit`], [`status`], [`ready`], [`store`], [`cert`], [`config`]: one
//!   file a command
//! - [`dial`]: how a client names a node
//! - [`man`], [`completions`], [`reference`](mod@reference): what is generated from the command line and the tables of limits
//! - [`operator`]: how the commands for operators reach a store
//! - [`output`]: how results look
//! - [`logging`]: where the log goes
//! - [`failure`]: how a command fails, and with which exit code

mod account;
mod audit;
mod ban;
mod cert;
mod chat;
mod cli;
mod completions;
mod config;
mod dial;
mod failure;
mod invite;
mod logging;
mod man;
mod operator;
mod output;
mod ready;
mod reference;
mod serve;
mod settings;
mod status;
mod store;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Account(args) => account::run(&args),
        Command::Invite(args) => invite::run(&args),
        Command::Ban(args) => ban::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Ready(args) => ready::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Reference(args) => reference::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure.to_string());
            failure.exit_code()
        }
    }
}
