//! CAP.

use std::collections::BTreeMap;

use stentor_server::config::{Config, Registration};
use stentor_testing::{TestServer, command, numeric};

/// What the first version of the network promises, and what came to it since.
const OFFERED: [&str; 32] = [
    "account-notify",
    "account-tag",
    "away-notify",
    "batch",
    "cap-notify",
    "chghost",
    "draft/account-registration",
    "draft/channel-rename",
    "draft/chathistory",
    "draft/event-playback",
    "draft/extended-isupport",
    "draft/message-redaction",
    "draft/metadata-2",
    "draft/metadata-3",
    "draft/multiline",
    "draft/no-implicit-names",
    "draft/pre-away",
    "draft/read-marker",
    "echo-message",
    "extended-join",
    "extended-monitor",
    "invite-notify",
    "labeled-response",
    "message-tags",
    "multi-prefix",
    "no-implicit-names",
    "sasl",
    "server-time",
    "setname",
    "standard-replies",
    "stentor.chat/feeds",
    "userhost-in-names",
];

#[tokio::test]
async fn all_that_is_there_is_offered_with_its_values() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    let lines = ann.ask("CAP LS 302").await;
    assert!(lines.iter().all(|line| line.bare.len() <= 510), "{lines:?}");
    let offered = offer(&lines);
    assert_eq!(offered.keys().copied().collect::<Vec<_>>(), OFFERED);
    assert_eq!(offered["sasl"], "PLAIN,EXTERNAL,SCRAM-SHA-256");
    for name in ["draft/metadata-2", "draft/metadata-3"] {
        let value = "before-connect,max-subs=50,max-keys=20,max-key-bytes=48,max-value-bytes=280";
        assert_eq!(offered[name], value, "{name}");
    }
    assert_eq!(offered["draft/multiline"], "max-bytes=4096,max-lines=32");
    let with_values =
        ["draft/account-registration", "draft/metadata-2", "draft/metadata-3", "draft/multiline", "sasl"];
    assert!(offered.iter().all(|(name, value)| value.is_empty() || with_values.contains(name)));
    // Who knows version 301 alone gets names without values, in one line, and first those that are no drafts.
    let lines = server.connect().await.ask("CAP LS").await;
    let line = numeric(&lines, "CAP");
    assert!(line.bare.len() <= 510 && !line.text().contains('='), "{lines:?}");
    let names: Vec<&str> = line.text().split(' ').collect();
    let common = OFFERED.iter().filter(|name| !name.contains('/'));
    assert!(common.clone().all(|name| names.contains(name)), "{lines:?}");
    assert!(names.len() > common.count(), "there is room for some drafts: {lines:?}");
}

#[tokio::test]
async fn no_answer_is_longer_than_a_line() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    ann.ask("CAP LS").await;
    let wanted = OFFERED.iter().filter(|name| !["cap-notify", "sasl"].contains(name));
    let (ones, others): (Vec<&str>, Vec<&str>) = wanted.partition(|name| name.contains('/'));
    for names in [ones.join(" "), others.join(" ")] {
        ann.ask(&format!("CAP REQ :{names}")).await;
    }
    // Version 301 knows no answer of several lines.
    let listed = ann.ask("CAP LIST").await;
    assert!(listed.len() == 1 && listed[0].bare.len() <= 510 && listed[0].param(2) != "*", "{listed:?}");
    let wanted = "-away-notify ".repeat(38);
    let answer = ann.ask(&format!("CAP REQ :{wanted}")).await;
    assert!(answer.iter().all(|line| line.param(1) == "ACK" && line.bare.len() <= 510), "{answer:?}");
    let told: Vec<&str> = answer.iter().flat_map(|line| line.text().split(' ')).collect();
    assert_eq!(told.join(" "), wanted.trim_end());
}

#[tokio::test]
async fn a_policy_of_tls_is_told_and_cannot_be_asked_for() {
    let settings = [("tls.sts", "'30d'"), ("tls.sts_port", "6697"), ("tls.sts_preload", "true")];
    let server = TestServer::start_with(&settings).await;
    let mut ann = server.connect().await;
    // The duration is for those alone who have come by TLS.
    assert_eq!(offer(&ann.ask("CAP LS 302").await)["sts"], "port=6697");
    assert_eq!(numeric(&ann.ask("CAP REQ sts").await, "CAP").param(1), "NAK");
    assert!(!offer(&server.connect().await.ask("CAP LS").await).contains_key("sts"));
}

#[tokio::test]
async fn making_accounts_is_offered_as_it_is_configured() {
    let both = Some("before-connect,custom-account-name");
    for (required, registration, wanted) in [
        ("false", "'open'", both),
        ("false", "'invite'", both),
        ("true", "'open'", Some("before-connect")),
        ("true", "'invite'", Some("before-connect")),
        ("false", "'closed'", None),
        ("true", "'closed'", None),
    ] {
        let settings = [("accounts.required", required), ("accounts.registration", registration)];
        let server = TestServer::start_with(&settings).await;
        let mut ann = server.connect().await;
        let lines = ann.ask("CAP LS 302").await;
        assert_eq!(offer(&lines).get("draft/account-registration").copied(), wanted, "{settings:?}");
        let answer = ann.ask("CAP REQ :draft/account-registration").await;
        assert_eq!(numeric(&answer, "CAP").param(1), if wanted.is_some() { "ACK" } else { "NAK" });
        assert_eq!(numeric(&ann.ask("CAP REQ :-draft/account-registration").await, "CAP").param(1), "ACK");
    }
}

