//! One owner: at most one session holds an account.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Pair;
use stentor_testing::{TestClient, TestServer};
use tokio::task::JoinSet;

const REQUIRED: &[(&str, &str)] = &[("accounts.required", "true")];

#[tokio::test(flavor = "multi_thread")]
async fn scenario_7_3_duplicate_login() {
    let pair = Pair::start(REQUIRED).await;
    pair.one.account("a", "secret").await;
    let first = pair.one.login("a", "secret", &[]).await;
    let mut answering = JoinSet::new();
    answering.spawn(answer_pings(first));
    for server in [&pair.one, &pair.two] {
        told_and_closed(server).await;
    }
    assert!(answering.try_join_next().is_none(), "the first session ended");
}

/// The same on one node with its embedded store.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_7_3_duplicate_login_on_one_node() {
    let server = TestServer::start_with(REQUIRED).await;
    server.account("a", "secret").await;
    let first = server.login("a", "secret", &[]).await;
    let mut answering = JoinSet::new();
    answering.spawn(answer_pings(first));
    told_and_closed(&server).await;
    assert!(answering.try_join_next().is_none(), "the first session ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_racing_logins_one_gets_in_twenty_times_of_twenty() {
    let pair = Pair::start(REQUIRED).await;
    for round in 0..20 {
        let name = format!("racer{round}");
        pair.one.account(&name, "secret").await;
        let mut racers = JoinSet::new();
        for index in 0..100 {
            let server = if index % 2 == 0 { &pair.one } else { &pair.two };
            let mut client = server.connect().await;
            let name = name.clone();
            racers.spawn(async move {
                client.send("CAP REQ :sasl").await;
                client.send("AUTHENTICATE PLAIN").await;
                client.expect(|line| line.ends_with("AUTHENTICATE +")).await;
                let response = STANDARD.encode(format!("\0{name}\0secret"));
                client.send(&format!("AUTHENTICATE {response}")).await;
                let answer = client.expect(|line| line.contains(" 903 ") || line.contains(" 904 ")).await;
                // The winner stays until all have been answered.
                (answer.contains(" 903 "), client)
            });
        }
        let outcomes = racers.join_all().await;
        let winners = outcomes.iter().filter(|(won, _)| *won).count();
        assert_eq!(winners, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_login_replaces_the_earlier_one_where_policy_says_so() {
    let pair = Pair::start(&[("accounts.required", "true"), ("accounts.duplicate_login", "'replace'")]).await;
    pair.one.account("a", "secret").await;
    let mut first = pair.one.login("a", "secret", &[]).await;
    let mut second = pair.two.login("a", "secret", &[]).await;
    let end = first.expect_closed().await;
    assert_eq!(end.last().map(|said| said.text().to_owned()), Some("Logged in from elsewhere".to_owned()));
    assert!(second.ask("JOIN #room").await.iter().any(|said| said.command == "366"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_does_not_answer_gives_way() {
    let pair = Pair::start(&[("accounts.required", "true"), ("accounts.probe", "'2s'")]).await;
    pair.one.account("a", "secret").await;
    let mut silent = pair.one.login("a", "secret", &[]).await;
    let _second = pair.two.login("a", "secret", &[]).await;
    let end = silent.expect_closed().await;
    assert!(end.iter().any(|said| said.command == "PING"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_session_on_every_node() {
    let pair = Pair::start(REQUIRED).await;
    pair.one.account("a", "secret").await;
    let mut session = pair.one.login("a", "secret", &[]).await;
    let new = stentor_server::account::Password::new("another").expect("it is legal");
    pair.two.node.accounts.passwd("a", &new).await.expect("the password is changed");
    let end = session.expect_closed().await;
    assert_eq!(end.last().map(|said| said.text().to_owned()), Some("Password changed".to_owned()));
}

/// A second terminal logs in with the right password: it is told why it cannot stay, and closed.
async fn told_and_closed(server: &TestServer) {
    let mut client = server.connect().await;
    client.send("CAP REQ :sasl").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect(|line| line.ends_with("AUTHENTICATE +")).await;
    client.send(&format!("AUTHENTICATE {}", STANDARD.encode("\0a\0secret"))).await;
    let lines: Vec<String> = client.expect_closed().await.into_iter().map(|said| said.line).collect();
    let told = |line: &String| line.contains(" 904 ") && line.ends_with(":User already logged in");
    assert!(lines.iter().any(told), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("ERROR :User already logged in"));
}

/// A client that is there: it answers the server's PINGs until its connection ends.
async fn answer_pings(mut client: TestClient) {
    loop {
        let ping = client.expect_numeric("PING").await;
        client.send(&format!("PONG :{}", ping.text())).await;
    }
}
