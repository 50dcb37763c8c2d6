//! Leases that are taken and given back.

use std::sync::Arc;
use std::time::Duration;

use stentor_server::fleet::keeper;
use stentor_server::store::Store;
use stentor_server::store::embedded::{Durability, EmbeddedStore, OpenMode};
use stentor_testing::{BadLine, Fault};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_start_that_fails_half_way_leaves_no_lease_in_the_way_of_the_next() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store: Arc<dyn Store> =
        EmbeddedStore::open(directory.path(), OpenMode::Create, Durability::Normal).expect("the store opens");
    let line: Arc<dyn Store> = BadLine::to(&store, &[Fault::Away]);
    let stop = CancellationToken::new();
    let begin = || keeper::begin(&line, "one.example", Duration::from_mins(1), "{}", &stop);
    assert!(begin().await.is_err());
    let tenure = tokio::time::timeout(Duration::from_secs(10), begin()).await.expect("the name is free");
    let leases = store.leases().await.expect("the store is open").leases;
    let held: Vec<_> = leases.iter().map(|lease| &lease.writer).collect();
    assert_eq!(held, [tenure.expect("the line is good").writer()]);
}
