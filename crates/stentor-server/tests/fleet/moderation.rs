//! Exact moderation: what a kick forbids does not follow it, whichever nodes the people are on.

use stentor_testing::{TestClient, command};

use super::Pair;

#[tokio::test(flavor = "multi_thread")]
async fn no_message_follows_a_kick_in_a_thousand_races() {
    let pair = Pair::start(&[]).await;
    let mut op = pair.one.client_with("op", &["echo-message"]).await;
    let mut flooder = pair.two.client("flooder").await;
    let mut witness = pair.two.client("witness").await;
    op.ask("JOIN #room").await;
    witness.ask("JOIN #room").await;
    for round in 0..1000 {
        flooder.ask("JOIN #room").await;
        for number in 0..5 {
            flooder.send(&format!("PRIVMSG #room :{round} {number}")).await;
        }
        op.send("KICK #room flooder").await;
        // Where the barrier has passed, all of the flood has been judged and what was stored of it delivered here.
        flooder.drain_until_pong().await;
        op.drain_until_pong().await;
        for client in [&mut op, &mut witness] {
            let mut kicked = false;
            for said in client.drain_until_pong().await {
                match said.command.as_str() {
                    "KICK" => kicked = true,
                    // On the witness's node the last round may only end now.
                    "JOIN" => kicked = false,
                    "PRIVMSG" => assert!(!kicked, "a message followed the kick: {said:?}"),
                    _ => {}
                }
            }
        }
    }
}

/// Follows a client's nick through the lines of a room, each KICK of which names the one that it has by then.
async fn kicked_by_the_nick_they_have(witness: &mut TestClient, nick: &mut String) {
    for said in witness.drain_until_pong().await {
        match said.command.as_str() {
            "JOIN" => *nick = said.source.split('!').next().unwrap_or_default().to_owned(),
            "NICK" => said.param(0).clone_into(nick),
            "KICK" => assert_eq!(said.param(1), nick, "{said:?}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_names_the_nick_that_its_victim_has_by_then_in_two_hundred_races() {
    let pair = Pair::start(&[]).await;
    pair.one.account("ann", "secret").await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.client("nick0").await;
    let mut witness = pair.two.client("witness").await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +e witness!*@*").await;
    witness.ask("JOIN #room").await;
    let mut nick = String::new();
    for round in 0..200 {
        bob.ask("JOIN #room").await;
        let kick = match round % 2 {
            0 => format!("KICK #room nick{round}"),
            _ => "CS AKICK #room ADD nick*!*@*".to_owned(),
        };
        let rename = format!("NICK nick{}", round + 1);
        let (_, renamed) = tokio::join!(ann.ask(&kick), bob.ask(&rename));
        assert!(!command(&renamed, "NICK").is_empty(), "{renamed:?}");
        ann.ask("MODE #room -b nick*!*@*").await;
        ann.ask(&format!("KICK #room nick{}", round + 1)).await;
        bob.drain_until_pong().await;
        kicked_by_the_nick_they_have(&mut witness, &mut nick).await;
    }
}
