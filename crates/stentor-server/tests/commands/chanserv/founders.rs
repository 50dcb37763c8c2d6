//! Who founds a room, has it for good, and gives it up.

use stentor_server::store::{Partition, StoreTime};
use stentor_testing::{command, numeric};

use super::{answer, exists, give_up, names, notes_of, server, server_with, told};
use crate::oper::{OPERATOR, operator};

#[tokio::test]
async fn a_founder_whose_name_is_longer_than_names_may_be_by_now_is_none_who_is_gone() {
    let server = server(&["ann", "longfounder"]).await;
    let mut founder = server.login("longfounder", "secret", &[]).await;
    founder.ask("JOIN #room").await;
    told(&mut founder, "REGISTER #room", "#room is yours").await;
    founder.quit().await;
    let server = server.restart(&[("limits.nick_length", "8")]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "REGISTER #room", "has a founder already: longfounder").await;
    let mut founder = server.client("short").await;
    founder.ask("NS IDENTIFY longfounder secret").await;
    founder.ask("JOIN #room").await;
    assert_eq!(names(&mut founder, "#room").await, ["ann", "~short"]);
    numeric(&founder.ask("NICK longfounder").await, "NICK");
    numeric(&founder.ask("NICK longername").await, "432");
    assert!(server.node.accounts.check_new("longername").await.is_err());

    // Where everybody bears the name of their account, so does this one.
    let settings = [("limits.nick_length", "8"), ("accounts.required", "true")];
    let server = server.restart(&settings).await;
    let mut founder = server.connect().await;
    founder.send("PASS longfounder:secret\r\nNICK short\r\nUSER x 0 * x").await;
    assert_eq!(founder.expect_numeric("001").await.param(0), "longfounder");
}

#[tokio::test]
async fn an_operator_of_a_guests_room_becomes_its_founder() {
    let server = server(&["ann", "bob"]).await;
    let mut guest = server.client("guest").await;
    let mut ann = server.login("ann", "secret", &["multi-prefix"]).await;
    guest.ask("JOIN #Room").await;
    ann.ask("JOIN #room").await;
    told(&mut guest, "REGISTER #room", "takes an account").await;
    told(&mut ann, "REGISTER #room", "not an operator of #Room").await;
    told(&mut ann, "REGISTER #nowhere", "no channel #nowhere").await;
    told(&mut ann, "REGISTER room", "no channel room").await;
    guest.ask("MODE #room +o ann").await;
    ann.drain_until_pong().await;
    let lines = ann.ask("PRIVMSG ChanServ :register #room").await;
    assert!(answer(&lines).contains("You are the founder of #Room now"), "{lines:?}");
    let mode = numeric(&lines, "MODE");
    assert_eq!(mode.params, ["#Room", "+q", "ann"]);
    assert!(mode.source.starts_with("ChanServ!"), "{mode:?}");
    assert_eq!(numeric(&guest.drain_until_pong().await, "MODE").params, ["#Room", "+q", "ann"]);
    assert_eq!(names(&mut ann, "#room").await, ["@guest", "~@ann"]);
    assert_eq!(notes_of(&server, "ann").await, ["#room"]);
    told(&mut ann, "REGISTER #room", "#Room is yours, and stays").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +o bob").await;
    told(&mut bob, "REGISTER #room", "has a founder already: ann").await;
    // It outlives its members now, and its founder comes back as one.
    for client in [&mut guest, &mut ann, &mut bob] {
        client.send("QUIT").await;
        client.expect_closed().await;
    }
    let mut ann = server.login("ann", "secret", &[]).await;
    assert_eq!(numeric(&ann.ask("JOIN #room").await, "MODE").params, ["#Room", "+qo", "ann", "ann"]);
}

