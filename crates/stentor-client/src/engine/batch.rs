//! Lines that belong together.

use std::collections::BTreeMap;

use stentor_proto::message::Message;

/// The batches that are open.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: BTreeMap<String, Batch>,
    /// How many bytes the lines of all open batches have.
    bytes: usize,
}

/// A batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// `chathistory`, `labeled-response` or another.
    pub(super) kind: String,
    /// What follows the kind.
    pub(super) params: Vec<String>,
    /// The label of the command that it answers, its own or that of the batch around it.
    pub(super) label: Option<String>,
    /// Its lines, where it is of a kind that is handled as a whole.
    pub(super) lines: Vec<String>,
    /// There were more lines than are kept.
    pub(super) cut: bool,
}

impl Batches {
    /// Takes in `BATCH +reference kind …`.
    pub(super) fn begin(&mut self, reference: &str, message: &Message<'_>) {
        if self.open.len() >= MOST_OPEN {
            return;
        }
        let around = message.tags.get("batch").and_then(|outer| self.open.get(&*outer)?.label.clone());
        let batch = Batch {
            kind: message.param(1).unwrap_or_default().to_owned(),
            params: message.params().iter().skip(2).map(|param| (*param).to_owned()).collect(),
            label: message.tags.get("label").map(|label| label.into_owned()).or(around),
            ..Batch::default()
        };
        // One that was open under this name is over.
        self.end(reference);
        self.open.insert(reference.to_owned(), batch);
    }

    /// Takes in `BATCH -reference`.
    pub(super) fn end(&mut self, reference: &str) -> Option<Batch> {
        let batch = self.open.remove(reference)?;
        self.bytes -= batch.lines.iter().map(String::len).sum::<usize>();
        Some(batch)
    }

    /// The label that a line answers to.
    pub(super) fn label(&self, message: &Message<'_>) -> Option<String> {
        let own = message.tags.get("label").map(|label| label.into_owned());
        own.or_else(|| self.open.get(&*message.tags.get("batch")?)?.label.clone())
    }

    /// Keeps a line until the end of its batch, where that is handled as a whole.
    pub(super) fn keep(&mut self, message: &Message<'_>, line: &str) -> bool {
        let Some(reference) = message.tags.get("batch") else { return false };
        let Some(batch) = self.open.get_mut(&*reference) else { return false };
        if !matches!(&*batch.kind, "chathistory" | TARGETS) {
            return false;
        }
        if batch.lines.len() < MOST_LINES && self.bytes + line.len() <= MOST_BYTES {
            self.bytes += line.len();
            batch.lines.push(line.to_owned());
        } else {
            batch.cut = true;
        }
        true
    }
}

/// The kind of the answer to `CHATHISTORY TARGETS`.
pub(super) const TARGETS: &str = "draft/chathistory-targets";
/// How many batches may be open at once.
const MOST_OPEN: usize = 64;
/// How many lines of one batch are kept: far more than are asked for.
const MOST_LINES: usize = 2000;
/// How many bytes the lines of all open batches may have.
const MOST_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_batches_hold_so_many_bytes_at_most() {
        let mut batches = Batches::default();
        let begin = |batches: &mut Batches, name: &str| {
            let line = format!("BATCH +{name} chathistory #room");
            batches.begin(name, &Message::parse(&line).expect("it is a line"));
        };
        for name in ["a", "b", "c"] {
            begin(&mut batches, name);
            let line = format!("@batch={name} :n!u@h PRIVMSG #room :{}", "x".repeat(16 * 1024));
            let message = Message::parse(&line).expect("it is a line");
            for _ in 0..MOST_LINES {
                assert!(batches.keep(&message, &line));
            }
        }
        assert!(batches.bytes <= MOST_BYTES);
        assert!(batches.open.values().all(|batch| batch.cut));
        begin(&mut batches, "a");
        for name in ["a", "b", "c"] {
            assert!(batches.end(name).is_some() && batches.end(name).is_none());
        }
        assert_eq!(batches.bytes, 0);
    }
}
