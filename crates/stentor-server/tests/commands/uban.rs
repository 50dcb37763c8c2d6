//! UBAN, KLINE, DLINE: who is kept out.

use std::net::IpAddr;
use std::time::Duration;

use super::oper::{OPERATOR, operator};
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// What a client reads who tries to come in as a guest, up to the end of its welcome or of its connection.
async fn attempt(mut client: TestClient, nick: &str) -> Vec<Said> {
    client.send_bytes(format!("NICK {nick}\r\nUSER u 0 * :x\r\nQUIT\r\n").as_bytes()).await;
    client.expect_closed().await
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("it is an address")
}

fn notices(lines: &[Said]) -> Vec<&str> {
    command(lines, "NOTICE").iter().map(|line| line.text()).collect()
}

#[tokio::test]
async fn a_mask_keeps_people_out_and_closes_those_who_are_here() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let mut spam = server.client("spam1").await;
    root.ask("KLINE 2h spam*!*@* :no spam").await;
    let end = spam.expect_closed().await;
    assert!(numeric(&end, "465").text().starts_with("You are banned from this server: no spam (until 20"));
    assert_eq!(numeric(&end, "ERROR").text(), "Banned (no spam)");
    let refused = attempt(server.connect().await, "spam2").await;
    numeric(&refused, "465");
    assert!(command(&refused, "001").is_empty());
    numeric(&attempt(server.connect().await, "ham").await, "001");

    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("NICK spam3").await, "432").param(1), "spam3");
    let listed = root.ask("KLINE").await;
    assert!(notices(&listed)[0].starts_with("spam*!*@* until 20"), "{listed:?}");
    root.ask("UNKLINE spam*!*@*").await;
    numeric(&attempt(server.connect().await, "spam2").await, "001");
    assert!(notices(&root.ask("UNKLINE spam*!*@*").await)[0].contains("no ban on"));
}

#[tokio::test]
async fn a_range_keeps_real_addresses_out_and_spares_loopback() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let mut bob = server.connect_from(address("192.0.2.9")).await;
    bob.register("bob", None, &[]).await;
    let mut waiting = server.connect_from(address("192.0.2.10")).await;
    root.ask("DLINE 192.0.2.7/24 :too many").await;
    numeric(&bob.expect_closed().await, "465");
    numeric(&waiting.expect_closed().await, "465");
    let mut next = server.connect_from(address("192.0.2.11")).await;
    numeric(&next.expect_closed().await, "465");
    numeric(&attempt(server.connect_from(address("192.0.3.1")).await, "eve").await, "001");
    assert!(
        notices(&root.ask("UBAN INFO 192.0.2.200").await)[0]
            .starts_with("192.0.2.0/24 for ever, by operuser")
    );

    assert!(notices(&root.ask("DLINE 127.0.0.1").await)[0].contains("never kept out"));
    assert!(notices(&root.ask("UBAN ADD 300.1.1.1").await)[0].contains("300.1.1.1 is no address"));
    assert!(notices(&root.ask("DLINE 10.0.0.0/8").await)[0].contains("large part"));
    root.ask("UBAN ADD 0.0.0.0/0 FORCE").await;
    numeric(&attempt(server.connect_from(address("198.51.100.1")).await, "eve").await, "465");
    numeric(&attempt(server.connect().await, "local").await, "001");
    root.ask("UNDLINE 192.0.2.0/24").await;
    root.ask("UBAN DEL 0.0.0.0/0").await;
    assert_eq!(notices(&root.ask("UBAN LIST").await), ["End of the list of bans"]);
}

#[tokio::test]
async fn a_banned_address_is_turned_away_at_once_whatever_else_keeps_it_out() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    for at in 0.."192.0.2.9".len() {
        let mut mask = "192.0.2.9".to_owned();
        mask.replace_range(at..=at, "?");
        root.ask(&format!("KLINE *!*@{mask} :a mask")).await;
    }
    root.ask("DLINE 192.0.2.0/24 :the range").await;
    let mut eve = server.connect_from(address("192.0.2.9")).await;
    let told = eve.expect_closed().await;
    assert!(numeric(&told, "465").text().ends_with("the range"), "{told:?}");
}

