//! What clients of several nodes see of history and of what is told about it.

use stentor_testing::numeric;

use super::Pair;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_on_one_node_is_known_on_the_other() {
    let pair = Pair::start(&[]).await;
    pair.one.account("ann", "secret").await;
    let time = "timestamp=2019-06-01T12:00:00.123Z";
    let mut ann = pair.one.login("ann", "secret", &["draft/read-marker"]).await;
    ann.ask(&format!("MARKREAD #room {time}")).await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut ann = pair.two.login("ann", "secret", &["draft/read-marker"]).await;
    assert_eq!(numeric(&ann.ask("JOIN #room").await, "MARKREAD").param(1), time);
}
