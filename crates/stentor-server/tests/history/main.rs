//! Paging back in what was said, and how long it is kept.

mod full_store;
mod janitor;
mod under_way;

use stentor_server::hub::clock::parse_server_time;
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// All that a full answer needs.
const CAPABILITIES: &[&str] = &[
    "batch",
    "message-tags",
    "server-time",
    "echo-message",
    "labeled-response",
    "standard-replies",
    "account-tag",
    "draft/chathistory",
];

/// A message as its sender's echo showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spoken {
    msgid: String,
    time: String,
    text: String,
}

impl Spoken {
    fn of(said: &Said) -> Self {
        Self {
            msgid: said.tag("msgid").expect("it has an id"),
            time: said.tag("time").expect("it has a time"),
            text: said.text().to_owned(),
        }
    }

    fn by_id(&self) -> String {
        format!("msgid={}", self.msgid)
    }

    fn by_time(&self) -> String {
        format!("timestamp={}", self.time)
    }
}

/// Says something, and waits until the store's clock has moved on, so that no two messages share a time.
async fn say(server: &TestServer, client: &mut TestClient, target: &str, text: &str) -> Spoken {
    let lines = client.ask(&format!("PRIVMSG {target} :{text}")).await;
    let echo = lines.iter().find(|line| line.command == "PRIVMSG" && line.text() == text);
    let spoken = Spoken::of(echo.unwrap_or_else(|| panic!("no echo of {text:?} in {lines:#?}")));
    let ms = parse_server_time(&spoken.time).expect("a time tag is a time");
    while server.node.hub.store().now().await.expect("the store is open").0 <= ms {
        tokio::task::yield_now().await;
    }
    spoken
}

async fn say_all(server: &TestServer, client: &mut TestClient, target: &str, count: usize) -> Vec<Spoken> {
    let mut all = Vec::new();
    for n in 0..count {
        all.push(say(server, client, target, &format!("message {n}")).await);
    }
    all
}

/// Asks for history and returns the messages of the one batch that answers, which is for `target`.
async fn page(client: &mut TestClient, request: &str, target: &str) -> Vec<Spoken> {
    let lines = client.ask(&format!("CHATHISTORY {request}")).await;
    batch_of(&lines, &["chathistory", target]).into_iter().map(Spoken::of).collect()
}

/// The content of the one batch among lines; its kind and parameters must be these.
fn batch_of<'a>(lines: &'a [Said], kind: &[&str]) -> Vec<&'a Said> {
    let [start, end] = command(lines, "BATCH")[..] else { panic!("not one batch: {lines:#?}") };
    let reference = start.param(0).strip_prefix('+').expect("a batch begins");
    assert_eq!(&start.params[1..], kind);
    assert_eq!(end.params, [format!("-{reference}")]);
    let content = lines.iter().filter(|line| line.tag("batch").as_deref() == Some(reference));
    content.collect()
}

fn code_of(lines: &[Said]) -> (&str, Vec<&str>) {
    let fail = numeric(lines, "FAIL");
    assert_eq!(fail.param(0), "CHATHISTORY");
    let context = fail.params[2..fail.params.len() - 1].iter().map(String::as_str).collect();
    (fail.param(1), context)
}

