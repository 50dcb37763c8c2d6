//! An account's name is its owner's nick: guests who bear it give way.

use std::sync::Arc;

use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_server::store::{Partition, Store};
use stentor_testing::redis::RedisServer;
use stentor_testing::{BadLine, TestClient, TestServer, command, numeric};

/// Waits until a guest has another nick, and returns that.
async fn other_nick(guest: &mut TestClient) -> String {
    let nick = guest.expect_numeric("NICK").await.param(0).to_owned();
    assert!(nick.starts_with("Guest"), "{nick}");
    nick
}

#[tokio::test]
async fn a_guest_loses_the_nick_that_becomes_an_accounts_name() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    for how in ["add", "import"] {
        let mut guest = server.client(how).await;
        for client in [&mut ann, &mut guest] {
            client.ask("JOIN #room").await;
        }
        ann.drain_until_pong().await;
        if how == "add" {
            server.account("add", "sesame").await;
        } else {
            let hash = "$2b$04$ABCDEFGHIJKLMNOPQRSTUuIzLaXhWlXw4Y8cL6X1vzlZ5Vw0b0ohS";
            let report = server.node.accounts.import(&format!("{how}:{hash}")).await;
            assert_eq!(report.map(|report| report.added), Ok(vec![how.to_owned()]));
        }
        let nick = other_nick(&mut guest).await;
        let told = guest.expect_numeric("NOTICE").await;
        assert!(told.text().contains("is the name of an account now"), "{told:?}");
        assert_eq!(ann.expect_numeric("NICK").await.param(0), nick);
        // What is said to the account waits for its owner.
        ann.ask(&format!("PRIVMSG {how} :for the owner")).await;
        assert!(command(&guest.drain_until_pong().await, "PRIVMSG").is_empty());
        ann.ask(&format!("PRIVMSG {nick} :for the guest")).await;
        assert_eq!(numeric(&guest.drain_until_pong().await, "PRIVMSG").text(), "for the guest");
        numeric(&guest.ask(&format!("NICK {how}")).await, "433");
    }
    let (mut owner, told) = server.login_and_read("add", "sesame", &[]).await;
    assert_eq!(numeric(&told, "004").param(0), "add");
    assert_eq!(numeric(&told, "PRIVMSG").text(), "for the owner");
    owner.drain_until_pong().await;
}

#[tokio::test]
async fn who_claims_a_nick_looks_for_its_account_once_more() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let mut guest = server.client("guest").await;
    let mut new = server.connect().await;
    for (client, words) in [(&mut guest, "NICK bob"), (&mut new, "USER x 0 * x\r\nNICK carl")] {
        let name = words.rsplit(' ').next().expect("a nick");
        let (arrival, go_on) = line.hold_commit(&Partition::nick(name));
        client.send(words).await;
        arrival.await.expect("it is about to be claimed");
        server.account(name, "sesame").await;
        go_on.send(()).expect("it waits");
        assert_eq!(client.expect_numeric("433").await.param(1), name);
        server.login(name, "sesame", &[]).await;
    }
    guest.ask("PRIVMSG guest :still here").await;
    new.send("NICK other").await;
    new.expect_numeric("001").await;
}

#[tokio::test]
async fn who_registers_a_nick_in_use_keeps_it() {
    let server = TestServer::start().await;
    let mut bob = server.client("bob").await;
    let lines = bob.ask("REGISTER * * sesame").await;
    assert!(command(&lines, "NICK").is_empty(), "{lines:?}");
    assert!(command(&bob.drain_until_pong().await, "NICK").is_empty());
    numeric(&bob.ask("PRIVMSG bob :still bob").await, "PRIVMSG");
}

/// As where the node that made the account ended before it asked the guest.
#[tokio::test]
async fn an_owner_has_the_name_from_a_guest_who_was_not_asked() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let mut ann = server.client("ann").await;
    let mut guest = server.client("bob").await;
    for client in [&mut ann, &mut guest] {
        client.ask("JOIN #room").await;
    }
    ann.drain_until_pong().await;
    // Neither whoever makes the account nor the login itself.
    line.fail_peek(&Partition::nick("bob"));
    server.account("bob", "sesame").await;
    assert!(command(&guest.drain_until_pong().await, "NICK").is_empty());
    line.fail_peek(&Partition::nick("bob"));
    let (mut bob, told) = server.login_and_read("bob", "sesame", &[]).await;
    assert_eq!(numeric(&told, "004").param(0), "bob");
    let nick = other_nick(&mut guest).await;
    bob.ask("JOIN #room").await;
    let seen: Vec<String> = ann.drain_until_pong().await.into_iter().map(|line| line.command).collect();
    assert_eq!(seen, ["NICK", "JOIN"], "the nick is free before its owner comes");
    ann.ask("PRIVMSG bob :hello").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "PRIVMSG").text(), "hello");
    numeric(&guest.ask(&format!("PRIVMSG {nick} :still here")).await, "PRIVMSG");
}

#[tokio::test]
async fn a_guest_who_cannot_give_the_name_up_now_goes() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let (mut ann, mut guest) = (server.client("ann").await, server.client("bob").await);
    let (arrival, go_on) = line.hold_commit(&Partition::channel("#slow"));
    guest.send("JOIN #slow").await;
    arrival.await.expect("it is about to be stored");
    server.account("bob", "sesame").await;
    let mut bob = server.client("robert").await;
    bob.ask("NS IDENTIFY bob sesame").await;
    // As long as the guest may be speaking under it, nobody else does.
    numeric(&bob.ask("NICK bob").await, "433");
    ann.ask("PRIVMSG bob :for the owner").await;
    go_on.send(()).expect("it waits");
    let told = guest.expect_closed().await;
    assert!(command(&told, "PRIVMSG").is_empty(), "{told:?}");
    assert_eq!(numeric(&told, "ERROR").text(), "Your nick is the name of an account");
    numeric(&bob.ask("NICK bob").await, "NICK");
}

#[tokio::test]
async fn an_owner_under_another_nick_has_a_guest_give_up_the_name() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let mut guest = server.client("bob").await;
    line.fail_peek(&Partition::nick("bob"));
    server.account("bob", "sesame").await;
    let mut owner = server.client("owner").await;
    owner.ask("NS IDENTIFY bob sesame").await;
    other_nick(&mut guest).await;
    numeric(&owner.ask("NICK bob").await, "NICK");
}

#[tokio::test]
async fn guests_give_way_on_other_nodes_too() {
    let redis = RedisServer::start();
    let start = async |name: &str| {
        let store: Arc<dyn Store> =
            RedisStore::connect(RedisSettings::new(&redis.url())).await.expect("Redis answers");
        let line = BadLine::to(&store, &[]);
        let directory = tempfile::tempdir().expect("a directory can be made");
        let server = TestServer::start_on(line.clone(), name, directory, &[("fleet.lease", "'1m'")]).await;
        (line, server)
    };
    let ((line, one), (_, two)) = (start("one.example").await, start("two.example").await);
    let (mut bob, mut carl) = (two.client("bob").await, two.client("carl").await);
    one.account("bob", "sesame").await;
    other_nick(&mut bob).await;
    for _ in 0..2 {
        line.fail_peek(&Partition::nick("carl"));
    }
    one.account("carl", "sesame").await;
    let (_owner, told) = one.login_and_read("carl", "sesame", &[]).await;
    assert_eq!(numeric(&told, "004").param(0), "carl");
    other_nick(&mut carl).await;
    one.shutdown().await;
    two.shutdown().await;
}
