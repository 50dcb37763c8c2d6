//! What a log holds, and its readable text form.
//!
//! An entry's text is one item a line, so that `redis-cli` and SQL show it as it is:
//!
//! ```text
//! =topic Hello            a field is set        -topic        a field is deleted
//! +id value               a member is set       ~id           a member is deleted
//! :nick!user@host …       a line for clients (with tags it begins with @)
//! ```
//!
//! In values, backslash, CR, LF and NUL are written `\\`, `\r`, `\n` and `\0`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Change;

/// A place in a partition's log: milliseconds of the store's time, and a counter within one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// Milliseconds since the Unix epoch.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

/// Which life of a partition: random, new whenever it is created anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// One incarnation of a node: its name, and a number that is new at every start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Writer(Arc<str>);

/// Who wrote an entry, under which number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct By {
    /// Who.
    pub writer: Writer,
    /// The writer's number for this commit; from one counter, rising.
    pub number: u64,
}

/// What names an entry for good: a log that was rewritten may hold another one under the same id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Where it stands.
    pub id: EntryId,
    /// Who wrote it.
    pub by: By,
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the log; its milliseconds are the time that clients see.
    pub id: EntryId,
    /// Which life of the partition it belongs to.
    pub epoch: Epoch,
    /// Who wrote it.
    pub by: By,
    /// The entry before it; `None` for the first of an epoch.
    pub previous: Option<Link>,
    /// Whether the partition ended with this entry.
    pub ends: bool,
    /// What it changed and what clients see.
    pub body: Body,
}

/// What an entry changed, and what clients see of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Body {
    /// Changes to fields that are not private, and to members.
    pub changes: Vec<Change>,
    /// Whole IRC lines without their line ends.
    pub lines: Vec<String>,
}

/// A text that should have been one of ours and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl Entry {
    /// What the next entry will call this one.
    #[must_use]
    pub fn link(&self) -> Link {
        Link { id: self.id, by: self.by.clone() }
    }
}

impl Body {
    /// The body of a commit: its changes without the private ones, and its lines.
    #[must_use]
    pub fn of(changes: &[Change], lines: &[String]) -> Self {
        Self {
            changes: changes.iter().filter(|change| !change.is_private()).cloned().collect(),
            lines: lines.to_vec(),
        }
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        super::commit::size_of(&self.changes, &self.lines)
    }

    /// The text form, without a line end after the last item.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(128);
        for change in &self.changes {
            push_change(&mut text, change);
        }
        for line in &self.lines {
            push_escaped(&mut text, line);
            text.push('\n');
        }
        text.pop();
        text
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`Malformed`] where an item is none of the known ones.
    pub fn from_text(text: &str) -> Result<Self, Malformed> {
        let mut body = Self::default();
        for item in text.split('\n').filter(|item| !item.is_empty()) {
            let rest = item.get(1..).ok_or(Malformed("an item begins with no known sign"))?;
            match item.as_bytes().first() {
                Some(b'=') => body.changes.push(pair(rest, Change::Set)?),
                Some(b'-') => body.changes.push(Change::Unset(rest.to_owned())),
                Some(b'+') => body.changes.push(pair(rest, Change::SetMember)?),
                Some(b'~') => body.changes.push(Change::UnsetMember(rest.to_owned())),
                Some(b':' | b'@') => body.lines.push(unescape(item)?),
                _ => return Err(Malformed("an item begins with no known sign")),
            }
        }
        Ok(body)
    }
}

fn push_change(text: &mut String, change: &Change) {
    let (sign, name, value) = match change {
        Change::Set(name, value) => ('=', name, Some(value)),
        Change::Unset(name) => ('-', name, None),
        Change::SetMember(name, value) => ('+', name, Some(value)),
        Change::UnsetMember(name) => ('~', name, None),
        Change::Erase(_) => return,
    };
    text.push(sign);
    text.push_str(name);
    if let Some(value) = value {
        text.push(' ');
        push_escaped(text, value);
    }
    text.push('\n');
}

