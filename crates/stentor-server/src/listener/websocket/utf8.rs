//! Whether bytes that come in pieces are UTF-8.

use std::ops::RangeInclusive;

/// What the next byte may be, by the Unicode standard's table of well-formed sequences (section 3.9, table 3-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Utf8 {
    /// How many bytes the unfinished letter lacks.
    missing: u8,
    /// What the next of them may be.
    next: RangeInclusive<u8>,
}

impl Default for Utf8 {
    fn default() -> Self {
        Self { missing: 0, next: CONTINUATION }
    }
}

impl Utf8 {
    /// Takes the next bytes. False where they cannot be UTF-8, whatever follows; then it is of no more use.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.take_byte(*byte))
    }

    /// Whether no letter is unfinished.
    pub(super) fn is_whole(&self) -> bool {
        self.missing == 0
    }

    fn take_byte(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            let is_legal = self.next.contains(&byte);
            self.missing -= 1;
            self.next = CONTINUATION;
            return is_legal;
        }
        (self.missing, self.next) = match byte {
            0x00..=0x7f => (0, CONTINUATION),
            0xc2..=0xdf => (1, CONTINUATION),
            0xe0 => (2, 0xa0..=0xbf),
            0xed => (2, 0x80..=0x9f),
            0xe1..=0xef => (2, CONTINUATION),
            0xf0 => (3, 0x90..=0xbf),
            0xf1..=0xf3 => (3, CONTINUATION),
            0xf4 => (3, 0x80..=0x8f),
            _ => return false,
        };
        true
    }
}

const CONTINUATION: RangeInclusive<u8> = 0x80..=0xbf;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_utf8(bytes: &[u8]) -> bool {
        let mut utf8 = Utf8::default();
        utf8.take(bytes) && utf8.is_whole()
    }

    #[test]
    fn every_pair_and_the_edges_of_longer_letters_are_judged_as_the_standard_library_does() {
        for pair in 0..=u16::MAX {
            let pair = pair.to_be_bytes();
            for tail in [&[][..], &[0x80], &[0xbf], &[0x80, 0x80], &[0xbf, 0xbf], &[0x80, 0x7f]] {
                let bytes = [&pair[..], tail].concat();
                assert_eq!(is_utf8(&bytes), std::str::from_utf8(&bytes).is_ok(), "{bytes:x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn text_in_two_pieces_is_text(text in ".*", cut in any::<prop::sample::Index>()) {
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut utf8 = Utf8::default();
            prop_assert!(utf8.take(one) && utf8.take(two) && utf8.is_whole());
        }
    }
}
