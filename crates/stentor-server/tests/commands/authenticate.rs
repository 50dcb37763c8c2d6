//! AUTHENTICATE, and what becomes of a login before its welcome.

use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stentor_server::account::Password;
use stentor_server::client::{Client, Profile};
use stentor_server::error::Error;
use stentor_server::node::claim::{self, Refused};
use stentor_server::send_queue::SendQueue;
use stentor_server::session::Session;

use stentor_testing::{Said, TestClient, TestServer, numeric};

#[tokio::test]
async fn the_welcome_names_the_account_where_accounts_are_required() {
    let server = TestServer::start_with(&[("accounts.required", "true")]).await;
    server.account("Ann", "secret").await;
    let mut ann = negotiating(&server).await;
    assert_eq!(authenticate(&mut ann, "\0ann\0secret").await.command, "903");
    for line in ["NICK other", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    assert_eq!(ann.expect_numeric("001").await.param(0), "Ann");
    numeric(&ann.ask("NICK other").await, "432");
    assert_eq!(numeric(&ann.ask("NICK aNN").await, "NICK").params, ["aNN"]);
    numeric(&ann.ask("PASS ann:secret").await, "462");
    numeric(&ann.ask("AUTHENTICATE PLAIN").await, "907");
}

#[tokio::test]
async fn who_has_no_account_is_told_so_where_accounts_are_required() {
    let server = TestServer::start_with(&[("accounts.required", "true")]).await;
    let mut ann = negotiating(&server).await;
    for line in ["NICK ann", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    let last = ann.expect_closed().await;
    assert_eq!(numeric(&last, "FAIL").params[..2], ["*", "ACCOUNT_REQUIRED"]);
    numeric(&last, "464");
    assert!(numeric(&last, "ERROR").text().contains("log in"), "{last:?}");
}

#[tokio::test]
async fn that_accounts_are_required_is_told_in_the_words_of_their_specification() {
    let server = TestServer::start_with(&[("accounts.required", "true")]).await;
    let mut ann = server.connect().await;
    ann.send("CAP REQ :batch draft/extended-isupport").await;
    ann.send("ISUPPORT").await;
    ann.expect(|line| line.contains(" 005 ") && line.contains(" draft/ACCOUNTREQUIRED ")).await;
    for line in ["NICK ann", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    let last = ann.expect_closed().await;
    let fail = numeric(&last, "FAIL");
    assert_eq!(
        (fail.params.len(), &fail.params[..2]),
        (3, &["*".to_owned(), "ACCOUNT_REQUIRED".to_owned()][..])
    );
    let server = TestServer::start_with(&[("accounts.required", "false")]).await;
    let lines = server.client("ann").await.ask("VERSION").await;
    assert!(lines.iter().all(|line| !line.bare.contains("ACCOUNTREQUIRED")), "{lines:?}");
}

#[tokio::test]
async fn a_guest_cannot_take_the_name_of_an_account() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut guest = server.connect().await;
    guest.send("NICK CARL").await;
    guest.send("USER guest 0 * :Guest").await;
    assert_eq!(guest.expect_numeric("433").await.param(1), "CARL");
    guest.send("NICK carla").await;
    assert_eq!(guest.expect_numeric("001").await.param(0), "carla");
    numeric(&guest.ask("NICK Carl").await, "433");
    // Its owner can, from under another nick too.
    let mut carl = negotiating(&server).await;
    assert_eq!(authenticate(&mut carl, "\0carl\0secret").await.command, "903");
    for line in ["NICK someone", "USER carl 0 * :Carl", "CAP END"] {
        carl.send(line).await;
    }
    assert_eq!(carl.expect_numeric("001").await.param(0), "someone");
    assert_eq!(numeric(&carl.ask("NICK Carl").await, "NICK").params, ["Carl"]);
}

#[tokio::test]
async fn an_exchange_can_be_given_up_and_begun_again() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = negotiating(&server).await;
    ann.send("AUTHENTICATE PLAIN").await;
    ann.expect(|line| line.ends_with("AUTHENTICATE +")).await;
    numeric(&ann.ask("AUTHENTICATE *").await, "906");
    assert_eq!(authenticate(&mut ann, "\0ann\0secret").await.command, "903");
    // The same account once more changes nothing.
    assert_eq!(authenticate(&mut ann, "\0ann\0secret").await.command, "903");
}

#[tokio::test]
async fn what_is_no_login_is_refused() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = negotiating(&server).await;
    let lines = ann.ask("AUTHENTICATE SCRAM-SHA-512").await;
    assert_eq!(numeric(&lines, "908").param(1), "PLAIN,EXTERNAL,SCRAM-SHA-256");
    numeric(&lines, "904");
    for wrong in ["\0ann\0wrong", "\0nobody\0secret", "bob\0ann\0secret", "ann\0secret", "", "\0ann\0"] {
        assert_eq!(authenticate(&mut ann, wrong).await.command, "904", "{wrong:?}");
    }
    ann.ask("AUTHENTICATE PLAIN").await;
    numeric(&ann.ask(&format!("AUTHENTICATE {}", "A".repeat(401))).await, "905");
    ann.ask("AUTHENTICATE PLAIN").await;
    numeric(&ann.ask("AUTHENTICATE not/base64!").await, "904");
    let mut old = server.connect().await;
    numeric(&old.ask("AUTHENTICATE PLAIN").await, "904");
    numeric(&old.ask("AUTHENTICATE").await, "461");
}

