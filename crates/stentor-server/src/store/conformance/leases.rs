//! Leases and sweeps.

use std::time::Duration;

use super::kit::{Node, Nodes};
use crate::store::{Held, Lease, StoreTime, Writer};

/// Long enough to last through a case, and short enough to await.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(150);

async fn hold(node: &Node, writer: &Writer, ttl: Duration, info: &str) -> Held {
    node.store.hold_lease(writer, ttl, info).await.expect("the store answers")
}

async fn held(node: &Node, writer: &Writer, ttl: Duration, info: &str) -> StoreTime {
    match hold(node, writer, ttl, info).await {
        Held::Yes { deadline, now } => {
            assert_eq!(deadline, now.plus(ttl));
            deadline
        }
        other => panic!("{writer} does not get its lease: {other:?}"),
    }
}

async fn leases(node: &Node) -> Vec<Lease> {
    let mut leases = node.store.leases().await.expect("the store answers").leases;
    leases.sort_by(|a, b| a.writer.cmp(&b.writer));
    leases
}

async fn claim(node: &Node, dead: &Writer, by: &Writer, margin: Duration, ttl: Duration) -> bool {
    node.store.claim_sweep(dead, by, margin, ttl).await.expect("the store answers")
}

pub(super) async fn hold_and_renew(nodes: Nodes) {
    let (a, b) = (Writer::new("a:6697", 1), Writer::new("b", 0xff));
    let first = held(nodes.first(), &a, LONG, "users=1").await;
    let other = held(nodes.last(), &b, LONG, "two words\nand {lines} \u{e9}").await;
    let now = nodes.first().now().await;
    nodes.first().pass(now).await;
    let renewed = held(nodes.first(), &a, LONG, "users=2").await;
    assert!(renewed > first);
    let expected = [
        Lease { writer: a.clone(), expires: renewed, info: "users=2".into() },
        Lease { writer: b, expires: other, info: "two words\nand {lines} \u{e9}".into() },
    ];
    assert_eq!(leases(nodes.last()).await, expected);
    let told = nodes.last().store.leases().await.expect("the store answers");
    assert!(told.now >= now && told.up_since <= told.now, "{told:?}");
    // A renewal may also shorten.
    assert!(held(nodes.first(), &a, Duration::from_secs(1), "").await < renewed);
}

pub(super) async fn name_is_taken(nodes: Nodes) {
    let (old, new) = (Writer::new("a", 1), Writer::new("a", 2));
    let until = held(nodes.first(), &old, LONG, "").await;
    match hold(nodes.last(), &new, LONG, "").await {
        Held::Taken { until: told, now } => {
            assert_eq!(told, until);
            assert!(now < until);
        }
        other => panic!("the name was given twice: {other:?}"),
    }
    assert_eq!(leases(nodes.last()).await.len(), 1);
    held(nodes.last(), &Writer::new("a2", 1), LONG, "").await;
    held(nodes.last(), &Writer::new("a@1", 3), LONG, "").await;

    let over = held(nodes.first(), &old, SHORT, "").await;
    nodes.first().pass(over).await;
    held(nodes.last(), &new, LONG, "").await;
    let listed: Vec<_> = leases(nodes.first()).await.into_iter().map(|lease| lease.writer).collect();
    assert!(listed.contains(&old) && listed.contains(&new), "the old one is still to be swept: {listed:?}");
}

pub(super) async fn no_revival(nodes: Nodes) {
    let writer = Writer::new("a", 1);
    let over = held(nodes.first(), &writer, SHORT, "first").await;
    nodes.first().pass(over).await;
    assert_eq!(hold(nodes.first(), &writer, LONG, "second").await, Held::Over);
    let expected = Lease { writer: writer.clone(), expires: over, info: "first".into() };
    assert_eq!(leases(nodes.last()).await, [expected]);
    held(nodes.first(), &Writer::new("a", 2), LONG, "").await;
    assert_eq!(
        hold(nodes.first(), &writer, LONG, "third").await,
        Held::Over,
        "nor while another holds the name"
    );
}

pub(super) async fn release(nodes: Nodes) {
    let (old, new) = (Writer::new("a", 1), Writer::new("a", 2));
    held(nodes.first(), &old, LONG, "").await;
    nodes.first().store.release_lease(&old).await.expect("it is released");
    assert_eq!(leases(nodes.last()).await, []);
    held(nodes.last(), &new, LONG, "").await;
    // What was never held, or is released already, is no error, and releases nobody else's.
    nodes.first().store.release_lease(&old).await.expect("nothing to do");
    assert_eq!(leases(nodes.last()).await.len(), 1);
}

pub(super) async fn sweep_claims(nodes: Nodes) {
    let (dead, one, two) = (Writer::new("dead", 1), Writer::new("one", 1), Writer::new("two", 1));
    let margin = Duration::from_millis(200);
    held(nodes.first(), &dead, LONG, "").await;
    assert!(!claim(nodes.first(), &dead, &one, Duration::ZERO, SHORT).await, "it lives");
    let over = held(nodes.first(), &dead, SHORT, "").await;
    nodes.first().pass(over).await;
    assert!(!claim(nodes.first(), &dead, &one, LONG, SHORT).await, "the margin has not passed");
    nodes.first().pass(over.plus(margin)).await;

    assert!(claim(nodes.first(), &dead, &one, margin, SHORT).await);
    assert!(claim(nodes.first(), &dead, &one, margin, LONG).await, "one's own can be prolonged");
    nodes.last().pass(nodes.first().now().await.plus(SHORT)).await;
    assert!(!claim(nodes.last(), &dead, &two, margin, SHORT).await, "another's claim stands");
    assert!(claim(nodes.first(), &dead, &one, margin, SHORT).await, "and shortened");
    nodes.last().pass(nodes.first().now().await.plus(SHORT)).await;
    assert!(claim(nodes.last(), &dead, &two, margin, LONG).await, "the claim has run out");
    assert!(!claim(nodes.first(), &dead, &one, margin, SHORT).await, "and is another's now");

    // The sweep is done: the lease goes, and with it the claim.
    nodes.last().store.release_lease(&dead).await.expect("it is released");
    assert!(!claim(nodes.first(), &dead, &one, Duration::ZERO, SHORT).await);
    assert_eq!(leases(nodes.first()).await, []);
}

pub(super) async fn nothing_to_sweep(nodes: Nodes) {
    let (live, by) = (Writer::new("a", 1), Writer::new("b", 1));
    held(nodes.first(), &live, LONG, "").await;
    assert!(!claim(nodes.last(), &live, &by, Duration::ZERO, LONG).await);
    assert!(!claim(nodes.last(), &Writer::new("a", 7), &by, Duration::ZERO, LONG).await);
    assert!(!claim(nodes.last(), &Writer::new("nobody", 1), &by, Duration::ZERO, LONG).await);
}
