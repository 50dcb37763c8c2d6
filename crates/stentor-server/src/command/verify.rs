//! VERIFY: the code of a new account's owner. Accounts need none here, so there is none that would be right.

use stentor_proto::message::Message;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    let account = message.nonempty(0).unwrap_or("*");
    if session.account.is_some() {
        let text = "You are logged in already";
        return Err(Error::fail("VERIFY", "ALREADY_AUTHENTICATED", &[account], text));
    }
    let text = "Accounts need no verification here: log in to it, or make it with REGISTER";
    Err(Error::fail("VERIFY", "INVALID_CODE", &[account], text))
}
