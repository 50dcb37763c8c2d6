//! Lines as they arrive: how long they may be, and what they may hold.

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn tags_up_to_the_limit_pass_and_longer_ones_are_refused() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["message-tags", "echo-message"]).await;
    ann.ask("JOIN #room").await;
    // The limit counts the `@` and the space.
    let longest = format!("@+a={}", "x".repeat(4096 - "@+a= ".len()));
    let echo = ann.ask(&format!("{longest} PRIVMSG #room :hi")).await;
    assert_eq!(numeric(&echo, "PRIVMSG").tag("+a").map(|value| value.len()), Some(4091));
    let refused = ann.ask(&format!("{longest}x PRIVMSG #room :hi")).await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    numeric(&refused, "417");
}

#[tokio::test]
async fn a_longest_line_is_read_although_it_arrives_with_others() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["message-tags", "echo-message"]).await;
    ann.ask("JOIN #room").await;
    let line = format!("@+a={} PRIVMSG #room :{}\r\n", "x".repeat(4091), "y".repeat(494));
    ann.send_bytes(line.repeat(5).as_bytes()).await;
    let lines = ann.drain_until_pong().await;
    assert_eq!(lines.iter().filter(|line| line.command == "PRIVMSG").count(), 5);
}

#[tokio::test]
async fn what_is_not_utf_8_is_refused_in_the_words_of_the_specification() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["labeled-response", "batch"]).await;
    let mut bob = server.client("bob").await;
    ann.send_bytes(b"@label=x PRIVMSG bob :caf\xe9\r\n").await;
    let lines = ann.drain_until_pong().await;
    let failure = numeric(&lines, "FAIL");
    assert_eq!(failure.params[..2], ["PRIVMSG", "INVALID_UTF8"]);
    assert_eq!(failure.tag("label").as_deref(), Some("x"));
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn no_answer_is_longer_than_a_line_may_be() {
    let server = TestServer::start_with(&[("limits.topic_length", "390")]).await;
    let mut ann = server.client("ann").await;
    let long = "x".repeat(480);
    for line in [
        format!("NAMES #{long}"),
        format!("WHOIS {long}"),
        long.clone(),
        format!("MODE #{long}"),
        format!("RENAME #{long} #{long}"),
        format!("WHO {long}"),
        format!("LIST #{long}"),
    ] {
        let lines = ann.ask(&line).await;
        assert!(!lines.is_empty(), "{line}");
        assert!(lines.iter().all(|answer| answer.bare.len() <= 510), "{line}: {lines:?}");
    }
    let room = format!("#{}", "r".repeat(60));
    ann.ask(&format!("JOIN {room}")).await;
    let lines = ann.ask(&format!("TOPIC {room} :{}", "t".repeat(390))).await;
    assert!(lines.iter().all(|answer| answer.bare.len() <= 510), "{lines:?}");
}
