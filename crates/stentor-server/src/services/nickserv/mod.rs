//! NickServ: accounts, in the words that people know from other networks.
//!
//! - `operators`: other people's accounts, and invitations

mod operators;

use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;
use stentor_proto::secret::Secret;

use super::{Said, Service, TEXT, Word};
use crate::account::login::LoginError;
use crate::account::{Password, revision};
use crate::command::{cert, nick, register};
use crate::config::Privilege;
use crate::error::Error;
use crate::hub::clock::server_time;
use crate::node::claim::Rivals;
use crate::operator;
use crate::reply::Reply;
use crate::session::{AccountClaim, Session};

/// NickServ.
pub static NICKSERV: Service = Service {
    name: "NickServ",
    about: "NickServ looks after accounts. An account's name is a nick that its owner alone can have.",
    words: &[
        word!(
            &["REGISTER"],
            1..=2,
            5,
            register_nick,
            "REGISTER <password>",
            "Makes an account of your nick."
        ),
        word!(
            &["IDENTIFY", "ID", "LOGIN"],
            1..=2,
            2,
            identify,
            "IDENTIFY [<account>] <password>",
            "Logs in."
        ),
        word!(&["LOGOUT"], 0..=0, 2, log_out, "LOGOUT", "Logs out."),
        word!(
            &["PASSWD"],
            2..=2,
            5,
            passwd,
            "PASSWD <old password> <new password>",
            "Changes your password, and ends other sessions of your account."
        ),
        word!(&["INFO"], 0..=1, 2, info, "INFO [<account>]", "Tells about your account, or another one."),
        word!(
            &["CERT"],
            1..=2,
            2,
            certificates,
            "CERT ADD [<fingerprint>] | CERT DEL <fingerprint> | CERT LIST",
            "Lets your client certificate log in (SASL EXTERNAL)."
        ),
        word!(
            &["GHOST"],
            1..=2,
            2,
            ghost,
            "GHOST <nick> [<password>]",
            "Ends another session of your account, and logs in here."
        ),
        word!(
            &["REGAIN", "RECOVER"],
            1..=2,
            3,
            regain,
            "REGAIN <nick> [<password>]",
            "The same as GHOST, and takes your nick back."
        ),
        word!(&["RELEASE"], 1..=2, 2, ghost, "RELEASE <nick> [<password>]", "The same as GHOST."),
        word!(
            &["DROP", "UNREGISTER"],
            0..=2,
            2,
            drop_account,
            "DROP [<code>]",
            "Removes your account for good; asks you to say so again."
        ),
        word!(
            &["SET"],
            0..=TEXT,
            1,
            set,
            "SET <setting>",
            "Tells what does here what other services do with settings such as PASSWORD or EMAIL."
        ),
        word!(
            &["SAREGISTER"],
            1..=2,
            5,
            operators::register,
            "SAREGISTER <account> [<password>]",
            "For operators: makes an account. Without a password it gets one that you are told.",
            Some(Privilege::Accounts)
        ),
        word!(
            &["RESETPASS", "SAPASSWD"],
            1..=2,
            5,
            operators::reset_password,
            "RESETPASS <account> [<password>]",
            "For operators: gives an account another password, takes its client certificates away, and ends its session.",
            Some(Privilege::Accounts)
        ),
        word!(
            &["SUSPEND"],
            1..=TEXT,
            2,
            operators::suspend,
            "SUSPEND <account> [<reason>]",
            "For operators: keeps an account from logging in, and ends its session. The reason is for the audit log.",
            Some(Privilege::Accounts)
        ),
        word!(
            &["UNSUSPEND"],
            1..=1,
            2,
            operators::unsuspend,
            "UNSUSPEND <account>",
            "For operators: lets a suspended account in again.",
            Some(Privilege::Accounts)
        ),
        word!(
            &["SADROP", "ERASE"],
            1..=2,
            2,
            operators::remove,
            "SADROP <account> [<code>]",
            "For operators: removes an account for good; asks you to say so again.",
            Some(Privilege::Accounts)
        ),
        word!(
            &["INVITE"],
            0..=2,
            2,
            operators::invite,
            "INVITE [<number of accounts> [<time>]] | INVITE LIST | INVITE REVOKE <id or code>",
            "For operators: makes a code with which others make accounts: one within a week, if you say no more. LIST shows \
             all that can be used, REVOKE ends one.",
            Some(Privilege::Invite)
        ),
    ],
};

