//! PING and PONG.

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn a_ping_is_answered_with_its_token() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("PING :some token").await;
    assert_eq!(numeric(&lines, "PONG").text(), "some token");
    let lines = ann.ask("PING").await;
    assert_eq!(numeric(&lines, "461").params, ["ann", "PING", "Not enough parameters"]);
}
