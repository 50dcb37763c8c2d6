//! What operators do to accounts, and whom they invite, in the words that people know. Each word is for those with a
//! privilege alone; each deed is in the audit log before it is done, under the name that the command line's has there.

use std::time::Duration;

use super::super::Said;
use super::refusal;
use crate::account::{Account, AccountError, Accounts, Choice, Password};
use crate::command::register::is_used;
use crate::config::units::parse_typed_time;
use crate::config::{Privilege, Registration};
use crate::error::Error;
use crate::hub::clock::{server_time, until};
use crate::invite::{Code, Invite, InviteError, check_uses};
use crate::operator::audit::{Deed, deeds};
use crate::operator::{self, authorise};
use crate::reply::Reply;
use crate::services;
use crate::session::Session;

pub(super) async fn register(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let name = words.first().copied().unwrap_or_default();
    let (password, told) = given_or_random(words.get(1).copied())?;
    let accounts = session.node.accounts.clone();
    accounts.check_new(name).await.map_err(|error| services::refused(NICKSERV, error))?;
    if is_used(session, name).await? {
        return Err(refusal(&format!(
            "Somebody who is here is called {name}: they can REGISTER it themselves."
        )));
    }
    allow(session, deeds::ACCOUNT_ADD, name, "").await?;
    let account = accounts.add(name, &password).await.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("The account {} is made{told}.", account.name)])
}

/// Whoever had the account cannot come back by a certificate, either.
pub(super) async fn reset_password(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    if session.account_folded() == Some(&*account.folded) {
        return Err(refusal("Change your own password with PASSWD."));
    }
    let (password, told) = given_or_random(words.get(1).copied())?;
    allow(session, deeds::ACCOUNT_PASSWD, &account.name, "").await?;
    let (name, accounts) = (&account.name, session.node.accounts.clone());
    let failed = |error| services::refused(NICKSERV, error);
    accounts.passwd(name, &password).await.map_err(failed)?;
    let withdrawn = match withdraw_certificates(&accounts, name).await {
        Ok(0) => String::new(),
        Ok(count) => format!(" Client certificates that log in to it no more: {count}."),
        Err(error) => format!(" Its client certificates may still log in: {error}. Say RESETPASS again."),
    };
    Ok(vec![format!("The password of {name} is changed{told}. Its session is ended.{withdrawn}")])
}

async fn withdraw_certificates(accounts: &Accounts, name: &str) -> Result<usize, AccountError> {
    let certificates = accounts.certificates(name).await?;
    for fingerprint in &certificates {
        accounts.withdraw_certificate(name, fingerprint).await?;
    }
    Ok(certificates.len())
}

pub(super) async fn suspend(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let of_others = ["ADD", "DEL", "LIST"];
    if words.first().is_some_and(|first| of_others.iter().any(|word| first.eq_ignore_ascii_case(word))) {
        return Err(refusal("Say SUSPEND <account> [<reason>], or UNSUSPEND <account>."));
    }
    if words.get(1).is_some_and(|word| services::is_end(word)) {
        return Err(refusal("An account is suspended until you say UNSUSPEND: leave the time out."));
    }
    let account = subject(session, words).await?;
    let name = &account.name;
    if account.locked.is_some() {
        return Err(refusal(&format!("{name} is suspended already.")));
    }
    let reason = words.get(1..).unwrap_or_default().join(" ");
    allow(session, deeds::ACCOUNT_LOCK, name, &reason).await?;
    session.node.accounts.lock(name).await.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("{name} is suspended, and its session is ended.")])
}

pub(super) async fn unsuspend(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    let name = &account.name;
    if account.locked.is_none() {
        return Err(refusal(&format!("{name} is not suspended.")));
    }
    allow(session, deeds::ACCOUNT_UNLOCK, name, "").await?;
    session.node.accounts.unlock(name).await.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("{name} is let in again.")])
}

pub(super) async fn remove(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    // Another one for each owner of the name.
    let code = services::code(&format!("drop {}", account.epoch));
    let name = &account.name;
    if words.get(1) != Some(&&*code) {
        return Ok(vec![format!(
            "This removes {name} and all that was said to it; the name stays reserved. If you mean it, say: SADROP {name} \
             {code}"
        )]);
    }
    allow(session, deeds::ACCOUNT_REMOVE, name, "").await?;
    let removed = session.node.accounts.remove(name).await;
    removed.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("{name} is removed.")])
}

