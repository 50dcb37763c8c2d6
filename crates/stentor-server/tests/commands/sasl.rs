//! SCRAM-SHA-256, and logging in after the welcome.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stentor_server::store::Partition;
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

#[tokio::test]
async fn a_client_logs_in_without_showing_its_password_and_knows_the_server_too() {
    let server = TestServer::start().await;
    server.account("Ann", "sesame").await;
    let mut ann = server.connect().await;
    ann.send("CAP REQ sasl").await;
    for header in ["n,,", "y,,", "n,a=ann,"] {
        assert_eq!(scram(&mut ann, header, "ann", "sesame").await, Ok(()), "{header}");
        assert_eq!(ann.expect_numeric("900").await.param(2), "Ann");
        ann.expect_numeric("903").await;
    }
}

#[tokio::test]
async fn whether_there_is_such_an_account_does_not_show() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut eve = server.connect().await;
    eve.send("CAP REQ sasl").await;
    let mut texts = Vec::new();
    for name in ["ann", "nobody", "no nick at all"] {
        let refused = scram(&mut eve, "n,,", name, "millet").await.expect_err("the password is wrong");
        assert_eq!(refused.command, "904");
        texts.push(refused.text().to_owned());
    }
    assert_eq!((&texts[0], &texts[0]), (&texts[1], &texts[2]));
    // A challenge is the same each time, as far as it is the account's.
    let mut asked = Vec::new();
    for _ in 0..2 {
        let challenge = challenge(&mut eve, "n,,", "Nobody").await;
        asked.push(challenge.split_once(",s=").map(|(_, rest)| rest.to_owned()));
        eve.ask("AUTHENTICATE *").await;
    }
    assert_eq!(asked[0], asked[1]);
    numeric(&eve.ask("AUTHENTICATE PLAIN").await, "AUTHENTICATE");
}

#[tokio::test]
async fn what_does_not_follow_the_mechanism_is_refused() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut ann = server.connect().await;
    ann.send("CAP REQ sasl").await;
    for first in ["p=tls-unique,,n=ann,r=abc", "n,a=bob,n=ann,r=abc", "nonsense", ""] {
        ann.ask("AUTHENTICATE SCRAM-SHA-256").await;
        let encoded = STANDARD.encode(first);
        let line = format!("AUTHENTICATE {}", if first.is_empty() { "+" } else { &encoded });
        numeric(&ann.ask(&line).await, "904");
    }
    challenge(&mut ann, "n,,", "ann").await;
    numeric(&ann.ask("AUTHENTICATE +").await, "904");
    numeric(&ann.ask("AUTHENTICATE +").await, "904");
}

#[tokio::test]
async fn failed_proofs_slow_the_next_attempts_by_any_mechanism() {
    let server = TestServer::start_with(&[("limits.login_failures", "1")]).await;
    server.account("ann", "sesame").await;
    let mut ann = server.connect().await;
    ann.send("CAP REQ sasl").await;
    for _ in 0..2 {
        assert!(scram(&mut ann, "n,,", "ann", "millet").await.is_err());
    }
    ann.ask("AUTHENTICATE SCRAM-SHA-256").await;
    let first = format!("AUTHENTICATE {}", STANDARD.encode("n,,n=ann,r=abc"));
    assert!(numeric(&ann.ask(&first).await, "904").text().contains("try again in"));
    let refused = plain(&mut ann, "ann", "sesame").await;
    assert!(refused.text().contains("try again in"), "{refused:?}");
}

#[tokio::test]
async fn an_account_without_a_verifier_has_one_after_a_login_by_plain() {
    let server = TestServer::start().await;
    let hash = "$2b$04$abcdefghijklmnopqrstuu/6qq5Snl5oh918d11uhZj3Nbug/8.fu";
    server.node.accounts.import(&format!("ann:{hash}")).await.expect("it is imported");
    let mut ann = server.connect().await;
    ann.send("CAP REQ sasl").await;
    assert!(scram(&mut ann, "n,,", "ann", "operpassword").await.is_err());
    assert_eq!(plain(&mut ann, "ann", "operpassword").await.command, "903");
    let mut again = server.connect().await;
    again.send("CAP REQ sasl").await;
    challenge(&mut again, "n,,", "ann").await;
    again.ask("AUTHENTICATE *").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    assert_eq!(scram(&mut again, "n,,", "ann", "operpassword").await, Ok(()));
    // It is in no snapshot.
    let kept = server.node.hub.store().snapshot(&Partition::account("ann")).await.expect("the store answers");
    let kept = kept.expect("the account is there");
    assert!(kept.fields.iter().all(|(name, value)| !name.starts_with('~') && !value.contains("SCRAM")));
}

#[tokio::test]
async fn scram_is_not_offered_where_no_verifiers_are_kept() {
    let server = TestServer::start_with(&[("accounts.scram_iterations", "0")]).await;
    server.account("ann", "sesame").await;
    let mut ann = server.connect().await;
    ann.send("CAP REQ sasl").await;
    let refused = ann.ask("AUTHENTICATE SCRAM-SHA-256").await;
    assert_eq!(numeric(&refused, "908").param(1), "PLAIN,EXTERNAL");
}

