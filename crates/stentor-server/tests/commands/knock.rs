//! KNOCK.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn who_may_open_hears_a_knock() {
    let server = TestServer::start().await;
    let (mut ann, mut hal) = (server.client("ann").await, server.client("hal").await);
    let (mut vic, mut bob) = (server.client("vic").await, server.client("bob").await);
    for client in [&mut ann, &mut hal, &mut vic] {
        client.ask("JOIN #Room").await;
    }
    ann.ask("MODE #room +ihv hal vic").await;
    for client in [&mut ann, &mut hal, &mut vic] {
        client.drain_until_pong().await;
    }
    assert_eq!(numeric(&bob.ask("KNOCK #room").await, "711").param(1), "#Room");
    for client in [&mut ann, &mut hal] {
        let told = client.drain_until_pong().await;
        let told = numeric(&told, "710");
        assert_eq!(told.params[..2], ["#Room", "#Room"]);
        assert!(told.param(2).starts_with("bob!"), "{told:?}");
    }
    assert!(vic.drain_until_pong().await.is_empty());
    assert_eq!(numeric(&bob.ask("KNOCK #room").await, "712").param(1), "#Room");
    hal.ask("INVITE bob #room").await;
    numeric(&bob.ask("JOIN #room").await, "JOIN");
}

#[tokio::test]
async fn there_is_no_knocking_where_it_is_of_no_use() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    ann.ask("JOIN #open,#closed,#secret").await;
    numeric(&bob.ask("KNOCK #open").await, "713");
    numeric(&ann.ask("KNOCK #open").await, "714");
    numeric(&bob.ask("KNOCK #nowhere").await, "403");
    ann.ask("MODE #secret +is").await;
    numeric(&bob.ask("KNOCK #secret").await, "403");
    ann.ask("MODE #closed +iK").await;
    numeric(&bob.ask("KNOCK #closed").await, "480");
    ann.ask("MODE #closed -K+b bob").await;
    numeric(&bob.ask("KNOCK #closed").await, "480");
    assert!(command(&ann.drain_until_pong().await, "710").is_empty());
    numeric(&bob.ask("KNOCK").await, "461");
}
