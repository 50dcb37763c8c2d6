//! The tokens of reply 005.

use std::borrow::Cow;
use std::fmt::Display;

use crate::text::truncate_utf8;

/// How many tokens a line may have: with the client's nick and the closing text they are fifteen parameters.
pub const MAX_TOKENS: usize = 13;

/// Tokens to advertise, in order.
///
/// ```
/// use stentor_proto::Isupport;
///
/// let tokens = Isupport::new().set("NETWORK", "Our net").flag("SAFELIST");
/// assert_eq!(tokens.lines(400), ["NETWORK=Our\\x20net SAFELIST"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Isupport {
    tokens: Vec<String>,
}

/// One token as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `KEY` or `KEY=value`; without a value it is `""`.
    Set(&'a str, Cow<'a, str>),
    /// `-KEY`: what was said of it before no longer holds.
    Unset(&'a str),
}

impl Isupport {
    /// No tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `KEY`. The key is of ASCII letters and digits, and may have a vendor before a `/`; all else is left out of it.
    pub fn flag(mut self, key: &str) -> Self {
        self.tokens.push(clean_key(key));
        self
    }

    /// Adds `KEY=value`, with the value escaped.
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        self.tokens.push(format!("{}={}", clean_key(key), escape_value(&value.to_string())));
        self
    }

    /// Adds `-KEY`, for a change while clients are connected.
    pub fn unset(mut self, key: &str) -> Self {
        self.tokens.push(format!("-{}", clean_key(key)));
        self
    }

    /// The tokens, separated by spaces, in lines of at most [`MAX_TOKENS`] and `max` bytes. What stands around them
    /// (source, numeric, nick, closing text) is not counted. A token that is longer by itself is left out: cut, it
    /// would say something else.
    #[must_use]
    pub fn lines(&self, max: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut count = MAX_TOKENS;
        for token in self.tokens.iter().filter(|token| token.len() <= max) {
            match lines.last_mut() {
                Some(line) if count < MAX_TOKENS && line.len() + 1 + token.len() <= max => {
                    line.push(' ');
                    line.push_str(token);
                    count += 1;
                }
                _ => {
                    lines.push(token.clone());
                    count = 1;
                }
            }
        }
        lines
    }
}

impl<'a> Token<'a> {
    /// Reads one parameter of a 005 line; nothing if it is no token, like the closing text.
    #[must_use]
    pub fn parse(written: &'a str) -> Option<Self> {
        let is_key = |key: &str| !key.is_empty() && key.chars().all(is_of_key);
        if let Some(key) = written.strip_prefix('-') {
            return is_key(key).then_some(Self::Unset(key));
        }
        let (key, value) = written.split_once('=').unwrap_or((written, ""));
        is_key(key).then(|| Self::Set(key, unescape_value(value)))
    }
}

/// A value as it is written in a token: spaces, backslashes, equals signs and control characters become `\xHH`.
#[must_use]
pub fn escape_value(value: &str) -> Cow<'_, str> {
    if !value.contains(needs_escape) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len() + 6);
    for character in value.chars() {
        if needs_escape(character) {
            out.push_str(&format!("\\x{:02X}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// What a written value means. A backslash that begins no `\xHH`, or one of a byte that is not ASCII, stands for
/// itself.
#[must_use]
pub fn unescape_value(written: &str) -> Cow<'_, str> {
    if !written.contains("\\x") {
        return Cow::Borrowed(written);
    }
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        let digits = truncate_utf8(after, 2);
        let is_hex = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if is_hex && byte.is_ascii() => {
                out.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push_str("\\x");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn needs_escape(character: char) -> bool {
    matches!(character, ' ' | '\\' | '=') || character.is_ascii_control()
}

fn is_of_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '/'
}

fn clean_key(key: &str) -> String {
    key.chars().filter(|character| is_of_key(*character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_thirteen_tokens_and_a_byte_cap() {
        let many = (0..27).fold(Isupport::new(), |all, number| all.flag(&format!("K{number}")));
        let lines = many.lines(400);
        assert_eq!(lines.iter().map(|line| line.split(' ').count()).collect::<Vec<_>>(), [13, 13, 1]);
        let tokens = Isupport::new().set("A", "1").unset("B").flag("TOOLONGFORANY").flag("C");
        assert_eq!(tokens.lines(6), ["A=1 -B", "C"]);
        assert!(Isupport::new().lines(400).is_empty());
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(escape_value("a b\\c=d\r\n\0é"), "a\\x20b\\x5Cc\\x3Dd\\x0D\\x0A\\x00é");
        assert_eq!(unescape_value("a\\x20b\\x5cc\\x3Dd"), "a b\\c=d");
        for strange in ["\\x", "\\x2", "\\xé", "\\x+1", "\\xFF", "\\y20", "\\"] {
            assert_eq!(unescape_value(strange), strange);
        }
        assert_eq!(Isupport::new().set("A B=", "x").lines(9), ["AB=x"]);
    }

    #[test]
    fn tokens_are_read() {
        assert_eq!(Token::parse("NETWORK=Our\\x20net"), Some(Token::Set("NETWORK", "Our net".into())));
        assert_eq!(Token::parse("draft/ICON=a"), Some(Token::Set("draft/ICON", "a".into())));
        assert_eq!(Token::parse("SAFELIST"), Some(Token::Set("SAFELIST", "".into())));
        assert_eq!(Token::parse("-SAFELIST"), Some(Token::Unset("SAFELIST")));
        assert_eq!(Token::parse("PREFIX=(ov)@+"), Some(Token::Set("PREFIX", "(ov)@+".into())));
        for text in ["are supported by this server", "", "-", "=", "-A=b"] {
            assert_eq!(Token::parse(text), None, "{text:?}");
        }
    }
}
