//! Characters that must not reach a terminal as they are: the one table for all that is shown.

/// Why a character is not shown as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hazard {
    /// A control character, which may drive the terminal.
    Control,
    /// It turns the direction of what follows, breaks the line where no line ends, or cannot be seen.
    Hidden,
}

impl Hazard {
    /// What is wrong with a character; none where it can be shown. The joiners that emoji and scripts need can.
    pub(crate) fn of(character: char) -> Option<Self> {
        match character {
            _ if character.is_control() => Some(Self::Control),
            // Zero-width space, marks of direction, separators of lines and paragraphs, overrides and isolates,
            // invisible operators, byte order mark, annotations.
            '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' => Some(Self::Hidden),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_told_from_what_is_written() {
        for character in ['\0', '\x1b', '\n', '\x7f', '\u{85}', '\u{9b}'] {
            assert_eq!(Hazard::of(character), Some(Hazard::Control), "{character:?}");
        }
        for character in ['\u{61c}', '\u{200b}', '\u{202e}', '\u{2029}', '\u{2066}', '\u{feff}'] {
            assert_eq!(Hazard::of(character), Some(Hazard::Hidden), "{character:?}");
        }
        for character in ['a', ' ', 'ñ', '日', '\u{301}', '\u{200c}', '\u{200d}', '👩'] {
            assert_eq!(Hazard::of(character), None, "{character:?}");
        }
    }
}
