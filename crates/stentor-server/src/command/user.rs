//! USER: the user name and the real name.

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let config = session.node.config();
    let Some(registering) = session.registering.as_mut() else {
        return Err(Error::numeric(Numeric::ERR_ALREADYREGISTERED, &[], "You may not reregister"));
    };
    let realname = message.param(3).unwrap_or_default();
    if message.nonempty(0).is_none() || realname.is_empty() {
        return Err(super::need_more_params("USER"));
    }
    let name = message.param(0).unwrap_or_default();
    let legal: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.[]{}^`|\\".contains(*c)).collect();
    let legal = truncate_utf8(&legal, config.limits.user_length.saturating_sub(1).max(1));
    // The tilde says that nobody has vouched for the name.
    registering.user = Some(format!("~{}", if legal.is_empty() { "user" } else { legal }));
    registering.realname = truncate_utf8(realname, config.limits.realname_length).to_owned();
    super::register::advance(session, reply).await
}
