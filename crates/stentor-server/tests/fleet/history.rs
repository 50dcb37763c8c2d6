//! What clients of several nodes see of history and of what is told about it.

use stentor_testing::{command, numeric};

use super::Pair;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_on_one_node_is_known_on_the_other() {
    let pair = Pair::start(&[]).await;
    pair.one.account("ann", "secret").await;
    let time = "timestamp=2019-06-01T12:00:00.123Z";
    let mut ann = pair.one.login("ann", "secret", &["draft/read-marker"]).await;
    ann.ask(&format!("MARKREAD #room {time}")).await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut ann = pair.two.login("ann", "secret", &["draft/read-marker"]).await;
    assert_eq!(numeric(&ann.ask("JOIN #room").await, "MARKREAD").param(1), time);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_on_one_node_is_gone_on_both() {
    let capabilities =
        ["draft/message-redaction", "draft/chathistory", "echo-message", "message-tags", "batch"];
    let mut pair = Pair::start(&[]).await;
    pair.one.account("bob", "secret").await;
    let mut ann = pair.one.client_with("ann", &capabilities).await;
    let mut bob = pair.two.login("bob", "secret", &capabilities).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.expect(|line| line.contains(" JOIN ")).await;
    for target in ["#room", "bob"] {
        let lines = ann.ask(&format!("PRIVMSG {target} :a secret")).await;
        let msgid = numeric(&lines, "PRIVMSG").tag("msgid").expect("it has an id");
        bob.expect_numeric("PRIVMSG").await;
        ann.ask(&format!("PRIVMSG {target} :more")).await;
        ann.ask(&format!("REDACT {target} {msgid}")).await;
        assert_eq!(bob.expect_numeric("REDACT").await.params, [target, &msgid]);
        let from = if target == "bob" { "ann" } else { target };
        for (client, buffer) in [(&mut ann, target), (&mut bob, from)] {
            let lines = client.ask(&format!("CHATHISTORY LATEST {buffer} * 50")).await;
            assert!(!lines.iter().any(|line| line.text() == "a secret"), "{lines:#?}");
            assert_eq!(command(&lines, "PRIVMSG").len(), 1, "{lines:#?}");
        }
    }
    for key in ["{c/#room}:l", "{u/bob}:l"] {
        let log = pair.redis().cli(&["XRANGE", key, "-", "+"]);
        assert!(log.contains("more") && !log.contains("a secret"), "{key}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_lines_reach_the_other_node_as_one_message() {
    let capabilities = ["draft/multiline", "echo-message", "message-tags", "batch"];
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client_with("ann", &capabilities).await;
    let mut bob = pair.two.client_with("bob", &capabilities).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.expect(|line| line.contains(" JOIN ")).await;
    for target in ["#room", "bob"] {
        ann.send(&format!("BATCH +1 draft/multiline {target}")).await;
        ann.send(&format!("@batch=1 PRIVMSG {target} :one")).await;
        ann.send(&format!("@batch=1 PRIVMSG {target} :two")).await;
        let echo = ann.ask("BATCH -1").await;
        let started = bob.expect_numeric("BATCH").await;
        assert_eq!(started.params[1..], ["draft/multiline", target]);
        assert_eq!(started.tag("msgid"), command(&echo, "BATCH")[0].tag("msgid"));
        assert_eq!(bob.expect_numeric("PRIVMSG").await.text(), "one");
        assert_eq!(bob.expect_numeric("PRIVMSG").await.text(), "two");
        assert!(bob.expect_numeric("BATCH").await.param(0).starts_with('-'));
    }
}
