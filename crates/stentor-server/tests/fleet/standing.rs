//! Standing rights and founders, of people on different nodes.

use stentor_server::store::Partition;
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

use super::Pair;

async fn pair(accounts: &[&str]) -> Pair {
    let pair = Pair::start(&[]).await;
    for account in accounts {
        pair.one.account(account, "secret").await;
    }
    pair
}

/// Says something to ChanServ, and returns its answer.
async fn says(client: &mut TestClient, text: &str) -> String {
    let lines = client.ask(&format!("CS {text}")).await;
    let said = lines.iter().filter(|line| line.source.starts_with("ChanServ!") && line.command == "NOTICE");
    said.map(|line| line.text().to_owned()).collect::<Vec<_>>().join("\n")
}

async fn founder(server: &TestServer, room: &str) -> Option<String> {
    let store = server.node.hub.store();
    let peek = store.peek_one(&Partition::channel(room), &["founder"]).await.expect("the store answers");
    peek.fields.into_iter().next().flatten()
}

async fn notes(server: &TestServer, account: &str) -> usize {
    let snapshot = server.node.hub.store().snapshot(&Partition::account(account)).await.expect("it is read");
    let fields = snapshot.map(|snapshot| snapshot.fields).unwrap_or_default();
    fields.iter().filter(|(name, _)| name.starts_with("founded:")).count()
}

