//! Text of others, made safe to show: formatting codes become styles, all other control characters become harmless.
//!
//! The codes are those of <https://modern.ircdocs.horse/formatting>.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;

use crate::hazard::Hazard;

/// What is said, as spans over `base`. No span holds a control character, and none is empty.
#[must_use]
pub(super) fn spans(text: &str, base: Style) -> Vec<Span<'static>> {
    let mut reader = Reader { rest: text, base, style: base, run: String::new(), spans: Vec::new() };
    reader.read();
    reader.spans
}

/// The same without any style.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    spans(text, Style::new()).into_iter().map(|span| span.content).collect()
}

struct Reader<'a> {
    rest: &'a str,
    base: Style,
    style: Style,
    run: String,
    spans: Vec<Span<'static>>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(code) = self.take() {
            match code {
                '\x02' => self.toggle(Modifier::BOLD),
                '\x1d' => self.toggle(Modifier::ITALIC),
                '\x1f' => self.toggle(Modifier::UNDERLINED),
                '\x1e' => self.toggle(Modifier::CROSSED_OUT),
                '\x16' => self.toggle(Modifier::REVERSED),
                // Monospace, which a terminal has anyway.
                '\x11' => {}
                '\x0f' => {
                    self.flush();
                    self.style = self.base;
                }
                '\x03' => self.colour(),
                '\x04' => self.hex_colour(),
                other => self.run.push_str(&harmless(other)),
            }
        }
        self.flush();
    }

    fn take(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    /// Ends a run of one style.
    fn flush(&mut self) {
        if !self.run.is_empty() {
            let text = cap_clusters(&self.run);
            self.spans.push(Span::styled(text, self.style));
            self.run.clear();
        }
    }

    fn toggle(&mut self, modifier: Modifier) {
        self.flush();
        self.style = if self.style.add_modifier.contains(modifier) {
            self.style.remove_modifier(modifier)
        } else {
            self.style.add_modifier(modifier)
        };
    }

    /// `^C`, `^C4`, `^C04,12`: one or two digits each. Without digits the colours end.
    fn colour(&mut self) {
        self.flush();
        let Some(foreground) = self.number() else {
            (self.style.fg, self.style.bg) = (self.base.fg, self.base.bg);
            return;
        };
        self.style.fg = palette(foreground).or(self.base.fg);
        let after = self.rest;
        if let Some(rest) = after.strip_prefix(',') {
            self.rest = rest;
            match self.number() {
                Some(background) => self.style.bg = palette(background).or(self.base.bg),
                None => self.rest = after,
            }
        }
    }

    /// `^DRRGGBB`, `^DRRGGBB,RRGGBB`. Without digits the colours end.
    fn hex_colour(&mut self) {
        self.flush();
        let Some(foreground) = self.hex() else {
            (self.style.fg, self.style.bg) = (self.base.fg, self.base.bg);
            return;
        };
        self.style.fg = Some(foreground);
        let after = self.rest;
        if let Some(rest) = after.strip_prefix(',') {
            self.rest = rest;
            match self.hex() {
                Some(background) => self.style.bg = Some(background),
                None => self.rest = after,
            }
        }
    }

    /// One or two decimal digits.
    fn number(&mut self) -> Option<u8> {
        let digits = self.rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        let number = number.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    fn hex(&mut self) -> Option<Color> {
        let (digits, rest) = self.rest.split_at_checked(6)?;
        let digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        self.rest = rest;
        let [_, red, green, blue] = value.to_be_bytes();
        Some(Color::Rgb(red, green, blue))
    }
}

/// A character that a terminal only shows: a control character becomes its picture, what turns the direction of
/// writing or cannot be seen becomes a replacement, all else stays.
fn harmless(character: char) -> String {
    match (Hazard::of(character), character) {
        (_, '\t') => ' '.to_string(),
        (Some(_), '\0'..='\x1f') => {
            char::from_u32(0x2400 + u32::from(character)).unwrap_or(REPLACEMENT).to_string()
        }
        (Some(_), '\x7f') => '\u{2421}'.to_string(),
        (Some(_), _) => REPLACEMENT.to_string(),
        (None, other) => other.to_string(),
    }
}

/// The same text, no cluster of which has more than [`MAX_CLUSTER`] characters: towers of combining marks would
/// cover other lines.
fn cap_clusters(text: &str) -> String {
    text.graphemes(true).flat_map(|cluster| cluster.chars().take(MAX_CLUSTER)).collect()
}

/// One of IRC's 99 colours; none for 99, the default colour.
fn palette(number: u8) -> Option<Color> {
    let basic = [
        Color::White,
        Color::Black,
        Color::Blue,
        Color::Green,
        Color::LightRed,
        Color::Red,
        Color::Magenta,
        Color::Yellow,
        Color::LightYellow,
        Color::LightGreen,
        Color::Cyan,
        Color::LightCyan,
        Color::LightBlue,
        Color::LightMagenta,
        Color::DarkGray,
        Color::Gray,
    ];
    if let Some(colour) = basic.get(usize::from(number)) {
        return Some(*colour);
    }
    EXTENDED.get(usize::from(number) - basic.len()).copied().map(Color::Indexed)
}

/// Colours 16 to 98 in the 256-colour palette.
const EXTENDED: [u8; 83] = [
    52, 94, 100, 58, 22, 29, 23, 24, 17, 54, 53, 89, 88, 130, 142, 64, 28, 35, 30, 25, 18, 91, 90, 125, 124,
    166, 184, 106, 34, 49, 37, 33, 19, 129, 127, 161, 196, 208, 226, 154, 46, 86, 51, 75, 21, 171, 201, 198,
    203, 215, 227, 191, 83, 122, 87, 111, 63, 177, 207, 205, 217, 223, 229, 193, 157, 158, 159, 153, 147,
    183, 219, 212, 16, 233, 235, 237, 239, 241, 244, 247, 250, 254, 231,
];
/// How many characters what is seen as one may have; the longest emoji have about ten.
const MAX_CLUSTER: usize = 16;
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_styles() {
        let spans = spans("a\x02b\x1dc\x02d\x0fe\x034,1f\x03g", Style::new());
        let texts: Vec<&str> = spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(texts, ["a", "b", "c", "d", "e", "f", "g"]);
        assert!(spans[1].style.add_modifier == Modifier::BOLD);
        assert!(spans[2].style.add_modifier == Modifier::BOLD | Modifier::ITALIC);
        assert!(spans[3].style.add_modifier == Modifier::ITALIC);
        assert_eq!(spans[4].style, Style::new());
        assert_eq!((spans[5].style.fg, spans[5].style.bg), (Some(Color::LightRed), Some(Color::Black)));
        assert_eq!((spans[6].style.fg, spans[6].style.bg), (None, None));
    }

    #[test]
    fn only_digits_of_a_colour_are_taken() {
        assert_eq!(plain("\x03123"), "3");
        assert_eq!(plain("\x033,x"), ",x");
        assert_eq!(plain("\x03,5"), ",5");
        assert_eq!(plain("\x04ff00001"), "1");
        assert_eq!(plain("\x04ff000"), "ff000");
        assert_eq!(plain("\x0499€x"), "99€x");
        assert_eq!(spans("\x04ff8000,0000ffx", Style::new())[0].style.bg, Some(Color::Rgb(0, 0, 255)));
        for number in 0..=99 {
            assert_eq!(palette(number).is_some(), number < 99);
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_that_could_drive_it() {
        let all: String = (0..=0x9f_u32).chain(0x2000..0x2070).filter_map(char::from_u32).collect();
        let shown = plain(&all);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(!shown.contains(['\u{202e}', '\u{2066}', '\u{200f}']));
        assert_eq!(plain("\x1b[31mred\x07\tx\u{9b}2J"), "␛[31mred␇ x\u{fffd}2J");
    }

    #[test]
    fn towers_of_marks_are_cut_and_emoji_are_not() {
        let tower = format!("a{}", "\u{301}".repeat(200));
        assert_eq!(plain(&tower).chars().count(), MAX_CLUSTER);
        let family = "👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿";
        assert_eq!(plain(family), family);
    }
}
