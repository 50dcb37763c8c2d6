//! All sessions of a node write to its index: what becomes of one whose retry comes after another's commit.

use stentor_server::store::Partition;
use stentor_testing::{Fault, TestServer};

#[tokio::test]
async fn a_session_whose_retry_was_overtaken_in_the_index_goes_on() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    line.fail(&Partition::index(server.node.tenure().writer()), Fault::Lost, 1);
    ann.send("JOIN #ann").await;
    while line.faults_left() > 0 {
        tokio::task::yield_now().await;
    }
    bob.ask("JOIN #bob").await;
    ann.expect_numeric("366").await;
    ann.ask("PART #ann").await;
}