/// NICKSERV and NS: the rest of the line is said to NickServ.
pub(crate) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    super::hear(session, &NICKSERV, &message.params().join(" "), reply).await
}

async fn register_nick(session: &mut Session, words: &[&str], reply: &mut Reply) -> Said {
    let nick = session.client.profile().nick.clone();
    if let Some(claim) = &session.account {
        return Ok(vec![format!("You are logged in to {} already.", claim.name)]);
    }
    let password = words.first().copied().unwrap_or_default();
    register::make_and_enter(session, &nick, password, reply).await?;
    let mut said = vec![format!("The account {nick} is yours. Log in with it from now on, best with SASL.")];
    if words.len() > 1 {
        said.push(
            "No e-mail address is kept here: whoever forgets the password asks an operator.".to_owned(),
        );
    }
    Ok(said)
}

async fn identify(session: &mut Session, words: &[&str], reply: &mut Reply) -> Said {
    let nick = session.client.profile().nick.clone();
    let (account, password) = match words {
        [account, password, ..] => (*account, *password),
        _ => (&*nick, words.first().copied().unwrap_or_default()),
    };
    register::login(session, account, &Secret::new(password), Numeric::ERR_SASLFAIL, reply).await?;
    Ok(logged_in(session))
}

async fn log_out(session: &mut Session, _: &[&str], reply: &mut Reply) -> Said {
    own(session)?;
    register::log_out(session, reply).await?;
    Ok(vec!["You are logged out.".to_owned()])
}

async fn passwd(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let name = own(session)?.name.clone();
    let (old, new) = match words {
        [old, new, ..] => (*old, *new),
        _ => return Ok(Vec::new()),
    };
    let new = Password::new(new).map_err(|error| refusal(&error.to_string()))?;
    register::strong_enough(session, &new).map_err(|text| refusal(&text))?;
    let node = session.node.clone();
    let proved = match node.login.login(&name, old, session.address).await {
        Ok(account) if session.account.as_ref().is_some_and(|claim| claim.epoch == account.epoch) => account,
        Ok(_) | Err(LoginError::Wrong) => return Err(refusal("The old password is another one.")),
        Err(LoginError::Store(error)) => return Err(Error::Store(error)),
        Err(error) => return Err(refusal(&error.to_string())),
    };
    let next = revision();
    let before = session.adopt(&next);
    let changed = node.accounts.passwd_own(proved.known(), &new, &next).await;
    if changed.is_err()
        && let Some(before) = before
    {
        session.adopt(&before);
    }
    changed.map_err(|error| super::refused("PASSWD", error))?;
    Ok(vec!["Your password is changed, and other sessions of your account end.".to_owned()])
}

async fn info(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let own = session.account.as_ref().map(|claim| claim.name.clone());
    let wanted = words.first().copied().map(str::to_owned).or_else(|| own.clone());
    let Some(wanted) = wanted else { return Err(refusal("You are not logged in. Say INFO <account>.")) };
    let Some(account) = session.node.accounts.find(&wanted).await? else {
        return Ok(vec![format!("There is no account {wanted}.")]);
    };
    let mut said = vec![format!("{} was made at {}.", account.name, server_time(account.created))];
    let (config, profile) = (session.node.config(), session.client.profile());
    let is_operator = operator::privileges(&config, &profile).contains(&Privilege::Accounts);
    if let Some(since) = account.locked.filter(|_| is_operator) {
        said.push(format!("It is suspended since {}.", server_time(since)));
    }
    if is_operator || own.is_some_and(|own| own.eq_ignore_ascii_case(&account.name)) {
        if !account.roles.is_empty() {
            said.push(format!("It has the roles {}.", account.roles.join(", ")));
        }
        let certificates = session.node.accounts.certificates(&account.name).await;
        let count = certificates.map_err(|error| super::refused("INFO", error))?.len();
        said.push(format!("Client certificates that log in to it: {count}."));
    }
    Ok(said)
}

