//! OPER: who becomes an operator, what others see of it, and how it ends.

use std::net::IpAddr;

use stentor_server::config::Config;
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// The bcrypt hash of `operpassword`.
pub(crate) const HASH: &str = "'$2a$04$bKb6k5A6yuFA2wx.iJtxcuT2dojHQAjHd5ZPK/I2sjJml7p4spxjG'";

/// An operator `operuser` with every privilege.
pub(crate) const OPERATOR: [(&str, &str); 2] =
    [("operators.operuser.password", HASH), ("operators.operuser.role", "'admin'")];

/// A guest who has said OPER.
pub(crate) async fn operator(server: &TestServer, nick: &str) -> TestClient {
    let mut client = server.client(nick).await;
    numeric(&client.ask("OPER operuser operpassword").await, "381");
    client
}

fn operators(lines: &[Said]) -> String {
    numeric(lines, "252").param(1).to_owned()
}

#[tokio::test]
async fn an_operator_is_seen_by_all_until_it_gives_that_up() {
    let server = TestServer::start_with(&OPERATOR).await;
    let (mut root, mut ann) = (server.client("root").await, server.client("ann").await);
    assert_eq!(operators(&ann.ask("LUSERS").await), "0");
    root.ask("JOIN #room").await;
    let made = root.ask("OPER operuser operpassword").await;
    assert_eq!(numeric(&made, "381").params[0], "root");
    assert_eq!(numeric(&made, "MODE").params, ["root", "+o"]);
    assert_eq!(numeric(&root.ask("MODE root").await, "221").params, ["root", "+o"]);
    for mask in ["root", "ro*"] {
        assert_eq!(numeric(&ann.ask(&format!("WHO {mask}")).await, "352").param(6), "H*");
    }
    assert_eq!(numeric(&ann.ask("WHO #room").await, "352").param(6), "H*@");
    assert_eq!(numeric(&ann.ask("WHOIS root").await, "313").param(1), "root");
    assert!(numeric(&ann.ask("USERHOST root").await, "302").text().starts_with("root*=+"));
    assert_eq!(operators(&ann.ask("LUSERS").await), "1");

    assert!(root.ask("MODE root +o").await.is_empty());
    assert_eq!(numeric(&root.ask("MODE root -o").await, "MODE").params, ["root", "-o"]);
    assert!(root.ask("MODE root -o").await.is_empty());
    assert_eq!(numeric(&ann.ask("WHO root").await, "352").param(6), "H");
    assert_eq!(numeric(&ann.ask("WHO #room").await, "352").param(6), "H@");
    assert!(command(&ann.ask("WHOIS root").await, "313").is_empty());
    assert_eq!(operators(&ann.ask("LUSERS").await), "0");
    numeric(&root.ask("KILL ann").await, "481");
}

#[tokio::test]
async fn nobody_becomes_an_operator_by_asking_for_it() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut ann = server.client("ann").await;
    let wrong = ann.ask("OPER operuser wrong").await;
    let nobody = ann.ask("OPER nobody operpassword").await;
    assert_eq!(numeric(&wrong, "464").text(), numeric(&nobody, "464").text(), "names are not told apart");
    numeric(&ann.ask("OPER operuser").await, "461");
    assert!(ann.ask("MODE ann +o").await.is_empty());
    for line in ["KILL ann :x", "WALLOPS :x", "ANNOUNCE :x", "REHASH", "AUDIT", "UBAN LIST", "KLINE", "DLINE"]
    {
        assert_eq!(numeric(&ann.ask(line).await, "481").params.len(), 2, "{line}");
    }
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").param(1), "+");
}

#[tokio::test]
async fn wrong_passwords_slow_further_attempts() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut ann = server.client("ann").await;
    for _ in 0..4 {
        numeric(&ann.ask("OPER operuser wrong").await, "464");
    }
    let slowed = ann.ask("OPER operuser operpassword").await;
    assert!(numeric(&slowed, "464").text().contains("try again in"), "{slowed:?}");
}

#[tokio::test]
async fn an_operator_of_the_configuration_may_have_to_come_from_somewhere() {
    let settings = [OPERATOR[0], OPERATOR[1], ("operators.operuser.hosts", "['192.0.2.0/24', '~root@*.7']")];
    let server = TestServer::start_with(&settings).await;
    let mut ann = server.client("ann").await;
    numeric(&ann.ask("OPER operuser operpassword").await, "491");
    numeric(&ann.ask("OPER operuser wrong").await, "464");
    for address in ["192.0.2.9", "198.51.100.7"] {
        let address: IpAddr = address.parse().expect("it is an address");
        let mut root = server.connect_from(address).await;
        root.register("root", None, &[]).await;
        numeric(&root.ask("OPER operuser operpassword").await, "381");
        root.send("QUIT").await;
        root.expect_closed().await;
    }
}

