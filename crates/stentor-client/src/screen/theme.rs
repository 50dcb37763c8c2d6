//! Colours, and what stands in for them where none are wanted.

use ratatui::style::{Color, Modifier, Style};

/// How things look. Without colours, bold and reverse carry what matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colours: bool,
}

impl Theme {
    /// A theme with or without colours.
    #[must_use]
    pub fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// As the environment wants it: without colours where `NO_COLOR` is set and not empty (<https://no-color.org>).
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    /// Whether colours are wanted.
    #[must_use]
    pub fn has_colours(self) -> bool {
        self.colours
    }

    /// What is less important: times, who comes and goes.
    pub(super) fn dim(self) -> Style {
        self.or(Style::new().fg(Color::Indexed(GREY)), Style::new().add_modifier(Modifier::DIM))
    }

    /// A nick; the same nick has the same colour everywhere, whatever its case.
    pub(super) fn nick(self, nick: &str) -> Style {
        let colour = NICKS[hash(nick) % NICKS.len()];
        self.or(Style::new().fg(Color::Indexed(colour)), Style::new())
    }

    /// One's own nick.
    pub(super) fn own(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What names oneself.
    pub(super) fn mention(self) -> Style {
        self.or(Style::new().fg(Color::Yellow), Style::new()).add_modifier(Modifier::BOLD)
    }

    /// The count of mentions of a place in the list.
    pub(super) fn mention_count(self) -> Style {
        self.or(
            Style::new().fg(Color::Black).bg(Color::Yellow),
            Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
        )
    }

    /// A place with something unread.
    pub(super) fn unread(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The place that is shown.
    pub(super) fn current(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Where the unread begins.
    pub(super) fn marker(self) -> Style {
        self.or(Style::new().fg(Color::Red), Style::new().add_modifier(Modifier::BOLD))
    }

    /// What did not happen.
    pub(super) fn problem(self) -> Style {
        self.or(Style::new().fg(Color::Red), Style::new().add_modifier(Modifier::BOLD))
    }

    /// News of the connection.
    pub(super) fn connection(self) -> Style {
        self.or(Style::new().fg(Color::Cyan), Style::new())
    }

    /// The topic line, the status line.
    pub(super) fn bar(self) -> Style {
        self.or(
            Style::new().fg(Color::White).bg(Color::Indexed(236)),
            Style::new().add_modifier(Modifier::REVERSED),
        )
    }

    /// In the status line, that there is no connection.
    pub(super) fn alarm(self) -> Style {
        self.or(
            Style::new().fg(Color::White).bg(Color::Red),
            Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        )
    }

    /// What a search found.
    pub(super) fn found(self) -> Style {
        self.or(Style::new().fg(Color::Black).bg(Color::Cyan), Style::new().add_modifier(Modifier::REVERSED))
    }

    /// Lines between the columns.
    pub(super) fn border(self) -> Style {
        self.dim()
    }

    /// `style` without its colours, where none are wanted.
    pub(super) fn strip(self, mut style: Style) -> Style {
        if !self.colours {
            (style.fg, style.bg) = (None, None);
        }
        style
    }

    fn or(self, coloured: Style, plain: Style) -> Style {
        if self.colours { coloured } else { plain }
    }
}

/// FNV-1a, over lower-case ASCII. The standard library's hash may change with its version.
fn hash(nick: &str) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in nick.bytes() {
        hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193);
    }
    // The lowest bits alone would mix badly for names that differ in their last letter.
    (hash ^ (hash >> 15)) as usize
}

/// Between black and white; the palette's own "bright black" is the background in some schemes.
const GREY: u8 = 244;
/// Colours of the 256-colour palette that can be read on dark and on light ground.
const NICKS: [u8; 14] = [31, 35, 37, 64, 70, 97, 103, 130, 133, 136, 161, 166, 172, 205];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nick_keeps_its_colour_in_any_case() {
        let theme = Theme::new(true);
        assert_eq!(theme.nick("Bob"), theme.nick("bob"));
        assert!(theme.nick("bob").fg.is_some());
        let different: std::collections::HashSet<_> =
            ["ann", "bob", "carl", "dora", "emil", "fred"].map(hash).into_iter().collect();
        assert_eq!(different.len(), 6);
    }

    #[test]
    fn without_colours_there_are_none_and_what_matters_still_stands_out() {
        let theme = Theme::new(false);
        for style in [
            theme.dim(),
            theme.nick("bob"),
            theme.own(),
            theme.mention(),
            theme.mention_count(),
            theme.unread(),
            theme.current(),
            theme.marker(),
            theme.problem(),
            theme.bar(),
            theme.alarm(),
            theme.found(),
            theme.strip(Style::new().fg(Color::Red).bg(Color::Blue)),
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        assert!(theme.mention().add_modifier.contains(Modifier::BOLD));
        assert!(theme.mention_count().add_modifier.contains(Modifier::REVERSED));
        assert!(theme.unread().add_modifier.contains(Modifier::BOLD));
    }
}
