//! Breaking a text into rows, by what it takes on the screen.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many columns a text takes.
#[must_use]
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The beginning of `text` that fits into so many columns; with `…` at its end where it is not all.
#[must_use]
pub(super) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for cluster in text.graphemes(true) {
        used += width(cluster);
        if used > columns {
            break;
        }
        short.push_str(cluster);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// The rows of a text that may take `columns`. Rows after the first are indented by `indent`. It is broken at spaces;
/// a word is broken only where it does not fit into a row of its own. There is at least one row.
#[must_use]
pub(super) fn rows(spans: &[Span<'_>], columns: usize, indent: usize) -> Vec<Line<'static>> {
    let columns = columns.max(1);
    // A terminal so narrow that nothing would be left is used whole.
    let indent = if indent + 2 > columns { 0 } else { indent };
    let mut wrapper = Wrapper { columns, indent, rows: Vec::new(), row: Row::default(), space: None };
    for word in words(spans) {
        wrapper.word(&word);
    }
    wrapper.finish()
}

/// A cluster with its style; or, as a word, several.
type Cluster<'a> = (&'a str, Style);

/// What is between spaces, and each space by itself.
fn words<'a>(spans: &'a [Span<'_>]) -> Vec<Vec<Cluster<'a>>> {
    let mut words: Vec<Vec<Cluster<'a>>> = Vec::new();
    let mut open = false;
    for span in spans {
        for cluster in span.content.graphemes(true) {
            let piece = (cluster, span.style);
            if cluster == " " {
                words.push(vec![piece]);
                open = false;
            } else if open {
                words.last_mut().expect("an open word is the last one").push(piece);
            } else {
                words.push(vec![piece]);
                open = true;
            }
        }
    }
    words
}

#[derive(Default)]
struct Row {
    spans: Vec<Span<'static>>,
    width: usize,
}

impl Row {
    fn push(&mut self, text: &str, style: Style) {
        self.width += width(text);
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(text),
            _ => self.spans.push(Span::styled(text.to_owned(), style)),
        }
    }
}

struct Wrapper<'a> {
    columns: usize,
    indent: usize,
    rows: Vec<Line<'static>>,
    row: Row,
    /// Spaces that are written only if a word follows them in the same row.
    space: Option<Vec<Cluster<'a>>>,
}

impl<'a> Wrapper<'a> {
    fn word(&mut self, word: &[Cluster<'a>]) {
        if let [(" ", _)] = word {
            self.space.get_or_insert_default().extend_from_slice(word);
            return;
        }
        let spaces = self.space.take().unwrap_or_default();
        let taken: usize = word.iter().map(|(cluster, _)| width(cluster)).sum();
        if self.row.width + spaces.len() + taken > self.columns && !self.is_at_start() {
            self.break_row();
        } else {
            for (cluster, style) in spaces.into_iter().take(self.columns) {
                self.row.push(cluster, style);
            }
        }
        for (cluster, style) in word {
            if self.row.width + width(cluster) > self.columns && !self.is_at_start() {
                self.break_row();
            }
            self.row.push(cluster, *style);
        }
    }

    /// Whether the row has nothing in it besides its indent.
    fn is_at_start(&self) -> bool {
        let indent = if self.rows.is_empty() { 0 } else { self.indent };
        self.row.width <= indent
    }

    fn break_row(&mut self) {
        let full = std::mem::take(&mut self.row);
        self.rows.push(Line::from(full.spans));
        if self.indent > 0 {
            self.row.push(&" ".repeat(self.indent), Style::new());
        }
    }

    fn finish(mut self) -> Vec<Line<'static>> {
        if !self.is_at_start() || self.rows.is_empty() {
            self.rows.push(Line::from(self.row.spans));
        }
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, columns: usize, indent: usize) -> Vec<String> {
        rows(&[Span::raw(text.to_owned())], columns, indent).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn it_breaks_at_spaces_and_indents() {
        assert_eq!(wrapped("one two three four", 9, 2), ["one two", "  three", "  four"]);
        assert_eq!(wrapped("exact fit", 9, 2), ["exact fit"]);
        assert_eq!(wrapped("", 9, 2), [""]);
        assert_eq!(wrapped("a  b", 9, 0), ["a  b"]);
        assert_eq!(wrapped("trailing   ", 9, 0), ["trailing"]);
    }

    #[test]
    fn an_address_stays_whole_where_it_fits_a_row() {
        assert_eq!(wrapped("see https://a.example/b", 18, 0), ["see", "https://a.example/", "b"]);
        assert_eq!(wrapped("see https://a.example/b", 19, 0), ["see", "https://a.example/b"]);
        assert_eq!(wrapped("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrapped("日本語日本語", 5, 0), ["日本", "語日", "本語"]);
        assert_eq!(wrapped("e\u{301}e\u{301}e\u{301}", 2, 0), ["e\u{301}e\u{301}", "e\u{301}"]);
        assert_eq!(shorten("日本語", 5), "日本…");
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcd", 3), "ab…");
        assert_eq!(shorten("abcd", 0), "");
    }

    #[test]
    fn no_row_is_too_wide_and_nothing_is_lost() {
        let text = "The quick 日本 brown https://example.com/a/very/long/path fox 👩‍👩‍👧‍👦 jumps";
        for columns in 0..40 {
            for indent in 0..10 {
                let rows = wrapped(text, columns, indent);
                assert!(rows.iter().all(|row| width(row) <= columns.max(2)), "{columns} {indent}: {rows:?}");
                let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
                assert_eq!(letters(&rows.concat()), letters(text));
            }
        }
    }

    #[test]
    fn styles_survive_a_break() {
        let bold = Style::new().add_modifier(ratatui::style::Modifier::BOLD);
        let rows = rows(&[Span::raw("ab"), Span::styled("cd ef", bold)], 4, 0);
        assert_eq!(rows[0].spans.len(), 2);
        assert_eq!(rows[1].spans[0].style, bold);
    }
}
