//! Registration: from the first command to the welcome. And REGISTER, which makes an account.

use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;

use super::pass::Pass;
use crate::account::login::LoginError;
use crate::account::{Account, AccountError, Password};
use crate::commit_identity::WriteError;
use crate::config::Registration;
use crate::error::Error;
use crate::invite::{InviteError, RegisterError};
use crate::metadata::{Values, own};
use crate::node::claim::{self, Refused};
use crate::node::presence;
use crate::operator::watch;
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
    /// What it has said about itself.
    pub metadata: Values,
}

/// Logs in, and claims the account for this session. `refusal` is the numeric that says why not.
///
/// # Errors
/// `refusal`, or the store's; [`Error::Close`] where somebody is logged in already.
pub async fn login(
    session: &mut Session,
    name: &str,
    password: &Secret,
    refusal: Numeric,
    reply: &mut Reply,
) -> Result<(), Error> {
    match compare_and_claim(session, name, password, refusal, reply).await {
        // A client waits for the numeric that ends the exchange, and knows no other answer.
        Err(Error::Store(StoreError::Unavailable(_) | StoreError::Unknown(_)) | Error::Contended) => {
            let text = "Login failed: the store cannot be reached just now; please try again in a moment";
            Err(Error::numeric(refusal, &[], text))
        }
        Err(error @ (Error::Store(_) | Error::Fenced)) => {
            reply.numeric(refusal, &[], "Login failed");
            Err(error)
        }
        other => other,
    }
}

async fn compare_and_claim(
    session: &mut Session,
    name: &str,
    password: &Secret,
    refusal: Numeric,
    reply: &mut Reply,
) -> Result<(), Error> {
    let result = session.node.login.login(name, password.expose(), session.address).await;
    let account = result.map_err(|error| match error {
        LoginError::Store(error) => Error::Store(error),
        other => Error::numeric(refusal, &[], &format!("Login failed: {other}")),
    })?;
    claim_made(session, &account, reply).await
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
    match welcome(session, reply).await {
        // What the client has said is used up. It knows how to begin again, and not how to go on.
        Err(error @ (Error::Store(_) | Error::Contended)) => {
            error.send("USER", reply);
            Err(Error::Close("The store cannot be reached now; please reconnect in a moment".to_owned()))
        }
        other => other,
    }
}

async fn welcome(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
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
    let known = session.account.as_ref().map(|claim| claim.name.clone());
    watch::check(session, nick.as_str(), known.as_deref(), reply)?;
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
    let said = session.registering.as_mut().map(|registering| std::mem::take(&mut registering.metadata));
    own::carry(session, &said.unwrap_or_default()).await?;
    if session.sasl.take().is_some() {
        reply.numeric(Numeric::ERR_SASLABORTED, &[], "SASL authentication aborted");
    }
    session.registering = None;
    session.client.update(|profile| {
        profile.nick = nick.as_str().to_owned();
        profile.registered = true;
        profile.since = crate::hub::clock::wall_ms() / 1000;
    });
    // Others see it now: a ban that came meanwhile has found it, or is found here.
    let account = session.account.as_ref().map(|claim| claim.name.clone());
    watch::check(session, nick.as_str(), account.as_deref(), reply)?;
    super::welcome::send(session, reply);
    own::introduce_nick(session).await;
    super::waiting::deliver(session, reply).await;
    Ok(())
}

/// What PASS asks for: a login, or an account by invitation.
async fn by_pass(
    session: &mut Session,
    nick: &Nick,
    pass: Option<Pass>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let result = match pass {
        Some(Pass::Login(account, password)) => {
            let account = if account.is_empty() { nick.as_str() } else { &account };
            login(session, account, &password, Numeric::ERR_PASSWDMISMATCH, reply).await
        }
        Some(Pass::NewAccount(password)) => {
            match make_account(session, nick.as_str(), password.expose()).await {
                Ok(account) => claim_made(session, &account, reply).await,
                // Clients keep the server password that once made the account.
                Err(Error::Fail {
                    command,
                    code: code @ ("ACCOUNT_EXISTS" | "INVALID_INVITATION"),
                    context,
                    text,
                }) => {
                    let name = nick.as_str();
                    let text = format!(
                        "{text}. If you have the account {name} already, your server password is {name}:PASSWORD"
                    );
                    Err(Error::Fail { command, code, context, text })
                }
                Err(error) => Err(error),
            }
        }
        None => Ok(()),
    };
    match result {
        Err(Error::Numeric(_, _, text) | Error::Fail { text, .. }) => {
            reply.numeric(Numeric::ERR_PASSWDMISMATCH, &[], &text);
            Err(Error::Close(text))
        }
        other => other,
    }
}

