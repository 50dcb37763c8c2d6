//! The network's bans in the store: the fields of `f/bans`, one for each.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ban::{Ban, Subject, Target};
use crate::account::Accounts;
use crate::commit_identity::{CONFLICTS_MAX, Committer, Draft, WriteError, begin_or_within};
use crate::config::ADMIN;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, StoreError};

/// All that is done to bans. Every method may be called on any node at any time; every node acts on it within a second.
#[derive(Clone, Debug)]
pub struct Bans {
    committer: Committer,
    accounts: Arc<Accounts>,
}

impl Bans {
    /// The bans in the store that `committer` writes to.
    #[must_use]
    pub fn new(committer: Committer, accounts: Arc<Accounts>) -> Self {
        Self { committer, accounts }
    }

    /// Whether a ban may be set by `by`, if that is a client. `force` is for those who mean it.
    ///
    /// # Errors
    /// Why not.
    pub async fn vet(&self, target: &Target, by: Option<&Subject>, force: bool) -> Result<(), BanError> {
        if target.is_loopback() {
            return Err(BanError::Loopback);
        }
        if let Target::Account(name) = target {
            let account = self.accounts.find(name).await.map_err(WriteError::from)?;
            let account = account.ok_or_else(|| BanError::NoAccount(name.clone()))?;
            if account.has_role(ADMIN) && !force {
                return Err(BanError::Admin(account.name));
            }
        }
        if force {
            Ok(())
        } else if target.is_broad() {
            Err(BanError::Broad)
        } else if by.is_some_and(|by| target.matches(by)) {
            Err(BanError::Yourself)
        } else {
            Ok(())
        }
    }

    /// Sets a ban for as long as `lifetime` or for ever; one of the same target is replaced. [`Bans::vet`] is asked first.
    ///
    /// # Errors
    /// [`BanError::Full`], or what the store says.
    pub async fn add(
        &self,
        target: &Target,
        lifetime: Option<Duration>,
        by: &str,
        reason: &str,
    ) -> Result<Ban, BanError> {
        let field = target.field();
        for _ in 0..CONFLICTS_MAX {
            let now = self.committer.store().now().await?;
            let ban = Ban {
                target: target.clone(),
                created: now.0,
                expires: lifetime.map(|lifetime| now.plus(lifetime).0),
                by: by.split(char::is_whitespace).collect(),
                reason: reason.to_owned(),
            };
            let (epoch, all) = self.all().await?;
            let (live, over): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, there)| there.lasts(now));
            if live.len() >= BANS_MAX && live.iter().all(|(there, _)| *there != field) {
                return Err(BanError::Full);
            }
            // Those that are over go with it, unless somebody has set them anew meanwhile.
            let is_other = |(there, _): &&(String, Ban)| *there != field;
            let over: Vec<_> = over.iter().filter(is_other).take(TIDIED_AT_ONCE).collect();
            let mut changes: Vec<Change> =
                over.iter().map(|(there, _)| Change::Unset(there.clone())).collect();
            changes.push(Change::Set(field.clone(), ban.to_value()));
            let is_as_read =
                |(there, ban): &&(String, Ban)| Guard::Field(there.clone(), Is::Equal(ban.to_value()));
            let guards = over.iter().map(is_as_read).collect();
            let draft = Draft { guards, changes, ..Draft::new(Partition::bans(), begin_or_within(epoch).0) };
            if self.committer.attempt(draft).await? {
                return Ok(ban);
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Whether there is a ban to lift.
    ///
    /// # Errors
    /// [`BanError::Unknown`], or what the store says.
    pub async fn vet_removal(&self, target: &Target) -> Result<(), BanError> {
        let (_, all) = self.all().await?;
        if all.iter().any(|(_, ban)| ban.target == *target) {
            return Ok(());
        }
        Err(BanError::Unknown(target.to_string()))
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// [`BanError::Unknown`], or what the store says.
    pub async fn remove(&self, target: &Target) -> Result<Ban, BanError> {
        let field = target.field();
        for _ in 0..CONFLICTS_MAX {
            let (epoch, all) = self.all().await?;
            let unknown = || BanError::Unknown(target.to_string());
            let epoch = epoch.ok_or_else(unknown)?;
            let (_, ban) = all.into_iter().find(|(there, _)| *there == field).ok_or_else(unknown)?;
            let draft = Draft {
                guards: vec![Guard::Field(field.clone(), Is::Present)],
                changes: vec![Change::Unset(field.clone())],
                ..Draft::new(Partition::bans(), Life::Within(epoch))
            };
            if self.committer.attempt(draft).await? {
                return Ok(ban);
            }
        }
        Err(WriteError::Contended.into())
    }

    /// The bans that have not expired, the newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<Ban>, StoreError> {
        let now = self.committer.store().now().await?;
        let (_, all) = self.all().await?;
        let mut bans: Vec<Ban> = all.into_iter().map(|(_, ban)| ban).filter(|ban| ban.lasts(now)).collect();
        bans.sort_unstable_by(|a, b| (b.created, &a.target).cmp(&(a.created, &b.target)));
        Ok(bans)
    }

    async fn all(&self) -> Result<(Option<Epoch>, Vec<(String, Ban)>), StoreError> {
        let Some(snapshot) = self.committer.store().snapshot(&Partition::bans()).await? else {
            return Ok((None, Vec::new()));
        };
        let bans = snapshot.fields.into_iter().filter_map(|(field, value)| {
            let ban = Ban::from_field(&field, &value)?;
            Some((field, ban))
        });
        Ok((Some(snapshot.epoch), bans.collect()))
    }
}

/// How many bans there may be at once: every login is held against each.
pub const BANS_MAX: usize = 5000;

/// How many bans that are over a new one takes away: a store allows only so many guards.
const TIDIED_AT_ONCE: usize = 100;

/// Why something was not done to a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanError {
    /// It would keep out a large part of everybody.
    Broad,
    /// It would keep out whoever sets it.
    Yourself,
    /// It is about loopback, which no ban holds for.
    Loopback,
    /// It is about an account that does not exist.
    NoAccount(String),
    /// It is about an administrator.
    Admin(String),
    /// There are as many bans as there may be.
    Full,
    /// There is no such ban.
    Unknown(String),
    /// The store did not do it, or did not say.
    Write(WriteError),
}

impl BanError {
    /// Whether it is done all the same for those who say that they mean it.
    #[must_use]
    pub fn needs_force(&self) -> bool {
        matches!(self, Self::Broad | Self::Yourself | Self::Admin(_))
    }
}

impl fmt::Display for BanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broad => f.write_str("that would keep out a large part of everybody"),
            Self::Yourself => f.write_str("that would keep you out, too"),
            Self::Loopback => f.write_str("loopback addresses are never kept out"),
            Self::NoAccount(name) => {
                write!(f, "there is no account {name}; a nick without an account is banned as {name}!*@*")
            }
            Self::Admin(name) => write!(f, "{name} is an administrator"),
            Self::Full => write!(f, "there are {BANS_MAX} bans already; lift some first"),
            Self::Unknown(target) => write!(f, "there is no ban on {target}"),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BanError {}

impl From<WriteError> for BanError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for BanError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}