fn modes(lines: &[Said]) -> Vec<String> {
    command(lines, "MODE").iter().map(|line| line.params[1..].join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_given_on_one_node_holds_at_once_on_the_other() {
    let pair = pair(&["ann", "bob", "cat"]).await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.login("bob", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    assert!(says(&mut ann, "AOP #room ADD bob").await.contains("an operator"));
    assert_eq!(bob.expect_numeric("MODE").await.params, ["#room", "+o", "bob"]);
    ann.ask("MODE #room +ib *!*@*").await;
    // By that right alone, without being there.
    bob.ask("PART #room").await;
    assert!(says(&mut bob, "VOP #room ADD cat").await.contains("a voice"));
    assert_eq!(modes(&bob.ask("JOIN #room").await), ["+o bob"]);
    let mut cat = pair.two.login("cat", "secret", &[]).await;
    assert!(says(&mut cat, "INVITE #room").await.contains("You are banned"));
    numeric(&cat.ask("JOIN #room").await, "474");
    assert!(says(&mut bob, "UNBAN #room cat").await.contains("Lifted"));
    numeric(&cat.ask("JOIN #room").await, "473");
    assert!(says(&mut cat, "INVITE #room").await.contains("You may come in"));
    assert_eq!(modes(&cat.ask("JOIN #room").await), ["+v cat"]);
    assert!(says(&mut ann, "ACCESS #room DEL bob").await.contains("no standing right"));
    while !modes(&bob.drain_until_pong().await).contains(&"-o bob".to_owned()) {}
    bob.ask("PART #room").await;
    numeric(&bob.ask("JOIN #room").await, "473");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_reaches_who_has_just_come_in_elsewhere() {
    let pair = pair(&["ann", "bob"]).await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.login("bob", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    for round in 0..200 {
        // Her node may not have heard of it yet.
        let mut seen = modes(&bob.ask("JOIN #room").await);
        assert!(says(&mut ann, "VOP #room ADD bob").await.contains("a voice"));
        while seen.is_empty() {
            seen = modes(&[bob.expect_numeric("MODE").await]);
        }
        assert_eq!(seen, ["+v bob"], "round {round}");
        bob.ask("PART #room").await;
        assert!(says(&mut ann, "VOP #room DEL bob").await.contains("no standing right"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_in_a_room_that_nobody_is_in_are_changed_from_any_node() {
    let pair = pair(&["ann", "bob"]).await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +s").await;
    ann.quit().await;
    let mut ann = pair.two.login("ann", "secret", &[]).await;
    assert!(says(&mut ann, "ACCESS #room ADD bob admin").await.contains("an admin"));
    let mut bob = pair.one.login("bob", "secret", &[]).await;
    assert!(says(&mut bob, "INFO #room").await.contains("You are an admin"));
    assert!(says(&mut ann, "TRANSFER #room bob").await.contains("offered to bob"));
    assert!(bob.expect_numeric("NOTICE").await.text().contains("TRANSFER ACCEPT #room"));
    assert!(says(&mut bob, "TRANSFER ACCEPT #room").await.contains("You are the founder"));
    assert!(says(&mut ann, "INFO #room").await.contains("no channel #room"));
    assert_eq!(modes(&bob.ask("JOIN #room").await), ["+qo bob bob"]);
    assert_eq!(founder(&pair.two, "#room").await.as_deref(), Some("bob"));
    assert_eq!((notes(&pair.one, "ann").await, notes(&pair.one, "bob").await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_by_a_right_that_was_taken_in_a_hundred_races() {
    let pair = pair(&["ann", "bob"]).await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.login("bob", "secret", &[]).await;
    let mut witness = pair.two.client("witness").await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +m").await;
    bob.ask("JOIN #room").await;
    witness.ask("JOIN #room").await;
    let mut may_speak = false;
    for round in 0..100 {
        assert!(says(&mut ann, "VOP #room ADD bob").await.contains("a voice"));
        for number in 0..5 {
            bob.send(&format!("PRIVMSG #room :{round} {number}")).await;
        }
        assert!(says(&mut ann, "VOP #room DEL bob").await.contains("no standing right"));
        bob.drain_until_pong().await;
        for said in witness.drain_until_pong().await {
            match said.command.as_str() {
                "MODE" => may_speak = said.param(1) == "+v",
                "PRIVMSG" => assert!(may_speak, "it followed the right's end: {said:?}"),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_register_a_room_at_once_one_is_its_founder() {
    let pair = pair(&["ann", "bob"]).await;
    let mut op = pair.one.client("op").await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.login("bob", "secret", &[]).await;
    let mut founded = [0, 0];
    for round in 0..20 {
        let room = format!("#room{round}");
        op.ask(&format!("JOIN {room}")).await;
        for (nick, client) in [("ann", &mut ann), ("bob", &mut bob)] {
            client.ask(&format!("JOIN {room}")).await;
            while command(&op.ask(&format!("MODE {room} +o {nick}")).await, "MODE").is_empty() {}
            while modes(&client.drain_until_pong().await).is_empty() {}
        }
        let line = format!("REGISTER {room}");
        let (by_ann, by_bob) = tokio::join!(says(&mut ann, &line), says(&mut bob, &line));
        let won = [by_ann, by_bob].map(|said| said.contains("You are the founder"));
        assert!(won[0] != won[1], "{won:?}");
        let winner = if won[0] { "ann" } else { "bob" };
        assert_eq!(founder(&pair.one, &room).await.as_deref(), Some(winner));
        founded[usize::from(won[1])] += 1;
    }
    assert_eq!([notes(&pair.one, "ann").await, notes(&pair.two, "bob").await], founded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_counts_for_its_founder_who_registers_it_and_is_given_it_at_once() {
    let pair = Pair::start(crate::operators::OPERATOR).await;
    pair.one.account("ann", "secret").await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut op = pair.one.client("op").await;
    let mut root = pair.two.client("root").await;
    numeric(&root.ask("OPER operuser operpassword").await, "381");
    for round in 0..20 {
        let room = format!("#room{round}");
        op.ask(&format!("JOIN {room}")).await;
        ann.ask(&format!("JOIN {room}")).await;
        op.ask(&format!("MODE {room} +o ann")).await;
        while modes(&ann.drain_until_pong().await).is_empty() {}
        let (register, transfer) = (format!("REGISTER {room}"), format!("TRANSFER {room} ann"));
        let (by_ann, by_root) = tokio::join!(says(&mut ann, &register), says(&mut root, &transfer));
        let done = [by_ann.contains("You are the founder of"), by_root.contains("ann is the founder of")];
        assert!(done[0] || done[1], "{by_ann} {by_root}");
        assert_eq!(founder(&pair.two, &room).await.as_deref(), Some("ann"));
        assert_eq!(notes(&pair.one, "ann").await, round + 1, "{by_ann} {by_root}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_dropped_while_its_last_member_leaves_ends() {
    let pair = pair(&["ann"]).await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    let mut bob = pair.two.client("bob").await;
    for round in 0..40 {
        let room = format!("#room{round}");
        ann.ask(&format!("JOIN {room}")).await;
        bob.ask(&format!("JOIN {room}")).await;
        ann.ask(&format!("PART {room}")).await;
        let asked = says(&mut ann, &format!("DROP {room}")).await;
        let drop = format!("DROP {room} {}", asked.rsplit(' ').next().expect("a code"));
        let part = format!("PART {room}");
        let (said, _) = tokio::join!(says(&mut ann, &drop), bob.ask(&part));
        assert!(said.contains("is given up"), "{said}");
        let peek = pair.one.node.hub.store().peek_one(&Partition::channel(&room), &[]).await;
        assert_eq!(peek.expect("the store answers").epoch, None, "round {round}: {said}");
    }
    assert_eq!(notes(&pair.one, "ann").await, 0);
}