async fn claim_made(session: &mut Session, account: &Account, reply: &mut Reply) -> Result<(), Error> {
    let nick = session.client.profile().nick.clone();
    watch::check(session, &nick, Some(&account.name), reply)?;
    match claim::account(session, account).await {
        Ok(()) => {
            logged_in(session, account, reply);
            watch::check(session, &nick, Some(&account.name), reply)?;
            if session.registering.is_none() { settle_in(session, reply).await } else { Ok(()) }
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
    let accounts = session.node.config().accounts;
    if session.registering.is_some() && !accounts.registration_before_connect {
        return Err(fail(
            "COMPLETE_CONNECTION_REQUIRED",
            &[&name],
            "Finish connecting, then make an account",
        ));
    }
    if accounts.required && wanted_nick(session).is_some_and(|nick| !nick.eq_ignore_ascii_case(&name)) {
        return Err(fail("ACCOUNT_NAME_MUST_BE_NICK", &[&name], "The account's name must be your nick"));
    }
    let account = make_account(session, &name, message.param(2).unwrap_or_default()).await?;
    if let Some(registering) = session.registering.as_mut() {
        // A PASS that asked for an account has nothing left to do.
        registering.pass = None;
    }
    reply.line(format!(":{} REGISTER SUCCESS {name} :Account created", reply.server()));
    claim_made(session, &account, reply).await
}

/// Moves a guest who has come to an account there, and tells its channels.
async fn settle_in(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
    // Its own channels tell the client, too: nothing else does where it is in none.
    session.client.update(|profile| profile.events.account = crate::random::text(12));
    let said = own::values(session);
    claim::move_inbox(session).await?;
    let now = own::carry(session, &said).await?;
    own::announce(session, own::difference(&said, &now)).await;
    super::waiting::deliver(session, reply).await;
    presence::spread(session).await
}

fn wanted_nick(session: &Session) -> Option<String> {
    match &session.registering {
        Some(registering) => registering.nick.as_ref().map(|nick| nick.as_str().to_owned()),
        None => Some(session.client.profile().nick.clone()),
    }
}

/// Makes an account where the configuration lets this client do so.
async fn make_account(session: &mut Session, name: &str, password: &str) -> Result<Account, Error> {
    let node = session.node.clone();
    let password = Password::new(password)
        .map_err(|error| fail("UNACCEPTABLE_PASSWORD", &[name], &error.to_string()))?;
    // Nobody takes the name of a guest who is here.
    let holder = node.find_person(name).await?.filter(|person| person.online);
    if holder.is_some_and(|holder| *holder.id != *session.client.id) {
        return Err(fail("ACCOUNT_EXISTS", &[name], "Somebody uses that name now"));
    }
    let made = match (node.config().accounts.registration, &session.invitation) {
        (Registration::Open, _) => node.accounts.add(name, &password).await.map_err(RegisterError::Account),
        (Registration::Invite, Some(code)) => {
            node.invites.register(&node.accounts, code.expose(), name, &password).await
        }
        (Registration::Invite, None) => {
            let text = "You need an invitation to make an account: connect with PASS invite:CODE first";
            return Err(fail("INVITATION_REQUIRED", &[name], text));
        }
        (Registration::Closed, _) => {
            return Err(fail("DISALLOWED", &[name], "Accounts are made by this server's operators alone"));
        }
    };
    let account = made.map_err(|error| not_made(name, error))?;
    session.invitation = None;
    Ok(account)
}

/// What somebody reads who comes without an account.
fn login_first(registration: Registration) -> String {
    let invited = match registration {
        Registration::Invite => ", or, with an invitation, PASS invite:CODE:password",
        Registration::Open | Registration::Closed => "",
    };
    format!("You must log in to an account to connect: use SASL, or PASS account:password{invited}")
}

fn not_made(name: &str, error: RegisterError) -> Error {
    let text = error.to_string();
    match error {
        RegisterError::Account(AccountError::Write(error))
        | RegisterError::Invite(InviteError::Write(error)) => match error {
            WriteError::Store(error) => Error::Store(error),
            WriteError::Fenced => Error::Fenced,
            WriteError::Contended => fail("TEMPORARILY_UNAVAILABLE", &[name], &text),
        },
        RegisterError::Invite(_) => {
            fail("INVALID_INVITATION", &[name], &format!("That did not work: {text}"))
        }
        RegisterError::Account(error) => match error {
            AccountError::Exists(..) => fail("ACCOUNT_EXISTS", &[name], "That account name is taken"),
            AccountError::Reserved(..) => fail("ACCOUNT_EXISTS", &[name], "That account name is reserved"),
            AccountError::Name { .. } => fail("BAD_ACCOUNT_NAME", &[name], &text),
            _ => fail("TEMPORARILY_UNAVAILABLE", &[name], &text),
        },
    }
}

fn fail(code: &'static str, context: &[&str], text: &str) -> Error {
    Error::fail("REGISTER", code, context, text)
}

const ALREADY: &str = "User already logged in";
