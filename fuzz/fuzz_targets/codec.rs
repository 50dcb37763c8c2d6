//! The same bytes give the same lines however they are cut, and no line is longer than the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stentor_proto::{LineError, LineReader, Message};

const MAX_TAGS: usize = 24;
const MAX_BODY: usize = 16;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, bytes) = input;
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(chunk).max(1)));
    assert_eq!(whole, read(bytes, 1));
    for line in whole.into_iter().flatten() {
        assert!(!line.is_empty() && line.len() <= MAX_TAGS + MAX_BODY - 2);
        assert!(!line.contains(['\r', '\n', '\0']));
        let _ = Message::parse(&line);
    }
});

fn read(bytes: &[u8], chunk: usize) -> Vec<Result<String, LineError>> {
    let mut reader = LineReader::new(MAX_TAGS, MAX_BODY);
    let mut lines = Vec::new();
    for piece in bytes.chunks(chunk) {
        reader.feed(piece);
        lines.extend(std::iter::from_fn(|| reader.next_line()));
        assert!(reader.buffered() <= MAX_TAGS + MAX_BODY);
        reader.release();
    }
    lines
}
