//! CERT: the client certificates that log in to one's account.

use stentor_proto::message::Message;

use crate::account::{AccountError, Fingerprint, revision};
use crate::error::Error;
use crate::reply::Reply;
use crate::services;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    for sentence in act(session, message.params()).await? {
        reply.notice(&sentence);
    }
    Ok(())
}

/// `ADD [<fingerprint>]`, `DEL <fingerprint>` or `LIST`; returns what to say.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn act(session: &mut Session, words: &[&str]) -> Result<Vec<String>, Error> {
    let Some(claim) = session.account.clone() else {
        return Err(fail("ACCOUNT_REQUIRED", "Log in to the account that the certificate is for"));
    };
    let accounts = session.node.accounts.clone();
    let verb = words.first().copied().unwrap_or_default().to_ascii_uppercase();
    match verb.as_str() {
        "ADD" => {
            let certificate = match words.get(1) {
                Some(text) => read(text)?,
                None => session.client.profile().certificate.clone().ok_or_else(|| {
                    fail("NO_CERTIFICATE", "Your client has shown no certificate: add a fingerprint")
                })?,
            };
            let added = accounts.add_own_certificate(claim.known(), &certificate).await.map_err(refused)?;
            let how = if added { "logs in" } else { "logged in already" };
            Ok(vec![format!("The certificate {certificate} {how} to {}.", claim.name)])
        }
        "DEL" | "REMOVE" => {
            let certificate = read(words.get(1).copied().unwrap_or_default())?;
            // A session that came in by it may be a thief's; this one stays.
            let next = revision();
            let before = session.adopt(&next);
            let removed = accounts.remove_own_certificate(claim.known(), &certificate, &next).await;
            if !matches!(removed, Ok(true))
                && let Some(before) = before
            {
                session.adopt(&before);
            }
            let how = if removed.map_err(refused)? { "logs in no more" } else { "did not log in" };
            Ok(vec![format!("The certificate {certificate} {how} to {}.", claim.name)])
        }
        "LIST" => {
            let listed = accounts.certificates(&claim.name).await.map_err(refused)?;
            if listed.is_empty() {
                return Ok(vec![format!("No certificate logs in to {}.", claim.name)]);
            }
            let own = session.client.profile().certificate.clone();
            let mark = |one: &Fingerprint| if own.as_ref() == Some(one) { " (yours)" } else { "" };
            Ok(listed.iter().map(|one| format!("{one}{}", mark(one))).collect())
        }
        _ => Err(fail("INVALID_SUBCOMMAND", "It is ADD [<fingerprint>], DEL <fingerprint> or LIST")),
    }
}

fn read(text: &str) -> Result<Fingerprint, Error> {
    text.parse().map_err(|error: crate::account::certificate::NoFingerprint| {
        fail("INVALID_FINGERPRINT", &format!("That will not do: {error}"))
    })
}

fn refused(error: AccountError) -> Error {
    services::refused("CERT", error)
}

fn fail(code: &'static str, text: &str) -> Error {
    Error::fail("CERT", code, &[], text)
}
