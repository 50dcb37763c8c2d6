//! `stentor invite`: invitations to make an account.

use std::io::{self, IsTerminal};
use std::time::Duration;

use stentor_server::admin::{AdminResponse, Hidden, InviteRequest};
use stentor_server::config::Config;

use crate::cli::{InviteArgs, InviteCommand};
use crate::failure::Failure;
use crate::operator::{self, Operator, unexpected};
use crate::output::{Output, time};
use crate::settings;

pub(crate) fn run(args: &InviteArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    let request = match &args.command {
        None => InviteRequest::Create { uses: args.uses, lifetime: lifetime(args.expires) },
        Some(InviteCommand::List { .. }) => InviteRequest::List,
        Some(InviteCommand::Revoke { code }) => InviteRequest::Revoke { code: Hidden(code.clone()) },
    };
    let all = matches!(args.command, Some(InviteCommand::List { all: true }));
    show(ask(&config, request)?, all)
}

/// Shows an answer; of a list, `all` or what can still be used.
fn show(response: AdminResponse, all: bool) -> Result<(), Failure> {
    let output = Output::new();
    match response {
        // A script gets the code alone.
        AdminResponse::Invited { code, .. } if !io::stdout().is_terminal() => {
            output.text(&format!("{}\n", code.0))?;
        }
        AdminResponse::Invited { code, invite } => {
            let code = code.0;
            output.text(&format!("{code}\n\n"))?;
            output.rows(&[
                row(&["Uses", &invite.uses_left.to_string()]),
                row(&["Expires", &expires(invite.expires)]),
            ])?;
            output.text(&format!(
                "\nThe code is shown only now. Whoever has it connects with the server password\n  invite:{code}\nand \
                 registers, or, to get an account for the nick at once, with\n  invite:{code}:PASSWORD\n"
            ))?;
        }
        AdminResponse::Invites { invites, .. } => {
            let mut rows = vec![row(&["ID", "USES LEFT", "EXPIRES", "CREATED", "BY"])];
            let shown = invites.into_iter().filter(|invite| all || invite.uses_left > 0);
            rows.extend(shown.map(|invite| {
                let uses = invite.uses_left.to_string();
                vec![invite.id, uses, expires(invite.expires), time(invite.created), invite.by]
            }));
            output.rows(&rows)?;
        }
        AdminResponse::Revoked { invite } => {
            output.text(&format!("the invitation {} was revoked\n", invite.id))?;
        }
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

fn ask(config: &Config, request: InviteRequest) -> Result<AdminResponse, Failure> {
    operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(request).await;
        operator.close().await;
        response
    })
}

/// In milliseconds; zero is for ever.
fn lifetime(expires: Duration) -> Option<u64> {
    (!expires.is_zero()).then(|| u64::try_from(expires.as_millis()).unwrap_or(u64::MAX))
}

fn expires(at: Option<u64>) -> String {
    at.map_or_else(|| "never".to_owned(), time)
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}
