//! How many commits a second the embedded store takes, and how long one waits:
//! `cargo run --release --example embedded_throughput -- [seconds] [in flight] [partitions] [normal|full]`.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use stentor_server::store::{
    By, Change, Commit, Epoch, Guard, Is, Life, Outcome, Partition, Store, StoreTime, Writer,
};
use tokio::task::JoinSet;

const EPOCH: Epoch = Epoch(1);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        arguments.next().map_or(default, |text| text.parse().expect("seconds, commits in flight, partitions"))
    };
    let (seconds, in_flight, partitions) = (number(5), number(256), number(64));
    let full = arguments.next().is_some_and(|word| word == "full");
    let durability = if full { Durability::Full } else { Durability::Normal };
    let directory = std::env::temp_dir().join(format!("stentor-throughput-{}", std::process::id()));
    let store = EmbeddedStore::open(&directory, OpenMode::Create, durability).expect("it opens");
    println!("{}", store.describe());

    let numbers = Arc::new(AtomicU64::new(1));
    for room in 0..partitions {
        let mut begin = message(room, numbers.fetch_add(1, Ordering::SeqCst));
        (begin.life, begin.guards) = (Life::Begin(EPOCH), Vec::new());
        begin.changes = vec![Change::Set("rules".into(), "r".into())];
        store.commit(begin).await.expect("it is stored");
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut clients = JoinSet::new();
    for client in 0..in_flight {
        let (store, numbers) = (store.clone(), numbers.clone());
        clients.spawn(async move {
            let mut waits = Vec::new();
            while Instant::now() < end {
                let commit = message(client % partitions, numbers.fetch_add(1, Ordering::SeqCst));
                let start = Instant::now();
                // Numbers of other clients may have gone first; such a commit was judged and answered all the same.
                let outcome = store.commit(commit).await.expect("it is answered");
                if matches!(outcome, Outcome::Committed(_)) {
                    waits.push(start.elapsed());
                }
            }
            waits
        });
    }
    let mut waits: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{} commits/s with {in_flight} in flight on {partitions} partitions",
        waits.len() as u64 / seconds
    );
    println!(
        "waits: half {:?}, 99% {:?}, longest {:?}",
        at(50),
        at(99),
        waits.last().copied().unwrap_or_default()
    );
    store.close().await;
    std::fs::remove_dir_all(&directory).expect("it can be removed");
}

/// What a room message costs: a guard and a line.
fn message(room: u64, number: u64) -> Commit {
    Commit {
        partition: Partition::channel(&format!("#room{room}")),
        life: Life::Within(EPOCH),
        guards: vec![Guard::Field("rules".into(), Is::Equal("r".into()))],
        changes: Vec::new(),
        lines: vec![
            "@account=alice :alice!~alice@user/alice PRIVMSG #room :The quick brown fox jumps over the lazy dog".into(),
        ],
        by: By { writer: Writer::new("bench", 1), number },
        deadline: StoreTime(u64::MAX),
    }
}
