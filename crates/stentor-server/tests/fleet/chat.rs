//! Rooms and private messages across nodes.

use stentor_server::store::Partition;
use stentor_testing::{TestClient, TestServer, numeric};

use super::Pair;

#[tokio::test(flavor = "multi_thread")]
async fn members_on_two_nodes_see_one_order() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client_with("ann", &["echo-message"]).await;
    let mut bob = pair.two.client_with("bob", &["echo-message"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.expect(|line| line.contains(" JOIN ")).await;
    for number in 0..200 {
        ann.send(&format!("PRIVMSG #room :ann {number}")).await;
        bob.send(&format!("PRIVMSG #room :bob {number}")).await;
    }
    let mut seen = Vec::new();
    for client in [&mut ann, &mut bob] {
        let mut lines = Vec::new();
        while lines.len() < 400 {
            let said = client.expect_numeric("PRIVMSG").await;
            lines.push(said.text().to_owned());
        }
        seen.push(lines);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_7_1_distributed_chat() {
    let pair = Pair::start(&[]).await;
    chat(pair.one.client("a").await, pair.two.client("b").await).await;
}

/// The same on one node with its embedded store.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_7_1_distributed_chat_on_one_node() {
    let server = TestServer::start().await;
    chat(server.client("a").await, server.client("b").await).await;
}

/// What one says in a room the other reads.
async fn chat(mut a: TestClient, mut b: TestClient) {
    a.ask("JOIN #lobby").await;
    b.ask("JOIN #lobby").await;
    a.send("PRIVMSG #lobby :Hello from Server 1").await;
    let said = b.expect_numeric("PRIVMSG").await;
    assert_eq!((said.param(0), said.text()), ("#lobby", "Hello from Server 1"));
    assert!(said.source.starts_with("a!"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn private_messages_cross_and_are_echoed_once() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client_with("ann", &["echo-message", "message-tags"]).await;
    let mut bob = pair.two.client_with("bob", &["message-tags"]).await;
    let echo = ann.ask("PRIVMSG bob :psst").await;
    let heard = bob.expect_numeric("PRIVMSG").await;
    assert_eq!(heard.text(), "psst");
    assert_eq!(echo.len(), 1, "{echo:?}");
    assert_eq!(echo[0].tag("msgid"), heard.tag("msgid"));
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_quits_in_several_shared_rooms_is_seen_to_quit_once() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client("ann").await;
    let mut bob = pair.two.client("bob").await;
    for room in ["#a", "#b", "#c"] {
        ann.ask(&format!("JOIN {room}")).await;
        bob.ask(&format!("JOIN {room}")).await;
    }
    ann.drain_until_pong().await;
    bob.send("NICK bobby").await;
    ann.expect(|line| line.contains(" NICK ")).await;
    bob.send("QUIT :bye").await;
    bob.expect_closed().await;
    let quit = ann.expect_numeric("QUIT").await;
    assert_eq!(quit.text(), "Quit: bye");
    // The nick is free once all of bob's claims are given up: nothing more can come after that.
    let mut again = pair.two.connect().await;
    loop {
        again.send("NICK bobby").await;
        again.send("USER b 0 * :b").await;
        let answer = again.expect(|line| line.contains(" 001 ") || line.contains(" 433 ")).await;
        if answer.contains(" 001 ") {
            break;
        }
    }
    let rest = ann.drain_until_pong().await;
    assert!(rest.iter().all(|said| said.command != "QUIT" && said.command != "NICK"), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_last_two_leave_at_once_on_two_nodes_ends() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client("ann").await;
    let mut bob = pair.two.client("bob").await;
    for round in 0..50 {
        let room = format!("#room-{round}");
        for client in [&mut ann, &mut bob] {
            client.ask(&format!("JOIN {room}")).await;
        }
        ann.drain_until_pong().await;
        for client in [&mut ann, &mut bob] {
            client.send(&format!("PART {room}")).await;
        }
        for client in [&mut ann, &mut bob] {
            client.drain_until_pong().await;
        }
        let store = pair.one.node.hub.store();
        let left = store.peek_one(&Partition::channel(&room), &[]).await.expect("the store answers");
        assert_eq!(left.epoch, None, "{room} is there without members");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn monitor_tells_of_people_on_other_nodes() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client("ann").await;
    let answer = ann.ask("MONITOR + bob").await;
    assert_eq!(answer[0].command, "731");
    let bob = pair.two.client("bob").await;
    let online = ann.expect_numeric("730").await;
    assert!(online.text().starts_with("bob!"), "{online:?}");
    drop(bob);
    let offline = ann.expect_numeric("731").await;
    assert!(offline.text().starts_with("bob"), "{offline:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_modes_one_cannot_change_is_told_alike_on_every_node() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client("ann").await;
    let _bob = pair.two.client("bob").await;
    numeric(&ann.ask("MODE bob +i").await, "502");
    numeric(&ann.ask("MODE nobody +i").await, "401");
}
