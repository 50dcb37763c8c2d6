//! METADATA.

use stentor_testing::{Said, TestClient, TestServer, command, numeric};

const WANTED: [&str; 2] = ["draft/metadata-3", "batch"];

/// The numerics about keys: whose, which, and the value where there is one.
fn told(lines: &[Said]) -> Vec<(&str, &str, Option<&str>)> {
    let about = |line: &&Said| matches!(line.command.as_str(), "761" | "766");
    let read = |line: &'_ Said| line.command == "761";
    let of = lines.iter().filter(about);
    of.map(|line| {
        let value = if read(line) { line.params.get(4).map(String::as_str) } else { None };
        (line.params[1].as_str(), line.params[2].as_str(), value)
    })
    .collect()
}

fn failure(lines: &[Said]) -> Vec<&str> {
    numeric(lines, "FAIL").params.iter().skip(1).rev().skip(1).rev().map(String::as_str).collect()
}

async fn ann_and_bob(server: &TestServer) -> [TestClient; 2] {
    [server.client_with("ann", &WANTED).await, server.client_with("bob", &WANTED).await]
}

#[tokio::test]
async fn what_one_says_about_oneself_is_read_by_all() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    let set = ann.ask("METADATA * SET display-name :Ann of Cleves").await;
    assert_eq!(told(&set), [("ann", "display-name", Some("Ann of Cleves"))]);
    ann.ask("METADATA ann SET url :").await;
    let lines = bob.ask("METADATA Ann GET url display-name nonsense $x").await;
    assert_eq!(lines[0].params[1..], ["metadata", "ann"]);
    let reference = lines[0].param(0)[1..].to_owned();
    assert!(lines[1..5].iter().all(|line| line.tag("batch").as_deref() == Some(&*reference)), "{lines:?}");
    let wanted =
        [("ann", "url", Some("")), ("ann", "display-name", Some("Ann of Cleves")), ("ann", "nonsense", None)];
    assert_eq!(told(&lines), wanted);
    assert_eq!(failure(&lines), ["KEY_INVALID", "$x"]);
    let whois = bob.ask("WHOIS ann").await;
    assert_eq!(command(&whois, "760").len(), 2);
    assert_eq!(command(&whois, "760")[0].params[1..], ["ann", "display-name", "*", "Ann of Cleves"]);
    let unset = ann.ask("METADATA * SET url").await;
    assert_eq!(told(&unset), [("ann", "url", None)]);
    assert_eq!(told(&bob.ask("METADATA ann LIST").await).len(), 1);
    assert_eq!(told(&ann.ask("METADATA * CLEAR").await), [("ann", "display-name", None)]);
    let empty = bob.ask("METADATA ann LIST").await;
    assert_eq!(empty.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["BATCH", "BATCH"]);
}

#[tokio::test]
async fn what_is_not_allowed_is_refused() {
    let settings = [("metadata.max_keys", "2"), ("metadata.max_value", "5")];
    let server = TestServer::start_with(&settings).await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    for (request, wanted) in [
        ("METADATA * SET a :123456", &["INVALID_VALUE", "a"][..]),
        ("METADATA * SET A :1", &["KEY_INVALID", "A"]),
        ("METADATA * SET a", &["KEY_NOT_SET", "bob", "a"]),
        ("METADATA ann SET a :1", &["KEY_NO_PERMISSION", "ann", "a"]),
        ("METADATA ann CLEAR", &["KEY_NO_PERMISSION", "ann", "*"]),
        ("METADATA #room SET a :1", &["KEY_NO_PERMISSION", "#room", "a"]),
        ("METADATA #room CLEAR", &["KEY_NO_PERMISSION", "#room", "*"]),
        ("METADATA nobody LIST", &["INVALID_TARGET", "nobody"]),
        ("METADATA #nowhere LIST", &["INVALID_TARGET", "#nowhere"]),
        ("METADATA * NONSENSE", &["SUBCOMMAND_INVALID", "NONSENSE"]),
    ] {
        assert_eq!(failure(&bob.ask(request).await), wanted, "{request}");
    }
    for key in ["a", "b"] {
        bob.ask(&format!("METADATA * SET {key} :1")).await;
    }
    assert_eq!(failure(&bob.ask("METADATA * SET c :1").await), ["LIMIT_REACHED", "bob"]);
    assert_eq!(told(&bob.ask("METADATA * SET b :2").await), [("bob", "b", Some("2"))]);
    numeric(&bob.ask("METADATA * GET").await, "461");
    // Without the capability the command works, and without a batch.
    let mut eve = server.client("eve").await;
    assert_eq!(told(&eve.ask("METADATA bob LIST").await).len(), 2);
}

