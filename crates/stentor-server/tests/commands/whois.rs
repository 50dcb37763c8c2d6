//! WHOIS.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn it_tells_about_somebody() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("Bob").await;
    bob.ask("JOIN #one").await;
    ann.ask("JOIN #one").await;
    bob.ask("AWAY :tea").await;
    for asked in ["WHOIS bob", "WHOIS test.example bob", "WHOIS bob BOB"] {
        let lines = ann.ask(asked).await;
        let first = lines.first().expect("there is an answer");
        assert_eq!(first.command, "311");
        assert_eq!(
            (first.param(1), first.param(2), first.param(4), first.text()),
            ("Bob", "~bob", "*", "The real Bob")
        );
        assert_eq!(numeric(&lines, "319").params, ["ann", "Bob", "@#one"]);
        assert_eq!(numeric(&lines, "312").param(2), server.name());
        assert_eq!(numeric(&lines, "301").params, ["ann", "Bob", "tea"]);
        assert_eq!(numeric(&lines, "317").params.len(), 5);
        assert_eq!(lines.last().map(|line| line.command.as_str()), Some("318"));
        for absent in ["313", "330", "671", "338", "378"] {
            assert!(command(&lines, absent).is_empty(), "{absent} in {lines:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_nick_is_said_to_be_one() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client("ann").await;
    for nick in ["nobody", "carl", "b*"] {
        let lines = ann.ask(&format!("WHOIS {nick}")).await;
        let commands: Vec<&str> = lines.iter().map(|line| line.command.as_str()).collect();
        assert_eq!(commands, ["401", "318"]);
        assert!(lines.iter().all(|line| line.param(1) == nick));
    }
    numeric(&ann.ask("WHOIS").await, "431");
}

#[tokio::test]
async fn an_account_and_its_role_are_shown() {
    let server = TestServer::start().await;
    server.account("root", "secret").await;
    server.node.accounts.grant("root", "admin").await.expect("the role can be granted");
    let mut root = server.login("root", "secret", &[]).await;
    root.ask("OPER root secret").await;
    let lines = server.client("ann").await.ask("WHOIS root").await;
    assert_eq!(numeric(&lines, "330").params[..3], ["ann", "root", "root"]);
    numeric(&lines, "313");
}

#[tokio::test]
async fn the_address_is_shown_to_oneself_alone() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    assert_eq!(numeric(&ann.ask("WHOIS ann").await, "338").param(3), "127.0.0.1");
    assert!(bob.ask("WHOIS ann").await.iter().all(|line| !line.line.contains("127.0.0.1")));
}

#[tokio::test]
async fn secret_channels_and_those_of_the_invisible_are_shown_to_those_who_share_them() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    bob.ask("JOIN #open,#secret").await;
    bob.ask("MODE #secret +s").await;
    assert_eq!(numeric(&ann.ask("WHOIS bob").await, "319").text(), "@#open");
    assert_eq!(numeric(&bob.ask("WHOIS bob").await, "319").text(), "@#open @#secret");
    bob.ask("MODE bob +i").await;
    assert!(command(&ann.ask("WHOIS bob").await, "319").is_empty());
    ann.ask("JOIN #secret").await;
    assert_eq!(numeric(&ann.ask("WHOIS bob").await, "319").text(), "@#secret");
}

#[tokio::test]
async fn all_prefixes_are_shown_with_multi_prefix() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["multi-prefix"]).await;
    let mut bob = server.client("bob").await;
    bob.ask("JOIN #room").await;
    bob.ask("MODE #room +v bob").await;
    assert_eq!(numeric(&ann.ask("WHOIS bob").await, "319").text(), "@+#room");
    assert_eq!(numeric(&bob.ask("WHOIS bob").await, "319").text(), "@#room");
}

#[tokio::test]
async fn a_service_is_found_by_those_who_ask_whether_it_is_there() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("WHOIS chanserv").await;
    assert_eq!(numeric(&lines, "311").params[1..3], ["ChanServ", "ChanServ"]);
    assert!(numeric(&lines, "312").text().ends_with("/msg ChanServ HELP"));
    numeric(&lines, "318");
    numeric(&ann.ask("WHOIS memoserv").await, "401");
}
