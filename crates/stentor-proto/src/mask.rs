//! `nick!user@host` patterns, and plain globs.

use std::fmt;

use crate::folded::Folded;

/// A pattern over `nick!user@host` in its full form, as in ban lists. `*` stands for any text, `?` for one character,
/// and ASCII case does not matter; nor does it for equality.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mask(Folded);

/// Why a text is no mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskError {
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_LEN`] in its full form.
    TooLong,
    /// It holds a space or a control character.
    BadCharacter(char),
}

impl Mask {
    /// Reads a mask and completes it.
    ///
    /// | Written | Means |
    /// |---|---|
    /// | `nick` | `nick!*@*` |
    /// | `nick!user` | `nick!user@*` |
    /// | `user@host` | `*!user@host` |
    /// | `192.0.2.*`, `2001:db8::*`, `a/cloak` | `*!*@…`, as no nick holds a dot, colon or slash |
    ///
    /// An empty part is `*`, and a run of `*` is one.
    ///
    /// # Errors
    /// See [`MaskError`].
    pub fn parse(text: &str) -> Result<Self, MaskError> {
        if text.is_empty() {
            return Err(MaskError::Empty);
        }
        if let Some(bad) = text.chars().find(|character| *character == ' ' || character.is_control()) {
            return Err(MaskError::BadCharacter(bad));
        }
        let (nick, user, host) = match (text.rsplit_once('@'), text.split_once('!')) {
            (Some((left, host)), _) => match left.split_once('!') {
                Some((nick, user)) => (nick, user, host),
                None => ("*", left, host),
            },
            (None, Some((nick, user))) => (nick, user, "*"),
            (None, None) if text.contains(['.', ':', '/']) => ("*", "*", text),
            (None, None) => (text, "*", "*"),
        };
        let text = format!("{}!{}@{}", tidy(nick), tidy(user), tidy(host));
        if text.len() > MAX_LEN {
            return Err(MaskError::TooLong);
        }
        Ok(Self(Folded::new(&text)))
    }

    /// Whether `who`, a full `nick!user@host`, is meant.
    #[must_use]
    pub fn matches(&self, who: &str) -> bool {
        glob_matches(self.0.folded(), who)
    }

    /// The full form, in the case that it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.written()
    }

    /// The form that all spellings share: the key under which to store it.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.0.folded()
    }
}

/// How many bytes a mask may have in its full form.
pub const MAX_LEN: usize = 256;

/// Whether all of `text` is as `pattern` says: `*` for any text, `?` for one character, ASCII case ignored. Nothing
/// escapes these two.
///
/// It takes at most the product of both lengths, whatever the pattern, and no memory.
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What follows the last `*` seen, and the text that it is tried on next if it fails.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        if let Some(after) = pattern.strip_prefix('*') {
            if after.is_empty() {
                return true;
            }
            retry = Some((after, text));
            pattern = after;
            continue;
        }
        let (wanted, wanted_rest) = split_first(pattern);
        let (found, found_rest) = split_first(text);
        let fits = match (wanted, found) {
            (None, None) => return true,
            (Some('?'), Some(_)) => true,
            (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(&found),
            _ => false,
        };
        if fits {
            (pattern, text) = (wanted_rest, found_rest);
            continue;
        }
        // A later star makes every earlier one irrelevant, so one place to go back to is enough.
        let Some((after, tried)) = retry else { return false };
        if tried.is_empty() {
            return false;
        }
        let (_, shorter) = split_first(tried);
        retry = Some((after, shorter));
        (pattern, text) = (after, shorter);
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a mask cannot be empty"),
            Self::TooLong => write!(f, "a mask has at most {MAX_LEN} bytes"),
            Self::BadCharacter(bad) => write!(f, "a mask cannot contain {bad:?}"),
        }
    }
}

impl std::error::Error for MaskError {}

/// A part of a mask with each run of stars as one, and a star where it is empty.
fn tidy(part: &str) -> String {
    if part.is_empty() {
        return "*".to_owned();
    }
    let mut out = String::with_capacity(part.len());
    for character in part.chars() {
        if character != '*' || !out.ends_with('*') {
            out.push(character);
        }
    }
    out
}

fn split_first(text: &str) -> (Option<char>, &str) {
    let mut characters = text.chars();
    let first = characters.next();
    (first, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_completed() {
        for (written, full) in [
            ("Nick", "Nick!*@*"),
            ("nick!user", "nick!user@*"),
            ("user@host", "*!user@host"),
            ("nick!user@host", "nick!user@host"),
            ("*!*@*", "*!*@*"),
            ("*", "*!*@*"),
            ("***!**@*", "*!*@*"),
            ("@host", "*!*@host"),
            ("nick!", "nick!*@*"),
            ("nick!@", "nick!*@*"),
            ("!", "*!*@*"),
            ("192.0.2.*", "*!*@192.0.2.*"),
            ("2001:db8::*", "*!*@2001:db8::*"),
            ("net/cloak", "*!*@net/cloak"),
            ("n!u@a@b", "n!u@a@b"),
        ] {
            assert_eq!(Mask::parse(written).expect("it is legal").as_str(), full, "{written:?}");
        }
    }

    #[test]
    fn what_cannot_be_passed_on_is_refused() {
        assert_eq!(Mask::parse(""), Err(MaskError::Empty));
        for bad in [' ', '\r', '\n', '\0', '\t', '\u{7f}'] {
            assert_eq!(Mask::parse(&format!("a{bad}b")), Err(MaskError::BadCharacter(bad)));
        }
        assert!(Mask::parse(&"a".repeat(MAX_LEN - 4)).is_ok());
        assert_eq!(Mask::parse(&"a".repeat(MAX_LEN - 3)), Err(MaskError::TooLong));
    }

    #[test]
    fn case_does_not_matter() {
        let mask = Mask::parse("Ann!*@Example.COM").expect("it is legal");
        assert!(mask.matches("aNN!x@eXample.com") && !mask.matches("ann!x@example.org"));
        assert_eq!(mask, Mask::parse("ANN!*@example.com").expect("it is legal"));
        assert_eq!(mask.folded(), "ann!*@example.com");
    }

    #[test]
    fn a_question_mark_is_one_character_not_one_byte() {
        assert!(glob_matches("a?b", "aéb") && !glob_matches("a??b", "aéb"));
        assert!(glob_matches("*?", "é") && !glob_matches("*??", "é"));
        assert!(!glob_matches("?", "") && glob_matches("*", "") && glob_matches("", ""));
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = "*a".repeat(120) + "b";
        let text = "a".repeat(500);
        assert!(!glob_matches(&pattern, &text));
        assert!(glob_matches(&pattern, &(text + "b")));
    }
}
