//! JOIN.

use stentor_server::commit_identity::{Committer, Draft};
use stentor_server::store::{Change, Epoch, Life, Partition};
use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn the_first_in_a_room_that_a_crash_left_without_members_is_its_operator() {
    let server = TestServer::start().await;
    let set = |name: &str, value: &str| Change::Set(name.to_owned(), value.to_owned());
    let changes = vec![set("name", "#room"), set("modes", "nk"), set("key", "sesame"), set("rules", "x")];
    let draft = Draft { changes, ..Draft::new(Partition::channel("#room"), Life::Begin(Epoch::random())) };
    let committer = Committer::standalone(server.node.hub.store().clone());
    assert!(committer.attempt(draft).await.expect("the store is open"));
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    numeric(&ann.ask("JOIN #room").await, "475");
    assert_eq!(numeric(&ann.ask("JOIN #room sesame").await, "353").text(), "@ann");
    let joined = bob.ask("JOIN #room sesame").await;
    let mut names: Vec<&str> = numeric(&joined, "353").text().split(' ').collect();
    names.sort_unstable();
    assert_eq!(names, ["@ann", "bob"]);
}

#[tokio::test]
async fn the_first_to_join_makes_the_channel_and_is_its_operator() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("JOIN #Room").await;
    let join = numeric(&lines, "JOIN");
    assert!(join.source.starts_with("ann!~ann@"));
    assert_eq!(join.params, ["#Room"]);
    assert_eq!(numeric(&lines, "353").params, ["ann", "=", "#Room", "@ann"]);
    assert_eq!(numeric(&lines, "366").param(1), "#Room");
    assert!(command(&lines, "332").is_empty() && command(&lines, "331").is_empty());
    assert_eq!(numeric(&ann.ask("MODE #room").await, "324").params[1..], ["#Room", "+nt"]);
}

#[tokio::test]
async fn members_see_newcomers_and_newcomers_the_topic() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["extended-join"]).await;
    server.account("bob", "secret").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #Room").await;
    ann.ask("TOPIC #room :hello").await;
    let lines = bob.ask("JOIN #ROOM").await;
    let order: Vec<&str> = lines.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(order, ["JOIN", "332", "333", "353", "366"]);
    assert_eq!(numeric(&lines, "332").params, ["bob", "#Room", "hello"]);
    assert_eq!(numeric(&ann.drain_until_pong().await, "JOIN").params, ["#Room", "bob", "The real bob"]);
    assert!(bob.ask("JOIN #room").await.is_empty());
}

#[tokio::test]
async fn names_that_are_not_legal_are_refused() {
    let server = TestServer::start_with(&[("channels.max_per_user", "2")]).await;
    let mut ann = server.client("ann").await;
    let long = format!("#{}", "x".repeat(64));
    for name in ["room", "&local", long.as_str(), "#a\u{7}b"] {
        assert_eq!(numeric(&ann.ask(&format!("JOIN {name}")).await, "403").param(1), name);
    }
    ann.ask("JOIN #one,#two").await;
    assert_eq!(numeric(&ann.ask("JOIN #three").await, "405").param(1), "#three");
    numeric(&ann.ask("JOIN").await, "461");
}

#[tokio::test]
async fn modes_keep_people_out_and_invitations_let_them_in() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    for (set, refused, unset) in [
        ("+i", "473", "-i"),
        ("+k key", "475", "-k key"),
        ("+l 1", "471", "-l"),
        ("+b bob!*@*", "474", "-b bob!*@*"),
    ] {
        ann.ask(&format!("MODE #room {set}")).await;
        let lines = bob.ask("JOIN #room").await;
        assert_eq!(numeric(&lines, refused).param(1), "#room");
        assert_eq!(lines.len(), 1, "{lines:?}");
        ann.ask("INVITE bob #room").await;
        numeric(&bob.ask("JOIN #room").await, "JOIN");
        bob.ask("PART #room").await;
        numeric(&bob.ask("JOIN #room").await, refused);
        ann.ask(&format!("MODE #room {unset}")).await;
    }
    ann.ask("MODE #room +k key").await;
    numeric(&bob.ask("JOIN #room wrong").await, "475");
    numeric(&bob.ask("JOIN #room key").await, "JOIN");
}

#[tokio::test]
async fn join_zero_leaves_every_channel() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #one,#two").await;
    let lines = ann.ask("JOIN 0").await;
    let mut left: Vec<&str> = command(&lines, "PART").iter().map(|line| line.param(0)).collect();
    left.sort_unstable();
    assert_eq!(left, ["#one", "#two"]);
}

#[tokio::test]
async fn a_founder_who_comes_back_is_operator_again_and_all_see_it() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask("PART #room").await;
    assert_eq!(numeric(&ann.ask("JOIN #room").await, "353").param(3).matches('~').count(), 1);
    let seen = bob.drain_until_pong().await;
    assert_eq!(numeric(&seen, "MODE").params, ["#room", "+qo", "ann", "ann"]);
}
