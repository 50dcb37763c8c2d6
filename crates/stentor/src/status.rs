//! `stentor status`: nodes, versions, leases, users, warnings.

use stentor_server::admin::{AdminRequest, AdminResponse, NodeStatus, Status};
use stentor_server::config::Config;

use crate::cli::StatusArgs;
use crate::failure::Failure;
use crate::operator::{self, Operator, unexpected};
use crate::output::{self, Output};
use crate::settings;

pub(crate) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    let status = ask(&config)?;
    for text in &status.warnings {
        output::warning(text);
    }
    let output = Output::new();
    let live = status.nodes.iter().filter(|node| node.lease > 0).count();
    output.rows(&[
        vec!["Store".to_owned(), status.store.clone()],
        vec!["Nodes".to_owned(), live.to_string()],
        vec!["Users".to_owned(), status.users().to_string()],
    ])?;
    if status.nodes.is_empty() {
        return Ok(output.text("\nno node is running\n")?);
    }
    let mut rows = vec![["NODE", "VERSION", "LEASE", "USERS"].map(str::to_owned).to_vec()];
    rows.extend(status.nodes.iter().map(node));
    output.text("\n")?;
    Ok(output.rows(&rows)?)
}

fn ask(config: &Config) -> Result<Status, Failure> {
    operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(AdminRequest::Status).await;
        operator.close().await;
        match response? {
            AdminResponse::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    })
}

fn node(node: &NodeStatus) -> Vec<String> {
    let lease = match node.lease {
        0 => "over".to_owned(),
        left => format!("{}.{} s", left / 1000, left % 1000 / 100),
    };
    let version = if node.info.version.is_empty() { "unknown" } else { &node.info.version };
    vec![node.name.clone(), version.to_owned(), lease, node.info.users.to_string()]
}
