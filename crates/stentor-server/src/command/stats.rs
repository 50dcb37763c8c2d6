//! STATS: `u` tells how long the node has been up. What else servers tell here, `stentor status` tells their operators.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    super::for_this_server(session, message.nonempty(1))?;
    let Some(letter) = message.nonempty(0).and_then(|query| query.chars().next()) else {
        return Err(super::need_more_params("STATS"));
    };
    if letter == 'u' {
        let seconds = session.node.started.elapsed().unwrap_or_default().as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        let text = format!("Server Up {days} days {}:{:02}:{:02}", hours % 24, minutes % 60, seconds % 60);
        reply.numeric(Numeric::RPL_STATSUPTIME, &[], &text);
    }
    reply.numeric(Numeric::RPL_ENDOFSTATS, &[&letter.to_string()], "End of /STATS report");
    Ok(())
}
