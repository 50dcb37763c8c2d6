//! KILL.

use std::sync::Arc;

use super::oper::{OPERATOR, operator};
use stentor_server::store::{StoreTime, Writer};
use stentor_server::tenure::Tenure;
use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn a_killed_user_is_told_why_and_others_see_it() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #room").await;
    }
    ann.drain_until_pong().await;
    root.ask("KILL bob :bad manners").await;
    let end = bob.expect_closed().await;
    assert_eq!(numeric(&end, "KILL").params, ["bob", "bad manners"]);
    assert_eq!(numeric(&end, "ERROR").text(), "Killed (root (bad manners))");
    assert_eq!(ann.expect_numeric("QUIT").await.text(), "Killed (root (bad manners))");
    server.client("bob").await;
    root.ask("KILL BOB").await;
    assert_eq!(ann.drain_until_pong().await.len(), 0, "that one was in no channel");
}

#[tokio::test]
async fn what_cannot_be_killed_is_said() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    numeric(&root.ask("KILL nobody :x").await, "401");
    numeric(&root.ask(&format!("KILL {} :x", server.name())).await, "483");
    numeric(&root.ask("KILL").await, "461");
    let mut ann = server.client("ann").await;
    numeric(&ann.ask("KILL root :x").await, "481");
    numeric(&ann.ask("KILL nobody :x").await, "481");
    root.send("KILL root :enough").await;
    assert_eq!(numeric(&root.expect_closed().await, "ERROR").text(), "Killed (root (enough))");
}

#[tokio::test]
async fn a_session_here_is_killed_while_its_claims_are_those_of_a_lost_lease() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let mut bob = server.client("bob").await;
    let lost = Tenure::new(Writer::new("test.example", 1), StoreTime(u64::MAX));
    server.node.clients.by_nick("bob").expect("he is here").set_tenure(Arc::new(lost));
    root.ask("KILL bob :bad manners").await;
    assert_eq!(numeric(&bob.expect_closed().await, "KILL").params, ["bob", "bad manners"]);
}
