//! AWAY.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn nobody_is_told_of_their_own_absence_when_they_join() {
    let server = TestServer::start().await;
    let mut bob = server.client("bob").await;
    bob.ask("JOIN #room").await;
    let mut ann = server.connect().await;
    for line in
        ["CAP LS 302", "CAP REQ :away-notify draft/pre-away", "AWAY :tea", "NICK ann", "USER a 0 * :A"]
    {
        ann.send(line).await;
    }
    ann.send("CAP END").await;
    ann.expect_numeric("001").await;
    ann.drain_until_pong().await;
    let joined = ann.ask("JOIN #room").await;
    numeric(&joined, "JOIN");
    assert!(command(&joined, "AWAY").is_empty(), "{joined:?}");
}

#[tokio::test]
async fn it_is_acknowledged_and_shown_to_who_writes() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    let lines = ann.ask("AWAY :gone fishing").await;
    assert_eq!(numeric(&lines, "306").text(), "You have been marked as being away");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(numeric(&bob.ask("PRIVMSG ann :hi").await, "301").params, ["bob", "ann", "gone fishing"]);

    let lines = ann.ask("AWAY :").await;
    assert_eq!(numeric(&lines, "305").text(), "You are no longer marked as being away");
    assert!(bob.ask("PRIVMSG ann :hi").await.is_empty());
}

#[tokio::test]
async fn those_in_a_common_channel_are_told_once_where_they_asked_for_it() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["away-notify"]).await;
    let mut bob = server.client_with("bob", &["away-notify"]).await;
    let mut eve = server.client("eve").await;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #one,#two").await;
    }
    bob.drain_until_pong().await;
    eve.drain_until_pong().await;

    let own = ann.ask("AWAY :tea").await;
    assert!(command(&own, "AWAY").is_empty(), "{own:?}");
    let seen = bob.drain_until_pong().await;
    assert_eq!(numeric(&seen, "AWAY").bare, format!(":{} AWAY :tea", numeric(&seen, "AWAY").source));
    assert!(numeric(&seen, "AWAY").source.starts_with("ann!~ann@"));
    assert!(eve.drain_until_pong().await.is_empty());

    ann.ask("AWAY").await;
    assert!(numeric(&bob.drain_until_pong().await, "AWAY").params.is_empty());
    ann.ask("AWAY").await;
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn who_joins_while_away_is_shown_as_away() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["away-notify"]).await;
    let mut bob = server.client_with("bob", &["away-notify"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("AWAY :busy").await;
    let own = bob.ask("JOIN #room").await;
    assert!(command(&own, "AWAY").is_empty(), "{own:?}");
    let seen = ann.drain_until_pong().await;
    assert_eq!(numeric(&seen, "AWAY").text(), "busy");
}

#[tokio::test]
async fn a_long_text_is_cut_to_the_limit() {
    let server = TestServer::start_with(&[("limits.away_length", "10")]).await;
    let mut ann = server.client("ann").await;
    ann.ask("AWAY :0123456789abc").await;
    let mut bob = server.client("bob").await;
    assert_eq!(numeric(&bob.ask("PRIVMSG ann :hi").await, "301").text(), "0123456789");
}

#[tokio::test]
async fn who_asked_for_it_can_be_away_before_the_welcome() {
    let server = TestServer::start().await;
    let mut bob = server.client_with("bob", &["away-notify"]).await;
    bob.ask("JOIN #room").await;
    bob.ask("MONITOR + ann").await;
    let mut ann = server.connect().await;
    assert_eq!(ann.ask("AWAY :tea").await[0].command, "451");
    ann.ask("CAP REQ draft/pre-away").await;
    numeric(&ann.ask("AWAY :tea").await, "306");
    numeric(&ann.ask("AWAY").await, "305");
    numeric(&ann.ask("AWAY *").await, "306");
    for line in ["NICK ann", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    ann.expect_numeric("422").await;
    bob.expect_numeric("730").await;
    assert_eq!(numeric(&bob.ask("PRIVMSG ann :hi").await, "301").text(), "Away");
    ann.ask("JOIN #room").await;
    assert_eq!(bob.expect_numeric("AWAY").await.text(), "Away");
    ann.ask("AWAY").await;
    assert!(bob.expect_numeric("AWAY").await.params.is_empty());
}
