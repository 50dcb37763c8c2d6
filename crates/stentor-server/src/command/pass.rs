//! PASS: logs in, or brings an invitation, for clients without SASL; and the password of the network, where it has one.

use stentor_proto::message::Message;
use stentor_proto::secret::Secret;

use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

/// What a client's PASS asks for at the end of its registration.
#[derive(Debug)]
pub enum Pass {
    /// `account:password`, or a password alone for the account that the nick names; the first is empty then.
    Login(String, Secret),
    /// `invite:CODE:password`: an account with the nick as its name. The code is the session's invitation.
    NewAccount(Secret),
}

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    let text = message.nonempty(0).ok_or_else(|| super::need_more_params("PASS"))?;
    let pass = match text.split_once(':') {
        Some(("invite", rest)) => {
            let (code, password) = rest.split_once(':').map_or((rest, None), |(c, p)| (c, Some(p)));
            session.invitation = Some(Secret::new(code));
            password.map(|password| Pass::NewAccount(Secret::new(password)))
        }
        Some((account, password)) => Some(Pass::Login(account.to_owned(), Secret::new(password))),
        // A network's password has no colon.
        None if session.node.config().network_password.is_some() => {
            if let Some(registering) = session.registering.as_mut() {
                registering.network_password = Some(Secret::new(text));
            }
            return Ok(());
        }
        None => Some(Pass::Login(String::new(), Secret::new(text))),
    };
    if let Some(registering) = session.registering.as_mut() {
        registering.pass = pass;
    }
    Ok(())
}
