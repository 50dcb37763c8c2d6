//! CAP.

use crate::support::{TestServer, numeric};

#[tokio::test]
async fn what_is_offered_can_be_had_and_given_back() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let offered: Vec<String> =
        ann.ask("CAP LS 302").await.iter().map(|line| line.text().to_owned()).collect();
    let offered = offered.join(" ");
    for wanted in ["message-tags", "server-time", "echo-message", "away-notify", "setname", "batch"] {
        assert!(offered.split(' ').any(|one| one.split('=').next() == Some(wanted)), "{wanted} in {offered}");
    }
    assert_eq!(
        numeric(&ann.ask("CAP REQ :away-notify setname").await, "CAP").params[1..],
        ["ACK", "away-notify setname"]
    );
    assert_eq!(
        numeric(&ann.ask("CAP REQ :setname nonsense").await, "CAP").params[1..],
        ["NAK", "setname nonsense"]
    );
    ann.ask("CAP REQ :-setname").await;
    let list = ann.ask("CAP LIST").await;
    let mut had: Vec<&str> = numeric(&list, "CAP").text().split(' ').collect();
    had.sort_unstable();
    assert_eq!(had, ["away-notify", "cap-notify"]);
    assert_eq!(numeric(&ann.ask("CAP NONSENSE").await, "410").param(1), "NONSENSE");
}

#[tokio::test]
async fn the_welcome_waits_for_the_end_of_the_negotiation() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    ann.send("CAP LS 302").await;
    ann.send("NICK ann").await;
    ann.send("USER ann 0 * :Ann").await;
    let before = ann.drain_until_pong().await;
    assert!(before.iter().all(|line| line.command == "CAP"), "{before:?}");
    ann.send("CAP END").await;
    ann.expect_numeric("001").await;
}
