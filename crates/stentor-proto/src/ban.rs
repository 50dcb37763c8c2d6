//! What stands in a channel's lists: masks, accounts, and mutes of either.

use std::fmt;

use crate::mask::{MAX_LEN, Mask, MaskError, glob_matches};

/// An entry of a list of bans, exceptions or invitations.
///
/// | Written | Means |
/// |---|---|
/// | `nick!user@host` | people whom the [`Mask`] matches |
/// | `a:name` | those who are logged in to an account whose name matches, with `*` and `?` as in masks |
/// | `m:…` | one of the above, and only whether they may speak |
///
/// A `~` before either letter, as other servers write them, is understood and left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    text: String,
    mute: bool,
    whom: Whom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Mask(Mask),
    Account(String),
}

/// The letters of entries that are no plain masks, sorted: the ISUPPORT token `EXTBAN`, with no prefix.
pub const LETTERS: &str = "am";
/// The letter of accounts: the ISUPPORT token `ACCOUNTEXTBAN`.
pub const ACCOUNT: char = 'a';

impl ListEntry {
    /// Reads an entry and completes it.
    ///
    /// # Errors
    /// See [`MaskError`]; an entry about accounts names one, and a mute is no mute of a mute.
    pub fn parse(text: &str) -> Result<Self, MaskError> {
        match strip(text, 'm') {
            Some(inner) => Self::plain(inner).map(|plain| Self {
                text: format!("m:{}", plain.text),
                mute: true,
                whom: plain.whom,
            }),
            None => Self::plain(text),
        }
    }

    fn plain(text: &str) -> Result<Self, MaskError> {
        if strip(text, 'm').is_some() {
            return Err(MaskError::BadCharacter(':'));
        }
        let Some(name) = strip(text, ACCOUNT) else {
            if let Some(sign) = foreign(text) {
                return Err(MaskError::BadCharacter(sign));
            }
            let mask = Mask::parse(text)?;
            return Ok(Self { text: mask.as_str().to_owned(), mute: false, whom: Whom::Mask(mask) });
        };
        if name.is_empty() {
            return Err(MaskError::Empty);
        }
        if let Some(bad) = name.chars().find(|character| *character == ' ' || character.is_control()) {
            return Err(MaskError::BadCharacter(bad));
        }
        if name.len() > MAX_LEN {
            return Err(MaskError::TooLong);
        }
        let text = format!("{ACCOUNT}:{name}");
        Ok(Self { text, mute: false, whom: Whom::Account(name.to_owned()) })
    }

    /// Whether somebody is meant: a full `nick!user@host`, and an account's name where there is one.
    #[must_use]
    pub fn matches(&self, source: &str, account: Option<&str>) -> bool {
        match &self.whom {
            Whom::Mask(mask) => mask.matches(source),
            Whom::Account(name) => account.is_some_and(|account| glob_matches(name, account)),
        }
    }

    /// Whether it is about speaking alone.
    #[must_use]
    pub fn is_mute(&self) -> bool {
        self.mute
    }

    /// The full form, in the case that it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ListEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn strip(text: &str, letter: char) -> Option<&str> {
    let text = text.strip_prefix('~').unwrap_or(text);
    text.strip_prefix(letter)?.strip_prefix(':')
}

/// The sign that shows an entry to be of a kind that other servers know: `$a:…`, `~q:…`, `x:…`. As a mask it would be about
/// nobody, since no nick holds either sign.
fn foreign(text: &str) -> Option<char> {
    if text.contains(['!', '@']) {
        return None;
    }
    if text.starts_with('$') {
        return Some('$');
    }
    let mut rest = text.strip_prefix('~').unwrap_or(text).chars();
    let is_letter = rest.next().is_some_and(|letter| letter.is_ascii_alphabetic());
    (is_letter && rest.next() == Some(':')).then_some(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> ListEntry {
        ListEntry::parse(text).expect("it is legal")
    }

    #[test]
    fn entries_are_completed() {
        for (written, full) in [
            ("bob", "bob!*@*"),
            ("a:Bob", "a:Bob"),
            ("~a:Bob", "a:Bob"),
            ("m:bob", "m:bob!*@*"),
            ("m:a:bob", "m:a:bob"),
            ("~m:~a:bob", "m:a:bob"),
            ("am!*@*", "am!*@*"),
            ("*!*@2001:db8::*", "*!*@2001:db8::*"),
            ("2001:db8::1", "*!*@2001:db8::1"),
        ] {
            assert_eq!(entry(written).as_str(), full, "{written:?}");
            assert_eq!(entry(full), entry(written));
        }
    }

    #[test]
    fn accounts_are_matched_and_nicks_are_not() {
        let ban = entry("a:b?b");
        assert!(ban.matches("x!y@z", Some("BOB")) && !ban.matches("bob!y@z", None));
        assert!(!ban.matches("bob!bob@z", Some("bobby")) && entry("a:*").matches("x!y@z", Some("any")));
        assert!(entry("m:a:bob").is_mute() && !ban.is_mute());
        assert!(entry("m:BAR!*@*").matches("Bar!u@h", None));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for text in ["", "a:", "m:", "m:a:", "m:m:x", "a:two words", "$a:bob", "~q:bob", "r:*bob*", "m:$a"] {
            assert!(ListEntry::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(ListEntry::parse(&format!("a:{}", "x".repeat(MAX_LEN + 1))), Err(MaskError::TooLong));
    }
}
