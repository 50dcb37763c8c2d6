//! MODE of oneself.

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn one_may_be_invisible() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").params, ["ann", "+"]);
    assert_eq!(numeric(&ann.ask("MODE ANN +i").await, "MODE").params, ["ann", "+i"]);
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").params, ["ann", "+i"]);
    assert!(ann.ask("MODE ann +i").await.is_empty());
    numeric(&ann.ask("MODE ann +Z").await, "501");
}

#[tokio::test]
async fn others_have_their_own() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let _bob = server.client("bob").await;
    numeric(&ann.ask("MODE bob +i").await, "502");
    numeric(&ann.ask("MODE nobody").await, "401");
}
