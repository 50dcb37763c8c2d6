//! Invitations: codes that let their holders make an account.
//!
//! A code has 128 bits and is shown once. The store holds its SHA-256 alone, on the fleet's partition, as the field
//! `invite:<hash>` with the value `<uses left> <expires> <created> <by>`; times are milliseconds of the store's time, and
//! one that lasts for ever has `never`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::account::{Account, AccountError, Accounts, Password};
use crate::commit_identity::{CONFLICTS_MAX, Committer, Draft, WriteError, begin_or_within};
use crate::random;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, Store, StoreError};

/// All that is done to invitations. Every method may be called on any node at any time.
#[derive(Debug)]
pub struct Invites {
    committer: Committer,
}

/// A code, as it is handed to whom it invites. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

/// An invitation, without its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// The first digits of the code's hash: enough to tell it from the others.
    pub id: String,
    /// How many accounts it can still make; 0 where it is used up.
    pub uses_left: u32,
    /// Until when, in milliseconds of the store's time; `None`: for ever.
    pub expires: Option<u64>,
    /// Since when, in milliseconds of the store's time.
    pub created: u64,
    /// Who made it.
    pub by: String,
}

/// One use of an invitation. If nothing comes of it, [`Invites::unspend`] gives it back.
#[derive(Debug)]
#[must_use = "a use that made no account is given back"]
pub struct Spent {
    field: String,
    epoch: Epoch,
}

impl Invites {
    /// Invitations in the store that `committer` writes to.
    #[must_use]
    pub fn new(committer: Committer) -> Self {
        Self { committer }
    }

    /// Makes an invitation with a new code, which cannot be learnt again, as [`Invites::make`] does.
    ///
    /// # Errors
    /// As [`Invites::make`].
    pub async fn create(
        &self,
        uses: u32,
        lifetime: Option<Duration>,
        by: &str,
    ) -> Result<(Code, Invite), InviteError> {
        let code = Code::random();
        let invite = self.make(&code, uses, lifetime, by).await?;
        Ok((code, invite))
    }

    /// Makes an invitation for so many `uses` (1 to 1,000,000), for as long as `lifetime` or for ever. `by` is the account
    /// that makes it, or `operator`.
    ///
    /// # Errors
    /// [`InviteError::Uses`], [`InviteError::Full`], or what the store says.
    pub async fn make(
        &self,
        code: &Code,
        uses: u32,
        lifetime: Option<Duration>,
        by: &str,
    ) -> Result<Invite, InviteError> {
        check_uses(uses)?;
        let field = code.field();
        for _ in 0..CONFLICTS_MAX {
            let now = self.store().now().await?;
            let invite = Invite {
                id: id_of(&field),
                uses_left: uses,
                expires: lifetime.map(|lifetime| now.plus(lifetime).0),
                created: now.0,
                by: by.split(char::is_whitespace).collect(),
            };
            let (epoch, all) = self.all().await?;
            let mut changes = vec![Change::Set(field.clone(), invite.to_value())];
            changes.extend(room_for_one(all, now.0)?.into_iter().map(Change::Unset));
            let draft = Draft { changes, ..Draft::new(Partition::fleet(), begin_or_within(epoch).0) };
            if self.committer.attempt(draft).await? {
                return Ok(invite);
            }
        }
        Err(WriteError::Contended.into())
    }

