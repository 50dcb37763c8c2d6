//! REDACT: takes back what was said, wherever it is kept.

use stentor_server::store::{Epoch, Partition, Range};
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

const CAPABILITIES: &[&str] = &[
    "draft/message-redaction",
    "draft/chathistory",
    "echo-message",
    "message-tags",
    "batch",
    "labeled-response",
];

/// Says something and returns its id.
async fn say(client: &mut TestClient, line: &str) -> String {
    let wanted = line.split(' ').next().unwrap_or_default();
    let wanted = if wanted.starts_with('@') { line.split(' ').nth(1).unwrap_or_default() } else { wanted };
    let lines = client.ask(line).await;
    command(&lines, wanted)[0].tag("msgid").expect("it has an id")
}

fn failure(lines: &[Said]) -> (&str, Vec<&str>) {
    let fail = numeric(lines, "FAIL");
    assert_eq!(fail.param(0), "REDACT");
    (fail.param(1), fail.params[2..fail.params.len() - 1].iter().map(String::as_str).collect())
}

async fn history(client: &mut TestClient, target: &str) -> Vec<String> {
    let lines = client.ask(&format!("CHATHISTORY LATEST {target} * 50")).await;
    command(&lines, "PRIVMSG").iter().map(|line| line.text().to_owned()).collect()
}

/// All that the store has in the log of a partition.
async fn log(server: &TestServer, partition: &Partition) -> String {
    let store = server.node.hub.store();
    let epoch: Epoch = store.snapshot(partition).await.expect("it is open").expect("it exists").epoch;
    let page = store.read(partition, epoch, Range::Latest, 1000).await.expect("it is read");
    page.entries.iter().flat_map(|entry| &entry.body.lines).fold(String::new(), |all, line| all + line + "\n")
}

async fn room(server: &TestServer, capabilities: &[&str]) -> (TestClient, TestClient) {
    let mut ann = server.client_with("ann", capabilities).await;
    let mut bob = server.client_with("bob", capabilities).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    (ann, bob)
}

#[tokio::test]
async fn what_its_author_takes_back_is_in_no_log_any_more() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = room(&server, CAPABILITIES).await;
    say(&mut bob, "PRIVMSG #room :before").await;
    let msgid = say(&mut bob, "PRIVMSG #room :a secret").await;
    say(&mut bob, "PRIVMSG #room :after").await;
    ann.drain_until_pong().await;
    assert_eq!(history(&mut ann, "#room").await, ["before", "a secret", "after"]);
    let lines = bob.ask(&format!("@label=x REDACT #room {msgid} :wrong room")).await;
    let own = numeric(&lines, "REDACT");
    assert_eq!(own.tag("label").as_deref(), Some("x"));
    assert_eq!(own.params, ["#room", &msgid, "wrong room"]);
    let told = ann.expect_numeric("REDACT").await;
    assert!(told.source.starts_with("bob!"), "{told:?}");
    assert_eq!(told.params, ["#room", &msgid, "wrong room"]);
    assert_eq!(history(&mut ann, "#room").await, ["before", "after"]);
    assert!(!log(&server, &Partition::channel("#room")).await.contains("a secret"));
    // It can still be referred to, and is gone for good.
    let lines = ann.ask(&format!("CHATHISTORY AFTER #room msgid={msgid} 5")).await;
    assert_eq!(command(&lines, "PRIVMSG").len(), 1);
    let lines = bob.ask(&format!("REDACT #room {msgid}")).await;
    assert_eq!(failure(&lines), ("UNKNOWN_MSGID", vec!["#room", &msgid]));
}

