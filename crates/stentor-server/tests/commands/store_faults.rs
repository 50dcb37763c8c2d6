//! What the store failed at, in the words of each command's specification.

use stentor_server::store::Partition;
use stentor_testing::bad_line::Fault;
use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn a_command_whose_specification_has_a_code_for_it_is_answered_with_that() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let (line, server) = server.restart_on_a_bad_line().await;
    let mut ann = server.login("ann", "secret", &["setname", "draft/read-marker"]).await;
    let away = "The store cannot be reached, and nothing was stored. Please try again in a moment.";

    line.fail(&Partition::nick("ann"), Fault::Away, 1);
    let lines = ann.ask("SETNAME :Ann of Cleves").await;
    assert_eq!(numeric(&lines, "FAIL").params, ["SETNAME", "CANNOT_CHANGE_REALNAME", away]);

    line.fail(&Partition::account("ann"), Fault::Away, 1);
    let lines = ann.ask("MARKREAD #room timestamp=2019-01-01T00:00:00.000Z").await;
    assert_eq!(numeric(&lines, "FAIL").params, ["MARKREAD", "INTERNAL_ERROR", "#room", away]);

    line.fail_peek(&Partition::feed("ann"));
    let lines = ann.ask("CHATHISTORY LATEST ann * 5").await;
    assert_eq!(numeric(&lines, "FAIL").params, ["CHATHISTORY", "MESSAGE_ERROR", "LATEST", "ann", away]);
    numeric(&ann.ask("SETNAME :Ann of Cleves").await, "SETNAME");
}
