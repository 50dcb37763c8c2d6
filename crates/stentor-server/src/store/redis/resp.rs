//! RESP3, the protocol of Redis: commands as bytes, replies as values.

use bytes::{Buf, Bytes, BytesMut};

/// What the server sent. Kinds that mean the same to us are one: maps and sets are arrays, numbers that are no integers
/// are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing.
    Nil,
    /// A number; true is 1 and false 0.
    Int(i64),
    /// Bytes that should be text.
    Text(Bytes),
    /// Several values; of a map, keys and values by turns.
    Array(Vec<Self>),
    /// Several values that are no reply.
    Push(Vec<Self>),
    /// The server's complaint; its first word is a code.
    Error(String),
}

impl Value {
    /// The text, where it is valid UTF-8; a number is its digits.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Int(n) => Some(n.to_string()),
            _ => None,
        }
    }

    /// The values of an array.
    pub(super) fn items(self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

/// Bytes that are no RESP3, or more of it than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) &'static str);

/// Makes values of bytes as they arrive. It remembers where it stopped, so a long reply is not read twice.
#[derive(Debug)]
pub(super) struct Decoder {
    open: Vec<Open>,
    size: usize,
    limit: usize,
}

/// An array whose items are still arriving.
#[derive(Debug)]
struct Open {
    kind: u8,
    missing: usize,
    items: Vec<Value>,
}

impl Decoder {
    /// A decoder that takes at most `limit` bytes for one value.
    pub(super) fn new(limit: usize) -> Self {
        Self { open: Vec::new(), size: 0, limit }
    }

    /// Takes the next value from the front of `buffer`; `None` where more bytes are needed.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>, Damaged> {
        loop {
            let before = buffer.len();
            let token = take_token(buffer, self.limit.saturating_sub(self.size))?;
            self.size += before - buffer.len();
            let value = match token {
                Token::Incomplete => return Ok(None),
                Token::Scalar(value) => self.finish(value),
                Token::Items(b'|', 0) => None,
                Token::Items(kind, 0) => self.finish(close(kind, Vec::new())),
                Token::Items(kind, missing) => {
                    self.begin(kind, missing)?;
                    None
                }
            };
            if let Some(value) = value {
                self.size = 0;
                return Ok(Some(value));
            }
        }
    }

    fn begin(&mut self, kind: u8, missing: usize) -> Result<(), Damaged> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Damaged("arrays are nested too deeply"));
        }
        // The count is only a claim until the items have come.
        self.open.push(Open { kind, missing, items: Vec::with_capacity(missing.min(64)) });
        Ok(())
    }

    /// Puts a value into the innermost open array, and closes those that it completes.
    fn finish(&mut self, mut value: Value) -> Option<Value> {
        while let Some(mut open) = self.open.pop() {
            open.items.push(value);
            open.missing -= 1;
            if open.missing > 0 {
                self.open.push(open);
                return None;
            }
            if open.kind == b'|' {
                // Attributes say something about the value that follows; nobody here asks for any.
                return None;
            }
            value = close(open.kind, open.items);
        }
        Some(value)
    }
}

/// Appends a command's header: how many parts follow.
pub(super) fn push_header(out: &mut BytesMut, parts: usize) {
    push_length(out, b'*', parts);
}

/// Appends one part of a command.
pub(super) fn push_part(out: &mut BytesMut, part: &[u8]) {
    push_length(out, b'$', part.len());
    out.extend_from_slice(part);
    out.extend_from_slice(b"\r\n");
}

/// A whole command.
pub(super) fn command(parts: &[&str]) -> BytesMut {
    let mut out = BytesMut::with_capacity(64);
    push_header(&mut out, parts.len());
    for part in parts {
        push_part(&mut out, part.as_bytes());
    }
    out
}

enum Token {
    Incomplete,
    Scalar(Value),
    Items(u8, usize),
}

/// Takes one scalar, or the head of an array, if it is there as a whole; at most `limit` bytes.
fn take_token(buffer: &mut BytesMut, limit: usize) -> Result<Token, Damaged> {
    let Some(end) = line_end(buffer)? else { return Ok(Token::Incomplete) };
    let line = buffer.get(1..end).unwrap_or_default();
    let kind = buffer.first().copied().unwrap_or_default();
    let token = match kind {
        b'$' | b'=' | b'!' => {
            let Some(length) = count(line)? else { return Ok(skip(buffer, end, Value::Nil)) };
            return take_blob(buffer, kind, end, length, limit);
        }
        b'*' | b'~' | b'>' => match count(line)? {
            Some(length) => Token::Items(kind, length),
            None => Token::Scalar(Value::Nil),
        },
        b'%' | b'|' => match count(line)? {
            Some(pairs) => Token::Items(kind, pairs.checked_mul(2).ok_or(TOO_LONG)?),
            None => Token::Scalar(Value::Nil),
        },
        b':' => Token::Scalar(Value::Int(number(line)?)),
        b'#' => Token::Scalar(Value::Int(i64::from(line == b"t"))),
        b'_' => Token::Scalar(Value::Nil),
        b'-' => Token::Scalar(Value::Error(lossy(line))),
        b'+' | b',' | b'(' => Token::Scalar(Value::Text(Bytes::copy_from_slice(line))),
        _ => return Err(Damaged("a value of no known kind")),
    };
    if end + 2 > limit {
        return Err(TOO_LONG);
    }
    buffer.advance(end + 2);
    Ok(token)
}

