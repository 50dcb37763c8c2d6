//! NickServ, in the words that people know.

use stentor_server::account::{Fingerprint, Password};
use stentor_server::store::Partition;
use stentor_testing::{TestClient, TestServer, command, numeric};

use super::oper::{OPERATOR, operator};

#[tokio::test]
async fn accounts_are_made_and_used_in_the_words_of_services() {
    let server = TestServer::start_with(&[("accounts.password_min", "6")]).await;
    let mut ann = server.client("ann").await;
    assert!(says(&mut ann, "REGISTER short").await.contains("at least 6"));
    let made = ann.ask("PRIVMSG nickserv :register sesame ann@example.org").await;
    assert_eq!(numeric(&made, "900").param(2), "ann");
    let said = command(&made, "NOTICE");
    assert!(said.iter().all(|line| line.source.starts_with("NickServ!NickServ@")), "{said:?}");
    assert!(said[1].text().starts_with("No e-mail address is kept"), "{said:?}");
    assert!(says(&mut ann, "REGISTER sesame").await.contains("already"));
    assert!(says(&mut ann, "INFO").await.starts_with("ann was made at 2"));
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut other = server.client("other").await;
    assert!(says(&mut other, "IDENTIFY ann millet").await.contains("wrong"));
    assert!(says(&mut other, "IDENTIFY ann sesame").await.contains("logged in as ann"));
    assert!(says(&mut other, "INFO nobody").await.contains("no account"));
    let back = other.ask("NICK ann").await;
    numeric(&back, "NICK");
}

#[tokio::test]
async fn what_is_said_to_it_is_kept_nowhere_and_comes_back_to_its_sender_alone() {
    const CAPABILITIES: &[&str] = &[
        "echo-message",
        "message-tags",
        "account-tag",
        "server-time",
        "labeled-response",
        "batch",
        "draft/chathistory",
    ];
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut ann = server.login("ann", "sesame", CAPABILITIES).await;
    let lines = ann.ask("@label=x;+a=b PRIVMSG nickserv :IDENTIFY ann sesame").await;
    let commands: Vec<&str> = lines.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["BATCH", "PRIVMSG", "900", "NOTICE", "BATCH"], "{lines:#?}");
    let (batch, echo) = (&lines[0], &lines[1]);
    assert_eq!(batch.tag("label").as_deref(), Some("x"));
    assert!(lines[1..4].iter().all(|line| line.tag("batch").as_deref() == Some(&batch.param(0)[1..])));
    assert_eq!((echo.param(0), echo.text()), ("NickServ", "IDENTIFY ann sesame"));
    assert!(echo.source.starts_with("ann!"), "{echo:?}");
    assert_eq!((echo.tag("account").as_deref(), echo.tag("+a").as_deref()), (Some("ann"), Some("b")));
    assert!(echo.tag("time").is_some() && echo.tag("msgid").is_some(), "{echo:?}");
    for line in
        ["NOTICE NickServ :sesame", "@+typing=active TAGMSG NickServ", "PRIVMSG NickServ :\u{1}VERSION\u{1}"]
    {
        let lines = ann.ask(line).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(line.contains(&lines[0].command) && lines[0].source.starts_with("ann!"), "{lines:?}");
    }
    let lines = ann.ask("@label=y PRIVMSG NickServ :\u{1}VERSION\u{1}").await;
    assert_eq!((lines.len(), lines[0].tag("label").as_deref()), (1, Some("y")), "{lines:?}");
    let history = ann.ask("CHATHISTORY LATEST NickServ * 10").await;
    assert!(command(&history, "PRIVMSG").is_empty(), "{history:?}");
    assert!(command(&ann.ask("NS PASSWD wrong sesame").await, "PRIVMSG").is_empty(), "no message was sent");
    let mut other = server.client_with("other", &["message-tags"]).await;
    let lines = other.ask("PRIVMSG NickServ :IDENTIFY ann wrong").await;
    assert!(command(&lines, "PRIVMSG").is_empty(), "{lines:?}");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_the_old_one_and_stays_logged_in() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut ann = server.login("ann", "sesame", &[]).await;
    assert!(says(&mut ann, "PASSWD millet barley").await.contains("another one"));
    assert!(says(&mut ann, "PASSWD sesame barley barley").await.contains("Syntax: PASSWD"));
    assert!(says(&mut ann, "PASSWD sesame barley").await.contains("changed"));
    numeric(&ann.ask("PRIVMSG ann :still here").await, "PRIVMSG");
    assert!(server.node.accounts.verify("ann", "sesame").await.is_err());
    assert!(server.node.accounts.verify("ann", "barley").await.is_ok());
    // An operator's change ends the session all the same.
    let password = stentor_server::account::Password::new("wheat").expect("it is legal");
    server.node.accounts.passwd("ann", &password).await.expect("the account is there");
    assert_eq!(numeric(&ann.expect_closed().await, "ERROR").text(), "Password changed");
}

