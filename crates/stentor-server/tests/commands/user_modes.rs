//! MODE of oneself.

use stentor_testing::{TestServer, command, numeric};

use super::oper::OPERATOR;

#[tokio::test]
async fn one_may_be_invisible() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").params, ["ann", "+"]);
    assert_eq!(numeric(&ann.ask("MODE ANN +i").await, "MODE").params, ["ann", "+i"]);
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").params, ["ann", "+i"]);
    assert!(ann.ask("MODE ann +i").await.is_empty());
    numeric(&ann.ask("MODE ann +Z").await, "501");
}

#[tokio::test]
async fn others_have_their_own() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let _bob = server.client("bob").await;
    numeric(&ann.ask("MODE bob +i").await, "502");
    numeric(&ann.ask("MODE nobody").await, "401");
}

#[tokio::test]
async fn a_bot_is_marked_everywhere() {
    let server = TestServer::start().await;
    let mut bot = server.client_with("bot", &["echo-message", "message-tags"]).await;
    let mut ann = server.client_with("ann", &["message-tags"]).await;
    bot.ask("JOIN #room").await;
    ann.ask("JOIN #room").await;
    bot.drain_until_pong().await;
    assert_eq!(numeric(&bot.ask("MODE bot +B").await, "MODE").params, ["bot", "+B"]);
    assert!(ann.drain_until_pong().await.is_empty(), "it is no news");
    for target in ["#room", "ann"] {
        let own = bot.ask(&format!("PRIVMSG {target} :beep")).await;
        assert!(numeric(&own, "PRIVMSG").tag("bot").is_some(), "{own:?}");
        assert!(numeric(&ann.drain_until_pong().await, "PRIVMSG").tag("bot").is_some());
    }
    assert_eq!(numeric(&ann.ask("WHOIS bot").await, "335").param(1), "bot");
    let who = ann.ask("WHO #room").await;
    let flags: Vec<&str> = command(&who, "352").iter().map(|line| line.param(6)).collect();
    assert!(flags.contains(&"H@B") && flags.contains(&"H"), "{flags:?}");
    ann.ask("@bot PRIVMSG #room :I am none").await;
    assert!(numeric(&bot.drain_until_pong().await, "PRIVMSG").tag("bot").is_none());
    bot.ask("MODE bot -B").await;
    assert!(command(&ann.ask("WHOIS bot").await, "335").is_empty());
}

#[tokio::test]
async fn whatever_a_bot_does_is_a_bots() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut bot = server.client_with("bot", &["message-tags"]).await;
    let mut ann = server.client_with("ann", &["message-tags", "away-notify", "setname"]).await;
    let mut dan = server.client_with("dan", &["away-notify", "setname"]).await;
    for client in [&mut bot, &mut ann, &mut dan] {
        client.ask("JOIN #room").await;
    }
    bot.ask("MODE bot +B").await;
    ann.ask("MODE ann +w").await;
    numeric(&bot.ask("OPER operuser operpassword").await, "381");
    ann.drain_until_pong().await;
    dan.drain_until_pong().await;
    for line in [
        "TOPIC #room :news",
        "MODE #room +v ann",
        "AWAY :tea",
        "SETNAME :A bot",
        "KICK #room dan :bye",
        "WALLOPS :hi",
        "PART #room",
        "JOIN #room",
        "NICK robot",
        "KILL ann :bye",
    ] {
        bot.ask(line).await;
    }
    let seen = ann.expect_closed().await;
    let commands: Vec<&str> = seen.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(
        commands,
        ["TOPIC", "MODE", "AWAY", "SETNAME", "KICK", "WALLOPS", "PART", "JOIN", "NICK", "KILL", "ERROR"]
    );
    for line in seen.iter().filter(|line| line.source.contains('!')) {
        assert_eq!(line.tag("bot").as_deref(), Some(""), "{line:?}");
    }
    let plain = dan.drain_until_pong().await;
    assert!(plain.iter().all(|line| line.line == line.bare), "{plain:?}");
    assert!(numeric(&bot.ask("NICK bot").await, "NICK").tag("bot").is_some());
    bot.ask("MODE bot -B").await;
    assert!(numeric(&bot.ask("NICK human").await, "NICK").tag("bot").is_none());
}

