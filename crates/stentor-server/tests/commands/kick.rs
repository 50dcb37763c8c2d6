//! KICK.

use stentor_server::store::Partition;
use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn an_operator_throws_people_out_and_all_see_it() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    let mut eve = server.client("eve").await;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #Room").await;
    }
    bob.drain_until_pong().await;
    let own = ann.ask("KICK #room bob :enough").await;
    assert_eq!(numeric(&own, "KICK").params, ["#Room", "bob", "enough"]);
    assert_eq!(numeric(&bob.drain_until_pong().await, "KICK").params, ["#Room", "bob", "enough"]);
    numeric(&eve.drain_until_pong().await, "KICK");
    ann.ask("PRIVMSG #room :gone?").await;
    assert!(bob.drain_until_pong().await.is_empty());
    numeric(&bob.ask("PRIVMSG #room :hello").await, "404");
    numeric(&bob.ask("JOIN #room").await, "JOIN");
    assert_eq!(numeric(&ann.ask("KICK #room bob").await, "KICK").text(), "ann");
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    assert_eq!(numeric(&bob.ask("KICK #room ann").await, "442").param(1), "#room");
    bob.ask("JOIN #room").await;
    assert_eq!(numeric(&bob.ask("KICK #room ann").await, "482").param(1), "#room");
    assert_eq!(numeric(&ann.ask("KICK #room eve").await, "441").params[1..3], ["eve", "#room"]);
    numeric(&ann.ask("KICK #nowhere bob").await, "403");
    numeric(&ann.ask("KICK #room").await, "461");
}

#[tokio::test]
async fn several_people_go_with_one_command() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let (mut bob, mut eve) = (server.client("bob").await, server.client("eve").await);
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #room").await;
    }
    let lines = ann.ask("KICK #room bob,nobody,eve :out").await;
    let kicked: Vec<&str> = command(&lines, "KICK").iter().map(|line| line.param(1)).collect();
    assert_eq!(kicked, ["bob", "eve"]);
    assert_eq!(numeric(&lines, "441").param(1), "nobody");
}

#[tokio::test]
async fn each_may_go_from_a_channel_of_their_own() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let (mut bob, mut eve) = (server.client("bob").await, server.client("eve").await);
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #one,#two").await;
    }
    let lines = ann.ask("KICK #one,#two bob,eve :out").await;
    let kicked: Vec<&[String]> = command(&lines, "KICK").iter().map(|line| &line.params[..2]).collect();
    assert_eq!(kicked, [["#one", "bob"], ["#two", "eve"]]);
    numeric(&ann.ask("KICK #one,#two eve").await, "461");
}

#[tokio::test]
async fn the_nodes_index_forgets_channels_that_one_was_thrown_out_of() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    for number in 0..10 {
        ann.ask(&format!("JOIN #room{number}")).await;
        ann.ask(&format!("KICK #room{number} ann")).await;
    }
    let index = Partition::index(server.node.tenure().writer());
    let index = server.node.hub.store().snapshot(&index).await.expect("it is read").expect("it is there");
    let places = index.members.iter().filter(|(key, _)| key.contains('/')).count();
    assert!(places <= 1, "{:?}", index.members);
}
