//! A legal channel name.

use std::borrow::Borrow;
use std::fmt;

use crate::folded::Folded;

/// How many bytes a channel name may have, `#` included, unless configured otherwise.
pub const DEFAULT_MAX_LEN: usize = 64;

/// A legal channel name, cheap to clone. Spellings that differ in ASCII case alone are equal.
///
/// It begins with `#`; the rest is any UTF-8 without spaces, commas, control characters (NUL, BEL, CR and LF among
/// them) and characters that cannot be seen, which would make two names look like one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Folded);

/// Why a text is no channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelNameError {
    /// It does not begin with `#`.
    NoPrefix,
    /// It has more bytes than allowed.
    TooLong,
    /// It holds a character that no channel name may hold.
    BadCharacter(char),
}

impl ChannelName {
    /// Checks `text`, of at most `max_len` bytes.
    ///
    /// # Errors
    /// See [`ChannelNameError`]; all are the client's fault (numeric 403 or 476).
    pub fn parse(text: &str, max_len: usize) -> Result<Self, ChannelNameError> {
        if !is_channel_like(text) {
            return Err(ChannelNameError::NoPrefix);
        }
        if let Some(bad) = text.chars().find(|character| is_forbidden(*character)) {
            return Err(ChannelNameError::BadCharacter(bad));
        }
        if text.len() > max_len {
            return Err(ChannelNameError::TooLong);
        }
        Ok(Self(Folded::new(text)))
    }

    /// The name as its first member wrote it.
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

/// Whether a target is meant as a channel, legal or not.
#[must_use]
pub fn is_channel_like(target: &str) -> bool {
    target.starts_with('#')
}

/// Its folded form, so that a map of channels can be asked by [`ChannelName::folded`].
impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        self.0.folded()
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChannelNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrefix => f.write_str("a channel name begins with #"),
            Self::TooLong => f.write_str("the channel name is too long"),
            Self::BadCharacter(bad) => write!(f, "a channel name cannot contain {bad:?}"),
        }
    }
}

impl std::error::Error for ChannelNameError {}

fn is_forbidden(character: char) -> bool {
    let unseen = matches!(character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}');
    character == ',' || character.is_whitespace() || character.is_control() || unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ChannelName, ChannelNameError> {
        ChannelName::parse(text, DEFAULT_MAX_LEN)
    }

    #[test]
    fn names_may_hold_most_text() {
        for text in ["#", "##", "#room", "#Räume", "#a:b", "#*?!@", "#日本語", "#🎉"] {
            assert_eq!(parse(text).expect("it is legal").as_str(), text);
        }
        assert_eq!(parse("#RoomÄ").expect("it is legal").folded(), "#roomÄ");
        assert_eq!(parse("#ROOM"), parse("#room"));
    }

    #[test]
    fn what_separates_or_cannot_be_seen_is_refused() {
        for text in ["", "room", "&room", "+room", ":#room"] {
            assert_eq!(parse(text), Err(ChannelNameError::NoPrefix));
        }
        for bad in " ,\0\u{7}\r\n\t\u{2}\u{7f}\u{a0}\u{200b}\u{202e}\u{2028}\u{3000}\u{feff}\u{e0041}".chars()
        {
            assert_eq!(parse(&format!("#a{bad}b")), Err(ChannelNameError::BadCharacter(bad)));
        }
    }

    #[test]
    fn length_is_in_bytes_with_the_prefix() {
        assert!(ChannelName::parse("#aé", 4).is_ok());
        assert_eq!(ChannelName::parse("#aéb", 4), Err(ChannelNameError::TooLong));
    }
}
