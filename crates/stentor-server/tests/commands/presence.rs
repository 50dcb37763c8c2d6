//! ISON, USERHOST and WHOWAS.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn ison_names_those_who_are_here() {
    let server = TestServer::start().await;
    server.account("carl", "secret").await;
    let mut ann = server.client("ann").await;
    let _bob = server.client("Bob").await;
    let lines = ann.ask("ISON bob nobody ANN carl").await;
    assert_eq!(numeric(&lines, "303").text().trim(), "Bob ann");
    assert_eq!(numeric(&ann.ask("ISON :bob ann").await, "303").text().trim(), "Bob ann");
    assert_eq!(numeric(&ann.ask("ISON nobody").await, "303").text(), "");
    numeric(&ann.ask("ISON").await, "461");
}

#[tokio::test]
async fn userhost_shows_who_is_away() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    bob.ask("AWAY :tea").await;
    let text = numeric(&ann.ask("USERHOST ann bob nobody").await, "302").text().to_owned();
    let parts: Vec<&str> = text.split(' ').collect();
    assert_eq!(parts.len(), 2, "{text}");
    assert!(parts[0].starts_with("ann=+~ann@") && parts[1].starts_with("bob=-~bob@"), "{text}");
    assert!(!text.contains("127.0.0.1"), "an address is shown to nobody");
    assert_eq!(numeric(&ann.ask("USERHOST nobody").await, "302").text(), "");
}

#[tokio::test]
async fn whowas_tells_who_held_a_nick() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    bob.ask("NICK Robert").await;
    bob.send("QUIT").await;
    bob.expect_closed().await;
    let mut other = server.client("robert").await;
    let lines = ann.ask("WHOWAS ROBERT").await;
    let rows = command(&lines, "314");
    assert_eq!(rows.len(), 1, "who is here is no past: {lines:?}");
    assert_eq!((rows[0].param(1), rows[0].param(2), rows[0].text()), ("Robert", "~bob", "The real bob"));
    assert!(!rows[0].param(3).contains("127.0.0.1"), "an address is shown to nobody");
    assert_eq!(numeric(&lines, "312").params[1..3], ["Robert", server.name()]);
    assert_eq!(numeric(&lines, "369").param(1), "ROBERT");
    assert_eq!(numeric(&ann.ask("WHOWAS bob").await, "314").param(2), "~bob");
    other.send("QUIT").await;
    other.expect_closed().await;
    for (count, wanted) in
        [("1", vec!["~robert"]), ("2", vec!["~robert", "~bob"]), ("-1", vec!["~robert", "~bob"])]
    {
        let lines = ann.ask(&format!("WHOWAS robert {count}")).await;
        assert_eq!(command(&lines, "314").iter().map(|row| row.param(2)).collect::<Vec<_>>(), wanted);
    }
}

#[tokio::test]
async fn whowas_says_where_nobody_held_a_nick() {
    let server = TestServer::start_with(&[("limits.whowas", "0")]).await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    bob.send("QUIT").await;
    bob.expect_closed().await;
    let lines = ann.ask("WHOWAS bob").await;
    let commands: Vec<&str> = lines.iter().map(|line| line.command.as_str()).collect();
    assert_eq!(commands, ["406", "369"]);
    assert!(lines.iter().all(|line| line.param(1) == "bob"));
    numeric(&ann.ask("WHOWAS").await, "431");
}