/// Every subcommand, against ten messages with other things between them.
async fn check_all_subcommands(client: &mut TestClient, target: &str, all: &[Spoken]) {
    let n = all.len();
    assert_eq!(page(client, &format!("LATEST {target} * 50"), target).await, all);
    assert_eq!(page(client, &format!("LATEST {target} * 5"), target).await, all[n - 5..]);
    assert_eq!(page(client, &format!("LATEST {target} * 1"), target).await, all[n - 1..]);
    assert_eq!(page(client, &format!("LATEST {target} * 0"), target).await, []);
    for of in [Spoken::by_id, Spoken::by_time] {
        let at = |index: usize| of(&all[index]);
        let cases = [
            (format!("LATEST {target} {} 50", at(4)), &all[5..]),
            (format!("LATEST {target} {} 2", at(4)), &all[n - 2..]),
            (format!("LATEST {target} {} 2", at(n - 1)), &[]),
            (format!("BEFORE {target} {} 50", at(6)), &all[..6]),
            (format!("BEFORE {target} {} 2", at(6)), &all[4..6]),
            (format!("BEFORE {target} {} 2", at(0)), &[]),
            (format!("AFTER {target} {} 50", at(3)), &all[4..]),
            (format!("AFTER {target} {} 3", at(3)), &all[4..7]),
            (format!("AFTER {target} {} 3", at(n - 1)), &[]),
            (format!("AROUND {target} {} 1", at(7)), &all[7..8]),
            (format!("AROUND {target} {} 3", at(7)), &all[6..9]),
            (format!("AROUND {target} {} 50", at(7)), all),
            (format!("AROUND {target} {} 4", at(n - 1)), &all[n - 4..]),
            (format!("BETWEEN {target} {} {} 50", at(0), at(n - 1)), &all[1..n - 1]),
            (format!("BETWEEN {target} {} {} 50", at(n - 1), at(0)), &all[1..n - 1]),
            (format!("BETWEEN {target} {} {} 3", at(0), at(n - 1)), &all[1..4]),
            (format!("BETWEEN {target} {} {} 3", at(n - 1), at(0)), &all[n - 4..n - 1]),
            (format!("BETWEEN {target} {} {} 3", at(4), at(4)), &[]),
        ];
        for (request, expected) in cases {
            assert_eq!(page(client, &request, target).await, expected, "{request}");
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_on_when_its_other_side_has_another_nick() {
    let server = TestServer::start().await;
    server.account("bob", "secret").await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.login("bob", "secret", CAPABILITIES).await;
    let mut eve = server.client("eve").await;
    bob.ask("NICK bobby").await;
    bob.ask("PRIVMSG ann :from bobby").await;
    ann.ask("PRIVMSG bobby :to bobby").await;
    eve.ask("PRIVMSG ann :from eve").await;
    bob.ask("NICK robert").await;
    bob.ask("PRIVMSG ann :from robert").await;
    ann.drain_until_pong().await;
    let said = |lines: &[Said]| -> Vec<String> {
        command(lines, "PRIVMSG").iter().map(|line| line.text().to_owned()).collect()
    };
    let wanted = ["from bobby", "to bobby", "from robert"];
    for name in ["robert", "bob"] {
        let lines = ann.ask(&format!("CHATHISTORY LATEST {name} * 9")).await;
        assert_eq!(said(&lines), wanted, "{name}");
    }
    // Who has the nick of before, and no account, is somebody else.
    let mut guest = server.client("bobby").await;
    guest.ask("PRIVMSG ann :from a guest").await;
    ann.drain_until_pong().await;
    let lines = ann.ask("CHATHISTORY LATEST robert * 9").await;
    assert_eq!(said(&lines), wanted);
}

#[tokio::test]
async fn a_room_is_paged_by_ids_and_by_times() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    ann.ask("JOIN #Room").await;
    let mut all = Vec::new();
    for n in 0..10 {
        bob.ask("JOIN #room").await;
        ann.ask(&format!("TOPIC #room :topic {n}")).await;
        all.push(say(&server, &mut ann, "#room", &format!("message {n}")).await);
        bob.ask("PART #room").await;
    }
    check_all_subcommands(&mut ann, "#Room", &all).await;
    let lower = ann.ask("CHATHISTORY latest #rOOM * 1").await;
    assert_eq!(batch_of(&lower, &["chathistory", "#Room"]).len(), 1, "the room is called by its own name");
}

#[tokio::test]
async fn private_messages_are_paged_from_both_sides() {
    let server = TestServer::start_with(&[("accounts.required", "true")]).await;
    for name in ["ann", "bob", "cat"] {
        server.account(name, "a good password").await;
    }
    let mut ann = server.login("ann", "a good password", CAPABILITIES).await;
    let mut bob = server.login("bob", "a good password", CAPABILITIES).await;
    let mut cat = server.login("cat", "a good password", CAPABILITIES).await;
    let mut all = Vec::new();
    for n in 0..5 {
        say(&server, &mut ann, "cat", "a separate conversation").await;
        all.push(say(&server, &mut ann, "bob", &format!("ann's {n}")).await);
        all.push(say(&server, &mut bob, "ann", &format!("bob's {n}")).await);
        say(&server, &mut cat, "ann", "another one").await;
    }
    check_all_subcommands(&mut ann, "bob", &all).await;
    check_all_subcommands(&mut bob, "ann", &all).await;
    check_all_subcommands(&mut bob, "ANN", &all).await;
    assert_eq!(page(&mut cat, "LATEST bob * 50", "bob").await, []);

    let lines = bob.ask("CHATHISTORY LATEST ann * 2").await;
    let shown: Vec<_> =
        batch_of(&lines, &["chathistory", "ann"]).iter().map(|line| line.tag("account")).collect();
    assert_eq!(shown, [Some("ann".to_owned()), Some("bob".to_owned())]);
}

#[tokio::test]
async fn what_was_said_while_one_was_away_is_in_ones_history() {
    let server = TestServer::start_with(&[("accounts.required", "true")]).await;
    for name in ["ann", "bob"] {
        server.account(name, "a good password").await;
    }
    let mut ann = server.login("ann", "a good password", CAPABILITIES).await;
    let said = say_all(&server, &mut ann, "bob", 3).await;
    let mut bob = server.login("bob", "a good password", CAPABILITIES).await;
    assert_eq!(page(&mut bob, "LATEST ann * 50", "ann").await, said);
}

#[tokio::test]
async fn messages_to_oneself_are_a_conversation_of_their_own() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    say(&server, &mut bob, "ann", "from bob").await;
    let own = say(&server, &mut ann, "ann", "a note to myself").await;
    assert_eq!(page(&mut ann, "LATEST ann * 50", "ann").await, [own]);
}

#[tokio::test]
async fn a_labelled_request_is_answered_by_one_labelled_batch() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    let said = say(&server, &mut ann, "#room", "hello").await;
    let lines = ann.ask("@label=L1 CHATHISTORY LATEST #room * 5").await;
    assert_eq!(lines[0].tag("label").as_deref(), Some("L1"));
    assert!(lines[1..].iter().all(|line| line.tag("label").is_none()));
    assert_eq!(Spoken::of(batch_of(&lines, &["chathistory", "#room"])[0]), said);

    let lines = ann.ask("@label=L2 CHATHISTORY LATEST #nowhere * 5").await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].tag("label").as_deref(), Some("L2"));
    assert_eq!(lines[0].command, "FAIL");
}

