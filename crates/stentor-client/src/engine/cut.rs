//! Text that is too long for one line, in pieces.

use stentor_proto::text::truncate_utf8;

/// `text` in pieces of at most `max` bytes each, in order. A piece ends before a space where there is one in its second
/// half, and that space is left out; it always ends between two characters. Empty text has no pieces.
pub(super) fn pieces(text: &str, max: usize) -> Vec<&str> {
    // Any character fits.
    let max = max.max(4);
    let mut rest = text;
    let mut pieces = Vec::new();
    while rest.len() > max {
        let most = truncate_utf8(rest, max);
        let next_is_space = rest.get(most.len()..).is_some_and(|after| after.starts_with(' '));
        let space = if next_is_space { Some(most.len()) } else { most.rfind(' ') };
        let (piece, after) = match space {
            Some(at) if at >= max / 2 => rest.split_at(at),
            _ => rest.split_at(most.len()),
        };
        pieces.push(piece);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_cut_at_words_and_long_words_at_characters() {
        assert_eq!(pieces("hello big world", 10), ["hello big", "world"]);
        assert_eq!(pieces("hello bigger world", 12), ["hello bigger", "world"]);
        assert_eq!(pieces("ääää", 5), ["ää", "ää"]);
        assert_eq!(pieces("a bbbbbbbbbbbb", 8), ["a bbbbbb", "bbbbbb"]);
        assert!(pieces("", 10).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_but_spaces_is_lost(text in "[a-zä😀 ]{0,200}", max in 4..50usize) {
            let cut = pieces(&text, max);
            prop_assert!(cut.iter().all(|piece| piece.len() <= max));
            prop_assert_eq!(cut.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }
}
