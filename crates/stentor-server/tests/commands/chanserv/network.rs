//! Operators of the network in rooms that are not theirs.

use stentor_testing::{command, numeric};

use super::{give_up, server_with, told};
use crate::oper::{OPERATOR, operator};

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
