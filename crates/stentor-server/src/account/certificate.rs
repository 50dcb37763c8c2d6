//! Client certificates that log in to accounts (SASL EXTERNAL), by their fingerprints.
//!
//! An account lists its certificates. The directory names, for each fingerprint, the account that has it: a field
//! `k/<fingerprint>` with `<account> <epoch>`, guarded by what was there before, so no two accounts have the same. It is
//! written before the account's list and taken out after it; an entry whose account does not list the certificate is
//! nobody's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stentor_proto::Nick;

use super::login::LoginError;
use super::record::{CERTIFICATES, REVISION, Record, Stored};
use super::{Account, AccountError, Accounts, Known, name_of, partition, revision, set};
use crate::commit_identity::{CONFLICTS_MAX, Draft, WriteError, begin_or_within};
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, StoreError};
use crate::tls::fingerprint_sha256;

/// The SHA-256 fingerprint of a certificate: 64 hexadecimal digits in small letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a certificate (DER).
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(fingerprint_sha256(certificate))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What an account's field lists. What cannot be read is passed over.
    pub(super) fn read_list(text: &str) -> Vec<Self> {
        text.split(' ').filter_map(|one| one.parse().ok()).collect()
    }
}

/// As `openssl x509 -fingerprint -sha256` and most clients show it: with colons or without, in capitals or not.
impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let digits: String = text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
        let legal = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if legal { Ok(Self(digits)) } else { Err(NoFingerprint) }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NoFingerprint;

    fn try_from(text: String) -> Result<Self, NoFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFingerprint;

impl fmt::Display for NoFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256 fingerprint has 64 hexadecimal digits, with colons or without")
    }
}

impl std::error::Error for NoFingerprint {}

impl Accounts {
    /// The account that a certificate logs in to, for a client that has shown to hold its key. `wanted` is the account that
    /// the client asks for; empty: whichever it is.
    ///
    /// The caller guards what follows on the account's epoch and revision: they may have changed since.
    ///
    /// # Errors
    /// [`LoginError::Certificate`], [`LoginError::Locked`], and what the store says.
    pub async fn verify_certificate(
        &self,
        fingerprint: &Fingerprint,
        wanted: &str,
    ) -> Result<Account, LoginError> {
        let Some(stored) = self.holder(fingerprint).await? else { return Err(LoginError::Certificate) };
        if !wanted.is_empty() && !wanted.eq_ignore_ascii_case(&stored.account.folded) {
            return Err(LoginError::Certificate);
        }
        if stored.account.locked.is_some() { Err(LoginError::Locked) } else { Ok(stored.account) }
    }

    /// The certificates that log in to an account, in the order in which they were added.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], or what the store says.
    pub async fn certificates(&self, name: &str) -> Result<Vec<Fingerprint>, AccountError> {
        Ok(self.present(&name_of(name)?).await?.certificates)
    }

    /// Lets a certificate log in to an account. False where it does already.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::CertificateTaken`], [`AccountError::TooManyCertificates`], or what the
    /// store says.
    pub async fn add_certificate(&self, name: &str, fingerprint: &Fingerprint) -> Result<bool, AccountError> {
        self.give_certificate(&name_of(name)?, None, fingerprint).await
    }

    /// The same for the account's own user.
    ///
    /// # Errors
    /// As [`Accounts::add_certificate`], and [`AccountError::Changed`].
    pub async fn add_own_certificate(
        &self,
        known: Known<'_>,
        fingerprint: &Fingerprint,
    ) -> Result<bool, AccountError> {
        self.give_certificate(&name_of(known.name)?, Some(known), fingerprint).await
    }

    async fn give_certificate(
        &self,
        name: &Nick,
        known: Option<Known<'_>>,
        fingerprint: &Fingerprint,
    ) -> Result<bool, AccountError> {
        for _ in 0..CONFLICTS_MAX {
            let stored = self.present_as(name, known).await?;
            if stored.certificates.contains(fingerprint) {
                return Ok(false);
            }
            if stored.certificates.len() >= CERTIFICATES_MAX {
                return Err(AccountError::TooManyCertificates);
            }
            self.index_certificate(fingerprint, &stored.account).await?;
            let mut listed = stored.certificates.clone();
            listed.push(fingerprint.clone());
            if !self.set_certificates(name, &stored, &listed, None).await? {
                continue;
            }
            // Another account may have taken the entry before this one listed the certificate.
            if self
                .holder(fingerprint)
                .await?
                .is_some_and(|holder| holder.account.epoch == stored.account.epoch)
            {
                return Ok(true);
            }
            let stored = self.present_as(name, known).await?;
            let rest: Vec<_> =
                stored.certificates.iter().filter(|one| *one != fingerprint).cloned().collect();
            self.set_certificates(name, &stored, &rest, None).await?;
        }
        Err(WriteError::Contended.into())
    }

    /// Takes a certificate from the user's own account, and ends the account's sessions but the one that takes `revision` for
    /// its own. False where the account does not have it.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Changed`], or what the store says.
    pub async fn remove_own_certificate(
        &self,
        known: Known<'_>,
        fingerprint: &Fingerprint,
        revision: &str,
    ) -> Result<bool, AccountError> {
        self.take_certificate(&name_of(known.name)?, Some(known), fingerprint, revision).await
    }

