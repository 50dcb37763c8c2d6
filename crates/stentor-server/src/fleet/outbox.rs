//! Private messages that are under way: written to the sender's log, and perhaps not yet to the recipient's.

use stentor_proto::message::Message;

use crate::hub::msgid::MessageId;
use crate::hub::{Decision, Hub, Refusal, clock};
use crate::reply::with_tag;
use crate::store::{Change, Entry, Guard, Is, Life, Partition, Range};
use crate::tenure::Tenure;

/// The line as the recipient's log has it: under the id and time that it has in the sender's.
#[must_use]
pub fn for_recipient(from: &Partition, own: &Entry, line: &str) -> String {
    let msgid = MessageId::new(from, own.epoch, own.id, 0);
    with_tag(&format!("msgid={msgid};time={}", clock::server_time(own.id.ms)), line)
}

/// Finishes what a dead session had under way: its last private message reaches the recipient's log, once.
///
/// # Errors
/// The store's.
pub async fn finish(hub: &Hub, tenure: &Tenure, sender: &Partition) -> Result<(), Refusal<()>> {
    let peek = hub.store().peek_one(sender, &["out"]).await?;
    let (Some(epoch), Some(Some(out))) = (peek.epoch, peek.fields.into_iter().next()) else { return Ok(()) };
    if let Some(recipient) = Partition::from_name(&out).filter(|recipient| recipient != sender) {
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

async fn pass_on(
    hub: &Hub,
    tenure: &Tenure,
    recipient: &Partition,
    line: &str,
    own: &Entry,
) -> Result<(), Refusal<()>> {
    let peek = hub.store().peek_one(recipient, &["removed"]).await?;
    let Some(epoch) = peek.epoch.filter(|_| peek.fields.iter().all(Option::is_none)) else { return Ok(()) };
    let msgid = |line: &str| {
        Message::parse(line).ok().and_then(|message| message.tags.get("msgid").map(String::from))
    };
    let wanted = msgid(line);
    let mut from = Range::From(crate::store::EntryId { ms: own.id.ms.saturating_sub(CLOCKS_MS), seq: 0 });
    loop {
        let page = hub.store().read(recipient, epoch, from, LOOK_BACK).await?;
        if page.entries.iter().flat_map(|entry| &entry.body.lines).any(|there| msgid(there) == wanted) {
            return Ok(());
        }
        match page.entries.last() {
            Some(last) if page.entries.len() == LOOK_BACK => from = Range::After(last.id),
            _ => break,
        }
    }
    let decision = Decision { lines: vec![line.to_owned()], ..Decision::default() };
    hub.write_blind(tenure, recipient, Life::Within(epoch), decision).await?;
    Ok(())
}

/// How many entries one look reads.
const LOOK_BACK: usize = 256;
/// How far the clocks of two shards may differ.
const CLOCKS_MS: u64 = 60_000;
