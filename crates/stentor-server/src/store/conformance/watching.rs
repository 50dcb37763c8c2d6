//! What is delivered, and to whom.

use super::kit::{Nodes, assert_chain};
use crate::store::{Epoch, Event, Life, Partition, Range, StoreError, TRANSIENT_MAX, Writer};

pub(super) async fn transient(nodes: Nodes) {
    let room = nodes.room("transient").await;
    room.begin().await;
    let watcher = nodes.last();
    watcher.store.watch(&room.partition).await.expect("it can be watched");
    let text = "@+typing=active :a!u@h TAGMSG #x\nsecond line \u{e9} {}";
    room.store().publish(&room.partition, text).await.expect("it is published");
    watcher.events.until_transient(&room.partition, text).await;
    assert_eq!(room.log().await.len(), 1);
    // What does not exist can be spoken to all the same.
    let nowhere = Partition::account("nobody");
    watcher.store.watch(&nowhere).await.expect("it can be watched");
    room.store().publish(&nowhere, "hi").await.expect("it is published");
    watcher.events.until_transient(&nowhere, "hi").await;
    assert_eq!(room.store().snapshot(&nowhere).await, Ok(None));
}

pub(super) async fn longest_transient(nodes: Nodes) {
    let room = nodes.room("longest").await;
    let watcher = nodes.last();
    watcher.store.watch(&room.partition).await.expect("it can be watched");
    let longer = "x".repeat(TRANSIENT_MAX + 1);
    let refused = room.store().publish(&room.partition, &longer).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let longest = &longer[1..];
    room.store().publish(&room.partition, longest).await.expect("it is published");
    watcher.events.until_transient(&room.partition, longest).await;
    assert_eq!(watcher.events.so_far().len(), 1, "the watcher heard nothing else");
}

pub(super) async fn unwatch(nodes: Nodes) {
    let (room, other) = (nodes.room("unwatched").await, nodes.room("still-watched").await);
    room.begin().await;
    let watcher = nodes.last();
    for partition in [&room.partition, &other.partition] {
        watcher.store.watch(partition).await.expect("it can be watched");
    }
    let heard = room.says("heard").committed().await;
    watcher.events.until(&room.partition, &heard).await;
    watcher.store.unwatch(&room.partition).await;
    watcher.store.unwatch(&Partition::channel("never-watched")).await;
    let count = watcher.events.so_far().len();

    room.says("not heard").committed().await;
    room.store().publish(&room.partition, "not heard either").await.expect("it is published");
    // An entry of another partition, delivered later, shows that there was time for the first.
    let later = other.begin().await;
    watcher.events.until(&other.partition, &later).await;
    let news = watcher.events.since(count);
    let of_room = |event: &Event| match event {
        Event::Entry(of, _) | Event::Transient(of, _) | Event::Lost(of) => *of == room.partition,
        Event::Away | Event::Back => false,
    };
    assert!(!news.iter().any(of_room), "{news:?}");

    watcher.store.watch(&room.partition).await.expect("it can be watched again");
    let again = room.says("heard again").committed().await;
    let entries = watcher.events.until(&room.partition, &again).await;
    assert_eq!(entries, [heard, again]);
}

pub(super) async fn twice(nodes: Nodes) {
    let room = nodes.room("twice").await;
    room.begin().await;
    let watcher = nodes.last();
    for _ in 0..2 {
        watcher.store.watch(&room.partition).await.expect("it can be watched");
    }
    for n in 0..5 {
        room.says(&n.to_string()).committed().await;
    }
    let end = room.says("end").committed().await;
    watcher.events.until(&room.partition, &end).await;
    let entries = watcher.events.so_far();
    let count = entries.iter().filter(|event| matches!(event, Event::Entry(..))).count();
    assert_eq!(count, 6, "each entry comes once: {entries:?}");

    watcher.store.unwatch(&room.partition).await;
    let other = nodes.room("twice-other").await;
    watcher.store.watch(&other.partition).await.expect("it can be watched");
    room.says("not heard").committed().await;
    let later = other.begin().await;
    watcher.events.until(&other.partition, &later).await;
    assert_eq!(watcher.events.entries(&room.partition).len(), 6, "one unwatch ends what two watches began");
}

pub(super) async fn only_what_is_watched(nodes: Nodes) {
    let (watched, not) = (nodes.room("watched").await, nodes.room("watched2").await);
    let watcher = nodes.last();
    watcher.store.watch(&watched.partition).await.expect("it can be watched");
    not.begin().await;
    let begun = watched.begin().await;
    watcher.events.until(&watched.partition, &begun).await;
    assert_eq!(watcher.events.entries(&not.partition), []);
}

pub(super) async fn through_lives(nodes: Nodes) {
    let room = nodes.room("lives").await;
    let watcher = nodes.last();
    watcher.store.watch(&room.partition).await.expect("what does not exist yet can be watched");
    let first = [room.begin().await, room.says("hi").committed().await];
    let renewed = room.with_epoch(Epoch::random());
    let second = [
        renewed.at(Life::Renew(room.epoch, renewed.epoch)).committed().await,
        renewed.at(Life::End(renewed.epoch)).line(":a!u@h PART #x").committed().await,
    ];
    let again = room.with_epoch(Epoch::random());
    let third = [again.begin().await];
    let entries = watcher.events.until(&room.partition, &third[0]).await;
    assert_eq!(entries, [&first[..], &second[..], &third[..]].concat());
    for life in [&first[..], &second[..], &third[..]] {
        assert_chain(life);
    }
    assert!(second[1].ends);
}

pub(super) async fn closed(nodes: Nodes) {
    let room = nodes.room("closed").await;
    room.begin().await;
    for node in nodes.all() {
        node.store.close().await;
    }
    let (store, partition) = (room.store(), &room.partition);
    let closed = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
    assert!(room.says("hi").send().await.is_err_and(|error| closed(&error)));
    assert!(store.snapshot(partition).await.is_err_and(|error| closed(&error)));
    assert!(store.peek_one(partition, &[]).await.is_err_and(|error| closed(&error)));
    let read = store.read(partition, room.epoch, Range::Latest, 1).await;
    assert!(read.is_err_and(|error| closed(&error)));
    assert!(store.watch(partition).await.is_err_and(|error| closed(&error)));
    let lease = store.hold_lease(&Writer::new("a", 1), super::PATIENCE, "").await;
    assert!(lease.is_err_and(|error| closed(&error)));
    store.unwatch(partition).await;
    store.close().await;
}