#[tokio::test]
async fn what_is_offered_can_be_had_and_given_back() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let offered: Vec<String> =
        ann.ask("CAP LS 302").await.iter().map(|line| line.text().to_owned()).collect();
    let offered = offered.join(" ");
    for wanted in ["message-tags", "server-time", "echo-message", "away-notify", "setname", "batch"] {
        assert!(offered.split(' ').any(|one| one.split('=').next() == Some(wanted)), "{wanted} in {offered}");
    }
    assert_eq!(
        numeric(&ann.ask("CAP REQ :away-notify setname").await, "CAP").params[1..],
        ["ACK", "away-notify setname"]
    );
    assert_eq!(
        numeric(&ann.ask("CAP REQ :setname nonsense").await, "CAP").params[1..],
        ["NAK", "setname nonsense"]
    );
    ann.ask("CAP REQ :-setname").await;
    let list = ann.ask("CAP LIST").await;
    let mut had: Vec<&str> = numeric(&list, "CAP").text().split(' ').collect();
    had.sort_unstable();
    assert_eq!(had, ["away-notify", "cap-notify"]);
    assert_eq!(numeric(&ann.ask("CAP NONSENSE").await, "410").param(1), "NONSENSE");
}

#[tokio::test]
async fn the_welcome_waits_for_the_end_of_the_negotiation() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    ann.send("CAP LS 302").await;
    ann.send("NICK ann").await;
    ann.send("USER ann 0 * :Ann").await;
    let before = ann.drain_until_pong().await;
    assert!(before.iter().all(|line| line.command == "CAP"), "{before:?}");
    ann.send("CAP END").await;
    ann.expect_numeric("001").await;
}

#[tokio::test]
async fn what_a_reload_changes_is_told_to_those_who_know_version_302() {
    let server = TestServer::start_with(&[("accounts.registration", "'closed'")]).await;
    let mut ann = server.client("ann").await;
    let mut bob = server.connect().await;
    bob.ask("CAP LS").await;
    bob.ask("CAP REQ cap-notify").await;
    let mut eve = server.connect().await;
    eve.ask("CAP LS").await;
    reload(&server, |config| config.accounts.registration = Registration::Open);
    let told = ann.drain_until_pong().await;
    let wanted = "draft/account-registration=before-connect,custom-account-name";
    assert_eq!(numeric(&told, "CAP").params, ["ann", "NEW", wanted]);
    let told = bob.drain_until_pong().await;
    assert_eq!(numeric(&told, "CAP").params, ["*", "NEW", "draft/account-registration"]);
    assert!(eve.drain_until_pong().await.is_empty());
    for client in [&mut ann, &mut bob, &mut eve] {
        let answer = client.ask("CAP REQ draft/account-registration").await;
        assert_eq!(numeric(&answer, "CAP").param(1), "ACK");
    }
    // Another value alone is told to those who know values.
    reload(&server, |config| config.accounts.required = true);
    let told = ann.drain_until_pong().await;
    assert_eq!(numeric(&told, "CAP").params[1..], ["NEW", "draft/account-registration=before-connect"]);
    assert!(bob.drain_until_pong().await.is_empty());
    reload(&server, |config| config.accounts.registration = Registration::Closed);
    for client in [&mut ann, &mut bob] {
        let told = client.drain_until_pong().await;
        assert_eq!(numeric(&told, "CAP").params[1..], ["DEL", "draft/account-registration"]);
    }
    assert!(eve.drain_until_pong().await.is_empty());
    for client in [&mut ann, &mut bob, &mut eve] {
        let had = client.ask("CAP LIST").await;
        assert!(!numeric(&had, "CAP").text().contains("account-registration"), "{had:?}");
    }
}

#[tokio::test]
async fn cap_notify_is_given_back_by_those_alone_who_asked_for_it_by_name() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("CAP REQ cap-notify").await, "CAP").param(1), "ACK");
    assert_eq!(numeric(&ann.ask("CAP REQ -cap-notify").await, "CAP").param(1), "NAK");
    let mut bob = server.connect().await;
    bob.ask("CAP REQ cap-notify").await;
    assert_eq!(numeric(&bob.ask("CAP REQ -cap-notify").await, "CAP").param(1), "ACK");
    reload(&server, |config| config.accounts.registration = Registration::Closed);
    assert!(bob.drain_until_pong().await.is_empty());
}

fn reload(server: &TestServer, change: impl FnOnce(&mut Config)) {
    let mut config = Config::clone(&server.node.config());
    change(&mut config);
    server.node.set_config(config);
}

/// The names and values that the lines of a CAP LS list.
fn offer(lines: &[stentor_testing::Said]) -> BTreeMap<&str, &str> {
    let all = command(lines, "CAP").into_iter().flat_map(|line| line.text().split(' '));
    all.map(|one| one.split_once('=').unwrap_or((one, ""))).collect()
}
