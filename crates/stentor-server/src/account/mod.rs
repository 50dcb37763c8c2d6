//! Accounts: who may log in, with which password, and in which roles.
//!
//! - [`password`]: passwords and their hashes
//! - [`hasher`]: the bounded pool where bcrypt runs
//! - [`scram`]: logins that prove to know a password without showing it
//! - [`certificate`]: logins by a client's certificate
//! - `census`: how many accounts there are
//! - [`directory`]: which accounts there are
//! - [`record`]: how an account is stored
//! - [`import`]: accounts from `name:hash` lines
//! - [`throttle`]: how failures slow an account-and-address pair
//! - [`login`]: a login, with all of these
//! - [`bootstrap`]: the first account of a store

pub mod bootstrap;
mod census;
pub mod certificate;
pub mod directory;
mod error;
pub mod hasher;
pub mod import;
pub mod login;
pub mod password;
pub mod record;
pub mod scram;
pub mod throttle;

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use stentor_proto::Nick;

use crate::commit_identity::{CONFLICTS_MAX, Committer, Draft, WriteError};
use crate::config::Config;
use crate::cursor::SEEN;
use crate::fleet::founded;
use crate::following::removal;
use crate::node::yielding;
use crate::random;
use crate::services;
use crate::store::{Change, EntryId, Epoch, Life, Partition, Store, StoreError};

pub use crate::config::ADMIN;
use census::Census;
pub use certificate::Fingerprint;
pub use directory::Listed;
pub use error::AccountError;
pub use hasher::{Busy, Credentials, Hasher};
pub use password::{COST_MAX, COST_MIN, Choice, PASSWORD_MAX, Password, PasswordError, PasswordHash};
pub use record::{Account, Known};
use record::{CREATED, FIELDS, HASH, LOCKED, NAME, REMOVED, REVISION, ROLES, Record, SCRAM, Stored};

/// All that is done to accounts. Every method may be called on any node at any time.
#[derive(Debug)]
pub struct Accounts {
    committer: Committer,
    hasher: Arc<Hasher>,
    rules: RwLock<Arc<Rules>>,
    census: Census,
}

/// What names and roles are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The longest name of a new account in bytes.
    pub name_max: usize,
    /// The roles that can be granted, besides [`ADMIN`].
    pub roles: BTreeSet<String>,
    /// How many accounts there may be, reserved names included; `None` for no limit. Each node counts them anew once a
    /// minute while it makes some, or once an hour where there are at most half as many; so those that others make
    /// meanwhile may exceed it by their number.
    pub accounts_max: Option<usize>,
}

impl Accounts {
    /// Accounts in the store that `committer` writes to.
    #[must_use]
    pub fn new(committer: Committer, hasher: Arc<Hasher>, rules: Rules) -> Self {
        Self { committer, hasher, rules: RwLock::new(Arc::new(rules)), census: Census::default() }
    }

    /// Replaces the rules, for accounts that are made from now on.
    pub fn set_rules(&self, rules: Rules) {
        *self.rules.write().expect("no writer of the rules panics") = Arc::new(rules);
    }

    /// How it writes.
    #[must_use]
    pub fn committer(&self) -> &Committer {
        &self.committer
    }

    /// Where it hashes.
    #[must_use]
    pub fn hasher(&self) -> &Arc<Hasher> {
        &self.hasher
    }

    /// Makes an account without roles.
    ///
    /// # Errors
    /// [`AccountError::Name`], [`AccountError::Exists`], [`AccountError::Reserved`], or what the pool or the store
    /// says.
    pub async fn add(&self, name: &str, password: &Password) -> Result<Account, AccountError> {
        // A name that is taken is refused before the work of hashing, and again when the account is written.
        let name = self.check_new(name).await?;
        let credentials = self.hasher.turn().await?.credentials(password).await?;
        self.create(&name, &credentials, &[]).await
    }

    /// Whether [`Accounts::add`] would make an account of this name just now.
    ///
    /// # Errors
    /// As [`Accounts::add`].
    pub async fn check_new(&self, name: &str) -> Result<Nick, AccountError> {
        let name = self.new_name(name)?;
        vacant_life(&self.record(&name).await?, &name)?;
        self.room_for(1).await?;
        Ok(name)
    }

