//! Guests' partitions end with their sessions, whatever becomes of these.

use stentor_server::commit_identity::{Committer, Draft};
use stentor_server::fleet::sweep;
use stentor_server::store::{Change, Epoch, Life, Partition, Store, Writer};
use stentor_testing::{Fault, TestServer};

#[tokio::test]
async fn a_guests_inbox_ends_with_a_session_that_could_not_leave_it() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    server.account("ann", "secret").await;
    let mut ann = server.client("guest").await;
    let id = server.node.clients.by_nick("guest").expect("she is here").id.clone();
    let inbox = Partition::guest(&id);
    line.fail(&inbox, Fault::Away, 1);
    ann.send("PRIVMSG NickServ :IDENTIFY ann secret").await;
    let closed = ann.expect_closed().await;
    assert!(closed.last().is_some_and(|line| line.text().contains("store cannot be reached")), "{closed:?}");
    assert!(is_gone(&*line, &inbox).await);
}

#[tokio::test]
async fn a_guests_inbox_is_swept_where_the_session_was_about_to_log_in() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let (hub, tenure) = (&server.node.hub, server.node.tenure());
    let dead = Writer::new("dead.example", 1);
    let committer = Committer::standalone(hub.store().clone());
    let inbox = Partition::guest("ghost");
    let set = |name: &str, value: &str| Change::Set(name.to_owned(), value.to_owned());
    let named = vec![Change::SetMember("ghost".to_owned(), "* ann".to_owned())];
    let guest = vec![set("guest", "ghost"), set("writer", dead.as_str())];
    for (partition, changes) in [(&Partition::index(&dead), named), (&inbox, guest)] {
        let draft = Draft { changes, ..Draft::new(partition.clone(), Life::Begin(Epoch::random())) };
        assert!(committer.attempt(draft).await.expect("the store is open"));
    }
    sweep::node(hub, &tenure, &dead).await.expect("the store is open");
    assert!(is_gone(&**hub.store(), &inbox).await);
}

async fn is_gone(store: &dyn Store, partition: &Partition) -> bool {
    store.peek_one(partition, &[]).await.expect("the store is open").epoch.is_none()
}
