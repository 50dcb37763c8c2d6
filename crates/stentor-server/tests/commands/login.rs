//! AUTHENTICATE and REGISTER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn a_guest_may_log_in_later_and_its_channels_are_told() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client_with("ann", &["sasl"]).await;
    let mut bob = server.client_with("bob", &["account-notify", "account-tag"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    assert_eq!(numeric(&ann.ask("AUTHENTICATE PLAIN").await, "AUTHENTICATE").params, ["+"]);
    let response = STANDARD.encode("\0carl\0secret");
    ann.send(&format!("AUTHENTICATE {response}")).await;
    assert_eq!(ann.expect_numeric("900").await.param(2), "carl");
    ann.expect_numeric("903").await;
    assert_eq!(bob.expect_numeric("ACCOUNT").await.params, ["carl"]);
    ann.ask("PRIVMSG bob :it is me").await;
    assert_eq!(bob.expect_numeric("PRIVMSG").await.tag("account").as_deref(), Some("carl"));
    bob.ask("PRIVMSG ann :so it is").await;
    numeric(&ann.drain_until_pong().await, "PRIVMSG");
}

#[tokio::test]
async fn a_login_that_is_not_finished_ends_with_the_registration() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    for line in ["CAP REQ :sasl", "NICK ann", "USER ann 0 * :Ann", "AUTHENTICATE PLAIN", "CAP END"] {
        ann.send(line).await;
    }
    ann.expect_numeric("906").await;
    ann.expect_numeric("001").await;
}

#[tokio::test]
async fn a_login_that_is_too_long_fails() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["sasl"]).await;
    ann.ask("AUTHENTICATE PLAIN").await;
    numeric(&ann.ask(&format!("AUTHENTICATE {}", "A".repeat(401))).await, "905");
    ann.ask("AUTHENTICATE PLAIN").await;
    for _ in 0..4 {
        assert!(ann.ask(&format!("AUTHENTICATE {}", "A".repeat(400))).await.is_empty());
    }
    numeric(&ann.ask(&format!("AUTHENTICATE {}", "A".repeat(400))).await, "904");
}

#[tokio::test]
async fn nobody_registers_the_name_of_a_guest_who_is_here() {
    let server = TestServer::start().await;
    let mut ann = server.client("Ann").await;
    let mut bob = server.connect().await;
    bob.send("REGISTER * * secret").await;
    assert_eq!(bob.expect_numeric("FAIL").await.params[..3], ["REGISTER", "NEED_NICK", "*"]);
    bob.send("NICK ann").await;
    bob.send("REGISTER * * secret").await;
    assert_eq!(bob.expect_numeric("FAIL").await.params[..3], ["REGISTER", "ACCOUNT_EXISTS", "ann"]);
    let lines = ann.ask("REGISTER * * secret").await;
    assert_eq!(numeric(&lines, "REGISTER").params[..2], ["SUCCESS", "Ann"]);
}

#[tokio::test]
async fn the_capability_says_whether_the_account_may_have_another_name() {
    for (required, wanted) in [("true", false), ("false", true)] {
        let server = TestServer::start_with(&[("accounts.required", required)]).await;
        let mut ann = server.connect().await;
        ann.send("CAP LS 302").await;
        let offer = ann.expect(|line| line.contains("draft/account-registration=before-connect")).await;
        assert_eq!(offer.contains("before-connect,custom-account-name"), wanted, "{offer}");
    }
}
