//! `stentor ban`: who is kept out of the network.

use stentor_server::admin::{AdminResponse, BanRequest};
use stentor_server::config::Config;

use crate::cli::{BanArgs, BanCommand};
use crate::failure::Failure;
use crate::operator::{self, Operator, unexpected};
use crate::output::{Output, time};
use crate::settings;

pub(crate) fn run(args: &BanArgs) -> Result<(), Failure> {
    let config = settings::load(&args.common)?;
    let (request, done) = match &args.command {
        BanCommand::Add { target, duration, reason, force } => {
            let lifetime = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            let request = BanRequest::Add {
                target: target.clone(),
                lifetime: (lifetime > 0).then_some(lifetime),
                reason: reason.clone(),
                force: *force,
            };
            (request, "is banned")
        }
        BanCommand::Remove { target } => {
            (BanRequest::Remove { target: target.clone() }, "is not banned any more")
        }
        BanCommand::List => (BanRequest::List, ""),
    };
    let output = Output::new();
    match ask(&config, request)? {
        AdminResponse::Ban { ban } => output.text(&format!("{} {done}\n", ban.target))?,
        AdminResponse::Bans { bans } => {
            let mut rows = vec![["TARGET", "EXPIRES", "SINCE", "BY", "REASON"].map(str::to_owned).to_vec()];
            rows.extend(bans.into_iter().map(|ban| {
                let expires = ban.expires.map_or_else(|| "never".to_owned(), time);
                vec![ban.target.to_string(), expires, time(ban.created), ban.by, ban.reason]
            }));
            output.rows(&rows)?;
        }
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

fn ask(config: &Config, request: BanRequest) -> Result<AdminResponse, Failure> {
    operator::block_on(async {
        let mut operator = Operator::find(config).await?;
        let response = operator.ask(request).await;
        operator.close().await;
        response
    })
}
