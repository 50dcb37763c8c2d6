//! Which names are the same name.

use std::borrow::Cow;

/// How letters pair up when names are compared. Stentor itself uses and advertises [`Casemapping::Ascii`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Casemapping {
    /// `A` to `Z` are `a` to `z`.
    #[default]
    Ascii,
    /// Like ASCII, and `[ ] \ ~` are `{ } | ^`.
    Rfc1459,
    /// Like ASCII, and `[ ] \` are `{ } |`.
    Rfc1459Strict,
}

impl Casemapping {
    /// Its name in the ISUPPORT token `CASEMAPPING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Rfc1459 => "rfc1459",
            Self::Rfc1459Strict => "rfc1459-strict",
        }
    }

    /// The casemapping that ISUPPORT calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ascii, Self::Rfc1459, Self::Rfc1459Strict].into_iter().find(|mapping| mapping.name() == name)
    }

    /// The form that all spellings of a name share. It is as long as `name`.
    #[must_use]
    pub fn fold(self, name: &str) -> Cow<'_, str> {
        if name.chars().all(|character| self.fold_char(character) == character) {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(name.chars().map(|character| self.fold_char(character)).collect())
        }
    }

    /// Whether two spellings are of one name.
    #[must_use]
    pub fn eq(self, left: &str, right: &str) -> bool {
        left.len() == right.len()
            && left.chars().map(|c| self.fold_char(c)).eq(right.chars().map(|c| self.fold_char(c)))
    }

    fn fold_char(self, character: char) -> char {
        match (self, character) {
            (Self::Rfc1459 | Self::Rfc1459Strict, '[') => '{',
            (Self::Rfc1459 | Self::Rfc1459Strict, ']') => '}',
            (Self::Rfc1459 | Self::Rfc1459Strict, '\\') => '|',
            (Self::Rfc1459, '~') => '^',
            _ => character.to_ascii_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mapping_pairs_its_own_characters() {
        let name = r"ÀZ[]\~";
        assert_eq!(Casemapping::Ascii.fold(name), r"Àz[]\~");
        assert_eq!(Casemapping::Rfc1459.fold(name), "Àz{}|^");
        assert_eq!(Casemapping::Rfc1459Strict.fold(name), "Àz{}|~");
        assert!(Casemapping::Rfc1459.eq("a[~", "A{^") && !Casemapping::Rfc1459Strict.eq("a[~", "A{^"));
        assert!(!Casemapping::Ascii.eq("a[", "A{") && !Casemapping::Ascii.eq("a", "ab"));
        assert!(matches!(Casemapping::Ascii.fold("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn names_are_found() {
        assert_eq!(Casemapping::from_name("rfc1459-strict"), Some(Casemapping::Rfc1459Strict));
        assert_eq!(Casemapping::from_name(Casemapping::Ascii.name()), Some(Casemapping::Ascii));
        assert_eq!(Casemapping::from_name("rfc7613"), None);
    }
}
