//! What a command answers to the client that sent it: numerics, notices and standard replies, under the request's label.

use std::sync::Arc;

use stentor_proto::capability::Capability;
use stentor_proto::line::Line;
use stentor_proto::numeric::Numeric;
use stentor_proto::text::{MAX_CONTENT, truncate_utf8};

use crate::client::Client;
use crate::hub::Origin;
use crate::hub::render::alone;

/// The answer to one command.
///
/// Where the client labelled its request, exactly one message, or one batch, carries the label. Lines wait here until it
/// is known which; a line that the hub renders in its place in a partition's order takes the label with it.
#[derive(Debug)]
pub struct Reply {
    client: Arc<Client>,
    server: Arc<str>,
    label: Label,
    waiting: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Label {
    /// The request had none, or it was given away.
    None,
    /// Not used yet.
    Open(String),
    /// Of a batch that begins with the first message: there may be none.
    Many(String),
    /// Given to the client's own copy of an entry.
    Given(String),
    /// A batch with this reference is open.
    Batch(String),
}

/// A batch that [`Reply::open`] opened.
#[derive(Debug)]
#[must_use]
pub struct Batch {
    reference: String,
    /// Whether it is the answer to a labelled request, so that all lines are in it by themselves.
    is_answer: bool,
}

impl Reply {
    /// The answer of `server` to a request of `client` with this label, already escaped.
    #[must_use]
    pub fn new(client: Arc<Client>, server: Arc<str>, label: Option<String>) -> Self {
        Self { client, server, label: label.map_or(Label::None, Label::Open), waiting: Vec::new() }
    }

    /// A numeric whose last parameter is `text`.
    pub fn numeric(&mut self, numeric: Numeric, params: &[&str], text: &str) {
        let line = within(params, |params| self.start(numeric, params).trailing(text));
        self.line(line);
    }

    /// A numeric without text.
    pub fn bare(&mut self, numeric: Numeric, params: &[&str]) {
        let line = within(params, |params| self.start(numeric, params));
        self.line(line);
    }

    /// A numeric that lists `items`, separated by spaces, in as many lines as they need.
    pub fn list<'a>(&mut self, numeric: Numeric, params: &[&str], items: impl Iterator<Item = &'a str>) {
        let empty = self.start(numeric, params).trailing("").build();
        for text in stentor_proto::text::pack(empty.len() + 2, items, ' ') {
            self.numeric(numeric, params, &text);
        }
    }

    /// A standard reply: `FAIL`, `WARN` or `NOTE`, or a NOTICE for clients that did not ask for those and cannot know them
    /// from the specification of what they use either.
    pub fn standard(&mut self, kind: &str, command: &str, code: &str, context: &[&str], text: &str) {
        if self.client.has(Capability::StandardReplies) || kind == "FAIL" && is_specified(command, code) {
            let start = || Line::new(kind).source(&self.server).param(command).param(code);
            let line = within(context, |context| context.iter().fold(start(), Line::param).trailing(text));
            self.line(line);
        } else {
            let about = if command == "*" { String::new() } else { format!("{command}: ") };
            self.notice(&format!("{about}{text}"));
        }
    }

