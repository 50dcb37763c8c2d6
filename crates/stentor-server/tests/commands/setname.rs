//! SETNAME.

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn the_client_and_those_in_common_channels_read_it_where_they_asked_for_it() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["setname"]).await;
    let mut bob = server.client_with("bob", &["setname"]).await;
    let mut eve = server.client("eve").await;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #one,#two").await;
    }
    ann.drain_until_pong().await;
    bob.drain_until_pong().await;
    eve.drain_until_pong().await;

    let own = ann.ask("SETNAME :Ann of Cleves").await;
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(numeric(&own, "SETNAME").text(), "Ann of Cleves");
    assert_eq!(numeric(&bob.drain_until_pong().await, "SETNAME").text(), "Ann of Cleves");
    assert!(eve.drain_until_pong().await.is_empty());
    assert_eq!(numeric(&eve.ask("WHOIS ann").await, "311").text(), "Ann of Cleves");
    let listed = eve.ask("WHO #one").await;
    assert!(listed.iter().any(|line| line.text() == "0 Ann of Cleves"), "{listed:?}");
}

#[tokio::test]
async fn an_empty_or_long_name_is_refused() {
    let server = TestServer::start_with(&[("limits.realname_length", "12")]).await;
    let mut ann = server.client_with("ann", &["setname", "standard-replies"]).await;
    for name in [":", ": ", ":0123456789abc"] {
        let lines = ann.ask(&format!("SETNAME {name}")).await;
        assert_eq!(numeric(&lines, "FAIL").params[..2], ["SETNAME", "INVALID_REALNAME"]);
    }
    assert_eq!(numeric(&ann.ask("SETNAME").await, "461").param(1), "SETNAME");
    assert_eq!(numeric(&ann.ask("WHOIS ann").await, "311").text(), "The real ann");
}