#[tokio::test]
async fn the_roles_of_an_account_make_its_owner_an_operator() {
    let server = TestServer::start_with(&[("roles.helper.privileges", "['kill']")]).await;
    for name in ["ann", "bob"] {
        server.account(name, "secret").await;
    }
    let accounts = &server.node.accounts;
    let mut ann = server.login("ann", "secret", &[]).await;
    numeric(&ann.ask("OPER ann secret").await, "491");
    accounts.grant("ann", "helper").await.expect("the role can be granted");
    accounts.grant("bob", "admin").await.expect("the role can be granted");
    assert!(command(&ann.ask("WHOIS ann").await, "313").is_empty(), "a role alone makes no operator");
    numeric(&ann.ask("OPER bob secret").await, "464");
    numeric(&ann.ask("OPER ann wrong").await, "464");
    numeric(&ann.ask("OPER Ann secret").await, "381");
    assert!(numeric(&ann.ask("UBAN LIST").await, "481").text().contains("the privilege ban"));
    numeric(&ann.ask("KILL nobody").await, "401");
    let guest = &mut server.client("guest").await;
    numeric(&guest.ask("OPER bob secret").await, "464");
}

#[tokio::test]
async fn an_operator_may_be_a_bot_and_stop_being_both_at_once() {
    let server = TestServer::start_with(&OPERATOR).await;
    let (mut root, mut ann) = (operator(&server, "root").await, server.client("ann").await);
    root.ask("JOIN #room").await;
    assert_eq!(numeric(&root.ask("MODE root +wB").await, "MODE").params, ["root", "+wB"]);
    assert_eq!(numeric(&root.ask("MODE root").await, "221").params, ["root", "+Bow"]);
    assert_eq!(numeric(&ann.ask("WHO #room").await, "352").param(6), "H*@B");
    root.ask("AWAY :gone").await;
    assert_eq!(numeric(&ann.ask("WHO #room").await, "352").param(6), "G*@B");
    assert_eq!(numeric(&root.ask("MODE root -oB").await, "MODE").params, ["root", "-Bo"]);
    assert_eq!(numeric(&root.ask("MODE root").await, "221").params, ["root", "+w"]);
    assert_eq!(numeric(&ann.ask("WHO #room").await, "352").param(6), "G@");
}

#[tokio::test]
async fn a_role_that_is_taken_back_ends_its_privileges_at_once() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    server.node.accounts.grant("ann", "admin").await.expect("the role can be granted");
    let (mut ann, mut bob) = (server.login("ann", "secret", &[]).await, server.client("bob").await);
    ann.ask("JOIN #room").await;
    numeric(&ann.ask("OPER ann secret").await, "381");
    assert_eq!(numeric(&bob.ask("WHO #room").await, "352").param(6), "H*~");
    server.node.accounts.revoke("ann", "admin").await.expect("the role can be taken back");
    assert_eq!(ann.expect_numeric("MODE").await.params, ["ann", "-o"]);
    numeric(&ann.ask("KILL bob").await, "481");
    assert_eq!(numeric(&bob.ask("WHO #room").await, "352").param(6), "H~");
    bob.drain_until_pong().await;
}

#[tokio::test]
async fn a_new_configuration_ends_what_it_does_not_give_any_more() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let without = Config::from_text("accounts.required = false").expect("it is legal");
    server.node.set_config(without);
    assert_eq!(root.expect_numeric("MODE").await.params, ["root", "-o"]);
    numeric(&root.ask("REHASH").await, "481");
}

/// Says REHASH, has it answered with `outcome`, and returns what the operator is told.
async fn rehash(server: &TestServer, root: &mut TestClient, outcome: &[&str]) -> Vec<Said> {
    let answer = async {
        let outcome = outcome.iter().map(|text| (*text).to_owned()).collect();
        server.node.reloads.next().await.answer(outcome);
    };
    let (told, ()) = tokio::join!(root.ask("REHASH"), answer);
    assert_eq!(numeric(&told, "382").param(1), server.name());
    told
}

#[tokio::test]
async fn whoever_says_rehash_reads_what_became_of_it() {
    let server = TestServer::start_with(&OPERATOR).await;
    let (mut root, mut other) = (operator(&server, "root").await, operator(&server, "other").await);
    let (told, others) = tokio::join!(
        rehash(&server, &mut root, &["changed: motd", "changed, but not before a restart: listen"]),
        rehash(&server, &mut other, &["changed: motd", "changed, but not before a restart: listen"]),
    );
    for told in [told, others] {
        assert_eq!(told[0].command, "382", "{told:?}");
        let texts: Vec<&str> = told[1..].iter().map(Said::text).collect();
        assert_eq!(texts, ["REHASH: changed: motd", "REHASH: changed, but not before a restart: listen"]);
    }
    let wrong = format!("{}\nthe last", "word ".repeat(200).trim_end());
    let told = rehash(&server, &mut root, &[&wrong]).await;
    assert!(told.iter().all(|line| line.line.len() <= 510), "{told:?}");
    assert_eq!((told.len(), told.last().expect("a line").text()), (5, "REHASH: the last"));
}

