//! Once and only once: numbers that writers give their commits, and fencing.

use super::kit::Nodes;
use crate::store::{Epoch, Failure, Guard, Is, Life, Outcome, Partition, Range, StoreTime, Writer};

pub(super) async fn retry_is_stored_once(nodes: Nodes) {
    let room = nodes.room("retry").await;
    let begin = room.at(Life::Begin(room.epoch)).set("name", "x");
    let begun = begin.committed().await;
    assert_eq!(begin.committed().await, begun, "a retry of the creation is no conflict");
    let draft = room.says("hi").guard(Guard::Field("topic".into(), Is::Absent)).set("topic", "t");
    let said = draft.committed().await;
    // The guard would fail now: a retry is answered from what was logged, not judged again.
    assert_eq!(draft.committed().await, said);
    assert_eq!(draft.clone().deadline(StoreTime(1)).committed().await, said, "nor is its deadline");
    assert_eq!(room.log().await, [begun, said]);
}

pub(super) async fn earlier_number_is_found(nodes: Nodes) {
    let room = nodes.room("earlier").await;
    let other = room.by(nodes.last(), Writer::new("b", 1)).await;
    room.begin().await;
    let first = room.says("first");
    let entry = first.committed().await;
    for _ in 0..10 {
        other.says("between").committed().await;
        room.says("between").committed().await;
    }
    assert_eq!(first.committed().await, entry);
    assert_eq!(room.log().await.len(), 22);
}

pub(super) async fn late_first_attempt(nodes: Nodes) {
    let room = nodes.room("late").await;
    room.begin().await;
    let late = room.says("late");
    let newer = room.says("newer").committed().await;
    assert_eq!(late.conflict().await, (Failure::Superseded, Some(newer.link())));
    assert_eq!(late.conflict().await.0, Failure::Superseded);
    assert_eq!(room.log().await.len(), 2);
}

pub(super) async fn retry_after_conflict(nodes: Nodes) {
    let room = nodes.room("conflicted").await;
    let early = room.says("before it exists");
    assert_eq!(early.conflict().await.0, Failure::Life);
    let begun = room.begin().await;
    assert_eq!(early.conflict().await, (Failure::Superseded, Some(begun.link())));

    let draft = room.says("hi").guard(Guard::Field("topic".into(), Is::Present));
    assert_eq!(draft.conflict().await.0, Failure::Guard(0));
    // What did not hold then holds now, and yet the number is used up.
    let last = room.within().set("topic", "t").committed().await;
    assert_eq!(draft.conflict().await, (Failure::Superseded, Some(last.link())));
    assert_eq!(room.log().await.len(), 2);
}

pub(super) async fn no_resurrection(nodes: Nodes) {
    let room = nodes.room("resurrection").await;
    let begin = room.at(Life::Begin(room.epoch)).set("name", "x");
    begin.committed().await;
    let overtaken = room.at(Life::Begin(Epoch(7)));
    room.at(Life::End(room.epoch)).committed().await;
    assert_eq!(
        overtaken.conflict().await,
        (Failure::Superseded, None),
        "a late creation brings nothing back"
    );
    assert_eq!(begin.conflict().await, (Failure::Superseded, None), "nor does one whose log has died");
    assert_eq!(room.snapshot().await, None);

    let again = room.with_epoch(Epoch::random());
    let begun = again.begin().await;
    assert_eq!(overtaken.conflict().await, (Failure::Superseded, Some(begun.link())));
    assert_eq!(again.log().await.len(), 1);
}

pub(super) async fn retried_end(nodes: Nodes) {
    let room = nodes.room("ended").await;
    room.begin().await;
    let end = room.at(Life::End(room.epoch)).line(":a!u@h PART #x");
    let ended = end.committed().await;
    assert_eq!(end.committed().await, ended);
    assert_eq!(room.snapshot().await, None);
    let again = room.with_epoch(Epoch::random());
    again.begin().await;
    assert_eq!(end.conflict().await.0, Failure::Superseded);
    assert!(again.snapshot().await.is_some());
}

pub(super) async fn belong_to_writer_and_partition(nodes: Nodes) {
    let room = nodes.room("mine").await;
    room.begin().await;
    room.says("hi").number(90).committed().await;
    // Another incarnation of the node, another node, and nodes whose names only begin alike.
    for writer in [Writer::new("a", 2), Writer::new("b", 1), Writer::new("a@1", 1), Writer::new("a@", 1)] {
        let other = room.by(nodes.last(), writer).await;
        other.says("hi").number(3).committed().await;
        assert_eq!(other.says("hi").number(2).conflict().await.0, Failure::Superseded);
    }
    let elsewhere = nodes.first().room(Partition::channel("elsewhere"), Writer::new("a", 1)).await;
    elsewhere.at(Life::Begin(elsewhere.epoch)).number(91).committed().await;
    // Gaps are usual: one counter serves all partitions.
    room.says("hi").number(1000).committed().await;
    assert_eq!(room.says("hi").number(999).conflict().await.0, Failure::Superseded);
    elsewhere.says("hi").number(1001).committed().await;
}

pub(super) async fn fencing(nodes: Nodes) {
    let room = nodes.room("fenced").await;
    let early = room.at(Life::Begin(room.epoch)).deadline(StoreTime(1));
    assert_eq!(early.outcome().await, Outcome::Fenced);
    assert_eq!(room.snapshot().await, None, "a fenced commit creates nothing");
    let begun = room.begin().await;

    let past = nodes.first().now().await;
    nodes.first().pass(past).await;
    let draft = room.says("hi").set("topic", "t").deadline(past);
    assert_eq!(draft.outcome().await, Outcome::Fenced);
    let both = room.at(Life::Within(Epoch(1))).deadline(past);
    assert_eq!(both.outcome().await, Outcome::Fenced, "the deadline is judged before life and guards");
    assert_eq!(room.read(Range::Latest, 10).await.entries, std::slice::from_ref(&begun));
    assert_eq!(room.snapshot().await.expect("it exists").fields.len(), 1);

    let renewed = draft.clone().deadline(nodes.first().now().await.plus(std::time::Duration::from_secs(60)));
    assert_eq!(renewed.conflict().await, (Failure::Superseded, Some(begun.link())), "its number is used up");
    room.says("with a new number").committed().await;
}
