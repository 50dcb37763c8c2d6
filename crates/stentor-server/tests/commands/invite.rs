//! INVITE.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn the_invited_reads_it_and_so_do_members_who_asked_for_that() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    let mut eve = server.client_with("eve", &["invite-notify"]).await;
    let mut dan = server.client("dan").await;
    for client in [&mut ann, &mut eve, &mut dan] {
        client.ask("JOIN #Room").await;
    }
    ann.drain_until_pong().await;
    eve.drain_until_pong().await;
    dan.drain_until_pong().await;
    let own = ann.ask("INVITE BOB #room").await;
    assert_eq!(numeric(&own, "341").params, ["ann", "bob", "#Room"]);
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(numeric(&bob.drain_until_pong().await, "INVITE").params, ["bob", "#Room"]);
    assert_eq!(numeric(&eve.drain_until_pong().await, "INVITE").params, ["bob", "#Room"]);
    assert!(dan.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    numeric(&bob.ask("INVITE ann #room").await, "442");
    numeric(&ann.ask("INVITE nobody #room").await, "401");
    numeric(&ann.ask("INVITE bob #nowhere").await, "403");
    numeric(&ann.ask("INVITE bob").await, "461");
    bob.ask("JOIN #room").await;
    assert_eq!(numeric(&ann.ask("INVITE bob #room").await, "443").params[1..3], ["bob", "#room"]);
    ann.ask("MODE #room +i").await;
    let _eve = server.client("eve").await;
    numeric(&bob.ask("INVITE eve #room").await, "482");
}

#[tokio::test]
async fn open_invitations_are_listed() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    ann.ask("JOIN #One,#two").await;
    numeric(&bob.ask("INVITE").await, "337");
    ann.ask("INVITE bob #one").await;
    ann.ask("INVITE bob #two").await;
    let listed = |lines: &[stentor_testing::Said]| -> Vec<String> {
        command(lines, "336").iter().map(|line| line.param(1).to_owned()).collect()
    };
    let lines = bob.ask("INVITE").await;
    assert_eq!(listed(&lines), ["#One", "#two"]);
    bob.ask("JOIN #two").await;
    assert_eq!(listed(&bob.ask("INVITE").await), ["#One"]);
}
