//! PASS: logs in, or brings an invitation, for clients without SASL.

use stentor_proto::message::Message;

use crate::error::Error;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::session::Session;

/// What a client's PASS said.
#[derive(Debug)]
pub enum Pass {
    /// `account:password`.
    Login(String, Secret),
    /// `invite:CODE`: a REGISTER follows.
    Invite(Secret),
    /// `invite:CODE:password`: makes an account with the nick as its name.
    InviteAndPassword(Secret, Secret),
}

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    let text = message.nonempty(0).ok_or_else(|| super::need_more_params("PASS"))?;
    let pass = match text.split_once(':') {
        Some(("invite", rest)) => match rest.split_once(':') {
            Some((code, password)) => Pass::InviteAndPassword(Secret::new(code), Secret::new(password)),
            None => Pass::Invite(Secret::new(rest)),
        },
        Some((account, password)) => Pass::Login(account.to_owned(), Secret::new(password)),
        None => {
            // A bare password is for the account that the nick names; it is not known yet.
            Pass::Login(String::new(), Secret::new(text))
        }
    };
    if let Some(registering) = session.registering.as_mut() {
        registering.pass = Some(pass);
    }
    Ok(())
}
