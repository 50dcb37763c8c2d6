//! Registration: from the first command to the welcome. And REGISTER, which makes an account.

use std::time::Duration;

use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;

use super::pass::Pass;
use crate::account::login::LoginError;
use crate::account::{Account, AccountError, Password};
use crate::config::Registration;
use crate::error::Error;
use crate::node::claim::{self, Refused};
use crate::node::presence;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::session::Session;
use crate::store::StoreError;

/// What a client has said before its welcome.
#[derive(Debug, Default)]
pub struct Registering {
    /// The nick that it wants.
    pub nick: Option<Nick>,
    /// The user name, with its tilde.
    pub user: Option<String>,
    /// The real name.
    pub realname: String,
    /// Whether CAP negotiation is open.
    pub negotiating: bool,
    /// What PASS said.
    pub pass: Option<Pass>,
}

/// Logs in, and claims the account for this session.
///
/// # Errors
/// The numerics of SASL; [`Error::Close`] where somebody is logged in already. The exchange has ended in any case.
pub async fn login(
    session: &mut Session,
    name: &str,
    password: &Secret,
    reply: &mut Reply,
) -> Result<(), Error> {
    let result = session.node.login.login(name, password.expose(), session.address).await;
    let account = result.map_err(|error| login_failed(&error, reply))?;
    match claim::account(session, &account).await {
        Ok(()) => {}
        Err(Refused::Taken) => {
            reply.numeric(Numeric::ERR_SASLFAIL, &[], ALREADY);
            return Err(Error::Close(ALREADY.to_owned()));
        }
        Err(Refused::Error(error)) => return Err(exchange_failed(error, reply)),
    }
    logged_in(session, &account, reply);
    reply.numeric(Numeric::RPL_SASLSUCCESS, &[], "SASL authentication successful");
    if session.registering.is_none() { settle_in(session).await } else { Ok(()) }
}

/// A client waits for the numeric that ends the exchange, and knows no other answer to AUTHENTICATE.
fn exchange_failed(error: Error, reply: &mut Reply) -> Error {
    match error {
        Error::Store(StoreError::Unavailable(_) | StoreError::Unknown(_)) | Error::Contended => {
            let text = "SASL authentication failed: the store cannot be reached just now; please try again in a moment";
            Error::numeric(Numeric::ERR_SASLFAIL, &[], text)
        }
        error => {
            reply.numeric(Numeric::ERR_SASLFAIL, &[], "SASL authentication failed");
            error
        }
    }
}

fn login_failed(error: &LoginError, reply: &mut Reply) -> Error {
    let text = match error {
        LoginError::Store(error) => return exchange_failed(Error::Store(error.clone()), reply),
        LoginError::Wrong => "SASL authentication failed: the account or the password is wrong".to_owned(),
        other => format!("SASL authentication failed: {other}"),
    };
    Error::numeric(Numeric::ERR_SASLFAIL, &[], &text)
}

fn logged_in(session: &Session, account: &Account, reply: &mut Reply) {
    session.client.update(|profile| {
        profile.account = Some(account.name.clone());
        profile.roles.clone_from(&account.roles);
    });
    let source = session.client.profile().source();
    let text = format!("You are now logged in as {}", account.name);
    reply.numeric(Numeric::RPL_LOGGEDIN, &[&source, &account.name], &text);
}

/// Goes on with the registration as far as what the client has said allows.
///
/// # Errors
/// [`Error::Close`] where the client cannot be let in.
pub async fn advance(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
    let Some(registering) = session.registering.as_mut() else { return Ok(()) };
    let (Some(nick), Some(user)) = (registering.nick.clone(), registering.user.clone()) else {
        return Ok(());
    };
    if registering.negotiating {
        return Ok(());
    }
    let realname = registering.realname.clone();
    let pass = registering.pass.take();
    session.client.update(|profile| {
        profile.user = user;
        profile.realname = realname;
    });
    if session.account.is_none() {
        by_pass(session, &nick, pass, reply).await?;
    }
    let config = session.node.config();
    let nick = match &session.account {
        Some(claim) if config.accounts.required => {
            Nick::parse(&claim.name, config.limits.nick_length).unwrap_or(nick)
        }
        None if config.accounts.required => {
            let text = login_first(config.accounts.registration);
            reply.standard("FAIL", "*", "ACCOUNT_REQUIRED", &[], &text);
            reply.numeric(Numeric::ERR_PASSWDMISMATCH, &[], &text);
            return Err(Error::Close("You must log in to an account to connect".to_owned()));
        }
        _ => nick,
    };
    match claim::nick(session, &nick).await {
        Ok(()) => {}
        Err(Refused::Taken) => {
            if let Some(registering) = session.registering.as_mut() {
                registering.nick = None;
            }
            return Err(super::nick::in_use(session, &nick).await);
        }
        Err(Refused::Error(error)) => return Err(error),
    }
    claim::inbox(session).await?;
    if session.sasl.take().is_some() {
        reply.numeric(Numeric::ERR_SASLABORTED, &[], "SASL authentication aborted");
    }
    session.registering = None;
    session.client.update(|profile| {
        profile.nick = nick.as_str().to_owned();
        profile.registered = true;
        profile.since = crate::hub::clock::wall_ms() / 1000;
    });
    super::welcome::send(session, reply);
    Ok(())
}

