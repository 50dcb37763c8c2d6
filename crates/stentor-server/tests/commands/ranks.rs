//! Members' ranks: who may do what to whom, and messages to a rank.

use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// Clients in `#room`, the first of whom is its operator and has given each other one the letter behind the name.
async fn room(server: &TestServer, people: &[(&str, &str)]) -> Vec<TestClient> {
    let mut clients = Vec::new();
    for (nick, _) in people {
        let mut client = server.client(nick).await;
        client.ask("JOIN #room").await;
        clients.push(client);
    }
    for (nick, letter) in people.iter().filter(|(_, letter)| !letter.is_empty()) {
        let own = clients[0].ask(&format!("MODE #room +{letter} {nick}")).await;
        numeric(&own, "MODE");
    }
    for client in &mut clients {
        client.drain_until_pong().await;
    }
    clients
}

fn names(lines: &[Said]) -> Vec<String> {
    let mut names: Vec<String> = command(lines, "353")
        .iter()
        .flat_map(|line| line.text().split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_founders_account_has_the_highest_rank_at_every_join() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &["multi-prefix"]).await;
    let mut bob = server.client("bob").await;
    assert_eq!(names(&ann.ask("JOIN #room").await), ["~@ann"]);
    bob.ask("JOIN #room").await;
    for letter in ["a", "q"] {
        assert_eq!(
            numeric(&ann.ask(&format!("MODE #room +{letter} bob")).await, "MODE").params[1],
            format!("+{letter}")
        );
        bob.drain_until_pong().await;
        numeric(&ann.ask(&format!("MODE #room -{letter} bob")).await, "MODE");
    }
    ann.ask("PART #room").await;
    bob.drain_until_pong().await;
    ann.ask("JOIN #room").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "MODE").params, ["#room", "+qo", "ann", "ann"]);
    assert_eq!(names(&bob.ask("NAMES #room").await), ["bob", "~ann"]);
}

#[tokio::test]
async fn no_ban_and_no_limit_keeps_a_founder_out() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +o bob").await;
    ann.ask("PART #room").await;
    bob.drain_until_pong().await;
    numeric(&bob.ask("MODE #room +blik *!*@* 1 key").await, "MODE");
    numeric(&ann.ask("JOIN #room").await, "JOIN");
}

#[tokio::test]
async fn the_lower_cannot_kick_the_higher() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    let mut clients = Vec::new();
    for (nick, letter) in [("adm", "a"), ("opa", "o"), ("opb", "o"), ("hal", "h"), ("vic", "v"), ("bob", "")]
    {
        let mut client = server.client(nick).await;
        client.ask("JOIN #room").await;
        if !letter.is_empty() {
            ann.ask(&format!("MODE #room +{letter} {nick}")).await;
        }
        clients.push(client);
    }
    let [adm, opa, _, hal, vic, bob] = &mut clients[..] else { panic!("there are six") };
    for client in [&mut *adm, &mut *opa, &mut *hal, &mut *vic, &mut *bob] {
        client.drain_until_pong().await;
    }
    for (who, whom) in [(&mut *vic, "bob"), (&mut *bob, "vic")] {
        numeric(&who.ask(&format!("KICK #room {whom}")).await, "482");
    }
    for whom in ["opa", "adm", "ann"] {
        numeric(&hal.ask(&format!("KICK #room {whom}")).await, "482");
    }
    for whom in ["adm", "ann"] {
        numeric(&opa.ask(&format!("KICK #room {whom}")).await, "482");
    }
    numeric(&adm.ask("KICK #room ann").await, "482");
    assert_eq!(numeric(&hal.ask("KICK #room vic").await, "KICK").param(1), "vic");
    for (who, whom) in [(&mut *opa, "opb"), (&mut *adm, "opa"), (&mut ann, "adm")] {
        who.drain_until_pong().await;
        assert_eq!(numeric(&who.ask(&format!("KICK #room {whom}")).await, "KICK").param(1), whom);
    }
}

