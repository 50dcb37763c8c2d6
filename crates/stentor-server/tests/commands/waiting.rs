//! What was said to an account while nobody was logged in to it.

use stentor_server::cursor::SEEN;
use stentor_server::store::Partition;

use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// What a client with batches shows the messages of one correspondent in.
const BATCHES: &[&str] = &["batch", "message-tags", "server-time", "account-tag"];

/// A server with the account `carl`, to whom `ann`, a guest, has said so much.
async fn waiting(settings: &[(&str, &str)], texts: &[&str]) -> (TestServer, TestClient) {
    let server = TestServer::start_with(settings).await;
    server.account("carl", "secret").await;
    let mut ann = server.client("ann").await;
    for text in texts {
        ann.ask(&format!("PRIVMSG carl :{text}")).await;
    }
    (server, ann)
}

/// Logs in as carl: the session, and what came after the welcome began.
async fn login(server: &TestServer, capabilities: &[&str]) -> (TestClient, Vec<Said>) {
    server.login_and_read("carl", "secret", capabilities).await
}

/// Answers the PING that followed what was delivered.
async fn answer(client: &mut TestClient, lines: &[Said]) {
    let token = numeric(lines, "PING").text().to_owned();
    client.ask(&format!("PONG :{token}")).await;
}

/// Cuts the connection, and waits until the node has noticed.
async fn cut(server: &TestServer, client: TestClient) {
    drop(client);
    let carl = Partition::account("carl");
    let session = async || {
        let peek = server.node.hub.store().peek_one(&carl, &["session"]).await.expect("the store is open");
        peek.fields.into_iter().next().flatten()
    };
    while session().await.is_some() {
        tokio::task::yield_now().await;
    }
}

fn texts(lines: &[Said]) -> Vec<&str> {
    let said = lines.iter().filter(|line| line.source.contains('!') && line.command != "001");
    said.map(Said::text).collect()
}

