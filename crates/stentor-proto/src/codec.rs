//! Lines out of a stream of bytes, with their length caps.

use std::fmt;

/// How many bytes of tags a client may send, with the `@` and the space after them (IRCv3 `message-tags`).
pub const MAX_CLIENT_TAGS: usize = 4096;

/// How many bytes a line may take without its tags, with its CR LF.
pub const MAX_BODY: usize = 512;

/// Finds lines in what a socket gives, however that is cut into pieces.
///
/// Feed it what one read gave, then take all lines, then read again. Of one line it never keeps more than the limits
/// allow: the rest of a longer one is dropped as it arrives, and its end is reported as one error. So after all lines
/// are taken it holds at most `max_tags + max_body` bytes. Each byte is looked at a fixed number of times.
#[derive(Clone, Debug)]
pub struct LineReader {
    max_tags: usize,
    max_body: usize,
    /// Finished lines with their LF, then the unfinished one, cut at its limit.
    buffer: Vec<u8>,
    /// Where the next line to take begins.
    start: usize,
    /// Where the unfinished line begins.
    unfinished: usize,
    /// See [`LineReader::legible`].
    legible: String,
}

/// Why a line was dropped. The ones after it are not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineError {
    /// All but the tags is longer than the limit: more than 510 bytes and CR LF where it is [`MAX_BODY`].
    TooLong,
    /// The tags are longer than the limit.
    TagsTooLong,
    /// It is not UTF-8.
    InvalidUtf8,
    /// It holds a NUL.
    Nul,
    /// It holds a CR that does not end it: some readers would see two lines.
    BareCr,
}

impl LineReader {
    /// A reader of lines with at most `max_tags` bytes of tags, counted with `@` and space, and `max_body` bytes of
    /// all else, counted with CR LF whether or not both were sent.
    #[must_use]
    pub fn new(max_tags: usize, max_body: usize) -> Self {
        Self {
            max_tags,
            max_body: max_body.max(3),
            buffer: Vec::new(),
            start: 0,
            unfinished: 0,
            legible: String::new(),
        }
    }

    /// A reader of what clients send.
    #[must_use]
    pub fn for_client_lines() -> Self {
        Self::new(MAX_CLIENT_TAGS, MAX_BODY)
    }

    /// Takes in what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.drop_taken();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            self.append(text);
            if ended {
                self.buffer.push(b'\n');
                self.unfinished = self.buffer.len();
            }
        }
    }

    /// The next line, without CR LF. Empty lines are skipped; a bare LF ends a line too.
    ///
    /// # Errors
    /// [`LineError`] in the place of a line that is not acceptable; go on with the next.
    pub fn next_line(&mut self) -> Option<Result<String, LineError>> {
        while self.start < self.unfinished {
            let rest = self.buffer.get(self.start..self.unfinished).unwrap_or_default();
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            self.start += line.len() + 1;
            let result = self.judge(line);
            if result == Some(Err(LineError::InvalidUtf8)) {
                self.legible =
                    line.utf8_chunks().next().map(|chunk| chunk.valid().to_owned()).unwrap_or_default();
            }
            if result.is_some() {
                return result;
            }
        }
        None
    }

    /// What can be read of the last line that was [`LineError::InvalidUtf8`]: all before the first byte that cannot.
    #[must_use]
    pub fn legible(&self) -> &str {
        &self.legible
    }

    /// Whether nothing is held: neither a line to take nor the beginning of one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// Whether a whole line waits to be taken. Where none does, only more input can help.
    #[must_use]
    pub fn has_line(&self) -> bool {
        self.start < self.unfinished
    }

    /// How many bytes are held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Gives the memory back if nothing is held, so that an idle connection costs none.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.buffer = Vec::new();
            self.legible = String::new();
            self.start = 0;
            self.unfinished = 0;
        }
    }

    /// Makes room for what comes. Moves bytes only when at least as many have been taken, so the cost is linear.
    fn drop_taken(&mut self) {
        if self.start > 0 && self.start >= self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.unfinished -= self.start;
            self.start = 0;
        }
    }

    /// Adds to the unfinished line what its limit has room for.
    ///
    /// A line that has been cut is one byte longer than any that passes [`LineReader::judge`], CR included.
    fn append(&mut self, text: &[u8]) {
        let held = self.buffer.len() - self.unfinished;
        let first = self.buffer.get(self.unfinished).or(text.first());
        let limit = self.max_body + if first == Some(&b'@') { self.max_tags } else { 0 };
        let room = limit.saturating_sub(held);
        self.buffer.extend_from_slice(text.get(..room).unwrap_or(text));
    }

    /// What a finished line is; nothing if it is empty.
    fn judge(&self, line: &[u8]) -> Option<Result<String, LineError>> {
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut body = line.len();
        if line.first() == Some(&b'@') {
            let in_limit = line.get(..self.max_tags).unwrap_or(line);
            match in_limit.iter().position(|byte| *byte == b' ') {
                Some(space) => body -= space + 1,
                None if line.len() >= self.max_tags => return Some(Err(LineError::TagsTooLong)),
                None => body = 0,
            }
        }
        if body > self.max_body - 2 {
            return Some(Err(LineError::TooLong));
        }
        while let Some(shorter) = line.strip_suffix(b"\r") {
            line = shorter;
        }
        if line.is_empty() {
            return None;
        }
        if line.contains(&b'\0') {
            return Some(Err(LineError::Nul));
        }
        if line.contains(&b'\r') {
            return Some(Err(LineError::BareCr));
        }
        Some(str::from_utf8(line).map(str::to_owned).map_err(|_| LineError::InvalidUtf8))
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the line is too long",
            Self::TagsTooLong => "the tags are too long",
            Self::InvalidUtf8 => "the line is not UTF-8",
            Self::Nul => "the line holds a NUL",
            Self::BareCr => "the line holds a CR that does not end it",
        })
    }
}