    async fn take_certificate(
        &self,
        name: &Nick,
        known: Option<Known<'_>>,
        fingerprint: &Fingerprint,
        revision: &str,
    ) -> Result<bool, AccountError> {
        for _ in 0..CONFLICTS_MAX {
            let stored = self.present_as(name, known).await?;
            if !stored.certificates.contains(fingerprint) {
                return Ok(false);
            }
            let mut listed = stored.certificates.clone();
            listed.retain(|one| one != fingerprint);
            if self.set_certificates(name, &stored, &listed, Some(revision)).await? {
                self.unindex_certificate(fingerprint, &stored.account).await;
                return Ok(true);
            }
        }
        Err(WriteError::Contended.into())
    }

    /// The same for an operator, who ends all of the account's sessions: one of them may be a thief's.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], or what the store says.
    pub async fn withdraw_certificate(
        &self,
        name: &str,
        fingerprint: &Fingerprint,
    ) -> Result<bool, AccountError> {
        self.take_certificate(&name_of(name)?, None, fingerprint, &revision()).await
    }

    /// The account that has the certificate.
    async fn holder(&self, fingerprint: &Fingerprint) -> Result<Option<Stored>, StoreError> {
        let (directory, field) = place(fingerprint);
        let peek = self.store().peek_one(&directory, &[&field]).await?;
        let Some(entry) = peek.fields.into_iter().next().flatten() else { return Ok(None) };
        self.listed_by(&entry, fingerprint).await
    }

    /// The account that an entry of the directory names, where it has the certificate.
    async fn listed_by(&self, entry: &str, fingerprint: &Fingerprint) -> Result<Option<Stored>, StoreError> {
        let Some((name, epoch)) = entry.split_once(' ') else { return Ok(None) };
        let (Ok(name), Ok(epoch)) = (name_of(name), epoch.parse::<Epoch>()) else { return Ok(None) };
        Ok(match self.record(&name).await? {
            Record::Present(stored)
                if stored.account.epoch == epoch && stored.certificates.contains(fingerprint) =>
            {
                Some(*stored)
            }
            _ => None,
        })
    }

    /// Names the account in the directory, unless another one has the certificate.
    async fn index_certificate(
        &self,
        fingerprint: &Fingerprint,
        account: &Account,
    ) -> Result<(), AccountError> {
        let (directory, field) = place(fingerprint);
        let entry = entry_of(account);
        for _ in 0..CONFLICTS_MAX {
            let peek = self.store().peek_one(&directory, &[&field]).await?;
            let before = peek.fields.into_iter().next().flatten();
            if before.as_ref() == Some(&entry) {
                return Ok(());
            }
            if let Some(other) = &before
                && self.listed_by(other, fingerprint).await?.is_some()
            {
                return Err(AccountError::CertificateTaken);
            }
            let draft = Draft {
                guards: vec![Guard::Field(field.clone(), before.map_or(Is::Absent, Is::Equal))],
                changes: vec![set(&field, &entry)],
                ..Draft::new(directory.clone(), begin_or_within(peek.epoch).0)
            };
            if self.committer().attempt(draft).await? {
                return Ok(());
            }
        }
        Err(WriteError::Contended.into())
    }

    /// Takes the account's name out of the directory. What stays after a failure names nobody, and gives way.
    pub(super) async fn unindex_certificate(&self, fingerprint: &Fingerprint, account: &Account) {
        let (directory, field) = place(fingerprint);
        let written = match self.committer().epoch_of(&directory).await {
            Ok(Some(epoch)) => {
                let draft = Draft {
                    guards: vec![Guard::Field(field.clone(), Is::Equal(entry_of(account)))],
                    changes: vec![Change::Unset(field)],
                    ..Draft::new(directory, Life::Within(epoch))
                };
                self.committer().attempt(draft).await.map(drop)
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            tracing::debug!(account = account.folded, %error, "the directory names a removed certificate for longer");
        }
    }

    /// Replaces the account's list, where nobody else has changed it meanwhile.
    async fn set_certificates(
        &self,
        name: &Nick,
        stored: &Stored,
        listed: &[Fingerprint],
        revision: Option<&str>,
    ) -> Result<bool, AccountError> {
        let join = |list: &[Fingerprint]| list.iter().map(Fingerprint::as_str).collect::<Vec<_>>().join(" ");
        let change = |listed: &[Fingerprint]| match listed {
            [] => Change::Unset(CERTIFICATES.to_owned()),
            listed => set(CERTIFICATES, &join(listed)),
        };
        let before = match &*stored.certificates {
            [] => Is::Absent,
            listed => Is::Equal(join(listed)),
        };
        let mut guards = stored.guards();
        guards.push(Guard::Field(CERTIFICATES.to_owned(), before));
        let mut changes = vec![change(listed)];
        changes.extend(revision.map(|revision| set(REVISION, revision)));
        let life = Life::Within(stored.account.epoch);
        let draft = Draft { guards, changes, ..Draft::new(partition(name), life) };
        Ok(self.committer().attempt(draft).await?)
    }
}

/// Where the directory names a certificate's account.
fn place(fingerprint: &Fingerprint) -> (Partition, String) {
    let field = format!("k/{fingerprint}");
    (Partition::directory_of(&field), field)
}

fn entry_of(account: &Account) -> String {
    format!("{} {}", account.folded, account.epoch)
}

const DIGITS: usize = 64;
/// How many certificates may log in to one account.
pub const CERTIFICATES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_programs_write_them() {
        let plain = "0123456789abcdef".repeat(4);
        let colons: Vec<String> = plain
            .to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into())
            .collect();
        assert_eq!(colons.join(":").parse::<Fingerprint>().map(String::from), Ok(plain.clone()));
        assert_eq!(Fingerprint::of(b"").as_str().len(), DIGITS);
        for wrong in ["", "ab", &"g".repeat(64), &format!("{plain}0"), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NoFingerprint), "{wrong}");
        }
    }
}
