//! ChanServ: channels that last, in the words that people know.

mod founders;
mod network;
mod order;
mod rights;

use stentor_server::store::Partition;
use stentor_testing::{Said, TestClient, TestServer, command};

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
async fn who_is_used_to_settings_is_told_what_replaces_them() {
    let server = server(&[]).await;
    let mut ann = server.client("ann").await;
    told(&mut ann, "SET #room FOUNDER bob", "TRANSFER #room <account>").await;
    told(&mut ann, "SET keeptopic #room on", "keeps its topic").await;
    told(&mut ann, "MLOCK #room +nt", "MODE #room").await;
    told(&mut ann, "SET #room DANCE on", "Channels have modes").await;
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
