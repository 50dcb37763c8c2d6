//! The tag `account`: on whatever a user who has logged in does.

use stentor_testing::{TestServer, numeric};

use super::oper::OPERATOR;

#[tokio::test]
async fn whatever_a_user_does_bears_the_account() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.client_with("bob", &["account-tag", "away-notify", "setname"]).await;
    let _eve = server.client("eve").await;
    let mut dan = server.client_with("dan", &["setname"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    dan.ask("JOIN #room").await;
    ann.ask("PART #room").await;
    ann.ask("JOIN #room").await;
    bob.ask("MODE #room +o ann").await;
    bob.ask("JOIN #other").await;
    bob.drain_until_pong().await;
    dan.drain_until_pong().await;
    for line in [
        "INVITE bob #nowhere",
        "TOPIC #room :news",
        "MODE #room +m",
        "AWAY :tea",
        "AWAY",
        "SETNAME :Ann",
        "PART #room :bye",
        "JOIN #room",
        "PRIVMSG bob :hi",
        "NICK anna",
        "QUIT :bye",
    ] {
        ann.send(line).await;
    }
    ann.expect_closed().await;
    let seen = bob.collect_until("QUIT").await;
    let commands: Vec<&str> = seen.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(
        commands,
        ["TOPIC", "MODE", "AWAY", "AWAY", "SETNAME", "PART", "JOIN", "MODE", "PRIVMSG", "NICK", "QUIT"]
    );
    // The founder's prefix comes from the server.
    for line in seen.iter().filter(|line| line.source != server.name()) {
        assert_eq!(line.tag("account").as_deref(), Some("ann"), "{line:?}");
    }
    let plain = dan.collect_until("QUIT").await;
    assert!(plain.iter().all(|line| line.line == line.bare), "{plain:#?}");
}

#[tokio::test]
async fn an_invitation_bears_the_account_of_who_invites() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.client_with("bob", &["account-tag"]).await;
    ann.ask("JOIN #room").await;
    ann.ask("INVITE bob #room").await;
    let seen = bob.drain_until_pong().await;
    assert_eq!(numeric(&seen, "INVITE").tag("account").as_deref(), Some("ann"));
}

#[tokio::test]
async fn what_a_user_changes_of_itself_bears_the_account_in_its_own_copy_too() {
    let mut settings = OPERATOR.to_vec();
    settings.push(("users.default_modes", "'i'"));
    let server = TestServer::start_with(&settings).await;
    server.account("ann", "secret").await;
    let capabilities = ["account-tag", "setname", "labeled-response", "batch", "server-time"];
    let (mut ann, welcome) = server.login_and_read("ann", "secret", &capabilities).await;
    assert_eq!(numeric(&welcome, "MODE").tag("account").as_deref(), Some("ann"), "{welcome:?}");
    for (line, command) in [
        ("NICK anna", "NICK"),
        ("SETNAME :Ann", "SETNAME"),
        ("MODE anna +w", "MODE"),
        ("OPER operuser operpassword", "MODE"),
        ("MODE anna -o", "MODE"),
    ] {
        let lines = ann.ask(&format!("@label=x {line}")).await;
        let own = numeric(&lines, command);
        assert_eq!(own.tag("account").as_deref(), Some("ann"), "{lines:?}");
        assert!(own.tag("label").is_some() || own.tag("batch").is_some(), "{lines:?}");
        assert!(own.tag("time").is_some(), "{lines:?}");
    }
    let mut bob = server.client_with("bob", &["account-tag"]).await;
    assert_eq!(numeric(&bob.ask("NICK bert").await, "NICK").tag("account"), None);
}

#[tokio::test]
async fn what_an_operator_does_to_others_bears_the_account() {
    let server = TestServer::start_with(&OPERATOR).await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("OPER operuser operpassword").await;
    let mut bob = server.client_with("bob", &["account-tag"]).await;
    let mut dan = server.client("dan").await;
    for (client, nick) in [(&mut bob, "bob"), (&mut dan, "dan")] {
        client.ask(&format!("MODE {nick} +w")).await;
    }
    bob.ask("JOIN #closed").await;
    bob.ask("MODE #closed +i").await;
    ann.ask("WALLOPS :hello").await;
    ann.ask("KNOCK #closed").await;
    ann.ask("KILL bob :bye").await;
    let seen = bob.expect_closed().await;
    for command in ["WALLOPS", "710", "KILL"] {
        assert_eq!(numeric(&seen, command).tag("account").as_deref(), Some("ann"), "{seen:?}");
    }
    ann.ask("KILL dan :bye").await;
    let plain = dan.expect_closed().await;
    assert!(plain.iter().all(|line| line.line == line.bare), "{plain:?}");
    assert!(numeric(&plain, "KILL").line.ends_with(" KILL dan :bye"), "{plain:?}");
}

#[tokio::test]
async fn an_operator_whose_role_is_taken_back_reads_it_with_the_account() {
    let server = TestServer::start_with(&OPERATOR).await;
    server.account("ann", "secret").await;
    server.node.accounts.grant("ann", "admin").await.expect("the account is there");
    let mut ann = server.login("ann", "secret", &["account-tag"]).await;
    ann.ask("OPER ann secret").await;
    server.node.accounts.revoke("ann", "admin").await.expect("the account is there");
    let lost = ann.expect_numeric("MODE").await;
    assert_eq!((lost.param(1), lost.tag("account").as_deref()), ("-o", Some("ann")));
}
