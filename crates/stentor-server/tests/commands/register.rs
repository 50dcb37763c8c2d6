//! REGISTER, and PASS with an invitation.

use std::sync::Arc;
use std::time::Duration;

use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use stentor_server::store::{Partition, Store, StoreTime, Writer};
use stentor_server::tenure::Tenure;

use stentor_testing::bad_line::{BadLine, Fault};
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

const OPEN: &[(&str, &str)] = &[("accounts.required", "true")];
const INVITE: &[(&str, &str)] = &[("accounts.required", "true"), ("accounts.registration", "'invite'")];
const INVITE_OR_GUEST: &[(&str, &str)] = &[("accounts.registration", "'invite'")];
const CLOSED: &[(&str, &str)] = &[("accounts.registration", "'closed'")];

#[tokio::test]
async fn there_is_no_code_to_verify_an_account_with() {
    let server = TestServer::start().await;
    server.account("bob", "sesame").await;
    let mut ann = server.client("ann").await;
    let refused = |lines: &[Said]| numeric(lines, "FAIL").params[..3].join(" ");
    assert_eq!(refused(&ann.ask("VERIFY bob 1234").await), "VERIFY INVALID_CODE bob");
    ann.ask("NS IDENTIFY bob sesame").await;
    assert_eq!(refused(&ann.ask("VERIFY bob 1234").await), "VERIFY ALREADY_AUTHENTICATED bob");
}

#[tokio::test]
async fn where_it_is_open_everybody_makes_an_account_before_the_welcome() {
    let server = TestServer::start_with(OPEN).await;
    let mut ann = stranger(&server, &["NICK ann", "USER ann 0 * :Ann"]).await;
    let made = register(&mut ann, "REGISTER * * secret").await;
    assert_eq!(made.params[..2], ["SUCCESS", "ann"]);
    assert_eq!(ann.expect_numeric("900").await.param(2), "ann");
    ann.send("CAP END").await;
    assert_eq!(ann.expect_numeric("001").await.param(0), "ann");
    ann.send("QUIT").await;
    ann.expect_closed().await;
    server.login("ann", "secret", &[]).await;
}

#[tokio::test]
async fn who_has_chosen_no_nick_is_asked_for_one_whatever_account_they_name() {
    let server = TestServer::start().await;
    server.account("taken", "secret").await;
    let mut ann = stranger(&server, &[]).await;
    for name in ["*", "taken", "free"] {
        let refused = register(&mut ann, &format!("REGISTER {name} * secret")).await;
        assert_eq!(refused.params[..3], ["REGISTER", "NEED_NICK", "*"], "{name}");
    }
    assert_eq!(server.node.accounts.find("free").await, Ok(None));
    ann.send("NICK ann").await;
    let refused = register(&mut ann, "REGISTER taken * secret").await;
    assert_eq!(refused.params[..3], ["REGISTER", "ACCOUNT_EXISTS", "taken"]);
    assert_eq!(register(&mut ann, "REGISTER free * secret").await.params[..2], ["SUCCESS", "free"]);
}

#[tokio::test]
async fn where_connecting_comes_first_an_account_is_made_after_it() {
    let server = TestServer::start_with(&[("accounts.registration_before_connect", "false")]).await;
    let mut ann = stranger(&server, &["NICK ann", "USER ann 0 * :Ann"]).await;
    ann.send("CAP LS 302").await;
    let offer = ann.expect(|line| line.contains("draft/account-registration")).await;
    assert!(offer.contains("draft/account-registration=custom-account-name "), "{offer}");
    ann.send("REGISTER * * secret").await;
    let refused = ann.expect_numeric("FAIL").await;
    assert_eq!(refused.params[..3], ["REGISTER", "COMPLETE_CONNECTION_REQUIRED", "ann"]);
    ann.send("CAP END").await;
    ann.expect_numeric("001").await;
    assert_eq!(register(&mut ann, "REGISTER * * secret").await.params[..2], ["SUCCESS", "ann"]);
}

