//! `stentor invite`: invitations to make an account.

use std::time::Duration;

use stentor_server::config::Config;

use crate::cli::{InviteArgs, InviteCommand};
use crate::failure::Failure;
use crate::settings;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    /// Make a code for `uses` accounts, within `expires`; zero: for ever.
    Make { uses: u32, expires: Duration },
    /// List the codes that can still be used.
    List,
    /// Make a code useless.
    Revoke { code: String },
}

pub(crate) fn run(args: &InviteArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    let task = match &args.command {
        None => Task::Make { uses: args.uses, expires: args.expires },
        Some(InviteCommand::List) => Task::List,
        Some(InviteCommand::Revoke { code }) => Task::Revoke { code: code.clone() },
    };
    perform(&config, &task)
}

fn perform(_config: &Config, task: &Task) -> Result<(), Failure> {
    tracing::debug!(?task, "invitations");
    Err(Failure::Failed("this build cannot manage invitations".to_owned()))
}
