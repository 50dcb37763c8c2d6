//! What operators say to NickServ: other people's accounts, and invitations.

use stentor_server::config::Config;
use stentor_testing::{TestServer, numeric};

use super::nickserv::{says, says_all};
use super::oper::{OPERATOR, operator};

/// What was done, and to whom, oldest first, without OPER itself.
async fn deeds(server: &TestServer) -> Vec<String> {
    let records = server.node.audit.read(None, 100).await.expect("the store answers");
    let deeds = records.into_iter().filter(|record| record.what != "oper");
    deeds.map(|record| format!("{} {} {}", record.what, record.target, record.reason)).collect()
}

#[tokio::test]
async fn an_operator_makes_suspends_and_removes_accounts() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    assert_eq!(says(&mut root, "SAREGISTER ann sesame").await, "The account ann is made.");
    assert!(says(&mut root, "SAREGISTER Ann other").await.contains("already"));
    assert!(says(&mut root, "SAREGISTER 1ann other").await.contains("name"));
    let mut ann = server.login("ann", "sesame", &[]).await;

    assert_eq!(
        says(&mut root, "RESETPASS ann barley").await,
        "The password of ann is changed. Its session is ended."
    );
    assert_eq!(numeric(&ann.expect_closed().await, "ERROR").text(), "Password changed");
    let mut ann = server.login("ann", "barley", &[]).await;
    ann.ask(&format!("NS CERT ADD {}", "0f".repeat(32))).await;
    assert!(says(&mut root, "RESETPASS ann wheat").await.ends_with("log in to it no more: 1."));
    assert_eq!(server.node.accounts.certificates("ann").await, Ok(Vec::new()));
    ann.expect_closed().await;
    let mut ann = server.login("ann", "wheat", &[]).await;
    let guest = server.client("guest").await;
    assert!(says(&mut root, "SAREGISTER guest x").await.contains("Somebody who is here"));
    drop(guest);

    assert!(says(&mut root, "SUSPEND ann +1d spam").await.contains("leave the time out"));
    assert!(says(&mut root, "SUSPEND ADD ann 1d").await.starts_with("Say SUSPEND <account>"));
    assert!(says(&mut root, "SUSPEND ann floods the lobby").await.contains("is suspended, and"));
    assert_eq!(numeric(&ann.expect_closed().await, "ERROR").text(), "Account locked");
    assert!(
        says_all(&mut root, "INFO ann").await.iter().any(|line| line.starts_with("It is suspended since 2"))
    );
    assert!(says(&mut root, "SUSPEND ann").await.contains("suspended already"));
    assert!(server.node.accounts.verify("ann", "wheat").await.is_err());
    assert!(says(&mut root, "UNSUSPEND ann").await.contains("let in again"));
    assert!(says(&mut root, "UNSUSPEND ann").await.contains("not suspended"));
    server.node.accounts.verify("ann", "wheat").await.expect("ann is let in again");

    let asked = says(&mut root, "SADROP ann").await;
    let code = asked.rsplit(' ').next().expect("a code").to_owned();
    assert_eq!(says(&mut root, "SADROP ann 00000000").await, asked);
    assert!(server.node.accounts.find("ann").await.expect("the store answers").is_some());
    assert_eq!(says(&mut root, &format!("SADROP ann {code}")).await, "ann is removed.");
    assert_eq!(server.node.accounts.find("ann").await, Ok(None));
    assert_eq!(says(&mut root, "RESETPASS ann barley").await, "There is no account ann.");

    let wanted = [
        "account-add ann ",
        "account-passwd ann ",
        "account-passwd ann ",
        "account-lock ann floods the lobby",
        "account-unlock ann ",
        "account-remove ann ",
    ];
    assert_eq!(deeds(&server).await, wanted, "what was refused, and passwords, are not written down");
}

#[tokio::test]
async fn a_password_that_nobody_chose_is_told_once() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut root = operator(&server, "root").await;
    let mut told = Vec::new();
    for words in ["SAREGISTER ann", "RESETPASS ann"] {
        let said = says(&mut root, words).await;
        let (_, rest) = said.split_once("with the password ").expect("it is told");
        let password = rest.split('.').next().expect("it is one word").to_owned();
        server.node.accounts.verify("ann", &password).await.expect("it is the password now");
        told.push(password);
    }
    assert_ne!(told[0], told[1]);
}

