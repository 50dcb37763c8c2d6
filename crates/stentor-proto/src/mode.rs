//! Mode changes, read and written.

use std::fmt;

/// What a mode letter takes: the four groups of the ISUPPORT token `CHANMODES`, and the members' prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModeClass {
    /// A list such as bans: a parameter to add or remove, none to read it.
    List,
    /// A parameter to set and to unset. To unset without one is understood, as many clients do; the parameter is
    /// then `*`.
    Key,
    /// A parameter to set, none to unset.
    WhenSet,
    /// Never a parameter.
    Flag,
    /// A member's rank: always a nick as parameter.
    Prefix,
}

/// One change of one mode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModeChange {
    /// Set, rather than unset.
    pub add: bool,
    /// The mode.
    pub letter: char,
    /// Its parameter, one word that can stand in the middle of a line. A list mode without one asks for the list.
    pub arg: Option<String>,
}

/// Why a letter is no change. The other letters of the same command are not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModeError {
    /// There is no such mode (numeric 472 or 501).
    Unknown(char),
    /// The parameters ran out (numeric 461 or 696).
    MissingParam(char),
    /// The parameter is empty, begins with a colon or holds a space, so it cannot be passed on (numeric 696).
    BadParam(char),
}

/// Reads `modes`, such as `+o-v`, with the parameters that follow it. `class` tells what a letter takes, and nothing
/// for an unknown one. Without a sign, letters are set.
///
/// There are as many results as letters, in their order, so no more than the line had bytes. Parameters that no letter
/// takes are ignored.
pub fn parse_changes(
    modes: &str,
    args: &[&str],
    class: impl Fn(char) -> Option<ModeClass>,
) -> Vec<Result<ModeChange, ModeError>> {
    let mut args = args.iter().copied();
    let mut add = true;
    let mut results = Vec::new();
    for letter in modes.chars() {
        match letter {
            '+' => add = true,
            '-' => add = false,
            _ => results.push(parse_one(add, letter, class(letter), &mut args)),
        }
    }
    results
}

/// Writes changes as `+o-v a b`, in as many pieces as it takes for none to have more than `max` bytes.
///
/// No piece is empty. A single change that is longer than `max` is a piece by itself: a caller who limits parameters
/// meets none.
#[must_use]
pub fn render(changes: &[ModeChange], max: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = Piece::default();
    for change in changes {
        if !piece.letters.is_empty() && piece.len_with(change) > max {
            pieces.push(std::mem::take(&mut piece).finish());
        }
        piece.push(change);
    }
    if !piece.letters.is_empty() {
        pieces.push(piece.finish());
    }
    pieces
}

impl ModeChange {
    /// A change without a parameter.
    #[must_use]
    pub fn flag(add: bool, letter: char) -> Self {
        Self { add, letter, arg: None }
    }

    /// A change with a parameter.
    #[must_use]
    pub fn with(add: bool, letter: char, arg: impl Into<String>) -> Self {
        Self { add, letter, arg: Some(arg.into()) }
    }
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(letter) => write!(f, "there is no mode {letter}"),
            Self::MissingParam(letter) => write!(f, "mode {letter} needs a parameter"),
            Self::BadParam(letter) => write!(f, "the parameter of mode {letter} is not one word"),
        }
    }
}

impl std::error::Error for ModeError {}

/// What is written of one piece.
#[derive(Default)]
struct Piece {
    sign: Option<bool>,
    letters: String,
    args: String,
}

impl Piece {
    fn len_with(&self, change: &ModeChange) -> usize {
        let sign = usize::from(self.sign != Some(change.add));
        let arg = change.arg.as_ref().map_or(0, |arg| arg.len() + 1);
        self.letters.len() + self.args.len() + sign + change.letter.len_utf8() + arg
    }

    fn push(&mut self, change: &ModeChange) {
        if self.sign != Some(change.add) {
            self.letters.push(if change.add { '+' } else { '-' });
            self.sign = Some(change.add);
        }
        self.letters.push(change.letter);
        if let Some(arg) = &change.arg {
            self.args.push(' ');
            self.args.push_str(arg);
        }
    }

