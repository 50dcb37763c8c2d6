//! Labelled requests: each has exactly one message, or one batch, as its answer.

use stentor_testing::{Said, TestClient, TestServer};

use super::oper::{OPERATOR, operator};

const CAPABILITIES: &[&str] =
    &["batch", "labeled-response", "message-tags", "echo-message", "away-notify", "setname"];

/// Sends a labelled line and returns its answer: what carries the label, or what is in the batch that does.
async fn answer(client: &mut TestClient, line: &str) -> Vec<Said> {
    let lines = client.ask(&format!("@label=abc {line}")).await;
    let (first, rest) = lines.split_first().unwrap_or_else(|| panic!("{line} has no answer"));
    assert_eq!(first.tag("label").as_deref(), Some("abc"), "{line}: {lines:#?}");
    assert!(rest.iter().all(|line| line.tag("label").is_none()), "{line} has two answers: {lines:#?}");
    if first.command != "BATCH" {
        assert!(rest.is_empty(), "{line} is answered outside of its label: {lines:#?}");
        return lines;
    }
    assert_eq!(first.param(1), "labeled-response");
    let reference = first.param(0).trim_start_matches('+').to_owned();
    let (last, inner) = rest.split_last().expect("a batch ends");
    assert_eq!(
        (last.command.as_str(), last.param(0)),
        ("BATCH", format!("-{reference}").as_str()),
        "{lines:#?}"
    );
    for one in inner {
        assert_eq!(one.tag("batch").as_ref(), Some(&reference), "{line}: {lines:#?}");
    }
    inner.to_vec()
}

#[tokio::test]
async fn every_command_has_one_answer() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let _bob = server.client("bob").await;
    for (line, wanted) in [
        ("JOIN #room", &["JOIN", "353", "366"][..]),
        ("JOIN #room", &["ACK"]),
        ("JOIN #one,#two", &["JOIN", "353", "366", "JOIN", "353", "366"]),
        ("JOIN bad", &["403"]),
        ("PRIVMSG #room :hello", &["PRIVMSG"]),
        ("PRIVMSG #room,#one :hello", &["PRIVMSG", "PRIVMSG"]),
        ("PRIVMSG #room,nobody :hello", &["PRIVMSG", "401"]),
        ("PRIVMSG bob :hello", &["PRIVMSG"]),
        ("NOTICE nobody :hello", &["401"]),
        ("TAGMSG #room", &["TAGMSG"]),
        ("TOPIC #room :news", &["TOPIC"]),
        ("TOPIC #room", &["332", "333"]),
        ("MODE #room +m", &["MODE"]),
        ("MODE #room +m", &["ACK"]),
        ("MODE #room +Zi", &["472", "MODE"]),
        ("MODE #room +b", &["368"]),
        ("MODE #room", &["324", "329"]),
        ("INVITE bob #room", &["341"]),
        ("KICK #room bob", &["441"]),
        ("AWAY :tea", &["306"]),
        ("AWAY", &["305"]),
        ("SETNAME :Ann", &["SETNAME"]),
        ("NICK anna", &["NICK"]),
        ("NICK anna", &["ACK"]),
        ("NICK ann", &["NICK"]),
        ("MODE ann +i", &["MODE"]),
        ("MONITOR + bob", &["730"]),
        ("MONITOR - bob", &["ACK"]),
        ("PONG x", &["ACK"]),
        ("PING x", &["PONG"]),
        ("WHO nobody", &["315"]),
        ("WHOIS nobody", &["401", "318"]),
        ("WHOWAS nobody", &["406", "369"]),
        ("ISON bob", &["303"]),
        ("NONSENSE", &["421"]),
        ("HELP nonsense", &["524"]),
        ("PART #one,#two", &["PART", "PART"]),
        ("PART #room :bye", &["PART"]),
    ] {
        let answered = answer(&mut ann, line).await;
        let commands: Vec<&str> = answered.iter().map(|line| line.command.as_str()).collect();
        assert_eq!(commands, wanted, "{line}");
    }
}