#[tokio::test]
async fn a_login_may_come_in_several_pieces() {
    let server = TestServer::start().await;
    let password = "é".repeat(300);
    server.account("ann", &password).await;
    let mut ann = negotiating(&server).await;
    // Every byte counts, also those past what bcrypt looks at by itself.
    assert_eq!(authenticate(&mut ann, &format!("\0ann\0{}", "é".repeat(299))).await.command, "904");
    assert_eq!(authenticate(&mut ann, &format!("ANN\0ann\0{password}")).await.command, "903");
}

#[tokio::test]
async fn wrong_passwords_slow_the_next_attempts() {
    let settings = [("limits.login_failures", "1"), ("accounts.required", "true")];
    let server = TestServer::start_with(&settings).await;
    server.account("ann", "secret").await;
    server.account("bob", "secret").await;
    let mut ann = negotiating(&server).await;
    for _ in 0..2 {
        let wrong = authenticate(&mut ann, "\0ann\0wrong").await;
        assert!(wrong.text().contains("wrong"), "{wrong:?}");
    }
    let slowed = authenticate(&mut ann, "\0ann\0secret").await;
    assert_eq!(slowed.command, "904");
    assert!(slowed.text().contains("too many failed logins; try again in 1 s"), "{slowed:?}");
    // PASS is slowed, too, and other accounts are not.
    let mut old = server.connect().await;
    for line in ["PASS ann:secret", "NICK ann", "USER ann 0 * :Ann"] {
        old.send(line).await;
    }
    let last = old.expect_closed().await;
    assert!(numeric(&last, "464").text().contains("try again"), "{last:?}");
    server.login("bob", "secret", &[]).await;
    loop {
        let answer = authenticate(&mut ann, "\0ann\0secret").await;
        if answer.command == "903" {
            break;
        }
        assert!(answer.text().contains("try again"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_login_is_void_once_its_account_is_locked_removed_or_has_another_password() {
    let server = TestServer::start().await;
    let accounts = &server.node.accounts;
    for (name, reason) in
        [("ann", "Account locked"), ("bob", "Account removed"), ("carl", "Password changed")]
    {
        server.account(name, "secret").await;
        let mut client = negotiating(&server).await;
        assert_eq!(authenticate(&mut client, &format!("\0{name}\0secret")).await.command, "903");
        let changed = match name {
            "ann" => accounts.lock(name).await.map(drop),
            "bob" => accounts.remove(name).await,
            _ => accounts.passwd(name, &Password::new("another").expect("it is legal")).await,
        };
        changed.expect("the account is there");
        for line in [&format!("NICK {name}"), "USER x 0 * :X", "CAP END"] {
            client.send(line).await;
        }
        let last = client.expect_closed().await;
        assert_eq!(numeric(&last, "ERROR").text(), reason);
        assert!(last.iter().all(|line| line.command != "001"), "{last:?}");
    }
}

/// The password is compared first, and the claim made then: what changes in between counts.
#[tokio::test]
async fn a_password_that_is_changed_while_it_is_compared_lets_nobody_in() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let accounts = &server.node.accounts;
    let known = accounts.verify("ann", "secret").await.expect("it is right");
    accounts.passwd("ann", &Password::new("another").expect("it is legal")).await.expect("it is there");
    let queue = SendQueue::new(0);
    let client = Arc::new(Client::new(
        "id".into(),
        server.node.server_name.clone(),
        [127, 0, 0, 1].into(),
        server.node.tenure(),
        queue,
        Profile::default(),
    ));
    let mut session = Session::new(server.node.clone(), client, Ipv4Addr::LOCALHOST.into());
    let refused = claim::account(&mut session, &known).await;
    let Err(Refused::Error(Error::Close(reason))) = refused else { panic!("{refused:?}") };
    assert_eq!(reason, "Password changed");
    assert!(session.account.is_none());
}

/// A client that negotiates and may use SASL.
async fn negotiating(server: &TestServer) -> TestClient {
    let mut client = server.connect().await;
    client.send("CAP REQ :sasl standard-replies").await;
    client.expect(|line| line.contains(" ACK ")).await;
    client
}

/// Sends a whole exchange with this response, and returns its outcome.
async fn authenticate(client: &mut TestClient, response: &str) -> Said {
    client.send("AUTHENTICATE PLAIN").await;
    client.expect(|line| line.ends_with("AUTHENTICATE +")).await;
    let encoded = STANDARD.encode(response);
    let mut pieces: Vec<&str> =
        encoded.as_bytes().chunks(400).map(|piece| str::from_utf8(piece).expect("ASCII")).collect();
    if pieces.last().is_none_or(|piece| piece.len() == 400) {
        pieces.push("+");
    }
    for piece in pieces {
        client.send(&format!("AUTHENTICATE {piece}")).await;
    }
    Said::new(client.expect(|line| line.contains(" 903 ") || line.contains(" 904 ")).await)
}
