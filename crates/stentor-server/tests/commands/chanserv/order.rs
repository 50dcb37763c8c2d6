//! Who is kept out, and thrown out.

use stentor_testing::{command, numeric};

use super::{answer, names, server, server_with, told};

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
async fn a_mask_that_others_hide_behind_throws_out_nobody_who_may_come_in_all_the_same() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let (mut bob, mut eve) = (server.login("bob", "secret", &[]).await, server.client("eve").await);
    ann.ask("JOIN #room").await;
    told(&mut ann, "HOP #room ADD bob", "bob").await;
    for client in [&mut bob, &mut eve] {
        client.ask("JOIN #room").await;
    }
    told(&mut ann, "AKICK #room ADD eve spam", "Thrown out: 1.").await;
    eve.expect_numeric("KICK").await;
    assert!(command(&bob.drain_until_pong().await, "KICK").iter().all(|line| line.param(1) == "eve"));
    told(&mut ann, "AKICK #room ADD bob", "Thrown out: 1.").await;
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
async fn somebody_is_thrown_out_or_banned_from_outside() {
    let server = server(&["ann", "bob"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let mut bob = server.login("bob", "secret", &[]).await;
    let mut eve = server.client("eve").await;
    ann.ask("JOIN #room").await;
    for client in [&mut bob, &mut eve] {
        client.ask("JOIN #room").await;
    }
    told(&mut ann, "HOP #room ADD bob", "a halfop").await;
    bob.ask("PART #room").await;
    told(&mut eve, "KICK #room ann", "Only halfops").await;
    told(&mut bob, "KICK #room ann", "You may not throw ann out").await;
    told(&mut bob, "KICK #room zoe", "zoe is not in #room").await;
    told(&mut bob, "KICK #room Eve", "eve was thrown out of #room").await;
    let kicked = eve.expect_numeric("KICK").await;
    assert_eq!((&kicked.params[..2], kicked.text()), (&["#room".to_owned(), "eve".to_owned()][..], "bob"));
    assert!(kicked.source.starts_with("ChanServ!"));
    numeric(&eve.ask("JOIN #room").await, "JOIN");
    told(&mut bob, "KICK #room eve no spam here", "eve was thrown out of #room").await;
    assert_eq!(eve.expect_numeric("KICK").await.text(), "no spam here (bob)");
    numeric(&eve.ask("JOIN #room").await, "JOIN");
    for words in ["eve !T 5", "eve +5 spam", "+1h eve"] {
        told(&mut bob, &format!("BAN #room {words}"), "last until they are lifted").await;
    }
    told(&mut bob, "BAN #room eve and away", "Thrown out: 1.").await;
    assert_eq!(eve.expect_numeric("KICK").await.text(), "and away");
    numeric(&eve.ask("JOIN #room").await, "474");
    assert_eq!(names(&mut ann, "#room").await, ["~ann"]);
}

#[tokio::test]
async fn nobody_learns_in_words_who_listens_in_an_auditorium() {
    let server = server(&["ann"]).await;
    let mut ann = server.login("ann", "secret", &[]).await;
    let (mut bob, mut eve) = (server.client("bob").await, server.client("eve").await);
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +u").await;
    eve.ask("JOIN #room").await;
    for word in ["KICK", "OP", "DEOP", "VOICE", "DEVOICE", "HALFOP", "DEHALFOP"] {
        for nick in ["eve", "nobody"] {
            told(&mut bob, &format!("{word} #room {nick}"), "Only halfops of #room").await;
        }
    }
}
