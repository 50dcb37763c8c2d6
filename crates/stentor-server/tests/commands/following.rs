//! Following people: who is told what, and who is not.

use std::time::Duration;

use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// Accounts of these names, logged in, with standard replies.
async fn people<const N: usize>(server: &TestServer, names: [&str; N]) -> [TestClient; N] {
    let mut clients = Vec::with_capacity(N);
    for name in names {
        server.account(name, "secret").await;
        clients.push(server.login(name, "secret", &["standard-replies", "message-tags"]).await);
    }
    clients.try_into().unwrap_or_else(|_| unreachable!("there are as many as names"))
}

/// What follows a post that everybody who follows gets: the texts of all that came over feeds before it.
async fn heard_before_marker(bob: &mut TestClient, ann: &mut TestClient) -> Vec<String> {
    bob.ask("PUBLISH :marker").await;
    let mut heard = Vec::new();
    loop {
        let line = Said::new(ann.next().await);
        if line.text() == "[Sub] marker" {
            return heard;
        }
        if line.text().starts_with("[Sub]") {
            heard.push(line.text().to_owned());
        }
    }
}

#[tokio::test]
async fn a_post_reaches_those_who_follow_and_nobody_else_in_the_room() {
    let server = TestServer::start().await;
    let [mut ann, mut bob, mut cat] = people(&server, ["ann", "Bob", "cat"]).await;
    for client in [&mut ann, &mut bob, &mut cat] {
        client.ask("JOIN #room").await;
    }
    let lines = ann.ask("SUBSCRIBE bob").await;
    assert_eq!(numeric(&lines, "NOTE").params[..4], ["SUBSCRIBE", "SUBSCRIBED", "Bob", "all"]);
    cat.drain_until_pong().await;
    let lines = bob.ask("PUBLISH :Secret Message").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["PUBLISH", "PUBLISHED", "1"]);
    let line = ann.expect_numeric("NOTICE").await;
    assert!(line.source.starts_with("Bob!"), "{line:?}");
    assert_eq!(line.params, ["ann", "[Sub] Secret Message"]);
    assert!(line.tag("msgid").is_some() && line.tag("stentor.chat/room").is_none());
    bob.ask("PRIVMSG #room :marker").await;
    assert_eq!(Said::new(cat.next().await).text(), "marker");
    // A member hears the room itself, and nothing twice.
    let lines = ann.drain_until_pong().await;
    assert_eq!(lines.iter().map(Said::text).collect::<Vec<_>>(), ["marker"]);
}

#[tokio::test]
async fn who_knows_feeds_gets_posts_as_themselves() {
    let server = TestServer::start().await;
    for name in ["ann", "bob"] {
        server.account(name, "secret").await;
    }
    let mut ann = server.login("ann", "secret", &["stentor.chat/feeds"]).await;
    let capabilities =
        ["stentor.chat/feeds", "echo-message", "labeled-response", "batch", "message-tags", "account-tag"];
    let mut bob = server.login("bob", "secret", &capabilities).await;
    ann.ask("SUBSCRIBE bob").await;
    let lines = bob.ask("@label=x;+draft/reply=y SUBSCRIBE_ONLY hello there").await;
    let [echo] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!((&*echo.command, echo.params.as_slice()), ("PUBLISH", &["hello there".to_owned()][..]));
    assert_eq!(echo.tag("label").as_deref(), Some("x"));
    let post = ann.expect_numeric("PUBLISH").await;
    assert!(post.bare.ends_with(" PUBLISH :hello there"), "{post:?}");
    assert_eq!((post.tag("msgid"), post.tag("account")), (echo.tag("msgid"), Some("bob".to_owned())));
    assert!(post.tag("time").is_some() && post.tag("+draft/reply").is_none(), "{post:?}");
    bob.ask("JOIN #Room").await;
    bob.ask("PRIVMSG #room :in there").await;
    let said = ann.expect_numeric("PUBLISH").await;
    assert_eq!(said.text(), "in there");
    assert_eq!(said.tag("stentor.chat/room").as_deref(), Some("#Room"));
    assert!(said.tag("msgid").is_some() && said.tag("stentor.chat/masks").is_none());
}

