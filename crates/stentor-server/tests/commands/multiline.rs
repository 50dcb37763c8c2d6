//! Messages of several lines: BATCH from clients.

use stentor_testing::{Said, TestClient, TestServer, command, numeric};

const CAPABILITIES: &[&str] = &[
    "draft/multiline",
    "draft/chathistory",
    "draft/message-redaction",
    "echo-message",
    "message-tags",
    "batch",
    "server-time",
    "labeled-response",
];
const WITHOUT: &[&str] = &["echo-message", "message-tags", "batch", "server-time", "draft/chathistory"];

/// Sends `lines` as one message; a line that begins with `+` goes on with the one before it.
async fn several(client: &mut TestClient, tags: &str, target: &str, lines: &[&str]) -> Vec<Said> {
    client.send(&format!("{tags}BATCH +123 draft/multiline {target}")).await;
    for line in lines {
        match line.strip_prefix('+') {
            Some(line) => {
                client.send(&format!("@batch=123;draft/multiline-concat PRIVMSG {target} :{line}")).await;
            }
            None => client.send(&format!("@batch=123 PRIVMSG {target} :{line}")).await,
        }
    }
    client.ask("BATCH -123").await
}

/// The texts of the one multiline batch among lines, each with a `+` where it goes on; and the batch's first line.
fn batch(lines: &[Said]) -> (&Said, Vec<String>) {
    let is_it = |line: &&Said| {
        line.command == "BATCH" && line.params.get(1).is_some_and(|kind| kind == "draft/multiline")
    };
    let start = lines.iter().find(is_it).unwrap_or_else(|| panic!("no such batch in {lines:#?}"));
    let reference = &start.param(0)[1..];
    let inside = lines.iter().filter(|line| line.tag("batch").as_deref() == Some(reference));
    let texts = inside.map(|line| {
        assert!(line.tag("msgid").is_none() && line.tag("label").is_none(), "{line:?}");
        let sign = if line.tag("draft/multiline-concat").is_some() { "+" } else { "" };
        format!("{sign}{}", line.text())
    });
    let end = format!("-{reference}");
    let end = lines.iter().find(|line| line.command == "BATCH" && line.param(0) == end).expect("it ends");
    assert_eq!(end.tag("batch"), start.tag("batch"), "both ends are in the same batch");
    (start, texts.collect())
}

fn failure(lines: &[Said]) -> Vec<&str> {
    let fail = numeric(lines, "FAIL");
    fail.params[..fail.params.len() - 1].iter().map(String::as_str).collect()
}

async fn room(server: &TestServer) -> (TestClient, TestClient, TestClient) {
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    let mut cat = server.client_with("cat", WITHOUT).await;
    for client in [&mut ann, &mut bob, &mut cat] {
        client.ask("JOIN #room").await;
    }
    for client in [&mut ann, &mut bob, &mut cat] {
        client.drain_until_pong().await;
    }
    (ann, bob, cat)
}

#[tokio::test]
async fn several_lines_are_one_message() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, mut cat) = room(&server).await;
    let said = ["", "how is ", "+everyone?", "", "bye"];
    let echo = several(&mut ann, "@label=x;+a=b ", "#room", &said).await;
    let (start, texts) = batch(&echo);
    assert_eq!(texts, said);
    assert_eq!((start.tag("label").as_deref(), start.tag("+a").as_deref()), (Some("x"), Some("b")));
    let (msgid, time) = (start.tag("msgid").expect("an id"), start.tag("time").expect("a time"));
    let relayed = bob.drain_until_pong().await;
    let (start, texts) = batch(&relayed);
    assert_eq!(texts, said);
    assert_eq!((start.tag("msgid"), start.tag("time")), (Some(msgid.clone()), Some(time.clone())));
    assert!(start.source.starts_with("ann!") && start.tag("+a").is_some() && start.tag("label").is_none());
    // Who does not know of it gets what says something, and the id once.
    let lines = cat.drain_until_pong().await;
    let plain = command(&lines, "PRIVMSG");
    assert_eq!(plain.iter().map(|line| line.text()).collect::<Vec<_>>(), ["how is ", "everyone?", "bye"]);
    assert_eq!(
        plain.iter().map(|line| line.tag("msgid")).collect::<Vec<_>>(),
        [Some(msgid.clone()), None, None]
    );
    assert!(plain.iter().all(|line| line.tag("time").as_deref() == Some(&time) && line.tag("+a").is_some()));
    assert!(plain.iter().all(|line| line.tag("draft/multiline-concat").is_none()));
    assert!(!format!("{lines:?} {relayed:?} {echo:?}").contains("stentor.chat"), "our own tags stay here");
}

