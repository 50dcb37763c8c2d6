//! One line to send.

use std::fmt::{self, Display, Write};

use crate::numeric::Numeric;
use crate::tag::{escape_value, is_valid_key};
use crate::text::truncate_utf8;

/// Builds one line: whatever it is given, the result holds no CR, LF or NUL and parses back to as many parts.
///
/// The parts may be given in any order, except that parameters stand as they come. [`Line::build`] joins them.
///
/// ```
/// use stentor_proto::Line;
///
/// let line = Line::new("PRIVMSG").source("ada!a@host").param("#room").trailing("good morning");
/// assert_eq!(line.build(), ":ada!a@host PRIVMSG #room :good morning");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Line {
    tags: String,
    source: String,
    /// The command and the middle parameters.
    body: String,
    trailing: Option<String>,
}

impl Line {
    /// A line with this command, a word or a [`Numeric`]. It is made safe as [`Line::param`] does; a leading `@`
    /// becomes `_` too.
    pub fn new(command: impl Display) -> Self {
        let mut body = String::with_capacity(64);
        push_middle(&mut body, command, "@:");
        Self { tags: String::new(), source: String::new(), body, trailing: None }
    }

    /// A numbered reply of `server` to `target`, which is a nick, or `*` before there is one.
    pub fn numeric(server: impl Display, numeric: Numeric, target: impl Display) -> Self {
        Self::new(numeric).source(server).param(target)
    }

    /// Whom the line comes from: a server's name or `nick!user@host`. Spaces, CR, LF and NUL become `_`; an empty
    /// source is none.
    pub fn source(mut self, source: impl Display) -> Self {
        self.source.clear();
        write_to(&mut self.source, source);
        replace_from(&mut self.source, 0, UNSAFE_IN_MIDDLE, '_');
        self
    }

    /// A tag. Its value is escaped; an empty value is written as none. A key that is not legal drops the tag.
    ///
    /// Keys are not compared: of two equal ones a reader takes the last.
    pub fn tag(mut self, key: &str, value: impl Display) -> Self {
        if !is_valid_key(key) {
            return self;
        }
        if !self.tags.is_empty() {
            self.tags.push(';');
        }
        self.tags.push_str(key);
        let value = value.to_string();
        if !value.is_empty() {
            self.tags.push('=');
            self.tags.push_str(&escape_value(&value));
        }
        self
    }

    /// Tags that are written already, as [`crate::Tags::raw`] gives them. Spaces, CR, LF and NUL are dropped.
    pub fn raw_tags(mut self, raw: &str) -> Self {
        if raw.is_empty() {
            return self;
        }
        if !self.tags.is_empty() {
            self.tags.push(';');
        }
        self.tags.extend(raw.chars().filter(|character| !UNSAFE_IN_MIDDLE.contains(character)));
        self
    }

    /// A middle parameter: one word.
    ///
    /// What cannot be one is made so: each space, CR, LF or NUL becomes `_`, a leading `:` becomes `_`, and an empty
    /// value becomes `*`. Text that may hold any of these belongs in [`Line::trailing`].
    pub fn param(mut self, param: impl Display) -> Self {
        self.body.push(' ');
        push_middle(&mut self.body, param, ":");
        self
    }

    /// The last parameter, which may be empty and hold spaces. Each CR, LF or NUL becomes a space. Given twice, the
    /// last one counts.
    pub fn trailing(mut self, text: impl Display) -> Self {
        let mut trailing = text.to_string();
        replace_from(&mut trailing, 0, UNSAFE_ANYWHERE, ' ');
        self.trailing = Some(trailing);
        self
    }

    /// How many bytes the line takes without its tags and without CR LF.
    #[must_use]
    pub fn body_len(&self) -> usize {
        let source = if self.source.is_empty() { 0 } else { self.source.len() + 2 };
        source + self.body.len() + self.trailing.as_ref().map_or(0, |text| text.len() + 2)
    }

