//! What operators do to accounts, and whom they invite, in the words that people know. Each word is for those with a
//! privilege alone; each deed is in the audit log before it is done, under the name that the command line's has there.

use std::time::Duration;

use super::super::Said;
use super::refusal;
use crate::account::{Account, Password};
use crate::command::uban::duration;
use crate::config::{Privilege, Registration};
use crate::error::Error;
use crate::hub::clock::server_time;
use crate::invite::{Invite, InviteError, USES_MAX};
use crate::operator::audit::Deed;
use crate::operator::{self, authorise};
use crate::reply::Reply;
use crate::services;
use crate::session::Session;
use crate::store::partition::stable_hash;

pub(super) async fn register(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let name = words.first().copied().unwrap_or_default();
    let (password, told) = given_or_random(words.get(1).copied())?;
    let accounts = session.node.accounts.clone();
    accounts.check_new(name).await.map_err(|error| services::refused(NICKSERV, error))?;
    allow(session, "account-add", name, "").await?;
    let account = accounts.add(name, &password).await.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("The account {} is made{told}.", account.name)])
}

pub(super) async fn reset_password(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    let (password, told) = given_or_random(words.get(1).copied())?;
    allow(session, "account-passwd", &account.name, "").await?;
    let changed = session.node.accounts.passwd(&account.name, &password).await;
    changed.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("The password of {} is changed{told}. Its session is ended.", account.name)])
}

pub(super) async fn suspend(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    let reason = words.get(1..).unwrap_or_default().join(" ");
    allow(session, "account-lock", &account.name, &reason).await?;
    let locked = session.node.accounts.lock(&account.name).await;
    Ok(vec![if locked.map_err(|error| services::refused(NICKSERV, error))? {
        format!("{} is suspended, and its session is ended.", account.name)
    } else {
        format!("{} is suspended already.", account.name)
    }])
}

pub(super) async fn unsuspend(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    allow(session, "account-unlock", &account.name, "").await?;
    let unlocked = session.node.accounts.unlock(&account.name).await;
    Ok(vec![if unlocked.map_err(|error| services::refused(NICKSERV, error))? {
        format!("{} is let in again.", account.name)
    } else {
        format!("{} is not suspended.", account.name)
    }])
}

pub(super) async fn remove(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    let account = subject(session, words).await?;
    // Another one for each owner of the name.
    let code = format!("{:08x}", stable_hash(&format!("drop {}", account.epoch)) >> 32);
    let name = &account.name;
    if words.get(1) != Some(&&*code) {
        return Ok(vec![format!(
            "This removes {name} and all that was said to it; the name stays reserved. If you mean it, say: SADROP {name} \
             {code}"
        )]);
    }
    allow(session, "account-remove", name, "").await?;
    let removed = session.node.accounts.remove(name).await;
    removed.map_err(|error| services::refused(NICKSERV, error))?;
    Ok(vec![format!("{name} is removed.")])
}

pub(super) async fn invite(session: &mut Session, words: &[&str], _: &mut Reply) -> Said {
    match words {
        [list] if list.eq_ignore_ascii_case("LIST") => list_invitations(session).await,
        [revoke, which] if revoke.eq_ignore_ascii_case("REVOKE") => {
            let invites = session.node.invites.clone();
            // Its code stays out of the log.
            let id = invites.find(which).await.map_err(not_invited)?.id;
            let deed = Deed { what: "invite-revoke", target: &id, reason: "" };
            authorise(session, Privilege::Invite, &deed).await?;
            let invite = invites.revoke(which).await.map_err(not_invited)?;
            Ok(vec![format!("The invitation {} is good for nothing any more.", invite.id)])
        }
        _ => make_invitation(session, words).await,
    }
}

async fn make_invitation(session: &Session, words: &[&str]) -> Said {
    let uses =
        words.first().map_or(Some(1), |word| word.parse().ok()).filter(|uses| (1..=USES_MAX).contains(uses));
    let lifetime = words.get(1).map_or(Some(LIFETIME), |word| duration(word));
    let (Some(uses), Some(lifetime)) = (uses, lifetime) else {
        return Err(refusal(&format!(
            "Say INVITE <number of accounts, up to {USES_MAX}> <time>, such as INVITE 5 12h."
        )));
    };
    let reason = format!("{uses} uses");
    authorise(session, Privilege::Invite, &Deed { what: "invite", target: "", reason: &reason }).await?;
    let lasting = Some(lifetime).filter(|lifetime| !lifetime.is_zero());
    let by = operator::name_of(&session.client.profile());
    let (code, invite) = session.node.invites.create(uses, lasting, &by).await.map_err(not_invited)?;
    let accounts = if uses == 1 { "one account".to_owned() } else { format!("{uses} accounts") };
    let until =
        invite.expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {}", server_time(at)));
    let code = code.reveal();
    let mut said = vec![
        format!("The invitation {code} makes {accounts}, {until}. It is not shown again."),
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
    let tell = |invite: Invite| {
        let until =
            invite.expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {}", server_time(at)));
        let (id, uses, since, by) = (invite.id, invite.uses_left, server_time(invite.created), invite.by);
        format!("{id}: {uses} to make, {until}, by {by} since {since}.")
    };
    Ok(invites.into_iter().map(tell).collect())
}

/// The account that is named, where the operator may change it: not that of somebody with more privileges.
async fn subject(session: &Session, words: &[&str]) -> Result<Account, Error> {
    let name = words.first().copied().unwrap_or_default();
    let Some(account) = session.node.accounts.find(name).await? else {
        return Err(refusal(&format!("There is no account {name}.")));
    };
    let (config, profile) = (session.node.config(), session.client.profile());
    let theirs = config.roles.privileges(account.roles.iter().map(String::as_str));
    if theirs.is_subset(&operator::privileges(&config, &profile)) {
        return Ok(account);
    }
    Err(refusal(&format!("{} is an operator with a privilege that you lack.", account.name)))
}

async fn allow(session: &Session, what: &str, target: &str, reason: &str) -> Result<(), Error> {
    authorise(session, Privilege::Accounts, &Deed { what, target, reason }).await
}

/// The password to set, and how it is told: only one that nobody knows yet.
fn given_or_random(given: Option<&str>) -> Result<(Password, String), Error> {
    match given {
        Some(given) => {
            let password = Password::new(given).map_err(|error| refusal(&error.to_string()))?;
            Ok((password, String::new()))
        }
        None => {
            let password = Password::generate();
            let told = format!(", with the password {}", password.reveal());
            Ok((password, told))
        }
    }
}

fn not_invited(error: InviteError) -> Error {
    match error {
        InviteError::Write(error) => Error::from(error),
        error => refusal(&error.to_string()),
    }
}

/// How long an invitation lasts where nothing is said of it.
const LIFETIME: Duration = Duration::from_hours(7 * 24);
const NICKSERV: &str = "NICKSERV";
