//! ChanServ: channels that last, in the words that people know.

use stentor_server::store::{Partition, StoreTime};
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

use crate::oper::{OPERATOR, operator};

async fn server(accounts: &[&str]) -> TestServer {
    server_with(accounts, &[]).await
}

async fn server_with(accounts: &[&str], settings: &[(&str, &str)]) -> TestServer {
    let server = TestServer::start_with(settings).await;
    for account in accounts {
        server.account(account, "secret").await;
    }
    server
}

/// Says something to ChanServ, and returns its answer.
async fn says(client: &mut TestClient, text: &str) -> String {
    answer(&client.ask(&format!("CS {text}")).await)
}

fn answer(lines: &[Said]) -> String {
    let said: Vec<&str> = command(lines, "NOTICE")
        .into_iter()
        .filter(|line| line.source.starts_with("ChanServ!ChanServ@"))
        .map(Said::text)
        .collect();
    assert!(!said.is_empty(), "{lines:?}");
    said.join("\n")
}

/// Says something to ChanServ that is to be done or refused with words like these.
async fn told(client: &mut TestClient, text: &str, wanted: &str) {
    let said = says(client, text).await;
    assert!(said.contains(wanted), "{text}: {said}");
}

/// Gives up a channel, saying so twice.
async fn give_up(client: &mut TestClient, room: &str) -> String {
    let asked = says(client, &format!("DROP {room}")).await;
    let code = asked.rsplit(' ').next().expect("a code").to_owned();
    says(client, &format!("UNREGISTER {room} {code}")).await
}

/// Who is in a channel, with all their signs.
async fn names(client: &mut TestClient, room: &str) -> Vec<String> {
    let lines = client.ask(&format!("NAMES {room}")).await;
    let mut names: Vec<String> = command(&lines, "353")
        .iter()
        .flat_map(|line| line.text().split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    names.sort();
    names
}

async fn notes_of(server: &TestServer, account: &str) -> Vec<String> {
    let snapshot = server.node.hub.store().snapshot(&Partition::account(account)).await.expect("it is read");
    let fields = snapshot.map(|snapshot| snapshot.fields).unwrap_or_default();
    fields.into_iter().filter_map(|(name, _)| name.strip_prefix("founded:").map(str::to_owned)).collect()
}

async fn exists(server: &TestServer, room: &str) -> bool {
    let peek = server.node.hub.store().peek_one(&Partition::channel(room), &[]).await.expect("it is read");
    peek.epoch.is_some()
}

#[tokio::test]
async fn an_operator_of_a_guests_room_becomes_its_founder() {
    let server = server(&["ann", "bob"]).await;
    let mut guest = server.client("guest").await;
    let mut ann = server.login("ann", "secret", &["multi-prefix"]).await;
    guest.ask("JOIN #Room").await;
    ann.ask("JOIN #room").await;
    told(&mut guest, "REGISTER #room", "takes an account").await;
    told(&mut ann, "REGISTER #room", "not an operator of #Room").await;
    told(&mut ann, "REGISTER #nowhere", "no channel #nowhere").await;
    told(&mut ann, "REGISTER room", "no channel room").await;
    guest.ask("MODE #room +o ann").await;
    ann.drain_until_pong().await;
    let lines = ann.ask("PRIVMSG ChanServ :register #room").await;
    assert!(answer(&lines).contains("You are the founder of #Room now"), "{lines:?}");
    let mode = numeric(&lines, "MODE");
    assert_eq!(mode.params, ["#Room", "+q", "ann"]);
    assert!(mode.source.starts_with("ChanServ!"), "{mode:?}");
    assert_eq!(numeric(&guest.drain_until_pong().await, "MODE").params, ["#Room", "+q", "ann"]);
    assert_eq!(names(&mut ann, "#room").await, ["@guest", "~@ann"]);
    assert_eq!(notes_of(&server, "ann").await, ["#room"]);
    told(&mut ann, "REGISTER #room", "#Room is yours, and stays").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +o bob").await;
    told(&mut bob, "REGISTER #room", "has a founder already: ann").await;
    // It outlives its members now, and its founder comes back as one.
    for client in [&mut guest, &mut ann, &mut bob] {
        client.send("QUIT").await;
        client.expect_closed().await;
    }
    let mut ann = server.login("ann", "secret", &[]).await;
    assert_eq!(numeric(&ann.ask("JOIN #room").await, "MODE").params, ["#Room", "+qo", "ann", "ann"]);
}

#[tokio::test]
async fn a_room_counts_for_its_founder_from_register_to_drop() {
    let server = server_with(&["ann"], &[("channels.max_founded", "1")]).await;
    let mut guest = server.client("guest").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    guest.ask("JOIN #one,#two").await;
    ann.ask("JOIN #one,#two").await;
    guest.ask("MODE #one +o ann").await;
    guest.ask("MODE #two +o ann").await;
    told(&mut ann, "REGISTER #one", "You are the founder").await;
    told(&mut ann, "REGISTER #two", "founded too many").await;
    assert_eq!(notes_of(&server, "ann").await, ["#one"]);
    told(&mut ann, "DROP #one nonsense", "DROP #one ").await;
    told(&mut guest, "DROP #one", "Only the founder").await;
    assert!(give_up(&mut ann, "#one").await.contains("has no founder any more"));
    assert_eq!(names(&mut guest, "#one").await, ["@ann", "@guest"]);
    assert!(notes_of(&server, "ann").await.is_empty());
    told(&mut ann, "DROP #one", "has no founder: there is nothing to give up").await;
    told(&mut ann, "REGISTER #two", "You are the founder").await;
    for client in [&mut guest, &mut ann] {
        client.ask("PART #one").await;
    }
    assert!(!exists(&server, "#one").await, "it ends with its last member");
}

#[tokio::test]
async fn a_dropped_room_in_which_nobody_is_ends_at_once() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "ACCESS #room ADD bob", "bob is an operator of #room").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut ann = server.login("ann", "secret", &[]).await;
    assert!(exists(&server, "#room").await);
    assert!(give_up(&mut ann, "#room").await.contains("has ended"));
    assert!(!exists(&server, "#room").await && notes_of(&server, "ann").await.is_empty());
    let mut bob = server.login("bob", "secret", &[]).await;
    assert!(command(&bob.ask("JOIN #room").await, "MODE").is_empty(), "it is bob's own, and another one");
    told(&mut bob, "INFO #room", "Its founder is bob.").await;
}

