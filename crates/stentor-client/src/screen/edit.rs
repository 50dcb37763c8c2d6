//! The line that is being written: its text, the cursor, what was cut, and what was sent before.

use unicode_segmentation::UnicodeSegmentation;

use super::wrap::width;
use crate::event::Place;
use crate::slash;

/// A line under the user's hands. It holds no control characters.
#[derive(Clone, Debug, Default)]
pub(super) struct Editor {
    text: String,
    /// In bytes; always at the border of a cluster.
    cursor: usize,
    /// What was cut last.
    cut: String,
    /// What was sent before, oldest first.
    history: Vec<String>,
    /// Which line of the history is shown, and what was being written before it was.
    recalled: Option<(usize, String)>,
}

impl Editor {
    /// The text.
    #[must_use]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    #[must_use]
    pub(super) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// The text from the cursor on.
    #[must_use]
    pub(super) fn after(&self) -> &str {
        &self.text[self.cursor..]
    }

    /// Puts another text in the place of all, and the cursor to its end.
    pub(super) fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Puts `with` in the place of the text from byte `from` to the cursor. `from` is a border of a cluster.
    pub(super) fn replace_before(&mut self, from: usize, with: &str) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
        self.insert(with);
    }

    /// Writes at the cursor. Control characters become spaces; what would make the text longer than [`MAX_INPUT`]
    /// is not taken.
    pub(super) fn insert(&mut self, text: &str) {
        for character in text.chars() {
            let character = if character.is_control() && !is_formatting(character) { ' ' } else { character };
            if self.text.len() + character.len_utf8() > MAX_INPUT {
                break;
            }
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
        // A combining character joins what is before it, so the cursor may be inside of a cluster now.
        self.cursor = self.border_at_or_after(self.cursor);
    }

    /// Takes the text for sending from this place, notes it in the history, and begins an empty one. None where it is empty.
    pub(super) fn submit(&mut self, here: &Place) -> Option<String> {
        self.recalled = None;
        self.cursor = 0;
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return None;
        }
        self.remember(&text, here);
        Some(text)
    }

    /// Empties it; what was there can be recalled from the history.
    pub(super) fn clear(&mut self, here: &Place) {
        let _ = self.submit(here);
    }

    /// The line before this one in the history.
    pub(super) fn recall_older(&mut self) {
        let older = match &self.recalled {
            None => self.history.len().checked_sub(1),
            Some((at, _)) => at.checked_sub(1),
        };
        let Some((at, line)) = older.and_then(|at| Some((at, self.history.get(at)?.clone()))) else { return };
        let draft = self.recalled.take().map_or_else(|| self.text.clone(), |(_, draft)| draft);
        self.set(&line);
        self.recalled = Some((at, draft));
    }

    /// The line after this one in the history; at its end, what was being written.
    pub(super) fn recall_newer(&mut self) {
        let Some((at, draft)) = self.recalled.take() else { return };
        match self.history.get(at + 1).cloned() {
            Some(line) => {
                self.set(&line);
                self.recalled = Some((at + 1, draft));
            }
            None => self.set(&draft),
        }
    }

    /// One cluster to the left.
    pub(super) fn left(&mut self) {
        self.cursor = self.border_before(self.cursor);
    }

    /// One cluster to the right.
    pub(super) fn right(&mut self) {
        self.cursor += self.after().graphemes(true).next().map_or(0, str::len);
    }

    /// To the start of this word or the one before.
    pub(super) fn word_left(&mut self) {
        self.cursor = self.word_start();
    }

    /// To the end of this word or the next.
    pub(super) fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    /// To the start.
    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    /// To the end.
    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    /// Removes the cluster before the cursor.
    pub(super) fn backspace(&mut self) {
        let from = self.border_before(self.cursor);
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    /// Removes the cluster at the cursor.
    pub(super) fn delete(&mut self) {
        let end = self.cursor + self.after().graphemes(true).next().map_or(0, str::len);
        self.text.replace_range(self.cursor..end, "");
    }

    /// Cuts back to the last space, as a terminal does.
    pub(super) fn cut_word_left(&mut self) {
        let before = self.before().trim_end_matches(' ');
        let from = before.rfind(' ').map_or(0, |space| space + 1);
        self.cut(from, self.cursor);
    }

    /// Cuts back to the start of the word.
    pub(super) fn cut_part_left(&mut self) {
        self.cut(self.word_start(), self.cursor);
    }

    /// Cuts on to the end of the word.
    pub(super) fn cut_word_right(&mut self) {
        self.cut(self.cursor, self.word_end());
    }

    /// Cuts all before the cursor.
    pub(super) fn cut_to_start(&mut self) {
        self.cut(0, self.cursor);
    }

    /// Cuts all from the cursor on.
    pub(super) fn cut_to_end(&mut self) {
        self.cut(self.cursor, self.text.len());
    }

    /// Writes what was cut last.
    pub(super) fn yank(&mut self) {
        let cut = self.cut.clone();
        self.insert(&cut);
    }

    /// What of the text is seen in so many columns, so that the cursor is among it, and the cursor's column there.
    #[must_use]
    pub(super) fn window(&self, columns: usize) -> (String, usize) {
        let columns = columns.max(1);
        let at = width(&self.shown(self.before()));
        // With room to the right for the cursor itself.
        let first = (at + 1).saturating_sub(columns);
        let mut seen = String::new();
        let mut column = 0;
        let mut skipped = 0;
        for cluster in self.shown(&self.text).graphemes(true) {
            let next = column + width(cluster);
            if column >= first && next <= first + columns {
                seen.push_str(cluster);
            } else if next > first && column < first {
                // Half of a wide character is cut off at the left.
                skipped = next - first;
                seen.push_str(&" ".repeat(skipped));
            }
            column = next;
        }
        debug_assert!(skipped <= columns);
        (seen, at - first)
    }

    /// Formatting codes take a column each, so that they can be seen and removed.
    fn shown(&self, text: &str) -> String {
        text.chars().map(|character| if is_formatting(character) { '\u{2592}' } else { character }).collect()
    }

    /// A password is not kept.
    fn remember(&mut self, text: &str, here: &Place) {
        if slash::holds_secret(text, here) {
            return;
        }
        self.history.retain(|line| line != text);
        if self.history.len() == MAX_HISTORY {
            self.history.remove(0);
        }
        self.history.push(text.to_owned());
    }

    fn cut(&mut self, from: usize, to: usize) {
        if from < to {
            self.cut = self.text[from..to].to_owned();
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    fn border_before(&self, at: usize) -> usize {
        at - self.text[..at].graphemes(true).next_back().map_or(0, str::len)
    }

    fn border_at_or_after(&self, at: usize) -> usize {
        self.text
            .grapheme_indices(true)
            .map(|(border, _)| border)
            .find(|border| *border >= at)
            .unwrap_or(self.text.len())
    }

    fn word_start(&self) -> usize {
        let before = self.before().trim_end_matches(|character: char| !character.is_alphanumeric());
        before.trim_end_matches(char::is_alphanumeric).len()
    }

    fn word_end(&self) -> usize {
        let after = self.after();
        let word = after.trim_start_matches(|character: char| !character.is_alphanumeric());
        self.text.len() - word.trim_start_matches(char::is_alphanumeric).len()
    }
}

/// Whether it is one of the codes for bold, italic, underlined and so on.
fn is_formatting(character: char) -> bool {
    matches!(character, '\x02' | '\x03' | '\x0f' | '\x11' | '\x16' | '\x1d' | '\x1e' | '\x1f')
}

/// How many bytes a line that is being written may have. It is sent as several messages where it is too long for one.
pub(super) const MAX_INPUT: usize = 8 * 1024;
/// How many sent lines can be recalled.
pub(super) const MAX_HISTORY: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn editor(text: &str) -> Editor {
        let mut editor = Editor::default();
        editor.insert(text);
        editor
    }

    fn parts(editor: &Editor) -> (&str, &str) {
        (editor.before(), editor.after())
    }

    #[test]
    fn it_moves_and_removes_by_what_is_seen() {
        let mut line = editor("ae\u{301}日");
        line.left();
        assert_eq!(parts(&line), ("ae\u{301}", "日"));
        line.backspace();
        assert_eq!(parts(&line), ("a", "日"));
        line.delete();
        line.delete();
        assert_eq!(line.text(), "a");
        line.right();
        line.left();
        line.left();
        line.backspace();
        assert_eq!(parts(&line), ("", "a"));
    }

    #[test]
    fn it_cuts_and_yanks() {
        let mut line = editor("one two-three four");
        line.cut_word_left();
        assert_eq!(line.text(), "one two-three ");
        line.cut_part_left();
        assert_eq!(line.text(), "one two-");
        line.yank();
        assert_eq!(line.text(), "one two-three ");
        line.home();
        line.word_right();
        assert_eq!(parts(&line), ("one", " two-three "));
        line.cut_to_end();
        line.home();
        line.yank();
        assert_eq!(parts(&line), (" two-three ", "one"));
        line.word_left();
        assert_eq!(line.before(), " two-");
        line.cut_to_start();
        assert_eq!(line.text(), "three one");
        line.home();
        line.cut_word_right();
        assert_eq!(line.text(), " one");
    }

    #[test]
    fn it_recalls_what_was_sent_and_keeps_what_was_being_written() {
        let mut line = editor("first");
        assert_eq!(line.submit(&Place::Server).as_deref(), Some("first"));
        assert_eq!(line.submit(&Place::Server), None);
        line.insert("second");
        line.submit(&Place::Server);
        line.insert("first");
        line.submit(&Place::Server);
        line.insert("draft");
        line.recall_older();
        line.recall_older();
        line.recall_older();
        assert_eq!(line.text(), "second");
        line.recall_newer();
        assert_eq!(line.text(), "first");
        line.recall_newer();
        line.recall_newer();
        assert_eq!(line.text(), "draft");
        for number in 0..MAX_HISTORY * 2 {
            line.set(&number.to_string());
            line.submit(&Place::Server);
        }
        assert_eq!(line.history.len(), MAX_HISTORY);
    }

    #[test]
    fn it_recalls_no_password() {
        let mut line = editor("/topic new");
        line.submit(&Place::Server);
        for secret in ["/register secret", "/quote OPER ann secret", "/msg NickServ identify secret"] {
            line.set(secret);
            assert_eq!(line.submit(&Place::Server).as_deref(), Some(secret));
        }
        line.recall_older();
        assert_eq!(line.text(), "/topic new");
    }

    #[test]
    fn it_takes_no_control_characters_and_not_without_end() {
        let line = editor("a\x1b[0m\r\nb\x02c");
        assert_eq!(line.text(), "a [0m  b\x02c");
        let line = editor(&"日".repeat(MAX_INPUT));
        assert!(line.text().len() <= MAX_INPUT);
    }

    #[test]
    fn the_cursor_is_always_seen() {
        let mut line = editor("0123456789日本語");
        for columns in 1..20 {
            line.end();
            for _ in 0..15 {
                let (seen, at) = line.window(columns);
                assert!(at < columns && width(&seen) <= columns, "{columns}: {seen:?} {at}");
                line.left();
            }
        }
        line.end();
        assert_eq!(line.window(6), (" 本語".to_owned(), 5));
        line.home();
        assert_eq!(line.window(6), ("012345".to_owned(), 0));
        assert_eq!(editor("a\x02b").window(9).0, "a▒b");
    }
}