#[tokio::test]
async fn an_owner_ends_an_old_session_and_has_the_nick_back() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut old = server.login("ann", "sesame", &[]).await;
    let mut new = server.client("ann_").await;
    assert!(says(&mut new, "REGAIN ann millet").await.contains("wrong"));
    assert!(says(&mut new, "GHOST ann").await.contains("password"));
    let lines = new.ask("NICKSERV REGAIN ann sesame").await;
    assert_eq!(numeric(&lines, "NICK").params, ["ann"]);
    assert!(numeric(&lines, "NOTICE").text().contains("You are ann again"));
    numeric(&old.expect_closed().await, "ERROR");
    assert!(says(&mut new, "GHOST ann").await.contains("no other session"));
}

#[tokio::test]
async fn who_logs_out_is_a_guest_again() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut ann = server.login("ann", "sesame", &[]).await;
    let mut bob = server.client_with("bob", &["account-notify"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    assert!(says(&mut ann, "LOGOUT").await.contains("change it first"));
    ann.ask("NICK guest").await;
    let lines = ann.ask("NS LOGOUT").await;
    numeric(&lines, "901");
    assert_eq!(bob.expect_numeric("ACCOUNT").await.params, ["*"]);
    bob.ask("PRIVMSG guest :hello").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").text(), "hello");
    let mut again = server.login("ann", "sesame", &[]).await;
    again.drain_until_pong().await;
    assert!(says(&mut ann, "LOGOUT").await.contains("not logged in"));
}

#[tokio::test]
async fn who_is_in_no_channel_hears_of_the_own_account_too() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let capabilities = ["account-notify", "account-tag", "labeled-response", "batch"];
    let mut guest = server.client_with("guest", &capabilities).await;
    let mut other = server.client("other").await;
    for (line, numerics, account) in [
        ("NS IDENTIFY ann sesame", "900", "ann"),
        ("NS LOGOUT", "901", "*"),
        ("REGISTER * * secret", "900", "guest"),
    ] {
        let lines = guest.ask(&format!("@label=x {line}")).await;
        let at = |wanted: &str| lines.iter().position(|line| line.command == wanted);
        assert!(at(numerics).is_some() && at(numerics) < at("ACCOUNT"), "{lines:#?}");
        let own = numeric(&lines, "ACCOUNT");
        assert_eq!((own.param(0), own.tag("batch")), (account, lines[1].tag("batch")), "{lines:#?}");
        assert!(own.source.starts_with("guest!"), "{own:?}");
        guest.ask("NICK someone").await;
        guest.ask("NICK guest").await;
    }
    // Once, also where a channel could tell it, and only to those who asked for it.
    let mut third = server.client_with("third", &["account-notify"]).await;
    for client in [&mut third, &mut other] {
        client.ask("JOIN #room").await;
    }
    assert_eq!(command(&third.ask("NS REGISTER barley1").await, "ACCOUNT").len(), 1);
    assert!(command(&other.ask("NS REGISTER barley1").await, "ACCOUNT").is_empty());
}