#[tokio::test]
async fn a_room_is_handed_over_to_who_accepts_it() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &["multi-prefix"]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +s").await;
    told(&mut bob, "TRANSFER ACCEPT #room", "no channel #room").await;
    told(&mut ann, "TRANSFER #room nobody", "no account nobody").await;
    told(&mut ann, "TRANSFER #room ann", "offered it to nobody").await;
    told(&mut ann, "TRANSFER #room bob", "offered to bob, and stays yours").await;
    assert!(bob.expect_numeric("NOTICE").await.text().contains("TRANSFER ACCEPT #room"));
    told(&mut ann, "TRANSFER #room Ann", "You keep #room").await;
    told(&mut bob, "TRANSFER ACCEPT #room", "no channel #room").await;
    told(&mut ann, "TRANSFER #room Bob", "offered to bob").await;
    told(&mut bob, "LIST", "#room: it is offered to you").await;
    told(&mut bob, "TRANSFER #room bob", "Only the founder").await;
    told(&mut bob, "TRANSFER accept #ROOM", "You are the founder of #room now").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "MODE").params, ["#room", "-q", "ann"]);
    assert_eq!(names(&mut ann, "#room").await, ["@ann"]);
    assert_eq!((notes_of(&server, "ann").await.len(), notes_of(&server, "bob").await.len()), (0, 1));
    told(&mut ann, "TRANSFER #room ann", "Only the founder").await;
    assert_eq!(numeric(&bob.ask("JOIN #room").await, "MODE").params, ["#room", "+qo", "bob", "bob"]);
    bob.ask("PART #room").await;
    assert!(exists(&server, "#room").await, "ann is there");
    ann.ask("PART #room").await;
    assert!(exists(&server, "#room").await, "it is bob's");
}