#[tokio::test]
async fn a_client_without_batches_gets_plain_lines() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    say_all(&server, &mut ann, "#room", 2).await;
    bob.drain_until_pong().await;
    let lines = bob.ask("CHATHISTORY LATEST #room * 5").await;
    let lines: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
    let source = |n: u8| format!("PRIVMSG #room :message {n}");
    assert!(
        lines.len() == 2 && lines[0].ends_with(&source(0)) && lines[1].ends_with(&source(1)),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line.starts_with(":ann!")), "{lines:?}");
}

#[tokio::test]
async fn who_is_no_member_learns_nothing() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    ann.ask("JOIN #public").await;
    ann.ask("JOIN #secret").await;
    ann.ask("MODE #secret +s").await;
    say(&server, &mut ann, "#public", "hello").await;
    for room in ["#public", "#secret", "#nowhere", "#not,legal"] {
        let lines = bob.ask(&format!("CHATHISTORY LATEST {room} * 5")).await;
        assert_eq!(code_of(&lines), ("INVALID_TARGET", vec!["LATEST", room]));
        assert_eq!(lines.len(), 1);
    }
    bob.ask("JOIN #public").await;
    assert_eq!(page(&mut bob, "LATEST #public * 5", "#public").await.len(), 1);
    ann.ask("KICK #public bob").await;
    say(&server, &mut ann, "#public", "now that he is gone").await;
    let lines = bob.ask("CHATHISTORY LATEST #public * 5").await;
    assert_eq!(code_of(&lines), ("INVALID_TARGET", vec!["LATEST", "#public"]));
}

