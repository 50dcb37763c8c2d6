//! How partitions begin, are renewed and end.

use super::kit::{Nodes, assert_chain, pairs};
use crate::store::{Epoch, Failure, Life, Outcome, Range, Writer};

pub(super) async fn begins_once(nodes: Nodes) {
    let room = nodes.room("begins").await;
    assert_eq!(room.snapshot().await, None);
    let begun = room.begin().await;
    assert_eq!((begun.previous.as_ref(), begun.epoch, begun.ends), (None, room.epoch, false));

    let again = room.at(Life::Begin(Epoch(5))).set("name", "mine");
    assert_eq!(again.conflict().await, (Failure::Life, Some(begun.link())));
    let same = room.at(Life::Begin(room.epoch)).set("name", "mine");
    assert_eq!(same.conflict().await, (Failure::Life, Some(begun.link())), "even with the epoch that it has");
    let snapshot = room.snapshot().await.expect("it exists");
    assert_eq!((snapshot.epoch, snapshot.fields), (room.epoch, pairs(&[("name", "x")])));
}

pub(super) async fn must_match(nodes: Nodes) {
    let room = nodes.room("match").await;
    let (epoch, other) = (room.epoch, Epoch(room.epoch.0 ^ 1));
    for life in [Life::Within(epoch), Life::Renew(epoch, other), Life::End(epoch)] {
        assert_eq!(room.at(life).conflict().await, (Failure::Life, None), "{life:?} of what does not exist");
    }
    assert_eq!(room.snapshot().await, None, "a conflict creates nothing");
    let begun = room.begin().await;
    for life in [Life::Within(other), Life::Renew(other, epoch), Life::End(other)] {
        let conflict = room.at(life).conflict().await;
        assert_eq!(conflict, (Failure::Life, Some(begun.link())), "{life:?} of another epoch");
    }
    room.within().committed().await;
}

pub(super) async fn renewal_drops_all(nodes: Nodes) {
    let room = nodes.room("renewal").await;
    room.begin().await;
    let said = room.within().member("1", "a").set("~key", "secret").set("topic", "old").committed().await;

    let renewed = room.with_epoch(Epoch::random());
    let entry = renewed.at(Life::Renew(room.epoch, renewed.epoch)).set("owner", "b").committed().await;
    assert_eq!((entry.epoch, entry.previous.as_ref(), entry.ends), (renewed.epoch, None, false));
    let snapshot = renewed.snapshot().await.expect("it exists");
    assert_eq!(snapshot.epoch, renewed.epoch);
    assert_eq!(snapshot.last, entry.link());
    assert_eq!(snapshot.fields, pairs(&[("owner", "b")]));
    assert_eq!(snapshot.members, []);
    let peeked = renewed.store().peek_one(&room.partition, &["~key"]).await.expect("a peek");
    assert_eq!(peeked.fields, [None]);

    assert_eq!(renewed.log().await, [entry]);
    let late = room.says("to the old one");
    assert_eq!(late.conflict().await.0, Failure::Life);
    let next = renewed.says("to the new one").committed().await;
    assert_ne!(next.previous, Some(said.link()));
    assert_chain(&renewed.log().await);
}

pub(super) async fn end_drops_all(nodes: Nodes) {
    let room = nodes.room("end").await;
    room.begin().await;
    let said = room.says("hi").member("1", "a").committed().await;
    let end = room.at(Life::End(room.epoch)).line(":a!u@h PART #x").committed().await;
    assert_eq!((end.previous.as_ref(), end.epoch, end.ends), (Some(&said.link()), room.epoch, true));
    assert_eq!(room.snapshot().await, None);
    let read = room.store().read(&room.partition, room.epoch, Range::Latest, 10).await;
    assert_eq!(read, Err(crate::store::StoreError::Gone));

    let again = room.with_epoch(Epoch::random());
    let begun = again.begin().await;
    assert_eq!(begun.previous, None);
    let snapshot = again.snapshot().await.expect("it exists again");
    assert_eq!((snapshot.epoch, snapshot.members), (again.epoch, Vec::new()));
    assert_eq!(again.log().await, [begun]);
}

pub(super) async fn chain_is_unbroken(nodes: Nodes) {
    let room = nodes.room("chain").await;
    let other = room.by(nodes.last(), Writer::new("b", 2)).await;
    room.begin().await;
    for turn in 0..20 {
        let author = if turn % 3 == 0 { &other } else { &room };
        author.says("hi").committed().await;
        // Neither a conflict nor a retry leaves a link.
        assert!(matches!(author.at(Life::Within(Epoch(1))).outcome().await, Outcome::Conflict { .. }));
    }
    let log = room.log().await;
    assert_eq!(log.len(), 21);
    assert_chain(&log);
    assert_eq!(room.snapshot().await.expect("it exists").last, log[20].link());
}

pub(super) async fn epochs_keep_their_bits(nodes: Nodes) {
    for (name, epoch) in [("zero", 0), ("top", 1 << 63), ("all", u64::MAX), ("odd", (1 << 53) + 1)] {
        let room = nodes.room(name).await.with_epoch(Epoch(epoch));
        room.begin().await;
        let said = room.says("hi").committed().await;
        assert_eq!(said.epoch, Epoch(epoch));
        assert_eq!(room.snapshot().await.map(|snapshot| snapshot.epoch), Some(Epoch(epoch)));
        assert_eq!(room.read(Range::Latest, 1).await.entries, [said]);
        let neighbour = room.with_epoch(Epoch(epoch ^ 1));
        assert_eq!(neighbour.says("hi").conflict().await.0, Failure::Life);
    }
}
