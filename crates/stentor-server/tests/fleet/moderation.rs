//! Exact moderation: what a kick forbids does not follow it, whichever nodes the people are on.

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