/// Takes a text whose length was announced in the line that ends at `end`.
fn take_blob(
    buffer: &mut BytesMut,
    kind: u8,
    end: usize,
    length: usize,
    limit: usize,
) -> Result<Token, Damaged> {
    let start = end + 2;
    let whole = start.checked_add(length).and_then(|n| n.checked_add(2)).ok_or(TOO_LONG)?;
    if whole > limit {
        return Err(TOO_LONG);
    }
    if buffer.len() < whole {
        buffer.reserve(whole - buffer.len());
        return Ok(Token::Incomplete);
    }
    buffer.advance(start);
    let text = buffer.split_to(length).freeze();
    if !buffer.starts_with(b"\r\n") {
        return Err(Damaged("a text is longer than announced"));
    }
    buffer.advance(2);
    Ok(Token::Scalar(match kind {
        b'!' => Value::Error(lossy(&text)),
        // The first four bytes name the format of a verbatim text.
        b'=' => Value::Text(text.slice(text.len().min(4)..)),
        _ => Value::Text(text),
    }))
}

fn skip(buffer: &mut BytesMut, end: usize, value: Value) -> Token {
    buffer.advance(end + 2);
    Token::Scalar(value)
}

/// Where the first line's CR stands.
fn line_end(buffer: &[u8]) -> Result<Option<usize>, Damaged> {
    match buffer.iter().take(MAX_LINE).position(|byte| *byte == b'\n') {
        Some(at) if at >= 2 && buffer.get(at - 1) == Some(&b'\r') => Ok(Some(at - 1)),
        Some(_) => Err(Damaged("a line has no proper end")),
        None if buffer.len() >= MAX_LINE => Err(Damaged("a line is too long")),
        None => Ok(None),
    }
}

/// A length; `None` stands for a missing value.
fn count(line: &[u8]) -> Result<Option<usize>, Damaged> {
    match number(line)? {
        -1 => Ok(None),
        n => usize::try_from(n).map(Some).map_err(|_| Damaged("a length is negative")),
    }
}

fn number(line: &[u8]) -> Result<i64, Damaged> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Damaged("a number has other signs"))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn close(kind: u8, items: Vec<Value>) -> Value {
    if kind == b'>' { Value::Push(items) } else { Value::Array(items) }
}

fn push_length(out: &mut BytesMut, kind: u8, length: usize) {
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(length.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Longer than any line that is no text with an announced length.
const MAX_LINE: usize = 64 * 1024;
const MAX_DEPTH: usize = 16;
const TOO_LONG: Damaged = Damaged("a reply is too long");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_in_pieces(bytes: &[u8], piece: usize) -> Result<Vec<Value>, Damaged> {
        let mut decoder = Decoder::new(1 << 20);
        let mut buffer = BytesMut::new();
        let mut values = Vec::new();
        for chunk in bytes.chunks(piece.max(1)) {
            buffer.extend_from_slice(chunk);
            while let Some(value) = decoder.next(&mut buffer)? {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn text(s: &str) -> Value {
        Value::Text(Bytes::copy_from_slice(s.as_bytes()))
    }

    #[test]
    fn every_kind_of_value_is_read_however_it_is_cut() {
        let bytes = b"+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n=7\r\ntxt:abc\r\n\
            *2\r\n:1\r\n*1\r\n$0\r\n\r\n*0\r\n%1\r\n+k\r\n:2\r\n|1\r\n+a\r\n:0\r\n+after\r\n>2\r\n+smessage\r\n:1\r\n";
        let expected = vec![
            text("OK"),
            Value::Error("ERR no".into()),
            Value::Int(-7),
            text("a\r\n"),
            Value::Nil,
            Value::Nil,
            Value::Nil,
            Value::Int(1),
            text("1.5"),
            text("abc"),
            Value::Array(vec![Value::Int(1), Value::Array(vec![text("")])]),
            Value::Array(vec![]),
            Value::Array(vec![text("k"), Value::Int(2)]),
            text("after"),
            Value::Push(vec![text("smessage"), Value::Int(1)]),
        ];
        let bytes = bytes.as_slice();
        // "a\r\n" is three bytes long, so its own line end comes on top.
        for piece in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(decode_in_pieces(bytes, piece), Ok(expected.clone()), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_reply_past_the_limit_is_refused_before_it_is_stored() {
        for bytes in
            [&b"$999999999\r\n"[..], b"*2\r\n$40\r\n0123456789012345678901234567890123456789\r\n$40\r\n"]
        {
            let mut decoder = Decoder::new(64);
            assert_eq!(decoder.next(&mut BytesMut::from(bytes)), Err(TOO_LONG));
        }
        let nested = b"*1\r\n".repeat(MAX_DEPTH + 1);
        assert!(Decoder::new(1 << 20).next(&mut BytesMut::from(&nested[..])).is_err());
    }

    #[test]
    fn a_command_is_what_the_server_would_send_back() {
        let bytes = command(&["SET", "k", "v\r\n"]);
        let array = Value::Array(vec![text("SET"), text("k"), text("v\r\n")]);
        assert_eq!(decode_in_pieces(&bytes, 1), Ok(vec![array]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'*'), Just(b'$'), Just(b'1'), Just(b'-'), any::<u8>()], 0..200,
        ), piece in 1usize..20) {
            let _ = decode_in_pieces(&bytes, piece);
        }
    }
}
