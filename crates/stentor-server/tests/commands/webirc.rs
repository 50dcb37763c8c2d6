//! WEBIRC, for gateways.

use super::oper::{OPERATOR, operator};
use stentor_testing::{TestClient, TestServer, command, numeric};

/// `operpassword`
const PASSWORD: (&str, &str) =
    ("webirc.password", "'$2b$04$abcdefghijklmnopqrstuu/6qq5Snl5oh918d11uhZj3Nbug/8.fu'");
const HERE: (&str, &str) = ("webirc.trusted", "['127.0.0.1']");

async fn say(server: &TestServer, line: &str) -> TestClient {
    let mut client = server.connect().await;
    for line in [line, "NICK ann", "USER ann 0 * :Ann"] {
        client.send(line).await;
    }
    client
}

#[tokio::test]
async fn a_gateways_users_have_addresses_of_their_own() {
    let server = TestServer::start_with(&[PASSWORD, HERE]).await;
    let mut ann = say(&server, "WEBIRC operpassword gate host.example 192.0.2.7 :tls remote-port=1").await;
    ann.expect_numeric("001").await;
    ann.drain_until_pong().await;
    let whois = ann.ask("WHOIS ann").await;
    assert_eq!(numeric(&whois, "311").param(3), server.node.cloak("192.0.2.7".parse().expect("an address")));
    assert_eq!(numeric(&whois, "338").param(3), "192.0.2.7");
    numeric(&whois, "671");
    numeric(&ann.ask("WEBIRC operpassword gate host.example 192.0.2.8").await, "462");
    let mut six = server.connect().await;
    for line in ["WEBIRC operpassword gate host.example 0::ffff:192.0.2.7", "NICK bob", "USER b 0 * :B"] {
        six.send(line).await;
    }
    six.expect_numeric("001").await;
    six.drain_until_pong().await;
    let whois = six.ask("WHOIS bob").await;
    assert_eq!(numeric(&whois, "338").param(3), "192.0.2.7");
    assert!(whois.iter().all(|line| line.command != "671"), "nobody said that it is secure");
    for option in ["secure", "tls=1", "secure=examplevalue123"] {
        let mut client = server.connect().await;
        for line in [
            &format!("WEBIRC operpassword gate host.example 192.0.2.7 :local-port=6697 {option}"),
            "NICK cat",
            "USER c 0 * :C",
        ] {
            client.send(line).await;
        }
        client.expect_numeric("001").await;
        client.drain_until_pong().await;
        numeric(&client.ask("WHOIS cat").await, "671");
        client.send("QUIT").await;
        client.expect_closed().await;
    }
}

#[tokio::test]
async fn the_limits_are_those_of_the_users_address() {
    let limit = ("limits.unregistered_per_address", "1");
    let server = TestServer::start_with(&[PASSWORD, HERE, limit]).await;
    let line = "WEBIRC operpassword gate host.example 192.0.2.7";
    let mut first = server.connect().await;
    first.ask(line).await;
    let last = say(&server, line).await.expect_closed().await;
    assert!(numeric(&last, "ERROR").text().contains("Too many connections"), "{last:?}");
    say(&server, "WEBIRC operpassword gate host.example 192.0.2.8").await.expect_numeric("001").await;
    first.send("QUIT").await;
    first.expect_closed().await;
}

#[tokio::test]
async fn nobody_else_can_name_an_address() {
    let server = TestServer::start_with(&[PASSWORD, HERE]).await;
    for line in [
        "WEBIRC millet gate host.example 192.0.2.7",
        "WEBIRC operpassword gate host.example nowhere",
        "NICK eve\r\nWEBIRC operpassword gate host.example 192.0.2.7",
    ] {
        let last = say(&server, line).await.expect_closed().await;
        assert!(numeric(&last, "ERROR").text().contains("WEBIRC was refused"), "{last:?}");
    }
    let elsewhere = TestServer::start_with(&[PASSWORD, ("webirc.trusted", "['192.0.2.0/24']")]).await;
    let last = say(&elsewhere, "WEBIRC operpassword gate host.example 192.0.2.7").await.expect_closed().await;
    assert!(numeric(&last, "ERROR").text().contains("no gateway's"), "{last:?}");
}

#[tokio::test]
async fn a_ban_is_about_the_users_address() {
    let settings = [&OPERATOR[..], &[PASSWORD, HERE]].concat();
    let server = TestServer::start_with(&settings).await;
    let mut root = operator(&server, "root").await;
    let mut ann = say(&server, "WEBIRC operpassword gate host.example 192.0.2.7").await;
    ann.expect_numeric("001").await;
    let mut waiting = server.connect().await;
    waiting.ask("WEBIRC operpassword gate host.example 192.0.2.8").await;
    root.ask("DLINE 192.0.2.0/24 :too many").await;
    numeric(&ann.expect_closed().await, "465");
    numeric(&waiting.expect_closed().await, "465");

    let refused = say(&server, "WEBIRC operpassword gate host.example 192.0.2.9").await.expect_closed().await;
    assert!(numeric(&refused, "465").text().contains("too many"), "{refused:?}");
    assert!(command(&refused, "001").is_empty(), "{refused:?}");
    say(&server, "WEBIRC operpassword gate host.example 192.0.3.9").await.expect_numeric("001").await;
}