#[tokio::test]
async fn an_operator_takes_back_what_others_said_and_nobody_else_does() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = room(&server, CAPABILITIES).await;
    let by_ann = say(&mut ann, "PRIVMSG #room :mine").await;
    bob.drain_until_pong().await;
    let lines = bob.ask(&format!("REDACT #room {by_ann}")).await;
    assert_eq!(failure(&lines), ("REDACT_FORBIDDEN", vec!["#room", &by_ann]));
    let by_bob = say(&mut bob, "NOTICE #room :spam").await;
    ann.drain_until_pong().await;
    let lines = ann.ask(&format!("REDACT #room {by_bob}")).await;
    assert_eq!(numeric(&lines, "REDACT").params, ["#room", &by_bob]);
    assert_eq!(bob.expect_numeric("REDACT").await.params, ["#room", &by_bob]);
}

#[tokio::test]
async fn a_guest_of_the_same_nick_is_not_the_author() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = room(&server, CAPABILITIES).await;
    ann.ask("MODE #room +o bob").await;
    ann.ask("MODE #room -o ann").await;
    let msgid = say(&mut ann, "PRIVMSG #room :hi").await;
    assert!(!bob.drain_until_pong().await.iter().any(|line| line.tag("stentor.chat/guest").is_some()));
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut other = server.client_with("ann", CAPABILITIES).await;
    other.ask("JOIN #room").await;
    let lines = other.ask(&format!("REDACT #room {msgid}")).await;
    assert_eq!(failure(&lines).0, "REDACT_FORBIDDEN");
}

#[tokio::test]
async fn what_cannot_be_taken_back_says_why() {
    let server = TestServer::start_with(&[("history.redact_window", "'1s'")]).await;
    let (mut ann, mut bob) = room(&server, CAPABILITIES).await;
    let msgid = say(&mut bob, "PRIVMSG #room :hi").await;
    for unknown in ["nonsense", &format!("A{}", &msgid[1..]), &"A".repeat(30)] {
        let lines = bob.ask(&format!("REDACT #room {unknown}")).await;
        assert_eq!(failure(&lines), ("UNKNOWN_MSGID", vec!["#room", unknown]));
    }
    assert_eq!(
        failure(&bob.ask(&format!("REDACT #other {msgid}")).await),
        ("INVALID_TARGET", vec!["#other"])
    );
    assert_eq!(failure(&bob.ask(&format!("REDACT nobody {msgid}")).await).0, "UNKNOWN_MSGID");
    let said = server.node.hub.store().now().await.expect("it is open").0;
    while server.node.fleet.now().0 <= said + 1_000 {
        bob.drain_until_pong().await;
    }
    let lines = bob.ask(&format!("REDACT #room {msgid}")).await;
    assert_eq!(failure(&lines), ("REDACT_WINDOW_EXPIRED", vec!["#room", &msgid, "1"]));
    ann.drain_until_pong().await;
    let lines = ann.ask(&format!("REDACT #room {msgid}")).await;
    assert_eq!(command(&lines, "REDACT").len(), 1, "an operator has no window: {lines:#?}");
}

#[tokio::test]
async fn who_may_not_speak_may_take_back_but_not_give_a_reason() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = room(&server, CAPABILITIES).await;
    let msgid = say(&mut bob, "PRIVMSG #room :hi").await;
    ann.ask("MODE #room +m").await;
    bob.drain_until_pong().await;
    let lines = bob.ask(&format!("REDACT #room {msgid} :heard all the same")).await;
    numeric(&lines, "404");
    assert_eq!(command(&bob.ask(&format!("REDACT #room {msgid}")).await, "REDACT").len(), 1);
}