#[tokio::test]
async fn changes_are_told_to_those_who_share_a_room_or_monitor_once() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    let mut eve = server.client_with("eve", &WANTED).await;
    bob.ask("METADATA * SUB color avatar").await;
    eve.ask("METADATA * SUB color").await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    for client in [&mut bob, &mut eve] {
        client.ask("MONITOR + ann").await;
    }
    bob.drain_until_pong().await;
    assert_eq!(told(&ann.ask("METADATA * SET color :red").await).len(), 1);
    ann.ask("METADATA * SET url :x").await;
    for client in [&mut bob, &mut eve] {
        assert_eq!(
            told(&client.drain_until_pong().await),
            [("ann", "color", Some("red"))],
            "{}",
            client.nick
        );
    }
    eve.ask("MONITOR - ann").await;
    ann.ask("METADATA * CLEAR").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("ann", "color", None)]);
    assert!(eve.drain_until_pong().await.is_empty());
    bob.ask("METADATA * UNSUB color").await;
    ann.ask("METADATA * SET color :blue").await;
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn what_is_set_is_told_on_the_way_in_and_to_those_who_are_in() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    ann.ask("METADATA #room SET color :grey").await;
    bob.ask("METADATA * SET color :green").await;
    ann.ask("METADATA * SUB color").await;
    bob.ask("METADATA * SUB color").await;
    let joined = bob.ask("JOIN #room").await;
    assert_eq!(told(&joined), [("#room", "color", Some("grey")), ("ann", "color", Some("red"))]);
    assert!(command(&joined, "761").iter().all(|line| line.tag("batch").is_some()), "{joined:?}");
    assert_eq!(told(&ann.drain_until_pong().await), [("bob", "color", Some("green"))]);
    ann.ask("METADATA #room SET color :black").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("#room", "color", Some("black"))]);
    let synced = bob.ask("METADATA #room SYNC").await;
    assert_eq!(told(&synced), [("#room", "color", Some("black")), ("ann", "color", Some("red"))]);
    bob.ask("METADATA * UNSUB color").await;
    // What was set before comes with the subscription.
    let subscribed = bob.ask("METADATA * SUB color").await;
    assert_eq!(subscribed[0].params, ["bob", "color"]);
    assert_eq!(told(&subscribed), told(&synced));
    bob.ask("PART #room").await;
    let watched = bob.ask("MONITOR + ann").await;
    assert_eq!(told(&watched), [("ann", "color", Some("red"))]);
    ann.ask("NICK anne").await;
    bob.drain_until_pong().await;
    bob.ask("MONITOR + ann").await;
    ann.ask("NICK ann").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("ann", "color", Some("red"))]);
}

#[tokio::test]
async fn rooms_keep_their_secrets() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("JOIN #room").await;
    let set = ann.ask("METADATA #room SET topic :plans").await;
    assert_eq!(told(&set), [("#room", "topic", Some("plans"))], "{set:?}");
    bob.ask("METADATA * SUB topic").await;
    for (mode, wanted) in [
        ("+s", &["INVALID_TARGET", "#room"][..]),
        ("-s+i", &["KEY_NO_PERMISSION", "#room", "*"]),
        ("-i+k key", &["KEY_NO_PERMISSION", "#room", "*"]),
    ] {
        ann.ask(&format!("MODE #room {mode}")).await;
        for request in ["GET topic", "LIST", "SYNC"] {
            assert_eq!(
                failure(&bob.ask(&format!("METADATA #room {request}")).await),
                wanted,
                "{mode} {request}"
            );
        }
    }
    ann.ask("MODE #room -k key").await;
    assert_eq!(told(&bob.ask("METADATA #room LIST").await), [("#room", "topic", Some("plans"))]);
    ann.ask("METADATA #room SET topic :other").await;
    assert!(bob.drain_until_pong().await.is_empty(), "who is not in a room hears of no changes");
}

#[tokio::test]
async fn subscriptions_are_listed_and_limited() {
    let server = TestServer::start_with(&[("metadata.max_subscriptions", "2")]).await;
    let mut ann = server.client_with("ann", &WANTED).await;
    let lines = ann.ask("METADATA * SUB b $x a c d").await;
    assert_eq!(numeric(&lines, "770").params, ["ann", "b", "a"]);
    let codes: Vec<&str> = command(&lines, "FAIL").iter().map(|line| line.param(1)).collect();
    assert_eq!(codes, ["KEY_INVALID", "TOO_MANY_SUBS"]);
    assert_eq!(command(&lines, "FAIL")[1].param(2), "c");
    let lines = ann.ask("METADATA * SUBS").await;
    assert_eq!(
        (lines[0].param(1), &numeric(&lines, "772").params[1..]),
        ("metadata-subs", &["a".into(), "b".into()][..])
    );
    assert_eq!(numeric(&ann.ask("METADATA * UNSUB a z").await, "771").params, ["ann", "a", "z"]);
    assert_eq!(numeric(&ann.ask("METADATA * SUBS").await, "772").params, ["ann", "b"]);
}

