//! Which accounts there are: the directory names each in a field `u/<account>`, from before it is made. What was named and
//! never made is forgotten once whoever was about to make it has surely given up.

use stentor_proto::Nick;

use super::record::{FIELDS, Record};
use super::{Account, Accounts, partition, set};
use crate::commit_identity::{Draft, WriteError};
use crate::fleet::directory::Listing;
use crate::store::partition::DIRECTORY_BUCKETS;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, StoreError, StoreTime};

/// What stands under a name that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An account.
    Present(Account),
    /// The name of an account that was removed.
    Removed {
        /// The name in its folded form.
        folded: String,
        /// When, in milliseconds of the store's time.
        since: u64,
    },
}

impl Accounts {
    /// How many accounts and reserved names there are. Reads the whole directory.
    ///
    /// # Errors
    /// What the store says.
    pub async fn count(&self) -> Result<usize, StoreError> {
        let mut count = 0;
        for bucket in 0..DIRECTORY_BUCKETS {
            count += self.names_in(bucket).await?.len();
        }
        Ok(count)
    }

    /// All accounts and reserved names, sorted.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let mut all = Vec::new();
        for bucket in 0..DIRECTORY_BUCKETS {
            all.extend(self.list_bucket(bucket).await?);
        }
        all.sort_unstable_by(|a, b| a.folded().cmp(b.folded()));
        Ok(all)
    }

    /// The accounts and reserved names of one directory bucket, below [`DIRECTORY_BUCKETS`]. In no particular order.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list_bucket(&self, bucket: u64) -> Result<Vec<Listed>, StoreError> {
        let names = self.names_in(bucket).await?;
        let mut listed = Vec::with_capacity(names.len());
        for some in names.chunks(PEEK_MAX) {
            let partitions: Vec<Partition> = some.iter().map(|folded| Partition::account(folded)).collect();
            let peeks = self.store().peek(&partitions, &FIELDS).await?;
            // The directory may name what is gone, or not there yet.
            listed.extend(some.iter().zip(peeks).filter_map(|(folded, peek)| {
                match Record::read(folded, peek) {
                    Record::Present(stored) => Some(Listed::Present(stored.account)),
                    Record::Removed(_, since) => Some(Listed::Removed { folded: folded.clone(), since }),
                    Record::Absent | Record::Vacant(_) => None,
                }
            }));
        }
        Ok(listed)
    }

    async fn names_in(&self, bucket: u64) -> Result<Vec<String>, StoreError> {
        let directory = self.store().snapshot(&Partition::directory(bucket)).await?;
        let fields = directory.map(|directory| directory.fields).unwrap_or_default();
        Ok(fields.iter().filter_map(|(field, _)| account_of_field(field)).collect())
    }

    /// Names an account that is about to be made, or removed.
    pub(super) async fn list_in_directory(&self, name: &Nick, epoch: Epoch) -> Result<(), WriteError> {
        let key = partition(name);
        let listing = Listing { epoch, at: self.store().now().await?, founder: None };
        let change = set(key.as_str(), &listing.to_string());
        self.committer.upsert(&Partition::directory_of(key.as_str()), vec![change]).await?;
        Ok(())
    }

    /// Forgets an account that the directory names and nobody has made. An entry that does not say when it was written, as
    /// older versions made them, says so from the first visit on.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn forget_unmade(&self, account: &Partition, now: StoreTime) -> Result<(), WriteError> {
        let key = account.as_str();
        let bucket = Partition::directory_of(key);
        // In this order: who makes it by an entry that is older than this look has made it by the next.
        let listed = self.store().peek_one(&bucket, &[key]).await?;
        let made = self.committer().epoch_of(account).await?;
        let (Some(life), Some(Some(value)), None) = (listed.epoch, listed.fields.into_iter().next(), made)
        else {
            return Ok(());
        };
        let change = match Listing::from_text(&value) {
            Some(listing) if listing.is_settled(now) => Change::Unset(key.to_owned()),
            Some(_) => return Ok(()),
            None => {
                let epoch = value.parse().unwrap_or_else(|_| Epoch::random());
                set(key, &Listing { epoch, at: now, founder: None }.to_string())
            }
        };
        let draft = Draft {
            guards: vec![Guard::Field(key.to_owned(), Is::Equal(value))],
            changes: vec![change],
            ..Draft::new(bucket, Life::Within(life))
        };
        // Where somebody lists it again meanwhile, it is theirs.
        self.committer().attempt(draft).await.map(drop)
    }
}

impl Listed {
    /// The name in its folded form.
    #[must_use]
    pub fn folded(&self) -> &str {
        match self {
            Self::Present(account) => &account.folded,
            Self::Removed { folded, .. } => folded,
        }
    }
}

/// The account that a directory field lists, in its folded form; the directory lists channels too.
fn account_of_field(field: &str) -> Option<String> {
    field
        .strip_prefix("u/")
        .filter(|folded| !folded.is_empty() && !folded.starts_with('~'))
        .map(str::to_owned)
}

/// How many accounts are asked for at once.
const PEEK_MAX: usize = 256;