#[tokio::test]
async fn of_an_address_all_bans_are_told_that_keep_it_out() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let cloak = server.node.cloak(address("192.0.2.9"));
    root.ask(&format!("KLINE *!*@{cloak} :its cloak")).await;
    root.ask("DLINE 192.0.2.9 :itself").await;
    root.ask("DLINE 192.0.2.128/25 :the other half").await;
    for (about, wanted) in [
        ("192.0.2.9", &["its cloak", "itself"][..]),
        ("192.0.2.0/24", &["itself", "the other half"]),
        ("192.0.2.200", &["the other half"]),
        ("eve!x@192.0.2.9", &["its cloak", "itself"]),
        (&format!("eve!x@{cloak}"), &["its cloak"]),
        ("eve!x@elsewhere", &[]),
    ] {
        let lines = root.ask(&format!("UBAN INFO {about}")).await;
        let told = notices(&lines).join("\n");
        for reason in ["its cloak", "itself", "the other half"] {
            assert_eq!(told.contains(reason), wanted.contains(&reason), "{about}, {reason}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_is_set_again_while_another_tidies_up_stays() {
    let server = TestServer::start().await;
    let bans = server.node.ban_list.clone();
    let target = |text: &str| text.parse().expect("it is a target");
    for round in 0..100 {
        let (again, other) = (target(&format!("again{round}!*@*")), target(&format!("other{round}!*@*")));
        bans.add(&again, Some(Duration::ZERO), "root", "").await.expect("it is set, and over");
        let (one, two) = tokio::join!(bans.add(&other, None, "root", ""), bans.add(&again, None, "root", ""));
        one.and(two).expect("both are set");
        let list = bans.list().await.expect("it can be read");
        assert!(list.iter().any(|ban| ban.target == again), "round {round}");
    }
}

#[tokio::test]
async fn a_mask_sees_the_real_address_too() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    root.ask("KLINE *@192.0.2.* :x").await;
    numeric(&attempt(server.connect_from(address("192.0.2.9")).await, "bob").await, "465");
}

#[tokio::test]
async fn an_account_is_kept_out_wherever_it_comes_from() {
    let server = TestServer::start_with(&OPERATOR).await;
    for name in ["mallory", "boss"] {
        server.account(name, "secret").await;
    }
    server.node.accounts.grant("boss", "admin").await.expect("the role can be granted");
    let mut root = operator(&server, "root").await;
    let mut mallory = server.login("mallory", "secret", &[]).await;
    root.ask("UBAN ADD Mallory REASON enough").await;
    numeric(&mallory.expect_closed().await, "465");
    let mut again = server.connect().await;
    again.send_bytes(b"PASS mallory:secret\r\nNICK mallory\r\nUSER m 0 * :m\r\n").await;
    let refused = again.expect_closed().await;
    numeric(&refused, "465");
    assert!(command(&refused, "001").is_empty());
    assert!(notices(&root.ask("UBAN ADD nobody").await)[0].contains("nobody!*@*"));
    assert!(notices(&root.ask("UBAN ADD boss").await)[0].contains("administrator"));
    root.ask("UBAN ADD boss FORCE").await;
    assert_eq!(notices(&root.ask("UBAN LIST").await).len(), 3);
}

#[tokio::test]
async fn nobody_bans_everybody_or_themselves_by_accident() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    for line in [
        "KLINE *!*@* :x",
        "KLINE *",
        "UBAN ADD *@*",
        "KLINE root!*@*",
        "KLINE *@localhost",
        "UBAN ADD 0.0.0.0/0",
    ] {
        let lines = root.ask(line).await;
        assert!(notices(&lines)[0].contains("FORCE"), "{line}: {lines:?}");
    }
    assert_eq!(notices(&root.ask("UBAN LIST").await), ["End of the list of bans"]);
    let records = server.node.audit.read(None, 10).await.expect("the store answers");
    assert_eq!(records.len(), 1, "what was refused is not in the log");
}