#[tokio::test]
async fn a_room_counts_for_its_founder_from_register_to_drop() {
    let server = server_with(&["ann"], &[("channels.max_founded", "1")]).await;
    let mut guest = server.client("guest").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    guest.ask("JOIN #one,#two").await;
    ann.ask("JOIN #one,#two").await;
    guest.ask("MODE #one +o ann").await;
    guest.ask("MODE #two +o ann").await;
    told(&mut ann, "REGISTER #one", "You are the founder").await;
    told(&mut ann, "REGISTER #two", "founded too many").await;
    assert_eq!(notes_of(&server, "ann").await, ["#one"]);
    told(&mut ann, "DROP #one nonsense", "DROP #one ").await;
    told(&mut guest, "DROP #one", "Only the founder").await;
    assert!(give_up(&mut ann, "#one").await.contains("has no founder any more"));
    assert_eq!(names(&mut guest, "#one").await, ["@ann", "@guest"]);
    assert!(notes_of(&server, "ann").await.is_empty());
    told(&mut ann, "DROP #one", "has no founder: there is nothing to give up").await;
    told(&mut ann, "REGISTER #two", "You are the founder").await;
    for client in [&mut guest, &mut ann] {
        client.ask("PART #one").await;
    }
    assert!(!exists(&server, "#one").await, "it ends with its last member");
}

#[tokio::test]
async fn a_dropped_room_in_which_nobody_is_ends_at_once() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "ACCESS #room ADD bob", "bob is an operator of #room").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut ann = server.login("ann", "secret", &[]).await;
    assert!(exists(&server, "#room").await);
    assert!(give_up(&mut ann, "#room").await.contains("has ended"));
    assert!(!exists(&server, "#room").await && notes_of(&server, "ann").await.is_empty());
    let mut bob = server.login("bob", "secret", &[]).await;
    assert!(command(&bob.ask("JOIN #room").await, "MODE").is_empty(), "it is bob's own, and another one");
    told(&mut bob, "INFO #room", "Its founder is bob.").await;
}

#[tokio::test]
async fn a_room_is_handed_over_to_who_accepts_it() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &["multi-prefix"]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +s").await;
    told(&mut bob, "TRANSFER ACCEPT #room", "no channel #room").await;
    told(&mut ann, "TRANSFER #room nobody", "no account nobody").await;
    told(&mut ann, "TRANSFER #room ann", "offered it to nobody").await;
    told(&mut ann, "TRANSFER #room bob", "offered to bob, and stays yours").await;
    assert!(bob.expect_numeric("NOTICE").await.text().contains("TRANSFER ACCEPT #room"));
    told(&mut ann, "TRANSFER #room Ann", "You keep #room").await;
    told(&mut bob, "TRANSFER ACCEPT #room", "no channel #room").await;
    told(&mut ann, "TRANSFER #room Bob", "offered to bob").await;
    told(&mut bob, "LIST", "#room: it is offered to you").await;
    told(&mut bob, "TRANSFER #room bob", "Only the founder").await;
    told(&mut bob, "TRANSFER accept #ROOM", "You are the founder of #room now").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "MODE").params, ["#room", "-q", "ann"]);
    assert_eq!(names(&mut ann, "#room").await, ["@ann"]);
    assert_eq!((notes_of(&server, "ann").await.len(), notes_of(&server, "bob").await.len()), (0, 1));
    told(&mut ann, "TRANSFER #room ann", "Only the founder").await;
    assert_eq!(numeric(&bob.ask("JOIN #room").await, "MODE").params, ["#room", "+qo", "bob", "bob"]);
    bob.ask("PART #room").await;
    assert!(exists(&server, "#room").await, "ann is there");
    ann.ask("PART #room").await;
    assert!(exists(&server, "#room").await, "it is bob's");
}