pub(super) async fn invite(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    match words {
        [list] if list.eq_ignore_ascii_case("LIST") => list_invitations(session).await,
        [revoke, which] if revoke.eq_ignore_ascii_case("REVOKE") => {
            let invites = session.node.invites.clone();
            let id = invites.find(which).await.map_err(not_invited)?.id;
            let deed = Deed { what: deeds::INVITE_REVOKE, target: &id, reason: "" };
            authorise(session, Privilege::Invite, &deed).await?;
            invites.revoke(&id).await.map_err(not_invited)?;
            Ok(vec![format!("The invitation {id} is good for nothing any more.")])
        }
        _ => make_invitation(session, words).await,
    }
}

async fn make_invitation(session: &Session, words: &[&str]) -> Said {
    let uses = words.first().map_or(Some(1), |word| word.parse().ok());
    let lifetime = words.get(1).map_or(Some(LIFETIME), |word| parse_typed_time(word));
    let (Some(uses), Some(lifetime)) = (uses, lifetime) else {
        return Err(refusal("Say INVITE <number of accounts> <time>, such as INVITE 5 12h."));
    };
    check_uses(uses).map_err(not_invited)?;
    let lifetime = Some(lifetime).filter(|lifetime| !lifetime.is_zero());
    let code = Code::random();
    let deed = Deed { what: deeds::INVITE, target: &code.id(), reason: &deeds::invited(uses, lifetime) };
    authorise(session, Privilege::Invite, &deed).await?;
    let by = operator::name_of(&session.client.profile());
    let invite = session.node.invites.make(&code, uses, lifetime, &by).await.map_err(not_invited)?;
    let (id, until, code) = (&invite.id, until(invite.expires), code.reveal());
    let accounts = deeds::so_many_accounts(uses);
    let mut said = vec![
        format!("The invitation {code} (id {id}) makes {accounts}, {until}. It is not shown again."),
        format!(
            "Whoever has it connects once with the server password invite:{code}:PASSWORD and the nick of their choice, or \
             with stentor chat --register --invite {code}."
        ),
    ];
    if session.node.config().accounts.registration == Registration::Closed {
        said.push(
            "As long as accounts.registration is \"closed\" in the configuration, nobody can use it."
                .to_owned(),
        );
    }
    Ok(said)
}

async fn list_invitations(session: &Session) -> Said {
    let mut invites = session.node.invites.list().await?;
    invites.retain(|invite| invite.uses_left > 0);
    if invites.is_empty() {
        return Ok(vec!["There is no invitation that can be used.".to_owned()]);
    }
    let tell = |invite: &Invite| {
        let (id, uses, by) = (&invite.id, invite.uses_left, &invite.by);
        format!(
            "{id}: {uses} to make, {}, by {by} since {}.",
            until(invite.expires),
            server_time(invite.created)
        )
    };
    let mut said: Vec<String> = invites.iter().take(SHOWN).map(tell).collect();
    if invites.len() > SHOWN {
        said.push(format!("There are {} more, which are older.", invites.len() - SHOWN));
    }
    Ok(said)
}

/// The account that is named, where the operator may change it: one whose roles give fewer privileges than the operator has,
/// or any for who has all. A role that is not configured here may give any elsewhere.
async fn subject(session: &Session, words: &[&str]) -> Result<Account, Error> {
    let name = words.first().copied().unwrap_or_default();
    let Some(account) = session.node.accounts.find(name).await? else {
        return Err(refusal(&format!("There is no account {name}.")));
    };
    let (config, profile) = (session.node.config(), session.client.profile());
    let own = operator::privileges(&config, &profile);
    if Privilege::all().all(|privilege| own.contains(&privilege)) {
        return Ok(account);
    }
    let roles = || account.roles.iter().map(String::as_str);
    let theirs = config.roles.privileges(roles());
    let is_below = theirs.is_empty() || theirs.is_subset(&own) && theirs != own;
    if is_below && roles().all(|role| config.roles.get(role).is_some()) {
        return Ok(account);
    }
    Err(refusal(&format!("{} has roles that are not below yours.", account.name)))
}

async fn allow(session: &Session, what: &str, target: &str, reason: &str) -> Result<(), Error> {
    authorise(session, Privilege::Accounts, &Deed { what, target, reason }).await
}

/// The password to set, and how it is told: only one that nobody knows yet.
fn given_or_random(given: Option<&str>) -> Result<(Password, String), Error> {
    let given = given.map(Password::new).transpose().map_err(|error| refusal(&error.to_string()))?;
    Ok(match Password::given_or_random(given) {
        (password, Choice::Given) => (password, String::new()),
        (password, Choice::Random) => {
            let told = format!(", with the password {}", password.reveal());
            (password, told)
        }
    })
}

fn not_invited(error: InviteError) -> Error {
    match error {
        InviteError::Write(error) => Error::from(error),
        error => refusal(&error.to_string()),
    }
}

/// How long an invitation lasts where nothing is said of it.
const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How many invitations one answer names.
const SHOWN: usize = 50;
const NICKSERV: &str = "NICKSERV";
