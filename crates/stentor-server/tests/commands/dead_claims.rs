//! Nicks that sessions of dead nodes hold.

use stentor_server::commit_identity::{Committer, Draft};
use stentor_server::store::{Change, Epoch, Life, Partition, Writer};
use stentor_testing::TestServer;

#[tokio::test]
async fn of_two_who_want_a_dead_sessions_nick_one_gets_it() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let (mut ann, mut cat) = (server.client("ann").await, server.client("cat").await);
    let dead = Writer::new("dead.example", 1);
    let committer = Committer::standalone(server.node.hub.store().clone());
    let index = Partition::index(&dead);
    let set = |name: &str, value: &str| Change::Set(name.to_owned(), value.to_owned());
    let claim = vec![set("user", "ghost"), set("writer", dead.as_str()), set("who", "bob!~bob@nowhere")];
    let named = vec![Change::SetMember("ghost".to_owned(), "bob *".to_owned())];
    for (partition, changes) in [(&index, named), (&Partition::nick("bob"), claim)] {
        let draft = Draft { changes, ..Draft::new(partition.clone(), Life::Begin(Epoch::random())) };
        assert!(committer.attempt(draft).await.expect("the store is open"));
    }
    // Cat finds the dead session, and while she cleans up after it, Ann does so too and takes the nick.
    let (arrived, go_on) = line.hold_snapshot(&index);
    cat.send("NICK bob").await;
    arrived.await.expect("the clean-up begins with the index");
    ann.send("NICK bob").await;
    ann.expect(|line| line.contains(" NICK ")).await;
    go_on.send(()).expect("the clean-up waits");
    cat.expect_numeric("433").await;
    let whois = ann.ask("WHOIS bob").await;
    assert!(whois[0].params.iter().any(|param| param == "~ann"), "{whois:?}");
}
