//! PART.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn all_members_see_it_and_the_leaver_hears_no_more() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #Room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    let own = bob.ask("PART #room :bye all").await;
    assert_eq!(numeric(&own, "PART").params, ["#Room", "bye all"]);
    assert_eq!(numeric(&ann.drain_until_pong().await, "PART").params, ["#Room", "bye all"]);
    ann.ask("PRIVMSG #room :still here").await;
    assert!(bob.drain_until_pong().await.is_empty());
    assert_eq!(numeric(&bob.ask("PART #room").await, "442").param(1), "#room");
    assert_eq!(numeric(&bob.ask("PART #nowhere").await, "403").param(1), "#nowhere");
}

#[tokio::test]
async fn a_channel_ends_with_its_last_member() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    ann.ask("TOPIC #room :old").await;
    let own = ann.ask("PART #room").await;
    assert_eq!(numeric(&own, "PART").params, ["#room"]);
    let again = ann.ask("JOIN #room").await;
    assert!(command(&again, "332").is_empty(), "{again:?}");
}

#[tokio::test]
async fn several_channels_are_left_with_one_command() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #one,#two").await;
    let lines = ann.ask("PART #one,#nowhere,#two :bye").await;
    let left: Vec<&str> = command(&lines, "PART").iter().map(|line| line.param(0)).collect();
    assert_eq!(left, ["#one", "#two"]);
    assert_eq!(numeric(&lines, "403").param(1), "#nowhere");
}