#[tokio::test]
async fn who_makes_an_account_later_is_known_by_it_from_then_on() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client_with("bob", &["account-notify", "account-tag"]).await;
    let mut eve = server.client("eve").await;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #room").await;
    }
    bob.drain_until_pong().await;
    eve.drain_until_pong().await;
    let made = register(&mut ann, "REGISTER * ann@example.org secret").await;
    assert_eq!(made.params[..2], ["SUCCESS", "ann"]);
    assert_eq!(ann.expect_numeric("900").await.param(2), "ann");
    ann.drain_until_pong().await;
    let told = bob.drain_until_pong().await;
    let told = numeric(&told, "ACCOUNT");
    assert!(told.source.starts_with("ann!~ann@"), "{told:?}");
    assert_eq!(told.params, ["ann"]);
    ann.ask("PRIVMSG #room :it is me").await;
    let said = bob.expect_numeric("PRIVMSG").await;
    assert_eq!(said.tag("account").as_deref(), Some("ann"));
    let others = eve.drain_until_pong().await;
    assert!(command(&others, "ACCOUNT").is_empty(), "{others:?}");
    assert_eq!(numeric(&others, "PRIVMSG").tag("account"), None);
    // Private messages go to the account now, and arrive once.
    bob.ask("PRIVMSG ann :psst").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").text(), "psst");
    assert_eq!(numeric(&bob.ask("WHOIS ann").await, "330").param(2), "ann");
}

#[tokio::test]
async fn an_invitation_is_needed_where_the_server_says_so() {
    let server = TestServer::start_with(INVITE).await;
    let mut ann = stranger(&server, &["NICK ann", "USER ann 0 * :Ann"]).await;
    let refused = register(&mut ann, "REGISTER * * secret").await;
    assert_eq!(refused.params[..3], ["REGISTER", "INVITATION_REQUIRED", "ann"]);
    let code = code(&server, 1).await;
    ann.send(&format!("PASS invite:{code}")).await;
    assert_eq!(register(&mut ann, "REGISTER * * secret").await.param(0), "SUCCESS");
    ann.send("CAP END").await;
    assert_eq!(ann.expect_numeric("001").await.param(0), "ann");
    assert_eq!(uses_left(&server).await, [0]);
}

#[tokio::test]
async fn a_guest_can_use_the_invitation_after_the_welcome() {
    let server = TestServer::start_with(INVITE_OR_GUEST).await;
    let mut bob = server.client_with("bob", &["standard-replies"]).await;
    let refused = register(&mut bob, "REGISTER * * secret").await;
    assert_eq!(refused.params[..3], ["REGISTER", "INVITATION_REQUIRED", "bob"]);
    let pass = format!("PASS invite:{}", code(&server, 1).await);
    let mut ann = stranger(&server, &[&pass, "NICK ann", "USER ann 0 * :Ann", "CAP END"]).await;
    ann.expect_numeric("001").await;
    assert_eq!(register(&mut ann, "REGISTER other * secret").await.params[..2], ["SUCCESS", "other"]);
    assert_eq!(uses_left(&server).await, [0]);
}

#[tokio::test]
async fn a_code_that_is_wrong_spent_expired_or_revoked_makes_no_account() {
    let server = TestServer::start_with(INVITE).await;
    let invites = &server.node.invites;
    let spent = code(&server, 1).await;
    let mut first = stranger(&server, &[&format!("PASS invite:{spent}"), "NICK first"]).await;
    assert_eq!(register(&mut first, "REGISTER * * secret").await.param(0), "SUCCESS");
    let (expired, _) = invites.create(1, Some(Duration::ZERO), "operator").await.expect("it is made");
    let revoked = code(&server, 1).await;
    invites.revoke(&revoked).await.expect("it is there");
    let wrong = "a".repeat(26);
    for code in [&spent, expired.reveal(), &revoked, &wrong, "", "nonsense"] {
        let mut ann = stranger(&server, &[&format!("PASS invite:{code}"), "NICK ann"]).await;
        let refused = register(&mut ann, "REGISTER * * secret").await;
        assert_eq!(refused.params[..3], ["REGISTER", "INVALID_INVITATION", "ann"], "{code}");
        let pass = format!("PASS invite:{code}:secret");
        let mut old = stranger(&server, &[&pass, "NICK ann", "USER ann 0 * :Ann", "CAP END"]).await;
        let last = old.expect_closed().await;
        numeric(&last, "464");
        numeric(&last, "ERROR");
    }
    assert_eq!(server.node.accounts.find("ann").await, Ok(None));
}