impl std::error::Error for LineError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_line_that_is_not_utf_8_the_beginning_can_be_read() {
        let mut reader = LineReader::for_client_lines();
        reader.feed(b"@label=x PRIVMSG a :caf\xe9\r\n\xff\r\n");
        assert_eq!(reader.next_line(), Some(Err(LineError::InvalidUtf8)));
        assert_eq!(reader.legible(), "@label=x PRIVMSG a :caf");
        assert_eq!(reader.next_line(), Some(Err(LineError::InvalidUtf8)));
        assert_eq!(reader.legible(), "");
    }

    fn lines(reader: &mut LineReader) -> Vec<Result<String, LineError>> {
        std::iter::from_fn(|| reader.next_line()).collect()
    }

    fn read(bytes: &[u8]) -> Vec<Result<String, LineError>> {
        let mut reader = LineReader::for_client_lines();
        reader.feed(bytes);
        lines(&mut reader)
    }

    #[test]
    fn lines_end_with_cr_lf_or_lf_and_empty_ones_are_skipped() {
        let wanted: Vec<_> = ["A", "B", "C"].map(|line| Ok(line.to_owned())).into();
        assert_eq!(read(b"A\r\nB\n\r\n\n\r\r\nC\r\r\nunfinished"), wanted);
    }

    #[test]
    fn the_limits_are_exact() {
        let tags = |length: usize| format!("@{} ", "t".repeat(length - 2));
        let body = |length: usize| "b".repeat(length);
        let (max_tags, max_body) = (MAX_CLIENT_TAGS, MAX_BODY - 2);
        let cases = [
            (String::new(), body(max_body), None),
            (String::new(), body(max_body + 1), Some(LineError::TooLong)),
            (tags(max_tags), body(max_body), None),
            (tags(max_tags), body(max_body + 1), Some(LineError::TooLong)),
            (tags(max_tags + 1), body(1), Some(LineError::TagsTooLong)),
            (tags(10), body(max_body + 1), Some(LineError::TooLong)),
        ];
        for (tags, body, error) in cases {
            let line = tags + &body;
            let wanted = error.map_or(Ok(line.clone()), Err);
            for end in ["\r\n", "\n"] {
                assert_eq!(
                    read(format!("{line}{end}NEXT\r\n").as_bytes()),
                    [wanted.clone(), Ok("NEXT".into())]
                );
            }
        }
    }

    #[test]
    fn a_line_without_end_is_never_kept_whole_and_reported_once() {
        for (first, limit, error) in
            [(b'x', MAX_BODY, LineError::TooLong), (b'@', MAX_BODY + MAX_CLIENT_TAGS, LineError::TagsTooLong)]
        {
            let mut reader = LineReader::for_client_lines();
            reader.feed(&[first]);
            for _ in 0..1000 {
                reader.feed(&[b'x'; 1000]);
                assert!(!reader.has_line());
                assert_eq!(reader.next_line(), None);
                assert!(reader.buffered() <= limit);
            }
            reader.feed(b"\r\nPING a\r\n");
            assert!(reader.has_line());
            assert_eq!(lines(&mut reader), [Err(error), Ok("PING a".into())]);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn what_is_no_text_is_refused_and_the_next_line_is_read() {
        let all = read(b"a\0b\nc\rd\n\xff\xfe\nPING \xc3\xa9\n");
        assert_eq!(
            all,
            [Err(LineError::Nul), Err(LineError::BareCr), Err(LineError::InvalidUtf8), Ok("PING é".into())]
        );
    }

    #[test]
    fn memory_comes_back_when_nothing_is_held() {
        let mut reader = LineReader::for_client_lines();
        reader.feed(b"PING a\r\nhalf");
        reader.release();
        assert_eq!(lines(&mut reader), [Ok("PING a".into())]);
        assert!(!reader.is_empty());
        reader.feed(b" done\n");
        assert_eq!(lines(&mut reader), [Ok("half done".into())]);
        assert!(reader.is_empty() && reader.buffer.capacity() > 0);
        reader.release();
        assert_eq!(reader.buffer.capacity(), 0);
        reader.feed(b"again\n");
        assert_eq!(lines(&mut reader), [Ok("again".into())]);
    }

    #[test]
    fn feeding_while_lines_wait_loses_nothing() {
        let mut reader = LineReader::for_client_lines();
        let mut taken = Vec::new();
        for number in 0..1000 {
            reader.feed(format!("A {number}\nB {number}\n").as_bytes());
            taken.extend(reader.next_line());
        }
        taken.extend(lines(&mut reader));
        let wanted: Vec<_> = (0..1000).flat_map(|n| [Ok(format!("A {n}")), Ok(format!("B {n}"))]).collect();
        assert_eq!(taken, wanted);
    }
}
