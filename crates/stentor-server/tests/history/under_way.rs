//! Private messages that a session left under way.

use stentor_server::fleet::outbox;
use stentor_server::hub::Decision;
use stentor_server::store::{Change, Partition, Range};
use stentor_testing::TestServer;

#[tokio::test]
async fn a_message_under_way_is_passed_on_however_much_came_after_it() {
    let server = TestServer::start().await;
    for name in ["ann", "bob"] {
        server.account(name, "a good password").await;
    }
    let (hub, tenure) = (&server.node.hub, server.node.tenure());
    let (ann, bob) = (Partition::account("ann"), Partition::account("bob"));
    let write = async |changes: Vec<Change>, line: String| {
        let decision = Decision { changes, lines: vec![line], ..Decision::default() };
        let written = hub.write::<()>(&tenure, &ann, &[], |_| Ok(decision.clone())).await;
        written.expect("the store is open");
    };
    let out = Change::Set("out".to_owned(), outbox::note(&bob));
    write(vec![out], ":ann!~ann@h PRIVMSG bob :on its way".to_owned()).await;
    for n in 0..600 {
        write(Vec::new(), format!(":eve!~eve@h PRIVMSG ann :{n}")).await;
    }
    outbox::finish(hub, &tenure, &ann).await.expect("the store is open");
    let peek = hub.store().peek_one(&ann, &["out"]).await.expect("the store is open");
    assert_eq!(peek.fields, [None]);
    let epoch = hub.store().peek_one(&bob, &[]).await.expect("the store is open").epoch.expect("it exists");
    let page = hub.store().read(&bob, epoch, Range::Latest, 10).await.expect("the store is open");
    let lines: Vec<&String> = page.entries.iter().flat_map(|entry| &entry.body.lines).collect();
    assert!(matches!(lines[..], [line] if line.ends_with(":on its way")), "{lines:?}");
}
