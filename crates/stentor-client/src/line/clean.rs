//! Texts of other people, made safe to print.

use crate::hazard::Hazard;

/// A text without formatting codes, and with a replacement for every character that could steer a terminal or turn the
/// rest of a line around.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            COLOUR => rest = without_colours(rest, 2, |byte| byte.is_ascii_digit()),
            HEX_COLOUR => rest = without_colours(rest, 6, |byte| byte.is_ascii_hexdigit()),
            BOLD | MONOSPACE | RESET | REVERSE | ITALIC | STRIKETHROUGH | UNDERLINE => {}
            '\t' => clean.push(' '),
            _ if Hazard::of(character).is_some() => clean.push(char::REPLACEMENT_CHARACTER),
            _ => clean.push(character),
        }
    }
    clean
}

/// The same for several lines; where they end stays.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// Takes one or two numbers of at most `digits` digits, with a comma between, off the beginning.
fn without_colours(text: &str, digits: usize, is_digit: impl Fn(&u8) -> bool) -> &str {
    let after_number = |text: &str| {
        let length = text.bytes().take(digits).take_while(|byte| is_digit(byte)).count();
        (length > 0).then_some(length)
    };
    let Some(first) = after_number(text) else { return text };
    let rest = text.get(first..).unwrap_or_default();
    let second = rest.strip_prefix(',').and_then(|after| after.get(after_number(after)?..));
    second.unwrap_or(rest)
}

// <https://modern.ircdocs.horse/formatting>
const BOLD: char = '\u{02}';
const COLOUR: char = '\u{03}';
const HEX_COLOUR: char = '\u{04}';
const RESET: char = '\u{0f}';
const MONOSPACE: char = '\u{11}';
const REVERSE: char = '\u{16}';
const ITALIC: char = '\u{1d}';
const STRIKETHROUGH: char = '\u{1e}';
const UNDERLINE: char = '\u{1f}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_goes_and_text_stays() {
        for (text, shown) in [
            ("plain, ñ and 日本", "plain, ñ and 日本"),
            ("\u{02}bold\u{0f} \u{1d}it\u{1f}", "bold it"),
            ("\u{03}4red \u{03}04,12both \u{03}123", "red both 3"),
            ("\u{03},5 \u{03}4,x\u{03}", ",5 ,x"),
            ("\u{04}ff00AAhex\u{04}ff0000,00ff00both", "hexboth"),
            ("a\tb", "a b"),
        ] {
            assert_eq!(clean(text), shown, "{text:?}");
        }
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let text = "\x1b[2J\x07\u{9b}31m\r\n\u{202e}txt\u{2029}\x7f\u{200f}\u{feff}";
        let shown = clean(text);
        assert!(!shown.chars().any(|character| Hazard::of(character).is_some()), "{shown:?}");
        assert!(shown.contains("[2J") && shown.contains("txt"));
    }
}