#[tokio::test]
async fn a_ban_of_an_account_is_not_shaken_off_by_leaving_it() {
    let server = TestServer::start().await;
    for name in ["bob", "cat"] {
        server.account(name, "sesame").await;
    }
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    let mut bob = server.login("bob", "sesame", &[]).await;
    for words in ["JOIN #room", "NICK robert"] {
        bob.ask(words).await;
    }
    for ban in ["a:bob", "m:a:bob"] {
        ann.ask(&format!("MODE #room +b {ban}")).await;
        for words in ["LOGOUT", "IDENTIFY cat sesame", "GHOST cat sesame"] {
            let said = says(&mut bob, words).await;
            assert!(said.contains("while it is banned or muted in #room"), "{ban}, {words}: {said}");
        }
        numeric(&bob.ask("PRIVMSG #room :hello").await, "404");
        ann.ask(&format!("MODE #room -b {ban}")).await;
    }
    // What holds for the other account too keeps nobody.
    ann.ask("MODE #room +b m:a:*").await;
    assert!(says(&mut bob, "IDENTIFY cat sesame").await.contains("logged in as cat"));
    bob.ask("PART #room").await;
    assert!(says(&mut bob, "LOGOUT").await.contains("logged out"));
}

#[tokio::test]
async fn an_account_is_dropped_by_who_says_so_twice() {
    let server = TestServer::start().await;
    server.account("ann", "sesame").await;
    let mut ann = server.login("ann", "sesame", &[]).await;
    assert!(says(&mut ann, "SET PASSWORD barley").await.starts_with("Say PASSWD"));
    assert!(says(&mut ann, "DROP nonsense").await.starts_with("That is not the code. This removes ann"));
    let asked = says(&mut ann, "DROP").await;
    let code = asked.rsplit(' ').next().expect("a code").to_owned();
    ann.send(&format!("NS DROP {code}")).await;
    assert_eq!(numeric(&ann.expect_closed().await, "ERROR").text(), "Account removed");
    assert_eq!(server.node.accounts.find("ann").await, Ok(None));
}

#[tokio::test]
async fn certificates_are_added_listed_and_removed_and_belong_to_one_account() {
    let server = TestServer::start().await;
    for name in ["ann", "bob"] {
        server.account(name, "sesame").await;
    }
    let fingerprint = "0f".repeat(32);
    let mut ann = server.login("ann", "sesame", &[]).await;
    let mut bob = server.login("bob", "sesame", &[]).await;
    assert!(says(&mut ann, "CERT ADD").await.contains("shown no certificate"));
    assert!(says(&mut ann, "CERT ADD 0f0f").await.contains("64 hexadecimal digits"));
    assert!(says(&mut ann, "CERT LIST").await.contains("No certificate"));
    assert!(
        says(&mut ann, &format!("CERT ADD {}", fingerprint.to_uppercase())).await.contains("logs in to ann")
    );
    assert_eq!(says(&mut ann, "CERT LIST").await, fingerprint);
    assert!(says(&mut bob, &format!("CERT ADD {fingerprint}")).await.contains("another account"));
    assert!(numeric(&ann.ask(&format!("CERT DEL {fingerprint}")).await, "NOTICE").text().contains("no more"));
    assert!(says(&mut bob, &format!("CERT ADD {fingerprint}")).await.contains("logs in to bob"));
    // It goes with its account.
    server.node.accounts.remove("bob").await.expect("it is there");
    assert!(says(&mut ann, &format!("CERT ADD {fingerprint}")).await.contains("logs in to ann"));
    let listed = server.node.accounts.certificates("ann").await.expect("it is there");
    assert_eq!(listed.iter().map(Fingerprint::as_str).collect::<Vec<_>>(), [fingerprint]);
    // An operator's removal ends the sessions: one of them may be a thief's.
    server.node.accounts.withdraw_certificate("ann", &listed[0]).await.expect("it is there");
    numeric(&ann.expect_closed().await, "ERROR");
}

