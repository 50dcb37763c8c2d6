//! PRIVMSG, NOTICE and TAGMSG.

use stentor_server::store::Partition;
use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn a_channel_message_reaches_the_others_once() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    let mut eve = server.client("eve").await;
    ann.ask("JOIN #Room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    for kind in ["PRIVMSG", "NOTICE"] {
        assert!(ann.ask(&format!("{kind} #room :hello all")).await.is_empty());
        let seen = bob.drain_until_pong().await;
        assert_eq!(numeric(&seen, kind).params, ["#Room", "hello all"]);
        assert!(numeric(&seen, kind).source.starts_with("ann!~ann@"));
    }
    assert!(eve.drain_until_pong().await.is_empty());
    assert_eq!(numeric(&eve.ask("PRIVMSG #room :let me in").await, "404").param(1), "#room");
}

#[tokio::test]
async fn a_private_message_reaches_its_person() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("Bob").await;
    assert!(ann.ask("PRIVMSG bob :psst").await.is_empty());
    let seen = bob.drain_until_pong().await;
    assert_eq!(numeric(&seen, "PRIVMSG").params, ["Bob", "psst"]);
    assert_eq!(numeric(&ann.ask("PRIVMSG ann :me").await, "PRIVMSG").params, ["ann", "me"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_said() {
    let server = TestServer::start_with(&[("limits.targets", "2")]).await;
    let mut ann = server.client("ann").await;
    numeric(&ann.ask("PRIVMSG").await, "411");
    numeric(&ann.ask("PRIVMSG ann").await, "412");
    numeric(&ann.ask("PRIVMSG ann :").await, "412");
    assert_eq!(numeric(&ann.ask("PRIVMSG nobody :x").await, "401").param(1), "nobody");
    assert_eq!(numeric(&ann.ask("PRIVMSG #nowhere :x").await, "403").param(1), "#nowhere");
    numeric(&ann.ask("PRIVMSG a,b,c :x").await, "407");
    let lines = ann.ask("PRIVMSG nobody,ann :x").await;
    numeric(&lines, "401");
    numeric(&lines, "PRIVMSG");
}

#[tokio::test]
async fn the_echo_is_what_others_read() {
    let server = TestServer::start().await;
    let capabilities = ["echo-message", "message-tags", "server-time"];
    let mut ann = server.client_with("ann", &capabilities).await;
    let mut bob = server.client_with("bob", &capabilities).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    for target in ["#room", "bob"] {
        let own = ann.ask(&format!("@+mood=merry PRIVMSG {target} :hi")).await;
        let seen = bob.drain_until_pong().await;
        let (own, seen) = (numeric(&own, "PRIVMSG"), numeric(&seen, "PRIVMSG"));
        assert_eq!(own.bare, seen.bare);
        for tag in ["msgid", "time", "+mood"] {
            assert!(own.tag(tag).is_some(), "{tag} is missing in {own:?}");
            assert_eq!(own.tag(tag), seen.tag(tag), "{tag}");
        }
    }
}

#[tokio::test]
async fn tags_are_for_those_who_asked_for_them() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["message-tags"]).await;
    let mut bob = server.client_with("bob", &["message-tags"]).await;
    let mut eve = server.client("eve").await;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.ask("JOIN #room").await;
    }
    ann.drain_until_pong().await;
    bob.drain_until_pong().await;
    assert!(ann.ask("@+typing=active;time=forged;stentor.chat/event=x TAGMSG #room").await.is_empty());
    let seen = bob.drain_until_pong().await;
    let seen = numeric(&seen, "TAGMSG");
    assert_eq!(seen.tag("+typing").as_deref(), Some("active"));
    assert!(!seen.line.contains("forged") && !seen.line.contains("event"), "{seen:?}");
    ann.ask("@+typing=done TAGMSG bob").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "TAGMSG").params, ["bob"]);
    ann.ask("@+x=y PRIVMSG #room :plain").await;
    let plain = eve.drain_until_pong().await;
    assert_eq!(numeric(&plain, "PRIVMSG").line, numeric(&plain, "PRIVMSG").bare);
    assert!(command(&plain, "TAGMSG").is_empty());
}

#[tokio::test]
async fn the_account_is_tagged() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.client_with("bob", &["account-tag"]).await;
    ann.ask("PRIVMSG bob :hi").await;
    let seen = bob.drain_until_pong().await;
    assert_eq!(numeric(&seen, "PRIVMSG").tag("account").as_deref(), Some("ann"));
    bob.ask("PRIVMSG bob :me").await;
}

