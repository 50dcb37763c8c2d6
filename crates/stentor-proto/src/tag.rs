//! The tags of a line (IRCv3 `message-tags`), decoded on demand.

use std::borrow::Cow;
use std::collections::HashMap;

/// The tags of one line, borrowed from it and still encoded.
///
/// A key that is given twice counts as given the last time. A tag whose key is not legal is as if it were absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    raw: &'a str,
}

/// The tags in the order written, each key once. Made by [`Tags::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a str,
    /// Where each key comes last, counted from the end in bytes; empty when there are so few tags that looking ahead
    /// is cheaper.
    last: HashMap<&'a str, usize>,
}

impl<'a> Tags<'a> {
    /// The tags in `raw`, which is what stands between the `@` and the first space.
    #[must_use]
    pub fn new(raw: &'a str) -> Self {
        Self { raw }
    }

    /// The tags as they were written, without the `@`.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether the line had no tags at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Keys and decoded values, in the order written. A missing value and an empty one are both `""`.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        let mut last = HashMap::new();
        if self.raw.bytes().filter(|byte| *byte == b';').count() >= LOOK_AHEAD {
            let mut rest = self.raw;
            while let Some((key, _, after)) = next_tag(rest) {
                last.insert(key, after.len());
                rest = after;
            }
        }
        Iter { rest: self.raw, last }
    }

    /// The decoded value of `key`; `""` where the tag is present without one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.raw;
        let mut found = None;
        while let Some((name, value, after)) = next_tag(rest) {
            if name == key {
                found = Some(value);
            }
            rest = after;
        }
        found.map(unescape_value)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((key, value, after)) = next_tag(self.rest) {
            self.rest = after;
            let is_last = if self.last.is_empty() {
                !contains_key(after, key)
            } else {
                self.last.get(key) == Some(&after.len())
            };
            if is_last {
                return Some((key, unescape_value(value)));
            }
        }
        None
    }
}

impl<'a> IntoIterator for Tags<'a> {
    type Item = (&'a str, Cow<'a, str>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Tags<'a> {
    type Item = (&'a str, Cow<'a, str>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Whether `key` is `[+][vendor/]name`, where the name is of ASCII letters, digits and hyphens, and the vendor looks
/// like a host.
#[must_use]
pub fn is_valid_key(key: &str) -> bool {
    let key = key.strip_prefix('+').unwrap_or(key);
    let (vendor, name) = match key.rsplit_once('/') {
        Some((vendor, name)) => (Some(vendor), name),
        None => (None, key),
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let vendor_ok =
        vendor.is_none_or(|host| !host.is_empty() && host.bytes().all(|b| is_word(b) || b == b'.'));
    vendor_ok && !name.is_empty() && name.bytes().all(is_word)
}

/// Whether `key` is one that clients make up among themselves and servers pass on unread: it begins with `+`.
#[must_use]
pub fn is_client_only(key: &str) -> bool {
    key.starts_with('+')
}

/// A value as it is written in a line. A NUL has no written form and is left out.
#[must_use]
pub fn escape_value(value: &str) -> Cow<'_, str> {
    if !value.contains(NEEDS_ESCAPE) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        match character {
            ';' => out.push_str("\\:"),
            ' ' => out.push_str("\\s"),
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\0' => {}
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// What a written value means. An unknown escape stands for its character; a backslash at the end is dropped.
#[must_use]
pub fn unescape_value(written: &str) -> Cow<'_, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    let mut out = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some(':') => out.push(';'),
            Some('s') => out.push(' '),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    Cow::Owned(out)
}

/// From this many tags on, duplicates are found by a table: looking ahead from each would take quadratic time.
const LOOK_AHEAD: usize = 16;

const NEEDS_ESCAPE: [char; 6] = [';', ' ', '\\', '\r', '\n', '\0'];

/// The next legal tag of `rest`: its key, its written value, and what follows.
fn next_tag(mut rest: &str) -> Option<(&str, &str, &str)> {
    while !rest.is_empty() {
        let (tag, after) = rest.split_once(';').unwrap_or((rest, ""));
        let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
        if is_valid_key(key) {
            return Some((key, value, after));
        }
        rest = after;
    }
    None
}

fn contains_key(mut rest: &str, wanted: &str) -> bool {
    while let Some((key, _, after)) = next_tag(rest) {
        if key == wanted {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked() {
        for key in ["time", "+typing", "draft/reply", "+draft/reply", "example.com/a-b", "1"] {
            assert!(is_valid_key(key), "{key:?}");
        }
        for key in ["", "+", "/", "a/", "/a", "+/a", "a_b", "a b", "a=b", "++a", "a/b/c", "é", "a\\b", "a;b"]
        {
            assert!(!is_valid_key(key), "{key:?}");
        }
        assert!(is_client_only("+typing") && !is_client_only("typing"));
    }

    #[test]
    fn tags_with_strange_keys_are_as_if_absent() {
        let tags = Tags::new(";;a=1;b b=2;=3;é=4;c");
        let found: Vec<_> = tags.iter().collect();
        assert_eq!(found, [("a", "1".into()), ("c", "".into())]);
        assert_eq!(tags.get("é"), None);
        assert_eq!(tags.get(""), None);
        assert!(!tags.is_empty() && Tags::new("").is_empty());
    }

    #[test]
    fn duplicates_are_found_among_few_and_among_many() {
        for count in [2, LOOK_AHEAD, LOOK_AHEAD * 10] {
            let raw: String = (0..count).map(|number| format!("a={number};b{number};")).collect();
            let tags = Tags::new(&raw);
            let last = (count - 1).to_string();
            assert_eq!(tags.get("a").as_deref(), Some(&*last));
            let of_a: Vec<_> = tags.iter().filter(|(key, _)| *key == "a").collect();
            assert_eq!(of_a, [("a", Cow::Owned(last))]);
            assert_eq!(tags.iter().count(), count + 1);
        }
    }

    #[test]
    fn plain_values_are_borrowed() {
        assert!(matches!(Tags::new("a=b").get("a"), Some(Cow::Borrowed("b"))));
        assert!(matches!(escape_value("plain"), Cow::Borrowed(_)));
    }
}
