//! Cutting and packing text so that it fits a line.

use crate::codec::MAX_BODY;

/// How many bytes a line holds besides its tags and its CR LF.
pub const MAX_CONTENT: usize = MAX_BODY - 2;

/// The longest beginning of `text` that takes at most `max` bytes and ends between two characters.
#[must_use]
pub fn truncate_utf8(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// Joins `items` with `separator` into pieces that each fit a line after `prefix_len` other bytes: the source, the
/// command and all other parameters, with their spaces and colon.
///
/// Pieces are made as they are asked for, and none is empty. An item that does not fit a line by itself is cut.
pub fn pack<I>(prefix_len: usize, items: I, separator: char) -> Pack<I::IntoIter>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let room = MAX_CONTENT.saturating_sub(prefix_len);
    Pack { items: items.into_iter(), waiting: None, room, separator }
}

/// The pieces that [`pack`] makes.
#[derive(Clone, Debug)]
pub struct Pack<I: Iterator> {
    items: I,
    /// The item that no longer fitted the last piece.
    waiting: Option<I::Item>,
    room: usize,
    separator: char,
}

impl<I> Iterator for Pack<I>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut piece = String::new();
        while let Some(item) = self.waiting.take().or_else(|| self.items.next()) {
            let text = item.as_ref();
            if piece.is_empty() {
                piece.push_str(truncate_utf8(text, self.room));
            } else if piece.len() + self.separator.len_utf8() + text.len() <= self.room {
                piece.push(self.separator);
                piece.push_str(text);
            } else {
                self.waiting = Some(item);
                break;
            }
        }
        (!piece.is_empty()).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(truncate_utf8("añb", 2), "a");
        assert_eq!(truncate_utf8("añb", 3), "añ");
        assert_eq!(truncate_utf8("añb", 99), "añb");
        assert_eq!(truncate_utf8("ñ", 0), "");
    }

    #[test]
    fn items_fill_lines_to_the_brim() {
        let prefix = MAX_CONTENT - 5;
        let pieces: Vec<String> = pack(prefix, ["ab", "cd", "e", "fghij", "k"], ' ').collect();
        assert_eq!(pieces, ["ab cd", "e", "fghij", "k"]);
    }

    #[test]
    fn an_item_that_fits_no_line_is_cut_and_no_room_gives_nothing() {
        let pieces: Vec<String> = pack(MAX_CONTENT - 3, ["abcdef", "g"], ',').collect();
        assert_eq!(pieces, ["abc", "g"]);
        assert_eq!(pack(MAX_CONTENT + 1, ["a", "b"], ' ').next(), None);
        assert_eq!(pack(0, [""; 0], ' ').next(), None);
    }
}