#[tokio::test]
async fn history_has_it_as_one_message_and_it_is_taken_back_as_one() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, mut cat) = room(&server).await;
    ann.ask("PRIVMSG #room :before").await;
    let echo = several(&mut ann, "", "#room", &["one", "two"]).await;
    let msgid = batch(&echo).0.tag("msgid").expect("an id");
    ann.ask("PRIVMSG #room :after").await;
    bob.drain_until_pong().await;
    cat.drain_until_pong().await;
    let lines = bob.ask("CHATHISTORY LATEST #room * 2").await;
    let (start, texts) = batch(&lines);
    assert_eq!((texts, start.tag("msgid")), (vec!["one".to_owned(), "two".to_owned()], Some(msgid.clone())));
    let outer = &lines[0].param(0)[1..];
    assert_eq!(start.tag("batch").as_deref(), Some(outer), "a batch within the batch");
    assert!(!lines.iter().any(|line| line.text() == "before"), "it counts once");
    let lines = cat.ask("CHATHISTORY LATEST #room * 2").await;
    let texts: Vec<&str> = command(&lines, "PRIVMSG").iter().map(|line| line.text()).collect();
    assert_eq!(texts, ["one", "two", "after"]);
    ann.ask(&format!("REDACT #room {msgid}")).await;
    let lines = cat.ask("CHATHISTORY LATEST #room * 5").await;
    let texts: Vec<&str> = command(&lines, "PRIVMSG").iter().map(|line| line.text()).collect();
    assert_eq!(texts, ["before", "after"]);
}

#[tokio::test]
async fn several_lines_to_a_person_are_kept_by_both() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let echo = several(&mut ann, "@label=x ", "carl", &["one", "two"]).await;
    let (start, texts) = batch(&echo);
    assert_eq!((texts.len(), start.param(2)), (2, "carl"));
    // The note that carl is not here answers, too, so both are one batch.
    let answer = echo.first().expect("there is an answer");
    assert_eq!((answer.tag("label").as_deref(), answer.param(1)), (Some("x"), "labeled-response"));
    assert_eq!(numeric(&echo, "301").tag("batch").as_deref(), answer.param(0).strip_prefix('+'));
    let mut carl = server.connect().await;
    let lines = carl.register("carl", Some("secret"), &["draft/multiline", "batch", "message-tags"]).await;
    let (waited, texts) = batch(&lines);
    assert_eq!((texts.len(), waited.tag("msgid")), (2, start.tag("msgid")));
    several(&mut ann, "", "ann", &["note", "to self"]).await;
    let lines = ann.ask("CHATHISTORY LATEST ann * 5").await;
    assert_eq!(batch(&lines).1, ["note", "to self"]);
}

#[tokio::test]
async fn what_is_not_one_message_is_refused_and_said_nowhere() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _cat) = room(&server).await;
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["BATCH +1 draft/multiline #room", "@batch=2 PRIVMSG #room :hi", "BATCH -1"],
            &["BATCH", "MULTILINE_INVALID"],
        ),
        (
            &["BATCH +1 draft/multiline #room", "@batch=1 PRIVMSG #other :hi", "BATCH -1"],
            &["BATCH", "MULTILINE_INVALID_TARGET", "#room", "#other"],
        ),
        (
            &[
                "BATCH +1 draft/multiline #room",
                "@batch=1 PRIVMSG #room :a",
                "@batch=1 NOTICE #room :b",
                "BATCH -1",
            ],
            &["BATCH", "MULTILINE_INVALID"],
        ),
        (
            &[
                "BATCH +1 draft/multiline #room",
                "@batch=1 PRIVMSG #room :a",
                "@batch=1;draft/multiline-concat PRIVMSG #room :",
                "BATCH -1",
            ],
            &["BATCH", "MULTILINE_INVALID"],
        ),
        (
            &[
                "BATCH +1 draft/multiline #room",
                "@batch=1 PRIVMSG #room :",
                "@batch=1 PRIVMSG #room :",
                "BATCH -1",
            ],
            &["BATCH", "MULTILINE_INVALID"],
        ),
        (
            &["BATCH +1 draft/multiline #room", "@batch=1 TOPIC #room :x", "BATCH -1"],
            &["BATCH", "MULTILINE_INVALID"],
        ),
        (&["BATCH -1"], &["BATCH", "MULTILINE_INVALID"]),
        (&["BATCH +1 other #room"], &["BATCH", "UNKNOWN_TYPE", "1", "other"]),
        (&["BATCH 1 draft/multiline #room"], &["BATCH", "INVALID_REFTAG", "1"]),
        (&["BATCH +1 draft/multiline"], &["BATCH", "MULTILINE_INVALID"]),
        (&["@batch=7 PRIVMSG #room :a"], &["BATCH", "MULTILINE_INVALID"]),
    ];
    for (lines, expected) in cases {
        for line in *lines {
            ann.send(line).await;
        }
        assert_eq!(failure(&ann.drain_until_pong().await), *expected, "{lines:?}");
    }
    assert!(command(&bob.drain_until_pong().await, "PRIVMSG").is_empty());
    assert_eq!(batch(&several(&mut ann, "", "#room", &["works", "again"]).await).1.len(), 2);
}

