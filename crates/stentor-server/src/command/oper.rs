//! OPER: makes a client an operator, by the roles of its account or by a block of the configuration.

use std::sync::Arc;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::account::login::LoginError;
use crate::config::{Host, OperatorBlock};
use crate::error::Error;
use crate::node::claim;
use crate::node::presence;
use crate::operator::audit::Deed;
use crate::operator::ban::{Subject, Target};
use crate::operator::notices::{self, Topic};
use crate::operator::{self, Standing};
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let name = message.param(0).unwrap_or_default();
    let password = message.param(1).unwrap_or_default();
    let source = session.client.profile().source();
    let (standing, operator) = match identify(session, name, password).await {
        Ok(identified) => identified,
        Err(error) => {
            tell_refused(session, name, &source, &error).await;
            return Err(error);
        }
    };
    let deed = Deed { what: "oper", target: "", reason: "" };
    session.node.audit.record(&source, &operator, &deed).await?;
    let (config, mut made) = (session.node.config(), false);
    // In one step with a look at the roles, so that of a role that is taken back meanwhile nothing stays.
    session.client.update(|profile| {
        let before = profile.operator.replace(standing);
        made = operator::is_operator(&config, profile);
        if !made {
            profile.operator = before;
        }
    });
    if !made {
        return Err(no_role());
    }
    let profile = session.client.profile();
    reply.numeric(Numeric::RPL_YOUREOPER, &[], "You are now an IRC operator");
    reply.own(&profile.line("MODE").param(&profile.nick).param("+o"));
    tell_others(session).await
}

/// By what a name and a password make this client an operator, and under which name.
async fn identify(session: &Session, name: &str, password: &str) -> Result<(Standing, String), Error> {
    let node = &session.node;
    let block = node.config().operators.get(name).cloned();
    let own = session.account_folded() == Some(&name.to_ascii_lowercase());
    match block {
        Some(block) => {
            let checked = node.login.compare(name, Some(&block.password), password, session.address).await;
            checked.map_err(refused)?;
            if !may_come_from(session, &block) {
                let text = "No O-lines for your host";
                return Err(Error::numeric(Numeric::ERR_NOOPERHOST, &[], text));
            }
            let name = name.to_ascii_lowercase();
            Ok((Standing::Configured(name.clone(), Arc::new(block)), name))
        }
        None if own => {
            let account = node.login.login(name, password, session.address).await.map_err(refused)?;
            if node.config().roles.privileges(account.roles.iter().map(String::as_str)).is_empty() {
                return Err(no_role());
            }
            Ok((Standing::Account, account.name))
        }
        // As much work and the same answer as for a name that there is.
        None => match node.login.compare(name, None, password, session.address).await {
            Err(error) => Err(refused(error)),
            Ok(()) => Err(refused(LoginError::Wrong)),
        },
    }
}

/// Tells operators of an attempt in vain. A name that is no operator's stays out of it: it may be a password that was typed
/// in the wrong place.
async fn tell_refused(session: &Session, name: &str, source: &str, error: &Error) {
    let Error::Numeric(_, _, text) = error else { return };
    let known = session.node.config().operators.get(name).is_some();
    let own = session.account_folded() == Some(&name.to_ascii_lowercase());
    let (by, why) = if known || own { (name, text.as_str()) } else { ("a name or password", "it is wrong") };
    let text = format!("{source} could not become an operator by {by}: {why}");
    notices::tell(&session.node, Topic::Operator, &text).await;
}

fn may_come_from(session: &Session, block: &OperatorBlock) -> bool {
    let who = Subject::of(&session.client);
    let allows = |host: &Host| match host {
        Host::Range(range) => range.contains(session.address),
        Host::Mask(mask) => Target::Mask(mask.clone()).matches(&who),
    };
    block.hosts.is_empty() || block.hosts.iter().any(allows)
}

fn refused(error: LoginError) -> Error {
    let text = match error {
        LoginError::Store(error) => return Error::Store(error),
        LoginError::Wrong => {
            "Password incorrect; or it is the name of an account, and you are not logged in to it".to_owned()
        }
        other => format!("OPER failed: {other}"),
    };
    Error::numeric(Numeric::ERR_PASSWDMISMATCH, &[], &text)
}

fn no_role() -> Error {
    Error::numeric(Numeric::ERR_NOOPERHOST, &[], "Your account has no role that makes you an operator")
}

/// Tells the rest of the network that the session's user is an operator, or is none any more.
///
/// # Errors
/// The store's. What could not be told follows with the next change.
pub async fn tell_others(session: &mut Session) -> Result<(), Error> {
    // Renewing the lease tells the other nodes how many operators there are.
    session.node.fenced.notify_one();
    let refreshed = claim::refresh(session, None).await;
    presence::spread(session).await?;
    refreshed
}