#[tokio::test]
async fn a_room_that_was_created_anew_shows_nothing_of_the_earlier_one() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    let old = say(&server, &mut ann, "#room", "between us").await;
    ann.ask("PART #room").await;
    bob.ask("JOIN #room").await;
    let new = say(&server, &mut bob, "#room", "a new beginning").await;
    let whole = std::slice::from_ref(&new);
    assert_eq!(page(&mut bob, "LATEST #room * 50", "#room").await, whole);
    assert_eq!(page(&mut bob, &format!("BEFORE #room {} 50", new.by_id()), "#room").await, []);
    assert_eq!(page(&mut bob, &format!("AROUND #room {} 50", old.by_id()), "#room").await, whole);
    assert_eq!(page(&mut bob, &format!("AFTER #room {} 50", old.by_id()), "#room").await, whole);
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_with_its_code() {
    let server = TestServer::start_with(&[("history.page", "3")]).await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    ann.ask("JOIN #other").await;
    let all = say_all(&server, &mut ann, "#room", 4).await;
    let time = all[0].by_time();
    let cases: [(&str, &str, &[&str]); 13] = [
        ("NEWEST #room * 5", "INVALID_PARAMS", &["NEWEST"]),
        ("LATEST #room *", "INVALID_PARAMS", &["LATEST"]),
        ("LATEST #room * 5 6", "INVALID_PARAMS", &["LATEST"]),
        ("BETWEEN #room msgid=a 5", "INVALID_PARAMS", &["BETWEEN"]),
        ("LATEST #room * many", "INVALID_PARAMS", &["LATEST", "many"]),
        ("LATEST #room * -1", "INVALID_PARAMS", &["LATEST", "-1"]),
        ("BEFORE #room * 5", "INVALID_PARAMS", &["BEFORE", "*"]),
        ("BEFORE #room yesterday 5", "INVALID_PARAMS", &["BEFORE", "yesterday"]),
        ("BEFORE #room timestamp=noon 5", "INVALID_PARAMS", &["BEFORE", "timestamp=noon"]),
        ("BEFORE #room line=7 5", "INVALID_MSGREFTYPE", &["BEFORE", "#room", "line=7"]),
        ("BEFORE #room msgid=what 5", "MESSAGE_ERROR", &["BEFORE", "#room", "what"]),
        ("TARGETS msgid=a msgid=b 5", "INVALID_PARAMS", &["TARGETS", "msgid=a"]),
        ("LATEST no@nick * 5", "INVALID_TARGET", &["LATEST", "no@nick"]),
    ];
    for (request, code, context) in cases {
        let lines = ann.ask(&format!("CHATHISTORY {request}")).await;
        assert_eq!(code_of(&lines), (code, context.to_vec()), "{request}");
    }
    let lines = ann.ask(&format!("CHATHISTORY BEFORE #other {} 5", all[0].by_id())).await;
    assert_eq!(code_of(&lines).0, "MESSAGE_ERROR", "an id of another room");
    assert_eq!(page(&mut ann, "LATEST #room * 1000", "#room").await, all[1..], "no more than a page");
    assert_eq!(page(&mut ann, &format!("AFTER #room {time} 1000"), "#room").await, all[1..]);
    numeric(&ann.ask("CHATHISTORY").await, "461");
}

#[tokio::test]
async fn targets_are_listed_by_their_latest_messages() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("Bob", CAPABILITIES).await;
    ann.ask("JOIN #one").await;
    ann.ask("JOIN #two").await;
    ann.ask("JOIN #silent").await;
    bob.ask("JOIN #two").await;
    say(&server, &mut ann, "#two", "an earlier one").await;
    let one = say(&server, &mut ann, "#one", "hello").await;
    let person = say(&server, &mut bob, "ann", "hello").await;
    let two = say(&server, &mut bob, "#two", "hello").await;
    let own = say(&server, &mut ann, "ann", "a note").await;
    let expected = [("#one", &one), ("Bob", &person), ("#two", &two), ("ann", &own)];
    let (past, future) = ("timestamp=2020-01-01T00:00:00.000Z", "timestamp=2262-01-01T00:00:00.000Z");
    let cases = [
        (format!("{past} {future} 50"), &expected[..]),
        (format!("{future} {past} 50"), &expected[..]),
        (format!("{past} {future} 2"), &expected[..2]),
        (format!("{future} {past} 2"), &expected[2..]),
        (format!("{} {future} 50", one.by_time()), &expected[1..]),
        (format!("{} {} 50", one.by_time(), own.by_time()), &expected[1..3]),
        (format!("{past} {} 50", two.by_time()), &expected[..2]),
        (format!("{past} {past} 50"), &[]),
    ];
    for (request, expected) in cases {
        let lines = ann.ask(&format!("CHATHISTORY TARGETS {request}")).await;
        let found: Vec<_> = batch_of(&lines, &["draft/chathistory-targets"])
            .iter()
            .map(|line| (line.param(0).to_owned(), line.param(1).to_owned(), line.param(2).to_owned()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, said)| ("TARGETS".to_owned(), (*name).to_owned(), said.time.clone()))
            .collect();
        assert_eq!(found, expected, "{request}");
    }
}