#[tokio::test]
async fn what_waited_is_delivered_once_and_in_its_order() {
    let (server, mut ann) = waiting(&[], &["one", "two"]).await;
    ann.ask("NOTICE carl :three").await;
    let (mut carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["one", "two", "three"]);
    assert_eq!(command(&lines, "PRIVMSG")[0].param(0), "carl");
    let position = |wanted: &str| lines.iter().position(|line| line.text().contains(wanted));
    assert!(position("While you were away, 3 messages came for you") < position("one"), "{lines:#?}");
    let end = lines.iter().position(|line| matches!(&*line.command, "376" | "422"));
    assert!(end < position("While you were away"), "{lines:#?}");
    answer(&mut carl, &lines).await;
    carl.quit().await;
    let (_carl, lines) = login(&server, &[]).await;
    assert!(texts(&lines).is_empty() && command(&lines, "PING").is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn what_waited_comes_in_a_batch_for_each_correspondent() {
    let (server, mut ann) = waiting(&[], &["one"]).await;
    server.account("bob", "secret").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    bob.ask("PRIVMSG carl :two").await;
    ann.ask("PRIVMSG carl :three").await;
    let (_carl, lines) = login(&server, BATCHES).await;
    let batches: Vec<_> = command(&lines, "BATCH").into_iter().map(|line| line.params.clone()).collect();
    assert_eq!(batches.len(), 4, "{lines:#?}");
    assert_eq!((&*batches[0][1], &*batches[0][2]), ("chathistory", "ann"));
    assert_eq!((&*batches[2][1], &*batches[2][2]), ("chathistory", "bob"));
    let said = command(&lines, "PRIVMSG");
    assert_eq!(texts(&lines), ["one", "three", "two"]);
    for (said, batch) in said.iter().zip([0, 0, 2]) {
        assert_eq!(said.tag("batch").as_deref(), batches[batch][0].strip_prefix('+'));
        assert!(said.tag("time").is_some() && said.tag("msgid").is_some(), "{said:?}");
    }
    assert_eq!(said[2].tag("account").as_deref(), Some("bob"));
    assert!(command(&lines, "NOTICE").is_empty(), "{lines:#?}");
    assert_eq!(lines.last().map(|line| &*line.command), Some("PING"));
}

#[tokio::test]
async fn what_the_client_did_not_prove_to_have_read_is_repeated() {
    let (server, _ann) = waiting(&[], &["one"]).await;
    let (carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["one"]);
    cut(&server, carl).await;
    let (mut carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["one"]);
    carl.ask("PONG :seen-1-0").await;
    carl.quit().await;
    let (mut carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["one"]);
    answer(&mut carl, &lines).await;
    cut(&server, carl).await;
    let (_carl, lines) = login(&server, &[]).await;
    assert!(texts(&lines).is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn a_client_that_fetches_history_is_sent_none_and_the_cursor_moves() {
    let (server, _ann) = waiting(&[], &["one"]).await;
    let (mut carl, lines) = login(&server, &["draft/chathistory", "batch"]).await;
    assert!(texts(&lines).is_empty() && command(&lines, "PING").is_empty(), "{lines:#?}");
    assert_eq!(texts(&carl.ask("CHATHISTORY LATEST ann * 10").await), ["one"]);
    carl.quit().await;
    let (_carl, lines) = login(&server, &[]).await;
    assert!(texts(&lines).is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn what_was_delivered_as_it_came_is_not_repeated_after_quit() {
    let (server, mut ann) = waiting(&[], &[]).await;
    let (mut carl, _) = login(&server, &[]).await;
    ann.ask("PRIVMSG carl :live").await;
    assert_eq!(texts(&carl.drain_until_pong().await), ["live"]);
    carl.ask("PRIVMSG ann :my own").await;
    carl.quit().await;
    ann.ask("PRIVMSG carl :later").await;
    let (_carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["later"]);
}

#[tokio::test]
async fn what_was_delivered_as_it_came_is_not_repeated_after_a_pong() {
    let (server, mut ann) = waiting(&[("limits.ping_interval", "'100ms'")], &[]).await;
    let (mut carl, _) = login(&server, &[]).await;
    ann.ask("PRIVMSG carl :proved").await;
    let ping = carl.expect(|line| line.starts_with("PING :seen-")).await;
    carl.ask(&format!("PONG :{}", Said::new(ping).text())).await;
    cut(&server, carl).await;
    let (carl, lines) = login(&server, &[]).await;
    assert!(texts(&lines).is_empty(), "{lines:#?}");
    ann.ask("PRIVMSG carl :not proved").await;
    cut(&server, carl).await;
    let (_carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["not proved"]);
}

#[tokio::test]
async fn a_client_that_quits_before_it_has_read_what_waited_gets_it_again() {
    let (server, mut ann) = waiting(&[], &["one"]).await;
    let (mut carl, _) = login(&server, &[]).await;
    ann.ask("PRIVMSG carl :two").await;
    assert_eq!(texts(&carl.drain_until_pong().await), ["two"]);
    carl.quit().await;
    let (_carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["one", "two"]);
}

#[tokio::test]
async fn many_messages_are_bounded_and_the_rest_is_counted() {
    let numbers: Vec<String> = (0..7).map(|number| number.to_string()).collect();
    let all: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let (server, _ann) = waiting(&[("history.page", "5")], &all).await;
    let (mut carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), all[2..]);
    assert!(lines.iter().any(|line| line.text().starts_with("There are 2 older messages")), "{lines:#?}");
    answer(&mut carl, &lines).await;
    cut(&server, carl).await;
    let (_carl, lines) = login(&server, &[]).await;
    assert!(texts(&lines).is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn a_guest_that_logs_in_gets_what_waited_for_the_account() {
    use base64::Engine as _;
    let (server, mut ann) = waiting(&[], &["one"]).await;
    let mut guest = server.client_with("dora", &["sasl"]).await;
    guest.ask("AUTHENTICATE PLAIN").await;
    let response = base64::engine::general_purpose::STANDARD.encode("\0carl\0secret");
    let lines = guest.ask(&format!("AUTHENTICATE {response}")).await;
    assert_eq!(texts(&lines), ["one"]);
    answer(&mut guest, &lines).await;
    ann.ask("PRIVMSG dora :two").await;
    assert_eq!(texts(&guest.drain_until_pong().await), ["two"]);
}

#[tokio::test]
async fn a_labelled_login_has_what_waited_in_its_answer() {
    let (server, _ann) = waiting(&[], &["one"]).await;
    let mut carl = server.connect().await;
    carl.send("CAP REQ :batch labeled-response message-tags server-time").await;
    carl.send("PASS carl:secret").await;
    carl.send("NICK carl").await;
    carl.send("@label=x USER carl 0 * :Carl").await;
    carl.send("@label=y CAP END").await;
    let lines = carl.drain_until_pong().await;
    let answer = lines.iter().find(|line| line.tag("label").as_deref() == Some("y")).expect("an answer");
    let outer = answer.param(0).strip_prefix('+').map(str::to_owned);
    let inner = lines.iter().find(|line| line.param(1) == "chathistory").expect("a batch");
    assert_eq!(inner.tag("batch"), outer);
    assert!(
        lines.iter().position(|line| line.command == "001") < lines.iter().position(|line| line == inner)
    );
    assert_eq!(numeric(&lines, "PRIVMSG").tag("batch").as_deref(), inner.param(0).strip_prefix('+'));
}

#[tokio::test]
async fn an_account_of_a_version_without_a_cursor_begins_at_its_next_login() {
    let (server, mut ann) = waiting(&[], &["old"]).await;
    let node = &server.node;
    let (carl, tenure) = (Partition::account("carl"), node.tenure());
    let forgotten = node.hub.write::<()>(&tenure, &carl, &[], |_| {
        let changes = vec![stentor_server::store::Change::Unset(SEEN.to_owned())];
        Ok(stentor_server::hub::Decision { changes, ..Default::default() })
    });
    forgotten.await.expect("the store is open");
    let (session, lines) = login(&server, &[]).await;
    assert!(texts(&lines).is_empty(), "{lines:#?}");
    cut(&server, session).await;
    ann.ask("PRIVMSG carl :new").await;
    let (_carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["new"]);
}

#[tokio::test]
async fn who_was_away_for_longer_than_messages_are_kept_is_told() {
    let (server, mut ann) = waiting(&[], &["gone"]).await;
    let (store, carl) = (server.node.hub.store(), Partition::account("carl"));
    let now = store.now().await.expect("the store is open");
    let after = now.plus(std::time::Duration::from_millis(1));
    store.trim(&carl, after, 0).await.expect("the log can be trimmed");
    ann.ask("PRIVMSG carl :kept").await;
    let (mut carl, lines) = login(&server, &[]).await;
    assert_eq!(texts(&lines), ["kept"]);
    let told = |lines: &[Said]| lines.iter().any(|line| line.text().contains("may not be kept any more"));
    assert!(told(&lines), "{lines:#?}");
    answer(&mut carl, &lines).await;
    carl.quit().await;
    assert!(!told(&login(&server, &[]).await.1));
}
