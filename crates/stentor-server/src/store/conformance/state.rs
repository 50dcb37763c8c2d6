//! Fields, members, private fields, odd names and values.

use super::kit::{Nodes, pairs, sorted};
use crate::store::{Guard, Is, Life, Partition, Peek, Range, StoreError, Writer};

pub(super) async fn private_fields(nodes: Nodes) {
    let room = nodes.room("private").await;
    let watcher = nodes.last();
    watcher.store.watch(&room.partition).await.expect("it can be watched");
    room.begin().await;
    let set = room.within().set("~hash", "secret").set("topic", "t").member("~1", "m").committed().await;
    let shown = format!("{:?}", set.body);
    assert!(!shown.contains("hash") && !shown.contains("secret"), "{shown}");
    let heard = watcher.events.until(&room.partition, &set).await;
    assert_eq!(heard.last(), Some(&set));
    assert_eq!(room.read(Range::Latest, 1).await.entries, [set]);

    let snapshot = room.snapshot().await.expect("it exists");
    assert_eq!(sorted(snapshot.fields), pairs(&[("name", "x"), ("topic", "t")]));
    assert_eq!(snapshot.members, pairs(&[("~1", "m")]), "only fields can be private");
    let peeked = watcher.store.peek_one(&room.partition, &["~hash", "topic"]).await.expect("a peek");
    assert_eq!(peeked.fields, [Some("secret".into()), Some("t".into())]);

    // Guards see them.
    room.within()
        .guard(Guard::Field("~hash".into(), Is::Equal("secret".into())))
        .unset("~hash")
        .committed()
        .await;
    room.within().guard(Guard::Field("~hash".into(), Is::Absent)).committed().await;
}

pub(super) async fn peek_many(nodes: Nodes) {
    let mut partitions = Vec::new();
    let mut expected = Vec::new();
    for n in 0..30_u64 {
        let room = nodes.room(&format!("peek-{n}")).await;
        partitions.push(room.partition.clone());
        if n % 3 == 0 {
            expected.push(Peek { epoch: None, fields: vec![None, None, None], members: 0 });
            continue;
        }
        let mut draft = room.at(Life::Begin(room.epoch)).set("n", &n.to_string()).set("empty", "");
        for id in 0..n % 5 {
            draft = draft.member(&id.to_string(), "");
        }
        draft.committed().await;
        let fields = vec![Some(String::new()), Some(n.to_string()), None];
        expected.push(Peek { epoch: Some(room.epoch), fields, members: n % 5 });
    }
    partitions.reverse();
    expected.reverse();
    let store = &nodes.last().store;
    assert_eq!(store.peek(&partitions, &["empty", "n", "none"]).await, Ok(expected));
    assert_eq!(store.peek(&[], &["n"]).await, Ok(Vec::new()));
    let counts = store.peek(&partitions[..1], &[]).await.expect("a peek");
    assert_eq!((counts.len(), counts[0].members, &counts[0].fields[..]), (1, 4, &[][..]));
}

pub(super) async fn changes_in_order(nodes: Nodes) {
    let room = nodes.room("in-order").await;
    room.begin().await;
    let draft = room
        .within()
        .set("a", "1")
        .set("a", "2")
        .set("b", "1")
        .unset("b")
        .unset("c")
        .set("c", "1")
        .member("m", "1")
        .no_member("m")
        .no_member("n")
        .member("n", "2");
    let entry = draft.committed().await;
    assert_eq!(entry.body.changes, draft.commit.changes);
    let snapshot = room.snapshot().await.expect("it exists");
    assert_eq!(sorted(snapshot.fields), pairs(&[("a", "2"), ("c", "1"), ("name", "x")]));
    assert_eq!(snapshot.members, pairs(&[("n", "2")]));
}