fn pair(rest: &str, build: fn(String, String) -> Change) -> Result<Change, Malformed> {
    let (name, value) = rest.split_once(' ').ok_or(Malformed("a change has no value"))?;
    Ok(build(name.to_owned(), unescape(value)?))
}

fn push_escaped(text: &mut String, value: &str) {
    if !value.contains(['\\', '\n', '\r', '\0']) {
        text.push_str(value);
        return;
    }
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            other => text.push(other),
        }
    }
}

fn unescape(value: &str) -> Result<String, Malformed> {
    if !value.contains('\\') {
        return Ok(value.to_owned());
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('0') => '\0',
                _ => return Err(Malformed("an escape is not known")),
            },
            other => other,
        });
    }
    Ok(text)
}

impl Epoch {
    /// A new epoch.
    #[must_use]
    pub fn random() -> Self {
        Self(crate::random::number())
    }
}

impl Writer {
    /// One incarnation of the node `name`.
    #[must_use]
    pub fn new(name: &str, incarnation: u64) -> Self {
        Self(format!("{name}@{incarnation:x}").into())
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(node, _)| node)
    }

    /// `node@incarnation`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Writer {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (node, incarnation) = text.rsplit_once('@').ok_or(Malformed("a writer has no incarnation"))?;
        let legal = !node.is_empty()
            && !node.contains([' ', '#', '\n'])
            && u64::from_str_radix(incarnation, 16).is_ok();
        if legal { Ok(Self(text.into())) } else { Err(Malformed("a writer is not node@incarnation")) }
    }
}

/// `node@incarnation#number`.
impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.writer, self.number)
    }
}

impl FromStr for By {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (writer, number) = text.rsplit_once('#').ok_or(Malformed("an author has no number"))?;
        let number = number.parse().map_err(|_| Malformed("an author's number is not a number"))?;
        Ok(Self { writer: writer.parse()?, number })
    }
}

/// `<milliseconds>-<n>`, as Redis streams write it.
impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = Malformed("an id is not <milliseconds>-<n>");
        let (ms, seq) = text.split_once('-').ok_or(wrong.clone())?;
        Ok(Self { ms: ms.parse().map_err(|_| wrong.clone())?, seq: seq.parse().map_err(|_| wrong)? })
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() != 16 {
            return Err(Malformed("an epoch is not sixteen digits"));
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| Malformed("an epoch is not hexadecimal"))
    }
}

/// `<id>/<author>`.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.by)
    }
}

impl FromStr for Link {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (id, by) = text.split_once('/').ok_or(Malformed("a link has no author"))?;
        Ok(Self { id: id.parse()?, by: by.parse()? })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reads_back_from_its_text() {
        let body = Body {
            changes: vec![
                Change::Set("topic".into(), "two\r\nlines \\ and \0".into()),
                Change::Unset("key".into()),
                Change::SetMember("7f".into(), "a b c".into()),
                Change::UnsetMember("80".into()),
            ],
            lines: vec![":a!u@h TOPIC #x :one\\two".into(), "@account=a :a!u@h PRIVMSG #x :hi".into()],
        };
        assert_eq!(Body::from_text(&body.to_text()), Ok(body));
        assert_eq!(Body::from_text(""), Ok(Body::default()));
    }

    #[test]
    fn what_is_no_body_is_refused() {
        for text in ["topic x", "=topic", ":x \\q", "\u{e9}"] {
            assert!(Body::from_text(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn links_read_back_from_their_text() {
        let link = Link {
            id: EntryId { ms: 17, seq: 3 },
            by: By { writer: Writer::new("host:6697", 0xbeef), number: 9 },
        };
        assert_eq!(link.to_string(), "17-3/host:6697@beef#9");
        assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn private_changes_stay_out_of_bodies() {
        let changes = [Change::Set("~hash".into(), "secret".into()), Change::Set("name".into(), "a".into())];
        assert_eq!(Body::of(&changes, &[]).to_text(), "=name a");
    }
}
