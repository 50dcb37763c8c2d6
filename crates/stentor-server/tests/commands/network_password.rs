//! A password of the network itself.

use stentor_testing::{Said, TestClient, TestServer, numeric};

/// `operpassword`
const HASH: &str = "'$2b$04$abcdefghijklmnopqrstuu/6qq5Snl5oh918d11uhZj3Nbug/8.fu'";

async fn come(server: &TestServer, lines: &[&str]) -> TestClient {
    let mut client = server.connect().await;
    for line in lines.iter().chain(&["NICK ann", "USER ann 0 * :Ann"]) {
        client.send(line).await;
    }
    client
}

#[tokio::test]
async fn whoever_connects_gives_it_logs_in_or_leaves() {
    let server = TestServer::start_with(&[("network.password", HASH)]).await;
    server.account("carl", "sesame").await;
    for wrong in [&["PASS millet"][..], &[], &["PASS carl:millet"], &["PASS operpassword", "PASS millet"]] {
        let last: Vec<Said> = come(&server, wrong).await.expect_closed().await;
        numeric(&last, "464");
        numeric(&last, "ERROR");
    }
    for right in
        [&["PASS operpassword"][..], &["PASS carl:sesame"], &["PASS operpassword", "PASS carl:sesame"]]
    {
        let mut client = come(&server, right).await;
        client.expect_numeric("001").await;
        client.send("QUIT").await;
        client.expect_closed().await;
    }
}

#[tokio::test]
async fn an_account_that_anybody_can_make_is_no_way_around_it() {
    let server = TestServer::start_with(&[("network.password", HASH)]).await;
    let mut eve = server.connect().await;
    for line in ["CAP REQ :standard-replies", "NICK eve"] {
        eve.send(line).await;
    }
    eve.send("REGISTER * * sesame").await;
    assert_eq!(eve.expect_numeric("FAIL").await.params[..2], ["REGISTER", "SERVER_PASSWORD_REQUIRED"]);
    eve.send("PASS operpassword").await;
    eve.send("REGISTER * * sesame").await;
    assert_eq!(eve.expect_numeric("REGISTER").await.param(0), "SUCCESS");
}

#[tokio::test]
async fn guesses_at_it_are_slowed() {
    let server = TestServer::start_with(&[("network.password", HASH), ("limits.login_failures", "1")]).await;
    for _ in 0..2 {
        come(&server, &["PASS millet"]).await.expect_closed().await;
    }
    let last = come(&server, &["PASS operpassword"]).await.expect_closed().await;
    assert!(numeric(&last, "464").text().contains("try again in"), "{last:?}");
}
