//! Following people: what is kept, who may read it, and what becomes of both sides when one of them goes.

use stentor_server::commit_identity::Committer;
use stentor_server::following::removal;
use stentor_server::history::janitor::{Janitor, Visit};
use stentor_server::hub::Decision;
use stentor_server::store::{Change, Epoch, Life, Partition, StoreTime};
use stentor_testing::{Said, TestServer, command, numeric};

async fn server_with(names: &[&str]) -> TestServer {
    let server = TestServer::start().await;
    for name in names {
        server.account(name, "secret").await;
    }
    server
}

/// What is said in different logs is told in the order of time only where it is of different milliseconds.
async fn next_millisecond(server: &TestServer) {
    let store = server.node.hub.store();
    let now = store.now().await.expect("the store is open");
    while store.now().await.expect("the store is open") == now {
        tokio::task::yield_now().await;
    }
}

fn posts(lines: &[Said]) -> Vec<&str> {
    let texts = lines.iter().filter(|line| matches!(&*line.command, "NOTICE" | "PUBLISH" | "PRIVMSG"));
    texts.filter(|line| line.source.contains('!')).map(Said::text).collect()
}

#[tokio::test]
async fn what_was_posted_while_away_comes_once() {
    let server = server_with(&["ann", "bob", "cat"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob,cat").await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &[]).await;
    let (mut cat, _) = server.login_and_read("cat", "secret", &[]).await;
    bob.ask("PUBLISH :live").await;
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] live");
    ann.quit().await;
    for (client, line) in [(&mut bob, "PUBLISH :one"), (&mut cat, "PUBLISH :two")] {
        client.ask(line).await;
        next_millisecond(&server).await;
    }
    bob.ask("PUBLISH :three").await;
    bob.ask("PRIVMSG ann :private").await;
    bob.ask("JOIN #room").await;
    bob.ask("PRIVMSG #room :live only").await;
    let (mut ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert_eq!(posts(&lines), ["private", "[Sub] one", "[Sub] two", "[Sub] three"]);
    assert!(
        lines.iter().any(|line| line.text().contains("3 posts came from those whom you follow")),
        "{lines:#?}"
    );
    ann.ask(&format!("PONG :{}", numeric(&lines, "PING").text())).await;
    bob.ask("PUBLISH :four").await;
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] four");
    ann.quit().await;
    let (ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert!(posts(&lines).is_empty() && command(&lines, "PING").is_empty(), "{lines:#?}");
    ann.quit().await;
    // In batches, one for each author.
    bob.ask("PUBLISH :five").await;
    cat.ask("PUBLISH :six").await;
    let capabilities = ["batch", "server-time", "message-tags", "stentor.chat/feeds"];
    let (_ann, lines) = server.login_and_read("ann", "secret", &capabilities).await;
    let batches = command(&lines, "BATCH");
    assert_eq!(
        (batches[0].param(1), batches[0].param(2), batches[2].param(2)),
        ("chathistory", "bob", "cat")
    );
    let post = command(&lines, "PUBLISH")[0];
    assert_eq!(post.tag("batch").as_deref(), batches[0].param(0).strip_prefix('+'));
    assert_eq!(posts(&lines), ["five", "six"]);
}

#[tokio::test]
async fn what_was_not_proved_to_be_read_is_repeated_after_a_restart() {
    let server = server_with(&["ann", "bob"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob").await;
    ann.quit().await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &[]).await;
    bob.ask("PUBLISH :one").await;
    let (ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert_eq!(posts(&lines), ["[Sub] one"]);
    drop((ann, bob));
    let server = server.restart(&[]).await;
    let (mut ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert_eq!(posts(&lines), ["[Sub] one"]);
    ann.ask(&format!("PONG :{}", numeric(&lines, "PING").text())).await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &[]).await;
    bob.ask("JOIN #room").await;
    bob.ask("PRIVMSG #room :in the room").await;
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] in the room");
    ann.quit().await;
    let (_ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert!(posts(&lines).is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn a_feed_that_cannot_be_read_at_first_silences_no_other() {
    let server = server_with(&["ann", "bob", "cat"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob,cat").await;
    ann.quit().await;
    // From here on nobody has a feed in memory.
    let (line, server) = server.restart_on_a_bad_line().await;
    line.fail_snapshot(&Partition::feed("cat"));
    let (mut ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert!(lines.iter().any(|line| line.text().contains("cannot be read now")), "{lines:#?}");
    ann.ask("PONG :again").await;
    for name in ["bob", "cat"] {
        let (mut client, _) = server.login_and_read(name, "secret", &[]).await;
        client.ask(&format!("PUBLISH :by {name}")).await;
        assert_eq!(ann.expect_numeric("NOTICE").await.text(), format!("[Sub] by {name}"));
    }
}

#[tokio::test]
async fn history_merges_posts_with_private_messages() {
    let server = server_with(&["ann", "bob", "cat"]).await;
    let capabilities = ["draft/chathistory", "batch", "server-time", "message-tags", "stentor.chat/feeds"];
    let (mut bob, _) = server.login_and_read("bob", "secret", &[]).await;
    bob.ask("PUBLISH :before").await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &capabilities).await;
    ann.ask("SUBSCRIBE bob").await;
    ann.quit().await;
    for line in ["PUBLISH :one", "PRIVMSG ann :two", "PUBLISH :three", "PRIVMSG ann :four"] {
        bob.ask(line).await;
        next_millisecond(&server).await;
    }
    let (mut ann, lines) = server.login_and_read("ann", "secret", &capabilities).await;
    assert!(posts(&lines).is_empty(), "{lines:#?}");
    let all = ann.ask("CHATHISTORY LATEST bob * 10").await;
    assert_eq!(posts(&all), ["one", "two", "three", "four"]);
    let ids: Vec<String> = all.iter().filter_map(|line| line.tag("msgid")).collect();
    let times: Vec<String> = all.iter().filter_map(|line| line.tag("time")).collect();
    for (line, wanted) in [
        ("CHATHISTORY LATEST bob * 2".to_owned(), &["three", "four"][..]),
        (format!("CHATHISTORY BEFORE bob msgid={} 10", ids[2]), &["one", "two"]),
        (format!("CHATHISTORY BEFORE bob msgid={} 2", ids[3]), &["two", "three"]),
        (format!("CHATHISTORY AFTER bob msgid={} 10", ids[0]), &["two", "three", "four"]),
        (format!("CHATHISTORY AFTER bob msgid={} 1", ids[1]), &["three"]),
        (format!("CHATHISTORY AROUND bob msgid={} 3", ids[2]), &["two", "three", "four"]),
        (format!("CHATHISTORY BETWEEN bob msgid={} msgid={} 9", ids[0], ids[3]), &["two", "three"]),
        (format!("CHATHISTORY BETWEEN bob msgid={} msgid={} 9", ids[3], ids[0]), &["two", "three"]),
        (format!("CHATHISTORY AFTER bob timestamp={} 9", times[2]), &["four"]),
    ] {
        assert_eq!(posts(&ann.ask(&line).await), wanted, "{line}");
    }
    let (mut cat, _) = server.login_and_read("cat", "secret", &capabilities).await;
    assert!(posts(&cat.ask("CHATHISTORY LATEST bob * 10").await).is_empty(), "cat does not follow");
    let span = "timestamp=2020-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z";
    let lines = ann.ask(&format!("CHATHISTORY TARGETS {span} 10")).await;
    let targets: Vec<_> =
        command(&lines, "CHATHISTORY").iter().map(|line| line.param(1).to_owned()).collect();
    assert_eq!(targets, ["bob"], "once, though there are posts and private messages");
    // One's own posts, also those before anybody followed.
    bob.ask("PRIVMSG bob :a note").await;
    assert_eq!(
        posts(&bob.ask("CHATHISTORY LATEST bob * 10").await),
        ["[Sub] before", "[Sub] one", "[Sub] three", "a note"]
    );
    ann.quit().await;
    let (_ann, lines) = server.login_and_read("ann", "secret", &[]).await;
    assert!(posts(&lines).is_empty(), "what was fetched is not delivered: {lines:#?}");
}

#[tokio::test]
async fn a_removed_account_leaves_nothing_on_either_side() {
    let server = server_with(&["ann", "bob", "cat"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &["standard-replies"]).await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &["standard-replies"]).await;
    let (mut cat, _) = server.login_and_read("cat", "secret", &["standard-replies"]).await;
    ann.ask("SUBSCRIBE bob").await;
    cat.ask("SUBSCRIBE bob,ann").await;
    bob.ask("SUBSCRIBE ann").await;
    ann.ask("PUBLISH :x").await;
    server.node.accounts.remove("ann").await.expect("the store is open");
    ann.expect_closed().await;
    let shown = |lines: &[Said]| -> Vec<String> {
        command(lines, "NOTE").iter().map(|line| line.params[1..line.params.len() - 1].join(" ")).collect()
    };
    assert_eq!(shown(&bob.ask("SUBSCRIBERS").await), ["SUBSCRIBER cat all", "END 1"]);
    assert_eq!(shown(&cat.ask("SUBSCRIPTIONS").await), ["SUBSCRIPTION bob all", "END 1"]);
    let store = server.node.hub.store();
    let feed = store.peek_one(&Partition::feed("ann"), &[]).await.expect("the store is open");
    assert_eq!(feed.epoch, None);
    assert_eq!(numeric(&cat.ask("SUBSCRIBE ann").await, "FAIL").param(1), "NO_SUCH_ACCOUNT");
    assert!(posts(&cat.ask("CHATHISTORY LATEST ann * 10").await).is_empty());
    let fields = store.snapshot(&Partition::account("cat")).await.expect("the store is open");
    let fields = fields.map(|snapshot| snapshot.fields).unwrap_or_default();
    assert!(!fields.iter().any(|(field, _)| field == "follow:ann"), "{fields:?}");
}

#[tokio::test]
async fn a_removal_that_ends_late_leaves_the_next_owner_of_the_name_alone() {
    let server = server_with(&["ann", "bob"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &[]).await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob").await;
    let committer = Committer::standalone(server.node.hub.store().clone());
    let followed = ["bob".to_owned()];
    let done = removal::clean_up(&committer, "ann", Epoch::random(), &followed);
    done.await.expect("the store is open");
    bob.ask("PUBLISH :heard").await;
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] heard");
}

#[tokio::test]
async fn a_subscription_that_was_interrupted_is_none_and_leaves_nothing() {
    let server = server_with(&["ann", "bob"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &["standard-replies"]).await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &["standard-replies"]).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("PUBLISH :x").await;
    // Its node ended after the note was written, or after the subscription was taken away.
    change(&server, Partition::feed("bob"), Change::Unset("s:ann".to_owned())).await;
    let lines = ann.ask("SUBSCRIPTIONS").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["SUBSCRIPTIONS", "END", "0"]);
    // What cannot be by order alone: the store lost the note.
    ann.ask("SUBSCRIBE bob").await;
    change(&server, Partition::account("ann"), Change::Unset("follow:bob".to_owned())).await;
    let lines = bob.ask("SUBSCRIBERS").await;
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["SUBSCRIBERS", "END", "0"]);
    ann.quit().await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &["standard-replies"]).await;
    assert_eq!(numeric(&ann.ask("SUBSCRIBE bob").await, "NOTE").param(1), "SUBSCRIBED");
    bob.ask("PUBLISH :heard").await;
    assert_eq!(ann.expect_numeric("NOTICE").await.text(), "[Sub] heard");
}

/// What the janitor does with the feed of `account`, as if it came so many hours later.
async fn visit(server: &TestServer, account: &str, hours: u64) -> Visit {
    let now = server.node.hub.store().now().await.expect("the store is open");
    let mut janitor = Janitor::new(server.node.clone());
    let later = StoreTime(now.0 + hours * 3_600_000);
    janitor.visit(&Partition::feed(account), later).await.expect("the store is open")
}

#[tokio::test]
async fn posts_are_kept_as_long_as_other_messages_and_subscriptions_for_ever() {
    let server = TestServer::start_with(&[("history.max_age", "'2h'")]).await;
    for name in ["ann", "bob"] {
        server.account(name, "secret").await;
    }
    let (mut ann, _) = server.login_and_read("ann", "secret", &[]).await;
    ann.ask("SUBSCRIBE bob").await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &[]).await;
    bob.ask("PUBLISH :old").await;
    ann.expect(|line| line.ends_with("[Sub] old")).await;
    assert_eq!(visit(&server, "bob", 1).await, Visit::default());
    assert_eq!(posts(&ann.ask("CHATHISTORY LATEST bob * 9").await), ["[Sub] old"]);
    assert_eq!(visit(&server, "bob", 3).await, Visit { trimmed: true, ended: false });
    assert!(posts(&bob.ask("CHATHISTORY LATEST bob * 9").await).is_empty());
    bob.ask("PUBLISH :new").await;
    ann.expect(|line| line.ends_with("[Sub] new")).await;
}

#[tokio::test]
async fn the_janitor_finishes_what_a_removal_left_undone() {
    let server = server_with(&["ann", "bob"]).await;
    let (mut ann, _) = server.login_and_read("ann", "secret", &["standard-replies"]).await;
    let (mut bob, _) = server.login_and_read("bob", "secret", &["standard-replies"]).await;
    ann.ask("SUBSCRIBE bob").await;
    bob.ask("SUBSCRIBE ann").await;
    // The process ended as soon as the account itself was gone.
    let (node, tenure) = (&server.node, server.node.tenure());
    let account = Partition::account("ann");
    let written = node.hub.write::<()>(&tenure, &account, &[], |peek| {
        let changes = vec![Change::Set("removed".to_owned(), "1".to_owned())];
        let life = peek.epoch.map(|epoch| Life::Renew(epoch, Epoch::random()));
        Ok(Decision { life, changes, ..Decision::default() })
    });
    written.await.expect("the store is open");
    ann.expect_closed().await;
    assert_eq!(visit(&server, "ann", 0).await, Visit { trimmed: false, ended: true });
    assert_eq!(numeric(&bob.ask("SUBSCRIPTIONS").await, "NOTE").params[1..3], ["END", "0"]);
    assert_eq!(
        numeric(&bob.ask("PUBLISH :x").await, "NOTE").param(2),
        "1",
        "the removed account is still counted"
    );
    assert_eq!(visit(&server, "bob", 0).await, Visit::default());
    assert_eq!(numeric(&bob.ask("PUBLISH :x").await, "NOTE").param(2), "0");
}

async fn change(server: &TestServer, partition: Partition, change: Change) {
    let (node, tenure) = (&server.node, server.node.tenure());
    let written = node.hub.write::<()>(&tenure, &partition, &[], |_| {
        Ok(Decision { changes: vec![change.clone()], ..Decision::default() })
    });
    written.await.expect("the store is open");
}
