//! What becomes of the store in Redis when servers, connections and data fail.

use std::sync::Arc;
use std::time::Duration;

use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_server::store::{By, Event, Failure, Life, Outcome, Partition, Range, Store, StoreError, Writer};
use stentor_testing::{RedisOptions, RedisServer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::subscriber::NoSubscriber;

use crate::support::{EPOCH, LogBeside, PATIENCE, Recorder, begin, commit, committed, persist};

/// A store that is patient, so that a busy machine is not taken for an outage.
async fn connect(server: &RedisServer) -> (Arc<RedisStore>, Arc<Recorder>) {
    connect_with(server, Duration::from_secs(10)).await
}

async fn connect_with(server: &RedisServer, timeout: Duration) -> (Arc<RedisStore>, Arc<Recorder>) {
    let settings = RedisSettings {
        command_timeout: timeout,
        heartbeat: Duration::from_millis(200),
        ..RedisSettings::new(&server.url())
    };
    let store = RedisStore::connect(settings).await.expect("it connects");
    let events = Recorder::of(store.as_ref());
    (store, events)
}

async fn log(store: &dyn Store, partition: &Partition) -> Vec<u64> {
    let page = store.read(partition, EPOCH, Range::Latest, 100_000).await.expect("it is read");
    page.entries.iter().map(|entry| entry.by.number).collect()
}

fn rooms() -> Vec<Partition> {
    (0..20).map(|n| Partition::channel(&format!("#{n}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_comes_back_and_nothing_is_missed_unsaid() {
    let mut server = RedisOptions::new().conf("appendfsync always").start();
    let (store, events) = connect(&server).await;
    for room in rooms() {
        begin(store.as_ref(), &room).await;
        store.watch(&room).await.unwrap();
    }
    server.kill();
    let away = events.until_away(0).await;
    let room = Partition::channel("#0");
    let refused = store.commit(commit(&room, Life::Within(EPOCH), 2, "while away")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(store.snapshot(&room).await.is_err());

    server.restart();
    let back = events.until_back(away).await;
    for room in rooms() {
        events.until_lost(away, &room).await;
        assert_eq!(log(store.as_ref(), &room).await, [1], "what was acknowledged is there");
    }
    let after = committed(store.as_ref(), commit(&room, Life::Within(EPOCH), 2, "again")).await;
    events.until_entry(back, &after).await;
    assert_eq!(events.count(|event| matches!(event, Event::Away)), 1);
    assert_eq!(events.count(|event| matches!(event, Event::Back)), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_subscription_is_taken_again_and_said() {
    let server = RedisServer::start();
    let (store, events) = connect(&server).await;
    for room in rooms() {
        begin(store.as_ref(), &room).await;
        store.watch(&room).await.unwrap();
    }
    let dropped = Partition::channel("#0");
    store.unwatch(&dropped).await;
    assert_eq!(server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]), "1");
    for room in rooms().iter().skip(1) {
        let lost = events.until_lost(0, room).await;
        let entry = committed(store.as_ref(), commit(room, Life::Within(EPOCH), 2, "hi")).await;
        events.until_entry(lost, &entry).await;
    }
    let unexpected = |event: &Event| match event {
        Event::Lost(of) | Event::Entry(of, _) | Event::Transient(of, _) => *of == dropped,
        Event::Away | Event::Back => true,
    };
    assert_eq!(events.count(unexpected), 0, "{:?}", events.so_far());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watch_asked_for_amid_a_reconnect_is_kept() {
    let server = RedisServer::start();
    let (store, events) = connect(&server).await;
    // From now on the connection is one for subscriptions in the server's eyes.
    store.watch(&Partition::channel("#first")).await.unwrap();
    for (number, room) in rooms().iter().enumerate() {
        if number % 4 == 0 {
            assert_eq!(server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]), "1");
        }
        store.watch(room).await.unwrap();
        let begun = begin(store.as_ref(), room).await;
        let delivered_or_said = |event: &Event| match event {
            Event::Entry(_, entry) => *entry == begun,
            Event::Lost(of) => of == room,
            _ => false,
        };
        events.until(0, "entry or Lost", delivered_or_said).await;
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_survive_the_loss_of_their_connections_exactly_once() {
    let server = RedisServer::start();
    let (store, _events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    let kills = async {
        for _ in 0..30 {
            let _ = server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            tokio::task::yield_now().await;
        }
    };
    let commits = async {
        for number in 2..400 {
            let outcome = persist(store.as_ref(), commit(&room, Life::Within(EPOCH), number, "hi")).await;
            assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        }
    };
    tokio::join!(kills, commits);
    assert_eq!(log(store.as_ref(), &room).await, (1..400).collect::<Vec<_>>());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_to_a_paused_server_is_unknown_and_then_stored_once() {
    let server = RedisServer::start();
    let (store, events) = connect_with(&server, Duration::from_secs(2)).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    store.watch(&room).await.unwrap();
    server.pause();
    let paused = commit(&room, Life::Within(EPOCH), 2, "paused");
    let unknown = store.commit(paused.clone()).await;
    assert!(matches!(unknown, Err(StoreError::Unknown(_))), "{unknown:?}");
    let away = events.until_away(0).await;
    server.resume();
    let Outcome::Committed(entry) = persist(store.as_ref(), paused.clone()).await else {
        panic!("it conflicts")
    };
    let back = events.until_back(away).await;
    events.until_lost(away, &room).await;
    assert_eq!(committed(store.as_ref(), paused).await, entry);
    assert_eq!(log(store.as_ref(), &room).await, [1, 2]);
    let next = committed(store.as_ref(), commit(&room, Life::Within(EPOCH), 3, "next")).await;
    events.until_entry(back, &next).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_behind_is_refused_work_at_once_and_loses_none_it_took() {
    let server = RedisServer::start();
    let (store, _events) = connect_with(&server, Duration::from_secs(2)).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    server.pause();
    let started = tokio::time::Instant::now();
    let asked: Vec<_> =
        (2..6000).map(|n| store.commit(commit(&room, Life::Within(EPOCH), n, "flood"))).collect();
    let mut unavailable = 0;
    for commit in asked {
        match commit.await {
            Err(StoreError::Unavailable(_)) => unavailable += 1,
            Err(StoreError::Unknown(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(unavailable > 1000, "the queue has a bound, {unavailable}");
    assert!(started.elapsed() < PATIENCE);
    server.resume();
    let outcome = persist(store.as_ref(), commit(&room, Life::Within(EPOCH), 6000, "after")).await;
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    let logged = log(store.as_ref(), &room).await;
    assert!(logged.is_sorted_by(|a, b| a < b), "each at most once, in the order of the calls");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_emptied_store_is_noticed_by_every_node() {
    let server = RedisServer::start();
    let (one, one_events) = connect(&server).await;
    let (two, two_events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(one.as_ref(), &room).await;
    let before = one.leases().await.unwrap().up_since;
    for store in [&one, &two] {
        store.watch(&room).await.unwrap();
    }
    let _ = server.cli(&["FLUSHALL"]);
    let emptied = one.now().await.unwrap();
    for events in [&one_events, &two_events] {
        events.until_lost(0, &room).await;
    }
    assert_eq!(two.snapshot(&room).await, Ok(None));
    let up_since = two.leases().await.unwrap().up_since;
    assert!(up_since > before && up_since.plus(Duration::from_secs(5)) > emptied);
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restarted_server_has_been_up_only_since_then() {
    let mut server = RedisServer::start();
    let (store, events) = connect(&server).await;
    let before = store.now().await.unwrap();
    assert!(store.leases().await.unwrap().up_since <= before);
    server.kill();
    let away = events.until_away(0).await;
    server.restart();
    events.until_back(away).await;
    assert!(store.leases().await.unwrap().up_since >= before);
    store.close().await;
}

/// On one thread, which is the one whose log is recorded.
#[tokio::test]
async fn who_reads_in_the_log_that_the_store_is_away_or_back_finds_the_node_knowing_it() {
    let mut server = RedisServer::start();
    let (store, events) = connect(&server).await;
    let log = LogBeside::of(&events);
    let _recording = tracing::subscriber::set_default(log.clone());
    // Where there is one subscriber alone, tracing asks that of the thread which logs a line first whether anybody wants it,
    // and on another test's thread that is nobody.
    let _another = tracing::Dispatch::new(NoSubscriber::default());
    server.kill();
    let away = events.until_away(0).await;
    server.restart();
    events.until_back(away).await;
    store.close().await;
    let before = log.events_before("the store is away");
    assert!(before.iter().any(|event| matches!(event, Event::Away)), "{before:?}");
    let before = log.events_before("the store is back");
    assert!(before.iter().any(|event| matches!(event, Event::Back)), "{before:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forgotten_scripts_are_sent_again() {
    let server = RedisServer::start();
    let (store, _events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    for number in 2..10 {
        let _ = server.cli(&["SCRIPT", "FLUSH"]);
        committed(store.as_ref(), commit(&room, Life::Within(EPOCH), number, "hi")).await;
        assert_eq!(log(store.as_ref(), &room).await.len() as u64, number);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_server_stores_nothing_and_says_so() {
    let server = RedisServer::start();
    let (store, _events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    let _ = server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = commit(&room, Life::Within(EPOCH), 2, "full");
    let refused = store.commit(full.clone()).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.starts_with("OOM")), "{refused:?}");
    let _ = server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(log(store.as_ref(), &room).await, [1]);
    committed(store.as_ref(), full).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn damaged_data_is_refused_and_never_a_panic() {
    let server = RedisServer::start();
    let (store, events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    store.watch(&room).await.unwrap();
    let refused = |error: &StoreError| matches!(error, StoreError::Refused(_));

    let _ = server.cli(&["SPUBLISH", "{c/#x}:p", "E nonsense\nbody"]);
    events.until_lost(0, &room).await;
    let _ = server.cli(&["XADD", "{c/#x}:l", "*", "by", "nobody", "prev", "-", "body", ""]);
    assert!(store.read(&room, EPOCH, Range::Latest, 9).await.is_err_and(|error| refused(&error)));
    let _ = server.cli(&["HSET", "{c/#x}:s", "!epoch", "short"]);
    assert!(store.snapshot(&room).await.is_err_and(|error| refused(&error)));
    let peeked = store.peek_one(&room, &[]).await;
    assert!(peeked.is_err_and(|error| refused(&error)));
    for (key, partition) in [("s", "#s"), ("m", "#m"), ("l", "#l"), ("n", "#n")] {
        let _ = server.cli(&["SET", &format!("{{c/{partition}}}:{key}"), "a string"]);
        let begin = commit(&Partition::channel(partition), Life::Begin(EPOCH), 1, "x");
        assert!(store.commit(begin).await.is_err_and(|error| refused(&error)), "{key}");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_overlong_log_is_cut_and_says_that_it_was() {
    let server = RedisServer::start();
    let (store, _events) = connect(&server).await;
    let room = Partition::channel("#x");
    let begun = begin(store.as_ref(), &room).await;
    // Entries between the first and the next, each naming a predecessor.
    let fill = "for i = 1, 100500 do redis.call('XADD', KEYS[1], ARGV[1] .. '-' .. i, 'by', 'b@1#' .. i, \
        'prev', ARGV[1] .. '-' .. (i - 1) .. '/b@1#1', 'own', '-', 'body', ':x y') end return 1";
    assert_eq!(server.cli(&["EVAL", fill, "1", "{c/#x}:l", &begun.id.ms.to_string()]), "1");
    committed(store.as_ref(), commit(&room, Life::Within(EPOCH), 2, "hi")).await;
    let left: u64 = server.cli(&["XLEN", "{c/#x}:l"]).parse().unwrap();
    assert!((100_000..100_200).contains(&left), "{left}");
    let page = store.read(&room, EPOCH, Range::From(begun.id), 1).await.unwrap();
    assert!(page.trimmed && page.entries.iter().all(|entry| entry.id != begun.id), "{page:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_ended_leaves_only_what_goes_by_itself() {
    let server = RedisServer::start();
    let (store, _events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    committed(store.as_ref(), commit(&room, Life::End(EPOCH), 2, "bye")).await;
    // Conflicts and fenced commits leave their number behind, also where nothing exists.
    let nowhere = Partition::channel("#nowhere");
    let outcome = store.commit(commit(&nowhere, Life::Within(EPOCH), 3, "x")).await;
    assert!(matches!(outcome, Ok(Outcome::Conflict { failure: Failure::Life, last: None })), "{outcome:?}");
    for key in ["{c/#x}:s", "{c/#x}:m", "{c/#nowhere}:s", "{c/#nowhere}:l"] {
        assert_eq!(server.cli(&["EXISTS", key]), "0", "{key}");
    }
    for key in ["{c/#x}:n", "{c/#x}:l", "{c/#nowhere}:n"] {
        let seconds: i64 = server.cli(&["TTL", key]).parse().unwrap();
        assert!((60..=3660).contains(&seconds), "{key} lives for {seconds} s");
    }
    let again = commit(&room, Life::Begin(EPOCH), 4, "again");
    committed(store.as_ref(), again).await;
    for key in ["{c/#x}:s", "{c/#x}:n", "{c/#x}:l"] {
        assert_eq!(server.cli(&["TTL", key]), "-1", "{key} stays");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_of_writers_long_gone_are_dropped() {
    let server = RedisServer::start();
    let (store, _events) = connect(&server).await;
    let room = Partition::channel("#x");
    begin(store.as_ref(), &room).await;
    for n in 0..20 {
        let _ = server.cli(&["HSET", "{c/#x}:n", &format!("old@{n}"), "5 - 1000"]);
    }
    let mut by_new = commit(&room, Life::Within(EPOCH), 1, "hi");
    by_new.by = By { writer: Writer::new("new", 1), number: 1 };
    committed(store.as_ref(), by_new).await;
    assert_eq!(server.cli(&["HLEN", "{c/#x}:n"]), "2");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_closed_or_dropped_store_leaves_no_connection() {
    let server = RedisServer::start();
    let (url, hung_up) = between(&server, 10).await;
    let settings = RedisSettings { command_timeout: PATIENCE, ..RedisSettings::new(&url) };
    let closed = RedisStore::connect(settings.clone()).await.expect("it connects");
    let dropped = RedisStore::connect(settings).await.expect("it connects");
    let clients = server.cli(&["CLIENT", "LIST"]);
    assert_eq!(clients.lines().filter(|line| line.contains("name=stentor")).count(), 10);
    closed.close().await;
    drop(dropped);
    tokio::time::timeout(PATIENCE, hung_up.join_all()).await.expect("no connection stays open");
}

/// A way to a server for so many connections, and what ends when all of them were closed.
async fn between(server: &RedisServer, connections: usize) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let url = format!("redis://{}", listener.local_addr().expect("a listener has an address"));
    let port = server.port();
    let mut passing = JoinSet::new();
    passing.spawn(async move {
        let mut open = JoinSet::new();
        for _ in 0..connections {
            let (mut client, _) = listener.accept().await.expect("somebody connects");
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server is there");
            open.spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
        // How a connection ended does not matter.
        let _ = open.join_all().await;
    });
    (url, passing)
}