pub(super) async fn odd_texts(nodes: Nodes) {
    let room = nodes.room("odd").await;
    room.begin().await;
    let values = ODD.iter().copied().chain([
        "",
        " ",
        " both ends ",
        "a b  c",
        "two\nlines",
        "\r\n",
        "\0",
        "a\0b",
        "\0\n\\0",
    ]);
    let values: Vec<&str> = values.collect();
    let mut draft = room.within();
    for (n, value) in values.iter().enumerate() {
        draft = draft.set(&format!("v{n}"), value).member(&format!("v{n}"), value);
    }
    let entry = draft.committed().await;
    assert_eq!(entry.body.changes, draft.commit.changes);
    let mut named = room.within();
    for name in ODD {
        named = named.set(name, name).member(name, name);
    }
    let entry = named.committed().await;
    assert_eq!(entry.body.changes, named.commit.changes);
    assert_eq!(room.log().await.last(), Some(&entry));

    let snapshot = room.snapshot().await.expect("it exists");
    let members = sorted(snapshot.members);
    let names: Vec<String> = (0..values.len()).map(|n| format!("v{n}")).collect();
    let mut expected: Vec<_> = names.iter().map(String::as_str).zip(values.iter().copied()).collect();
    expected.extend(ODD.iter().map(|name| (*name, *name)));
    assert_eq!(members, sorted(pairs(&expected)));
    expected.push(("name", "x"));
    assert_eq!(sorted(snapshot.fields), sorted(pairs(&expected)));
    for name in ODD {
        let guard = room.within().guard(Guard::Field((*name).into(), Is::Equal((*name).into())));
        guard.guard(Guard::Member((*name).into(), Is::Equal((*name).into()))).committed().await;
    }
    let peeked = room.store().peek_one(&room.partition, ODD).await.expect("a peek");
    assert_eq!(peeked.fields, ODD.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>());
}

pub(super) async fn illegal_texts(nodes: Nodes) {
    let room = nodes.room("illegal").await;
    let begun = room.begin().await;
    for name in ["", " ", "a b", "a\nb", "\n", "a\r"] {
        for draft in [
            room.within().set(name, "x"),
            room.within().unset(name),
            room.within().set("topic", "t").member(name, "x"),
            room.within().no_member(name),
        ] {
            let refused = draft.send().await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{name:?}: {refused:?}");
        }
    }
    for line in ["", "PRIVMSG #x :hi", " :a", "\n:a", "=a b"] {
        let refused = room.says("hi").line(line).send().await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{line:?}: {refused:?}");
    }
    assert_eq!(room.log().await, [begun]);
    assert_eq!(room.snapshot().await.expect("it exists").fields, pairs(&[("name", "x")]));
    room.says("hi").committed().await;
}

pub(super) async fn odd_partitions(nodes: Nodes) {
    let mut rooms = Vec::new();
    for name in ODD {
        let room = nodes.room(name).await;
        nodes.last().store.watch(&room.partition).await.expect("it can be watched");
        room.at(Life::Begin(room.epoch)).set("is", name).committed().await;
        rooms.push(room);
    }
    for (name, room) in ODD.iter().zip(&rooms) {
        assert_eq!(room.snapshot().await.expect("it exists").fields, pairs(&[("is", name)]));
        let said = room.says(name).committed().await;
        let heard = nodes.last().events.until(&room.partition, &said).await;
        assert_eq!(heard.len(), 2, "{name:?} has its own events");
        room.store().publish(&room.partition, name).await.expect("it is published");
        nodes.last().events.until_transient(&room.partition, name).await;
        assert_eq!(room.log().await.len(), 2);
    }
}

pub(super) async fn every_kind(nodes: Nodes) {
    let writer = Writer::new("a", 1);
    let partitions = [
        Partition::channel("x"),
        Partition::account("x"),
        Partition::guest("x"),
        Partition::nick("x"),
        Partition::directory(7),
        Partition::fleet(),
        Partition::index(&writer),
    ];
    for partition in partitions {
        let room = nodes.first().room(partition.clone(), writer.clone()).await;
        nodes.last().store.watch(&partition).await.expect("it can be watched");
        room.begin().await;
        let said = room.says("hi").set("topic", "t").member("1", "m").committed().await;
        nodes.last().events.until(&partition, &said).await;
        let snapshot = room.snapshot().await.expect("it exists");
        assert_eq!(sorted(snapshot.fields), pairs(&[("name", "x"), ("topic", "t")]), "{partition}");
        assert_eq!(snapshot.members, pairs(&[("1", "m")]), "{partition}");
        assert_eq!(room.read(Range::Latest, 1).await.entries, [said], "{partition}");
        let end = room.at(Life::End(room.epoch));
        let ended = end.committed().await;
        assert_eq!(end.committed().await, ended, "{partition}");
        assert_eq!(room.snapshot().await, None, "{partition}");
    }
}

/// Names that a store might take for something else. None is empty or has a space or a line break.
const ODD: &[&str] = &[
    "{",
    "}",
    "{}",
    "{a}b",
    "a{b}",
    "%",
    "%7b",
    "%%s",
    "*",
    "?",
    "[a]",
    "\\",
    "\\n",
    "^|`_-",
    ":",
    "a:b",
    "#",
    "/",
    "a/b",
    "=",
    "'",
    "\"",
    ";--",
    "é",
    "日本語",
    "\u{1f600}",
    "\u{1}",
    "A",
    "a",
    "nil",
    "0",
    "-1",
    "1e3",
];
