//! Looking for a text in what a place shows.

use std::ops::Range;

use super::buffer::{Buffer, View};
use super::edit::Editor;
use super::paper;

/// A search that is going on.
#[derive(Debug)]
pub(super) struct Search {
    /// What is looked for.
    pub(super) wanted: Editor,
    /// The line that is shown now.
    pub(super) found: Option<i64>,
    /// Where the user was when it began.
    pub(super) from: View,
}

impl Search {
    pub(super) fn new(wanted: &str, from: View) -> Self {
        let mut editor = Editor::default();
        editor.insert(wanted);
        Self { wanted: editor, found: None, from }
    }

    /// The nearest line that has the text: older than the one that is shown, or newer. Where there is none, the search
    /// stays where it is.
    pub(super) fn step(&mut self, buffer: &Buffer, newer: bool) -> Option<i64> {
        let from = self.found;
        let next = if newer {
            nearest(buffer.iter(), self.wanted.text(), |number| from.is_some_and(|from| number > from))
        } else {
            nearest(buffer.iter().rev(), self.wanted.text(), |number| from.is_none_or(|from| number < from))
        };
        if next.is_some() {
            self.found = next;
        }
        next
    }

    /// After the text was changed: the newest line that has it, from the one that is shown on to older ones.
    pub(super) fn restart(&mut self, buffer: &Buffer) -> Option<i64> {
        self.found = None;
        self.step(buffer, false)
    }
}

fn nearest<'a>(
    mut lines: impl Iterator<Item = &'a super::buffer::Entry>,
    wanted: &str,
    fits: impl Fn(i64) -> bool,
) -> Option<i64> {
    if wanted.is_empty() {
        return None;
    }
    lines
        .find(|line| fits(line.number) && !occurrences(&paper::searchable(line), wanted).is_empty())
        .map(|line| line.number)
}

/// Where `wanted` is in `text`, whatever the case, in bytes; without overlaps.
pub(super) fn occurrences(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let wanted: Vec<char> = wanted.chars().flat_map(char::to_lowercase).collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    for (start, _) in text.char_indices() {
        if found.last().is_some_and(|last| start < last.end) {
            continue;
        }
        if let Some(length) = starts_with(&text[start..], &wanted) {
            found.push(start..start + length);
        }
    }
    found
}

/// How many bytes of `text` are `wanted`, which is in lower case; none where it begins otherwise.
fn starts_with(text: &str, wanted: &[char]) -> Option<usize> {
    let mut left = wanted;
    for (index, character) in text.char_indices() {
        let mut lower = character.to_lowercase();
        while let Some(character) = lower.next() {
            let Some((first, rest)) = left.split_first() else {
                return Some(index);
            };
            if *first != character {
                return None;
            }
            left = rest;
            if left.is_empty() && lower.len() == 0 {
                return Some(text[index..].chars().next().map_or(index, |last| index + last.len_utf8()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::buffer::tests::{room, said, time};

    #[test]
    fn case_does_not_matter_and_places_are_in_the_text_itself() {
        assert_eq!(occurrences("Ab aB", "AB"), [0..2, 3..5]);
        assert_eq!(occurrences("ÄÖ äö", "äö"), [0..4, 5..9]);
        assert_eq!(occurrences("aaaaa", "aa"), [0..2, 2..4]);
        assert_eq!(occurrences("İxix", "x"), [2..3, 4..5]);
        assert!(occurrences("abc", "").is_empty() && occurrences("", "a").is_empty());
        assert!(occurrences("ab", "abc").is_empty());
    }

    #[test]
    fn it_goes_to_older_and_newer_lines_and_stays_at_the_ends() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        for text in ["an apple", "a pear", "Apples", "a plum"] {
            buffer.append(said(&place, "bob", text), time(0), true);
        }
        let mut search = Search::new("apple", View::End);
        assert_eq!(search.step(&buffer, false), Some(2));
        assert_eq!(search.step(&buffer, false), Some(0));
        assert_eq!(search.step(&buffer, false), None);
        assert_eq!(search.step(&buffer, true), Some(2));
        assert_eq!(search.step(&buffer, true), None);
        search.wanted.set("bob");
        assert_eq!(search.restart(&buffer), Some(3), "nicks are found, too");
        search.wanted.set("nothing");
        assert_eq!(search.restart(&buffer), None);
    }
}