#[tokio::test]
async fn who_has_founded_as_many_as_allowed_is_handed_no_more() {
    let settings = [OPERATOR[0], OPERATOR[1], ("channels.max_founded", "1")];
    let server = server_with(&["ann", "bob"], &settings).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #anns").await;
    bob.ask("JOIN #bobs").await;
    told(&mut ann, "TRANSFER #anns bob", "is offered").await;
    told(&mut bob, "TRANSFER ACCEPT #anns", "founded too many").await;
    let mut root = operator(&server, "root").await;
    told(&mut root, "TRANSFER #anns bob", "as many channels as an account may").await;
    told(&mut ann, "INFO #anns", "Its founder is ann.").await;
}

#[tokio::test]
async fn a_standing_right_comes_with_every_join_and_at_once() {
    let server = server(&["ann", "bob", "cat"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &["multi-prefix"]).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    told(&mut ann, "AMODE #room +a Bob", "bob is an admin of #room").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "MODE").params, ["#room", "+ao", "bob", "bob"]);
    told(&mut ann, "AMODE #room +a bob", "already").await;
    bob.ask("PART #room").await;
    assert_eq!(numeric(&bob.ask("JOIN #room").await, "MODE").params, ["#room", "+ao", "bob", "bob"]);
    assert_eq!(names(&mut bob, "#room").await, ["&@bob", "~@ann"]);
    // Another rank takes the place of the one before, among those who are there too.
    told(&mut ann, "ACCESS #room ADD bob voice", "bob is a voice of #room").await;
    assert_eq!(
        numeric(&bob.drain_until_pong().await, "MODE").params,
        ["#room", "-ao+v", "bob", "bob", "bob"]
    );
    told(&mut ann, "VOP #room DEL bob", "no standing right in #room any more").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "MODE").params, ["#room", "-v", "bob"]);
    bob.ask("PART #room").await;
    assert!(command(&bob.ask("JOIN #room").await, "MODE").is_empty());
    for (line, wanted) in [
        ("AMODE #room +o nobody", "no account nobody"),
        ("AMODE #room -o bob", "not an operator of #room by standing right"),
        ("AMODE #room +q bob", "TRANSFER #room"),
        ("AMODE #room +o ann", "ann is the founder"),
        ("AMODE #room +ov bob", "one rank"),
        ("AMODE #room +x bob", "a, o, h and v"),
        ("ACCESS #room ADD bob king", "no rank king"),
        ("ACCESS #room DANCE", "Syntax:"),
        ("ACCESS #room DEL bob", "no standing right"),
        ("AMODE #elsewhere +o bob", "no channel #elsewhere"),
    ] {
        told(&mut ann, line, wanted).await;
    }
}

