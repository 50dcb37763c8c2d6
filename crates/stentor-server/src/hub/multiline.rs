//! Messages of several lines (draft/multiline): how an entry holds them.
//!
//! The first line carries all tags of the message. Those after it carry [`PART_TAG`], which says how they go on; so a reader
//! that does not know it sees each line as a message.

use stentor_proto::message::Message;

/// A tag that the server keeps in its own entries: the line belongs to the message before it. Its value is [`NEXT`] or
/// [`CONCAT`].
pub const PART_TAG: &str = "stentor.chat/part";
/// It begins a new line of the text.
pub const NEXT: &str = "next";
/// It goes on with the same line of the text.
pub const CONCAT: &str = "concat";

/// One message of an entry.
#[derive(Debug)]
pub struct Whole<'e> {
    /// Which line of the entry it begins with, from 0.
    pub line: usize,
    /// That line.
    pub first: Message<'e>,
    /// Its further lines.
    pub rest: Vec<Message<'e>>,
}

/// The messages of an entry. A line that cannot be read is dropped, whoever wrote it: nothing malformed reaches a client.
#[must_use]
pub fn messages(lines: &[String]) -> Vec<Whole<'_>> {
    let mut all: Vec<Whole<'_>> = Vec::with_capacity(1);
    for (line, text) in lines.iter().enumerate() {
        let Ok(message) = Message::parse(text) else { continue };
        match all.last_mut() {
            Some(whole) if is_part(&message) => whole.rest.push(message),
            _ => all.push(Whole { line, first: message, rest: Vec::new() }),
        }
    }
    all
}

/// The message that begins with this line of an entry.
#[must_use]
pub fn message_at(lines: &[String], line: usize) -> Option<Whole<'_>> {
    let first = Message::parse(lines.get(line)?).ok()?;
    let after = lines.iter().skip(line + 1).map_while(|text| Message::parse(text).ok());
    Some(Whole { line, first, rest: after.take_while(is_part).collect() })
}

/// Whether a line belongs to the message before it.
#[must_use]
pub fn is_part(message: &Message<'_>) -> bool {
    message.tags.get(PART_TAG).is_some()
}

/// Whether a line goes on with the text of the line before it.
#[must_use]
pub fn is_concatenated(message: &Message<'_>) -> bool {
    message.tags.get(PART_TAG).is_some_and(|how| how == CONCAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_with_the_message_that_they_belong_to() {
        let lines = [
            ":a!a@h PRIVMSG #x :one",
            "@stentor.chat/part=next :a!a@h PRIVMSG #x :two",
            "@stentor.chat/part=concat :a!a@h PRIVMSG #x :three",
            ":a!a@h PRIVMSG #x :four",
        ]
        .map(str::to_owned);
        let all = messages(&lines);
        assert_eq!(
            all.iter().map(|whole| (whole.line, whole.rest.len())).collect::<Vec<_>>(),
            [(0, 2), (3, 0)]
        );
        assert!(!is_concatenated(&all[0].rest[0]) && is_concatenated(&all[0].rest[1]));
        assert_eq!(message_at(&lines, 0).map(|whole| whole.rest.len()), Some(2));
        assert_eq!(message_at(&lines, 3).map(|whole| whole.rest.len()), Some(0));
    }
}
