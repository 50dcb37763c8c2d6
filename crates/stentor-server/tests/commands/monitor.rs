//! MONITOR.

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn coming_and_going_is_told() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("Bob").await;
    let lines = ann.ask("MONITOR + bob,eve").await;
    assert!(numeric(&lines, "730").text().starts_with("Bob!~bob@"));
    assert_eq!(numeric(&lines, "731").params, ["ann", "eve"]);
    let mut eve = server.client("eve").await;
    assert!(ann.expect_numeric("730").await.text().starts_with("eve!~eve@"));
    eve.send("QUIT").await;
    assert_eq!(ann.expect_numeric("731").await.text(), "eve");
    bob.ask("NICK rob").await;
    let gone = ann.expect_numeric("731").await;
    assert_eq!(
        (gone.source.as_str(), gone.text()),
        (server.name(), "Bob"),
        "as it was spelt, from the server"
    );
    bob.ask("NICK bob").await;
    assert!(ann.expect_numeric("730").await.text().starts_with("bob!~bob@"));
}

#[tokio::test]
async fn the_list_is_shown_and_cleared() {
    let server = TestServer::start_with(&[("limits.monitor", "2")]).await;
    let mut ann = server.client("ann").await;
    ann.ask("MONITOR + bob,eve").await;
    let lines = ann.ask("MONITOR L").await;
    let mut names: Vec<&str> = numeric(&lines, "732").text().split(',').collect();
    names.sort_unstable();
    assert_eq!(names, ["bob", "eve"]);
    numeric(&lines, "733");
    assert_eq!(numeric(&ann.ask("MONITOR + dan").await, "734").params[1..3], ["2", "dan"]);
    ann.ask("MONITOR - BOB").await;
    assert_eq!(numeric(&ann.ask("MONITOR S").await, "731").text(), "eve");
    ann.ask("MONITOR C").await;
    assert_eq!(ann.ask("MONITOR L").await.len(), 1);
    let _eve = server.client("eve").await;
    assert!(ann.drain_until_pong().await.is_empty());
}