    /// The invitations that have not expired, used up or not, the newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<Invite>, StoreError> {
        let now = self.store().now().await?.0;
        let (_, all) = self.all().await?;
        let mut invites: Vec<Invite> = all.into_iter().map(|(_, invite)| invite).collect();
        invites.retain(|invite| invite.lasts(now));
        invites.sort_unstable_by(|a, b| (b.created, &a.id).cmp(&(a.created, &b.id)));
        Ok(invites)
    }

    /// An invitation, named by its code or by its id, of which the first four digits or more are enough if no other begins
    /// alike.
    ///
    /// # Errors
    /// [`InviteError::Unknown`], [`InviteError::Ambiguous`], or what the store says.
    pub async fn find(&self, code_or_id: &str) -> Result<Invite, InviteError> {
        let (_, all) = self.all().await?;
        find(&all, &code_or_id.trim().to_ascii_lowercase()).map(|(_, invite)| invite.clone())
    }

    /// Ends an invitation, named as in [`Invites::find`].
    ///
    /// # Errors
    /// As [`Invites::find`].
    pub async fn revoke(&self, code_or_id: &str) -> Result<Invite, InviteError> {
        let text = code_or_id.trim().to_ascii_lowercase();
        for _ in 0..CONFLICTS_MAX {
            let (epoch, all) = self.all().await?;
            let epoch = epoch.ok_or(InviteError::Unknown)?;
            let (field, invite) = find(&all, &text)?;
            let draft = Draft {
                guards: vec![Guard::Field(field.clone(), Is::Present)],
                changes: vec![Change::Unset(field.clone())],
                ..Draft::new(Partition::fleet(), Life::Within(epoch))
            };
            if self.committer.attempt(draft).await? {
                return Ok(invite.clone());
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Takes one use of the invitation with this code. However many try at once, on whichever nodes, it has no more uses
    /// than it was made with.
    ///
    /// # Errors
    /// [`InviteError::Unknown`] also where it has expired or is used up: a guesser learns nothing.
    pub async fn spend(&self, code: &str) -> Result<Spent, InviteError> {
        let field = Code::parse(code).ok_or(InviteError::Unknown)?.field();
        for _ in 0..CONFLICTS_MAX {
            let now = self.store().now().await?.0;
            let (epoch, value, invite) = self.one(&field).await?.ok_or(InviteError::Unknown)?;
            if !invite.lasts(now) || invite.uses_left == 0 {
                return Err(InviteError::Unknown);
            }
            let invite = Invite { uses_left: invite.uses_left - 1, ..invite };
            if self.replace(&field, epoch, value, &invite).await? {
                return Ok(Spent { field, epoch });
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Gives a use back. An invitation that was revoked or swept in the meantime stays so.
    ///
    /// # Errors
    /// What the store says; the use is lost then.
    pub async fn unspend(&self, spent: Spent) -> Result<(), InviteError> {
        for _ in 0..CONFLICTS_MAX {
            let Some((epoch, value, invite)) = self.one(&spent.field).await? else { return Ok(()) };
            if epoch != spent.epoch {
                return Ok(());
            }
            let invite = Invite { uses_left: invite.uses_left.saturating_add(1), ..invite };
            if self.replace(&spent.field, epoch, value, &invite).await? {
                return Ok(());
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Makes an account for who has a code. The use is given back if there is certainly no account.
    ///
    /// # Errors
    /// What is wrong with the code, the name or the password, or what the pool or the store says.
    pub async fn register(
        &self,
        accounts: &Accounts,
        code: &str,
        name: &str,
        password: &Password,
    ) -> Result<Account, RegisterError> {
        let spent = self.spend(code).await?;
        let error = match accounts.add(name, password).await {
            Ok(account) => return Ok(account),
            Err(error) => error,
        };
        // With an unknown outcome there may be an account, and a use given back would make another.
        if !matches!(error, AccountError::Write(WriteError::Store(StoreError::Unknown(_))))
            && let Err(error) = self.unspend(spent).await
        {
            warn!(%error, "a use of an invitation that made no account is lost");
        }
        Err(error.into())
    }

    async fn replace(
        &self,
        field: &str,
        epoch: Epoch,
        before: String,
        after: &Invite,
    ) -> Result<bool, WriteError> {
        let draft = Draft {
            guards: vec![Guard::Field(field.to_owned(), Is::Equal(before))],
            changes: vec![Change::Set(field.to_owned(), after.to_value())],
            ..Draft::new(Partition::fleet(), Life::Within(epoch))
        };
        self.committer.attempt(draft).await
    }

    async fn one(&self, field: &str) -> Result<Option<(Epoch, String, Invite)>, StoreError> {
        let peek = self.store().peek_one(&Partition::fleet(), &[field]).await?;
        let value = peek.fields.into_iter().next().flatten();
        Ok(peek.epoch.zip(value).and_then(|(epoch, value)| {
            let invite = Invite::from_value(field, &value)?;
            Some((epoch, value, invite))
        }))
    }

    async fn all(&self) -> Result<(Option<Epoch>, Vec<(String, Invite)>), StoreError> {
        let Some(fleet) = self.store().snapshot(&Partition::fleet()).await? else {
            return Ok((None, Vec::new()));
        };
        let invites = fleet.fields.into_iter().filter_map(|(field, value)| {
            let invite = Invite::from_value(&field, &value)?;
            Some((field, invite))
        });
        Ok((Some(fleet.epoch), invites.collect()))
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.committer.store()
    }
}

impl Code {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(random::text(CODE_LENGTH))
    }

    /// What tells its invitation from the others: [`Invite::id`].
    #[must_use]
    pub fn id(&self) -> String {
        id_of(&self.field())
    }

    /// Reads a code as people type it: case and surrounding spaces do not matter.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let legal = text.len() == CODE_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        legal.then_some(Self(text))
    }

    /// The code itself, to show it once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn field(&self) -> String {
        format!("{FIELD_PREFIX}{:x}", Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Invite {
    fn lasts(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    fn to_value(&self) -> String {
        let expires = self.expires.map_or_else(|| NEVER.to_owned(), |expires| expires.to_string());
        format!("{} {expires} {} {}", self.uses_left, self.created, self.by)
    }

    fn from_value(field: &str, value: &str) -> Option<Self> {
        if !field.starts_with(FIELD_PREFIX) {
            return None;
        }
        let mut words = value.splitn(4, ' ');
        Some(Self {
            id: id_of(field),
            uses_left: words.next()?.parse().ok()?,
            expires: match words.next()? {
                NEVER => None,
                time => Some(time.parse().ok()?),
            },
            created: words.next()?.parse().ok()?,
            by: words.next()?.to_owned(),
        })
    }
}

/// Whether an invitation can have so many uses.
///
/// # Errors
/// [`InviteError::Uses`].
pub fn check_uses(uses: u32) -> Result<(), InviteError> {
    if (1..=USES_MAX).contains(&uses) { Ok(()) } else { Err(InviteError::Uses(uses)) }
}

/// The fields to drop so that one more invitation fits: the expired ones always, the used-up ones only where there is no
/// room otherwise, since a use may still be given back.
fn room_for_one(all: Vec<(String, Invite)>, now: u64) -> Result<Vec<String>, InviteError> {
    let (live, expired): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, invite)| invite.lasts(now));
    let mut dropped: Vec<String> = expired.into_iter().map(|(field, _)| field).collect();
    if live.len() >= INVITES_MAX {
        let before = dropped.len();
        dropped.extend(live.into_iter().filter(|(_, invite)| invite.uses_left == 0).map(|(field, _)| field));
        if dropped.len() == before {
            return Err(InviteError::Full);
        }
    }
    Ok(dropped)
}

fn find<'a>(all: &'a [(String, Invite)], text: &str) -> Result<&'a (String, Invite), InviteError> {
    if let Some(code) = Code::parse(text) {
        let field = code.field();
        if let Some(found) = all.iter().find(|(there, _)| *there == field) {
            return Ok(found);
        }
    }
    if text.len() < ID_SHORTEST {
        return Err(InviteError::Unknown);
    }
    let mut alike = all
        .iter()
        .filter(|(field, _)| field.strip_prefix(FIELD_PREFIX).is_some_and(|hash| hash.starts_with(text)));
    match (alike.next(), alike.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(InviteError::Ambiguous),
        (None, _) => Err(InviteError::Unknown),
    }
}

fn id_of(field: &str) -> String {
    field.strip_prefix(FIELD_PREFIX).unwrap_or(field).chars().take(ID_LENGTH).collect()
}

/// 26 characters of 5 bits each: the fewest that hold 128 bits.
pub(crate) const CODE_LENGTH: usize = 26;

const FIELD_PREFIX: &str = "invite:";
const NEVER: &str = "never";
const ID_LENGTH: usize = 8;
const ID_SHORTEST: usize = 4;

/// How many invitations there may be at once: every node holds the fleet's partition in memory.
pub(crate) const INVITES_MAX: usize = 1000;
pub(crate) const USES_MAX: u32 = 1_000_000;

/// Why something was not done to an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteError {
    /// There is no such invitation, or it has expired or is used up.
    Unknown,
    /// Several invitations begin like this.
    Ambiguous,
    /// It cannot have so many uses.
    Uses(u32),
    /// There are as many invitations as there may be.
    Full,
    /// The store did not do it, or did not say.
    Write(WriteError),
}

/// Why an invitation made no account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// Something is wrong with the code.
    Invite(InviteError),
    /// Something is wrong with the name.
    Account(AccountError),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invite(error) => error.fmt(f),
            Self::Account(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RegisterError {}

impl From<InviteError> for RegisterError {
    fn from(error: InviteError) -> Self {
        Self::Invite(error)
    }
}

impl From<AccountError> for RegisterError {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl fmt::Display for InviteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such invitation, or it has expired or is used up"),
            Self::Ambiguous => f.write_str("several invitations begin like this; give more of the id"),
            Self::Uses(uses) => write!(f, "an invitation has 1 to {USES_MAX} uses, not {uses}"),
            Self::Full => write!(f, "there are {INVITES_MAX} invitations already; revoke some first"),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InviteError {}

impl From<WriteError> for InviteError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for InviteError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}