#[tokio::test]
async fn rights_are_given_by_those_whose_own_last() {
    let server = server(&["ann", "adm", "opa", "bob"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "SOP #room ADD adm", "an admin").await;
    told(&mut ann, "FLAGS #room opa +O", "an operator").await;
    let mut adm = server.login("adm", "secret", &[]).await;
    let mut opa = server.login("opa", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +o bob").await;
    told(&mut bob, "AMODE #room +v bob", "takes a higher standing right").await;
    told(&mut bob, "ACCESS #room", "opa is an operator (+o), by ann").await;
    // Nobody need be there for that.
    told(&mut opa, "AMODE #room -a adm", "takes a higher standing right").await;
    told(&mut opa, "AMODE #room +a bob", "takes a higher standing right").await;
    told(&mut opa, "AMODE #room +h bob", "bob is a halfop").await;
    told(&mut adm, "AMODE #room +a bob", "takes a higher standing right").await;
    told(&mut adm, "AMODE #room -o opa", "no standing right").await;
    told(&mut opa, "AMODE #room +v opa", "takes a higher standing right").await;
    told(&mut adm, "FLAGS #room adm -*", "no standing right").await;
    assert_eq!(
        says(&mut ann, "AMODE #room").await.split(", by ").next(),
        Some("ann is the founder (+q).\nbob is a halfop (+h)")
    );
    told(&mut ann, "AOP #room LIST", "Nobody").await;
    told(&mut adm, "ACCESS #room LIST", "Only those with a standing right").await;
    told(&mut adm, "INFO #room", "Standing rights: 1.").await;
}

#[tokio::test]
async fn no_ban_keeps_those_out_who_keep_order() {
    let server = server(&["ann", "hal", "vic"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "HOP #room ADD hal", "a halfop").await;
    told(&mut ann, "VOP #room ADD vic", "a voice").await;
    ann.ask("MODE #room +biklR a:* key 1").await;
    let mut hal = server.login("hal", "secret", &[]).await;
    let mut vic = server.login("vic", "secret", &[]).await;
    assert_eq!(numeric(&hal.ask("JOIN #room").await, "MODE").params, ["#room", "+h", "hal"]);
    numeric(&vic.ask("JOIN #room").await, "474");
    told(&mut vic, "UNBAN #room", "Only halfops").await;
    told(&mut vic, "INVITE #room", "You are banned from #room").await;
    numeric(&vic.ask("JOIN #room").await, "474");
    let mut eve = server.client("eve").await;
    told(&mut eve, "INVITE #room", "no standing right").await;
    told(&mut hal, "HOWTOBAN #room vic", "MODE #room +b a:vic").await;
    told(&mut hal, "HOWTOBAN #room eve", "MODE #room +b *!*@").await;
    told(&mut hal, "HOWTOBAN #room ann", "passes bans").await;
    told(&mut eve, "HOWTOBAN #room vic", "Only halfops").await;
    told(&mut hal, "UNBAN #room eve", "No ban in #room hits eve").await;
    told(&mut hal, "UNBAN #room vic", "Lifted in #room: a:*").await;
    // What else keeps people out, an invitation passes.
    numeric(&vic.ask("JOIN #room").await, "473");
    let lines = vic.ask("CS INVITE #room").await;
    assert_eq!(numeric(&lines, "INVITE").params, ["vic", "#room"]);
    assert_eq!(numeric(&vic.ask("INVITE").await, "336").param(1), "#room");
    assert_eq!(numeric(&vic.ask("JOIN #room").await, "MODE").params, ["#room", "+v", "vic"]);
    told(&mut vic, "INVITE #room", "in #room already").await;
    let lines = ann.drain_until_pong().await;
    let modes: Vec<String> = command(&lines, "MODE").iter().map(|line| line.params[1..].join(" ")).collect();
    assert_eq!(modes, ["+h hal", "-b a:*", "+v vic"]);
}

#[tokio::test]
async fn ranks_are_taken_up_and_laid_down_in_words() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &["multi-prefix"]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    let mut eve = server.client("eve").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    eve.ask("JOIN #room").await;
    told(&mut ann, "DEOP #room", "has that rank in #room no more").await;
    assert_eq!(names(&mut ann, "#room").await, ["ann", "bob", "eve"]);
    told(&mut ann, "OP #room", "ann is an operator").await;
    assert_eq!(names(&mut ann, "#room").await, ["bob", "eve", "~@ann"]);
    told(&mut ann, "OP #room", "already").await;
    told(&mut bob, "OP #room", "no standing right in #room").await;
    told(&mut bob, "OP #room eve", "may not make somebody an operator").await;
    told(&mut bob, "DEOP #room ann", "too high").await;
    told(&mut ann, "HALFOP #room bob", "bob is a halfop").await;
    told(&mut bob, "VOICE #room eve", "eve is a voice").await;
    told(&mut bob, "DEVOICE #room eve", "no more").await;
    told(&mut bob, "DEHALFOP #room", "no more").await;
    told(&mut bob, "DEVOICE #room", "no such rank").await;
    told(&mut ann, "VOICE #room zoe", "zoe is not in #room").await;
    // From outside, too, by a standing right alone.
    told(&mut ann, "AOP #room ADD bob", "an operator").await;
    bob.ask("PART #room").await;
    told(&mut bob, "VOICE #room eve", "eve is a voice").await;
    told(&mut bob, "OP #room", "You are not in #room").await;
    told(&mut bob, "TOPIC #room from  outside", "is changed").await;
    told(&mut eve, "TOPIC #room", "is: from outside").await;
    told(&mut eve, "TOPIC #room mine", "Only halfops").await;
    assert_eq!(numeric(&eve.ask("TOPIC #room").await, "332").text(), "from outside");
}

#[tokio::test]
async fn a_ban_in_the_words_of_services_throws_out_whom_it_hits() {
    let settings = [("channels.list_max", "2")];
    let server = server_with(&["ann", "bob", "opa"], &settings).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    let mut opa = server.login("opa", "secret", &[]).await;
    let mut eve = server.client("eve").await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "AOP #room ADD opa", "an operator").await;
    for client in [&mut opa, &mut bob, &mut eve] {
        client.ask("JOIN #room").await;
    }
    told(&mut bob, "AKICK #room ADD eve", "Only halfops").await;
    let lines = opa.ask("CS AKICK #room ADD Bob").await;
    assert!(answer(&lines).contains("a:bob is banned from #room. Thrown out: 1."), "{lines:?}");
    assert_eq!(numeric(&lines, "MODE").params, ["#room", "+b", "a:bob"]);
    assert_eq!(numeric(&lines, "KICK").params[..2], ["#room", "bob"]);
    assert!(bob.expect_numeric("KICK").await.source.starts_with("ChanServ!"));
    numeric(&bob.ask("JOIN #room").await, "474");
    told(&mut opa, "AKICK #room ADD bob", "already").await;
    // Of those whom it hits, the founder is above, and whoever asks stays.
    told(&mut opa, "AKICK #room ADD *!*@*", "*!*@* is banned from #room. Thrown out: 1.").await;
    assert_eq!(names(&mut ann, "#room").await, ["@opa", "~ann"]);
    told(&mut opa, "AKICK #room ADD zoe!*@*", "are full").await;
    told(&mut opa, "AKICK #room LIST", "a:bob, by opa!").await;
    told(&mut opa, "AKICK #room DEL zoe!*@*", "not banned").await;
    told(&mut opa, "AKICK #room DEL bob", "not banned from #room any more").await;
    told(&mut opa, "UNBAN #room bob", "Lifted in #room: *!*@*").await;
    told(&mut opa, "AKICK #room LIST", "Nobody").await;
    // Who is only muted is not thrown out.
    told(&mut opa, "AKICK #room ADD m:ann", "m:ann!*@* is muted in #room, and stays there.").await;
    told(&mut opa, "AKICK #room ADD m:ann", "is muted in #room already").await;
    told(&mut opa, "AKICK #room DEL m:ann", "is not muted in #room any more").await;
    numeric(&bob.ask("JOIN #room").await, "JOIN");
}

#[tokio::test]
async fn a_ban_in_the_words_of_services_has_the_reason_that_was_given_and_no_time() {
    let server = server(&["ann"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut eve = server.client("eve").await;
    ann.ask("JOIN #room").await;
    eve.ask("JOIN #room").await;
    for flag in ["!T 1h spam", "!t 5", "!P spam"] {
        told(&mut ann, &format!("AKICK #room ADD eve!*@* {flag}"), "last until they are lifted").await;
    }
    told(&mut ann, "AKICK #room ADD m:eve!*@* spam", "nobody would read the reason").await;
    told(&mut ann, "AKICK #room LIST", "Nobody is banned").await;
    told(&mut ann, "AKICK #room ADD eve!*@* no spam here", "Thrown out: 1.").await;
    assert_eq!(eve.expect_numeric("KICK").await.text(), "no spam here");
    told(&mut ann, "AKICK #room DEL eve!*@* eva!*@*", "Syntax: AKICK").await;
}

#[tokio::test]
async fn words_that_would_not_be_heeded_are_refused() {
    let server = server(&["ann", "dave", "carol"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    for word in [
        "AMODE #room +o dave carol",
        "ACCESS #room ADD dave op carol",
        "ACCESS #room DEL dave carol",
        "ACCESS #room LIST dave",
        "AOP #room ADD dave carol",
        "AOP #room LIST dave",
        "OP #room dave carol",
        "INVITE #room dave",
    ] {
        told(&mut ann, word, "Syntax: ").await;
    }
    told(&mut ann, "ACCESS #room LIST", "ann is the founder").await;
}

#[tokio::test]
async fn what_is_too_long_for_a_line_is_told_in_several() {
    let server = server(&["ann"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    let nick = "e".repeat(24);
    let _eve = server.client(&nick).await;
    let masks: Vec<String> = (1..=24).map(|count| format!("{}!*@*", "e*".repeat(count))).collect();
    for mask in &masks {
        ann.ask(&format!("MODE #room +b {mask}")).await;
    }
    let lines = ann.ask(&format!("CS UNBAN #room {nick}")).await;
    assert!(command(&lines, "NOTICE").len() > 1, "{lines:?}");
    assert!(lines.iter().all(|line| line.bare.len() <= 510), "{lines:?}");
    let said = answer(&lines);
    for mask in &masks {
        assert!(said.split_ascii_whitespace().any(|word| word == mask), "{mask}: {said}");
    }
}

#[tokio::test]
async fn a_founder_clears_a_room_of_people_bans_and_rights() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    let mut eve = server.client("eve").await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "AOP #room ADD bob", "an operator").await;
    bob.ask("JOIN #room").await;
    eve.ask("JOIN #room").await;
    told(&mut bob, "CLEAR #room USERS", "Only the founder").await;
    told(&mut ann, "CLEAR #room DANCE", "Syntax:").await;
    told(&mut ann, "CLEAR #room BANS", "nothing of that kind").await;
    bob.ask("MODE #room +beI x!*@* y!*@* z!*@*").await;
    told(&mut ann, "CLEAR #room BANS", "no bans any more").await;
    assert!(command(&ann.ask("MODE #room +b").await, "367").is_empty());
    assert_eq!(command(&ann.ask("MODE #room +e").await, "348").len(), 1);
    told(&mut ann, "CLEAR #room ACCESS", "its founder stays").await;
    assert!(command(&ann.ask("MODE #room +e").await, "348").is_empty());
    assert_eq!(names(&mut ann, "#room").await, ["bob", "eve", "~ann"]);
    told(&mut ann, "CLEAR #room USERS", "2 were thrown out").await;
    assert_eq!(names(&mut ann, "#room").await, ["~ann"]);
    for client in [&mut bob, &mut eve] {
        let lines = client.collect_until("KICK").await;
        assert!(lines.last().expect("a KICK").source.starts_with("ChanServ!"));
        numeric(&client.ask("PRIVMSG #room :hello?").await, "404");
    }
    assert_eq!(names(&mut ann, "#room").await, ["~ann"]);
}

#[tokio::test]
async fn a_founders_room_is_as_it_was_when_nobody_was_in_it_and_after_a_restart() {
    let server = server(&["ann", "bob", "eve"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #Room").await;
    ann.ask("TOPIC #room :as it was").await;
    ann.ask("MODE #room +skbeI key a:eve x!*@* y!*@*").await;
    told(&mut ann, "ACCESS #room ADD bob halfop", "a halfop").await;
    told(&mut ann, "TRANSFER #room bob", "is offered").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let server = server.restart(&[]).await;
    let mut eve = server.login("eve", "secret", &[]).await;
    numeric(&eve.ask("JOIN #room key").await, "474");
    told(&mut eve, "INFO #room", "no channel #room").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    told(&mut bob, "LIST", "#Room: you are a halfop").await;
    let lines = bob.ask("JOIN #room").await;
    assert_eq!(numeric(&lines, "332").text(), "as it was");
    assert_eq!(numeric(&lines, "MODE").params, ["#Room", "+h", "bob"]);
    assert_eq!(numeric(&bob.ask("MODE #room").await, "324").params[1..], ["#Room", "+nstk", "key"]);
    for (letter, row) in [('b', "367"), ('e', "348"), ('I', "346")] {
        assert_eq!(command(&bob.ask(&format!("MODE #room +{letter}")).await, row).len(), 1, "{letter}");
    }
    told(&mut bob, "TRANSFER ACCEPT #room", "You are the founder").await;
}

#[tokio::test]
async fn a_room_whose_founder_is_removed_is_its_operators_to_register_or_ends() {
    let server = server(&["ann", "bob", "cat"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    ann.ask("JOIN #peopled,#kept,#empty").await;
    bob.ask("JOIN #peopled,#kept").await;
    ann.ask("MODE #peopled +o bob").await;
    told(&mut ann, "AOP #kept ADD cat", "an operator").await;
    told(&mut ann, "HOP #kept ADD bob", "a halfop").await;
    ann.ask("MODE #kept +o bob").await;
    told(&mut bob, "REGISTER #peopled", "has a founder already").await;
    server.node.accounts.remove("ann").await.expect("it is there");
    ann.expect_closed().await;
    told(&mut bob, "REGISTER #peopled", "You are the founder").await;
    let mut cat = server.login("cat", "secret", &[]).await;
    while exists(&server, "#empty").await {}
    told(&mut cat, "INFO #kept", "Its operators by standing right can register it").await;
    // What one is for the moment is not enough where others were trusted for good.
    assert!(names(&mut bob, "#kept").await.contains(&"@bob".to_owned()));
    told(&mut bob, "REGISTER #kept", "has operators by standing right").await;
    told(&mut cat, "REGISTER #kept", "not an operator of #kept").await;
    numeric(&cat.ask("JOIN #kept").await, "MODE");
    told(&mut cat, "REGISTER #kept", "You are the founder").await;
    told(&mut cat, "INFO #kept", "Its founder is cat.").await;
}

#[tokio::test]
async fn what_a_removal_left_undone_the_janitor_does() {
    let server = server_with(&["ann"], &[("channels.max_founded", "0")]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    // Without a limit nothing is noted of what an account has founded.
    server.node.accounts.remove("ann").await.expect("it is there");
    assert!(exists(&server, "#room").await);
    let mut janitor = stentor_server::history::janitor::Janitor::new(server.node.clone());
    janitor.visit(&Partition::channel("#room"), StoreTime(0)).await.expect("the store answers");
    assert!(!exists(&server, "#room").await);
}

#[tokio::test]
async fn rights_that_a_channel_gives_are_limited() {
    let server = server_with(&["ann", "bob", "cat"], &[("channels.access_max", "1")]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    told(&mut ann, "AOP #room ADD bob", "an operator").await;
    told(&mut ann, "AOP #room ADD cat", "as many standing rights as it may").await;
    told(&mut ann, "VOP #room ADD bob", "a voice").await;
    let mut guest = server.client("guest").await;
    guest.ask("JOIN #guests").await;
    told(&mut guest, "AOP #guests ADD bob", "takes a higher standing right").await;
}

#[tokio::test]
async fn an_operator_of_the_network_rules_any_room_and_that_is_written_down() {
    let server = server_with(&["ann", "bob"], &OPERATOR).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +sk key").await;
    let mut root = server.client("root").await;
    told(&mut root, "INFO #room", "no channel #room").await;
    told(&mut root, "LIST", "takes an account").await;
    numeric(&root.ask("SAMODE #room +m").await, "481");
    numeric(&root.ask("OPER operuser operpassword").await, "381");
    told(&mut root, "LIST", "#room: its founder is ann").await;
    told(&mut root, "LIST #x*", "No lasting channel matches #x*.").await;
    told(&mut root, "INFO #room", "Its founder is ann.").await;
    assert_eq!(numeric(&root.ask("SAMODE #room").await, "324").params[1..], ["#room", "+nstk", "key"]);
    let lines = root.ask("SAMODE #room +mb-k bad!*@* *").await;
    assert_eq!(numeric(&lines, "MODE").params, ["#room", "+mb-k", "bad!*@*", "key"]);
    let mode = numeric(&ann.drain_until_pong().await, "MODE").clone();
    assert!(mode.source.starts_with("root!"), "{mode:?}");
    assert_eq!(numeric(&root.ask("SAMODE #room +k hidden").await, "MODE").params, ["#room", "+k", "hidden"]);
    assert_eq!(command(&root.ask("SAMODE #room b").await, "367").len(), 1);
    numeric(&root.ask("SAMODE #nowhere +m").await, "403");
    numeric(&root.ask("SAMODE root +B").await, "403");
    numeric(&root.ask("MODE #room -m").await, "403");
    told(&mut root, "INVITE #room", "You may come in").await;
    root.ask("JOIN #room").await;
    told(&mut root, "OP #room", "root is an operator").await;
    told(&mut root, "ACCESS #room ADD bob admin", "an admin").await;
    told(&mut ann, "ACCESS #room", "bob is an admin (+a), by operuser").await;
    told(&mut root, "TRANSFER #room bob", "bob is the founder of #room now").await;
    assert!(give_up(&mut root, "#room").await.contains("no founder any more"));
    let records = server.node.audit.read(None, 100).await.expect("it is read");
    let done: Vec<String> =
        records.iter().map(|one| format!("{} {} {}", one.what, one.target, one.reason)).collect();
    for deed in [
        "samode #room +mb-k bad!*@* *",
        "samode #room +k *",
        "chanserv * list",
        "chanserv #room info",
        "chanserv #room invite",
        "chanserv #room transfer to bob",
        "chanserv #room drop",
    ] {
        assert!(done.iter().any(|one| one == deed), "{deed}: {done:?}");
    }
    assert!(!done.iter().any(|one| one.contains("hidden")), "a key is nothing for the log: {done:?}");
}

#[tokio::test]
async fn an_operator_of_the_network_learns_of_no_secret_room_unwritten() {
    let server = server_with(&["ann"], &OPERATOR).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #secret,#open").await;
    ann.ask("MODE #secret +s").await;
    let mut root = operator(&server, "root").await;
    for (line, wanted) in [
        ("TOPIC #secret", "has no topic"),
        ("REGISTER #secret", "takes an account"),
        ("DROP #secret", "If you mean it"),
        ("TRANSFER #secret nobody", "no account nobody"),
        ("TRANSFER ACCEPT #secret", "takes an account"),
        ("HOWTOBAN #secret nobody", "Nobody is called nobody"),
        ("UNBAN #secret", "No ban in #secret hits you"),
        ("OP #secret ann", "ann is an operator"),
        ("CLEAR #secret BANS", "nothing of that kind"),
        ("INFO #secret", "#secret"),
        ("ACCESS #secret", "ann is the founder"),
        ("AKICK #secret DANCE x", "Syntax:"),
        // What everybody may know is told without that, and so is that there is nothing.
        ("TOPIC #open", "has no topic"),
        ("INFO #open", "#open"),
        ("INFO #nowhere", "no channel #nowhere"),
    ] {
        told(&mut root, line, wanted).await;
    }
    let records = server.node.audit.read(None, 100).await.expect("it is read");
    let done: Vec<String> = records
        .iter()
        .filter(|one| one.what == "chanserv")
        .map(|one| format!("{} {}", one.target, one.reason))
        .collect();
    let wanted = [
        "#secret topic",
        "#secret drop",
        "#secret transfer to nobody",
        "#secret howtoban nobody",
        "#secret unban",
        "#secret give o ann",
        "#secret clear bans",
        "#secret info",
        "#secret access list",
        "#secret akick dance x",
    ];
    assert_eq!(done, wanted);
}

#[tokio::test]
async fn help_tells_every_word_and_each_is_answered() {
    let server = server(&[]).await;
    let mut ann = server.client("ann").await;
    let help = says(&mut ann, "HELP").await;
    for word in stentor_server::services::chanserv::CHANSERV.words {
        assert!(help.contains(word.help.0), "{:?}", word.names);
        for name in word.names {
            told(&mut ann, &format!("HELP {name}"), word.help.0).await;
            told(&mut ann, &format!("{name} #none LIST x"), "").await;
        }
        if *word.params.start() > 0 {
            told(&mut ann, word.names[0], "Syntax:").await;
        }
    }
    assert_eq!(answer(&ann.ask("CHANSERV HELP").await), help);
    told(&mut ann, "DANCE", "HELP").await;
}
