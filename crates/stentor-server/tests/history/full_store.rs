//! A store that takes no writes: what makes room in it goes on.

use std::sync::Arc;

use stentor_server::fleet::directory;
use stentor_server::history::janitor::Janitor;
use stentor_server::hub::{Decision, Refusal};
use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use stentor_server::store::partition::DIRECTORY_BUCKETS;
use stentor_server::store::{Change, Epoch, Life, Partition, Range, Store, StoreError};
use stentor_testing::{BadLine, Fault, TestServer};
use tokio::time::Instant;

#[tokio::test]
async fn a_write_that_fails_keeps_the_janitor_from_nothing_else() {
    let (line, server) = full_store().await;
    let node = &server.node;
    let bucket = Partition::directory(7);
    let names = (0..).map(|n| Partition::channel(&format!("#gone-{n}")));
    let gone: Vec<Partition> =
        names.filter(|room| Partition::directory_of(room.as_str()) == bucket).take(3).collect();
    let listing = "00000000000000aa 1";
    let changes = gone.iter().map(|room| Change::Set(room.to_string(), listing.to_owned())).collect();
    begin(&server, &bucket, changes).await;
    line.fail(&bucket, Fault::Away, 1);
    let mut janitor = Janitor::new(node.clone());
    for bucket in 0..DIRECTORY_BUCKETS {
        janitor.visit_bucket(bucket, Instant::now()).await.expect("the store can be read");
    }
    let left = directory::channels(&node.hub).await.expect("the store is open");
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_log_is_cut_where_nothing_else_can_be_written() {
    let (line, server) = full_store().await;
    let node = &server.node;
    server.account("ann", "a good password").await;
    node.accounts.remove("ann").await.expect("the store is open");
    let room = Partition::channel("#room");
    let founder = Change::Set("founder".to_owned(), "ann".to_owned());
    let member = Change::SetMember("1".to_owned(), "test.example@1 - H 1 bob b h * :bob".to_owned());
    let epoch = begin(&server, &room, vec![founder, member]).await;
    line.fail(&room, Fault::Away, 1);
    let later =
        node.hub.store().now().await.expect("the store is open").plus(std::time::Duration::from_hours(2));
    let visited = Janitor::new(node.clone()).visit(&room, later).await;
    assert!(matches!(visited, Err(Refusal::Store(StoreError::Unavailable(_)))), "{visited:?}");
    let page = node.hub.store().read(&room, epoch, Range::Latest, 10).await.expect("the store is open");
    assert_eq!(page.entries, []);
}

async fn begin(server: &TestServer, partition: &Partition, changes: Vec<Change>) -> Epoch {
    let epoch = Epoch::random();
    let decision = Decision { changes, ..Decision::default() };
    let (hub, tenure) = (&server.node.hub, server.node.tenure());
    let begun = hub.write_blind::<()>(&tenure, partition, Life::Begin(epoch), decision).await;
    assert!(begun.is_ok_and(|entry| entry.is_some()));
    epoch
}

async fn full_store() -> (Arc<BadLine>, TestServer) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store: Arc<dyn Store> =
        EmbeddedStore::open(directory.path(), OpenMode::Create, Durability::Normal).expect("the store opens");
    let line = BadLine::to(&store, &[]);
    let settings = [("history.max_age", "'1h'")];
    let server = TestServer::start_on(line.clone(), "test.example", directory, &settings).await;
    (line, server)
}