    /// The line, without CR LF. It may be longer than a client reads: see [`Line::build_within`].
    #[must_use]
    pub fn build(&self) -> String {
        let tags = if self.tags.is_empty() { 0 } else { self.tags.len() + 2 };
        let mut out = String::with_capacity(tags + self.body_len() + 2);
        if !self.tags.is_empty() {
            out.push('@');
            out.push_str(&self.tags);
            out.push(' ');
        }
        if !self.source.is_empty() {
            out.push(':');
            out.push_str(&self.source);
            out.push(' ');
        }
        out.push_str(&self.body);
        if let Some(text) = &self.trailing {
            out.push_str(" :");
            out.push_str(text);
        }
        out
    }

    /// The line, with its trailing text cut, between characters, so that all but the tags takes at most `max` bytes
    /// without CR LF. Nothing else is cut: a line with longer other parts stays longer, without its text.
    #[must_use]
    pub fn build_within(mut self, max: usize) -> String {
        let over = self.body_len().saturating_sub(max);
        if let Some(text) = self.trailing.as_mut() {
            let keep = truncate_utf8(text, text.len().saturating_sub(over)).len();
            text.truncate(keep);
        }
        self.build()
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.build()
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.build())
    }
}

const UNSAFE_ANYWHERE: &[char] = &['\r', '\n', '\0'];
const UNSAFE_IN_MIDDLE: &[char] = &[' ', '\r', '\n', '\0'];

/// Appends `value` as one word that does not begin with any of `not_first`.
fn push_middle(out: &mut String, value: impl Display, not_first: &str) {
    let start = out.len();
    write_to(out, value);
    replace_from(out, start, UNSAFE_IN_MIDDLE, '_');
    match out.get(start..).and_then(|word| word.chars().next()) {
        None => out.push('*'),
        Some(first) if not_first.contains(first) => {
            out.replace_range(start..start + first.len_utf8(), "_");
        }
        Some(_) => {}
    }
}

fn write_to(out: &mut String, value: impl Display) {
    write!(out, "{value}").expect("a String takes all that is written to it");
}

/// Replaces each of `bad`, which are one byte each, in `out` from `start` on.
fn replace_from(out: &mut String, start: usize, bad: &[char], good: char) {
    if out.get(start..).is_some_and(|tail| tail.contains(bad)) {
        let tail = out.split_off(start);
        out.extend(tail.chars().map(|character| if bad.contains(&character) { good } else { character }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_it_is_given_makes_a_second_line() {
        let evil = "x\r\nQUIT :\0bye";
        let built = Line::new(evil)
            .source(evil)
            .tag("k", evil)
            .tag("bad key", "1")
            .raw_tags(evil)
            .param(evil)
            .trailing(evil);
        assert_eq!(
            built.build(),
            "@k=x\\r\\nQUIT\\s:bye;xQUIT:bye :x__QUIT_:_bye x__QUIT_:_bye x__QUIT_:_bye :x  QUIT : bye"
        );
    }

    #[test]
    fn what_is_no_middle_parameter_becomes_one() {
        let line = Line::new("").param("").param(":").param(":a").param("a:b").param("  ");
        assert_eq!(line.build(), "* * _ _a a:b __");
        assert_eq!(Line::new("@a").source("").build(), "_a");
        assert_eq!(Line::new(":a").source("").build(), "_a");
    }

    #[test]
    fn numerics_have_three_digits() {
        let line = Line::numeric("irc.example", Numeric::RPL_WELCOME, "ada").trailing("Welcome");
        assert_eq!(line.build(), ":irc.example 001 ada :Welcome");
    }

    #[test]
    fn only_the_trailing_text_is_cut_and_never_within_a_character() {
        let line = Line::new("NOTICE").source("s").tag("a", "b").param("x").trailing("añb");
        assert_eq!(line.body_len(), ":s NOTICE x :añb".len());
        assert_eq!(line.clone().build_within(17), "@a=b :s NOTICE x :añb");
        assert_eq!(line.clone().build_within(16), "@a=b :s NOTICE x :añ");
        assert_eq!(line.clone().build_within(15), "@a=b :s NOTICE x :a");
        assert_eq!(line.clone().build_within(14), "@a=b :s NOTICE x :a");
        assert_eq!(line.build_within(0), "@a=b :s NOTICE x :");
        assert_eq!(Line::new("NOTICE").param("x").build_within(3), "NOTICE x");
    }

    #[test]
    fn the_last_trailing_text_counts() {
        assert_eq!(Line::new("A").trailing("1").param("2").trailing("3").build(), "A 2 :3");
    }
}
