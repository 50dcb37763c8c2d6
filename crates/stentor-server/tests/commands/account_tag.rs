//! The tag `account`: on whatever a user who has logged in does.

use stentor_testing::{TestServer, numeric};

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
