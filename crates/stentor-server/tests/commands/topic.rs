//! TOPIC.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn members_read_a_change_and_anybody_may_ask() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #Room").await;
    bob.ask("JOIN #room").await;
    assert_eq!(numeric(&bob.ask("TOPIC #room").await, "331").param(1), "#Room");
    let own = ann.ask("TOPIC #room :news").await;
    assert_eq!(numeric(&own, "TOPIC").params, ["#Room", "news"]);
    assert_eq!(numeric(&bob.drain_until_pong().await, "TOPIC").params, ["#Room", "news"]);
    let mut eve = server.client("eve").await;
    let asked = eve.ask("TOPIC #room").await;
    assert_eq!(numeric(&asked, "332").params, ["eve", "#Room", "news"]);
    assert!(numeric(&asked, "333").param(2).starts_with("ann!~ann@"));
    ann.ask("TOPIC #room :").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "TOPIC").params, ["#Room", ""]);
    numeric(&bob.ask("TOPIC #room").await, "331");
}

#[tokio::test]
async fn who_may_not_change_it_is_told_so() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    assert_eq!(numeric(&bob.ask("TOPIC #room :x").await, "442").param(1), "#room");
    bob.ask("JOIN #room").await;
    assert_eq!(numeric(&bob.ask("TOPIC #room :x").await, "482").param(1), "#room");
    ann.ask("MODE #room -t").await;
    numeric(&bob.ask("TOPIC #room :x").await, "TOPIC");
    numeric(&bob.ask("TOPIC #nowhere").await, "403");
    numeric(&bob.ask("TOPIC #nowhere :x").await, "403");
    numeric(&bob.ask("TOPIC").await, "461");
}

#[tokio::test]
async fn a_secret_channel_shows_nothing_to_outsiders() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #secret").await;
    ann.ask("MODE #secret +s").await;
    for line in [
        "TOPIC #secret",
        "TOPIC #secret :x",
        "MODE #secret",
        "PART #secret",
        "PRIVMSG #secret :x",
        "KICK #secret ann",
        "INVITE ann #secret",
    ] {
        let lines = bob.ask(line).await;
        assert_eq!(numeric(&lines, "403").param(1), "#secret", "{line}");
    }
    let names = bob.ask("NAMES #secret").await;
    assert!(command(&names, "353").is_empty());
}