    /// Whether the client labelled its request, and so expects an answer whatever the command.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.label != Label::None
    }

    /// Takes the label away: a later answer bears it.
    pub fn take_label(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.label, Label::None) {
            Label::Open(label) | Label::Many(label) => Some(label),
            other => {
                self.label = other;
                None
            }
        }
    }

    /// A NOTICE from the server.
    pub fn notice(&mut self, text: &str) {
        let nick = self.nick();
        let line = Line::new("NOTICE").source(&self.server).param(nick).trailing(text).build();
        self.line(line);
    }

    /// A NOTICE from the server, in as many lines as it takes.
    pub fn long_notice(&mut self, text: &str) {
        let start = Line::new("NOTICE").source(&self.server).param(self.nick()).trailing("").build();
        for part in stentor_proto::text::pack(start.len(), text.split(' '), ' ') {
            self.notice(&part);
        }
    }

    /// A whole line without its line end.
    pub fn line(&mut self, line: String) {
        match &self.label {
            Label::Open(_) => self.waiting.push(line),
            Label::None => self.client.queue.push_line(&line),
            Label::Many(_) | Label::Given(_) => {
                self.open_batch();
                self.line(line);
            }
            Label::Batch(reference) => {
                let line = with_tag(&format!("batch={reference}"), &line);
                self.client.queue.push_line(&line);
            }
        }
    }

    /// A line that comes from the client's own user, with the tags that the client asked for; nothing where it did not ask for
    /// such lines.
    pub fn own(&mut self, line: &Line) {
        if let Some(line) = alone(&line.build(), self.client.capabilities()) {
            self.line(line);
        }
    }

    /// As [`Reply::list`], as fast as the client reads it.
    pub async fn long_list(&mut self, numeric: Numeric, params: &[&str], items: &[String]) {
        let empty = self.start(numeric, params).trailing("").build();
        for text in stentor_proto::text::pack(empty.len() + 2, items, ' ') {
            self.room().await;
            self.numeric(numeric, params, &text);
        }
    }

    /// As [`Reply::list`] without parameters; one empty line where there are no items.
    pub fn list_or_none(&mut self, numeric: Numeric, items: &[String]) {
        if items.is_empty() {
            self.numeric(numeric, &[], "");
        }
        self.list(numeric, &[], items.iter().map(String::as_str));
    }

    /// To be awaited between the lines of a long answer, so that it does not overflow the queue of a client that reads.
    pub async fn room(&mut self) {
        if self.waiting.len() > 1 {
            self.expect_many();
        }
        self.client.queue.room().await;
    }

    /// The server's name, as a source.
    #[must_use]
    pub fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// The tag that a nested batch carries to be part of this answer, where there is one to carry. Opens the answer's own
    /// batch where the request was labelled.
    pub fn nested_tag(&mut self) -> Option<String> {
        if !matches!(self.label, Label::Given(_)) {
            self.open_batch();
        }
        match &self.label {
            Label::Batch(reference) => Some(format!("batch={reference}")),
            _ => None,
        }
    }

    /// Opens a batch for what the answer lists, where the client understands batches, and returns its reference. Of a
    /// labelled request it is the whole answer unless there were lines before; then it is a part of it.
    pub fn begin_batch(&mut self, kind: &str, params: &[&str]) -> Option<String> {
        if !self.client.has(Capability::Batch) {
            return None;
        }
        let reference = crate::random::text(8);
        let mut line = Line::new("BATCH").source(&self.server).param(format!("+{reference}")).param(kind);
        for param in params {
            line = line.param(param);
        }
        let line = line.build();
        match &self.label {
            Label::Open(label) if self.waiting.is_empty() => {
                self.client.queue.push_line(&with_tag(&format!("label={label}"), &line));
                self.label = Label::Batch(reference.clone());
            }
            _ => {
                self.expect_many();
                self.line(line);
            }
        }
        Some(reference)
    }

    /// Closes a batch that [`Reply::begin_batch`] opened.
    pub fn end_batch(&mut self, reference: &str) {
        if matches!(&self.label, Label::Batch(answer) if answer == reference) {
            self.label = Label::None;
        }
        self.line(format!(":{} BATCH -{reference}", self.server));
    }

    /// As [`Reply::begin_batch`], for lines that [`Reply::line_in`] puts into it. `None` where the client knows no batches.
    pub fn open(&mut self, kind: &str, params: &[&str]) -> Option<Batch> {
        let reference = self.begin_batch(kind, params)?;
        let is_answer = matches!(&self.label, Label::Batch(answer) if *answer == reference);
        Some(Batch { reference, is_answer })
    }

    /// A whole line, in a batch where there is one.
    pub fn line_in(&mut self, batch: &Option<Batch>, line: String) {
        match batch {
            Some(batch) if !batch.is_answer => {
                self.client.queue.push_line(&with_tag(&format!("batch={}", batch.reference), &line));
            }
            _ => self.line(line),
        }
    }

    /// A numeric, in a batch where there is one.
    pub fn numeric_in(&mut self, batch: &Option<Batch>, numeric: Numeric, params: &[&str], text: &str) {
        let line = within(params, |params| self.start(numeric, params).trailing(text));
        self.line_in(batch, line);
    }

    /// Closes a batch, where there is one.
    pub fn close(&mut self, batch: Option<Batch>) {
        if let Some(batch) = batch {
            self.end_batch(&batch.reference);
        }
    }

    /// Says that several messages may answer, so that those that the hub sends are in the batch too.
    pub fn expect_many(&mut self) {
        match &self.label {
            Label::Open(label) if self.waiting.is_empty() => self.label = Label::Many(label.clone()),
            Label::Open(_) => self.open_batch(),
            _ => {}
        }
    }

    /// The client behind a commit of this command. Its own copy, if it gets one, carries the label.
    pub fn origin(&mut self, echo: bool, copies: bool) -> Origin {
        let tag = match &self.label {
            Label::Open(label) if copies && self.waiting.is_empty() => {
                let label = label.clone();
                let tag = format!("label={label}");
                self.label = Label::Given(label);
                tag
            }
            Label::Open(_) | Label::Many(_) | Label::Given(_) if copies => {
                self.open_batch();
                return self.origin(echo, copies);
            }
            Label::Batch(reference) => format!("batch={reference}"),
            _ => String::new(),
        };
        Origin { client: self.client.clone(), tag, echo }
    }

    /// Takes the label back from an own copy that was not sent after all.
    pub fn reclaim(&mut self) {
        if let Label::Given(label) = &self.label {
            self.label = Label::Open(label.clone());
        }
    }

    /// Sends what waits, and an acknowledgement where nothing else answered.
    pub fn finish(mut self) {
        if self.waiting.len() > 1 {
            self.open_batch();
        }
        match std::mem::replace(&mut self.label, Label::None) {
            Label::Open(label) | Label::Many(label) => {
                let line = self.waiting.pop().unwrap_or_else(|| format!(":{} ACK", self.server));
                self.client.queue.push_line(&with_tag(&format!("label={label}"), &line));
            }
            Label::Batch(reference) => {
                self.client.queue.push_line(&format!(":{} BATCH -{reference}", self.server));
            }
            Label::None | Label::Given(_) => {}
        }
    }

    fn open_batch(&mut self) {
        let label = match &self.label {
            Label::Open(label) | Label::Many(label) => format!("@label={label} "),
            // The label is on an own copy already; what follows belongs to no request any more.
            Label::Given(_) => {
                self.label = Label::None;
                return;
            }
            Label::None | Label::Batch(_) => return,
        };
        let reference = crate::random::text(8);
        self.client.queue.push_line(&format!("{label}:{} BATCH +{reference} labeled-response", self.server));
        self.label = Label::Batch(reference);
        for line in std::mem::take(&mut self.waiting) {
            self.line(line);
        }
    }

    fn start(&self, numeric: Numeric, params: &[&str]) -> Line {
        let mut line = Line::numeric(&self.server, numeric, self.nick());
        for param in params {
            line = line.param(param);
        }
        line
    }

    fn nick(&self) -> String {
        self.client.profile().nick.clone()
    }
}