#[tokio::test]
async fn what_an_operator_does_is_written_down() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let mut bob = server.client("bob").await;
    root.ask("WALLOPS :hello there").await;
    root.ask("ANNOUNCE :everybody").await;
    root.ask("UBAN ADD spam!*@* DURATION 2h go away").await;
    root.ask("UBAN DEL spam!*@*").await;
    root.ask("KILL bob :bad manners").await;
    rehash(&server, &mut root, &["no setting has changed"]).await;
    bob.expect_closed().await;
    let records = server.node.audit.read(None, 100).await.expect("the store answers");
    let done: Vec<_> = records
        .iter()
        .map(|record| {
            (record.what.as_str(), record.target.split('@').next().unwrap(), record.reason.as_str())
        })
        .collect();
    assert_eq!(
        done,
        [
            ("oper", "*", ""),
            ("wallops", "*", "hello there"),
            ("announce", "*", "everybody"),
            ("ban", "spam!*", "for 2h: go away"),
            ("unban", "spam!*", ""),
            ("kill", "bob!~bob", "bad manners"),
            ("rehash", "test.example", ""),
        ]
    );
    for record in &records {
        assert_eq!((record.operator.as_str(), record.node.as_str()), ("operuser", "test.example"));
        assert!(record.who.starts_with("root!~root@") && record.at > 1_600_000_000_000);
    }
    let shown = root.ask("AUDIT 2").await;
    let texts: Vec<&str> = command(&shown, "NOTICE").iter().map(|line| line.text()).collect();
    assert!(texts[0].ends_with("kill bob!~bob@localhost: bad manners"), "{texts:?}");
    assert_eq!(texts.len(), 3);
}

#[tokio::test]
async fn what_cannot_be_done_is_not_written_down() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    root.ask("JOIN #room").await;
    assert!(numeric(&root.ask("UBAN DEL nosuch").await, "NOTICE").text().contains("no ban on nosuch"));
    numeric(&root.ask("SAMODE #nope +m").await, "403");
    numeric(&root.ask("SAMODE #room +Q").await, "472");
    let records = server.node.audit.read(None, 10).await.expect("the store answers");
    assert_eq!(records.iter().map(|record| record.what.as_str()).collect::<Vec<_>>(), ["oper"]);
    numeric(&root.ask("SAMODE #room +mQ").await, "472");
    let records = server.node.audit.read(None, 1).await.expect("the store answers");
    assert_eq!((records[0].what.as_str(), records[0].reason.as_str()), ("samode", "+m"));
}

#[tokio::test]
async fn an_operator_may_see_where_others_come_from_and_that_is_written_down() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut bob = server.connect_from("192.0.2.9".parse().expect("it is an address")).await;
    bob.register("bob", None, &[]).await;
    let mut ann = server.client("ann").await;
    assert!(command(&ann.ask("WHOIS bob").await, "338").is_empty());
    let mut root = operator(&server, "root").await;
    assert_eq!(numeric(&root.ask("WHOIS bob").await, "338").param(3), "192.0.2.9");
    let records = server.node.audit.read(None, 1).await.expect("the store answers");
    assert_eq!(records[0].what, "address");
}

#[tokio::test]
async fn the_roles_of_an_account_go_with_it() {
    let server = TestServer::start().await;
    for name in ["ann", "amy"] {
        server.account(name, "sesame").await;
        server.node.accounts.grant(name, "admin").await.expect("the role can be granted");
    }
    let mut guest = server.client("guest").await;
    numeric(&guest.ask("NS IDENTIFY ann sesame").await, "900");
    numeric(&guest.ask("REHASH").await, "481");
    numeric(&guest.ask("OPER ann sesame").await, "381");
    let changed = guest.ask("NS IDENTIFY amy sesame").await;
    assert_eq!(numeric(&changed, "MODE").params, ["guest", "-o"]);
    numeric(&guest.ask("REHASH").await, "481");
    numeric(&guest.ask("OPER amy sesame").await, "381");
    let left = guest.ask("NS LOGOUT").await;
    assert_eq!(numeric(&left, "MODE").params, ["guest", "-o"]);
    numeric(&guest.ask("NS IDENTIFY ann sesame").await, "900");
    numeric(&guest.ask("REHASH").await, "481");
}
