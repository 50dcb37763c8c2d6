//! Passwords and their hashes.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha384};

use crate::random;

/// A password: 1 to [`PASSWORD_MAX`] bytes without NUL. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Password(String);

impl Password {
    /// Checks a password.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<Self, PasswordError> {
        let text = text.into();
        if text.is_empty() {
            Err(PasswordError::Empty)
        } else if text.len() > PASSWORD_MAX {
            Err(PasswordError::TooLong(text.len()))
        } else if text.contains('\0') {
            Err(PasswordError::Nul)
        } else {
            Ok(Self(text))
        }
    }

    /// A random password of 24 characters, 120 bits.
    #[must_use]
    pub fn generate() -> Self {
        Self(random::text(24))
    }

    /// A password that somebody chose, or a random one, which has to be told.
    #[must_use]
    pub fn given_or_random(given: Option<Self>) -> (Self, Choice) {
        given.map_or_else(|| (Self::generate(), Choice::Random), |given| (given, Choice::Given))
    }

    /// The password itself, to hash it or to show it to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Who chose a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Somebody, who knows it.
    Given,
    /// Nobody: it is told once.
    Random,
}

impl TryFrom<String> for Password {
    type Error = PasswordError;

    fn try_from(text: String) -> Result<Self, PasswordError> {
        Self::new(text)
    }
}

impl From<Password> for String {
    fn from(password: Password) -> Self {
        password.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A bcrypt hash in its text form, `$2b$12$…`, which holds version, cost, salt and digest. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: String,
    cost: u32,
}

impl PasswordHash {
    /// Reads a hash that another program made, as `htpasswd -B` writes them: `$2a$`, `$2b$` or `$2y$`.
    ///
    /// # Errors
    /// What is wrong with it, for the person who brought it.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let mut parts = text.split('$');
        let ("", Some(version), Some(cost), Some(rest), None) =
            (parts.next().unwrap_or_default(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HashError::NotBcrypt);
        };
        if !matches!(version, "2a" | "2b" | "2y") || cost.len() != 2 {
            return Err(HashError::NotBcrypt);
        }
        let cost = cost.parse().map_err(|_| HashError::NotBcrypt)?;
        if !(COST_MIN..=COST_MAX).contains(&cost) {
            return Err(HashError::Cost(cost));
        }
        let salt = rest.get(..SALT_TEXT).and_then(decode);
        let digest = rest.get(SALT_TEXT..).and_then(decode);
        match (salt, digest) {
            (Some(salt), Some(digest)) if salt.len() == SALT && digest.len() == DIGEST => {
                Ok(Self { text: text.to_owned(), cost })
            }
            _ => Err(HashError::Damaged),
        }
    }

    /// A hash of the given cost that no password is known for. Comparing with it takes as long as with any other.
    #[must_use]
    pub fn unknown(cost: u32) -> Self {
        let salt = bcrypt::BASE_64.encode(random::bytes::<SALT>());
        let digest = bcrypt::BASE_64.encode(random::bytes::<DIGEST>());
        Self { text: format!("$2b${cost:02}${salt}{digest}"), cost }
    }

    /// Hashes `password` with a salt of its own. Takes long, on purpose: call it on a thread that may block.
    pub(super) fn of(password: &Password, cost: u32) -> Self {
        let text =
            bcrypt::hash(&*whole(password), cost).expect("the cost was checked when it was configured");
        Self { text, cost }
    }

    /// Whether this is the hash of `password`. Takes long: call it on a thread that may block.
    pub(super) fn matches(&self, password: &Password) -> bool {
        bcrypt::verify(&*whole(password), &self.text).unwrap_or(false)
    }

    /// The logarithm of the work that it takes.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// The text form, for the store alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash(cost {})", self.cost)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    bcrypt::BASE_64.decode(text).ok()
}

/// What bcrypt is given: the password, or, where bcrypt would cut it, a digest of all of it. The prefix keeps the digest
/// from being one that another program has published.
fn whole(password: &Password) -> Cow<'_, str> {
    let text = password.reveal();
    if text.len() <= BCRYPT_MAX {
        return Cow::Borrowed(text);
    }
    let digest = Sha384::new_with_prefix("stentor long password\0").chain_update(text).finalize();
    Cow::Owned(STANDARD.encode(digest))
}

/// The most bytes of a password.
pub const PASSWORD_MAX: usize = 1024;

/// The most bytes that bcrypt looks at.
pub(crate) const BCRYPT_MAX: usize = 72;