async fn certificates(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    cert::act(session, words).await
}

async fn ghost(session: &mut Session, words: &[&str], reply: &mut Reply) -> Said {
    let account = words.first().copied().unwrap_or_default();
    if session.account_folded().is_some_and(|own| own.eq_ignore_ascii_case(account)) {
        return Ok(vec![format!("You are logged in to {account} yourself, and there is no other session.")]);
    }
    let Some(password) = words.get(1) else {
        return Err(refusal("Add the account's password, to show that it is yours."));
    };
    let node = session.node.clone();
    let proved = node.login.login(account, password, session.address).await;
    register::enter(session, proved, Rivals::GiveWay, Numeric::ERR_SASLFAIL, reply).await?;
    Ok(logged_in(session))
}

async fn regain(session: &mut Session, words: &[&str], reply: &mut Reply) -> Said {
    let said = ghost(session, words, reply).await?;
    let wanted = words.first().copied().unwrap_or_default();
    let limit = session.node.config().limits.nick_length;
    let Ok(wanted) = Nick::parse(wanted, limit) else { return Ok(said) };
    nick::change(session, &wanted, reply).await?;
    Ok(vec![format!("You are {} again.", wanted.as_str())])
}

async fn set(_: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let setting = words.first().copied().unwrap_or_default().to_ascii_uppercase();
    Ok(vec![
        match setting.as_str() {
            "PASSWORD" | "PASS" => "Say PASSWD <old password> <new password>.",
            "EMAIL" => "No e-mail address is kept here: whoever forgets the password asks an operator.",
            "ENFORCE" | "KILL" | "SECURE" => {
                "An account's name is its owner's alone, and nothing has to be set for it."
            }
            "GREET" | "DISPLAY" | "LANGUAGE" | "URL" => "METADATA * SET keeps what you say of yourself.",
            _ => "There are no settings: HELP tells what can be said here.",
        }
        .to_owned(),
    ])
}

async fn drop_account(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let claim = own(session)?.clone();
    let name = &claim.name;
    let said = words.last().map(|code| Secret::new(*code));
    if session.drop_code.is_none() || said != session.drop_code {
        let wrong = if said.is_some() { "That is not the code. " } else { "" };
        let code = crate::random::text(8);
        session.drop_code = Some(Secret::new(code.as_str()));
        return Ok(vec![format!(
            "{wrong}This removes {name} and all that was said to it; the name stays reserved, and you are disconnected. If \
             you mean it, say: DROP {code}"
        )]);
    }
    session.drop_code = None;
    let removed = session.node.accounts.remove_own(claim.known()).await;
    removed.map_err(|error| super::refused("DROP", error))?;
    Ok(vec![format!("{name} is removed.")])
}

/// The account that the session is logged in to.
fn own(session: &Session) -> Result<&AccountClaim, Error> {
    session
        .account
        .as_ref()
        .ok_or_else(|| refusal("You are not logged in. Say IDENTIFY [<account>] <password> first."))
}

fn logged_in(session: &Session) -> Vec<String> {
    let name = session.account.as_ref().map(|claim| claim.name.as_str()).unwrap_or_default();
    vec![format!("You are logged in as {name}.")]
}

fn refusal(text: &str) -> Error {
    Error::fail("NICKSERV", "REFUSED", &[], text)
}