#[tokio::test]
async fn ranks_are_given_by_those_above_and_laid_down_by_their_bearers() {
    let server = TestServer::start().await;
    let mut clients = room(&server, &[("op", ""), ("hal", "h"), ("bob", "")]).await;
    let [op, hal, bob] = &mut clients[..] else { panic!("there are three") };
    for change in ["+q bob", "+a bob", "-q op", "+q op"] {
        let refused = op.ask(&format!("MODE #room {change}")).await;
        assert!(command(&refused, "MODE").is_empty(), "{change}: {refused:?}");
        if !change.starts_with('-') {
            numeric(&refused, "482");
        }
    }
    for change in ["+h bob", "+o hal", "-o op", "+n", "+s"] {
        numeric(&hal.ask(&format!("MODE #room {change}")).await, "482");
    }
    for change in ["+v bob", "-v bob", "+m", "-m", "+b *!*@evil", "+i"] {
        numeric(&hal.ask(&format!("MODE #room {change}")).await, "MODE");
    }
    numeric(&hal.ask("TOPIC #room :by a halfop").await, "TOPIC");
    numeric(&hal.ask("INVITE nobody #room").await, "401");
    numeric(&bob.ask("MODE #room +v bob").await, "482");
    assert_eq!(numeric(&hal.ask("MODE #room -h hal").await, "MODE").params[1..], ["-h", "hal"]);
    numeric(&hal.ask("MODE #room +m").await, "482");
}

#[tokio::test]
async fn several_refused_changes_are_refused_once() {
    let server = TestServer::start().await;
    let mut clients = room(&server, &[("op", ""), ("bob", "")]).await;
    let lines = clients[1].ask("MODE #room +mnov bob bob").await;
    assert_eq!(command(&lines, "482").len(), 2, "one for halfops' modes, one for operators': {lines:?}");
}

#[tokio::test]
async fn a_message_to_a_rank_reaches_it_and_those_above() {
    let server = TestServer::start().await;
    let mut clients = room(&server, &[("op", ""), ("hal", "h"), ("vic", "v"), ("bob", "")]).await;
    let heard = |lines: &[Said]| -> Vec<String> {
        command(lines, "PRIVMSG").iter().map(|line| format!("{} {}", line.param(0), line.text())).collect()
    };
    for target in ["@#ROOM", "%#room", "+#room", "+@#room", "~#room", "#room"] {
        assert!(clients[3].ask(&format!("PRIVMSG {target} :to {target}")).await.is_empty(), "{target}");
    }
    let [op, hal, vic, bob] = &mut clients[..] else { panic!("there are four") };
    let all =
        ["@#room to @#ROOM", "%#room to %#room", "+#room to +#room", "+#room to +@#room", "#room to #room"];
    assert_eq!(heard(&op.drain_until_pong().await), all);
    assert_eq!(heard(&hal.drain_until_pong().await), all[1..]);
    assert_eq!(heard(&vic.drain_until_pong().await), all[2..]);
    bob.ask("NOTICE @#room :psst").await;
    assert_eq!(numeric(&op.drain_until_pong().await, "NOTICE").params, ["@#room", "psst"]);
    assert!(vic.drain_until_pong().await.is_empty());
    numeric(&bob.ask("PRIVMSG @#nowhere :hi").await, "403");
    let mut eve = server.client("eve").await;
    numeric(&eve.ask("PRIVMSG @#room :hi").await, "404");
}

#[tokio::test]
async fn a_message_to_a_rank_is_echoed_and_carries_no_mark_of_ours() {
    let server = TestServer::start().await;
    let caps = ["echo-message", "message-tags", "labeled-response", "batch"];
    let mut op = server.client_with("op", &caps).await;
    let mut bob = server.client_with("bob", &caps).await;
    op.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    op.drain_until_pong().await;
    let own = bob.ask("@label=x;+mood=low;stentor.chat/rank=q PRIVMSG @#room :help").await;
    let own = numeric(&own, "PRIVMSG");
    assert_eq!((own.param(0), own.tag("label").as_deref()), ("@#room", Some("x")));
    let heard = op.drain_until_pong().await;
    let heard = numeric(&heard, "PRIVMSG");
    assert!(!heard.line.contains("stentor.chat/") && heard.line.contains("+mood=low"), "{heard:?}");
    assert_eq!(heard.tag("msgid"), own.tag("msgid"));
    bob.ask("@+typing=active TAGMSG @#room").await;
    assert_eq!(numeric(&op.drain_until_pong().await, "TAGMSG").param(0), "@#room");
}

#[tokio::test]
async fn history_shows_what_was_said_to_a_rank_to_those_who_have_it() {
    let server = TestServer::start().await;
    let mut clients = room(&server, &[("op", ""), ("vic", "v"), ("bob", "")]).await;
    for target in ["#room", "+#room", "@#room"] {
        clients[0].ask(&format!("PRIVMSG {target} :to {target}")).await;
    }
    let mut read = Vec::new();
    for client in &mut clients {
        client.drain_until_pong().await;
        let page = client.ask("CHATHISTORY LATEST #room * 10").await;
        read.push(command(&page, "PRIVMSG").iter().map(|line| line.text().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(read[0], ["to #room", "to +#room", "to @#room"]);
    assert_eq!(read[1], ["to #room", "to +#room"]);
    assert_eq!(read[2], ["to #room"]);
}
