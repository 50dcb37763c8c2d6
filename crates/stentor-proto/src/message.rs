//! One received line, taken apart without copying.

use std::fmt;

use crate::tag::Tags;

/// A line as it was received: `[@tags] [:source] command [params] [:trailing]`.
///
/// It borrows from the line. Up to [`INLINE_PARAMS`] parameters cost no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The tags, still encoded.
    pub tags: Tags<'a>,
    /// Whom the line says that it comes from, without the colon. A server ignores what a client puts here.
    pub source: Option<&'a str>,
    /// The command or numeric, as written: compare it with [`str::eq_ignore_ascii_case`]. Never empty,
    /// and it begins with neither `@` nor `:`.
    pub command: &'a str,
    params: Params<'a>,
}

/// Why a line is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// There is nothing in it but spaces. Such a line is ignored, not answered.
    Empty,
    /// There are tags or a source, and no command after them: what follows is nothing, or begins like another source
    /// or other tags.
    NoCommand,
    /// It holds a CR, LF or NUL, so it is not one line.
    ForbiddenByte,
}

impl<'a> Message<'a> {
    /// Takes apart one line, given without its CR LF.
    ///
    /// Runs of spaces separate like one. A last parameter that was empty or held spaces is as plain as any other
    /// afterwards. There is no limit to the number of parameters besides the line's length.
    ///
    /// # Errors
    /// See [`ParseError`]. A strange command or a strange tag is no error here.
    pub fn parse(line: &'a str) -> Result<Self, ParseError> {
        if line.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
            return Err(ParseError::ForbiddenByte);
        }
        let mut rest = line.trim_start_matches(' ');
        if rest.is_empty() {
            return Err(ParseError::Empty);
        }
        let mut tags = Tags::default();
        if let Some(after) = rest.strip_prefix('@') {
            let (raw, next) = split_word(after);
            tags = Tags::new(raw);
            rest = next;
        }
        let mut source = None;
        if let Some(after) = rest.strip_prefix(':') {
            let (word, next) = split_word(after);
            source = Some(word);
            rest = next;
        }
        let (command, rest) = split_word(rest);
        if command.is_empty() || command.starts_with(['@', ':']) {
            return Err(ParseError::NoCommand);
        }
        Ok(Self { tags, source, command, params: Params::parse(rest) })
    }

    /// All parameters, in order.
    #[must_use]
    pub fn params(&self) -> &[&'a str] {
        self.params.as_slice()
    }

    /// The parameter at `index`, from 0; nothing where the line has fewer. An empty trailing parameter is present.
    #[must_use]
    pub fn param(&self, index: usize) -> Option<&'a str> {
        self.params().get(index).copied()
    }

    /// Whether the last parameter was written behind a colon. It is as plain as any other to most commands; where words
    /// may be keywords, it is a text.
    #[must_use]
    pub fn has_trailing(&self) -> bool {
        self.params.trailing
    }

    /// The parameter at `index` unless it is missing or empty.
    #[must_use]
    pub fn nonempty(&self, index: usize) -> Option<&'a str> {
        self.param(index).filter(|param| !param.is_empty())
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the line is empty",
            Self::NoCommand => "the line has no command",
            Self::ForbiddenByte => "the line holds a CR, LF or NUL",
        })
    }
}

impl std::error::Error for ParseError {}

/// How many parameters a message holds without an allocation: as many as RFC 1459 allows.
pub const INLINE_PARAMS: usize = 15;

#[derive(Clone, Debug, Default)]
struct Params<'a> {
    inline: [&'a str; INLINE_PARAMS],
    inline_len: usize,
    /// All of them, once there are more than fit inline.
    heap: Vec<&'a str>,
    /// Whether the last one was written behind a colon.
    trailing: bool,
}

impl<'a> Params<'a> {
    fn parse(mut rest: &'a str) -> Self {
        let mut params = Self::default();
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':') {
                params.push(trailing);
                params.trailing = true;
                break;
            }
            let (word, next) = split_word(rest);
            params.push(word);
            rest = next;
        }
        params
    }

    fn push(&mut self, param: &'a str) {
        if let Some(slot) = self.inline.get_mut(self.inline_len) {
            *slot = param;
            self.inline_len += 1;
            return;
        }
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.inline);
        }
        self.heap.push(param);
    }

    fn as_slice(&self) -> &[&'a str] {
        if self.heap.is_empty() { self.inline.get(..self.inline_len).unwrap_or_default() } else { &self.heap }
    }
}

impl PartialEq for Params<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Params<'_> {}

/// The text up to the first space, and what follows that run of spaces.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(' ') {
        Some((word, rest)) => (word, rest.trim_start_matches(' ')),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_command_is_refused() {
        assert_eq!(Message::parse(""), Err(ParseError::Empty));
        assert_eq!(Message::parse("   "), Err(ParseError::Empty));
        for line in ["@a", "@a ", ":ann", ":ann ", "@a :ann", "@", ":", ":ann :text", "@a @b", ":ann @b cmd"]
        {
            assert_eq!(Message::parse(line), Err(ParseError::NoCommand), "{line:?}");
        }
    }

    #[test]
    fn bytes_that_end_lines_are_refused_anywhere() {
        for line in ["PING\r", "PING :a\nQUIT", "@a=\0 PING", ":a\rb PING"] {
            assert_eq!(Message::parse(line), Err(ParseError::ForbiddenByte), "{line:?}");
        }
    }

    #[test]
    fn more_parameters_than_fit_inline_are_all_kept() {
        for count in [INLINE_PARAMS - 1, INLINE_PARAMS, INLINE_PARAMS + 1, 100] {
            let params: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            let line = format!("CMD {}", params.join(" "));
            let message = Message::parse(&line).expect("it has a command");
            assert_eq!(message.params(), params);
            let with_trailing = format!("{line} :a b");
            let message = Message::parse(&with_trailing).expect("it has a command");
            assert_eq!(message.params().len(), count + 1);
            assert_eq!(message.param(count), Some("a b"));
        }
    }

    #[test]
    fn an_empty_parameter_is_present_but_not_nonempty() {
        let message = Message::parse("TOPIC #room :").expect("it has a command");
        assert_eq!(message.param(1), Some(""));
        assert_eq!(message.nonempty(1), None);
        assert_eq!(message.nonempty(0), Some("#room"));
        assert_eq!(message.param(2), None);
    }
}
