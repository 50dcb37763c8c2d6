//! What channel modes beyond the oldest ones forbid, and to whom.

use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// `ann` rules `#room`, and `bob` is in it.
async fn pair(server: &TestServer) -> (TestClient, TestClient) {
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.drain_until_pong().await;
    (ann, bob)
}

fn said(lines: &[Said]) -> Vec<String> {
    command(lines, "PRIVMSG").iter().map(|line| line.text().to_owned()).collect()
}

async fn logged_in(server: &TestServer, account: &str) -> TestClient {
    server.account(account, "secret").await;
    server.login(account, "secret", &[]).await
}

#[tokio::test]
async fn a_room_may_take_no_ctcp_but_actions() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = pair(&server).await;
    assert!(bob.ask("PRIVMSG #room :\u{1}PING 1\u{1}").await.is_empty());
    assert_eq!(said(&ann.ask("MODE #room +C").await), ["\u{1}PING 1\u{1}"]);
    bob.drain_until_pong().await;
    assert!(bob.ask("PRIVMSG #room :\u{1}ACTION waves\u{1}").await.is_empty());
    for text in ["\u{1}PING 1\u{1}", "\u{1}ACTIONS x\u{1}", "\u{1}VERSION"] {
        assert_eq!(numeric(&bob.ask(&format!("PRIVMSG #room :{text}")).await, "404").param(1), "#room");
    }
    assert!(bob.ask("NOTICE #room :\u{1}PING 1\u{1}").await.is_empty(), "a notice draws no answer");
    assert_eq!(said(&ann.drain_until_pong().await), ["\u{1}ACTION waves\u{1}"]);
}

#[tokio::test]
async fn a_room_may_take_no_notices() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = pair(&server).await;
    ann.ask("MODE #room +T").await;
    bob.drain_until_pong().await;
    bob.ask("NOTICE #room :psst").await;
    bob.ask("PRIVMSG #room :hello").await;
    let heard = ann.drain_until_pong().await;
    assert!(command(&heard, "NOTICE").is_empty());
    assert_eq!(said(&heard), ["hello"]);
    ann.ask("NOTICE #room :hear").await;
    assert_eq!(numeric(&bob.drain_until_pong().await, "NOTICE").text(), "hear");
}

#[tokio::test]
async fn a_room_may_let_in_the_logged_in_alone() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +R").await;
    let mut bob = server.client("bob").await;
    assert_eq!(numeric(&bob.ask("JOIN #room").await, "477").param(1), "#room");
    let mut eve = logged_in(&server, "eve").await;
    numeric(&eve.ask("JOIN #room").await, "JOIN");
    ann.ask("INVITE bob #room").await;
    numeric(&bob.ask("JOIN #room").await, "JOIN");
}

#[tokio::test]
async fn a_room_may_hear_the_logged_in_and_the_voiced_alone() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = pair(&server).await;
    ann.ask("MODE #room +M").await;
    numeric(&bob.ask("PRIVMSG #room :hello").await, "404");
    let mut eve = logged_in(&server, "eve").await;
    eve.ask("JOIN #room").await;
    assert!(eve.ask("PRIVMSG #room :from eve").await.is_empty());
    assert_eq!(said(&ann.ask("MODE #room +v bob").await), ["from eve"]);
    bob.ask("PRIVMSG #room :from bob").await;
    assert_eq!(said(&ann.drain_until_pong().await), ["from bob"]);
}

#[tokio::test]
async fn operators_judge_what_the_others_say() {
    let server = TestServer::start().await;
    let caps = ["echo-message"];
    let (mut ann, _) = pair(&server).await;
    let mut eve = server.client("eve").await;
    let mut dan = server.client_with("dan", &caps).await;
    for client in [&mut eve, &mut dan] {
        client.ask("JOIN #room").await;
    }
    ann.ask("MODE #room +Umb dan!*@*").await;
    for client in [&mut ann, &mut eve, &mut dan] {
        client.drain_until_pong().await;
    }
    assert_eq!(numeric(&dan.ask("PRIVMSG #room :for you").await, "PRIVMSG").params, ["#room", "for you"]);
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").params, ["#room", "for you"]);
    dan.ask("PRIVMSG +#room :for the voiced").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").param(0), "+#room");
    assert!(eve.drain_until_pong().await.is_empty());
    assert!(said(&eve.ask("CHATHISTORY LATEST #room * 10").await).is_empty());
    assert_eq!(said(&ann.ask("CHATHISTORY LATEST #room * 10").await), ["for you", "for the voiced"]);
    ann.ask("MODE #room +v dan").await;
    dan.ask("PRIVMSG #room :for all").await;
    assert_eq!(said(&eve.drain_until_pong().await), ["for all"]);
    // From outside, a ban keeps somebody from the operators, too.
    ann.ask("MODE #room -n+b fay!*@*").await;
    let (mut fay, mut gus) = (server.client("fay").await, server.client("gus").await);
    numeric(&fay.ask("PRIVMSG #room :from fay").await, "404");
    gus.ask("PRIVMSG #room :from gus").await;
    assert_eq!(said(&ann.drain_until_pong().await), ["from gus"]);
}

