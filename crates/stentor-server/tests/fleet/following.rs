//! Following people across nodes.

use super::Pair;
use stentor_server::store::Partition;
use stentor_testing::{Said, TestClient, command, numeric};

const STANDARD: &[&str] = &["standard-replies", "message-tags"];

async fn pair(names: &[&str]) -> Pair {
    let pair = Pair::start(&[]).await;
    for name in names {
        pair.one.account(name, "secret").await;
    }
    pair
}

fn posts(lines: &[Said]) -> Vec<&str> {
    lines.iter().filter(|line| line.text().starts_with("[Sub]")).map(Said::text).collect()
}

/// The texts that came over feeds before one that is published now.
async fn heard_before_marker(bob: &mut TestClient, ann: &mut TestClient) -> Vec<String> {
    bob.ask("PUBLISH :marker").await;
    let mut heard = Vec::new();
    loop {
        let line = Said::new(ann.next().await);
        match line.text() {
            "[Sub] marker" => return heard,
            text if text.starts_with("[Sub]") => heard.push(text.to_owned()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_7_2_exclusive_subscriptions() {
    let pair = pair(&["ann", "bob", "cat"]).await;
    let (mut bob, _) = pair.one.login_and_read("bob", "secret", STANDARD).await;
    let (mut ann, _) = pair.two.login_and_read("ann", "secret", STANDARD).await;
    let (mut cat, _) = pair.two.login_and_read("cat", "secret", STANDARD).await;
    for client in [&mut bob, &mut cat] {
        client.ask("JOIN #room").await;
    }
    ann.ask("SUBSCRIBE bob").await;
    let lines = bob.ask("SUBSCRIBE_ONLY :Secret Message").await;
    assert_eq!(command(&lines, "NOTE")[0].params[..3], ["PUBLISH", "PUBLISHED", "1"]);
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] Secret Message");
    cat.drain_until_pong().await;
    bob.ask("PRIVMSG #room :marker").await;
    assert_eq!(Said::new(cat.next().await).text(), "marker");
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] marker", "the room is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_open_rooms_are_heard_on_another_node() {
    let pair = pair(&["ann", "bob"]).await;
    let (mut bob, _) = pair.one.login_and_read("bob", "secret", STANDARD).await;
    let (mut ann, _) = pair.two.login_and_read("ann", "secret", STANDARD).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("JOIN #room").await;
    let cases = [
        ("+s", "-s"),
        ("+k key", "-k key"),
        ("+i", "-i"),
        ("+x", "-x"),
        ("+l 1", "-l"),
        ("+b ann!*@*", "-b ann!*@*"),
    ];
    for (set, unset) in cases {
        bob.ask(&format!("MODE #room {set}")).await;
        bob.ask("PRIVMSG #room :closed").await;
        bob.ask(&format!("MODE #room {unset}")).await;
        bob.ask("PRIVMSG #room :open").await;
        assert_eq!(heard_before_marker(&mut bob, &mut ann).await, ["[Sub] open"], "{set}");
    }
    // The room's replica is not needed for any of that.
    assert!(pair.two.node.hub.find(&Partition::channel("#room")).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_on_either_side_is_one_at_once() {
    let pair = pair(&["ann", "bob", "cat"]).await;
    let (mut bob, _) = pair.one.login_and_read("bob", "secret", STANDARD).await;
    let (mut ann, _) = pair.two.login_and_read("ann", "secret", STANDARD).await;
    let (mut cat, _) = pair.two.login_and_read("cat", "secret", STANDARD).await;
    bob.ask("JOIN #room").await;
    for round in 0..20 {
        ann.ask("SUBSCRIBE bob").await;
        cat.ask("SUBSCRIBE bob").await;
        bob.ask(&format!("PRIVMSG #room :{round}")).await;
        ann.expect(|line| line.ends_with(&format!("[Sub] {round}"))).await;
        // What follows these is for neither, in the room or posted.
        ann.ask("UNSUBSCRIBE bob").await;
        bob.ask("SUBSCRIBERS REMOVE cat").await;
        bob.ask("PRIVMSG #room :after").await;
        bob.ask("PUBLISH :after").await;
        for client in [&mut ann, &mut cat] {
            bob.ask(&format!("PRIVMSG {} :marker", client.nick)).await;
            let line = client.expect(|line| line.contains("after") || line.contains("marker")).await;
            assert!(line.ends_with(":marker"), "round {round}: {line}");
        }
        bob.ask("SUBSCRIBERS ALLOW cat").await;
        let lines = bob.ask("SUBSCRIBERS").await;
        assert_eq!(numeric(&lines, "NOTE").params[1..3], ["END", "0"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_while_away_comes_once_on_whichever_node() {
    let pair = pair(&["ann", "bob"]).await;
    let (mut bob, _) = pair.one.login_and_read("bob", "secret", &[]).await;
    let (mut ann, _) = pair.one.login_and_read("ann", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob").await;
    ann.quit().await;
    bob.ask("PUBLISH :one").await;
    bob.ask("PUBLISH :two").await;
    let (mut ann, lines) = pair.two.login_and_read("ann", "secret", &[]).await;
    assert_eq!(posts(&lines), ["[Sub] one", "[Sub] two"]);
    ann.ask(&format!("PONG :{}", numeric(&lines, "PING").text())).await;
    bob.ask("PUBLISH :three").await;
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] three");
    ann.quit().await;
    let (ann, lines) = pair.one.login_and_read("ann", "secret", &[]).await;
    assert!(posts(&lines).is_empty(), "{lines:#?}");
    ann.quit().await;
    bob.ask("PUBLISH :four").await;
    let (mut ann, lines) = pair.two.login_and_read("ann", "secret", &["draft/chathistory", "batch"]).await;
    assert!(posts(&lines).is_empty(), "{lines:#?}");
    let lines = ann.ask("CHATHISTORY LATEST bob * 2").await;
    assert_eq!(posts(&lines), ["[Sub] three", "[Sub] four"]);
}

/// Nothing is lost and nothing comes twice or out of order, though posts come in all the while.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_among_posts_misses_none() {
    let pair = pair(&["bob"]).await;
    let (mut bob, _) = pair.one.login_and_read("bob", "secret", &[]).await;
    for round in 0..ROUNDS {
        let name = format!("ann{round}");
        pair.one.account(&name, "secret").await;
        let mut ann = pair.two.login(&name, "secret", &[]).await;
        ann.ask("SUBSCRIBE bob").await;
        ann.quit().await;
        for number in 0..BEFORE {
            bob.ask(&format!("PUBLISH :{number}")).await;
        }
        let posting = async {
            for number in BEFORE..COUNT {
                bob.ask(&format!("PUBLISH :{number}")).await;
            }
        };
        let hearing = async {
            let mut ann = pair.two.connect().await;
            let lines = ann.register(&name, Some("secret"), &[]).await;
            let mut heard: Vec<String> = posts(&lines).into_iter().map(str::to_owned).collect();
            while heard.len() < COUNT {
                let line = ann.expect_numeric("NOTICE").await;
                heard.extend(posts(std::slice::from_ref(&line)).into_iter().map(str::to_owned));
            }
            heard
        };
        let ((), heard) = tokio::join!(posting, hearing);
        let wanted: Vec<String> = (0..COUNT).map(|number| format!("[Sub] {number}")).collect();
        assert_eq!(heard, wanted, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_account_is_heard_and_counted_nowhere() {
    let pair = pair(&["ann", "bob", "cat"]).await;
    let (mut bob, _) = pair.one.login_and_read("bob", "secret", STANDARD).await;
    let (mut ann, _) = pair.two.login_and_read("ann", "secret", STANDARD).await;
    ann.ask("SUBSCRIBE bob,cat").await;
    bob.ask("SUBSCRIBE ann").await;
    pair.one.node.accounts.remove("bob").await.expect("Redis is there");
    bob.expect_closed().await;
    let lines = ann.ask("SUBSCRIPTIONS").await;
    let shown: Vec<_> = command(&lines, "NOTE").iter().map(|line| line.param(2).to_owned()).collect();
    assert_eq!(shown, ["cat", "1"]);
    let lines = ann.ask("SUBSCRIBERS").await;
    assert_eq!(numeric(&lines, "NOTE").params[1..3], ["END", "0"]);
    let peek =
        pair.one.node.hub.store().peek_one(&Partition::feed("bob"), &[]).await.expect("Redis is there");
    assert_eq!(peek.epoch, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_follow_one_at_once() {
    let names: Vec<String> = (0..30).map(|number| format!("fan{number}")).collect();
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.push("star");
    let pair = pair(&all).await;
    let (mut star, _) = pair.one.login_and_read("star", "secret", STANDARD).await;
    let mut fans = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let server = if number % 2 == 0 { &pair.one } else { &pair.two };
        fans.push(server.login_and_read(name, "secret", STANDARD).await.0);
    }
    for fan in &mut fans {
        fan.send("SUBSCRIBE star").await;
    }
    for fan in &mut fans {
        let answer = fan.expect_numeric("NOTE").await;
        assert_eq!(answer.param(1), "SUBSCRIBED");
    }
    let lines = star.ask("PUBLISH :hello").await;
    assert_eq!(numeric(&lines, "NOTE").param(2), "30");
    for fan in &mut fans {
        assert_eq!(fan.expect_numeric("NOTICE").await.text(), "[Sub] hello");
    }
}

const ROUNDS: usize = 10;
const BEFORE: usize = 20;
const COUNT: usize = 60;