    /// Sets a new password and ends the account's sessions.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], or what the pool or the store says.
    pub async fn passwd(&self, name: &str, password: &Password) -> Result<(), AccountError> {
        self.set_password(&name_of(name)?, None, password, &revision()).await
    }

    /// The same for its own user, whose session takes `revision` for its own before and goes on.
    ///
    /// # Errors
    /// As [`Accounts::passwd`], and [`AccountError::Changed`].
    pub async fn passwd_own(
        &self,
        known: Known<'_>,
        password: &Password,
        revision: &str,
    ) -> Result<(), AccountError> {
        self.set_password(&name_of(known.name)?, Some(known), password, revision).await
    }

    async fn set_password(
        &self,
        name: &Nick,
        known: Option<Known<'_>>,
        password: &Password,
        revision: &str,
    ) -> Result<(), AccountError> {
        self.present_as(name, known).await?;
        let credentials = self.hasher.turn().await?.credentials(password).await?;
        self.modify(name, known, |_| {
            let mut changes = set_credentials(&credentials);
            changes.push(set(REVISION, revision));
            Some(changes)
        })
        .await
        .map(drop)
    }

    /// Removes an account with its log, and ends its sessions. Its name stays reserved; the channels that it founded have no
    /// founder any more.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::LastAdmin`], or what the store says.
    pub async fn remove(&self, name: &str) -> Result<(), AccountError> {
        self.take_out(&name_of(name)?, None).await
    }

    /// The same for its own user.
    ///
    /// # Errors
    /// As [`Accounts::remove`], and [`AccountError::Changed`].
    pub async fn remove_own(&self, known: Known<'_>) -> Result<(), AccountError> {
        self.take_out(&name_of(known.name)?, Some(known)).await
    }

