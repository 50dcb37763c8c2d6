//! `stentor audit`: what operators did.

use std::time::Duration;

use stentor_server::admin::{AdminRequest, AdminResponse};
use stentor_server::hub::clock::server_time;
use stentor_server::operator::audit::Record;

use crate::cli::AuditArgs;
use crate::failure::Failure;
use crate::operator::{self, Operator, unexpected};
use crate::output::Output;
use crate::settings;

pub(crate) fn run(args: &AuditArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    operator::block_on(async {
        let mut operator = Operator::find(&config).await?;
        let shown = show(&mut operator, args).await;
        operator.close().await;
        shown
    })
}

/// Shows the newest records, and, where that is wanted, what is added; that ends with the program.
async fn show(operator: &mut Operator, args: &AuditArgs) -> Result<(), Failure> {
    let output = Output::new();
    let limit = usize::from(args.limit);
    let mut after = None;
    let mut request = AdminRequest::Audit { after: None, limit: limit.max(1) };
    let mut skip = limit == 0;
    loop {
        let AdminResponse::Audit { records } = ask(operator, request).await? else { return Ok(()) };
        for record in &records {
            if !skip {
                output.text(&line(record))?;
            }
            after = Some(record.id.clone());
        }
        if !args.follow {
            return Ok(());
        }
        skip = false;
        if records.is_empty() {
            // The log belongs to the node's store: there is nothing here that could wake this program.
            tokio::time::sleep(PAUSE).await;
        }
        request = AdminRequest::Audit { after: Some(after.clone().unwrap_or_else(first)), limit: PAGE };
    }
}

async fn ask(operator: &mut Operator, request: AdminRequest) -> Result<AdminResponse, Failure> {
    match operator.ask(request).await? {
        answer @ AdminResponse::Audit { .. } => Ok(answer),
        other => Err(unexpected(&other)),
    }
}

/// The id before all records.
fn first() -> String {
    "0-0".to_owned()
}

fn line(record: &Record) -> String {
    let target = if record.target == "*" { String::new() } else { format!(" {}", record.target) };
    let why = if record.reason.is_empty() { String::new() } else { format!(": {}", record.reason) };
    let Record { at, node, who, operator, what, .. } = record;
    format!("{} {operator} ({who} on {node}) {what}{target}{why}\n", server_time(*at))
}

/// How long to wait before the next look.
const PAUSE: Duration = Duration::from_secs(1);
/// How many records one further look takes.
const PAGE: usize = 500;