/// What PASS asks for: a login, or an account by invitation.
async fn by_pass(
    session: &mut Session,
    nick: &Nick,
    pass: Option<Pass>,
    reply: &mut Reply,
) -> Result<(), Error> {
    match pass {
        Some(Pass::Login(account, password)) => {
            let account = if account.is_empty() { nick.as_str().to_owned() } else { account };
            match login_quietly(session, &account, &password, reply).await {
                Err(Error::Numeric(_, _, text)) => {
                    reply.numeric(Numeric::ERR_PASSWDMISMATCH, &[], &text);
                    Err(Error::Close(text))
                }
                other => other,
            }
        }
        Some(Pass::InviteAndPassword(code, password)) => {
            let name = nick.as_str().to_owned();
            match make_account(session, &name, password.expose(), Some(&code)).await {
                Ok(account) => claim_made(session, &account, reply).await,
                Err(Error::Fail { code, text, .. }) => {
                    let text = match code {
                        // Clients keep the server password that once made the account.
                        "ACCOUNT_EXISTS" | "INVALID_INVITATION" => format!(
                            "{text}. If you have the account {name} already, your server password is {name}:PASSWORD"
                        ),
                        _ => text,
                    };
                    reply.numeric(Numeric::ERR_PASSWDMISMATCH, &[], &text);
                    Err(Error::Close(text))
                }
                Err(other) => Err(other),
            }
        }
        Some(pass @ Pass::Invite(_)) => {
            if let Some(registering) = session.registering.as_mut() {
                registering.pass = Some(pass);
            }
            Ok(())
        }
        None => Ok(()),
    }
}

async fn login_quietly(
    session: &mut Session,
    name: &str,
    password: &Secret,
    reply: &mut Reply,
) -> Result<(), Error> {
    let result = session.node.login.login(name, password.expose(), session.address).await;
    let account = result.map_err(|error| match error {
        LoginError::Store(error) => Error::Store(error),
        LoginError::Wrong => {
            Error::numeric(Numeric::ERR_PASSWDMISMATCH, &[], "The account or the password is wrong")
        }
        other => Error::numeric(Numeric::ERR_PASSWDMISMATCH, &[], &other.to_string()),
    })?;
    claim_made(session, &account, reply).await
}

async fn claim_made(session: &mut Session, account: &Account, reply: &mut Reply) -> Result<(), Error> {
    match claim::account(session, account).await {
        Ok(()) => {
            logged_in(session, account, reply);
            Ok(())
        }
        Err(Refused::Taken) => {
            reply.numeric(Numeric::ERR_SASLFAIL, &[], ALREADY);
            Err(Error::Close(ALREADY.to_owned()))
        }
        Err(Refused::Error(error)) => Err(error),
    }
}

