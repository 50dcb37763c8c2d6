//! Private messages that are under way: written to the sender's log, and perhaps not yet to the recipient's.

use stentor_proto::message::Message;

use crate::hub::msgid::MessageId;
use crate::hub::{Decision, Hub, Refusal, clock};
use crate::reply::with_tag;
use crate::store::{Change, Entry, EntryId, Epoch, Guard, Is, Life, Partition, Range, StoreError};
use crate::tenure::Tenure;

/// The line as the recipient's log has it: under the id and time that it has in the sender's.
#[must_use]
pub fn for_recipient(from: &Partition, own: &Entry, line: &str) -> String {
    let msgid = MessageId::new(from, own.epoch, own.id, 0);
    with_tag(&format!("msgid={msgid};time={}", clock::server_time(own.id.ms)), line)
}

/// What the sender's field `out` says of a message that is under way: its recipient, and a word of its own.
#[must_use]
pub fn note(recipient: &Partition) -> String {
    format!("{recipient} {}", crate::random::text(8))
}

/// Finishes what a dead session had under way: its last private message reaches the recipient's log, once.
///
/// # Errors
/// The store's.
pub async fn finish(hub: &Hub, tenure: &Tenure, sender: &Partition) -> Result<(), Refusal<()>> {
    let peek = hub.store().peek_one(sender, &["out"]).await?;
    let (Some(epoch), Some(Some(out))) = (peek.epoch, peek.fields.into_iter().next()) else { return Ok(()) };
    let recipient = out.split(' ').next().and_then(Partition::from_name);
    if let Some(recipient) = recipient.filter(|recipient| recipient != sender) {
        let page = hub.store().read(sender, epoch, Range::Latest, LOOK_BACK).await?;
        let sets_out = |change: &Change| matches!(change, Change::Set(name, _) if name == "out");
        let last = page.entries.iter().rev().find(|entry| entry.body.changes.iter().any(sets_out));
        if let Some(entry) = last
            && let Some(line) = entry.body.lines.first()
        {
            pass_on(hub, tenure, &recipient, &for_recipient(sender, entry, line), entry).await?;
        }
    }
    let decision = Decision {
        guards: vec![Guard::Field("out".to_owned(), Is::Equal(out))],
        changes: vec![Change::Unset("out".to_owned())],
        ..Decision::default()
    };
    hub.write_blind(tenure, sender, Life::Within(epoch), decision).await?;
    Ok(())
}

/// Writes the line to the recipient's log unless it is there. Of two that do so at once, one finds the other's.
///
/// # Errors
/// The store's.
pub async fn pass_on(
    hub: &Hub,
    tenure: &Tenure,
    recipient: &Partition,
    line: &str,
    own: &Entry,
) -> Result<(), Refusal<()>> {
    let Some(wanted) = msgid_of(line) else { return Ok(()) };
    for _ in 0..ATTEMPTS {
        let peek = hub.store().peek_one(recipient, &["removed", PASSED]).await?;
        let mut fields = peek.fields.into_iter();
        let (Some(epoch), None) = (peek.epoch, fields.next().flatten()) else { return Ok(()) };
        if is_there(hub, recipient, epoch, own, &wanted).await? {
            return Ok(());
        }
        let decision = Decision {
            guards: vec![Guard::Field(
                PASSED.to_owned(),
                fields.next().flatten().map_or(Is::Absent, Is::Equal),
            )],
            changes: vec![Change::Set(PASSED.to_owned(), wanted.clone())],
            lines: vec![line.to_owned()],
            ..Decision::default()
        };
        if hub.write_blind::<()>(tenure, recipient, Life::Within(epoch), decision).await?.is_some() {
            return Ok(());
        }
    }
    Err(Refusal::Contended)
}

async fn is_there(
    hub: &Hub,
    recipient: &Partition,
    epoch: Epoch,
    own: &Entry,
    wanted: &str,
) -> Result<bool, StoreError> {
    let mut from = Range::From(EntryId { ms: own.id.ms.saturating_sub(CLOCKS_MS), seq: 0 });
    loop {
        let page = hub.store().read(recipient, epoch, from, LOOK_BACK).await?;
        let mut lines = page.entries.iter().flat_map(|entry| &entry.body.lines);
        if lines.any(|there| msgid_of(there).is_some_and(|there| there == wanted)) {
            return Ok(true);
        }
        match page.entries.last() {
            Some(last) if page.entries.len() == LOOK_BACK => from = Range::After(last.id),
            _ => return Ok(false),
        }
    }
}

fn msgid_of(line: &str) -> Option<String> {
    Message::parse(line).ok()?.tags.get("msgid").map(String::from)
}

/// The message that was passed on last for a session that had ended.
const PASSED: &str = "passed";
/// How often others may come in between.
const ATTEMPTS: usize = 8;
/// How many entries one look reads.
const LOOK_BACK: usize = 256;
/// How far the clocks of two shards may differ.
const CLOCKS_MS: u64 = 60_000;
