//! WALLOPS and ANNOUNCE.

use super::oper::{OPERATOR, operator};
use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn wallops_reach_those_who_asked_for_them() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client_with("bob", &["server-time"]).await);
    assert_eq!(numeric(&ann.ask("MODE ann +wi").await, "MODE").params, ["ann", "+wi"]);
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").param(1), "+iw");
    bob.ask("MODE bob +w").await;
    assert_eq!(numeric(&bob.ask("MODE bob -w").await, "MODE").params, ["bob", "-w"]);
    assert!(root.ask("WALLOPS :hi everyone").await.is_empty());
    let heard = ann.drain_until_pong().await;
    assert_eq!(numeric(&heard, "WALLOPS").params, ["hi everyone"]);
    assert!(numeric(&heard, "WALLOPS").source.starts_with("root!"));
    assert!(bob.drain_until_pong().await.is_empty());
    bob.ask("MODE bob +w").await;
    root.ask("WALLOPS :again").await;
    assert!(numeric(&bob.drain_until_pong().await, "WALLOPS").tag("time").is_some());
    numeric(&root.ask("WALLOPS").await, "461");
}

#[tokio::test]
async fn an_announcement_reaches_everybody() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let mut ann = server.client("ann").await;
    assert_eq!(command(&root.ask("ANNOUNCE :back at noon").await, "NOTICE").len(), 1);
    let heard = ann.drain_until_pong().await;
    assert_eq!(numeric(&heard, "NOTICE").params, ["ann", "Announcement: back at noon"]);
    assert_eq!(numeric(&heard, "NOTICE").source, server.name());
}