#[tokio::test]
async fn what_is_said_before_the_welcome_comes_with_it() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    assert_eq!(ann.ask("METADATA * SET a :1").await[0].command, "451");
    ann.ask("CAP LS 302").await;
    ann.ask("CAP REQ :draft/metadata-3 batch").await;
    assert_eq!(told(&ann.ask("METADATA * SET a :1").await), [("*", "a", Some("1"))]);
    assert_eq!(told(&ann.ask("METADATA * LIST").await), [("*", "a", Some("1"))]);
    assert_eq!(failure(&ann.ask("METADATA ann LIST").await), ["INVALID_TARGET", "ann"]);
    assert_eq!(numeric(&ann.ask("METADATA * SUB a").await, "770").params, ["*", "a"]);
    for line in ["NICK ann", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    let welcome = ann.collect_until("422").await;
    assert_eq!(told(&welcome), [("ann", "a", Some("1"))]);
    assert_eq!(command(&welcome, "BATCH")[0].params[1..], ["metadata", "ann"]);
    assert_eq!(told(&ann.ask("METADATA ann GET a").await), [("ann", "a", Some("1"))]);
}

#[tokio::test]
async fn accounts_and_founded_rooms_keep_theirs_and_guests_do_not() {
    let server = TestServer::start_with(&[("accounts.registration", "'open'")]).await;
    server.account("ann", "correct-horse").await;
    let mut ann = server.login("ann", "correct-horse", &WANTED).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    ann.ask("METADATA #room SET color :grey").await;
    let mut bob = server.client_with("bob", &WANTED).await;
    bob.ask("METADATA * SET color :green").await;
    let server = server.restart(&[("accounts.registration", "'open'")]).await;
    let mut ann = server.login("ann", "correct-horse", &WANTED).await;
    assert_eq!(told(&ann.ask("METADATA * LIST").await), [("ann", "color", Some("red"))]);
    ann.ask("JOIN #room").await;
    assert_eq!(told(&ann.ask("METADATA #room LIST").await), [("#room", "color", Some("grey"))]);
    let mut bob = server.client_with("bob", &WANTED).await;
    assert_eq!(told(&bob.ask("METADATA * LIST").await), []);
    // A guest who logs in keeps what it has said.
    bob.ask("METADATA * SET color :green").await;
    bob.ask("REGISTER bob * correct-horse").await;
    assert_eq!(told(&ann.ask("METADATA bob LIST").await), [("bob", "color", Some("green"))]);
}

#[tokio::test]
async fn changes_come_slowly_after_a_burst() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &WANTED).await;
    for change in 0..40 {
        ann.send(&format!("METADATA * SET color :{change}")).await;
    }
    let lines = ann.drain_until_pong().await;
    let refused = command(&lines, "FAIL")[0];
    assert_eq!(refused.params[1..4], ["RATE_LIMITED", "ann", "color"]);
    assert!(refused.param(4).parse::<u64>().is_ok_and(|wait| wait > 0), "{refused:?}");
}

#[tokio::test]
async fn of_a_large_room_one_is_told_to_ask_later() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &WANTED).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    let mut others = Vec::new();
    for number in 0..100 {
        let mut other = server.client(&format!("user{number}")).await;
        other.ask("JOIN #room").await;
        others.push(other);
    }
    let mut bob = server.client_with("bob", &WANTED).await;
    bob.ask("METADATA * SUB color").await;
    let joined = bob.ask("JOIN #room").await;
    assert_eq!(numeric(&joined, "774").params[..2], ["bob", "#room"]);
    assert_eq!(told(&joined), []);
    assert_eq!(told(&bob.ask("METADATA #room SYNC").await), [("ann", "color", Some("red"))]);
}

#[tokio::test]
async fn without_keys_it_is_not_offered() {
    let server = TestServer::start_with(&[("metadata.max_keys", "0")]).await;
    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("CAP REQ draft/metadata-3").await, "CAP").param(1), "NAK");
    numeric(&ann.ask("METADATA * LIST").await, "421");
}