    async fn take_out(&self, name: &Nick, known: Option<Known<'_>>) -> Result<(), AccountError> {
        for _ in 0..CONFLICTS_MAX {
            let Stored { account, certificates, .. } = self.present_as(name, known).await?;
            self.leaves_an_admin(&account).await?;
            let followed = removal::followed_by(&self.committer, name.folded()).await?;
            let founded = founded::noted_by(&self.committer, name.folded()).await?;
            let epoch = Epoch::random();
            self.list_in_directory(name, epoch).await?;
            let since = self.now().await?;
            let draft = Draft {
                guards: vec![account.unchanged()],
                changes: vec![set(REMOVED, &since.to_string())],
                ..Draft::new(partition(name), Life::Renew(account.epoch, epoch))
            };
            if self.committer.attempt(draft).await? {
                let done = removal::clean_up(&self.committer, name.folded(), account.epoch, &followed);
                if let Err(error) = done.await {
                    tracing::warn!(account = name.folded(), %error, "a removed account's feed is ended later");
                }
                for fingerprint in &certificates {
                    self.unindex_certificate(fingerprint, &account).await;
                }
                for channel in founded {
                    if let Err(error) = founded::give_up(&self.committer, &channel, name.folded()).await {
                        tracing::warn!(%channel, %error, "a removed account's channel is given up later");
                    }
                }
                return Ok(());
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Locks an account and ends its sessions. False where it was locked already.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::LastAdmin`], or what the store says.
    pub async fn lock(&self, name: &str) -> Result<bool, AccountError> {
        let name = name_of(name)?;
        let account = self.present(&name).await?.account;
        if account.locked.is_none() {
            self.leaves_an_admin(&account).await?;
        }
        let since = self.now().await?.to_string();
        self.modify(&name, None, |account| {
            account.locked.is_none().then(|| vec![set(LOCKED, &since), new_revision()])
        })
        .await
    }

    /// Lets a locked account in again. False where it was not locked.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], or what the store says.
    pub async fn unlock(&self, name: &str) -> Result<bool, AccountError> {
        let name = name_of(name)?;
        self.modify(&name, None, |account| {
            account.locked.is_some().then(|| vec![Change::Unset(LOCKED.into())])
        })
        .await
    }

    /// Gives an account a role. Its sessions go on, and have it from then on.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::UnknownRole`], or what the store says.
    pub async fn grant(&self, name: &str, role: &str) -> Result<(), AccountError> {
        let name = name_of(name)?;
        self.check_role(role)?;
        self.modify(&name, None, |account| {
            (!account.has_role(role)).then(|| {
                let mut roles = account.roles.clone();
                roles.push(role.to_owned());
                vec![set_roles(&roles)]
            })
        })
        .await
        .map(drop)
    }

    /// Takes a role from an account, also one that is configured no more.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], or what the store says.
    pub async fn revoke(&self, name: &str, role: &str) -> Result<(), AccountError> {
        let name = name_of(name)?;
        self.modify(&name, None, |account| {
            account.has_role(role).then(|| {
                let mut roles = account.roles.clone();
                roles.retain(|held| held != role);
                vec![set_roles(&roles)]
            })
        })
        .await
        .map(drop)
    }

    /// Whether a role can be granted.
    ///
    /// # Errors
    /// [`AccountError::UnknownRole`].
    pub fn check_role(&self, role: &str) -> Result<(), AccountError> {
        let known = self.roles();
        if known.contains(role) {
            return Ok(());
        }
        Err(AccountError::UnknownRole { role: role.to_owned(), known: known.into_iter().collect() })
    }

    /// Whether there is an account of this name.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], or what the store says.
    pub async fn check_present(&self, name: &str) -> Result<(), AccountError> {
        self.present(&name_of(name)?).await.map(drop)
    }

    /// The account of that name, or `None`; a name that no account can have is nobody's.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let Ok(name) = name_of(name) else { return Ok(None) };
        Ok(match self.record(&name).await? {
            Record::Present(stored) => Some(stored.account),
            _ => None,
        })
    }

    /// Whether so many more accounts may be made.
    async fn room_for(&self, more: usize) -> Result<(), AccountError> {
        let Some(max) = self.rules().accounts_max else { return Ok(()) };
        let now = Instant::now();
        let count = match self.census.known(max, now) {
            Some(count) => count,
            None => {
                let count = self.count().await?;
                self.census.counted(count, now);
                count
            }
        };
        if count.saturating_add(more) > max { Err(AccountError::Full(max)) } else { Ok(()) }
    }

    /// Writes a new account: the directory first, then the account itself, guarded by its absence.
    async fn create(
        &self,
        name: &Nick,
        credentials: &Credentials,
        roles: &[String],
    ) -> Result<Account, AccountError> {
        let account = Account {
            name: name.as_str().to_owned(),
            folded: name.folded().to_owned(),
            epoch: Epoch::random(),
            created: self.now().await?,
            roles: roles.to_vec(),
            locked: None,
            revision: revision(),
        };
        for _ in 0..CONFLICTS_MAX {
            let record = self.record(name).await?;
            if matches!(&record, Record::Present(there) if there.account.epoch == account.epoch) {
                // An earlier attempt of ours whose answer was lost.
                self.claim_name(name.folded()).await;
                return Ok(account);
            }
            let life = match vacant_life(&record, name)? {
                None => Life::Begin(account.epoch),
                Some(vacant) => Life::Renew(vacant, account.epoch),
            };
            self.list_in_directory(name, account.epoch).await?;
            let mut changes = vec![
                set(NAME, &account.name),
                set(CREATED, &account.created.to_string()),
                set(REVISION, &account.revision),
                // Whatever is sent to it from now on waits for its first login.
                set(SEEN, &EntryId::default().to_string()),
            ];
            changes.extend(set_credentials(credentials));
            if !roles.is_empty() {
                changes.push(set_roles(roles));
            }
            let draft = Draft { changes, ..Draft::new(partition(name), life) };
            if self.committer.attempt(draft).await? {
                self.census.added();
                self.claim_name(name.folded()).await;
                return Ok(account);
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Has a guest who bears the name of an account give it up.
    pub async fn claim_name(&self, folded: &str) {
        if let Err(error) = yielding::ask_bearer(&self.committer, folded).await {
            tracing::debug!(account = folded, %error, "a guest may bear an account's name until its owner logs in");
        }
    }

    /// Whether somebody can still administrate once this account cannot. Two administrators who remove each other at the
    /// same moment are not noticed.
    async fn leaves_an_admin(&self, account: &Account) -> Result<(), AccountError> {
        let is_other = |listed: &Listed| match listed {
            Listed::Present(other) => {
                other.folded != account.folded && other.has_role(ADMIN) && other.locked.is_none()
            }
            Listed::Removed { .. } => false,
        };
        if !account.has_role(ADMIN) || self.list().await?.iter().any(is_other) {
            return Ok(());
        }
        Err(AccountError::LastAdmin(account.name.clone()))
    }

    /// Changes an account by what `plan` makes of its present state. `None` leaves it as it is; then this is false.
    async fn modify(
        &self,
        name: &Nick,
        known: Option<Known<'_>>,
        plan: impl Fn(&Account) -> Option<Vec<Change>> + Send,
    ) -> Result<bool, AccountError> {
        for _ in 0..CONFLICTS_MAX {
            let stored = self.present_as(name, known).await?;
            let Some(changes) = plan(&stored.account) else { return Ok(false) };
            let life = Life::Within(stored.account.epoch);
            let draft = Draft { guards: stored.guards(), changes, ..Draft::new(partition(name), life) };
            if self.committer.attempt(draft).await? {
                return Ok(true);
            }
        }
        Err(WriteError::Contended.into())
    }

    async fn present(&self, name: &Nick) -> Result<Stored, AccountError> {
        match self.record(name).await? {
            Record::Present(stored) => Ok(*stored),
            _ => Err(AccountError::Unknown(name.as_str().to_owned())),
        }
    }

    /// The account, in the state that is known where its own user asks. The caller guards on what this returns.
    async fn present_as(&self, name: &Nick, known: Option<Known<'_>>) -> Result<Stored, AccountError> {
        let stored = self.present(name).await?;
        if known.is_none_or(|known| known.is(&stored.account)) {
            return Ok(stored);
        }
        Err(AccountError::Changed(stored.account.name))
    }

    async fn record(&self, name: &Nick) -> Result<Record, StoreError> {
        let peek = self.store().peek_one(&partition(name), &FIELDS).await?;
        Ok(Record::read(name.folded(), peek))
    }

    async fn now(&self) -> Result<u64, StoreError> {
        Ok(self.store().now().await?.0)
    }

    /// A name for a new account: none that people take for the server itself.
    fn new_name(&self, text: &str) -> Result<Nick, AccountError> {
        let name = parse_name(text, self.rules().name_max)?;
        if services::is_reserved(name.folded()) {
            return Err(AccountError::Service(name.as_str().to_owned()));
        }
        Ok(name)
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().expect("no writer of the rules panics"))
    }

    fn roles(&self) -> BTreeSet<String> {
        let mut roles = self.rules().roles.clone();
        roles.insert(ADMIN.to_owned());
        roles
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.committer.store()
    }
}

impl Rules {
    /// What `config` allows.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            name_max: config.limits.nick_length,
            roles: config.roles.names().map(str::to_owned).collect(),
            accounts_max: config.accounts.max.get(),
        }
    }
}

/// A name that an account may have: names could be longer when it was made.
fn name_of(text: &str) -> Result<Nick, AccountError> {
    parse_name(text, usize::MAX)
}

fn parse_name(text: &str, max: usize) -> Result<Nick, AccountError> {
    Nick::parse(text, max).map_err(|error| AccountError::Name { error, max })
}

fn partition(name: &Nick) -> Partition {
    Partition::account(name.folded())
}

/// The epoch that a new account of this name takes over from, if any.
fn vacant_life(record: &Record, name: &Nick) -> Result<Option<Epoch>, AccountError> {
    match record {
        Record::Absent | Record::Vacant(_) => Ok(record.epoch()),
        Record::Removed(..) => Err(AccountError::Reserved(name.as_str().to_owned())),
        Record::Present(stored) => Err(AccountError::Exists(stored.account.name.clone())),
    }
}

fn set(field: &str, value: &str) -> Change {
    Change::Set(field.to_owned(), value.to_owned())
}

/// A verifier of an earlier password must not stay.
fn set_credentials(credentials: &Credentials) -> Vec<Change> {
    let scram = match &credentials.scram {
        Some(verifier) => set(SCRAM, &verifier.to_text()),
        None => Change::Unset(SCRAM.to_owned()),
    };
    vec![set(HASH, credentials.hash.as_str()), scram]
}

fn set_roles(roles: &[String]) -> Change {
    if roles.is_empty() { Change::Unset(ROLES.to_owned()) } else { set(ROLES, &roles.join(" ")) }
}

fn new_revision() -> Change {
    set(REVISION, &revision())
}

/// A new revision, for [`Accounts::passwd_own`] and its like.
#[must_use]
pub fn revision() -> String {
    format!("{:016x}", random::number())
}
