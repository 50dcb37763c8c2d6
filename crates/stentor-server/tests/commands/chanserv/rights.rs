//! Standing rights, and the ranks that come with them.

use stentor_testing::{Said, TestServer, command, numeric};

use super::{names, says, server, server_with, told};

#[tokio::test]
async fn what_came_with_an_account_goes_with_it() {
    let server = TestServer::start().await;
    for name in ["ann", "bob", "cat"] {
        server.account(name, "sesame").await;
    }
    let mut ann = server.login("ann", "sesame", &[]).await;
    for words in ["JOIN #room", "CS VOP #room ADD bob", "CS VOP #room ADD cat", "CS AOP #room ADD bob"] {
        ann.ask(words).await;
    }
    let mut bob = server.login("bob", "sesame", &[]).await;
    for words in ["JOIN #room", "JOIN #own", "NICK robert"] {
        bob.ask(words).await;
    }
    ann.ask("MODE #room +v robert").await;
    ann.ask("JOIN #own").await;
    ann.drain_until_pong().await;
    // What somebody gave for the moment stays; what comes with the next account, too.
    bob.ask("NS LOGOUT").await;
    let seen = ann.drain_until_pong().await;
    let mut modes: Vec<_> = command(&seen, "MODE").iter().map(|line| line.params.join(" ")).collect();
    modes.sort();
    assert_eq!(modes, ["#own -qo robert robert", "#room -o robert"]);
    numeric(&bob.ask("MODE #room +t").await, "482");
    numeric(&bob.ask("MODE #own +t").await, "482");
    assert!(numeric(&ann.ask("NAMES #room").await, "353").text().contains("+robert"));

    // From one account to another it is the same.
    bob.ask("PART #room").await;
    bob.ask("NS IDENTIFY bob sesame").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    bob.ask("NS IDENTIFY cat sesame").await;
    let seen = ann.drain_until_pong().await;
    assert!(modes_of(&seen).contains(&"#room -o+v robert robert".to_owned()), "{seen:?}");
    numeric(&bob.ask("MODE #room +t").await, "482");
}

#[tokio::test]
async fn what_comes_with_an_account_comes_at_the_login() {
    let server = TestServer::start().await;
    for name in ["ann", "bob"] {
        server.account(name, "sesame").await;
    }
    let mut ann = server.login("ann", "sesame", &[]).await;
    for words in ["JOIN #room", "CS AOP #room ADD bob"] {
        ann.ask(words).await;
    }
    let mut bob = server.client("robert").await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +v robert").await;
    bob.drain_until_pong().await;
    let told = bob.ask("NS IDENTIFY bob sesame").await;
    assert_eq!(modes_of(&told), ["#room +o robert"]);
    assert_eq!(modes_of(&ann.drain_until_pong().await), ["#room +o robert"]);
    numeric(&bob.ask("MODE #room +m").await, "MODE");
}

fn modes_of(lines: &[Said]) -> Vec<String> {
    command(lines, "MODE").iter().map(|line| line.params.join(" ")).collect()
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
    told(&mut bob, "OP #room eve", "Only halfops of #room").await;
    told(&mut ann, "HALFOP #room bob", "bob is a halfop").await;
    told(&mut bob, "OP #room eve", "may not make somebody an operator").await;
    told(&mut bob, "DEOP #room ann", "too high").await;
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
