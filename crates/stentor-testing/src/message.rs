//! What a client read, taken apart.

use std::fmt;

use stentor_proto::message::Message;

/// One line that a client read.
#[derive(Clone, PartialEq, Eq)]
pub struct Said {
    /// The whole line, without its line end.
    pub line: String,
    /// The line without its tags.
    pub bare: String,
    /// The source; empty where there is none.
    pub source: String,
    /// The command or numeric.
    pub command: String,
    /// The parameters.
    pub params: Vec<String>,
}

impl Said {
    /// Takes a line apart.
    pub fn new(line: impl Into<String>) -> Self {
        let line = line.into();
        let message = Message::parse(&line).unwrap_or_else(|error| panic!("{error:?}: {line}"));
        let bare = match line.strip_prefix('@') {
            Some(rest) => rest.split_once(' ').map_or("", |(_, bare)| bare).to_owned(),
            None => line.clone(),
        };
        let source = message.source.unwrap_or_default().to_owned();
        let command = message.command.to_owned();
        let params = message.params().iter().map(|param| (*param).to_owned()).collect();
        Self { bare, source, command, params, line }
    }

    /// A parameter; empty where there are not so many.
    pub fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The last parameter.
    pub fn text(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    /// A tag's value, where the line carries it.
    pub fn tag(&self, key: &str) -> Option<String> {
        let message = Message::parse(&self.line).expect("it was parsed before");
        message.tags.get(key).map(|value| value.to_string())
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.fmt(f)
    }
}

/// The lines of one command or numeric among others.
pub fn command<'a>(lines: &'a [Said], command: &str) -> Vec<&'a Said> {
    lines.iter().filter(|line| line.command == command).collect()
}

/// The one line of this numeric or command.
pub fn numeric<'a>(lines: &'a [Said], code: &str) -> &'a Said {
    match command(lines, code).as_slice() {
        [one] => one,
        found => panic!("{} lines of {code} where one was expected, among {lines:#?}", found.len()),
    }
}
