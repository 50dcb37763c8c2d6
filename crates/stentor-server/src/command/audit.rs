//! AUDIT: shows the newest entries of the audit log.

use stentor_proto::message::Message;

use crate::config::Privilege;
use crate::error::Error;
use crate::hub::clock;
use crate::operator::demand;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Audit)?;
    let count = message.param(0).and_then(|count| count.parse().ok()).unwrap_or(SHOWN);
    for record in session.node.audit.read(None, count.min(SHOWN_MAX)).await? {
        reply.room().await;
        let target = if record.target == "*" { String::new() } else { format!(" {}", record.target) };
        let why = if record.reason.is_empty() { String::new() } else { format!(": {}", record.reason) };
        let (at, operator, what) = (clock::server_time(record.at), record.operator, record.what);
        reply.notice(&format!("{at} {operator} ({} on {}) {what}{target}{why}", record.who, record.node));
    }
    reply.notice("End of the audit log; `stentor audit` shows more");
    Ok(())
}

/// How many entries are shown unless a number is given.
const SHOWN: usize = 20;
/// How many entries are shown at most.
const SHOWN_MAX: usize = 100;