#[tokio::test]
async fn external_needs_a_certificate() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    ann.send("CAP REQ sasl").await;
    assert!(numeric(&ann.ask("AUTHENTICATE EXTERNAL").await, "904").text().contains("certificate"));
}

#[tokio::test]
async fn who_is_here_can_change_to_another_account() {
    let server = TestServer::start().await;
    for name in ["foo", "jilles"] {
        server.account(name, "sesame").await;
    }
    let mut user = server.client_with("user", &["sasl"]).await;
    let mut bob = server.client_with("bob", &["account-notify"]).await;
    user.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    for name in ["foo", "jilles"] {
        assert_eq!(plain(&mut user, name, "sesame").await.command, "903");
        user.drain_until_pong().await;
        assert_eq!(bob.expect_numeric("ACCOUNT").await.params, [name]);
        bob.ask("PRIVMSG user :psst").await;
        assert_eq!(numeric(&user.drain_until_pong().await, "PRIVMSG").text(), "psst");
    }
    // The first one is free for its owner, who finds what was said to it.
    let mut foo = server.connect().await;
    let welcome = foo.register("foo", Some("sesame"), &[]).await;
    assert_eq!(command(&welcome, "PRIVMSG").len(), 1, "{welcome:?}");
    assert_eq!(numeric(&bob.ask("WHOIS user").await, "330").param(2), "jilles");
    // An account in use is not taken over, and whoever is here stays.
    let answer = async {
        foo.expect(|line| line == "PING :probe").await;
        foo.send("PONG probe").await;
    };
    let (refused, ()) = tokio::join!(plain(&mut user, "foo", "sesame"), answer);
    assert!(refused.text().contains("already logged in"), "{refused:?}");
    assert_eq!(numeric(&bob.ask("WHOIS user").await, "330").param(2), "jilles");
}

#[tokio::test]
async fn the_bearer_of_an_accounts_name_stays_logged_in_to_it() {
    let server = TestServer::start().await;
    for name in ["foo", "jilles"] {
        server.account(name, "sesame").await;
    }
    let mut foo = server.login("foo", "sesame", &[]).await;
    let refused = plain(&mut foo, "jilles", "sesame").await;
    assert!(refused.command == "904" && refused.text().contains("change it first"), "{refused:?}");
}

async fn plain(client: &mut TestClient, name: &str, password: &str) -> Said {
    client.send("AUTHENTICATE PLAIN").await;
    client.expect(|line| line.ends_with("AUTHENTICATE +")).await;
    client.send(&format!("AUTHENTICATE {}", STANDARD.encode(format!("\0{name}\0{password}")))).await;
    Said::new(client.expect(|line| line.contains(" 903 ") || line.contains(" 904 ")).await)
}

/// Begins an exchange, and returns the challenge.
async fn challenge(client: &mut TestClient, header: &str, name: &str) -> String {
    client.send("AUTHENTICATE SCRAM-SHA-256").await;
    client.expect(|line| line.ends_with("AUTHENTICATE +")).await;
    client
        .send(&format!("AUTHENTICATE {}", STANDARD.encode(format!("{header}n={name},r=clientnonce"))))
        .await;
    answer(client).await.expect("a challenge")
}

/// A whole exchange up to the last `AUTHENTICATE +`; the refusal, where there is one.
async fn scram(client: &mut TestClient, header: &str, name: &str, password: &str) -> Result<(), Said> {
    let challenge = challenge(client, header, name).await;
    let part = |sign: &str| challenge.split(',').find_map(|one| one.strip_prefix(sign)).expect("it is there");
    let salt = STANDARD.decode(part("s=")).expect("base64");
    let iterations: NonZeroU32 = part("i=").parse().expect("a number");
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
    let mac = |key: &[u8], data: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes());
    let client_key = mac(&salted, "Client Key");
    let unproved = format!("c={},r={}", STANDARD.encode(header), part("r="));
    let signed = format!("n={name},r=clientnonce,{challenge},{unproved}");
    let stored = digest::digest(&digest::SHA256, client_key.as_ref());
    let signature = mac(stored.as_ref(), &signed);
    let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    let last = STANDARD.encode(format!("{unproved},p={}", STANDARD.encode(proof)));
    client.send(&format!("AUTHENTICATE {last}")).await;
    let server = answer(client).await?;
    let expected = mac(mac(&salted, "Server Key").as_ref(), &signed);
    assert_eq!(server, format!("v={}", STANDARD.encode(expected)));
    client.send("AUTHENTICATE +").await;
    Ok(())
}

async fn answer(client: &mut TestClient) -> Result<String, Said> {
    let said = client.expect(|line| line.contains("AUTHENTICATE ") || line.contains(" 904 ")).await;
    match said.strip_prefix("AUTHENTICATE ") {
        Some(data) => Ok(String::from_utf8(STANDARD.decode(data).expect("base64")).expect("SCRAM is text")),
        None => Err(Said::new(said)),
    }
}
