//! What was said and is taken back.

use std::sync::Arc;

use super::kit::{Nodes, Room, assert_chain};
use crate::store::{
    Change, Entry, EntryId, Epoch, Failure, Guard, Is, Life, Outcome, Page, Partition, Range, StoreTime,
    Writer,
};

/// A room in which entries 3, 4, 6 and 8 of ten were erased, by an eleventh: its log as it should be read.
async fn with_holes(room: &Room) -> Vec<Arc<Entry>> {
    let mut log = vec![room.begin().await];
    for n in 1..10 {
        log.push(room.says(&n.to_string()).set("n", &n.to_string()).committed().await);
    }
    let erased = [3, 4, 6, 8];
    let mut draft = room.within().line(":a!u@h REDACT #x :some");
    for index in erased {
        draft = draft.change(Change::Erase(log[index].id));
    }
    log.push(draft.committed().await);
    for index in erased {
        let mut stub = Entry::clone(&log[index]);
        stub.body.lines.clear();
        log[index] = Arc::new(stub);
    }
    log
}

async fn check_ranges(room: &Room, log: &[Arc<Entry>]) {
    let start = EntryId { ms: 0, seq: 0 };
    for limit in 1..=12 {
        for (index, entry) in log.iter().enumerate() {
            let last = |from: usize| log.len().min(from + limit);
            let cases = [
                (Range::From(entry.id), &log[index..last(index)]),
                (Range::After(entry.id), &log[index + 1..last(index + 1)]),
                (Range::Before(entry.id), &log[index.saturating_sub(limit)..index]),
            ];
            for (range, expected) in cases {
                let page = Page { entries: expected.to_vec(), trimmed: false };
                assert_eq!(room.read(range, limit).await, page, "{range:?} of {index} by {limit}");
            }
        }
        let newest = &log[log.len().saturating_sub(limit)..];
        assert_eq!(room.read(Range::Latest, limit).await.entries, newest, "the newest {limit}");
        let oldest = &log[..limit.min(log.len())];
        assert_eq!(room.read(Range::From(start), limit).await.entries, oldest, "the oldest {limit}");
    }
    assert_chain(&room.log().await);
}

pub(super) async fn every_range(nodes: Nodes) {
    let room = nodes.room("holes").await;
    room.store().watch(&room.partition).await.expect("it is watched");
    let log = with_holes(&room).await;
    check_ranges(&room, &log).await;
    let snapshot = room.snapshot().await.expect("it exists");
    assert_eq!(snapshot.last, log[10].link());
    assert!(snapshot.fields.contains(&("n".to_owned(), "9".to_owned())), "erasing changes no state");
    let delivered = room.node.events.until(&room.partition, &log[10]).await;
    assert_eq!(delivered.last(), log.last(), "the entry that erases is delivered like any other");
    // Again, and what is not there.
    let mut draft = room.within().change(Change::Erase(log[3].id));
    draft = draft.change(Change::Erase(EntryId { ms: 1, seq: 1 })).change(Change::Erase(log[9].id));
    let twelfth = draft.committed().await;
    assert_eq!(twelfth.previous, Some(log[10].link()));
    let page = room.read(Range::Latest, 3).await.entries;
    assert!(page[0].body.lines.is_empty() && !page[1].body.lines.is_empty());
}

pub(super) async fn volatile(nodes: Nodes) {
    let room = nodes.first().room(Partition::guest("holes"), Writer::new("a", 1)).await;
    let log = with_holes(&room).await;
    check_ranges(&room, &log).await;
}

pub(super) async fn retries(nodes: Nodes) {
    let room = nodes.room("retried").await;
    room.begin().await;
    let (said, more) = (room.says("secret"), room.says("more"));
    let (first, second) = (said.committed().await, more.committed().await);
    let erase = room.within().change(Change::Erase(first.id));
    let erasing = erase.committed().await;
    assert_eq!(erase.committed().await, erasing, "a retry erases nothing more");
    let found = said.committed().await;
    assert_eq!((found.link(), &found.previous), (first.link(), &first.previous));
    assert!(found.body.lines.is_empty(), "a retry does not bring it back: {found:?}");
    assert_eq!(more.committed().await, second);
    assert_eq!(room.log().await.len(), 4);
}

pub(super) async fn conflicts(nodes: Nodes) {
    let room = nodes.room("kept").await;
    room.begin().await;
    let said = room.says("it stays").committed().await;
    let guard = Guard::Field("name".to_owned(), Is::Absent);
    let draft = room.within().guard(guard).change(Change::Erase(said.id));
    assert_eq!(draft.conflict().await.0, Failure::Guard(0));
    let late = room.within().deadline(StoreTime(1)).change(Change::Erase(said.id));
    assert_eq!(late.outcome().await, Outcome::Fenced);
    assert_eq!(room.read(Range::Latest, 1).await.entries, [said]);
}

pub(super) async fn trimmed(nodes: Nodes) {
    let room = nodes.room("trimmed-holes").await;
    let log = with_holes(&room).await;
    room.store().trim(&room.partition, StoreTime(0), u64::MAX).await.expect("nothing to trim");
    check_ranges(&room, &log).await;
    room.store().trim(&room.partition, StoreTime(0), 2).await.expect("it is trimmed");
    let page = room.read(Range::Latest, 20).await;
    assert!(page.trimmed && page.entries.len() < 6, "{page:?}");
    assert_eq!(page.entries.last(), log.last());
    let after = StoreTime(log[10].id.ms + 1);
    room.store().trim(&room.partition, after, 0).await.expect("it is trimmed");
    assert_eq!(room.read(Range::Latest, 20).await, Page { entries: Vec::new(), trimmed: true });
    // Another life has nothing of it.
    let renewed = room.with_epoch(Epoch::random());
    let entry = renewed.at(Life::Renew(room.epoch, renewed.epoch)).committed().await;
    assert_eq!(renewed.read(Range::Latest, 20).await, Page { entries: vec![entry], trimmed: false });
}