#[tokio::test]
async fn a_reason_is_no_keyword_and_a_time_in_the_wrong_place_is_no_reason() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    assert_eq!(notices(&root.ask("KLINE 5 gus :reason").await), ["gus!*@* is banned for 5m: reason"]);
    for (line, wanted) in [
        ("KLINE gus 5 :reason", "KLINE: Syntax: KLINE [<time>]"),
        ("DLINE 192.0.2.7 7d", "DLINE: Syntax: DLINE [<time>]"),
        ("UBAN ADD gus!*@* 5 reason", "UBAN: Syntax: UBAN ADD"),
        (
            "KLINE *!*@*",
            "KLINE: that would keep out a large part of everybody; if you mean it, say FORCE: KLINE",
        ),
        ("UNKLINE nosuch", "UNKLINE: there is no ban on nosuch!*@*"),
        ("UNDLINE nosuch", "UNDLINE: That is no address"),
    ] {
        let lines = root.ask(line).await;
        assert!(notices(&lines)[0].starts_with(wanted), "{line}: {lines:?}");
    }
    assert_eq!(notices(&root.ask("UBAN LIST").await).len(), 2);
}

#[tokio::test]
async fn the_bans_on_a_nick_are_told_where_nobody_has_it() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    for target in ["gus*!*@*", "*!*@192.0.2.*", "zoe!*@*"] {
        root.ask(&format!("KLINE {target}")).await;
    }
    let told = root.ask("UBAN INFO Gus1").await;
    let told = notices(&told);
    assert_eq!((told.len(), told[0]), (3, "Nobody is called Gus1 right now"), "{told:?}");
    assert!(told[1].starts_with("gus*!*@* for ever"), "{told:?}");
    let told = root.ask("UBAN INFO root").await;
    assert_eq!(notices(&told), ["End of the bans on root"]);
}

#[tokio::test]
async fn a_ban_ends_at_its_time() {
    let server = TestServer::start().await;
    let target = "spam!*@*".parse().expect("it is a mask");
    let lifetime = Some(Duration::from_secs(3));
    let ban = server.node.ban_list.add(&target, lifetime, "test", "").await.expect("it is set");
    let expires = ban.expires.expect("it has an end");
    let mut refused = 0;
    loop {
        let lines = attempt(server.connect().await, "spam").await;
        let now = server.node.hub.store().now().await.expect("the store answers").0;
        if !command(&lines, "001").is_empty() {
            assert!(now >= expires, "it ended {} ms too early", expires - now);
            break;
        }
        refused += usize::from(!command(&lines, "465").is_empty());
        assert!(now < expires + 5000, "it goes on");
    }
    assert!(refused > 0);
    assert!(server.node.ban_list.list().await.expect("the store answers").is_empty());
}

#[tokio::test]
async fn bans_and_the_audit_log_survive_a_restart() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    root.ask("KLINE spam!*@* :no spam").await;
    let server = server.restart(&OPERATOR).await;
    numeric(&attempt(server.connect().await, "spam").await, "465");
    let records = server.node.audit.read(None, 10).await.expect("the store answers");
    assert_eq!(records.iter().map(|record| record.what.as_str()).collect::<Vec<_>>(), ["oper", "ban"]);
}

#[tokio::test]
async fn a_time_with_a_plus_is_a_time() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let told = root.ask("KLINE +30d spam!*@* :bot").await;
    assert!(numeric(&told, "NOTICE").text().starts_with("spam!*@* is banned for"), "{told:?}");
    assert!(root.ask("UBAN LIST").await.iter().any(|line| line.text().contains("spam!*@* until")));
    let told = root.ask("UBAN ADD other!*@* +30d bot").await;
    assert!(told.iter().any(|line| line.text().contains("Syntax")), "{told:?}");
}
