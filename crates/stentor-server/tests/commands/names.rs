//! NAMES.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn members_are_listed_with_their_prefixes() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client_with("bob", &["multi-prefix", "userhost-in-names"]).await;
    ann.ask("JOIN #Room").await;
    ann.ask("MODE #room +v ann").await;
    let lines = bob.ask("NAMES #room").await;
    let row = numeric(&lines, "353");
    assert_eq!(row.params[1..3], ["=", "#Room"]);
    assert!(row.text().starts_with("@+ann!~ann@"), "{row:?}");
    assert_eq!(numeric(&ann.ask("NAMES #room").await, "353").text(), "@ann");
}

#[tokio::test]
async fn what_is_not_there_ends_at_once() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("NAMES #nowhere").await;
    assert_eq!(numeric(&lines, "366").param(1), "#nowhere");
    assert!(command(&lines, "353").is_empty());
    assert_eq!(numeric(&ann.ask("NAMES").await, "366").param(1), "*");
}

#[tokio::test]
async fn a_request_for_several_channels_has_one_end() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #One,#two").await;
    let lines = ann.ask("NAMES #one,#nowhere,#two").await;
    let rows = command(&lines, "353");
    assert_eq!(rows.iter().map(|row| row.param(2)).collect::<Vec<_>>(), ["#One", "#two"]);
    let ends = command(&lines, "366");
    assert_eq!(ends.iter().map(|end| end.param(1)).collect::<Vec<_>>(), ["#one,#nowhere,#two"]);
}

#[tokio::test]
async fn a_join_is_answered_with_no_names_where_that_was_asked_for_under_either_name() {
    let server = TestServer::start().await;
    for (nick, capability) in [("ann", "no-implicit-names"), ("bob", "draft/no-implicit-names")] {
        let mut client = server.client_with(nick, &[capability]).await;
        let lines = client.ask("JOIN #room").await;
        assert!(command(&lines, "353").is_empty() && command(&lines, "366").is_empty(), "{lines:?}");
        assert_eq!(command(&client.ask("NAMES #room").await, "366").len(), 1);
    }
}

#[tokio::test]
async fn the_invisible_are_shown_to_those_who_share_the_channel() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let (mut bob, mut eve) = (server.client("bob").await, server.client("eve").await);
    bob.ask("JOIN #open").await;
    ann.ask("JOIN #open").await;
    for (modes, outside) in [("+i", "ann"), ("-i", "@bob ann"), ("+i", "ann")] {
        bob.ask(&format!("MODE bob {modes}")).await;
        let mut names: Vec<String> =
            numeric(&eve.ask("NAMES #open").await, "353").text().split(' ').map(str::to_owned).collect();
        names.sort();
        assert_eq!(names.join(" "), outside, "{modes}");
        let who = eve.ask("WHO #open").await;
        assert_eq!(command(&who, "352").len(), outside.split(' ').count(), "{modes}");
    }
    assert!(numeric(&ann.ask("NAMES #open").await, "353").text().contains("@bob"));
}