/// The lowest cost that bcrypt has.
pub const COST_MIN: u32 = 4;

/// The highest cost that bcrypt has.
pub const COST_MAX: u32 = 31;

const SALT: usize = 16;
const SALT_TEXT: usize = 22;
const DIGEST: usize = 23;

/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordError {
    /// It is empty.
    Empty,
    /// It has this many bytes.
    TooLong(usize),
    /// It holds a NUL character.
    Nul,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the password is empty"),
            Self::TooLong(bytes) => {
                write!(f, "the password is {bytes} bytes long; at most {PASSWORD_MAX} are allowed")
            }
            Self::Nul => f.write_str("the password holds a NUL character"),
        }
    }
}

impl std::error::Error for PasswordError {}

/// What is wrong with a hash that was brought along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// It is of another kind.
    NotBcrypt,
    /// Its cost is out of range.
    Cost(u32),
    /// Its salt or digest cannot be read.
    Damaged,
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBcrypt => {
                f.write_str("the hash is not bcrypt ($2a$, $2b$ or $2y$, as `htpasswd -B` writes it)")
            }
            Self::Cost(cost) => {
                write!(f, "the hash has cost {cost}; bcrypt has {COST_MIN} to {COST_MAX}")
            }
            Self::Damaged => f.write_str("the hash is damaged: its salt or digest cannot be read"),
        }
    }
}

impl std::error::Error for HashError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        assert_eq!(Password::new(""), Err(PasswordError::Empty));
        assert_eq!(Password::new("a".repeat(1025)), Err(PasswordError::TooLong(1025)));
        assert_eq!(Password::new("é".repeat(513)), Err(PasswordError::TooLong(1026)));
        assert_eq!(Password::new("a\0b"), Err(PasswordError::Nul));
        assert!(Password::new("a".repeat(1024)).is_ok());
    }

    #[test]
    fn every_byte_counts_also_where_bcrypt_alone_would_cut() {
        for length in [72, 73, 100, 1024] {
            let hash = PasswordHash::of(&Password::new("a".repeat(length)).unwrap(), COST_MIN);
            assert!(hash.matches(&Password::new("a".repeat(length)).unwrap()), "{length}");
            for other in
                [format!("{}b", "a".repeat(length - 1)), "a".repeat(length - 1), "a".repeat(72 + length % 72)]
            {
                let same = other.len() == length && !other.ends_with('b');
                assert_eq!(hash.matches(&Password::new(&*other).unwrap()), same, "{length}, {}", other.len());
            }
        }
    }

    #[test]
    fn the_same_password_never_hashes_alike() {
        let password = Password::new("secret").unwrap();
        assert_ne!(PasswordHash::of(&password, COST_MIN), PasswordHash::of(&password, COST_MIN));
    }

    #[test]
    fn what_htpasswd_writes_is_read() {
        // The example in Apache's documentation: htpasswd -nbB myName myPassword
        let hash =
            PasswordHash::parse("$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC").unwrap();
        assert_eq!(hash.cost(), 5);
        assert!(hash.matches(&Password::new("myPassword").unwrap()));
        assert!(!hash.matches(&Password::new("mypassword").unwrap()));
    }

    #[test]
    fn what_is_no_usable_hash_is_refused() {
        let good = PasswordHash::unknown(12).as_str().to_owned();
        assert!(PasswordHash::parse(&good).is_ok());
        for (text, error) in [
            ("", HashError::NotBcrypt),
            ("secret", HashError::NotBcrypt),
            ("$apr1$abcdefgh$0123456789012345678901", HashError::NotBcrypt),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", HashError::NotBcrypt),
            (&good.replacen("$2b$", "$2x$", 1), HashError::NotBcrypt),
            (&good.replacen("$12$", "$32$", 1), HashError::Cost(32)),
            (&good.replacen("$12$", "$1$", 1), HashError::NotBcrypt),
            (&good[..59], HashError::Damaged),
            (&format!("{good}a"), HashError::Damaged),
            (&format!("{}!", &good[..59]), HashError::Damaged),
            (&format!("{good}$"), HashError::NotBcrypt),
        ] {
            assert_eq!(PasswordHash::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn debug_prints_no_secret() {
        let password = Password::new("hunter2").unwrap();
        let hash = PasswordHash::of(&password, COST_MIN);
        assert!(!format!("{password:?}").contains("hunter2"));
        assert!(!format!("{hash:?}").contains(&hash.as_str()[7..]));
    }
}