#[tokio::test]
async fn what_a_thief_has_under_way_does_not_undo_an_operators_new_password() {
    let (line, server) = TestServer::start().await.restart_on_a_bad_line().await;
    let own = Fingerprint::of(b"ann's own");
    let cases = [
        ("ann", "PASSWD sesame stolen".to_owned()),
        ("bob", format!("CERT ADD {}", Fingerprint::of(b"the thief's"))),
        ("cat", format!("CERT DEL {own}")),
        ("dan", "DROP".to_owned()),
    ];
    let barley = Password::new("barley").expect("it is legal");
    for (name, words) in cases {
        server.account(name, "sesame").await;
        let accounts = &server.node.accounts;
        let mut thief = server.login(name, "sesame", &[]).await;
        let words = match &*words {
            "DROP" => format!("DROP {}", says(&mut thief, "DROP").await.rsplit(' ').next().expect("a code")),
            _ => words,
        };
        if words.starts_with("CERT DEL") {
            accounts.add_certificate(name, &own).await.expect("it is nobody's");
        }
        let (arrival, go_on) = line.hold_commit(&Partition::account(name));
        thief.send(&format!("NS {words}")).await;
        arrival.await.expect("it is about to be written");
        accounts.passwd(name, &barley).await.expect("the account is there");
        go_on.send(()).expect("it waits");
        assert_eq!(numeric(&thief.expect_closed().await, "ERROR").text(), "Password changed", "{words}");
        accounts.verify(name, "barley").await.unwrap_or_else(|error| panic!("{words}: {error}"));
        let kept = if words.starts_with("CERT DEL") { vec![own.clone()] } else { Vec::new() };
        assert_eq!(accounts.certificates(name).await, Ok(kept), "{words}");
    }
}

#[tokio::test]
async fn help_tells_every_word_that_one_may_say() {
    let server = TestServer::start_with(&OPERATOR).await;
    let mut ann = server.client("ann").await;
    let mut root = operator(&server, "root").await;
    for word in stentor_server::services::nickserv::NICKSERV.words {
        for (client, may) in [(&mut ann, word.privilege.is_none()), (&mut root, true)] {
            let told = says_all(client, "HELP").await;
            assert_eq!(told.iter().any(|line| line.starts_with(word.help.0)), may, "{:?}", word.names);
        }
    }
    assert!(says(&mut ann, "HELP ghost").await.starts_with("GHOST <nick>"));
    assert!(says(&mut ann, "HELP suspend").await.starts_with("SUSPEND <account>"));
    assert!(says(&mut ann, "DANCE").await.contains("HELP"));
    assert!(says(&mut ann, "GHOST").await.contains("GHOST <nick>"));
    assert!(says(&mut ann, "").await.contains("HELP"));
}

#[tokio::test]
async fn whom_it_lets_in_nowhere_is_disconnected_however_it_was_spoken_to() {
    let server = TestServer::start_with(&OPERATOR).await;
    server.account("mallory", "sesame").await;
    operator(&server, "root").await.ask("UBAN ADD mallory").await;
    for words in ["NS", "NICKSERV", "PRIVMSG NickServ"] {
        let mut guest = server.client("guest").await;
        let colon = if words.starts_with("PRIVMSG") { ":" } else { "" };
        guest.send(&format!("{words} {colon}IDENTIFY mallory sesame")).await;
        numeric(&guest.expect_closed().await, "ERROR");
    }
}

/// Says something to NickServ, and returns the answer's first line.
pub(crate) async fn says(client: &mut TestClient, text: &str) -> String {
    let said = says_all(client, text).await;
    said.into_iter().next().expect("it answers")
}

/// Says something to NickServ, and returns all that it answers.
pub(crate) async fn says_all(client: &mut TestClient, text: &str) -> Vec<String> {
    let lines = client.ask(&format!("NS {text}")).await;
    command(&lines, "NOTICE").into_iter().map(|line| line.text().to_owned()).collect()
}
