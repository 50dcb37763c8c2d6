//! Reading and trimming.

use std::sync::Arc;

use super::kit::{Nodes, Room, assert_chain};
use crate::store::{Entry, EntryId, Epoch, Life, Page, Partition, Range, StoreError, StoreTime};

/// A room with ten entries.
async fn ten(nodes: &Nodes, name: &str) -> (Room, Vec<Arc<Entry>>) {
    let room = nodes.room(name).await;
    let mut entries = vec![room.begin().await];
    for n in 1..10 {
        entries.push(room.says(&n.to_string()).committed().await);
    }
    (room, entries)
}

fn page(entries: &[Arc<Entry>], trimmed: bool) -> Page {
    Page { entries: entries.to_vec(), trimmed }
}

pub(super) async fn ranges(nodes: Nodes) {
    let (room, log) = ten(&nodes, "ranges").await;
    let (start, end) = (EntryId { ms: 0, seq: 0 }, EntryId { ms: log[9].id.ms + 100_000, seq: 0 });
    let cases = [
        (Range::From(log[3].id), 3, &log[3..6]),
        (Range::From(log[8].id), 3, &log[8..]),
        (Range::From(start), 2, &log[..2]),
        (Range::From(end), 2, &[]),
        (Range::After(log[3].id), 3, &log[4..7]),
        (Range::After(log[9].id), 3, &[]),
        (Range::After(start), 100, &log[..]),
        (Range::Before(log[3].id), 2, &log[1..3]),
        (Range::Before(log[3].id), 100, &log[..3]),
        (Range::Before(log[0].id), 2, &[]),
        (Range::Before(end), 2, &log[8..]),
        (Range::Latest, 1, &log[9..]),
        (Range::Latest, 10, &log[..]),
        (Range::Latest, 1000, &log[..]),
    ];
    for (range, limit, expected) in cases {
        assert_eq!(room.read(range, limit).await, page(expected, false), "{range:?} by {limit}");
    }
}

pub(super) async fn trimmed_by_count(nodes: Nodes) {
    let (room, log) = ten(&nodes, "by-count").await;
    let before = room.snapshot().await;
    room.store().trim(&room.partition, StoreTime(0), 10).await.expect("nothing to trim");
    assert_eq!(room.read(Range::Latest, 20).await, page(&log, false), "a log of ten keeps ten");
    room.store().trim(&room.partition, StoreTime(0), 4).await.expect("it is trimmed");

    let left = &log[6..];
    let cases = [
        // The page holds the oldest entry that is left, or would begin before it.
        (Range::Latest, 20, left, true),
        (Range::Latest, 4, left, true),
        (Range::Before(log[9].id), 20, &log[6..9], true),
        (Range::Before(log[6].id), 20, &[], true),
        (Range::Before(log[2].id), 20, &[], true),
        (Range::From(log[2].id), 2, &log[6..8], true),
        (Range::After(log[2].id), 2, &log[6..8], true),
        // It does not.
        (Range::Latest, 3, &log[7..], false),
        (Range::Before(log[9].id), 2, &log[7..9], false),
        (Range::From(log[7].id), 20, &log[7..], false),
        (Range::After(log[6].id), 20, &log[7..], false),
        (Range::After(log[9].id), 20, &[], false),
    ];
    for (range, limit, expected, trimmed) in cases {
        assert_eq!(room.read(range, limit).await, page(expected, trimmed), "{range:?} by {limit}");
    }
    assert_eq!(room.snapshot().await, before, "trimming changes no state");
    let next = room.says("next").committed().await;
    assert_eq!(next.previous, Some(log[9].link()));
}

pub(super) async fn trimmed_by_age(nodes: Nodes) {
    let room = nodes.room("by-age").await;
    let old = room.begin().await;
    nodes.first().pass(StoreTime(old.id.ms)).await;
    let young = room.says("young").committed().await;
    assert!(young.id.ms > old.id.ms);

    let edge = StoreTime(young.id.ms);
    room.store().trim(&room.partition, edge, 100).await.expect("it is trimmed");
    assert_eq!(room.read(Range::Latest, 10).await, page(&[young], true));
    // A partition that does not exist has nothing to trim.
    room.store().trim(&Partition::channel("nowhere"), edge, 0).await.expect("nothing to do");
}

pub(super) async fn trimmed_to_nothing(nodes: Nodes) {
    let (room, log) = ten(&nodes, "to-nothing").await;
    room.store().trim(&room.partition, StoreTime(0), 0).await.expect("it is trimmed");
    for range in [Range::Latest, Range::Before(log[5].id), Range::From(log[5].id), Range::After(log[9].id)] {
        assert_eq!(room.read(range, 10).await, page(&[], true), "{range:?}");
    }
    let snapshot = room.snapshot().await.expect("the partition lives on");
    assert_eq!(snapshot.last, log[9].link());
    let next = room.says("next").committed().await;
    assert_eq!(next.previous, Some(log[9].link()));
    assert!(next.id > log[9].id);
    assert_eq!(room.read(Range::Latest, 10).await, page(&[next], true));
}

pub(super) async fn old_epoch_is_gone(nodes: Nodes) {
    let (room, log) = ten(&nodes, "epochs").await;
    let gone = Err(StoreError::Gone);
    let renewed = room.with_epoch(Epoch::random());
    assert_eq!(renewed.store().read(&room.partition, renewed.epoch, Range::Latest, 9).await, gone);
    let entry = renewed.at(Life::Renew(room.epoch, renewed.epoch)).committed().await;
    for range in [Range::Latest, Range::From(log[0].id), Range::Before(log[9].id)] {
        assert_eq!(room.store().read(&room.partition, room.epoch, range, 9).await, gone, "{range:?}");
    }
    let everything = Range::From(EntryId::default());
    assert_eq!(
        renewed.read(everything, 100).await,
        page(&[entry], false),
        "a renewed log is not a trimmed one"
    );
    let nowhere = Partition::channel("nowhere");
    assert_eq!(room.store().read(&nowhere, room.epoch, everything, 9).await, gone);
}

pub(super) async fn same_entry_everywhere(nodes: Nodes) {
    let room = nodes.room("same").await;
    for node in nodes.all() {
        node.store.watch(&room.partition).await.expect("it can be watched");
    }
    room.begin().await;
    let draft = room
        .says("hé \u{1f600} {}%s \\ back")
        .line("@account=a;msgid=1 :a!u@h PRIVMSG #x :two")
        .set("topic", "line\r\nbreak \0 and \\ slash")
        .unset("none")
        .member("7f", "token *")
        .no_member("80");
    let said = draft.committed().await;
    assert_eq!(said.body.changes, draft.commit.changes);
    assert_eq!(said.body.lines, draft.commit.lines);
    assert_eq!(said.by, draft.commit.by);
    for node in nodes.all() {
        let heard = node.events.until(&room.partition, &said).await;
        assert_eq!(heard.last(), Some(&said));
    }
    let log = room.log().await;
    assert_eq!(log.last(), Some(&said));
    assert_chain(&log);
}