    fn finish(self) -> String {
        self.letters + &self.args
    }
}

fn parse_one<'a>(
    add: bool,
    letter: char,
    class: Option<ModeClass>,
    args: &mut impl Iterator<Item = &'a str>,
) -> Result<ModeChange, ModeError> {
    let change = |arg: Option<&str>| match arg {
        Some(arg) if arg.is_empty() || arg.starts_with(':') || arg.contains(' ') => {
            Err(ModeError::BadParam(letter))
        }
        arg => Ok(ModeChange { add, letter, arg: arg.map(str::to_owned) }),
    };
    match class.ok_or(ModeError::Unknown(letter))? {
        ModeClass::Flag => change(None),
        ModeClass::WhenSet if !add => change(None),
        ModeClass::List => change(args.next()),
        ModeClass::Key if !add => change(args.next().or(Some("*"))),
        ModeClass::Key | ModeClass::WhenSet | ModeClass::Prefix => match args.next() {
            Some(arg) => change(Some(arg)),
            None => Err(ModeError::MissingParam(letter)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(letter: char) -> Option<ModeClass> {
        Some(match letter {
            'b' => ModeClass::List,
            'k' => ModeClass::Key,
            'l' => ModeClass::WhenSet,
            'o' | 'v' => ModeClass::Prefix,
            'm' | 'n' => ModeClass::Flag,
            _ => return None,
        })
    }

    #[test]
    fn each_class_takes_its_parameters() {
        let changes = parse_changes("+kl-l+mo-vb", &["key", "5", "ann", "bob", "*!*@x"], class);
        let wanted = [
            ModeChange::with(true, 'k', "key"),
            ModeChange::with(true, 'l', "5"),
            ModeChange::flag(false, 'l'),
            ModeChange::flag(true, 'm'),
            ModeChange::with(true, 'o', "ann"),
            ModeChange::with(false, 'v', "bob"),
            ModeChange::with(false, 'b', "*!*@x"),
        ];
        assert_eq!(changes.into_iter().collect::<Result<Vec<_>, _>>(), Ok(wanted.into()));
    }

    #[test]
    fn a_list_without_a_mask_is_asked_for_and_a_key_is_unset_without_one() {
        assert_eq!(parse_changes("b", &[], class), [Ok(ModeChange::flag(true, 'b'))]);
        assert_eq!(parse_changes("-k", &[], class), [Ok(ModeChange::with(false, 'k', "*"))]);
    }

    #[test]
    fn a_bad_letter_spoils_no_other() {
        let results = parse_changes("+xno+o-k+l", &["a b", "ann", ":key"], class);
        let wanted = [
            Err(ModeError::Unknown('x')),
            Ok(ModeChange::flag(true, 'n')),
            Err(ModeError::BadParam('o')),
            Ok(ModeChange::with(true, 'o', "ann")),
            Err(ModeError::BadParam('k')),
            Err(ModeError::MissingParam('l')),
        ];
        assert_eq!(results, wanted);
        assert_eq!(parse_changes("b", &[""], class), [Err(ModeError::BadParam('b'))]);
        assert_eq!(parse_changes("+-+", &["x"], class), []);
    }

    #[test]
    fn changes_are_written_compactly_and_split_at_the_cap() {
        let changes = [
            ModeChange::with(true, 'o', "ann"),
            ModeChange::flag(true, 'm'),
            ModeChange::with(false, 'v', "bob"),
        ];
        assert_eq!(render(&changes, 100), ["+om-v ann bob"]);
        assert_eq!(render(&changes, 13), ["+om-v ann bob"]);
        assert_eq!(render(&changes, 12), ["+om ann", "-v bob"]);
        assert_eq!(render(&changes, 1), ["+o ann", "+m", "-v bob"]);
        assert!(render(&[], 100).is_empty());
    }
}
