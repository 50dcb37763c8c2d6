//! Clients that go in the middle of what is delivered to them, on two nodes that share a real `redis-server`. A test
//! binary of its own, since a panic anywhere in it counts.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_testing::{RedisServer, Said, TestClient, TestServer, command};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_disconnects_during_delivery_cause_no_panic_and_leave_nothing_behind() {
    let panics = count_panics();
    let redis = RedisServer::start();
    let nodes = [node(&redis, "one.example").await, node(&redis, "two.example").await];
    let at_rest = nodes.each_ref().map(|server| server.node.hub.followed());
    let mut watchers = [nodes[0].client("watcher-0").await, nodes[1].client("watcher-1").await];
    for watcher in &mut watchers {
        watcher.ask("JOIN #room").await;
    }
    // How many quits, and messages of the other watcher, each has seen.
    let mut seen = [(0, 0), (0, 0)];
    for round in 0..ROUNDS {
        let mut crowd = Vec::new();
        for index in 0..CROWD {
            let mut client = nodes[index % 2].client(&format!("c-{round}-{index}")).await;
            client.ask("JOIN #room").await;
            crowd.push(client);
        }
        leave_amid_messages(&mut watchers, crowd).await;
        for (index, watcher) in watchers.iter_mut().enumerate() {
            let all = ((round + 1) * CROWD, (round + 1) * CROWD / 2);
            let hear_all = async {
                // What the other node's users cause comes when it comes.
                while seen[index].0 < all.0 || seen[index].1 < all.1 {
                    let lines = watcher.drain_until_pong().await;
                    seen[index].0 += command(&lines, "QUIT").len();
                    seen[index].1 += to_the_room(&lines);
                }
            };
            let in_time = timeout(PATIENCE, hear_all).await.is_ok();
            assert!(
                in_time && seen[index] == all,
                "quits and messages: {:?}, instead of {all:?}",
                seen[index]
            );
        }
    }
    for watcher in &mut watchers {
        let lines = watcher.drain_until_pong().await;
        assert_eq!(
            command(&lines, "QUIT").len() + to_the_room(&lines),
            0,
            "something comes twice: {lines:?}"
        );
    }

    drop(watchers);
    for (server, at_rest) in nodes.iter().zip(at_rest) {
        comes_to_rest(server, at_rest).await;
    }
    assert_eq!(redis.cli(&["KEYS", "{c/*:m"]), "", "a room keeps members");
    assert_eq!(redis.cli(&["EVAL", STAYS_FOR_EVER, "0"]), "", "a room, a nick or a guest leaves keys behind");
    assert_eq!(panics.load(Ordering::SeqCst), 0);
}

/// Everybody goes while messages are on their way: some with a last word, some without.
async fn leave_amid_messages(watchers: &mut [TestClient; 2], crowd: Vec<TestClient>) {
    for (index, mut client) in crowd.into_iter().enumerate() {
        watchers[index % 2].send(&format!("PRIVMSG #room :to those who are here {index}")).await;
        if index % 3 == 0 {
            client.send("PRIVMSG watcher-0 :on my way\r\nQUIT :done").await;
        }
        drop(client);
    }
}

fn to_the_room(seen: &[Said]) -> usize {
    command(seen, "PRIVMSG").iter().filter(|said| said.param(0) == "#room").count()
}

/// Waits until a node has no client and follows no more than before the first came.
async fn comes_to_rest(server: &TestServer, at_rest: usize) {
    let resting = async {
        while !server.node.clients.is_empty() || server.node.hub.followed() > at_rest {
            tokio::task::yield_now().await;
        }
    };
    let (clients, followed) = (server.node.clients.count().now, server.node.hub.followed());
    assert!(
        timeout(PATIENCE, resting).await.is_ok(),
        "{} keeps {clients} clients and {followed} partitions, instead of {at_rest}",
        server.name()
    );
}

async fn node(redis: &RedisServer, name: &str) -> TestServer {
    let store = RedisStore::connect(RedisSettings::new(&redis.url())).await.expect("Redis can be reached");
    let directory = tempfile::tempdir().expect("a directory can be made");
    TestServer::start_on(store, name, directory, &[]).await
}

/// Counts what panics from now on, in whatever thread.
fn count_panics() -> Arc<AtomicUsize> {
    let (count, usual) = (Arc::new(AtomicUsize::new(0)), panic::take_hook());
    let counting = count.clone();
    panic::set_hook(Box::new(move |info| {
        counting.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
    count
}

/// Keys that do not go by themselves; what a late retry would look for does.
const STAYS_FOR_EVER: &str = "local stay = {} \
    for _, key in ipairs(redis.call('KEYS', '{[cnu]/*')) do \
      if redis.call('TTL', key) < 0 then stay[#stay + 1] = key end \
    end \
    return stay";
const ROUNDS: usize = 10;
const CROWD: usize = 100;
const PATIENCE: Duration = Duration::from_secs(30);
