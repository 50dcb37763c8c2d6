//! AUTHENTICATE: logs in with SASL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stentor_proto::capability::Capability;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use stentor_proto::secret::Secret;

use super::register;
use crate::account::Account;
use crate::account::login::{Challenged, LoginError};
use crate::account::scram::{ClientFirst, MECHANISM};
use crate::config::Accounts;
use crate::error::Error;
use crate::node::claim::Rivals;
use crate::reply::Reply;
use crate::session::Session;

/// A SASL exchange that has begun.
#[derive(Debug)]
pub struct Exchange {
    step: Step,
    /// What has arrived of the next response, still in base64.
    data: Secret,
}

/// What the client's next response is.
#[derive(Debug)]
enum Step {
    /// A name and a password.
    Plain,
    /// The account that it wants, or nothing: its certificate says who it is.
    External,
    /// The first message of SCRAM.
    ScramFirst,
    /// The answer to a challenge.
    ScramProof(Box<Challenged>),
    /// Nothing: it has seen the server's own proof.
    ScramEnd(Box<Account>),
}

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    if !session.client.has(Capability::Sasl) {
        return Err(failed("Request the capability sasl first"));
    }
    let data = message.param(0).unwrap_or_default();
    if data == "*" {
        session.sasl = None;
        return Err(Error::numeric(Numeric::ERR_SASLABORTED, &[], "SASL authentication aborted"));
    }
    let Some(mut exchange) = session.sasl.take() else { return begin(session, data, reply) };
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
    let response = decode(exchange.data.expose()).ok_or_else(|| failed("SASL authentication failed"))?;
    go_on(session, exchange.step, response.expose(), reply).await
}

/// The mechanisms that can be used here, the ones that a client should try first at the end.
pub(super) fn mechanisms(accounts: &Accounts) -> &'static str {
    match accounts.scram_iterations {
        Some(_) => "PLAIN,EXTERNAL,SCRAM-SHA-256",
        None => "PLAIN,EXTERNAL",
    }
}

fn begin(session: &mut Session, mechanism: &str, reply: &mut Reply) -> Result<(), Error> {
    let accounts = session.node.config().accounts;
    // There one's nick is one's account's name.
    if session.account.is_some() && session.registering.is_none() && accounts.required {
        return Err(Error::numeric(Numeric::ERR_SASLALREADY, &[], "You have already authenticated"));
    }
    let step = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => Step::Plain,
        "EXTERNAL" if session.client.profile().certificate.is_none() => {
            return Err(failed("SASL authentication failed: your client has shown no certificate"));
        }
        "EXTERNAL" => Step::External,
        MECHANISM if accounts.scram_iterations.is_some() => Step::ScramFirst,
        _ => {
            let offered = mechanisms(&accounts);
            reply.numeric(Numeric::RPL_SASLMECHS, &[offered], "are available SASL mechanisms");
            return Err(failed("SASL authentication failed: unknown mechanism"));
        }
    };
    wait_for(session, step);
    reply.line("AUTHENTICATE +".to_owned());
    Ok(())
}

async fn go_on(session: &mut Session, step: Step, response: &str, reply: &mut Reply) -> Result<(), Error> {
    let node = session.node.clone();
    let proved = match step {
        Step::Plain => {
            let (account, password) = plain(response).ok_or_else(|| failed("SASL authentication failed"))?;
            node.login.login(&account, password.expose(), session.address).await
        }
        Step::External => match &session.client.profile().certificate {
            Some(certificate) => node.login.certificate(certificate, response).await,
            None => Err(LoginError::Certificate),
        },
        Step::ScramFirst => {
            let challenged = match ClientFirst::parse(response) {
                Ok(first) => node.login.challenge(first, session.address).await,
                Err(error) => Err(LoginError::Scram(error)),
            };
            let challenged = challenged.map_err(|error| register::refused(error, Numeric::ERR_SASLFAIL))?;
            send(reply, &challenged.message());
            wait_for(session, Step::ScramProof(Box::new(challenged)));
            return Ok(());
        }
        Step::ScramProof(challenged) => {
            match node.login.prove(*challenged, response, session.address).await {
                Ok((account, proof)) => {
                    send(reply, &proof.message);
                    wait_for(session, Step::ScramEnd(Box::new(account)));
                    return Ok(());
                }
                Err(error) => Err(error),
            }
        }
        Step::ScramEnd(account) if response.is_empty() => Ok(*account),
        Step::ScramEnd(_) => return Err(failed("SASL authentication failed")),
    };
    register::enter(session, proved, Rivals::ByPolicy, Numeric::ERR_SASLFAIL, reply).await?;
    reply.numeric(Numeric::RPL_SASLSUCCESS, &[], "SASL authentication successful");
    Ok(())
}

fn wait_for(session: &mut Session, step: Step) {
    session.sasl = Some(Exchange { step, data: Secret::new("") });
}

/// Sends a challenge, in as many pieces as it needs.
fn send(reply: &mut Reply, challenge: &str) {
    let encoded = STANDARD.encode(challenge);
    let mut rest = encoded.as_str();
    while let Some((piece, more)) = rest.split_at_checked(CHUNK) {
        reply.line(format!("AUTHENTICATE {piece}"));
        rest = more;
    }
    reply.line(format!("AUTHENTICATE {}", if rest.is_empty() { "+" } else { rest }));
}

fn decode(data: &str) -> Option<Secret> {
    let bytes = STANDARD.decode(data).ok()?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

/// Reads `authorization NUL account NUL password`. The first must be empty or the second.
fn plain(text: &str) -> Option<(String, Secret)> {
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
        let (account, password) = plain("\0ann\0pass word").expect("it is well-formed");
        assert_eq!((account.as_str(), password.expose()), ("ann", "pass word"));
        assert!(plain("ann\0ann\0x").is_some());
        for wrong in ["", "***", "ann\0x", "bob\0ann\0x", "\0ann\0a\0b"] {
            assert!(plain(wrong).is_none(), "{wrong:?}");
        }
    }
}