/// `REGISTER <account> <email> <password>`, by the specification of `draft/account-registration`.
pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let name = match message.param(0).unwrap_or_default() {
        "*" => wanted_nick(session).ok_or_else(|| {
            fail("NEED_NICK", &["*"], "Choose a nick first, or name the account that you want")
        })?,
        name => name.to_owned(),
    };
    if session.account.is_some() {
        return Err(fail("ALREADY_AUTHENTICATED", &[&name], "You are logged in already"));
    }
    let required = session.node.config().accounts.required;
    if required && wanted_nick(session).is_some_and(|nick| !nick.eq_ignore_ascii_case(&name)) {
        return Err(fail("ACCOUNT_NAME_MUST_BE_NICK", &[&name], "The account's name must be your nick"));
    }
    let code = match session.registering.as_mut().map(|registering| registering.pass.take()) {
        Some(Some(Pass::Invite(code))) => Some(code),
        Some(Some(Pass::InviteAndPassword(code, _))) => Some(code),
        _ => None,
    };
    let made = make_account(session, &name, message.param(2).unwrap_or_default(), code.as_ref()).await;
    let account = match made {
        Ok(account) => account,
        Err(error) => {
            if let (Some(registering), Some(code)) = (session.registering.as_mut(), code) {
                registering.pass = Some(Pass::Invite(code));
            }
            return Err(error);
        }
    };
    reply.line(format!(":{} REGISTER SUCCESS {name} :Account created", reply.server()));
    claim_made(session, &account, reply).await?;
    if session.registering.is_none() { settle_in(session).await } else { Ok(()) }
}

/// Moves a guest who has come to an account there, and tells its channels.
async fn settle_in(session: &mut Session) -> Result<(), Error> {
    claim::move_inbox(session).await?;
    // Its own channels tell the client, too: nothing else does where it is in none.
    session.client.update(|profile| profile.events.account = crate::random::text(12));
    presence::spread(session).await
}

fn wanted_nick(session: &Session) -> Option<String> {
    match &session.registering {
        Some(registering) => registering.nick.as_ref().map(|nick| nick.as_str().to_owned()),
        None => Some(session.client.profile().nick.clone()),
    }
}

/// Makes an account where the configuration lets this client do so.
async fn make_account(
    session: &Session,
    name: &str,
    password: &str,
    code: Option<&Secret>,
) -> Result<Account, Error> {
    let node = session.node.clone();
    let password = Password::new(password)
        .map_err(|error| fail("UNACCEPTABLE_PASSWORD", &[name], &error.to_string()))?;
    // Nobody takes the name of a guest who is here.
    let holder = node.find_person(name).await?.filter(|person| person.online);
    if holder.is_some_and(|holder| *holder.id != *session.client.id) {
        return Err(fail("ACCOUNT_EXISTS", &[name], "Somebody uses that name now"));
    }
    let spent = match (node.config().accounts.registration, code) {
        (Registration::Open, _) => None,
        (Registration::Invite, Some(code)) => {
            Some(node.invites.spend(code.expose()).await.map_err(|error| {
                fail("INVALID_INVITATION", &[name], &format!("That did not work: {error}"))
            })?)
        }
        (Registration::Invite, None) => {
            let text = "You need an invitation to make an account: send PASS invite:CODE first";
            return Err(fail("INVITATION_REQUIRED", &[name], text));
        }
        (Registration::Closed, _) => {
            return Err(fail("DISALLOWED", &[name], "Accounts are made by this server's operators alone"));
        }
    };
    let result = node.accounts.add(name, &password).await;
    if let (Err(_), Some(spent)) = (&result, spent)
        && let Err(error) = node.invites.unspend(spent).await
    {
        tracing::warn!(%error, "a use of an invitation could not be given back");
    }
    result.map_err(|error| account_failed(name, &error))
}

/// What somebody reads who comes without an account.
fn login_first(registration: Registration) -> String {
    let invited = match registration {
        Registration::Invite => ", or, with an invitation, PASS invite:CODE:password",
        Registration::Open | Registration::Closed => "",
    };
    format!("You must log in to an account to connect: use SASL, or PASS account:password{invited}")
}

fn account_failed(name: &str, error: &AccountError) -> Error {
    let text = error.to_string();
    match error {
        AccountError::Exists(..) => fail("ACCOUNT_EXISTS", &[name], "That account name is taken"),
        AccountError::Reserved(..) => fail("ACCOUNT_EXISTS", &[name], "That account name is reserved"),
        AccountError::Name { .. } => fail("BAD_ACCOUNT_NAME", &[name], &text),
        _ => fail("TEMPORARILY_UNAVAILABLE", &[name], &text),
    }
}

fn fail(code: &'static str, context: &[&str], text: &str) -> Error {
    Error::fail("REGISTER", code, context, text)
}

/// How long a session may take from one attempt at a claim to the next.
pub const CLAIM_PAUSE: Duration = Duration::from_millis(100);
const ALREADY: &str = "User already logged in";