#[tokio::test]
async fn of_what_one_says_to_oneself_the_echo_alone_is_labelled() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    for line in ["PRIVMSG ann :hello", "NOTICE ann :hello", "TAGMSG ann"] {
        let lines = ann.ask(&format!("@label=abc {line}")).await;
        let labelled = lines.iter().filter(|line| line.tag("label").is_some());
        assert_eq!((lines.len(), labelled.count()), (2, 1), "{lines:#?}");
        assert!(lines.iter().all(|one| line.starts_with(&one.command)), "{lines:#?}");
    }
}

#[tokio::test]
async fn a_long_change_of_modes_is_one_answer() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    let masks: Vec<String> = (0..6).map(|number| format!("{}{number}", "x".repeat(60))).collect();
    let answered = answer(&mut ann, &format!("MODE #room +bbbbbb {}", masks.join(" "))).await;
    assert!(answered.len() > 1 && answered.iter().all(|line| line.command == "MODE"), "{answered:?}");
}

#[tokio::test]
async fn a_label_that_is_too_long_is_no_label() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let lines = ann.ask(&format!("@label={} PING x", "x".repeat(65))).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines.first().and_then(|line| line.tag("label")), None);
}

#[tokio::test]
async fn of_two_labels_the_last_one_counts() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let lines = ann.ask("@label=one;label=two PING x").await;
    assert_eq!(lines.first().and_then(|line| line.tag("label")).as_deref(), Some("two"));
}

#[tokio::test]
async fn what_is_given_up_is_answered_under_its_label() {
    let server = TestServer::start().await;
    let capabilities = [CAPABILITIES, &["draft/multiline"]].concat();
    let mut ann = server.client_with("ann", &capabilities).await;
    for second in ["@label=second BATCH +2 draft/multiline #room", "@label=second BATCH -other"] {
        ann.ask("@label=first BATCH +1 draft/multiline #room").await;
        let lines = ann.ask(second).await;
        for label in ["first", "second"] {
            let answers = lines.iter().filter(|line| line.tag("label").as_deref() == Some(label));
            assert_eq!(answers.count(), 1, "{second}: {lines:?}");
        }
        ann.ask("BATCH -2").await;
    }
}

#[tokio::test]
async fn tags_alone_are_answered_where_their_sender_gets_no_copy() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["batch", "labeled-response", "echo-message"]).await;
    ann.ask("JOIN #room").await;
    assert_eq!(answer(&mut ann, "TAGMSG #room").await[0].command, "ACK");
}

#[tokio::test]
async fn a_note_beside_an_echo_is_a_part_of_the_answer() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.client_with("ann", CAPABILITIES).await, server.client("bob").await);
    bob.ask("AWAY :tea").await;
    let lines = answer(&mut ann, "PRIVMSG bob :hi").await;
    assert_eq!(lines.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["PRIVMSG", "301"]);
}

#[tokio::test]
async fn a_message_to_several_is_acknowledged_where_its_sender_gets_no_copy() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["batch", "labeled-response"]).await;
    let _bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    let lines = ann.ask("@label=abc PRIVMSG #room,bob :hi").await;
    assert_eq!((lines.len(), lines[0].command.as_str()), (1, "ACK"), "{lines:#?}");
    assert_eq!(answer(&mut ann, "PRIVMSG #room,nobody :hi").await[0].command, "401");
}

#[tokio::test]
async fn what_a_mode_did_and_what_it_did_not_is_one_answer() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let mut root = operator(&server, "root").await;
    let mut bob = server.client("bob").await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #room").await;
    }
    ann.drain_until_pong().await;
    let answered = answer(&mut ann, "MODE #room +vv bob nobody").await;
    let commands: Vec<&str> = answered.iter().map(|line| line.command.as_str()).collect();
    assert_eq!((commands, answered[0].params.join(" ")), (vec!["MODE", "401"], "#room +v bob".to_owned()));
    assert_eq!(answer(&mut ann, "MODE #room +o nobody").await[0].command, "401");
    assert_eq!(answer(&mut ann, "MODE #room +h bob").await[0].command, "MODE");
    root.ask("CAP REQ :batch labeled-response").await;
    root.ask("JOIN #room").await;
    let answered = answer(&mut root, "SAMODE #room -h+l bob none").await;
    assert_eq!(answered.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["MODE", "696"]);
    ann.drain_until_pong().await;
    // Who asked without a label is told both, too.
    let lines = ann.ask("MODE #room -v+v bob nobody").await;
    assert_eq!(lines.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["MODE", "401"]);
}