#[tokio::test]
async fn one_may_hear_from_the_logged_in_alone() {
    let server = TestServer::start().await;
    for account in ["ann", "carl"] {
        server.account(account, "secret").await;
    }
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.client("bob").await;
    ann.ask("MODE ann +R").await;
    assert_eq!(numeric(&bob.ask("PRIVMSG ann :hello").await, "477").param(1), "ann");
    assert!(ann.drain_until_pong().await.is_empty());
    let mut carl = server.login("carl", "secret", &[]).await;
    assert!(carl.ask("PRIVMSG ann :hello").await.is_empty());
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").text(), "hello");

    assert!(ann.ask("ACCEPT bob").await.is_empty());
    numeric(&ann.ask("ACCEPT bob").await, "457");
    assert_eq!(numeric(&ann.ask("ACCEPT *").await, "281").text(), "bob");
    assert!(bob.ask("PRIVMSG ann :hello").await.is_empty());
    assert!(ann.ask("ACCEPT -bob").await.iter().all(|line| line.command == "PRIVMSG"));
    numeric(&ann.ask("ACCEPT -bob").await, "458");
    numeric(&ann.ask("ACCEPT nobody").await, "401");
    numeric(&bob.ask("PRIVMSG ann :again").await, "477");
    ann.ask("PRIVMSG bob :what is it?").await;
    assert!(command(&bob.ask("PRIVMSG ann :this").await, "477").is_empty());
}

#[tokio::test]
async fn the_name_of_an_account_is_no_way_around_the_modes_of_its_user() {
    let server = TestServer::start().await;
    server.account("alice", "secret").await;
    let mut ally = server.login("alice", "secret", &[]).await;
    let mut eve = server.client_with("eve", &["echo-message"]).await;
    ally.ask("NICK ally").await;
    ally.ask("MODE ally +RT").await;
    numeric(&eve.ask("PRIVMSG alice :hello").await, "477");
    ally.ask("MODE ally -R").await;
    numeric(&eve.ask("PRIVMSG alice :\u{1}VERSION\u{1}").await, "531");
    let lines = eve.ask("PRIVMSG alice :hello").await;
    assert_eq!((lines.len(), numeric(&lines, "PRIVMSG").param(0)), (1, "alice"), "she is here: {lines:?}");
    assert_eq!(numeric(&ally.drain_until_pong().await, "PRIVMSG").params, ["alice", "hello"]);
}

#[tokio::test]
async fn one_may_take_no_ctcp() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    ann.ask("MODE ann +T").await;
    assert_eq!(numeric(&bob.ask("PRIVMSG ann :\u{1}VERSION\u{1}").await, "531").param(1), "ann");
    assert!(bob.ask("PRIVMSG ann :\u{1}ACTION waves\u{1}").await.is_empty());
    numeric(&ann.drain_until_pong().await, "PRIVMSG");
}

#[tokio::test]
async fn whoever_connects_has_the_default_modes_and_may_change_them() {
    let server = TestServer::start_with(&[("users.default_modes", "'wi'")]).await;
    let mut ann = server.connect().await;
    let welcome = ann.register("ann", None, &[]).await;
    assert_eq!(numeric(&welcome, "MODE").params, ["ann", "+iw"]);
    assert_eq!(numeric(&ann.ask("MODE ann").await, "221").params, ["ann", "+iw"]);
    let mut bob = server.client("bob").await;
    assert!(command(&bob.ask("WHO an*").await, "352").is_empty());
    assert_eq!(numeric(&ann.ask("MODE ann -i").await, "MODE").params, ["ann", "-i"]);
    assert_eq!(command(&bob.ask("WHO an*").await, "352").len(), 1);
}
