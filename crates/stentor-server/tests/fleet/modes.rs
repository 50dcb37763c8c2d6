//! Modes whose rules meet people on different nodes.

use stentor_testing::{Said, command, numeric};

use super::Pair;

fn said(lines: &[Said]) -> Vec<String> {
    command(lines, "PRIVMSG").iter().map(|line| line.text().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modes_of_an_accounts_user_hold_on_every_node_whatever_the_nick() {
    let pair = Pair::start(&[]).await;
    pair.one.account("alice", "secret").await;
    let mut ally = pair.one.login("alice", "secret", &[]).await;
    let mut eve = pair.two.client("eve").await;
    ally.ask("NICK ally").await;
    ally.ask("MODE ally +R").await;
    numeric(&eve.ask("PRIVMSG alice :hello").await, "477");
    ally.ask("MODE ally -R").await;
    assert!(eve.ask("PRIVMSG alice :hello").await.is_empty());
    assert_eq!(ally.expect_numeric("PRIVMSG").await.params, ["alice", "hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_rank_is_heard_by_it_on_every_node() {
    let pair = Pair::start(&[]).await;
    let mut op = pair.one.client("op").await;
    let mut hal = pair.two.client("hal").await;
    let mut bob = pair.two.client_with("bob", &["echo-message"]).await;
    op.ask("JOIN #room").await;
    hal.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    op.expect_exact(&format!(":{} JOIN #room", source(&mut bob).await)).await;
    op.ask("MODE #room +h hal").await;
    hal.expect_numeric("MODE").await;
    bob.expect_numeric("MODE").await;
    bob.ask("PRIVMSG %#room :to halfops").await;
    bob.ask("PRIVMSG @#room :to operators").await;
    bob.ask("PRIVMSG #room :to all").await;
    assert_eq!(said(&hal.drain_until_pong().await), ["to halfops", "to all"]);
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(op.expect_numeric("PRIVMSG").await.text().to_owned());
    }
    assert_eq!(heard, ["to halfops", "to operators", "to all"]);
    op.ask("PRIVMSG @#room :among us").await;
    op.ask("PRIVMSG #room :done").await;
    assert_eq!(hal.expect_numeric("PRIVMSG").await.text(), "done");
    assert_eq!(said(&hal.ask("CHATHISTORY LATEST #room * 9").await), ["to halfops", "to all", "done"]);
    assert_eq!(said(&op.ask("CHATHISTORY LATEST #room * 9").await).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_judge_goes_past_everybody_else_on_every_node() {
    let pair = Pair::start(&[]).await;
    let mut op = pair.one.client("op").await;
    let mut bob = pair.two.client("bob").await;
    let mut eve = pair.one.client("eve").await;
    op.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    eve.ask("JOIN #room").await;
    op.ask("MODE #room +U").await;
    bob.expect_numeric("MODE").await;
    bob.ask("PRIVMSG #room :a question").await;
    assert_eq!(op.expect_numeric("PRIVMSG").await.params, ["#room", "a question"]);
    op.ask("PRIVMSG #room :an answer").await;
    assert_eq!(eve.expect_numeric("PRIVMSG").await.text(), "an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_bans_hold_on_the_node_where_they_were_not_set() {
    let pair = Pair::start(&[]).await;
    pair.one.account("eve", "secret").await;
    let mut op = pair.one.client("op").await;
    op.ask("JOIN #room,#spare").await;
    op.ask("MODE #room +b a:eve").await;
    let mut eve = pair.two.login("eve", "secret", &[]).await;
    let mut bob = pair.two.client("bob").await;
    numeric(&eve.ask("JOIN #room").await, "474");
    numeric(&bob.ask("JOIN #room").await, "JOIN");
    op.ask("MODE #room +f #spare").await;
    bob.expect_numeric("MODE").await;
    let lines = eve.ask("JOIN #room").await;
    assert_eq!(numeric(&lines, "470").params[1..3], ["#room", "#spare"]);
    assert_eq!(numeric(&lines, "JOIN").param(0), "#spare");
    // Also where nobody else on the node keeps a copy of the room.
    bob.ask("PART #room").await;
    eve.ask("PART #spare").await;
    assert_eq!(numeric(&eve.ask("JOIN #room").await, "470").params[1..3], ["#room", "#spare"]);
    numeric(&bob.ask("JOIN #room").await, "JOIN");
    op.ask("MODE #room +b m:bob").await;
    bob.expect_numeric("MODE").await;
    numeric(&bob.ask("PRIVMSG #room :hello").await, "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditorium_hides_listeners_of_other_nodes() {
    let pair = Pair::start(&[]).await;
    let mut op = pair.one.client("op").await;
    let mut bob = pair.two.client("bob").await;
    op.ask("JOIN #hall").await;
    op.ask("MODE #hall +u").await;
    assert_eq!(numeric(&bob.ask("JOIN #hall").await, "353").text(), "@op");
    let mut eve = pair.one.client("eve").await;
    eve.ask("JOIN #hall").await;
    eve.ask("PRIVMSG #hall :I am here").await;
    eve.ask("PART #hall").await;
    op.ask("PRIVMSG #hall :welcome").await;
    let lines = bob.collect_until("PRIVMSG").await;
    assert_eq!(lines.len(), 1, "no JOIN before it: {lines:?}");
    let lines = bob.collect_until("PRIVMSG").await;
    assert_eq!(lines.len(), 1, "no PART before it: {lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_modes_are_known_on_other_nodes() {
    let pair = Pair::start(&[]).await;
    pair.one.account("ann", "secret").await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE ann +BR").await;
    assert_eq!(numeric(&bob.ask("WHOIS ann").await, "335").param(1), "ann");
    numeric(&bob.ask("PRIVMSG ann :hello").await, "477");
    ann.ask("ACCEPT bob").await;
    assert!(command(&bob.ask("PRIVMSG ann :hello").await, "477").is_empty());
    assert_eq!(ann.expect_numeric("PRIVMSG").await.text(), "hello");
    ann.ask("PRIVMSG #room :beep").await;
    bob.expect_numeric("PRIVMSG").await;
    let who = bob.ask("WHO #room").await;
    assert!(
        command(&who, "352").iter().any(|line| line.param(6) == "H@B" || line.param(6) == "H~B"),
        "{who:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_knock_and_an_invitation_cross_nodes() {
    let pair = Pair::start(&[]).await;
    let mut op = pair.one.client("op").await;
    let mut bob = pair.two.client("bob").await;
    op.ask("JOIN #room").await;
    op.ask("MODE #room +i").await;
    numeric(&bob.ask("KNOCK #room").await, "711");
    assert!(op.expect_numeric("710").await.param(2).starts_with("bob!"));
    op.ask("INVITE bob #room").await;
    bob.expect_numeric("INVITE").await;
    assert_eq!(numeric(&bob.ask("INVITE").await, "336").param(1), "#room");
    numeric(&bob.ask("JOIN #room").await, "JOIN");
}

/// The client's own `nick!user@host`.
async fn source(client: &mut stentor_testing::TestClient) -> String {
    let nick = client.nick.clone();
    let lines = client.ask(&format!("WHOIS {nick}")).await;
    let about = numeric(&lines, "311");
    format!("{nick}!{}@{}", about.param(2), about.param(3))
}