#[tokio::test]
async fn lines_and_bytes_are_limited_and_the_limits_are_told() {
    let server =
        TestServer::start_with(&[("limits.multiline_lines", "3"), ("limits.multiline_length", "512")]).await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let caps = ann.ask("CAP LS 302").await;
    let mut offered = caps.iter().flat_map(|line| line.text().split(' '));
    assert!(offered.any(|one| one == "draft/multiline=max-bytes=512,max-lines=3"), "{caps:#?}");
    ann.ask("JOIN #room").await;
    assert_eq!(
        failure(&several(&mut ann, "", "#room", &["x"; 4]).await),
        ["BATCH", "MULTILINE_MAX_LINES", "3"]
    );
    let long = "x".repeat(256);
    let lines = several(&mut ann, "@label=y ", "#room", &[&long, &long]).await;
    assert_eq!(failure(&lines), ["BATCH", "MULTILINE_MAX_BYTES", "512"]);
    assert_eq!(numeric(&lines, "FAIL").tag("label").as_deref(), Some("y"));
    let echo = several(&mut ann, "", "#room", &[&long, &format!("+{long}")]).await;
    assert_eq!(batch(&echo).1.len(), 2);
}

#[tokio::test]
async fn the_rules_of_a_room_hold_for_several_lines() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _cat) = room(&server).await;
    ann.ask("MODE #room +m").await;
    bob.drain_until_pong().await;
    let lines = several(&mut bob, "@label=z ", "#room", &["one", "two"]).await;
    assert_eq!(numeric(&lines, "404").tag("label").as_deref(), Some("z"));
    assert!(command(&ann.drain_until_pong().await, "PRIVMSG").is_empty());
}

#[tokio::test]
async fn no_line_of_several_is_a_hidden_ctcp() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.client_with("ann", CAPABILITIES).await, server.client("bob").await);
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +C").await;
    let lines = several(&mut ann, "", "#room", &["hi", "\u{1}VERSION\u{1}"]).await;
    numeric(&lines, "404");
    bob.ask("MODE bob +T").await;
    let lines = several(&mut ann, "", "bob", &["hi", "\u{1}VERSION\u{1}"]).await;
    numeric(&lines, "531");
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn a_service_hears_each_line() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let said = ["HELP GHOST", "", "HELP RE", "+GAIN"];
    let lines = several(&mut ann, "@label=x ", "NickServ", &said).await;
    let (start, texts) = batch(&lines);
    assert_eq!(texts, said);
    assert!(start.tag("msgid").is_some() && start.param(2) == "NickServ", "{start:?}");
    let outer = &lines[0];
    assert_eq!(
        (outer.tag("label").as_deref(), outer.param(1)),
        (Some("x"), "labeled-response"),
        "{lines:#?}"
    );
    assert_eq!(start.tag("batch").as_deref(), Some(&outer.param(0)[1..]));
    let told = command(&lines, "NOTICE");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].text().starts_with("GHOST <nick>") && told[1].text().starts_with("REGAIN"), "{told:?}");
    assert!(told.iter().all(|line| line.tag("batch") == start.tag("batch")), "{lines:#?}");
}