#[tokio::test]
async fn clients_without_the_capability_see_no_redact() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["message-tags", "echo-message", "standard-replies"]).await;
    let mut bob = server.client_with("bob", &["message-tags"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    let msgid = say(&mut ann, "PRIVMSG #room :hi").await;
    let lines = ann.ask(&format!("REDACT #room {msgid}")).await;
    assert_eq!(numeric(&lines, "NOTE").param(1), "REDACTED");
    assert!(command(&bob.drain_until_pong().await, "REDACT").is_empty());
    assert!(history(&mut bob, "#room").await.is_empty());
}

#[tokio::test]
async fn a_private_message_is_erased_on_both_sides() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut carl = server.login("carl", "secret", CAPABILITIES).await;
    say(&mut ann, "PRIVMSG carl :hello").await;
    let msgid = say(&mut ann, "PRIVMSG carl :a secret").await;
    carl.drain_until_pong().await;
    let lines = carl.ask(&format!("REDACT ann {msgid}")).await;
    assert_eq!(failure(&lines), ("REDACT_FORBIDDEN", vec!["ann", &msgid]));
    let lines = ann.ask(&format!("@label=x REDACT carl {msgid}")).await;
    assert_eq!(numeric(&lines, "REDACT").params, ["carl", &msgid]);
    assert_eq!(numeric(&lines, "REDACT").tag("label").as_deref(), Some("x"));
    assert_eq!(carl.expect_numeric("REDACT").await.params, ["carl", &msgid]);
    assert_eq!(history(&mut ann, "carl").await, ["hello"]);
    assert_eq!(history(&mut carl, "ann").await, ["hello"]);
    assert!(!log(&server, &Partition::account("carl")).await.contains("a secret"));
}

#[tokio::test]
async fn what_waits_unread_is_taken_back_too() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let msgid = say(&mut ann, "PRIVMSG carl :a secret").await;
    let own = say(&mut ann, "PRIVMSG ann :a note").await;
    ann.ask(&format!("REDACT carl {msgid}")).await;
    assert_eq!(command(&ann.ask(&format!("REDACT ann {own}")).await, "REDACT").len(), 1);
    assert!(history(&mut ann, "ann").await.is_empty());
    let mut carl = server.connect().await;
    let lines = carl.register("carl", Some("secret"), &["batch", "message-tags"]).await;
    assert!(!lines.iter().any(|line| line.text().contains("a secret")), "{lines:#?}");
}

#[tokio::test]
async fn a_post_is_taken_back_by_its_author() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    server.account("bob", "secret").await;
    let with_feeds: Vec<&str> = CAPABILITIES.iter().copied().chain(["stentor.chat/feeds"]).collect();
    let mut ann = server.login("ann", "secret", &with_feeds).await;
    let mut bob = server.login("bob", "secret", &with_feeds).await;
    bob.ask("SUBSCRIBE ann").await;
    let msgid = say(&mut ann, "PUBLISH :a secret").await;
    bob.expect_numeric("PUBLISH").await;
    let lines = ann.ask(&format!("REDACT ann {msgid}")).await;
    assert_eq!(numeric(&lines, "REDACT").params, ["ann", &msgid]);
    assert_eq!(bob.expect_numeric("REDACT").await.params, ["ann", &msgid]);
    assert!(!log(&server, &Partition::feed("ann")).await.contains("a secret"));
    let lines = bob.ask("CHATHISTORY LATEST ann * 5").await;
    assert!(command(&lines, "PUBLISH").is_empty());
}

#[tokio::test]
async fn a_reaction_is_history_and_is_taken_back() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = room(&server, CAPABILITIES).await;
    let msgid = say(&mut bob, "@+draft/react=+1 TAGMSG #room").await;
    ann.drain_until_pong().await;
    ann.ask("CAP REQ draft/event-playback").await;
    let tags = |lines: &[Said]| command(lines, "TAGMSG").len();
    assert_eq!(tags(&ann.ask("CHATHISTORY LATEST #room * 50").await), 1);
    assert_eq!(tags(&bob.ask("CHATHISTORY LATEST #room * 50").await), 0);
    bob.ask(&format!("REDACT #room {msgid}")).await;
    ann.expect_numeric("REDACT").await;
    let lines = ann.ask("CHATHISTORY LATEST #room * 50").await;
    assert_eq!((tags(&lines), command(&lines, "REDACT").len()), (0, 1), "{lines:#?}");
    // A typing notice is kept nowhere.
    let typing = say(&mut bob, "@+typing=active TAGMSG #room").await;
    assert_eq!(failure(&bob.ask(&format!("REDACT #room {typing}")).await).0, "UNKNOWN_MSGID");
}
