//! What a write asks for, and how it can end.

use std::sync::Arc;

use super::{By, Entry, EntryId, Epoch, Link, Partition, StoreError, StoreTime};

/// One write to one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where.
    pub partition: Partition,
    /// Which life of the partition it is for.
    pub life: Life,
    /// What must hold, besides `life`.
    pub guards: Vec<Guard>,
    /// What it sets and deletes.
    pub changes: Vec<Change>,
    /// What clients will see: whole IRC lines without their line ends. Each begins with `:` or `@`.
    pub lines: Vec<String>,
    /// Who writes, under which number.
    pub by: By,
    /// When the writer's lease ends.
    pub deadline: StoreTime,
}

impl Commit {
    /// What every store asks before anything else: an entry that could not be read back would damage its log for good.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where a name or a line is not what [`Change`] and [`Commit::lines`] say.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if let Some(name) = self.changes.iter().filter_map(Change::name).find(|name| !is_name(name)) {
            return Err(StoreError::Refused(format!("{name:?} cannot be the name of a field or member")));
        }
        if self.lines.iter().all(|line| line.starts_with([':', '@'])) {
            return Ok(());
        }
        Err(StoreError::Refused("a line for clients has neither source nor tags".to_owned()))
    }

    /// About how much memory its changes and lines take, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of(&self.changes, &self.lines)
    }
}

/// About how much memory changes and lines take, in bytes.
pub(super) fn size_of(changes: &[Change], lines: &[String]) -> usize {
    let sizes = changes.iter().map(Change::size).chain(lines.iter().map(String::len));
    sizes.map(|size| PER_ITEM + size).sum()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains([' ', '\n', '\r'])
}

/// Which life of a partition a commit is for. A life that does not match is a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The partition exists with this epoch.
    Within(Epoch),
    /// The commit creates the partition; it must not exist.
    Begin(Epoch),
    /// The commit replaces the partition, which has the first epoch, by a new one: fields, members and log are dropped
    /// before the changes are made.
    Renew(Epoch, Epoch),
    /// The partition exists with this epoch, and after this commit it does not. Its entry is still delivered.
    End(Epoch),
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// On a field.
    Field(String, Is),
    /// On a member.
    Member(String, Is),
    /// On the number of members.
    Size(Size),
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// It exists.
    Present,
    /// It does not.
    Absent,
    /// It exists and is this.
    Equal(String),
}

/// How many members there must be, before the commit's own changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This many.
    Exactly(u64),
    /// More than this.
    Above(u64),
    /// Fewer than this.
    Below(u64),
}

impl Size {
    /// Whether `members` is such a number.
    #[must_use]
    pub fn holds(self, members: u64) -> bool {
        match self {
            Self::Exactly(n) => members == n,
            Self::Above(n) => members > n,
            Self::Below(n) => members < n,
        }
    }
}

/// One change to a partition's state. A name is not empty and has no space or line break; a value may hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a field.
    Set(String, String),
    /// Deletes a field; it need not exist.
    Unset(String),
    /// Sets a member.
    SetMember(String, String),
    /// Deletes a member; it need not exist.
    UnsetMember(String),
    /// Takes the lines of an earlier entry of this life away for good: whoever reads it from then on finds it in its place,
    /// with what it changed, and without a word. It need not be logged.
    Erase(EntryId),
}

impl Change {
    /// The name of the field or member that it is about, where it is about one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Set(name, _) | Self::Unset(name) | Self::SetMember(name, _) | Self::UnsetMember(name) => {
                Some(name)
            }
            Self::Erase(_) => None,
        }
    }

    /// How long its texts are, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Set(name, value) | Self::SetMember(name, value) => name.len() + value.len(),
            Self::Unset(name) | Self::UnsetMember(name) => name.len(),
            Self::Erase(_) => 0,
        }
    }

    /// Whether no entry shows it: it is to a private field, or to the log.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match self {
            Self::Set(name, _) | Self::Unset(name) => name.starts_with('~'),
            Self::SetMember(..) | Self::UnsetMember(_) => false,
            Self::Erase(_) => true,
        }
    }
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Appended, changed and published, now or by an earlier attempt under the same number.
    Committed(Arc<Entry>),
    /// Not done: something did not hold.
    Conflict {
        /// What.
        failure: Failure,
        /// The newest entry when it was judged; `None` where the partition does not exist. A replica that is behind it
        /// has something to catch up with before the next attempt.
        last: Option<Link>,
    },
    /// Not done: the writer's lease is over.
    Fenced,
}

/// What did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The partition's epoch, or its absence, is not the one asked for.
    Life,
    /// The guard at this index.
    Guard(usize),
    /// The number was used, and nothing is logged under it: an earlier attempt ended in a conflict, or the number was
    /// overtaken. This commit will never run.
    Superseded,
}

/// The id of a committed entry, for callers that need nothing else.
impl Outcome {
    /// The committed entry's id.
    #[must_use]
    pub fn id(&self) -> Option<EntryId> {
        match self {
            Self::Committed(entry) => Some(entry.id),
            _ => None,
        }
    }
}

/// What a change or a line takes besides its texts.
const PER_ITEM: usize = 48;
