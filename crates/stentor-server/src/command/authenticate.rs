//! AUTHENTICATE: logs in with SASL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stentor_proto::capability::Capability;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::error::Error;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::session::Session;

/// A SASL exchange that has begun.
#[derive(Debug)]
pub struct Exchange {
    /// What has arrived, still in base64.
    data: Secret,
}

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if !session.client.has(Capability::Sasl) {
        return Err(failed("Request the capability sasl first"));
    }
    if session.account.is_some() {
        return Err(Error::numeric(Numeric::ERR_SASLALREADY, &[], "You have already authenticated"));
    }
    let data = message.param(0).unwrap_or_default();
    if data == "*" {
        session.sasl = None;
        return Err(Error::numeric(Numeric::ERR_SASLABORTED, &[], "SASL authentication aborted"));
    }
    let Some(mut exchange) = session.sasl.take() else {
        if !data.eq_ignore_ascii_case("PLAIN") {
            reply.numeric(Numeric::RPL_SASLMECHS, &["PLAIN"], "are available SASL mechanisms");
            return Err(failed("SASL authentication failed: unknown mechanism"));
        }
        session.sasl = Some(Exchange { data: Secret::new("") });
        reply.line("AUTHENTICATE +".to_owned());
        return Ok(());
    };
    if data.len() > CHUNK {
        return Err(Error::numeric(Numeric::ERR_SASLTOOLONG, &[], "SASL message too long"));
    }
    if data != "+" {
        exchange.data = Secret::new(format!("{}{data}", exchange.data.expose()));
    }
    if exchange.data.expose().len() > LONGEST {
        return Err(failed("SASL authentication failed: that is too long for a name and a password"));
    }
    if data.len() == CHUNK {
        session.sasl = Some(exchange);
        return Ok(());
    }
    let (account, password) =
        plain(exchange.data.expose()).ok_or_else(|| failed("SASL authentication failed"))?;
    super::register::login(session, &account, &password, Numeric::ERR_SASLFAIL, reply).await?;
    reply.numeric(Numeric::RPL_SASLSUCCESS, &[], "SASL authentication successful");
    Ok(())
}

/// Reads `authorization NUL account NUL password` in base64. The first must be empty or the second.
fn plain(data: &str) -> Option<(String, Secret)> {
    let bytes = STANDARD.decode(data).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut parts = text.split('\0');
    let (authorization, account, password) = (parts.next()?, parts.next()?, parts.next()?);
    let whole =
        parts.next().is_none() && (authorization.is_empty() || authorization.eq_ignore_ascii_case(account));
    whole.then(|| (account.to_owned(), Secret::new(password)))
}

fn failed(text: &str) -> Error {
    Error::numeric(Numeric::ERR_SASLFAIL, &[], text)
}

/// A piece of exactly this length has a successor.
pub(super) const CHUNK: usize = 400;
/// The longest exchange: names and passwords are far shorter.
pub(super) const LONGEST: usize = 4 * CHUNK;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_plain() {
        let (account, password) = plain(&STANDARD.encode("\0ann\0pass word")).expect("it is well-formed");
        assert_eq!((account.as_str(), password.expose()), ("ann", "pass word"));
        assert!(plain(&STANDARD.encode("ann\0ann\0x")).is_some());
        for wrong in ["", "***", &STANDARD.encode("ann\0x"), &STANDARD.encode("bob\0ann\0x")] {
            assert!(plain(wrong).is_none(), "{wrong:?}");
        }
    }
}
