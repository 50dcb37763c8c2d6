//! MARKREAD: up to which time a conversation has been read.

use stentor_testing::{Said, TestServer, command, numeric};

const CAPABILITIES: &[&str] = &["draft/read-marker", "labeled-response", "batch"];
const OLD: &str = "timestamp=2019-01-01T00:00:00.000Z";
const NEW: &str = "timestamp=2019-06-01T12:00:00.123Z";

fn marker(lines: &[Said]) -> Vec<&str> {
    numeric(lines, "MARKREAD").params.iter().map(String::as_str).collect()
}

fn code(lines: &[Said]) -> &str {
    numeric(lines, "FAIL").param(1)
}

#[tokio::test]
async fn a_marker_only_ever_moves_forward() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    assert_eq!(marker(&ann.ask("MARKREAD #nowhere").await), ["#nowhere", "*"]);
    let lines = ann.ask(&format!("@label=x MARKREAD #Room {NEW}")).await;
    assert_eq!(numeric(&lines, "MARKREAD").tag("label").as_deref(), Some("x"));
    assert_eq!(marker(&lines), ["#Room", NEW]);
    assert_eq!(marker(&ann.ask(&format!("MARKREAD #room {OLD}")).await), ["#room", NEW]);
    let lines = ann.ask(&format!("@label=y MARKREAD #room {NEW}")).await;
    assert_eq!(numeric(&lines, "MARKREAD").tag("label").as_deref(), Some("y"), "{lines:#?}");
    assert_eq!(marker(&ann.ask("MARKREAD #room").await), ["#room", NEW]);
    assert_eq!(marker(&ann.ask("MARKREAD bob").await), ["bob", "*"]);
}

#[tokio::test]
async fn a_time_to_come_is_cut_to_now() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    let lines = ann.ask("MARKREAD bob timestamp=2970-01-01T00:00:00.000Z").await;
    assert!(marker(&lines)[1].starts_with("timestamp=20"), "{lines:#?}");
}

#[tokio::test]
async fn who_joins_is_told_what_they_have_read_before_the_names_end() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    ann.ask(&format!("MARKREAD #room {NEW}")).await;
    let lines = ann.ask("JOIN #room").await;
    let at = |wanted: &str| lines.iter().position(|line| line.command == wanted);
    assert!(at("JOIN") < at("MARKREAD") && at("MARKREAD") < at("366"), "{lines:#?}");
    assert_eq!(marker(&lines), ["#room", NEW]);
    let mut bob = server.client("bob").await;
    assert!(command(&bob.ask("JOIN #room").await, "MARKREAD").is_empty());
}

#[tokio::test]
async fn what_is_no_marker_is_refused() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", CAPABILITIES).await;
    assert_eq!(code(&ann.ask("MARKREAD").await), "NEED_MORE_PARAMS");
    for line in ["#room *", "#room timestamp=yesterday", "#room 2019-06-01T12:00:00.123Z", ":not a name"] {
        assert_eq!(code(&ann.ask(&format!("MARKREAD {line}")).await), "INVALID_PARAMS", "{line}");
    }
}

#[tokio::test]
async fn an_account_keeps_its_markers_and_shows_them_to_nobody_else() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", CAPABILITIES).await;
    let mut bob = server.client_with("bob", CAPABILITIES).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask(&format!("MARKREAD #room {NEW}")).await;
    assert_eq!(marker(&bob.ask("MARKREAD #room").await), ["#room", "*"]);
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut ann = server.login("ann", "secret", CAPABILITIES).await;
    assert_eq!(marker(&ann.ask("MARKREAD #room").await), ["#room", NEW]);
}
