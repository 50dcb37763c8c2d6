//! Private messages that are under way: written to the sender's log, and perhaps not yet to the recipient's.

use std::sync::Arc;

use stentor_proto::message::Message;

use crate::hub::msgid::MessageId;
use crate::hub::{Decision, Hub, Refusal, clock};
use crate::reply::with_tag;
use crate::store::{Change, Entry, EntryId, Epoch, Guard, Is, Life, Partition, Range, StoreError};
use crate::tenure::Tenure;

/// The lines as the recipient's log has them: the message under the id and time that it has in the sender's.
#[must_use]
pub fn for_recipient(from: &Partition, own: &Entry) -> Vec<String> {
    let msgid = MessageId::new(from, own.epoch, own.id, 0);
    let tags = format!("msgid={msgid};time={}", clock::server_time(own.id.ms));
    let mut lines = own.body.lines.clone();
    if let Some(first) = lines.first_mut() {
        *first = with_tag(&tags, first);
    }
    lines
}

/// Whose log has the other copy of a private message, by the entry that the sender's has; `None` for a note to oneself.
#[must_use]
pub fn recipient_of(own: &Entry) -> Option<Partition> {
    own.body.changes.iter().find_map(|change| match change {
        Change::Set(name, out) if name == "out" => out.split(' ').next().and_then(Partition::from_name),
        _ => None,
    })
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
        // What the log does not have any more is lost; it is kept for longer than a message is under way.
        if let Some(entry) = find_own(hub, sender, epoch, &out).await? {
            pass_on(hub, tenure, &recipient, sender, &entry).await?;
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

/// The entry with which the sender's field `out` got this value, however much others have written to the log since.
async fn find_own(
    hub: &Hub,
    sender: &Partition,
    epoch: Epoch,
    out: &str,
) -> Result<Option<Arc<Entry>>, StoreError> {
    let sets_out =
        |change: &Change| matches!(change, Change::Set(name, value) if name == "out" && value == out);
    let mut range = Range::Latest;
    loop {
        let page = hub.store().read(sender, epoch, range, LOOK_BACK).await?;
        let found = page.entries.iter().rev().find(|entry| entry.body.changes.iter().any(sets_out));
        if let Some(found) = found {
            return Ok(Some(found.clone()));
        }
        match page.entries.first() {
            Some(first) if page.entries.len() == LOOK_BACK => range = Range::Before(first.id),
            _ => return Ok(None),
        }
    }
}

/// Writes an entry's lines to the recipient's log unless it is there. Of two that do so at once, one finds the other's.
///
/// # Errors
/// The store's.
pub async fn pass_on(
    hub: &Hub,
    tenure: &Tenure,
    recipient: &Partition,
    sender: &Partition,
    own: &Entry,
) -> Result<(), Refusal<()>> {
    let lines = for_recipient(sender, own);
    let Some(wanted) = lines.first().and_then(|line| msgid_of(line)) else { return Ok(()) };
    for _ in 0..ATTEMPTS {
        let peek = hub.store().peek_one(recipient, &["removed", PASSED]).await?;
        let mut fields = peek.fields.into_iter();
        let (Some(epoch), None) = (peek.epoch, fields.next().flatten()) else { return Ok(()) };
        if find_copy(hub, recipient, epoch, own.id.ms, &wanted).await?.is_some() {
            return Ok(());
        }
        let passed = fields.next().flatten().map_or(Is::Absent, Is::Equal);
        let mut changes = vec![Change::Set(PASSED.to_owned(), wanted.clone())];
        changes.extend(taken_back(hub, recipient, epoch, &lines).await?);
        let guards = vec![Guard::Field(PASSED.to_owned(), passed)];
        let decision = Decision { guards, changes, lines: lines.clone(), ..Decision::default() };
        if hub.write_blind::<()>(tenure, recipient, Life::Within(epoch), decision).await?.is_some() {
            return Ok(());
        }
    }
    Err(Refusal::Contended)
}

/// Where lines take back a message, that of the recipient's log which holds the copy is erased with them.
async fn taken_back(
    hub: &Hub,
    recipient: &Partition,
    epoch: Epoch,
    lines: &[String],
) -> Result<Option<Change>, StoreError> {
    let first = lines.first().and_then(|line| Message::parse(line).ok());
    let Some(msgid) = first.filter(|first| first.command == "REDACT").and_then(|first| first.param(1)) else {
        return Ok(None);
    };
    let Some(MessageId { id, .. }) = MessageId::parse(msgid) else { return Ok(None) };
    Ok(find_copy(hub, recipient, epoch, id.ms, msgid).await?.map(Change::Erase))
}

/// The entry of a log that holds the copy of a message which its sender's log has had since `ms`.
///
/// # Errors
/// The store's.
pub async fn find_copy(
    hub: &Hub,
    recipient: &Partition,
    epoch: Epoch,
    ms: u64,
    msgid: &str,
) -> Result<Option<EntryId>, StoreError> {
    let mut from = Range::From(EntryId { ms: ms.saturating_sub(CLOCKS_MS), seq: 0 });
    loop {
        let page = hub.store().read(recipient, epoch, from, LOOK_BACK).await?;
        let is_it = |line: &String| msgid_of(line).is_some_and(|there| there == msgid);
        let found = page.entries.iter().find(|entry| entry.body.lines.iter().any(is_it));
        if let Some(found) = found {
            return Ok(Some(found.id));
        }
        match page.entries.last() {
            Some(last) if page.entries.len() == LOOK_BACK => from = Range::After(last.id),
            _ => return Ok(None),
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