#[tokio::test]
async fn an_auditorium_hides_its_listeners_from_each_other() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["away-notify"]).await;
    ann.ask("JOIN #hall").await;
    ann.ask("MODE #hall +u").await;
    let (mut bob, mut eve) = (
        server.client_with("bob", &["away-notify"]).await,
        server.client_with("eve", &["away-notify"]).await,
    );
    numeric(&bob.ask("JOIN #hall").await, "JOIN");
    eve.ask("JOIN #hall").await;
    eve.ask("AWAY :tea").await;
    eve.ask("NICK eva").await;
    assert!(bob.drain_until_pong().await.is_empty());
    let told = ann.drain_until_pong().await;
    for (what, count) in [("JOIN", 2), ("AWAY", 1), ("NICK", 1)] {
        assert_eq!(command(&told, what).len(), count, "{what}: {told:?}");
    }
    assert_eq!(numeric(&bob.ask("NAMES #hall").await, "353").text(), "@ann");
    assert_eq!(command(&bob.ask("WHO #hall").await, "352").len(), 1);
    assert_eq!(command(&ann.ask("WHO #hall").await, "352").len(), 3);
    assert!(command(&bob.ask("WHOIS eva").await, "319").is_empty());
    eve.ask("PRIVMSG #hall :a question").await;
    assert_eq!(said(&bob.drain_until_pong().await), ["a question"]);
    ann.ask("MODE #hall +v eva").await;
    bob.drain_until_pong().await;
    eve.ask("PART #hall").await;
    numeric(&bob.drain_until_pong().await, "PART");
    ann.drain_until_pong().await;
    bob.ask("PART #hall").await;
    numeric(&ann.drain_until_pong().await, "PART");
}

#[tokio::test]
async fn who_quits_an_auditorium_is_seen_to_quit_in_other_rooms() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #hall,#room").await;
    ann.ask("MODE #hall +u").await;
    let (mut bob, mut eve) = (server.client("bob").await, server.client("eve").await);
    bob.ask("JOIN #hall,#room").await;
    eve.ask("JOIN #hall,#room").await;
    bob.drain_until_pong().await;
    eve.send("QUIT").await;
    eve.expect_closed().await;
    bob.expect_numeric("QUIT").await;
    assert!(command(&bob.drain_until_pong().await, "QUIT").is_empty());
}

#[tokio::test]
async fn who_may_not_join_is_sent_to_another_room() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #full,#Spare").await;
    bob.ask("JOIN #bobs").await;
    numeric(&ann.ask("MODE #full +f #nowhere").await, "696");
    numeric(&ann.ask("MODE #full +f nonsense").await, "696");
    numeric(&ann.ask("MODE #full +f #FULL").await, "696");
    numeric(&ann.ask("MODE #full +f #bobs").await, "482");
    ann.ask("JOIN #bobs").await;
    numeric(&ann.ask("MODE #full +f #bobs").await, "482");
    bob.drain_until_pong().await;
    assert_eq!(numeric(&ann.ask("MODE #full +f #spare").await, "MODE").params, ["#full", "+f", "#Spare"]);
    assert_eq!(numeric(&ann.ask("MODE #full").await, "324").params[2..], ["+ntf", "#Spare"]);
    numeric(&bob.ask("JOIN #full").await, "JOIN");
    bob.ask("PART #full").await;
    for (mode, undo) in
        [("+i", "-i"), ("+l 1", "-l"), ("+k key", "-k key"), ("+R", "-R"), ("+b bob", "-b bob")]
    {
        ann.ask(&format!("MODE #full {mode}")).await;
        let lines = bob.ask("JOIN #full").await;
        assert_eq!(numeric(&lines, "470").params[1..3], ["#full", "#Spare"], "{mode}");
        assert_eq!(numeric(&lines, "JOIN").param(0), "#Spare");
        bob.ask("PART #spare").await;
        ann.ask(&format!("MODE #full {undo}")).await;
    }
    // In a circle nobody gets anywhere.
    numeric(&ann.ask("MODE #spare +f #full").await, "MODE");
    ann.ask("MODE #spare +i").await;
    ann.ask("MODE #full +i").await;
    let lines = bob.ask("JOIN #full").await;
    numeric(&lines, "470");
    numeric(&lines, "473");
    assert!(command(&lines, "JOIN").is_empty());
    assert_eq!(numeric(&ann.ask("MODE #full -f").await, "MODE").params, ["#full", "-f"]);
    assert!(command(&bob.ask("JOIN #full").await, "470").is_empty());
}

#[tokio::test]
async fn nobody_founds_a_room_by_being_sent_there() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #full,#spare").await;
    ann.ask("MODE #full +fi #spare").await;
    ann.ask("PART #spare").await;
    let lines = bob.ask("JOIN #full").await;
    numeric(&lines, "473");
    assert!(["JOIN", "470"].iter().all(|what| command(&lines, what).is_empty()), "{lines:?}");
}

