//! How long it is kept.

use std::time::Duration;

use stentor_server::account::Password;
use stentor_server::fleet::directory;
use stentor_server::history::janitor::{Janitor, Visit};
use stentor_server::hub::Decision;
use stentor_server::hub::clock::parse_server_time;
use stentor_server::operator::audit::Deed;
use stentor_server::store::partition::DIRECTORY_BUCKETS;
use stentor_server::store::{Change, Epoch, Life, Partition, StoreTime, Writer};
use stentor_testing::{Fault, Said, TestServer, command, numeric};
use tokio::time::Instant;

use crate::{CAPABILITIES, Spoken, batch_of, page, say, say_all};

/// The store's time now.
async fn now(server: &TestServer) -> u64 {
    server.node.hub.store().now().await.expect("the store is open").0
}

/// The janitor's visit to a partition at this time.
async fn visit(server: &TestServer, partition: &Partition, now: u64) -> Visit {
    let mut janitor = Janitor::new(server.node.clone());
    janitor.visit(partition, StoreTime(now)).await.expect("the store is open")
}

const TRIMMED: Visit = Visit { trimmed: true, ended: false };
const LEFT_ALONE: Visit = Visit { trimmed: false, ended: false };

#[tokio::test]
async fn old_messages_go_and_their_readers_are_told() {
    let server = TestServer::start_with(&[("history.max_age", "'1h'")]).await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("bob", &["batch", "draft/chathistory"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    let all = say_all(&server, &mut ann, "#room", 5).await;
    bob.drain_until_pong().await;
    let room = Partition::channel("#room");
    let third = parse_server_time(&all[2].time).expect("a time tag is a time");
    assert_eq!(visit(&server, &room, now(&server).await).await, LEFT_ALONE);
    assert_eq!(page(&mut ann, "LATEST #room * 50", "#room").await, all);
    assert_eq!(visit(&server, &room, third + HOUR_MS).await, TRIMMED);
    assert_eq!(visit(&server, &room, third + HOUR_MS).await, LEFT_ALONE);

    let told = |lines: &[Said]| command(lines, "NOTE").iter().any(|note| note.param(1) == "TRIMMED");
    let cases = [
        ("LATEST #room * 50".to_owned(), &all[2..], true),
        (format!("BEFORE #room {} 50", all[3].by_id()), &all[2..3], true),
        (format!("BEFORE #room {} 50", all[1].by_id()), &[], true),
        (format!("AFTER #room {} 50", all[0].by_time()), &all[2..], true),
        (format!("BETWEEN #room {} {} 50", all[0].by_id(), all[4].by_id()), &all[2..4], true),
        (format!("AROUND #room {} 50", all[1].by_id()), &all[2..], true),
        ("LATEST #room * 3".to_owned(), &all[2..], false),
        (format!("LATEST #room {} 50", all[2].by_id()), &all[3..], false),
        (format!("AFTER #room {} 50", all[2].by_id()), &all[3..], false),
    ];
    for (request, expected, is_told) in cases {
        let lines = ann.ask(&format!("CHATHISTORY {request}")).await;
        let found = batch_of(&lines, &["chathistory", "#room"]);
        assert_eq!(found.into_iter().map(Spoken::of).collect::<Vec<_>>(), expected, "{request}");
        assert_eq!(told(&lines), is_told, "{request}");
    }
    let lines = bob.ask("CHATHISTORY LATEST #room * 50").await;
    assert!(lines[0].command == "NOTICE" && lines[0].text().contains("not kept"), "{lines:#?}");
    let lines = ann.ask("@label=L CHATHISTORY LATEST #room * 50").await;
    assert_eq!(lines.iter().filter(|line| line.tag("label").is_some()).count(), 1);
    let (outer, inner) = (lines[0].param(0), lines[2].param(0));
    assert_eq!((lines[0].param(1), lines[2].param(1)), ("labeled-response", "chathistory"));
    let within = |batch: &str| {
        let of = |line: &&Said| line.tag("batch").as_deref() == batch.strip_prefix('+');
        lines.iter().filter(of).count()
    };
    assert_eq!((within(outer), within(inner)), (3, 3), "a note and two ends of a batch; three messages");
}

#[tokio::test]
async fn the_janitor_counts_messages_and_not_joins() {
    let server = TestServer::start_with(&[("history.max_count", "4")]).await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    let room = Partition::channel("#room");
    let mut janitor = Janitor::new(server.node.clone());
    let mut all = Vec::new();
    for n in 0..4 {
        bob.ask("JOIN #room").await;
        all.push(say(&server, &mut ann, "#room", &format!("message {n}")).await);
        bob.ask("PART #room").await;
    }
    let later = now(&server).await + HOUR_MS;
    assert_eq!(janitor.visit(&room, StoreTime(later)).await, Ok(LEFT_ALONE));
    assert_eq!(page(&mut ann, "LATEST #room * 50", "#room").await, all);
    for n in 4..10 {
        all.push(say(&server, &mut ann, "#room", &format!("message {n}")).await);
        assert_eq!(janitor.visit(&room, StoreTime(later)).await, Ok(TRIMMED), "{n}");
        assert_eq!(page(&mut ann, "LATEST #room * 50", "#room").await, all[all.len() - 4..]);
        assert_eq!(janitor.visit(&room, StoreTime(later)).await, Ok(LEFT_ALONE));
    }
    // Another node has cut the log meanwhile: what was counted before is void.
    let before = parse_server_time(&all[8].time).expect("a time tag is a time");
    server.node.hub.store().trim(&room, StoreTime(before), u64::MAX).await.expect("the store is open");
    all.push(say(&server, &mut ann, "#room", "message 10").await);
    all.push(say(&server, &mut ann, "#room", "message 11").await);
    assert_eq!(janitor.visit(&room, StoreTime(later)).await, Ok(LEFT_ALONE));
    assert_eq!(page(&mut ann, "LATEST #room * 50", "#room").await, all[8..]);
}

#[tokio::test]
async fn private_messages_are_trimmed_too() {
    let settings = [("accounts.required", "true"), ("history.max_count", "2")];
    let server = TestServer::start_with(&settings).await;
    for name in ["ann", "bob"] {
        server.account(name, "a good password").await;
    }
    let mut ann = server.login("ann", "a good password", CAPABILITIES).await;
    let all = say_all(&server, &mut ann, "bob", 5).await;
    let later = now(&server).await + HOUR_MS;
    assert_eq!(visit(&server, &Partition::account("bob"), later).await, TRIMMED);
    let mut bob = server.login("bob", "a good password", CAPABILITIES).await;
    assert_eq!(page(&mut bob, "LATEST ann * 50", "ann").await, all[3..]);
    assert_eq!(page(&mut ann, "LATEST bob * 50", "bob").await, all, "each side's log is its own");
    let older = page(&mut bob, &format!("AFTER ann {} 50", all[0].by_id()), "ann").await;
    assert_eq!(older, all[3..], "an id of a message that is gone stands for its time");
}

#[tokio::test]
async fn an_abandoned_room_ends_and_its_name_is_free() {
    let settings = [("accounts.required", "true"), ("history.max_age", "'2h'")];
    let server = TestServer::start_with(&settings).await;
    for name in ["ann", "bob"] {
        server.account(name, "a good password").await;
    }
    let mut ann = server.login("ann", "a good password", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    say(&server, &mut ann, "#room", "is anybody here?").await;
    let room = Partition::channel("#room");
    let later = now(&server).await + 3 * HOUR_MS;
    assert_eq!(visit(&server, &room, later).await, TRIMMED, "somebody is there");
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let store = server.node.hub.store();
    while store.peek_one(&room, &[]).await.expect("the store is open").members > 0 {
        tokio::task::yield_now().await;
    }
    let soon = now(&server).await + HOUR_MS;
    assert_eq!(visit(&server, &room, soon).await, LEFT_ALONE, "its founder may come back");
    let listed = directory::channels(&server.node.hub).await.expect("the store is open");
    assert_eq!(listed, std::slice::from_ref(&room));
    let later = now(&server).await + 3 * HOUR_MS;
    assert_eq!(visit(&server, &room, later).await, Visit { trimmed: false, ended: true });
    assert_eq!(visit(&server, &room, later).await, LEFT_ALONE);
    assert_eq!(directory::channels(&server.node.hub).await.expect("the store is open"), []);

    let mut bob = server.login("bob", "a good password", CAPABILITIES).await;
    let lines = bob.ask("JOIN #room").await;
    assert!(numeric(&lines, "353").text().contains("~bob"), "{lines:#?}");
    let first = say(&server, &mut bob, "#room", "mine now").await;
    assert_eq!(page(&mut bob, "LATEST #room * 50", "#room").await, [first]);
}

const HOUR_MS: u64 = 3_600_000;

#[tokio::test]
async fn nodes_share_the_janitors_work() {
    let server = TestServer::start().await;
    let (node, store) = (&server.node, server.node.hub.store());
    let rooms: Vec<Partition> = (0..40).map(|n| Partition::channel(&format!("#gone-{n}"))).collect();
    for room in &rooms {
        let listing = Change::Set(room.to_string(), "00000000000000aa 1".to_owned());
        node.hub
            .write(&node.tenure(), &Partition::directory_of(room.as_str()), &[], |peek| {
                let life = peek.epoch.map_or_else(|| Life::Begin(Epoch::random()), Life::Within);
                let changes = vec![listing.clone()];
                Ok::<_, ()>(Decision { life: Some(life), changes, ..Decision::default() })
            })
            .await
            .expect("the directory can be written");
    }
    let other = Writer::new("other", 1);
    store.hold_lease(&other, Duration::from_mins(1), "").await.expect("the store is open");
    node.fleet.refresh().await.expect("the store is open");
    visit_all(&server).await;
    let left = directory::channels(&node.hub).await.expect("the store is open");
    assert!((8..=32).contains(&left.len()), "{} of 40 listings are the other node's to clean up", left.len());

    store.release_lease(&other).await.expect("the store is open");
    node.fleet.refresh().await.expect("the store is open");
    visit_all(&server).await;
    assert_eq!(directory::channels(&node.hub).await.expect("the store is open"), []);
}

#[tokio::test]
async fn an_account_that_was_listed_and_never_made_is_forgotten() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let accounts = &server.node.accounts;
    let password = Password::new("sesame").expect("it is legal");
    let (ann, old) = (Partition::account("ann"), Partition::account("old"));
    line.fail(&ann, Fault::Away, 1);
    accounts.add("ann", &password).await.expect_err("the store is away");
    server.account("bob", "sesame").await;
    // As a version before this one has listed it.
    let entry = Change::Set(old.to_string(), "00000000000000aa".to_owned());
    let directory = Partition::directory_of(old.as_str());
    accounts.committer().upsert(&directory, vec![entry]).await.expect("the store is open");
    assert_eq!(accounts.count().await, Ok(3));

    let now = now(&server).await;
    visit(&server, &ann, now).await;
    assert_eq!(accounts.count().await, Ok(3), "it may be on its way");
    for (at, left, why) in [
        (now + HOUR_MS, 2, "one says when it was listed"),
        (now + HOUR_MS + 60_000, 2, "the other does so since the visit before"),
        (now + 2 * HOUR_MS, 1, "that is over, too"),
    ] {
        for name in ["ann", "bob", "old"] {
            visit(&server, &Partition::account(name), at).await;
        }
        assert_eq!(accounts.count().await, Ok(left), "{why}");
    }
    accounts.add("ann", &password).await.expect("the name is free");
    visit(&server, &ann, now + 3 * HOUR_MS).await;
    assert_eq!(accounts.count().await, Ok(2));
}

async fn visit_all(server: &TestServer) {
    let mut janitor = Janitor::new(server.node.clone());
    for bucket in 0..DIRECTORY_BUCKETS {
        janitor.visit_bucket(bucket, Instant::now()).await.expect("the store is open");
    }
}

#[tokio::test]
async fn a_room_that_a_crash_left_without_members_goes_after_an_hour() {
    let server = TestServer::start_with(&[("history.max_age", "'0'")]).await;
    let node = &server.node;
    let room = Partition::channel("#room");
    let begin = |founder: Option<&str>| Decision {
        changes: founder.map(|name| Change::Set("founder".to_owned(), name.to_owned())).into_iter().collect(),
        ..Decision::default()
    };
    for (founder, ended) in [(None, true), (Some("ann"), false)] {
        let life = Life::Begin(Epoch::random());
        let written = node.hub.write_blind::<()>(&node.tenure(), &room, life, begin(founder)).await;
        assert!(written.is_ok_and(|entry| entry.is_some()));
        assert_eq!(visit(&server, &room, now(&server).await).await, LEFT_ALONE);
        let later = now(&server).await + 2 * HOUR_MS;
        assert_eq!(visit(&server, &room, later).await, Visit { trimmed: false, ended });
    }
}

#[tokio::test]
async fn the_janitor_keeps_the_audit_log_as_long_as_it_is_told() {
    let server = TestServer::start_with(&[("audit.max_age", "'10d'")]).await;
    let node = &server.node;
    let target = "spam!*@*".parse().expect("it is a mask");
    for what in ["first", "second"] {
        let deed = Deed { what, target: "", reason: "" };
        node.audit.record("ann!a@h", "ann", &deed).await.expect("the store is open");
        node.ban_list.add(&target, None, "ann", what).await.expect("the store is open");
    }
    let janitor = Janitor::new(node.clone());
    let now = node.hub.store().now().await.expect("the store is open");
    let kept = async || node.audit.read(None, 10).await.expect("the store is open").len();
    janitor.visit_operators(now.plus(Duration::from_hours(9 * 24))).await.expect("the store is open");
    assert_eq!(kept().await, 2);
    janitor.visit_operators(now.plus(Duration::from_hours(11 * 24))).await.expect("the store is open");
    assert_eq!(kept().await, 0);
    let bans = node.ban_list.list().await.expect("the store is open");
    assert_eq!(bans.len(), 1, "the log of bans is cut, and they stay");
}

#[tokio::test]
async fn rights_of_removed_accounts_keep_no_room() {
    let server = TestServer::start_with(&[("history.max_age", "'0'")]).await;
    let node = &server.node;
    for name in ["bob", "cat"] {
        server.account(name, "a good password").await;
    }
    let right = |name: &str| Change::Set(format!("a:{name}"), "o ann 1".to_owned());
    let (both, one) = (Partition::channel("#both"), Partition::channel("#one"));
    for (room, changes) in [(&both, vec![right("bob"), right("cat")]), (&one, vec![right("bob")])] {
        let decision = Decision { changes, ..Decision::default() };
        let life = Life::Begin(Epoch::random());
        let written = node.hub.write_blind::<()>(&node.tenure(), room, life, decision).await;
        assert!(written.is_ok_and(|entry| entry.is_some()));
    }
    let later = now(&server).await + 2 * HOUR_MS;
    assert_eq!(visit(&server, &one, later).await, LEFT_ALONE, "its heir may come");
    node.accounts.remove("bob").await.expect("the store is open");
    assert_eq!(visit(&server, &one, later).await, Visit { trimmed: false, ended: true });
    assert_eq!(visit(&server, &both, later).await, LEFT_ALONE, "an heir is left");
    let peek = node.hub.store().peek_one(&both, &["a:bob", "a:cat"]).await.expect("the store is open");
    assert_eq!(peek.fields, [None, Some("o ann 1".to_owned())]);
    node.accounts.remove("cat").await.expect("the store is open");
    assert_eq!(visit(&server, &both, later).await, Visit { trimmed: false, ended: true });
}
