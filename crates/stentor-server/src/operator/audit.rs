//! The log of what operators did: who, when, what, whom, and why.
//!
//! Each deed is an entry of `f/audit` with one line, `:<nick!user@host> AUDIT <operator> <deed> <target> :<reason>`; the
//! entry's id says when, and its author on which node. What the command line does comes from [`CONSOLE`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use crate::commit_identity::{CONFLICTS_MAX, Committer, Draft, WriteError, begin_or_within};
use crate::config::units::show_time;
use crate::store::{Entry, EntryId, Partition, Range, StoreError};

/// The audit log of a store.
#[derive(Clone, Debug)]
pub struct Audit {
    committer: Committer,
}

/// Something that is about to be done.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// What, in a word.
    pub what: &'a str,
    /// Whom or what it concerns; empty where that is the whole network.
    pub target: &'a str,
    /// Why, and whatever else is worth knowing.
    pub reason: &'a str,
}

/// What is done to accounts and invitations, from the command line and in chat.
pub mod deeds {
    use std::time::Duration;

    /// An account is made.
    pub const ACCOUNT_ADD: &str = "account-add";
    /// It gets another password.
    pub const ACCOUNT_PASSWD: &str = "account-passwd";
    /// It is kept from logging in.
    pub const ACCOUNT_LOCK: &str = "account-lock";
    /// It is let in again.
    pub const ACCOUNT_UNLOCK: &str = "account-unlock";
    /// It is removed.
    pub const ACCOUNT_REMOVE: &str = "account-remove";
    /// An invitation is made; its id is the target.
    pub const INVITE: &str = "invite";
    /// It is ended.
    pub const INVITE_REVOKE: &str = "invite-revoke";

    /// What is written down of an invitation besides its id.
    #[must_use]
    pub fn invited(uses: u32, lifetime: Option<Duration>) -> String {
        format!("{}, {}", so_many_accounts(uses), super::how_long(lifetime))
    }

    /// How many accounts an invitation makes.
    #[must_use]
    pub fn so_many_accounts(uses: u32) -> String {
        if uses == 1 { "one account".to_owned() } else { format!("{uses} accounts") }
    }
}

/// How long something lasts.
#[must_use]
pub fn how_long(lifetime: Option<Duration>) -> String {
    lifetime.map_or_else(|| "for ever".to_owned(), |lifetime| format!("for {}", show_time(lifetime)))
}

/// Something that was done, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its place in the log, `<milliseconds>-<n>`: what to read on after.
    pub id: String,
    /// When, in milliseconds of the store's time.
    pub at: u64,
    /// On which node, or by which program.
    pub node: String,
    /// Who, as others saw them.
    pub who: String,
    /// The account or the name in the configuration by which they were an operator.
    pub operator: String,
    /// What.
    pub what: String,
    /// Whom or what it concerned.
    pub target: String,
    /// Why.
    pub reason: String,
}

impl Audit {
    /// The log in the store that `committer` writes to.
    #[must_use]
    pub fn new(committer: Committer) -> Self {
        Self { committer }
    }

    /// Writes down what is about to be done by `who`, an operator by the name `operator`. It must not be done where this
    /// fails.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn record(&self, who: &str, operator: &str, deed: &Deed<'_>) -> Result<(), WriteError> {
        let Deed { what, target, reason } = *deed;
        let reason = truncate_utf8(reason, REASON_MAX);
        let target = if target.is_empty() { "*" } else { truncate_utf8(target, TARGET_MAX) };
        let line = Line::new("AUDIT").source(who).param(operator).param(what).param(target).trailing(reason);
        let line = line.build();
        for _ in 0..CONFLICTS_MAX {
            let epoch = self.committer.epoch_of(&Partition::audit()).await?;
            let draft = Draft {
                lines: vec![line.clone()],
                ..Draft::new(Partition::audit(), begin_or_within(epoch).0)
            };
            if self.committer.attempt(draft).await? {
                tracing::info!(operator, who, what, target, reason, "an operator acts");
                return Ok(());
            }
        }
        Err(WriteError::Contended)
    }

    /// The oldest records after the one with the id `after`, or, without it, the newest ones; at most `limit`. Ascending.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(&self, after: Option<EntryId>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let partition = Partition::audit();
        let Some(epoch) = self.committer.epoch_of(&partition).await? else { return Ok(Vec::new()) };
        let range = after.map_or(Range::Latest, Range::After);
        let page = self.committer.store().read(&partition, epoch, range, limit.min(PAGE_MAX)).await?;
        Ok(page.entries.iter().filter_map(|entry| Record::of(entry)).collect())
    }
}

impl Record {
    /// Its place in the log.
    #[must_use]
    pub fn entry(&self) -> EntryId {
        self.id.parse().unwrap_or_default()
    }

    fn of(entry: &Entry) -> Option<Self> {
        let message = Message::parse(entry.body.lines.first()?).ok()?;
        let param = |index| message.param(index).unwrap_or_default().to_owned();
        Some(Self {
            id: entry.id.to_string(),
            at: entry.id.ms,
            node: entry.by.writer.node().to_owned(),
            who: message.source?.to_owned(),
            operator: param(0),
            what: param(1),
            target: param(2),
            reason: param(3),
        })
    }
}

/// Who acts where somebody uses the command line: whoever may open the socket or the store.
pub const CONSOLE: &str = "console";
/// How many records are kept at most.
pub const RECORDS_MAX: u64 = 100_000;
/// How many records one look reads at most.
pub const PAGE_MAX: usize = 1000;
/// The longest reason, in bytes.
pub(crate) const REASON_MAX: usize = 400;
/// The longest target, in bytes.
const TARGET_MAX: usize = 300;
