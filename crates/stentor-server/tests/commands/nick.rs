//! NICK.

use stentor_server::store::Partition;
use stentor_testing::{Fault, TestServer, command, numeric};

#[tokio::test]
async fn a_change_is_seen_once_by_those_in_common_channels() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    let mut eve = server.client("eve").await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    ann.drain_until_pong().await;
    let own = ann.ask("NICK anna").await;
    assert_eq!(own.len(), 1, "{own:?}");
    assert!(numeric(&own, "NICK").source.starts_with("ann!~ann@"));
    assert_eq!(numeric(&own, "NICK").params, ["anna"]);
    assert_eq!(numeric(&bob.drain_until_pong().await, "NICK").params, ["anna"]);
    assert!(eve.drain_until_pong().await.is_empty());
    assert!(numeric(&bob.ask("NAMES #one").await, "353").text().contains("anna"));
    numeric(&bob.ask("WHOIS ann").await, "401");
    assert_eq!(numeric(&bob.ask("WHOIS anna").await, "311").param(1), "anna");
}

#[tokio::test]
async fn only_capitals_may_change_in_place() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    assert_eq!(numeric(&ann.ask("NICK Ann").await, "NICK").params, ["Ann"]);
    assert!(ann.ask("NICK Ann").await.is_empty());
    assert_eq!(numeric(&bob.ask("ISON ann").await, "303").text(), "Ann");
}

#[tokio::test]
async fn what_is_taken_or_not_legal_is_refused() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client("ann").await;
    let _bob = server.client("bob").await;
    assert_eq!(numeric(&ann.ask("NICK BOB").await, "433").param(1), "BOB");
    assert_eq!(numeric(&ann.ask("NICK carl").await, "433").param(1), "carl");
    for bad in ["#a", "a!b", "1a"] {
        assert_eq!(numeric(&ann.ask(&format!("NICK {bad}")).await, "432").param(1), bad);
    }
    numeric(&ann.ask("NICK").await, "431");
    assert!(command(&ann.ask("WHOIS ann").await, "401").is_empty());
}

#[tokio::test]
async fn a_nick_that_was_given_up_is_free_at_once() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("NICK anna").await;
    numeric(&bob.ask("NICK ann").await, "NICK");
}

#[tokio::test]
async fn a_ban_is_not_shaken_off_by_another_nick_and_says_nothing_by_part() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +b m:bob!*@*").await;
    let refused = bob.ask("NICK loud").await;
    assert_eq!(
        numeric(&refused, "435").params,
        ["bob", "loud", "#room", "You cannot change your nick while you are banned or muted there"]
    );
    // What holds whatever the nick does not keep anybody from another.
    ann.ask("MODE #room +b m:*!*@localhost").await;
    numeric(&bob.ask("NICK loud").await, "NICK");
    ann.ask("MODE #room -b m:*!*@localhost").await;
    bob.ask("NICK bob").await;
    ann.ask("MODE #room +v bob").await;
    numeric(&bob.ask("NICK loud").await, "NICK");
    bob.ask("NICK bob").await;
    ann.ask("MODE #room -v bob").await;
    ann.drain_until_pong().await;
    bob.ask("PART #room :buy this").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PART").params, ["#room"]);
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room -b m:bob!*@*").await;
    bob.ask("PART #room :so long").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PART").text(), "so long");
}

#[tokio::test]
async fn a_nick_whose_claim_got_no_answer_can_be_asked_for_again() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let mut ann = server.client("ann").await;
    line.fail(&Partition::nick("bob"), Fault::AnswerLost, 1000);
    let lines = ann.ask("NICK bob").await;
    assert!(command(&lines, "NICK").is_empty(), "{lines:?}");
    line.mend();
    let lines = ann.ask("NICK bob").await;
    assert_eq!(numeric(&lines, "NICK").params, ["bob"]);
    ann.quit().await;
    server.client("bob").await;
    server.client("ann").await;
}