#[tokio::test]
async fn only_open_rooms_are_heard() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = people(&server, ["ann", "bob"]).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("JOIN #room").await;
    for (set, unset) in [("+s", "-s"), ("+k key", "-k key"), ("+i", "-i"), ("+x", "-x"), ("+l 1", "-l")] {
        bob.ask(&format!("MODE #room {set}")).await;
        bob.ask("PRIVMSG #room :closed").await;
        bob.ask(&format!("MODE #room {unset}")).await;
        bob.ask("PRIVMSG #room :open").await;
        assert_eq!(heard_before_marker(&mut bob, &mut ann).await, ["[Sub] open"], "{set}");
    }
}

#[tokio::test]
async fn who_is_banned_from_a_room_does_not_hear_it_over_a_feed() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = people(&server, ["ann", "bob"]).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("JOIN #room").await;
    bob.ask("MODE #room +b cat!*@*").await;
    bob.ask("PRIVMSG #room :another is banned").await;
    for mask in ["ann!*@*", "*!ann@*", "*!~ann@*"] {
        bob.ask(&format!("MODE #room +b {mask}")).await;
    }
    bob.ask("PRIVMSG #room :banned").await;
    bob.ask("MODE #room +e ann!*@*").await;
    bob.ask("PRIVMSG #room :excepted").await;
    let heard = heard_before_marker(&mut bob, &mut ann).await;
    assert_eq!(heard, ["[Sub] another is banned", "[Sub] excepted"]);
    // Another nick does not help against a ban of the account.
    bob.ask("MODE #room -be *!ann@* ann!*@*").await;
    bob.ask("MODE #room -b *!~ann@*").await;
    ann.ask("NICK anna").await;
    bob.ask("PRIVMSG #room :banned by account").await;
    assert!(heard_before_marker(&mut bob, &mut ann).await.is_empty());
}

#[tokio::test]
async fn what_is_not_for_people_and_what_is_private_is_not_told() {
    let server = TestServer::start().await;
    let [mut ann, mut bob, mut cat] = people(&server, ["ann", "bob", "cat"]).await;
    ann.ask("SUBSCRIBE bob").await;
    cat.ask("SUBSCRIBE bob posts").await;
    bob.ask("JOIN #room").await;
    bob.ask("NOTICE #room :from a program").await;
    bob.ask("PRIVMSG #room :\u{1}VERSION\u{1}").await;
    bob.ask("PRIVMSG cat :private").await;
    bob.ask("PRIVMSG #room :\u{1}ACTION waves\u{1}").await;
    assert_eq!(heard_before_marker(&mut bob, &mut ann).await, ["[Sub] * bob waves"]);
    let lines = cat.drain_until_pong().await;
    assert_eq!(lines.iter().map(Said::text).collect::<Vec<_>>(), ["private", "[Sub] marker"]);
}

#[tokio::test]
async fn what_one_says_in_rooms_can_be_kept_from_followers() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = people(&server, ["ann", "bob"]).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("JOIN #room").await;
    let lines = bob.ask("SUBSCRIBERS ROOMS OFF").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["SUBSCRIBERS", "ROOMS", "OFF"]);
    bob.ask("PRIVMSG #room :kept").await;
    bob.ask("SUBSCRIBERS ROOMS on").await;
    bob.ask("PRIVMSG #room :told").await;
    assert_eq!(heard_before_marker(&mut bob, &mut ann).await, ["[Sub] told"]);
}

#[tokio::test]
async fn a_mode_changes_and_an_end_is_one_at_once() {
    let server = TestServer::start().await;
    let [mut ann, mut bob, mut cat] = people(&server, ["ann", "bob", "cat"]).await;
    cat.ask("SUBSCRIBE bob").await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("JOIN #room").await;
    let lines = ann.ask("SUBSCRIBE BOB posts").await;
    assert_eq!(numeric(&lines, "NOTE").param(3), "posts");
    bob.ask("PRIVMSG #room :in the room").await;
    assert!(heard_before_marker(&mut bob, &mut ann).await.is_empty());
    let lines = ann.ask("UNSUBSCRIBE bob").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["UNSUBSCRIBE", "UNSUBSCRIBED", "bob"]);
    assert_eq!(heard_before_marker(&mut bob, &mut cat).await, ["[Sub] in the room", "[Sub] marker"][..1]);
    bob.ask("PRIVMSG ann :marker").await;
    assert_eq!(Said::new(ann.next().await).text(), "marker", "what came before it is gone");
    let lines = ann.ask("UNSUBSCRIBE bob").await;
    assert_eq!(numeric(&lines, "FAIL").params[..3], ["UNSUBSCRIBE", "NOT_SUBSCRIBED", "bob"]);
}

