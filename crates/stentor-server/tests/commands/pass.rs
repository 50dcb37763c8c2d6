//! PASS, for clients without SASL.

use stentor_testing::{Said, TestServer, numeric};

#[tokio::test]
async fn it_logs_in_to_the_account_that_it_names_or_else_the_nick_does() {
    let server = TestServer::start_with(&[("accounts.required", "true")]).await;
    server.account("ann", "pass:word").await;
    server.account("bob", "secret").await;
    for (pass, nick, account) in [("ann:pass:word", "someone", "ann"), ("secret", "BOB", "bob")] {
        let mut client = server.connect().await;
        for line in [&format!("PASS {pass}"), &format!("NICK {nick}"), "USER x 0 * :X"] {
            client.send(line).await;
        }
        assert_eq!(client.expect_numeric("900").await.param(2), account);
        assert_eq!(client.expect_numeric("001").await.param(0), account);
    }
}

#[tokio::test]
async fn a_wrong_one_ends_the_connection() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    for pass in ["ann:wrong", "wrong", "nobody:secret"] {
        let mut client = server.connect().await;
        for line in [&format!("PASS {pass}"), "NICK ann", "USER x 0 * :X"] {
            client.send(line).await;
        }
        let last: Vec<Said> = client.expect_closed().await;
        let text = numeric(&last, "464").text();
        assert!(text.contains("the account or the password is wrong"), "{text}");
        assert_eq!(numeric(&last, "ERROR").text(), text);
    }
    let mut client = server.connect().await;
    numeric(&client.ask("PASS").await, "461");
}

#[tokio::test]
async fn the_last_one_counts() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.connect().await;
    for line in ["PASS ann:wrong", "PASS ann:secret", "NICK ann", "USER x 0 * :X"] {
        ann.send(line).await;
    }
    ann.expect_numeric("001").await;
}