/// A line that fits: parameters that repeat what a client made too long are cut, and then the text.
fn within<'p>(params: &[&'p str], line: impl Fn(&[&'p str]) -> Line) -> String {
    let whole = line(params).build();
    if whole.len() <= MAX_CONTENT {
        return whole;
    }
    let cut: Vec<&str> = params.iter().map(|param| truncate_utf8(param, REPEATED)).collect();
    line(&cut).build_within(MAX_CONTENT)
}

/// How much is repeated of a parameter that makes a line too long, in bytes.
const REPEATED: usize = 100;

/// Whether a specification says that this failure is told by a `FAIL`: the capability `standard-replies` is for all others.
fn is_specified(command: &str, code: &str) -> bool {
    let specified =
        ["BATCH", "CHATHISTORY", "MARKREAD", "METADATA", "REDACT", "REGISTER", "RENAME", "SETNAME", "VERIFY"];
    specified.contains(&command)
        || ["CHANNEL_RENAMED", "INVALID_UTF8"].contains(&code)
        || (command, code) == ("*", "ACCOUNT_REQUIRED")
}

/// Puts one more tag in front of a line.
#[must_use]
pub fn with_tag(tag: &str, line: &str) -> String {
    match line.strip_prefix('@') {
        Some(rest) => format!("@{tag};{rest}"),
        None => format!("@{tag} {line}"),
    }
}