#[tokio::test]
async fn an_old_client_makes_the_account_of_its_nick_with_pass_alone() {
    let server = TestServer::start_with(INVITE).await;
    let code = code(&server, 1).await;
    let mut ann = server.connect().await;
    ann.send(&format!("PASS invite:{code}:pass:word")).await;
    ann.send("NICK Ann").await;
    ann.send("USER ann 0 * :Ann").await;
    assert_eq!(ann.expect_numeric("900").await.param(2), "Ann");
    assert_eq!(ann.expect_numeric("001").await.param(0), "Ann");
    ann.send("QUIT").await;
    ann.expect_closed().await;
    server.login("Ann", "pass:word", &[]).await;
    assert_eq!(uses_left(&server).await, [0]);
}

#[tokio::test]
async fn a_use_that_made_no_account_can_be_tried_again() {
    let server = TestServer::start_with(INVITE_OR_GUEST).await;
    server.account("taken", "secret").await;
    let pass = format!("PASS invite:{}", code(&server, 1).await);
    let mut ann = stranger(&server, &[&pass, "NICK ann"]).await;
    let refused = register(&mut ann, "REGISTER Taken * secret").await;
    assert_eq!(refused.params[..3], ["REGISTER", "ACCOUNT_EXISTS", "Taken"]);
    assert_eq!(uses_left(&server).await, [1]);
    assert_eq!(register(&mut ann, "REGISTER free * secret").await.params[..2], ["SUCCESS", "free"]);
}

#[tokio::test]
async fn a_code_whose_use_may_have_made_an_account_makes_no_second_one() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store: Arc<dyn Store> =
        EmbeddedStore::open(directory.path(), OpenMode::Create, Durability::Normal).expect("the store opens");
    let line = BadLine::to(&store, &[]);
    let server = TestServer::start_on(line.clone(), "test.example", directory, INVITE_OR_GUEST).await;
    let pass = format!("PASS invite:{}", code(&server, 1).await);
    let mut ann = stranger(&server, &[&pass, "NICK ann"]).await;
    // The account is made, and no answer tells so, however often it is asked for.
    line.fail(&Partition::account("ann"), Fault::AnswerLost, ANSWERS);
    let unknown = register(&mut ann, "REGISTER * * secret").await;
    assert_eq!(unknown.params[..2], ["REGISTER", "OUTCOME_UNKNOWN"]);
    assert_eq!(uses_left(&server).await, [0]);
    let again = register(&mut ann, "REGISTER other * secret").await;
    assert_eq!(again.params[..2], ["REGISTER", "INVALID_INVITATION"]);
    assert_eq!(server.node.accounts.count().await, Ok(1));
}

#[tokio::test]
async fn where_it_is_closed_nobody_makes_an_account() {
    let server = TestServer::start_with(CLOSED).await;
    let pass = format!("PASS invite:{}", code(&server, 1).await);
    let mut ann = stranger(&server, &[&pass, "NICK ann", "USER ann 0 * :Ann"]).await;
    let before = register(&mut ann, "REGISTER * * secret").await;
    assert_eq!(before.params[..3], ["REGISTER", "DISALLOWED", "ann"]);
    ann.send("CAP END").await;
    ann.expect_numeric("001").await;
    let after = register(&mut ann, "REGISTER * * secret").await;
    assert_eq!(after.params[..3], ["REGISTER", "DISALLOWED", "ann"]);
    assert_eq!(uses_left(&server).await, [1]);
}

#[tokio::test]
async fn names_and_passwords_that_no_account_can_have_are_refused() {
    let server = TestServer::start().await;
    server.account("gone", "secret").await;
    server.node.accounts.remove("gone").await.expect("it is there");
    let mut ann = server.client_with("ann", &["standard-replies"]).await;
    for (line, code, name) in [
        ("REGISTER 1ann * secret", "BAD_ACCOUNT_NAME", "1ann"),
        ("REGISTER a!b * secret", "BAD_ACCOUNT_NAME", "a!b"),
        ("REGISTER gone * secret", "ACCOUNT_EXISTS", "gone"),
        ("REGISTER ann * :", "UNACCEPTABLE_PASSWORD", "ann"),
    ] {
        assert_eq!(register(&mut ann, line).await.params[..3], ["REGISTER", code, name], "{line}");
    }
    numeric(&ann.ask("REGISTER ann secret").await, "461");
    assert_eq!(register(&mut ann, "REGISTER * * secret").await.param(0), "SUCCESS");
    let again = register(&mut ann, "REGISTER other * secret").await;
    assert_eq!(again.params[..3], ["REGISTER", "ALREADY_AUTHENTICATED", "other"]);
}

