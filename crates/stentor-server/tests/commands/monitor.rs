//! MONITOR.

use stentor_testing::{TestServer, numeric};

#[tokio::test]
async fn coming_and_going_is_told() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("Bob").await;
    let lines = ann.ask("MONITOR + bob,eve").await;
    assert!(numeric(&lines, "730").text().starts_with("Bob!~bob@"));
    assert_eq!(numeric(&lines, "731").params, ["ann", "eve"]);
    let mut eve = server.client("eve").await;
    assert!(ann.expect_numeric("730").await.text().starts_with("eve!~eve@"));
    eve.send("QUIT").await;
    assert_eq!(ann.expect_numeric("731").await.text(), "eve");
    bob.ask("NICK rob").await;
    let gone = ann.expect_numeric("731").await;
    assert_eq!(
        (gone.source.as_str(), gone.text()),
        (server.name(), "Bob"),
        "as it was spelt, from the server"
    );
    bob.ask("NICK bob").await;
    assert!(ann.expect_numeric("730").await.text().starts_with("bob!~bob@"));
}

#[tokio::test]
async fn the_list_is_shown_and_cleared() {
    let server = TestServer::start_with(&[("limits.monitor", "2")]).await;
    let mut ann = server.client("ann").await;
    ann.ask("MONITOR + bob,eve").await;
    let lines = ann.ask("MONITOR L").await;
    let mut names: Vec<&str> = numeric(&lines, "732").text().split(',').collect();
    names.sort_unstable();
    assert_eq!(names, ["bob", "eve"]);
    numeric(&lines, "733");
    assert_eq!(numeric(&ann.ask("MONITOR + dan").await, "734").params[1..3], ["2", "dan"]);
    ann.ask("MONITOR - BOB").await;
    assert_eq!(numeric(&ann.ask("MONITOR S").await, "731").text(), "eve");
    ann.ask("MONITOR C").await;
    assert_eq!(ann.ask("MONITOR L").await.len(), 1);
    let _eve = server.client("eve").await;
    assert!(ann.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn what_changes_with_a_monitored_person_is_told_to_those_who_asked_for_it() {
    let server = TestServer::start_with(&[("accounts.registration", "'open'")]).await;
    let all = ["extended-monitor", "away-notify", "account-notify", "setname"];
    let mut ann = server.client_with("ann", &all).await;
    let mut cat = server.client_with("cat", &all[1..]).await;
    let mut dan = server.client_with("dan", &all[..1]).await;
    let mut bob = server.client("bob").await;
    for watcher in [&mut ann, &mut cat, &mut dan] {
        watcher.ask("MONITOR + bob").await;
    }
    for change in ["AWAY :tea", "AWAY :more tea", "AWAY", "SETNAME :Bob the Second"] {
        bob.ask(change).await;
    }
    bob.ask("REGISTER * * correct-horse").await;
    let told = ann.drain_until_pong().await;
    let told: Vec<&str> =
        told.iter().map(|line| line.bare.split_once(' ').map_or("", |(_, line)| line)).collect();
    assert_eq!(told, ["AWAY :tea", "AWAY :more tea", "AWAY", "SETNAME :Bob the Second", "ACCOUNT bob"]);
    assert!(cat.drain_until_pong().await.is_empty(), "without extended-monitor");
    assert!(dan.drain_until_pong().await.is_empty(), "extended-monitor alone");
}

#[tokio::test]
async fn who_shares_channels_with_a_monitored_person_is_told_once() {
    let server = TestServer::start().await;
    let all = ["extended-monitor", "away-notify", "setname"];
    let mut ann = server.client_with("ann", &all).await;
    let mut cat = server.client_with("cat", &all[1..]).await;
    let mut bob = server.client_with("bob", &all).await;
    for client in [&mut ann, &mut cat, &mut bob] {
        client.ask("JOIN #one,#two").await;
        client.ask("MONITOR + bob").await;
    }
    ann.drain_until_pong().await;
    cat.drain_until_pong().await;
    assert_eq!(bob.ask("AWAY :tea").await.len(), 1, "the numeric alone");
    assert_eq!(bob.ask("SETNAME :Bob").await.len(), 1);
    for client in [&mut ann, &mut cat] {
        let told = client.drain_until_pong().await;
        let told: Vec<&str> = told.iter().map(|line| line.command.as_str()).collect();
        assert_eq!(told, ["AWAY", "SETNAME"], "{}", client.nick);
    }
    ann.ask("MONITOR - bob").await;
    ann.ask("PART #one,#two").await;
    bob.ask("AWAY").await;
    assert!(ann.drain_until_pong().await.is_empty());
}