#[tokio::test]
async fn a_long_answer_waits_for_a_slow_reader() {
    let settings = [("limits.send_queue", "'32KiB'"), ("history.page", "1000")];
    let server = TestServer::start_with(&settings).await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    let text = "x".repeat(350);
    for _ in 0..200 {
        ann.ask(&format!("PRIVMSG #room :{text}")).await;
    }
    for _ in 0..20 {
        ann.send("CHATHISTORY LATEST #room * 1000").await;
    }
    let lines = ann.drain_until_pong().await;
    assert_eq!(command(&lines, "PRIVMSG").len(), 200 * 20);
}

#[tokio::test]
async fn a_restart_keeps_what_was_said_exactly_once() {
    let settings = [("accounts.required", "true")];
    let server = TestServer::start_with(&settings).await;
    for name in ["ann", "bob"] {
        server.account(name, "a good password").await;
    }
    let mut ann = server.login("ann", "a good password", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    let room = say_all(&server, &mut ann, "#room", 5).await;
    let private = say_all(&server, &mut ann, "bob", 5).await;
    let server = server.restart(&settings).await;
    let mut ann = server.login("ann", "a good password", CAPABILITIES).await;
    let mut bob = server.login("bob", "a good password", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(page(client, "LATEST #room * 50", "#room").await, room);
    }
    assert_eq!(page(&mut ann, "LATEST bob * 50", "bob").await, private);
    assert_eq!(page(&mut bob, "LATEST ann * 50", "ann").await, private);
    let more = say(&server, &mut bob, "#room", "after the restart").await;
    let newer = page(&mut ann, &format!("AFTER #room {} 50", room[4].by_id()), "#room").await;
    assert_eq!(newer, [more]);
}

#[tokio::test]
async fn what_happened_is_played_back_to_who_asks_for_it() {
    let server = TestServer::start().await;
    let with_events: Vec<&str> = CAPABILITIES.iter().copied().chain(["draft/event-playback"]).collect();
    let mut ann = server.client_with("ann", &with_events).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    let topic = ann.ask("TOPIC #room :news").await;
    let topic = numeric(&topic, "TOPIC").tag("msgid");
    say(&server, &mut ann, "#room", "hello").await;
    ann.ask("MODE #room +v bob").await;
    bob.ask("NICK rob").await;
    bob.ask("AWAY :gone").await;
    bob.ask("PART #room :bye").await;
    bob.ask("JOIN #room").await;
    ann.ask("KICK #room rob :out").await;
    bob.drain_until_pong().await;
    bob.ask("JOIN #room").await;
    let lines = ann.ask("CHATHISTORY LATEST #room * 50").await;
    let batch = batch_of(&lines, &["chathistory", "#room"]);
    let events: Vec<&str> = batch.iter().map(|line| line.command.as_str()).collect();
    let expected = ["JOIN", "JOIN", "TOPIC", "PRIVMSG", "MODE", "NICK", "PART", "JOIN", "KICK", "JOIN"];
    assert_eq!(events, expected);
    assert_eq!(batch[2].tag("msgid"), topic);
    let ids: std::collections::HashSet<_> = batch.iter().map(|line| line.tag("msgid")).collect();
    assert_eq!(ids.len(), expected.len(), "each has an id of its own");
    // Events count, and are referred to like messages.
    let lines = ann.ask(&format!("CHATHISTORY AFTER #room msgid={} 2", topic.expect("an id"))).await;
    let after: Vec<String> =
        batch_of(&lines, &["chathistory", "#room"]).iter().map(|line| line.command.clone()).collect();
    assert_eq!(after, ["PRIVMSG", "MODE"]);
    // Without the capability nothing has changed.
    let lines = bob.ask("CHATHISTORY LATEST #room * 50").await;
    let said: Vec<String> =
        batch_of(&lines, &["chathistory", "#room"]).iter().map(|line| line.command.clone()).collect();
    assert_eq!(said, ["PRIVMSG"]);
}
