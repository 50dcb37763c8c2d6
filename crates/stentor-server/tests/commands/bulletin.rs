//! What nodes ask each other, as a node that is asked hears it.

use std::time::Duration;

use stentor_server::store::Partition;

use stentor_testing::TestServer;

#[tokio::test]
async fn malformed_questions_and_answers_are_left_out() {
    let server = TestServer::start().await;
    let _ann = server.client("ann").await;
    let writer = server.node.tenure().writer().clone();
    let asker = writer.as_str();
    for text in [
        String::new(),
        " ".to_owned(),
        "ASK".to_owned(),
        "ASK ".to_owned(),
        "ASK 1".to_owned(),
        "ASK 1 nobody WHO".to_owned(),
        format!("ASK x {asker} "),
        format!("ASK 1 {asker} WHO"),
        format!("ASK 1 {asker} WHO id -1 \u{e9} *"),
        format!("ASK 1 {asker} WHO id 99999999999999999999999 o {}", "*?".repeat(1000)),
        format!("ASK 1 {asker} WHOIS"),
        format!("ASK 1 {asker} WHOIS id \n"),
        format!("ASK 1 {asker} PROBE id 99999999999999999999999"),
        format!("ASK 1 {asker} PROBE"),
        format!("ASK 1 {asker} \u{e9}"),
        "ANSWER".to_owned(),
        "ANSWER 1".to_owned(),
        "ANSWER 99999999999999999999999 x".to_owned(),
        "ANSWER \u{e9} x".to_owned(),
        "\u{e9}".to_owned(),
    ] {
        for partition in [Partition::index(&writer), Partition::fleet()] {
            server.node.hub.store().publish(&partition, &text).await.expect("it is published");
        }
    }
    let answer = server.node.ask(&writer, "KNOWS nobody", Duration::from_secs(10)).await;
    assert_eq!(answer.as_deref(), Some("no"));
}
