//! Many writers, one order, on every node; snapshots that join up with events.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::kit::{Nodes, Replica, Room, assert_chain, sorted};
use crate::store::{Entry, Failure, Guard, Is, Outcome, Writer};

/// Writers at once, and commits by each of them.
const WRITERS: usize = 8;
const COMMITS: usize = 40;

pub(super) async fn one_order(nodes: Nodes) {
    let room = nodes.room("order").await;
    room.begin().await;
    let mut replicas = Vec::new();
    for node in nodes.all() {
        replicas.push(Replica::start(room.by(node, Writer::new("watcher", 1)).await).await);
    }
    let said = write_at_once(&nodes, &room).await;
    let log = room.log().await;
    assert_eq!(log.len(), 1 + WRITERS * COMMITS);
    assert_chain(&log);
    for entry in said.iter().flatten() {
        assert_eq!(log.iter().filter(|logged| *logged == entry).count(), 1, "{entry:?} is logged once");
    }
    for own in said {
        assert!(own.is_sorted_by_key(|entry| entry.id), "a writer's commits keep their order");
    }
    let last = log.last().expect("it is not empty").link();
    for mut replica in replicas {
        replica.follow_to(&last).await;
        assert_eq!(replica.applied, log[1..], "a watcher saw another order than the log's");
    }
}

pub(super) async fn one_winner(nodes: Nodes) {
    let room = nodes.room("winner").await;
    room.begin().await;
    let mut attempts = JoinSet::new();
    for (n, node) in (0..24).zip(nodes.all().iter().cycle()) {
        let claimant = room.by(node, Writer::new("claimant", n)).await;
        let claim =
            claimant.within().guard(Guard::Field("owner".into(), Is::Absent)).set("owner", &n.to_string());
        attempts.spawn(async move { (n, claim.outcome().await) });
    }
    let mut winners = Vec::new();
    for (n, outcome) in attempts.join_all().await {
        match outcome {
            Outcome::Committed(_) => winners.push(n.to_string()),
            other => assert!(
                matches!(other, Outcome::Conflict { failure: Failure::Guard(0), .. }),
                "a claim ended as {other:?}"
            ),
        }
    }
    let owner = room.store().peek_one(&room.partition, &["owner"]).await.expect("a peek");
    assert_eq!(owner.fields, [winners.pop()]);
    assert_eq!(winners, [""; 0], "there is one winner");
}

pub(super) async fn snapshot_joins_up(nodes: Nodes) {
    let room = nodes.room("joins-up").await;
    room.begin().await;
    let mut writers = JoinSet::new();
    let (writing_nodes, writing_room) = (nodes.all().to_vec(), room.clone());
    for n in 0..WRITERS {
        let node = writing_nodes[n % writing_nodes.len()].clone();
        let author = writing_room.by(&node, Writer::new("author", n as u64)).await;
        writers.spawn(async move {
            for turn in 0..COMMITS {
                let id = format!("{n}-{}", turn % 5);
                let draft = author.says("hi").set(&id, &turn.to_string());
                let draft = if turn % 2 == 0 { draft.member(&id, "in") } else { draft.no_member(&id) };
                draft.committed().await;
            }
        });
    }
    // Replicas that start while the writers write.
    let mut replicas = Vec::new();
    for node in nodes.all().iter().cycle().take(4.max(nodes.all().len())) {
        replicas.push(Replica::start(room.by(node, Writer::new("watcher", 1)).await).await);
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer writes");
    }
    let end = room.snapshot().await.expect("it exists");
    let (fields, members) = (sorted(end.fields), sorted(end.members));
    for mut replica in replicas {
        replica.follow_to(&end.last).await;
        assert_eq!(Vec::from_iter(replica.fields), fields);
        assert_eq!(Vec::from_iter(replica.members), members);
    }
}

pub(super) async fn order_of_calls(nodes: Nodes) {
    let room = nodes.room("calls").await;
    room.begin().await;
    let drafts: Vec<_> = (0..50).map(|n| room.says(&n.to_string())).collect();
    let futures: Vec<_> = drafts.iter().map(|draft| draft.send()).collect();
    // Polled in the reverse order: the place in line was taken by the calls.
    let mut entries = Vec::new();
    for future in futures.into_iter().rev() {
        match future.await {
            Ok(Outcome::Committed(entry)) => entries.push(entry),
            other => panic!("a commit ended as {other:?}"),
        }
    }
    entries.reverse();
    assert_eq!(room.log().await[1..], entries);
}

pub(super) async fn dropped_future(nodes: Nodes) {
    let room = nodes.room("dropped").await;
    room.begin().await;
    drop(room.says("never awaited").send());
    let after = room.says("awaited").committed().await;
    let log = room.log().await;
    assert_eq!(log.len(), 3, "{log:?}");
    assert_eq!(log[1].body.lines, [":a!u@h PRIVMSG #x :never awaited"]);
    assert_eq!(log[2], after);
}

pub(super) async fn time_is_monotone(nodes: Nodes) {
    let room = nodes.room("time").await;
    room.begin().await;
    let (mut time, mut id) = (nodes.first().now().await, None);
    for turn in 0..50 {
        let entry = room.says("hi").committed().await;
        assert!(Some(entry.id) > id, "{:?} does not come after {id:?}", entry.id);
        id = Some(entry.id);
        let now = nodes.first().now().await;
        assert!(now >= time, "turn {turn}: {now:?} is before {time:?}");
        assert!(entry.id.ms.abs_diff(now.0) < 60_000, "{:?} is not of the time {now:?}", entry.id);
        time = now;
    }
}

async fn write_at_once(nodes: &Nodes, room: &Room) -> Vec<Vec<Arc<Entry>>> {
    let mut writers = JoinSet::new();
    for (n, node) in (0..WRITERS).zip(nodes.all().iter().cycle()) {
        let author = room.by(node, Writer::new("author", n as u64)).await;
        writers.spawn(async move {
            let mut entries = Vec::new();
            for turn in 0..COMMITS {
                entries.push(author.says(&turn.to_string()).committed().await);
            }
            entries
        });
    }
    writers.join_all().await
}
