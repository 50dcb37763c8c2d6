//! MODE of channels.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn changes_are_seen_by_all_and_shown_on_request() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #Room").await;
    bob.ask("JOIN #room").await;
    let own = ann.ask("MODE #room +mkl-t key 5").await;
    assert_eq!(numeric(&own, "MODE").params, ["#Room", "+mkl-t", "key", "5"]);
    assert_eq!(numeric(&bob.drain_until_pong().await, "MODE").params, ["#Room", "+mkl-t", "key", "5"]);
    assert_eq!(numeric(&bob.ask("MODE #room").await, "324").params[1..], ["#Room", "+mnkl", "key", "5"]);
    let mut eve = server.client("eve").await;
    let asked = eve.ask("MODE #room").await;
    assert!(!asked.iter().any(|line| line.line.contains("key")), "an outsider reads no key: {asked:?}");
    numeric(&asked, "329");
    assert!(ann.ask("MODE #room +m").await.is_empty(), "what holds already is no change");
}

#[tokio::test]
async fn prefixes_are_given_and_taken() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    assert_eq!(
        numeric(&ann.ask("MODE #room +ov bob bob").await, "MODE").params,
        ["#room", "+ov", "bob", "bob"]
    );
    bob.drain_until_pong().await;
    numeric(&bob.ask("MODE #room -o ann").await, "MODE");
    assert_eq!(numeric(&ann.ask("MODE #room +m").await, "482").param(1), "#room");
    assert_eq!(numeric(&bob.ask("MODE #room +o nobody").await, "401").param(1), "nobody");
    let _eve = server.client("eve").await;
    assert_eq!(numeric(&bob.ask("MODE #room +o eve").await, "441").params[1..3], ["eve", "#room"]);
}

#[tokio::test]
async fn bans_are_listed_and_lifted_and_exceptions_hold() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    assert_eq!(numeric(&ann.ask("MODE #room +b bob").await, "MODE").params, ["#room", "+b", "bob!*@*"]);
    let list = ann.ask("MODE #room b").await;
    assert_eq!(numeric(&list, "367").params[1..3], ["#room", "bob!*@*"]);
    assert_eq!(numeric(&list, "368").param(1), "#room");
    numeric(&bob.ask("JOIN #room").await, "474");
    ann.ask("MODE #room +e *!~bob@*").await;
    numeric(&bob.ask("JOIN #room").await, "JOIN");
    let list = ann.ask("MODE #room +e").await;
    assert_eq!(numeric(&list, "348").param(2), "*!~bob@*");
    numeric(&list, "349");
    ann.ask("MODE #room -e *!~bob@*").await;
    numeric(&bob.ask("PRIVMSG #room :hello").await, "404");
    assert_eq!(numeric(&ann.ask("MODE #room -b BOB").await, "MODE").params, ["#room", "-b", "bob!*@*"]);
    numeric(&bob.ask("MODE #room e").await, "482");
    assert!(command(&bob.ask("PRIVMSG #room :hello").await, "404").is_empty());
}

#[tokio::test]
async fn what_is_wrong_spoils_no_more_than_itself() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    let lines = ann.ask("MODE #room +mZ").await;
    assert_eq!(numeric(&lines, "472").param(1), "Z");
    assert_eq!(numeric(&lines, "MODE").params, ["#room", "+m"]);
    assert_eq!(numeric(&ann.ask("MODE #room +l none").await, "696").params[1..3], ["#room", "l"]);
    assert_eq!(numeric(&ann.ask("MODE #room +o").await, "696").params[1..3], ["#room", "o"]);
    numeric(&ann.ask("MODE #nowhere").await, "403");
    numeric(&ann.ask("MODE").await, "461");
}

#[tokio::test]
async fn a_muted_channel_hears_the_voiced_alone() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +m").await;
    assert_eq!(numeric(&bob.ask("PRIVMSG #room :hello").await, "404").param(1), "#room");
    ann.ask("MODE #room +v bob").await;
    ann.drain_until_pong().await;
    bob.ask("PRIVMSG #room :hello").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "PRIVMSG").text(), "hello");
}

#[tokio::test]
async fn a_full_list_takes_no_more_masks() {
    let server = TestServer::start_with(&[("channels.list_max", "2")]).await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    let lines = ann.ask("MODE #room +bbb a b c").await;
    assert_eq!(numeric(&lines, "478").param(2), "c!*@*");
    assert_eq!(numeric(&lines, "MODE").params, ["#room", "+bb", "a!*@*", "b!*@*"]);
}

#[tokio::test]
async fn each_change_of_one_command_sees_those_before_it() {
    let server = TestServer::start_with(&[("channels.list_max", "1")]).await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +b old!*@*").await;
    numeric(&ann.ask("MODE #room +b new!*@*").await, "478");
    let lines = ann.ask("MODE #room -b+b old!*@* new!*@*").await;
    assert_eq!(numeric(&lines, "MODE").params, ["#room", "-b+b", "old!*@*", "new!*@*"]);
    ann.ask("MODE #room -b new!*@*").await;
    ann.ask("MODE #room +b-b x!*@* X!*@*").await;
    assert!(command(&ann.ask("MODE #room b").await, "367").is_empty());
    ann.ask("MODE #room +l-l 5").await;
    assert!(!numeric(&ann.ask("MODE #room").await, "324").param(2).contains('l'));
    ann.ask("MODE #room +k-k key key").await;
    assert!(!numeric(&ann.ask("MODE #room").await, "324").param(2).contains('k'));
}
