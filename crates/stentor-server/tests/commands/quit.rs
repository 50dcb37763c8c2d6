//! QUIT, and connections that end otherwise.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn those_in_common_channels_see_it_once() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    bob.ask("MONITOR + ann").await;
    ann.send("QUIT :good night").await;
    let last = ann.expect_closed().await;
    assert_eq!(numeric(&last, "ERROR").text(), "Quit: good night");
    // The nick is given up after the channels.
    let seen = bob.collect_until("731").await;
    assert_eq!(numeric(&seen, "QUIT").text(), "Quit: good night");
    assert_eq!(numeric(&bob.ask("NAMES #two").await, "353").text(), "bob");
    numeric(&bob.ask("NICK ann").await, "NICK");
}

#[tokio::test]
async fn who_may_not_speak_says_nothing_by_leaving_the_network() {
    let server = TestServer::start().await;
    let (mut ann, mut eve) = (server.client("ann").await, server.client("eve").await);
    ann.ask("JOIN #room").await;
    eve.ask("JOIN #room").await;
    ann.ask("MODE #room +m").await;
    eve.send("QUIT :one more thing").await;
    let last = eve.expect_closed().await;
    assert_eq!(numeric(&last, "ERROR").text(), "Quit: one more thing");
    assert_eq!(ann.expect_numeric("QUIT").await.text(), "Client Quit");
}

#[tokio::test]
async fn a_lost_connection_is_a_quit_too() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    drop(ann);
    assert_eq!(bob.expect_numeric("QUIT").await.text(), "Connection closed");
}

#[tokio::test]
async fn a_node_that_shuts_down_says_so() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    server.shutdown().await;
    let last = ann.expect_closed().await;
    assert!(numeric(&last, "ERROR").text().contains("shutting down"), "{last:?}");
    assert!(command(&last, "QUIT").is_empty());
}

#[tokio::test]
async fn what_it_held_is_free_when_the_connection_ends() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut bob = server.client("bob").await;
    bob.ask("MONITOR + ann").await;
    for _ in 0..5 {
        let mut ann = server.login("ann", "secret", &[]).await;
        numeric(&bob.drain_until_pong().await, "730");
        ann.send("QUIT").await;
        ann.expect_closed().await;
        numeric(&bob.drain_until_pong().await, "731");
        assert_eq!(numeric(&bob.ask("LUSERS").await, "265").param(1), "1");
    }
}
