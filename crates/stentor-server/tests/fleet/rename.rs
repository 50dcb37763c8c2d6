//! Rooms that are renamed while members on another node use them.

use stentor_testing::{command, numeric};

use super::Pair;

const RENAME: &str = "draft/channel-rename";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_holds_on_every_node_at_one_point_of_the_rooms_order() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client_with("ann", &[RENAME]).await;
    let mut bob = pair.two.client_with("bob", &[RENAME]).await;
    let mut old = pair.two.client("old").await;
    ann.ask("JOIN #before").await;
    bob.ask("JOIN #before").await;
    old.ask("JOIN #before").await;
    ann.ask("PRIVMSG #before :one").await;
    ann.ask("RENAME #before #after :moved").await;
    ann.ask("PRIVMSG #after :two").await;
    bob.expect_exact(&format!(":{} PRIVMSG #before :one", source(&mut ann).await)).await;
    assert_eq!(bob.expect_numeric("RENAME").await.params, ["#before", "#after", "moved"]);
    assert_eq!(bob.expect_numeric("PRIVMSG").await.params, ["#after", "two"]);
    let told = old.collect_until("366").await;
    let about: Vec<_> = told.iter().filter(|line| line.source.starts_with("old!")).collect();
    assert_eq!(about.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["PART", "JOIN"]);
    // The members' own node knows the name, and so does one that has heard of nothing yet.
    bob.ask("PRIVMSG #after :three").await;
    assert_eq!(ann.expect_numeric("PRIVMSG").await.params, ["#after", "three"]);
    let mut eve = pair.two.client("eve").await;
    assert_eq!(numeric(&eve.ask("JOIN #after").await, "353").text().split(' ').count(), 4);
    assert_eq!(
        numeric(&eve.ask("JOIN #before").await, "353").text(),
        "@eve",
        "a member may use the old name"
    );
    let mut fay = pair.one.client("fay").await;
    assert_eq!(numeric(&fay.ask("JOIN #before").await, "353").text().split(' ').count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_renaming_and_a_creation_that_race_there_is_one_room_of_the_name() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client_with("ann", &[RENAME]).await;
    let mut bob = pair.two.client("bob").await;
    for round in 0..20 {
        let (mine, goal) = (format!("#mine{round}"), format!("#goal{round}"));
        ann.ask(&format!("JOIN {mine}")).await;
        let (rename, join) = (format!("RENAME {mine} {goal}"), format!("JOIN {goal}"));
        let (renamed, joined) = tokio::join!(ann.ask(&rename), bob.ask(&join));
        let is_renamed = !command(&renamed, "RENAME").is_empty();
        let is_in = !command(&joined, "JOIN").is_empty();
        assert!(is_renamed || !command(&renamed, "FAIL").is_empty(), "{renamed:#?}");
        assert!(is_in || !is_renamed, "bob can enter what there is: {joined:#?}");
        // Whoever is in a room of that name is in the same one.
        bob.ask(&join).await;
        let mut eve = pair.one.client("eve").await;
        let there = numeric(&eve.ask(&join).await, "353").text().split(' ').count();
        assert_eq!(there, if is_renamed { 3 } else { 2 }, "round {round}");
        eve.quit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_node_that_dies_leave_a_renamed_room_and_its_last_end_is_an_end() {
    let pair = Pair::start(&[]).await;
    let mut ann = pair.one.client_with("ann", &[RENAME]).await;
    let mut bob = pair.two.client_with("bob", &[RENAME]).await;
    ann.ask("JOIN #first").await;
    bob.ask("JOIN #first").await;
    ann.ask("RENAME #first #second").await;
    bob.expect_numeric("RENAME").await;
    bob.quit().await;
    assert_eq!(ann.expect_numeric("QUIT").await.source.split('!').next(), Some("bob"));
    ann.quit().await;
    let mut eve = pair.two.client("eve").await;
    assert!(command(&eve.ask("LIST").await, "322").is_empty());
    assert_eq!(numeric(&eve.ask("JOIN #second").await, "353").text(), "@eve");
}

async fn source(client: &mut stentor_testing::TestClient) -> String {
    let nick = client.nick.clone();
    let lines = client.ask(&format!("USERHOST {nick}")).await;
    let host = numeric(&lines, "302").text().split("=+").nth(1).expect("it names a host").trim().to_owned();
    format!("{nick}!{host}")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_chanserv_does_names_a_room_as_it_was_called_before() {
    let pair = Pair::start(&[]).await;
    for account in ["ann", "bob"] {
        pair.one.account(account, "secret").await;
    }
    let mut ann = pair.one.login("ann", "secret", &[RENAME]).await;
    let mut bob = pair.two.login("bob", "secret", &[]).await;
    let mut witness = pair.two.client_with("witness", &[RENAME]).await;
    for round in 0..30 {
        let (old, new) = (format!("#old{round}"), format!("#new{round}"));
        ann.ask(&format!("JOIN {old}")).await;
        ann.ask(&format!("CS AOP {old} ADD bob")).await;
        witness.ask(&format!("JOIN {old}")).await;
        for number in 0..5 {
            bob.send(&format!("CS VOICE {old} witness")).await;
            bob.send(&format!("CS TOPIC {old} {number}")).await;
            bob.send(&format!("CS DEVOICE {old} witness")).await;
        }
        let rename = format!("RENAME {old} {new}");
        let (renamed, _) = tokio::join!(ann.ask(&rename), bob.drain_until_pong());
        assert!(
            !command(&renamed, "RENAME").is_empty() || !command(&renamed, "FAIL").is_empty(),
            "{renamed:?}"
        );
        let mut name = old;
        for line in witness.drain_until_pong().await {
            match line.command.as_str() {
                "RENAME" => line.param(1).clone_into(&mut name),
                "MODE" | "TOPIC" => assert_eq!(line.param(0), name, "round {round}: {line:?}"),
                _ => {}
            }
        }
    }
}
