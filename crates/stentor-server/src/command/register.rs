//! Registration: from the first command to the welcome. And REGISTER, which makes an account.

use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;
use stentor_proto::secret::Secret;

use super::pass::Pass;
use crate::account::login::LoginError;
use crate::account::{Account, AccountError, Password};
use crate::commit_identity::WriteError;
use crate::config::Registration;
use crate::error::Error;
use crate::invite::{InviteError, RegisterError};
use crate::metadata::{Values, own};
use crate::node::claim::{self, Refused, Rivals};
use crate::node::presence;
use crate::operator::notices::{self, Topic};
use crate::operator::watch;
use crate::reply::Reply;
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
    /// What PASS said of an account.
    pub pass: Option<Pass>,
    /// What it has said about itself.
    pub metadata: Values,
    /// What PASS gave as the network's password.
    pub network_password: Option<Secret>,
    /// Whether that was right.
    pub admitted: bool,
    /// Whether a gateway has named the client's address.
    pub relayed: bool,
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
    let node = session.node.clone();
    let proved = node.login.login(name, password.expose(), session.address).await;
    enter(session, proved, Rivals::ByPolicy, refusal, reply).await
}

/// Claims an account for this session, once it has been proved to be its user's. `refusal` is the numeric that says why not.
///
/// # Errors
/// As [`login`].
pub async fn enter(
    session: &mut Session,
    proved: Result<Account, LoginError>,
    rivals: Rivals,
    refusal: Numeric,
    reply: &mut Reply,
) -> Result<(), Error> {
    match claim_proved(session, proved, rivals, refusal, reply).await {
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

async fn claim_proved(
    session: &mut Session,
    proved: Result<Account, LoginError>,
    rivals: Rivals,
    refusal: Numeric,
    reply: &mut Reply,
) -> Result<(), Error> {
    let account = proved.map_err(|error| refused(error, refusal))?;
    if session.account.as_ref().is_some_and(|claim| claim.epoch == account.epoch) {
        // Its roles are known, and may be newer than those that came with the password.
        tell_logged_in(session, &account, reply);
        return Ok(());
    }
    may_leave(session, Some(&account.name)).map_err(|text| Error::numeric(refusal, &[], &text))?;
    claim_account(session, &account, rivals, reply).await
}

/// What the client is told of a login that failed.
pub(super) fn refused(error: LoginError, refusal: Numeric) -> Error {
    match error {
        LoginError::Store(error) => Error::Store(error),
        LoginError::Locked if refusal == Numeric::ERR_SASLFAIL => {
            Error::numeric(Numeric::ERR_NICKLOCKED, &[], &format!("Login failed: {error}"))
        }
        other => Error::numeric(refusal, &[], &format!("Login failed: {other}")),
    }
}

/// Whether the session may leave the account that it is logged in to, if it is, for another one or for none.
///
/// # Errors
/// Why not.
fn may_leave(session: &Session, to: Option<&str>) -> Result<(), String> {
    let (Some(account), Some(nick)) = (&session.account, &session.nick) else { return Ok(()) };
    if session.node.config().accounts.required {
        return Err("Here everybody is logged in to one account, whose name is their nick, for as long as they are connected".to_owned());
    }
    if account.folded == nick.partition.name() {
        return Err("Your nick is your account's name, which nobody else bears: change it first".to_owned());
    }
    match super::nick::silenced_in(session, &session.client.profile().source(), to) {
        Some(room) => Err(format!(
            "You cannot leave your account while it is banned or muted in {room}, where you are: part from there first"
        )),
        None => Ok(()),
    }
}

/// Logs the session out; it goes on as a guest's.
///
/// # Errors
/// [`Error::Numeric`] where it may not, and the store's.
pub async fn log_out(session: &mut Session, reply: &mut Reply) -> Result<(), Error> {
    may_leave(session, None).map_err(|text| Error::numeric(Numeric::ERR_SASLFAIL, &[], &text))?;
    super::message::finish_last(session).await?;
    session.former.extend(session.account.take());
    session.client.leave_account();
    let source = session.client.profile().source();
    reply.numeric(Numeric::RPL_LOGGEDOUT, &[&source], "You are now logged out");
    claim::leave_former(session).await;
    settle_in(session, reply).await
}

fn logged_in(session: &Session, account: &Account, reply: &mut Reply) {
    session.client.enter_account(account);
    tell_logged_in(session, account, reply);
}

fn tell_logged_in(session: &Session, account: &Account, reply: &mut Reply) {
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
            Err(Error::Close(STORE_AWAY.to_owned()))
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
    let modes = session.node.config().default_user_modes.clone();
    session.client.update(|profile| {
        profile.user = user;
        profile.realname = realname;
        profile.modes = modes;
    });
    let known = session.account.as_ref().map(|claim| claim.name.clone());
    watch::check(session, nick.as_str(), known.as_deref(), reply)?;
    if session.account.is_none() {
        by_pass(session, &nick, pass, reply).await?;
    }
    if session.account.is_none()
        && let Err(error) = admit(session).await
    {
        return Err(told_and_closed(error, reply));
    }
    let config = session.node.config();
    let nick = match &session.account {
        Some(claim) if config.accounts.required => {
            // Names could be longer when it was made.
            Nick::parse(&claim.name, usize::MAX).unwrap_or(nick)
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
    result.map_err(|error| told_and_closed(error, reply))
}

/// A client that is not let in is told why, and then leaves.
fn told_and_closed(error: Error, reply: &mut Reply) -> Error {
    match error {
        Error::Numeric(_, _, text) | Error::Fail { text, .. } => {
            reply.numeric(Numeric::ERR_PASSWDMISMATCH, &[], &text);
            Error::Close(text)
        }
        other => other,
    }
}

/// Asks for the network's password, where it has one, of a client that has not logged in.
///
/// # Errors
/// [`Error::Numeric`] where it was not given, or is another one.
async fn admit(session: &mut Session) -> Result<(), Error> {
    let (node, address) = (session.node.clone(), session.address);
    let config = node.config();
    let (Some(hash), Some(registering)) = (&config.network_password, session.registering.as_mut()) else {
        return Ok(());
    };
    if registering.admitted {
        return Ok(());
    }
    let Some(given) = registering.network_password.take() else {
        let text = "This network has a password: give it with PASS, or log in to an account";
        return Err(Error::numeric(Numeric::ERR_PASSWDMISMATCH, &[], text));
    };
    match node.login.shared_password("network", given.expose(), hash, address).await {
        Ok(()) => {
            registering.admitted = true;
            Ok(())
        }
        Err(LoginError::Wrong) => {
            Err(Error::numeric(Numeric::ERR_PASSWDMISMATCH, &[], "The network's password is another one"))
        }
        Err(error) => Err(refused(error, Numeric::ERR_PASSWDMISMATCH)),
    }
}

async fn claim_made(session: &mut Session, account: &Account, reply: &mut Reply) -> Result<(), Error> {
    claim_account(session, account, Rivals::ByPolicy, reply).await
}

async fn claim_account(
    session: &mut Session,
    account: &Account,
    rivals: Rivals,
    reply: &mut Reply,
) -> Result<(), Error> {
    let nick = session.client.profile().nick.clone();
    watch::check(session, &nick, Some(&account.name), reply)?;
    super::message::finish_last(session).await?;
    match claim::account_from(session, account, rivals).await {
        Ok(()) => {
            claim::leave_former(session).await;
            logged_in(session, account, reply);
            session.node.accounts.claim_name(&account.folded).await;
            watch::check(session, &nick, Some(&account.name), reply)?;
            if session.registering.is_none() { settle_in(session, reply).await } else { Ok(()) }
        }
        // Whoever is in already stays so.
        Err(Refused::Taken) if session.registering.is_none() => {
            Err(Error::numeric(Numeric::ERR_SASLFAIL, &[], ALREADY))
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
    let nick = wanted_nick(session);
    let name = match message.param(0).unwrap_or_default() {
        "*" => nick.clone().unwrap_or_else(|| "*".to_owned()),
        name => name.to_owned(),
    };
    if session.account.is_some() {
        return Err(fail("ALREADY_AUTHENTICATED", &[&name], "You are logged in already"));
    }
    let accounts = session.node.config().accounts;
    if session.registering.is_some() && !accounts.registration_before_connect {
        let text = "Finish connecting, then make an account";
        return Err(fail("COMPLETE_CONNECTION_REQUIRED", &[&name], text));
    }
    // Which names there are is told to nobody who has not chosen one.
    let nick = nick.ok_or_else(|| fail("NEED_NICK", &["*"], "Choose a nick first, then make an account"))?;
    if accounts.required && !nick.eq_ignore_ascii_case(&name) {
        return Err(fail("ACCOUNT_NAME_MUST_BE_NICK", &[&name], "The account's name must be your nick"));
    }
    if session.registering.is_some() {
        watch::check(session, &nick, Some(&name), reply)?;
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
    // The client itself is told first, and not again by its channels: it may be in none.
    let event = presence::event(session);
    session.client.update(|profile| profile.events.account = event);
    let profile = session.client.profile();
    reply.own(&profile.line("ACCOUNT").param(profile.account.as_deref().unwrap_or("*")));
    let said = own::values(session);
    let moved = claim::move_inbox(session).await;
    if session.inbox.is_none()
        && let Err(error) = moved
    {
        tracing::debug!(?error, "a session has no place for its private messages: it ends");
        return Err(match error {
            close @ Error::Close(_) => close,
            _ => Error::Close(STORE_AWAY.to_owned()),
        });
    }
    moved?;
    let carried = own::carry(session, &said).await;
    if let Ok(now) = &carried {
        own::announce(session, own::difference(&said, now)).await;
    }
    super::waiting::deliver(session, reply).await;
    presence::spread(session).await?;
    if let Err(error) = carried {
        // Whoever has come in stays in; what they said of themselves they say again.
        tracing::debug!(?error, "a guest's metadata is not carried to an account");
    }
    Ok(())
}

fn wanted_nick(session: &Session) -> Option<String> {
    match &session.registering {
        Some(registering) => registering.nick.as_ref().map(|nick| nick.as_str().to_owned()),
        None => Some(session.client.profile().nick.clone()),
    }
}

/// Makes an account of this name for somebody who is here, and logs in to it.
///
/// # Errors
/// As REGISTER's.
pub async fn make_and_enter(
    session: &mut Session,
    name: &str,
    password: &str,
    reply: &mut Reply,
) -> Result<(), Error> {
    let account = make_account(session, name, password).await?;
    claim_made(session, &account, reply).await
}

/// Whether a password is long enough for one that its user has chosen.
///
/// # Errors
/// What is asked for.
pub fn strong_enough(session: &Session, password: &Password) -> Result<(), String> {
    let least = session.node.config().accounts.password_min;
    if password.reveal().chars().count() >= least {
        return Ok(());
    }
    Err(format!("A password has at least {least} characters"))
}

/// Whether somebody else who is here has this nick: nobody makes an account of it for another.
///
/// # Errors
/// The store's.
pub async fn is_used(session: &Session, name: &str) -> Result<bool, StoreError> {
    let holder = session.node.find_person(name).await?.filter(|person| person.online);
    Ok(holder.is_some_and(|holder| *holder.id != *session.client.id))
}

/// Makes an account where the configuration lets this client do so.
async fn make_account(session: &mut Session, name: &str, password: &str) -> Result<Account, Error> {
    let node = session.node.clone();
    let password = Password::new(password)
        .map_err(|error| fail("UNACCEPTABLE_PASSWORD", &[name], &error.to_string()))?;
    strong_enough(session, &password).map_err(|text| fail("WEAK_PASSWORD", &[name], &text))?;
    if is_used(session, name).await? {
        return Err(fail("ACCOUNT_EXISTS", &[name], "Somebody uses that name now"));
    }
    let registration = node.config().accounts.registration;
    // An invitation lets its bearer in, too; an account that anybody can make does not.
    if registration == Registration::Open
        && let Err(error) = admit(session).await
    {
        return Err(match error {
            Error::Numeric(_, _, text) => fail("SERVER_PASSWORD_REQUIRED", &[name], &text),
            other => other,
        });
    }
    let made = match (registration, &session.invitation) {
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
    let text =
        format!("the account {} was made by somebody from {}", account.name, session.client.profile().host);
    notices::tell(&session.node, Topic::Account, &text).await;
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
            AccountError::Name { .. } | AccountError::Service(_) => fail("BAD_ACCOUNT_NAME", &[name], &text),
            _ => fail("TEMPORARILY_UNAVAILABLE", &[name], &text),
        },
    }
}

fn fail(code: &'static str, context: &[&str], text: &str) -> Error {
    Error::fail("REGISTER", code, context, text)
}

const ALREADY: &str = "User already logged in";
/// Why a session ends that cannot go on without the store.
const STORE_AWAY: &str = "The store cannot be reached now; please reconnect in a moment";