#[tokio::test]
async fn a_message_to_an_account_that_is_away_from_the_network_waits() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("PRIVMSG carl :later").await, "301").param(1), "carl");
}

#[tokio::test]
async fn a_notice_that_fails_is_not_answered() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    bob.ask("JOIN #room").await;
    bob.ask("MODE #room +m").await;
    for line in ["NOTICE #nowhere :x", "NOTICE nobody :x", "NOTICE #room :x", "NOTICE bob", "NOTICE"] {
        assert!(ann.ask(line).await.is_empty(), "{line}");
    }
}

#[tokio::test]
async fn what_is_only_tags_has_an_id_that_all_see() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["message-tags", "echo-message"]).await;
    let mut bob = server.client_with("bob", &["message-tags"]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let own = numeric(&ann.ask("@+typing=active TAGMSG bob").await, "TAGMSG").tag("msgid");
        assert!(own.is_some());
        assert_eq!(bob.expect_numeric("TAGMSG").await.tag("msgid"), own);
        ids.push(own);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn denied_tags_are_taken_off_and_said_to_be() {
    for (denied, passes, token) in [
        (r#"["typing"]"#, "+draft/react=x", "CLIENTTAGDENY=typing"),
        (r#"["*", "-draft/react"]"#, "+draft/react=x", "CLIENTTAGDENY=*,-draft/react"),
    ] {
        let server = TestServer::start_with(&[("messages.denied_tags", denied)]).await;
        let mut ann = server.client_with("ann", &["message-tags"]).await;
        let mut bob = server.client_with("bob", &["message-tags"]).await;
        let supported = ann.ask("VERSION").await;
        assert!(supported.iter().any(|line| line.params.iter().any(|one| one == token)), "{supported:?}");
        ann.ask("@+typing=active;+draft/react=x PRIVMSG bob :hi").await;
        let told = bob.expect_numeric("PRIVMSG").await;
        assert!(told.line.contains(passes) && !told.line.contains("typing"), "{}", told.line);
    }
}

#[tokio::test]
async fn clients_tags_are_passed_on_whatever_their_keys_and_each_once() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["message-tags"]).await;
    let mut bob = server.client_with("bob", &["message-tags"]).await;
    ann.ask("@+my_tag=1;+a=first;+;+a=last TAGMSG bob").await;
    let lines = bob.drain_until_pong().await;
    let told = &numeric(&lines, "TAGMSG").line;
    assert!(told.contains("+my_tag=1;+a=last") && !told.contains("first"), "{told}");
}

#[tokio::test]
async fn reactions_are_stored_and_typing_is_not() {
    let server = TestServer::start().await;
    let wanted = ["message-tags", "echo-message"];
    let mut ann = server.client_with("ann", &wanted).await;
    let mut bob = server.client_with("bob", &wanted).await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #room").await;
    }
    ann.drain_until_pong().await;
    let entries = |server: &TestServer| {
        let room = server.node.hub.find(&Partition::channel("#room")).expect("somebody is there");
        room.last()
    };
    let before = entries(&server);
    ann.ask("@+typing=active TAGMSG #room").await;
    assert_eq!(entries(&server), before);
    for target in ["#room", "bob"] {
        bob.drain_until_pong().await;
        let own = ann.ask(&format!("@+draft/react=yes;+draft/reply=123 TAGMSG {target}")).await;
        let own = numeric(&own, "TAGMSG");
        let seen = bob.drain_until_pong().await;
        let seen = numeric(&seen, "TAGMSG");
        assert_eq!(
            (seen.tag("+draft/react"), seen.tag("+draft/reply")),
            (Some("yes".into()), Some("123".into()))
        );
        assert_eq!(seen.tag("msgid"), own.tag("msgid"));
    }
    assert_ne!(entries(&server), before);
    ann.ask("CAP REQ :draft/event-playback batch").await;
    bob.ask("CAP REQ :draft/event-playback batch").await;
    let asked = [
        ("#room", ann.ask("CHATHISTORY LATEST #room * 50").await),
        ("bob", ann.ask("CHATHISTORY LATEST bob * 50").await),
        ("ann", bob.ask("CHATHISTORY LATEST ann * 50").await),
    ];
    for (target, lines) in &asked {
        let kept = command(lines, "TAGMSG");
        assert_eq!(kept.len(), 1, "{target}: {lines:#?}");
        assert_eq!(kept[0].tag("+draft/react").as_deref(), Some("yes"));
    }
}