#[tokio::test]
async fn nobody_gets_at_an_account_that_is_not_below_them_or_without_the_privilege() {
    let settings = [
        ("roles.helper.privileges", "['accounts', 'kill']"),
        ("roles.greeter.privileges", "['accounts']"),
        ("roles.other.privileges", "['ban']"),
    ];
    let server = TestServer::start_with(&settings).await;
    for (name, role) in [
        ("ann", None),
        ("greeter", Some("greeter")),
        ("helper", Some("helper")),
        ("peer", Some("helper")),
        ("chief", Some("other")),
        ("admin2", Some("admin")),
    ] {
        server.account(name, "sesame").await;
        if let Some(role) = role {
            server.node.accounts.grant(name, role).await.expect("it is there");
        }
    }
    let mut guest = server.client("guest").await;
    for words in [
        "SAREGISTER x",
        "RESETPASS ann x",
        "SUSPEND ann",
        "UNSUSPEND ann",
        "SADROP nobody",
        "INVITE",
        "INVITE LIST",
    ] {
        let said = says(&mut guest, words).await;
        assert!(said.contains("not an IRC operator"), "{words}: {said}");
    }
    assert!(!says_all(&mut guest, "INFO peer").await.iter().any(|line| line.contains("helper")));
    let mut helper = server.login("helper", "sesame", &[]).await;
    helper.ask("OPER helper sesame").await;
    // A role that only other nodes know may give anything there.
    let before = Config::clone(&server.node.config());
    let without = "accounts.required = false\n[roles.helper]\nprivileges = ['accounts', 'kill']";
    let without = Config::from_text(without).expect("it is legal");
    for name in ["peer", "chief", "admin2", "helper"] {
        for word in ["RESETPASS", "SUSPEND", "UNSUSPEND", "SADROP"] {
            let said = says(&mut helper, &format!("{word} {name}")).await;
            assert_eq!(said, format!("{name} has roles that are not below yours."), "{word}");
        }
    }
    assert!(says(&mut helper, "SADROP greeter").await.contains("If you mean it"));
    server.node.set_config(without);
    assert_eq!(says(&mut helper, "SADROP greeter").await, "greeter has roles that are not below yours.");
    server.node.set_config(before);
    assert!(says(&mut helper, "INVITE").await.contains("the privilege invite"));
    assert!(deeds(&server).await.is_empty());
    assert!(says(&mut helper, "SUSPEND greeter").await.contains("is suspended"));
    assert!(says_all(&mut helper, "INFO greeter").await.iter().any(|line| line.contains("roles greeter")));
}

#[tokio::test]
async fn an_own_password_is_not_changed_without_the_old_one() {
    let server = TestServer::start().await;
    server.account("root", "sesame").await;
    server.node.accounts.grant("root", "admin").await.expect("it is there");
    let mut root = server.login("root", "sesame", &[]).await;
    root.ask("OPER root sesame").await;
    assert_eq!(says(&mut root, "RESETPASS root x").await, "Change your own password with PASSWD.");
    server.node.accounts.verify("root", "sesame").await.expect("it is as it was");
}

#[tokio::test]
async fn who_is_invited_makes_an_account_until_the_invitation_is_revoked() {
    let server =
        TestServer::start_with(&[&OPERATOR[..], &[("accounts.registration", "'invite'")]].concat()).await;
    let mut root = operator(&server, "root").await;
    assert!(says(&mut root, "INVITE LIST").await.contains("no invitation"));
    let said = says(&mut root, "INVITE 2 0").await;
    let code = said.split(' ').nth(2).expect("a code").to_owned();
    assert!(said.contains("makes 2 accounts, for ever"), "{said}");
    let mut ann = server.connect().await;
    for line in [&*format!("PASS invite:{code}:sesame"), "NICK ann", "USER ann 0 * :Ann"] {
        ann.send(line).await;
    }
    ann.expect_numeric("001").await;
    server.node.accounts.verify("ann", "sesame").await.expect("there is an account");

    let listed = says(&mut root, "INVITE LIST").await;
    assert!(listed.contains(": 1 to make, for ever, by operuser since 2"), "{listed}");
    assert!(!listed.contains(&code));
    let id = listed.split(':').next().expect("an id").to_owned();
    assert!(says(&mut root, "INVITE REVOKE 00000000").await.contains("no such invitation"));
    assert_eq!(
        says(&mut root, &format!("INVITE REVOKE {id}")).await,
        format!("The invitation {id} is good for nothing any more.")
    );
    assert!(says(&mut root, "INVITE LIST").await.contains("no invitation"));
    for words in ["INVITE 0", "INVITE many", "INVITE 1 sometime", "INVITE 1000001"] {
        let said = says(&mut root, words).await;
        assert!(said.starts_with("Say INVITE") || said.contains("has 1 to 1000000 uses"), "{words}: {said}");
    }
    let wanted = [format!("invite {id} 2 accounts, for ever"), format!("invite-revoke {id} ")];
    assert_eq!(deeds(&server).await, wanted);
}
