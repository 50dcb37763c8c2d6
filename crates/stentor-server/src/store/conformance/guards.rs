//! What must hold before a commit, and what is told when it does not.

use super::kit::{Nodes, pairs, sorted};
use crate::store::{Failure, Guard, Is, Life, Outcome, Size};

pub(super) async fn fields(nodes: Nodes) {
    let room = nodes.room("fields").await;
    room.begin().await;
    room.within().set("topic", "one").set("empty", "").committed().await;
    let holding = [
        ("topic", Is::Present),
        ("topic", Is::Equal("one".into())),
        ("empty", Is::Present),
        ("empty", Is::Equal(String::new())),
        ("key", Is::Absent),
    ];
    for (name, is) in holding {
        room.within().guard(Guard::Field(name.into(), is)).committed().await;
    }
    let failing = [
        ("topic", Is::Absent),
        ("topic", Is::Equal("two".into())),
        ("topic", Is::Equal("on".into())),
        ("empty", Is::Absent),
        ("key", Is::Present),
        ("key", Is::Equal(String::new())),
    ];
    for (name, is) in failing {
        let (failure, _) = room.within().guard(Guard::Field(name.into(), is)).conflict().await;
        assert_eq!(failure, Failure::Guard(0));
    }
}

pub(super) async fn members(nodes: Nodes) {
    let room = nodes.room("members").await;
    room.begin().await;
    // A member and a field may share a name and have nothing to do with each other.
    room.within().member("7f", "token").set("80", "field").committed().await;
    let holding = [("7f", Is::Present), ("7f", Is::Equal("token".into())), ("80", Is::Absent)];
    for (id, is) in holding {
        room.within().guard(Guard::Member(id.into(), is)).committed().await;
    }
    let failing = [
        ("7f", Is::Absent),
        ("7f", Is::Equal("other".into())),
        ("80", Is::Present),
        ("80", Is::Equal("field".into())),
        ("name", Is::Present),
    ];
    for (id, is) in failing {
        let (failure, _) = room.within().guard(Guard::Member(id.into(), is)).conflict().await;
        assert_eq!(failure, Failure::Guard(0));
    }
}

pub(super) async fn sizes(nodes: Nodes) {
    let room = nodes.room("sizes").await;
    // The commit that begins a partition finds it empty, whatever it adds.
    let begun = room.at(Life::Begin(room.epoch)).guard(Guard::Size(Size::Exactly(0))).member("1", "");
    begun.committed().await;
    room.within().member("2", "").member("3", "").committed().await;
    for size in [Size::Exactly(3), Size::Above(2), Size::Above(0), Size::Below(4)] {
        room.within().guard(Guard::Size(size)).committed().await;
    }
    for size in
        [Size::Exactly(0), Size::Exactly(2), Size::Exactly(4), Size::Above(3), Size::Below(3), Size::Below(0)]
    {
        let (failure, _) = room.within().guard(Guard::Size(size)).conflict().await;
        assert_eq!(failure, Failure::Guard(0), "{size:?} held with three members");
    }
    // A member that is set again counts once, one that was never there takes nothing away.
    room.within().member("2", "again").no_member("9").committed().await;
    let last_out = room.within().no_member("1").no_member("2").no_member("3");
    last_out.guard(Guard::Size(Size::Exactly(3))).committed().await;
    room.at(Life::End(room.epoch)).guard(Guard::Size(Size::Exactly(0))).committed().await;
}

pub(super) async fn conflict_reports(nodes: Nodes) {
    let room = nodes.room("reports").await;
    let absent = room.within().guard(Guard::Size(Size::Above(9)));
    assert_eq!(absent.conflict().await, (Failure::Life, None), "the partition does not exist");

    let begun = room.begin().await;
    let draft = room
        .within()
        .guard(Guard::Field("name".into(), Is::Present))
        .guard(Guard::Size(Size::Exactly(0)))
        .guard(Guard::Member("1".into(), Is::Present))
        .guard(Guard::Field("name".into(), Is::Absent));
    assert_eq!(draft.conflict().await, (Failure::Guard(2), Some(begun.link())));

    let second = room.says("hi").committed().await;
    assert_eq!(second.previous, Some(begun.link()), "a conflict leaves no link in the chain");
    let other = room.by(nodes.last(), crate::store::Writer::new("b", 1)).await;
    let draft = other.within().guard(Guard::Member("1".into(), Is::Present));
    assert_eq!(draft.conflict().await, (Failure::Guard(0), Some(second.link())));
}

pub(super) async fn conflict_changes_nothing(nodes: Nodes) {
    let room = nodes.room("unchanged").await;
    room.begin().await;
    room.within().set("topic", "old").member("1", "a").committed().await;
    let before = room.snapshot().await.expect("it exists");
    let draft = room
        .within()
        .guard(Guard::Field("topic".into(), Is::Absent))
        .set("topic", "new")
        .unset("name")
        .member("2", "b")
        .no_member("1")
        .line(":a!u@h TOPIC #x :new");
    assert!(matches!(draft.outcome().await, Outcome::Conflict { .. }));
    let after = room.snapshot().await.expect("it exists");
    assert_eq!(after.last, before.last);
    assert_eq!(sorted(after.fields), pairs(&[("name", "x"), ("topic", "old")]));
    assert_eq!(after.members, pairs(&[("1", "a")]));
    assert_eq!(room.log().await.len(), 2);
}