#[tokio::test]
async fn who_has_founded_as_many_as_allowed_is_handed_no_more() {
    let settings = [OPERATOR[0], OPERATOR[1], ("channels.max_founded", "1")];
    let server = server_with(&["ann", "bob"], &settings).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #anns").await;
    bob.ask("JOIN #bobs").await;
    told(&mut ann, "TRANSFER #anns bob", "is offered").await;
    told(&mut bob, "TRANSFER ACCEPT #anns", "founded too many").await;
    let mut root = operator(&server, "root").await;
    told(&mut root, "TRANSFER #anns bob", "as many channels as an account may").await;
    told(&mut ann, "INFO #anns", "Its founder is ann.").await;
}

#[tokio::test]
async fn a_founders_room_is_as_it_was_when_nobody_was_in_it_and_after_a_restart() {
    let server = server(&["ann", "bob", "eve"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #Room").await;
    ann.ask("TOPIC #room :as it was").await;
    ann.ask("MODE #room +skbeI key a:eve x!*@* y!*@*").await;
    told(&mut ann, "ACCESS #room ADD bob halfop", "a halfop").await;
    told(&mut ann, "TRANSFER #room bob", "is offered").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let server = server.restart(&[]).await;
    let mut eve = server.login("eve", "secret", &[]).await;
    numeric(&eve.ask("JOIN #room key").await, "474");
    told(&mut eve, "INFO #room", "no channel #room").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    told(&mut bob, "LIST", "#Room: you are a halfop").await;
    let lines = bob.ask("JOIN #room").await;
    assert_eq!(numeric(&lines, "332").text(), "as it was");
    assert_eq!(numeric(&lines, "MODE").params, ["#Room", "+h", "bob"]);
    assert_eq!(numeric(&bob.ask("MODE #room").await, "324").params[1..], ["#Room", "+nstk", "key"]);
    for (letter, row) in [('b', "367"), ('e', "348"), ('I', "346")] {
        assert_eq!(command(&bob.ask(&format!("MODE #room +{letter}")).await, row).len(), 1, "{letter}");
    }
    told(&mut bob, "TRANSFER ACCEPT #room", "You are the founder").await;
}

#[tokio::test]
async fn a_room_whose_founder_is_removed_is_its_operators_to_register_or_ends() {
    let server = server(&["ann", "bob", "cat"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #peopled,#kept,#empty").await;
    bob.ask("JOIN #peopled,#kept").await;
    ann.ask("MODE #peopled +o bob").await;
    told(&mut ann, "AOP #kept ADD cat", "an operator").await;
    told(&mut ann, "HOP #kept ADD bob", "a halfop").await;
    ann.ask("MODE #kept +o bob").await;
    told(&mut bob, "REGISTER #peopled", "has a founder already").await;
    server.node.accounts.remove("ann").await.expect("it is there");
    ann.expect_closed().await;
    told(&mut bob, "REGISTER #peopled", "You are the founder").await;
    let mut cat = server.login("cat", "secret", &[]).await;
    while exists(&server, "#empty").await {}
    told(&mut cat, "INFO #kept", "Its operators by standing right can register it").await;
    // What one is for the moment is not enough where others were trusted for good.
    assert!(names(&mut bob, "#kept").await.contains(&"@bob".to_owned()));
    told(&mut bob, "REGISTER #kept", "has operators by standing right").await;
    told(&mut cat, "REGISTER #kept", "not an operator of #kept").await;
    numeric(&cat.ask("JOIN #kept").await, "MODE");
    told(&mut cat, "REGISTER #kept", "You are the founder").await;
    told(&mut cat, "INFO #kept", "Its founder is cat.").await;
}

#[tokio::test]
async fn what_a_removal_left_undone_the_janitor_does() {
    let server = server_with(&["ann"], &[("channels.max_founded", "0")]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    // Without a limit nothing is noted of what an account has founded.
    server.node.accounts.remove("ann").await.expect("it is there");
    assert!(exists(&server, "#room").await);
    let mut janitor = stentor_server::history::janitor::Janitor::new(server.node.clone());
    janitor.visit(&Partition::channel("#room"), StoreTime(0)).await.expect("the store answers");
    assert!(!exists(&server, "#room").await);
}
