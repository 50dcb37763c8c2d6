//! A legal nickname.

use std::borrow::Borrow;
use std::fmt;

use crate::folded::Folded;

/// How many bytes a nick may have unless configured otherwise.
pub const DEFAULT_MAX_LEN: usize = 32;

/// A legal nickname, cheap to clone. Spellings that differ in ASCII case alone are equal.
///
/// It is of ASCII letters, digits and ``-[]\`_^{|}``, and does not begin with a digit or a hyphen. So it can be taken
/// for no channel, prefix, mask, list or user id, and a look-alike from another script cannot pass for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nick(Folded);

/// Why a text is no nick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NickError {
    /// It is empty.
    Empty,
    /// It has more bytes than allowed.
    TooLong,
    /// It begins with a digit or a hyphen.
    BadStart(char),
    /// It holds a character that no nick may hold.
    BadCharacter(char),
}

impl Nick {
    /// Checks `text`, of at most `max_len` bytes.
    ///
    /// # Errors
    /// See [`NickError`]; all are the client's fault (numeric 432).
    pub fn parse(text: &str, max_len: usize) -> Result<Self, NickError> {
        let Some(first) = text.chars().next() else {
            return Err(NickError::Empty);
        };
        if let Some(bad) = text.chars().find(|character| !is_nick_character(*character)) {
            return Err(NickError::BadCharacter(bad));
        }
        if first.is_ascii_digit() || first == '-' {
            return Err(NickError::BadStart(first));
        }
        if text.len() > max_len {
            return Err(NickError::TooLong);
        }
        Ok(Self(Folded::new(text)))
    }

    /// The nick as its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.written()
    }

    /// The form that all spellings share: the key under which to store anything.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.0.folded()
    }
}

/// Its folded form, so that a map of nicks can be asked by [`Nick::folded`].
impl Borrow<str> for Nick {
    fn borrow(&self) -> &str {
        self.0.folded()
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a nickname cannot be empty"),
            Self::TooLong => f.write_str("the nickname is too long"),
            Self::BadStart(first) => write!(f, "a nickname cannot begin with {first:?}"),
            Self::BadCharacter(bad) => write!(f, "a nickname cannot contain {bad:?}"),
        }
    }
}

impl std::error::Error for NickError {}

fn is_nick_character(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '[' | ']' | '\\' | '`' | '_' | '^' | '{' | '|' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Nick, NickError> {
        Nick::parse(text, DEFAULT_MAX_LEN)
    }

    #[test]
    fn legal_nicks_are_kept_as_written() {
        for text in ["a", "Ada", "[a]", "_", "`^{|}\\-9", "x-9"] {
            let nick = parse(text).expect("it is legal");
            assert_eq!(nick.as_str(), text);
            assert_eq!(nick.to_string(), text);
        }
        assert_eq!(parse("AdA[]").expect("it is legal").folded(), "ada[]");
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_refused() {
        assert_eq!(parse("").err(), Some(NickError::Empty));
        assert_eq!(parse("9lives").err(), Some(NickError::BadStart('9')));
        assert_eq!(parse("-x").err(), Some(NickError::BadStart('-')));
        for bad in "#&@+%~$*?!.,: =/\0\r\n\u{7}éа\u{200b}".chars() {
            assert_eq!(parse(&format!("{bad}a")).err(), Some(NickError::BadCharacter(bad)));
            assert_eq!(parse(&format!("a{bad}")).err(), Some(NickError::BadCharacter(bad)));
        }
        assert!(Nick::parse("abcd", 4).is_ok());
        assert_eq!(Nick::parse("abcde", 4).err(), Some(NickError::TooLong));
    }
}
