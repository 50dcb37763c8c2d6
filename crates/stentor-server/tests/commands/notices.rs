//! The user mode `s`: what operators hear at once.

use super::oper::{OPERATOR, operator};
use stentor_server::config::Config;
use stentor_testing::{TestClient, TestServer, command, numeric};

/// The next server notice, but for one of the client's own OPER, which may have come late.
async fn heard(client: &mut TestClient) -> String {
    loop {
        let notice = client.expect_numeric("NOTICE").await;
        assert!(notice.text().starts_with("*** "), "{notice:?}");
        if !notice.text().contains("(root!~root@localhost on test.example) oper") {
            return notice.text().to_owned();
        }
    }
}

#[tokio::test]
async fn an_operator_hears_at_once_what_others_do() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let set = root.ask("MODE root +s").await;
    assert_eq!(numeric(&set, "MODE").params, ["root", "+s"]);
    assert_eq!(numeric(&set, "008").params[1..], ["+fkloux", "Server notice mask"]);
    let mut eve = operator(&server, "eve").await;
    assert_eq!(heard(&mut root).await, "*** OPER: operuser (eve!~eve@localhost on test.example) oper");
    let mut bob = server.client("bob").await;
    eve.ask("KILL bob :bad manners").await;
    bob.expect_closed().await;
    let killed =
        "*** KILL: operuser (eve!~eve@localhost on test.example) kill bob!~bob@localhost: bad manners";
    assert_eq!(heard(&mut root).await, killed);
    eve.ask("UBAN ADD spam!*@* DURATION 2h go away").await;
    assert!(heard(&mut root).await.ends_with("ban spam!*@*: for 2h: go away"));
    // Those who did not ask hear nothing.
    assert!(eve.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn an_operator_chooses_what_to_hear_of() {
    let server = TestServer::start_with(&OPERATOR).await;
    let (mut root, mut eve) = (operator(&server, "root").await, operator(&server, "eve").await);
    let set = root.ask("MODE root +ws kx").await;
    assert_eq!(numeric(&set, "MODE").params, ["root", "+ws"]);
    assert_eq!(numeric(&set, "008").param(1), "+kx");
    let shown = root.ask("MODE root").await;
    assert_eq!((numeric(&shown, "221").param(1), numeric(&shown, "008").param(1)), ("+osw", "+kx"));
    let set = root.ask("MODE root +s +u-kz").await;
    assert!(command(&set, "MODE").is_empty(), "it was set before");
    assert_eq!(numeric(&set, "008").param(1), "+ux");
    numeric(&set, "501");
    eve.ask("ANNOUNCE :not of interest").await;
    eve.ask("UBAN ADD spam!*@*").await;
    root.expect_numeric("NOTICE").await;
    assert!(
        heard(&mut root).await.starts_with("*** BAN: "),
        "the announcement itself is all that came before"
    );
    assert_eq!(numeric(&root.ask("MODE root +s -ux").await, "MODE").params, ["root", "-s"]);
    assert_eq!(numeric(&root.ask("MODE root +s").await, "008").param(1), "+fkloux");
    assert_eq!(numeric(&root.ask("MODE root -s").await, "MODE").params, ["root", "-s"]);
    assert!(root.ask("MODE root -s").await.is_empty());
}

#[tokio::test]
async fn nobody_hears_who_may_not_read_the_audit_log() {
    let settings = [OPERATOR[0], OPERATOR[1], ("roles.helper.privileges", "['kill']")];
    let server = TestServer::start_with(&settings).await;
    server.account("ann", "secret").await;
    server.node.accounts.grant("ann", "helper").await.expect("the role can be granted");
    let mut ann = server.login("ann", "secret", &[]).await;
    numeric(&ann.ask("MODE ann +s").await, "481");
    numeric(&ann.ask("OPER ann secret").await, "381");
    let refused = ann.ask("MODE ann +ws").await;
    assert!(numeric(&refused, "481").text().contains("the privilege audit"));
    assert_eq!(numeric(&refused, "MODE").params, ["ann", "+w"]);
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").param(1), "+ow");
}

#[tokio::test]
async fn notices_end_with_being_an_operator() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    root.ask("MODE root +s").await;
    assert_eq!(numeric(&root.ask("MODE root -o").await, "MODE").params, ["root", "-so"]);
    operator(&server, "eve").await;
    assert!(root.drain_until_pong().await.is_empty());
    assert_eq!(numeric(&root.ask("MODE root").await, "221").param(1), "+");

    root.ask("OPER operuser operpassword").await;
    assert_eq!(numeric(&root.ask("MODE root").await, "221").param(1), "+o", "they are to be asked for again");
    root.ask("MODE root +s").await;
    let without = Config::from_text("accounts.required = false").expect("it is legal");
    server.node.set_config(without);
    assert_eq!(root.expect_numeric("MODE").await.params, ["root", "-os"]);
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    for _ in 0..5 {
        ann.ask("OPER ann wrong").await;
    }
    assert!(root.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn an_operator_hears_who_tries_to_become_one_in_vain() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    root.ask("MODE root +s o").await;
    let mut ann = server.client("ann").await;
    numeric(&ann.ask("OPER operuser wrong").await, "464");
    let told = heard(&mut root).await;
    let wanted = "*** OPER: ann!~ann@localhost could not become an operator by operuser: Password incorrect";
    assert!(told.starts_with(wanted), "{told}");
    // What somebody typed may be a password.
    numeric(&ann.ask("OPER sesame operuser").await, "464");
    assert!(heard(&mut root).await.contains("by a name or password: it is wrong"));
}

#[tokio::test]
async fn an_operator_hears_of_new_accounts_and_of_slowed_logins() {
    let settings = [OPERATOR[0], OPERATOR[1], ("accounts.registration", "'open'")];
    let server = TestServer::start_with(&settings).await;
    let mut root = operator(&server, "root").await;
    root.ask("MODE root +s fu").await;
    let mut ann = server.client("ann").await;
    numeric(&ann.ask("REGISTER ann * sesame").await, "900");
    let made = "*** ACCOUNT: the account ann was made by somebody from localhost (on test.example)";
    assert_eq!(heard(&mut root).await, made);
    let mut mallory = server.connect_from("192.0.2.9".parse().expect("it is an address")).await;
    mallory.register("mallory", None, &[]).await;
    for _ in 0..4 {
        mallory.ask("NS IDENTIFY ann wrong").await;
    }
    let slowed = heard(&mut root).await;
    assert!(slowed.starts_with("*** LOGIN: too many wrong passwords for the account ann from "), "{slowed}");
    assert!(!slowed.contains("192.0.2.9"), "addresses are told to those alone who may see them");
}

#[tokio::test]
async fn a_flood_of_vain_attempts_is_told_in_part_and_counted() {
    let settings = [OPERATOR[0], OPERATOR[1], ("limits.login_failures", "0")];
    let server = TestServer::start_with(&settings).await;
    let mut root = operator(&server, "root").await;
    root.ask("MODE root +s o").await;
    let mut ann = server.client("ann").await;
    for _ in 0..20 {
        ann.ask("OPER operuser wrong").await;
    }
    let told = root.drain_until_pong().await;
    let told = told.iter().filter(|line| line.text().contains("could not become an operator"));
    assert_eq!(told.count(), 10);
}
