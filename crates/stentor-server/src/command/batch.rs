//! BATCH from a client: a message of several lines (draft/multiline).
//!
//! The lines are kept until the batch is closed, within `limits.multiline_length` and `limits.multiline_lines`; then they are
//! one message: one entry, in one place of the order. Each line has been charged to the client's rate as it came.

use std::time::{Duration, Instant};

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use super::message::{self, Part};
use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

/// A batch that a client has opened.
#[derive(Debug)]
pub struct Batch {
    reference: String,
    target: String,
    /// The client-only tags of the message.
    tags: String,
    /// The label of the command that opened it.
    label: Option<String>,
    opened: Instant,
    is_notice: bool,
    parts: Vec<Part>,
    /// How long the text is so far, in bytes.
    bytes: usize,
    /// Something was wrong, and the client was told: the rest is passed over.
    is_refused: bool,
}

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let reference = message.param(0).unwrap_or_default();
    if let Some(reference) = reference.strip_prefix('-') {
        return close(session, reference, reply).await;
    }
    let Some(reference) = reference.strip_prefix('+').filter(|reference| is_reference(reference)) else {
        return Err(Error::fail(
            COMMAND,
            "INVALID_REFTAG",
            &[short(reference)],
            "Not a reference of a batch",
        ));
    };
    let kind = message.param(1).unwrap_or_default();
    if kind != "draft/multiline" || !session.client.has(Capability::Multiline) {
        let context = [short(reference), short(kind)];
        return Err(Error::fail(COMMAND, "UNKNOWN_TYPE", &context, "No such type of batch"));
    }
    let is_nested = abandon(session);
    let target = message.nonempty(2).map(str::to_owned);
    let mut batch = Batch {
        reference: reference.to_owned(),
        target: target.clone().unwrap_or_default(),
        tags: message::client_tags(session, message),
        label: None,
        opened: Instant::now(),
        is_notice: false,
        parts: Vec::new(),
        bytes: 0,
        is_refused: is_nested || target.is_none(),
    };
    if batch.is_refused {
        session.batch = Some(Box::new(batch));
        return Err(invalid("A batch has a target, and is closed before the next one begins"));
    }
    batch.label = reply.take_label();
    session.batch = Some(Box::new(batch));
    Ok(())
}

/// Takes a line that is tagged as part of a batch.
pub(super) fn take(session: &mut Session, reference: &str, message: &Message<'_>) {
    let limits = session.node.config().limits;
    let mut label = None;
    let result = match session.batch.as_deref_mut() {
        Some(batch) if batch.is_refused && batch.reference == reference => return,
        Some(batch) => {
            let result = batch.add(reference, message, limits.multiline_length, limits.multiline_lines);
            if result.is_err() {
                label = batch.label.take();
                batch.is_refused = true;
                batch.parts = Vec::new();
            }
            result
        }
        None => Err(invalid("There is no such batch")),
    };
    if let Err(error) = result {
        answer(session, label, &error);
    }
}

impl Batch {
    fn add(
        &mut self,
        reference: &str,
        message: &Message<'_>,
        bytes: usize,
        lines: usize,
    ) -> Result<(), Error> {
        if reference != self.reference {
            return Err(invalid("A line of another batch came before the end of this one"));
        }
        if self.opened.elapsed() > PATIENCE {
            return Err(Error::fail(
                COMMAND,
                "TIMEOUT",
                &[short(reference)],
                "The batch was open for too long",
            ));
        }
        let is_notice = message.command.eq_ignore_ascii_case("NOTICE");
        let is_said = is_notice || message.command.eq_ignore_ascii_case("PRIVMSG");
        if !is_said || !self.parts.is_empty() && is_notice != self.is_notice {
            return Err(invalid("A message of several lines is either PRIVMSG or NOTICE"));
        }
        let target = message.param(0).unwrap_or_default();
        if target != self.target {
            let context = [short(&self.target), short(target)];
            return Err(Error::fail(COMMAND, "MULTILINE_INVALID_TARGET", &context, "Not the batch's target"));
        }
        let text = message.param(1).unwrap_or_default();
        let is_concatenated = message.tags.get("draft/multiline-concat").is_some();
        if is_concatenated && text.is_empty() {
            return Err(invalid("A blank line cannot go on with the line before it"));
        }
        if self.parts.len() == lines {
            let text = "The message has too many lines";
            return Err(Error::fail(COMMAND, "MULTILINE_MAX_LINES", &[&lines.to_string()], text));
        }
        let is_first = self.parts.is_empty();
        let joint = usize::from(!is_first && !is_concatenated);
        if self.bytes + joint + text.len() > bytes {
            let text = "The message is too long";
            return Err(Error::fail(COMMAND, "MULTILINE_MAX_BYTES", &[&bytes.to_string()], text));
        }
        self.bytes += joint + text.len();
        self.is_notice = is_notice;
        self.parts.push(Part { text: text.to_owned(), is_concatenated: is_concatenated && !is_first });
        Ok(())
    }
}

async fn close(session: &mut Session, reference: &str, reply: &mut Reply) -> Result<(), Error> {
    let Some(batch) = session.batch.take_if(|batch| batch.reference == reference) else {
        abandon(session);
        return Err(invalid("There is no such batch"));
    };
    let Batch { target, tags, label, is_notice, parts, is_refused, .. } = *batch;
    if is_refused {
        return Ok(());
    }
    let mut labelled = Reply::new(session.client.clone(), reply.server().clone(), label);
    let result = if parts.iter().all(|part| part.text.is_empty()) {
        Err(invalid("A message says something"))
    } else {
        message::several(session, &target, tags, (is_notice, &parts), &mut labelled).await
    };
    if let Err(error) = &result {
        labelled.reclaim();
        error.send(COMMAND, &mut labelled);
    }
    labelled.finish();
    match result {
        Err(error @ (Error::Close(_) | Error::Fenced)) => Err(error),
        _ => Ok(()),
    }
}

/// Gives up the batch that is open, and answers its label, where it is not refused yet. True if there was one.
fn abandon(session: &mut Session) -> bool {
    let Some(open) = session.batch.take_if(|batch| !batch.is_refused) else {
        session.batch = None;
        return false;
    };
    if open.label.is_some() {
        answer(session, open.label, &invalid("The batch was not closed"));
    }
    true
}

fn answer(session: &Session, label: Option<String>, error: &Error) {
    let mut reply = Reply::new(session.client.clone(), session.node.server_name.clone(), label);
    error.send(COMMAND, &mut reply);
    reply.finish();
}

fn invalid(text: &str) -> Error {
    Error::fail(COMMAND, "MULTILINE_INVALID", &[], text)
}

fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= REFERENCE
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// What a client sent, as much of it as an error repeats; an asterisk where it sent nothing.
fn short(text: &str) -> &str {
    if text.is_empty() { "*" } else { truncate_utf8(text, 128) }
}

const COMMAND: &str = "BATCH";
/// How long a batch may stay open.
const PATIENCE: Duration = Duration::from_mins(1);
/// The longest reference, in bytes.
const REFERENCE: usize = 64;