#[tokio::test]
async fn a_password_that_is_too_short_is_weak() {
    let server = TestServer::start_with(&[("accounts.password_min", "6")]).await;
    let mut ann = server.client_with("ann", &["standard-replies"]).await;
    let refused = register(&mut ann, "REGISTER * * ééééé").await;
    assert_eq!(refused.params[..3], ["REGISTER", "WEAK_PASSWORD", "ann"]);
    assert_eq!(register(&mut ann, "REGISTER * * sesame").await.param(0), "SUCCESS");
}

#[tokio::test]
async fn nobody_takes_a_name_that_people_know_as_a_part_of_the_server() {
    let server = TestServer::start().await;
    let mut ann = stranger(&server, &["NICK NickServ", "USER ann 0 * :Ann", "CAP END"]).await;
    assert_eq!(ann.expect_numeric("433").await.param(1), "NickServ");
    ann.send("NICK ann").await;
    ann.expect_numeric("001").await;
    ann.drain_until_pong().await;
    numeric(&ann.ask("NICK chanserv").await, "433");
    let refused = register(&mut ann, "REGISTER ChanServ * secret").await;
    assert_eq!(refused.params[..3], ["REGISTER", "BAD_ACCOUNT_NAME", "ChanServ"]);
    let bad = server
        .node
        .accounts
        .import("NickServ:$2b$04$abcdefghijklmnopqrstuu/6qq5Snl5oh918d11uhZj3Nbug/8.fu")
        .await;
    assert_eq!(bad.expect("the store answers").failed.len(), 1);
}

#[tokio::test]
async fn where_accounts_are_required_the_accounts_name_is_the_nick() {
    let server = TestServer::start_with(OPEN).await;
    let mut ann = stranger(&server, &["NICK ann"]).await;
    let refused = register(&mut ann, "REGISTER other * secret").await;
    assert_eq!(refused.params[..3], ["REGISTER", "ACCOUNT_NAME_MUST_BE_NICK", "other"]);
    assert_eq!(register(&mut ann, "REGISTER ANN * secret").await.params[..2], ["SUCCESS", "ANN"]);
    ann.send("USER ann 0 * :Ann").await;
    ann.send("CAP END").await;
    assert_eq!(ann.expect_numeric("001").await.param(0), "ANN");
}

#[tokio::test]
async fn a_node_whose_lease_is_over_makes_no_account_and_spends_no_invitation() {
    let settings = [INVITE, &[("fleet.lease", "'1m'")]].concat();
    let server = TestServer::start_with(&settings).await;
    let pass = format!("PASS invite:{}", code(&server, 1).await);
    let mut ann = stranger(&server, &[&pass, "NICK ann"]).await;
    let held = server.node.tenure();
    let over = Tenure::new(Writer::new("test.example", 1), StoreTime(1));
    server.node.replace_tenure(Arc::new(over));
    ann.send("REGISTER * * secret").await;
    let last = ann.expect_closed().await;
    assert!(numeric(&last, "ERROR").text().contains("lost its lease"), "{last:?}");
    assert_eq!(uses_left(&server).await, [1]);
    assert_eq!(server.node.accounts.find("ann").await, Ok(None));
    // It writes again as soon as it has a lease.
    server.node.replace_tenure(held);
    let mut ann = stranger(&server, &[&pass, "NICK ann"]).await;
    assert_eq!(register(&mut ann, "REGISTER * * secret").await.param(0), "SUCCESS");
}

/// A client that understands standard replies and has not ended its negotiation, after these lines.
async fn stranger(server: &TestServer, lines: &[&str]) -> TestClient {
    let mut client = server.connect().await;
    client.send("CAP REQ :standard-replies").await;
    client.expect(|line| line.contains(" ACK ")).await;
    for line in lines {
        client.send(line).await;
    }
    client
}

/// Sends a REGISTER and returns its answer.
async fn register(client: &mut TestClient, line: &str) -> Said {
    client.send(line).await;
    let answers = |line: &str| matches!(Said::new(line).command.as_str(), "REGISTER" | "FAIL");
    Said::new(client.expect(answers).await)
}

async fn code(server: &TestServer, uses: u32) -> String {
    let (code, _) = server.node.invites.create(uses, None, "operator").await.expect("it is made");
    code.reveal().to_owned()
}

async fn uses_left(server: &TestServer) -> Vec<u32> {
    let invites = server.node.invites.list().await.expect("the store answers");
    invites.iter().map(|invite| invite.uses_left).collect()
}

/// How often a commit whose outcome is not known is asked for in all.
const ANSWERS: usize = 5;