#[tokio::test]
async fn both_sides_list_each_other() {
    let server = TestServer::start().await;
    let [mut ann, mut bob, _cat] = people(&server, ["Ann", "bob", "Cat"]).await;
    let lines = ann.ask("SUBSCRIBE bob,cat posts").await;
    assert_eq!(command(&lines, "NOTE").len(), 2, "{lines:#?}");
    let lines = ann.ask("SUBSCRIPTIONS").await;
    let shown: Vec<_> =
        command(&lines, "NOTE").iter().map(|line| line.params[1..line.params.len() - 1].join(" ")).collect();
    assert_eq!(shown, ["SUBSCRIPTION bob posts", "SUBSCRIPTION Cat posts", "END 2"]);
    let lines = bob.ask("SUBSCRIBERS").await;
    let shown: Vec<_> =
        command(&lines, "NOTE").iter().map(|line| line.params[1..line.params.len() - 1].join(" ")).collect();
    assert_eq!(shown, ["SUBSCRIBER Ann posts", "END 1"]);
    let lines = ann.ask("SUBSCRIBERS").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["SUBSCRIBERS", "END", "0"]);
}

#[tokio::test]
async fn who_is_removed_stays_away_until_allowed() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = people(&server, ["ann", "bob"]).await;
    ann.ask("SUBSCRIBE bob").await;
    let lines = bob.ask("SUBSCRIBERS REMOVE ann").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["SUBSCRIBERS", "REMOVED", "ann"]);
    bob.ask("PUBLISH :not for ann").await;
    bob.ask("PRIVMSG ann :marker").await;
    assert_eq!(Said::new(ann.next().await).text(), "marker");
    let lines = ann.ask("SUBSCRIPTIONS").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["SUBSCRIPTIONS", "END", "0"]);
    for _ in 0..2 {
        let lines = ann.ask("SUBSCRIBE bob").await;
        assert_eq!(numeric(&lines, "FAIL").params[..3], ["SUBSCRIBE", "REFUSED", "bob"]);
    }
    bob.ask("SUBSCRIBERS ALLOW ann").await;
    ann.ask("SUBSCRIBE bob").await;
    assert!(heard_before_marker(&mut bob, &mut ann).await.is_empty());
    // What was posted meanwhile is not for ann.
    let lines = ann.ask("CHATHISTORY LATEST bob * 10").await;
    assert_eq!(
        lines.iter().filter(|line| line.source.starts_with("bob!")).map(Said::text).collect::<Vec<_>>(),
        ["marker", "[Sub] marker"]
    );
    let lines = bob.ask("SUBSCRIBERS ALLOW ann").await;
    assert_eq!(numeric(&lines, "FAIL").param(1), "NOT_REFUSED");
}

#[tokio::test]
async fn nobody_new_follows_who_refuses_and_those_who_do_go_on() {
    let server = TestServer::start().await;
    let [mut ann, mut bob, mut cat] = people(&server, ["ann", "bob", "cat"]).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("SUBSCRIBERS REFUSE ON").await;
    let lines = cat.ask("SUBSCRIBE bob").await;
    assert_eq!(numeric(&lines, "FAIL").params[..3], ["SUBSCRIBE", "REFUSED", "bob"]);
    let lines = ann.ask("SUBSCRIBE bob posts").await;
    assert_eq!(numeric(&lines, "NOTE").param(3), "posts");
    assert!(heard_before_marker(&mut bob, &mut ann).await.is_empty());
    bob.ask("SUBSCRIBERS REFUSE OFF").await;
    assert_eq!(numeric(&cat.ask("SUBSCRIBE bob").await, "NOTE").param(1), "SUBSCRIBED");
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let settings = [("limits.subscriptions", "1"), ("limits.subscribers", "1")];
    let server = TestServer::start_with(&settings).await;
    let [mut ann, mut bob, _cat] = people(&server, ["ann", "bob", "cat"]).await;
    let mut guest = server.client_with("guest", &["standard-replies"]).await;
    for line in ["SUBSCRIBE bob", "UNSUBSCRIBE bob", "SUBSCRIPTIONS", "SUBSCRIBERS", "PUBLISH :x"] {
        assert_eq!(numeric(&guest.ask(line).await, "FAIL").param(1), "ACCOUNT_REQUIRED", "{line}");
    }
    for (line, code) in [
        ("SUBSCRIBE nobody", "NO_SUCH_ACCOUNT"),
        ("SUBSCRIBE guest", "NO_SUCH_ACCOUNT"),
        ("SUBSCRIBE ann", "INVALID_PARAMS"),
        ("SUBSCRIBE bob some", "INVALID_PARAMS"),
        ("SUBSCRIBERS SOME", "INVALID_PARAMS"),
        ("SUBSCRIBERS REFUSE perhaps", "INVALID_PARAMS"),
        ("SUBSCRIBERS REMOVE nobody", "NO_SUCH_ACCOUNT"),
    ] {
        assert_eq!(numeric(&ann.ask(line).await, "FAIL").param(1), code, "{line}");
    }
    assert_eq!(ann.ask("PUBLISH").await[0].command, "412");
    ann.ask("SUBSCRIBE bob").await;
    assert_eq!(
        numeric(&ann.ask("SUBSCRIBE cat").await, "FAIL").params[..3],
        ["SUBSCRIBE", "TOO_MANY", "cat"]
    );
    server.account("dan", "secret").await;
    let mut dan = server.login("dan", "secret", &["standard-replies"]).await;
    assert_eq!(
        numeric(&dan.ask("SUBSCRIBE bob").await, "FAIL").params[..3],
        ["SUBSCRIBE", "TOO_MANY", "bob"]
    );
    // One that is gone counts no more, on either side.
    bob.ask("SUBSCRIBERS REMOVE ann").await;
    assert_eq!(numeric(&ann.ask("SUBSCRIBE cat").await, "NOTE").param(1), "SUBSCRIBED");
    assert_eq!(numeric(&dan.ask("SUBSCRIBE bob").await, "NOTE").param(1), "SUBSCRIBED");
}

