//! What a partition is called.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How many directory buckets there are.
pub const DIRECTORY_BUCKETS: u64 = 64;

/// The name of a partition: its kind's letter, a slash, and a name that the caller has folded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(Arc<str>);

/// What a partition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `c/<channel>`: a room.
    Channel,
    /// `u/<account>` or `u/~<user id>`: private messages and settings of an account or, while it is here, of a guest.
    User,
    /// `p/<account>`: what an account posts, and who follows it.
    Feed,
    /// `n/<nick>`: who holds the name now. Volatile.
    Nick,
    /// `d/00` to `d/63`: which channels and accounts exist.
    Directory,
    /// `f/`: what the whole fleet shares; `f/bans`: who is kept out; `f/names`: where renamed rooms are;
    /// `f/audit`: what operators did.
    Fleet,
    /// `x/<node>@<incarnation>`: which sessions a node has, and where they are. Volatile.
    Index,
}

impl Partition {
    /// The room in the place `folded`: its first name, folded already (see [`crate::rooms`]).
    #[must_use]
    pub fn channel(folded: &str) -> Self {
        Self(format!("c/{folded}").into())
    }

    /// The account `folded`.
    #[must_use]
    pub fn account(folded: &str) -> Self {
        Self(format!("u/{folded}").into())
    }

    /// The guest with this user id, for as long as it is here. No account's name begins with a tilde.
    #[must_use]
    pub fn guest(user_id: &str) -> Self {
        Self(format!("u/~{user_id}").into())
    }

    /// The posts of the account `folded`.
    #[must_use]
    pub fn feed(folded: &str) -> Self {
        Self(format!("p/{folded}").into())
    }

    /// The claim on a nick.
    #[must_use]
    pub fn nick(folded: &str) -> Self {
        Self(format!("n/{folded}").into())
    }

    /// The directory bucket that lists `key`.
    #[must_use]
    pub fn directory_of(key: &str) -> Self {
        Self::directory(stable_hash(key) % DIRECTORY_BUCKETS)
    }

    /// One directory bucket.
    #[must_use]
    pub fn directory(bucket: u64) -> Self {
        Self(format!("d/{bucket:02}").into())
    }

    /// The fleet's own partition.
    #[must_use]
    pub fn fleet() -> Self {
        Self("f/".into())
    }

    /// The network's bans.
    #[must_use]
    pub fn bans() -> Self {
        Self("f/bans".into())
    }

    /// Where the rooms are that were renamed.
    #[must_use]
    pub fn names() -> Self {
        Self("f/names".into())
    }

    /// The log of what operators did.
    #[must_use]
    pub fn audit() -> Self {
        Self("f/audit".into())
    }

    /// The index of one incarnation of a node.
    #[must_use]
    pub fn index(writer: &super::Writer) -> Self {
        Self(format!("x/{writer}").into())
    }

    /// A partition from its whole name, as [`Partition::as_str`] gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let known = matches!(name.as_bytes(), [b'c' | b'u' | b'p' | b'n' | b'd' | b'f' | b'x', b'/', ..]);
        known.then(|| Self(name.into()))
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'c') => Kind::Channel,
            Some(b'u') => Kind::User,
            Some(b'p') => Kind::Feed,
            Some(b'n') => Kind::Nick,
            Some(b'd') => Kind::Directory,
            Some(b'x') => Kind::Index,
            _ => Kind::Fleet,
        }
    }

    /// Whether the whole partition is forgotten when every node is gone.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        matches!(self.kind(), Kind::Nick | Kind::Index) || self.0.starts_with("u/~")
    }

    /// The whole name, kind included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get(2..).unwrap_or_default()
    }

    /// A number that spreads partitions evenly; the same in one process only.
    #[must_use]
    pub fn spread(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// FNV-1a: a hash that every version and every node agrees on.
#[must_use]
pub fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
