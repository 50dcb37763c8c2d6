//! Completion of the word before the cursor.

use super::edit::Editor;
use crate::slash::Argument;

/// What words there are to complete with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Slash commands, without the slash.
    pub(super) commands: Vec<String>,
    /// Nicks, those first who are the most likely to be meant.
    pub(super) nicks: Vec<String>,
    /// Rooms, with their `#`.
    pub(super) rooms: Vec<String>,
}

/// A completion that goes on with each Tab, until something else is done.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    /// Where in the text the word begins, in bytes.
    from: usize,
    /// What it may be, and last of all what was written.
    candidates: Vec<String>,
    at: usize,
}

impl Completion {
    /// Puts the first completion of the word before the cursor into the text; none where there is none.
    /// `kind_of(command, n)` tells what the `n`th argument of a command is, counted from 0.
    pub(super) fn start(
        editor: &mut Editor,
        words: &Words,
        kind_of: impl Fn(&str, usize) -> Argument,
        backwards: bool,
    ) -> Option<Self> {
        let before = editor.before();
        let from = before.rfind(' ').map_or(0, |space| space + 1);
        let word = &before[from..];
        let mut candidates = candidates(before, from, words, kind_of);
        if candidates.is_empty() {
            return None;
        }
        candidates.push(word.to_owned());
        let at = if backwards { candidates.len() - 2 } else { 0 };
        let completion = Self { from, candidates, at };
        completion.write(editor);
        Some(completion)
    }

    /// Puts the next completion, or the one before, in the place of this one.
    pub(super) fn step(&mut self, editor: &mut Editor, backwards: bool) {
        let count = self.candidates.len();
        self.at = (self.at + if backwards { count - 1 } else { 1 }) % count;
        self.write(editor);
    }

    fn write(&self, editor: &mut Editor) {
        if let Some(candidate) = self.candidates.get(self.at) {
            editor.replace_before(self.from, candidate);
        }
    }
}

/// All completions, each with what follows it: a space, or at the start of a line `: ` for a nick.
fn candidates(
    before: &str,
    from: usize,
    words: &Words,
    kind_of: impl Fn(&str, usize) -> Argument,
) -> Vec<String> {
    let word = &before[from..];
    if from == 0 {
        if let Some(command) = word.strip_prefix('/') {
            return matching(&words.commands, command, "/", " ");
        }
        return if word.starts_with('#') {
            matching(&words.rooms, word, "", " ")
        } else {
            matching(&words.nicks, word, "", ": ")
        };
    }
    let kind = match before.strip_prefix('/') {
        Some(line) if !line.starts_with('/') => {
            let mut done = line[..from - 1].split_whitespace();
            let command = done.next().unwrap_or_default();
            kind_of(command, done.count())
        }
        _ => Argument::Text,
    };
    match kind {
        Argument::Command => {
            let (slash, command) = word.strip_prefix('/').map_or(("", word), |name| ("/", name));
            matching(&words.commands, command, slash, " ")
        }
        Argument::Room if !word.starts_with('#') => matching(&words.rooms, &format!("#{word}"), "", " "),
        Argument::Room => matching(&words.rooms, word, "", " "),
        _ if word.starts_with('#') => matching(&words.rooms, word, "", " "),
        Argument::Text if word.is_empty() => Vec::new(),
        Argument::Nick | Argument::Text => matching(&words.nicks, word, "", " "),
    }
}

fn matching(words: &[String], start: &str, before: &str, after: &str) -> Vec<String> {
    let begins = |word: &&String| {
        word.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
    };
    words.iter().filter(begins).map(|word| format!("{before}{word}{after}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let list = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        Words {
            commands: list(&["join", "names", "nick"]),
            nicks: list(&["bob", "Bert", "alice"]),
            rooms: list(&["#lobby", "#Linux"]),
        }
    }

    fn kind_of(command: &str, argument: usize) -> Argument {
        match (command, argument) {
            ("join", 0) => Argument::Room,
            ("kick", 1) => Argument::Nick,
            ("help", 0) => Argument::Command,
            _ => Argument::Text,
        }
    }

    fn tabs(text: &str, times: usize) -> String {
        let mut editor = Editor::default();
        editor.insert(text);
        let mut completion = Completion::start(&mut editor, &words(), kind_of, false);
        for _ in 1..times {
            completion.as_mut().expect("there is one").step(&mut editor, false);
        }
        editor.text().to_owned()
    }

    #[test]
    fn nicks_get_a_colon_at_the_start_and_a_space_elsewhere() {
        assert_eq!(tabs("b", 1), "bob: ");
        assert_eq!(tabs("hello b", 1), "hello bob ");
        assert_eq!(tabs("", 1), "bob: ");
        assert_eq!(tabs("hello ", 1), "hello ");
        assert_eq!(tabs("x", 1), "x");
        assert_eq!(tabs("//b", 1), "//b");
    }

    #[test]
    fn tab_goes_round_and_comes_back_to_what_was_written() {
        assert_eq!(tabs("b", 2), "Bert: ");
        assert_eq!(tabs("b", 3), "b");
        assert_eq!(tabs("b", 4), "bob: ");
        let mut editor = Editor::default();
        editor.insert("b");
        let mut completion = Completion::start(&mut editor, &words(), kind_of, true).expect("there is one");
        assert_eq!(editor.text(), "Bert: ");
        completion.step(&mut editor, true);
        assert_eq!(editor.text(), "bob: ");
    }

    #[test]
    fn commands_and_their_arguments_are_known() {
        assert_eq!(tabs("/n", 1), "/names ");
        assert_eq!(tabs("/n", 2), "/nick ");
        assert_eq!(tabs("/join l", 1), "/join #lobby ");
        assert_eq!(tabs("/join #L", 2), "/join #Linux ");
        assert_eq!(tabs("/kick #lobby ", 1), "/kick #lobby bob ");
        assert_eq!(tabs("/help j", 1), "/help join ");
        assert_eq!(tabs("see #l", 1), "see #lobby ");
    }

    #[test]
    fn what_follows_the_cursor_stays() {
        let mut editor = Editor::default();
        editor.insert("b, hello");
        for _ in 0..7 {
            editor.left();
        }
        Completion::start(&mut editor, &words(), kind_of, false);
        assert_eq!(editor.text(), "bob: , hello");
    }
}