#[tokio::test]
async fn a_client_without_standard_replies_reads_sentences() {
    let server = TestServer::start().await;
    for name in ["ann", "bob"] {
        server.account(name, "secret").await;
    }
    let mut ann = server.login("ann", "secret", &[]).await;
    let lines = ann.ask("SUBSCRIBE bob").await;
    assert_eq!(
        numeric(&lines, "NOTICE").text(),
        "SUBSCRIBE: You follow bob: posts, and what is said in open rooms"
    );
    let lines = ann.ask("PUBLISH :hello").await;
    assert_eq!(numeric(&lines, "NOTICE").text(), "PUBLISH: Kept. Nobody follows you yet");
}

#[tokio::test]
async fn a_node_watches_a_feed_only_for_those_who_follow() {
    let server = TestServer::start().await;
    let at_rest = server.node.hub.followed();
    let [mut ann, mut bob] = people(&server, ["ann", "bob"]).await;
    let before = server.node.hub.followed();
    ann.ask("SUBSCRIBE bob").await;
    assert_eq!(server.node.hub.followed(), before + 1);
    ann.ask("UNSUBSCRIBE bob").await;
    settled(&server, before).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("PUBLISH :x").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    bob.send("QUIT").await;
    bob.expect_closed().await;
    settled(&server, at_rest).await;
}

/// Waits until the node follows so many partitions.
async fn settled(server: &TestServer, wanted: usize) {
    let settling = async {
        while server.node.hub.followed() != wanted {
            tokio::task::yield_now().await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(10), settling).await;
    assert!(settled.is_ok(), "{} partitions are followed, not {wanted}", server.node.hub.followed());
}

#[tokio::test]
async fn a_long_post_reads_the_same_for_everybody() {
    let server = TestServer::start().await;
    for name in ["ann", "bob", "cat"] {
        server.account(name, "secret").await;
    }
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut cat = server.login("cat", "secret", &["stentor.chat/feeds"]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob").await;
    cat.ask("SUBSCRIBE bob").await;
    bob.ask(&format!("PUBLISH :{}", "\u{e9}".repeat(240))).await;
    let notice = ann.expect_numeric("NOTICE").await;
    let post = cat.expect_numeric("PUBLISH").await;
    assert!(notice.bare.len() <= 510 && post.text().len() > 400, "{post:?}");
    assert_eq!(notice.text().strip_prefix("[Sub] "), Some(post.text()));
}

#[tokio::test]
async fn what_is_said_to_a_rank_is_not_told_outside() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = people(&server, ["ann", "bob"]).await;
    let mut op = server.client("op").await;
    ann.ask("SUBSCRIBE bob").await;
    op.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    bob.ask("PRIVMSG @#room :among us").await;
    bob.ask("PRIVMSG #room :to all").await;
    op.ask("MODE #room +U").await;
    bob.ask("PRIVMSG #room :to be judged").await;
    let heard = heard_before_marker(&mut bob, &mut ann).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].ends_with("to all"), "{heard:?}");
}