#[tokio::test]
async fn who_takes_the_name_of_a_room_does_not_inherit_who_is_sent_there() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, mut eve) =
        (server.client("ann").await, server.client("bob").await, server.client("eve").await);
    ann.ask("JOIN #full,#spare").await;
    ann.ask("MODE #full +fi #spare").await;
    ann.ask("PART #spare").await;
    eve.ask("JOIN #spare").await;
    let lines = bob.ask("JOIN #full").await;
    numeric(&lines, "473");
    assert!(command(&lines, "JOIN").is_empty(), "{lines:?}");
    // A room that has another name is still the one that was meant.
    ann.ask("JOIN #other").await;
    ann.ask("MODE #full +f #other").await;
    ann.ask("RENAME #other #better").await;
    let lines = bob.ask("JOIN #full").await;
    assert_eq!(numeric(&lines, "470").params[1..3], ["#full", "#better"]);
    assert_eq!(numeric(&lines, "JOIN").param(0), "#better");
    // The operator who names it again means the one that is there now.
    ann.ask("JOIN #spare").await;
    eve.ask("MODE #spare +o ann").await;
    ann.ask("MODE #full +f #spare").await;
    assert_eq!(numeric(&bob.ask("JOIN #full").await, "JOIN").param(0), "#spare");
}

#[tokio::test]
async fn accounts_are_banned_excepted_and_invited() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    let mut eve = logged_in(&server, "eve").await;
    let mut guest = server.client("eva").await;
    assert_eq!(numeric(&ann.ask("MODE #room +b ~a:Eve").await, "MODE").params, ["#room", "+b", "a:Eve"]);
    numeric(&eve.ask("JOIN #room").await, "474");
    numeric(&guest.ask("JOIN #room").await, "JOIN");
    guest.ask("PART #room").await;
    numeric(&ann.ask("MODE #room -b a:eve").await, "MODE");
    ann.ask("MODE #room +b *!*@*").await;
    numeric(&eve.ask("JOIN #room").await, "474");
    ann.ask("MODE #room +e a:eve").await;
    numeric(&eve.ask("JOIN #room").await, "JOIN");
    eve.ask("PART #room").await;
    ann.ask("MODE #room -b+i *!*@*").await;
    numeric(&eve.ask("JOIN #room").await, "473");
    ann.ask("MODE #room +I a:e*").await;
    numeric(&eve.ask("JOIN #room").await, "JOIN");
    numeric(&ann.ask("MODE #room +b a:").await, "696");
}

#[tokio::test]
async fn a_mute_takes_the_voice_and_nothing_else() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    assert_eq!(numeric(&ann.ask("MODE #room +b m:BOB!*@*").await, "MODE").param(2), "m:BOB!*@*");
    let mut bob = server.client("Bob").await;
    numeric(&bob.ask("JOIN #room").await, "JOIN");
    assert_eq!(numeric(&bob.ask("MODE #room b").await, "367").param(2), "m:BOB!*@*");
    numeric(&bob.ask("PRIVMSG #room :hello").await, "404");
    ann.ask("MODE #room +e m:*!~bob@*").await;
    assert!(command(&bob.ask("PRIVMSG #room :hello").await, "404").is_empty());
    ann.ask("MODE #room -e m:*!~bob@*").await;
    ann.ask("MODE #room +v bob").await;
    assert!(command(&bob.ask("PRIVMSG #room :hello").await, "404").is_empty());
    ann.ask("MODE #room -v bob").await;
    numeric(&ann.ask("MODE #room -b m:bob!*@*").await, "MODE");
    assert!(command(&bob.ask("PRIVMSG #room :hello").await, "404").is_empty());
    let mut eve = logged_in(&server, "eve").await;
    eve.ask("JOIN #room").await;
    ann.ask("MODE #room +b m:a:eve").await;
    numeric(&eve.ask("PRIVMSG #room :hello").await, "404");
    ann.ask("MODE #room +b *!*@*").await;
    ann.ask("MODE #room +e m:bob").await;
    bob.ask("PART #room").await;
    numeric(&bob.ask("JOIN #room").await, "474");
}

#[tokio::test]
async fn the_tokens_tell_of_all_this() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    ann.send("NICK ann").await;
    ann.send("USER ann 0 * :Ann").await;
    let lines = ann.drain_until_pong().await;
    let tokens: Vec<String> = command(&lines, "005").iter().flat_map(|line| line.params.clone()).collect();
    for token in [
        "PREFIX=(qaohv)~&@%+",
        "STATUSMSG=~&@%+",
        "CHANMODES=Ibe,k,fl,CKMRTUimnstux",
        "EXTBAN=,am",
        "ACCOUNTEXTBAN=a",
        "BOT=B",
        "ELIST=CMNTU",
        "KNOCK",
        "USERMODES=,,s,BRTiow",
    ] {
        assert!(tokens.iter().any(|there| there == token), "{token}: {tokens:?}");
    }
    assert_eq!(numeric(&lines, "004").params[3], "BRTiosw");
    let help = ann.ask("HELP cmodes").await;
    assert!(command(&help, "705").iter().any(|line| line.text().starts_with("+u ")), "{help:?}");
    assert!(!command(&ann.ask("HELP UMODES").await, "705").is_empty());
}
