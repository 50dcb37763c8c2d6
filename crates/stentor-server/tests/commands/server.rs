//! What tells about the server: ADMIN, INFO, LUSERS, MOTD, TIME, VERSION, and unknown commands.

use stentor_testing::{TestServer, command, numeric};

#[tokio::test]
async fn it_tells_what_it_is() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let name = server.name();
    let version = ann.ask("VERSION").await;
    assert_eq!(numeric(&version, "351").param(2), name);
    assert!(!command(&version, "005").is_empty());
    let info = ann.ask("INFO").await;
    assert_eq!(info.last().map(|line| line.command.as_str()), Some("374"));
    assert!(info.iter().rev().skip(1).all(|line| line.command == "371"));
    assert_eq!(numeric(&ann.ask("TIME").await, "391").param(1), name);
    assert_eq!(numeric(&ann.ask("ADMIN").await, "423").param(1), name);
    assert_eq!(numeric(&ann.ask("LUSERS").await, "255").text(), "I have 1 clients and 0 servers");
}

#[tokio::test]
async fn channels_that_their_founders_keep_count_while_nobody_is_there() {
    let server = TestServer::start().await;
    server.account("ann", "secret").await;
    let mut ann = server.login("ann", "secret", &[]).await;
    ann.ask("JOIN #kept").await;
    let server = server.restart(&[]).await;
    let mut bob = server.client("bob").await;
    bob.ask("JOIN #fleeting").await;
    assert_eq!(numeric(&bob.ask("LUSERS").await, "254").param(1), "2");
    bob.ask("PART #fleeting").await;
    assert_eq!(numeric(&bob.ask("LUSERS").await, "254").param(1), "1");
}

#[tokio::test]
async fn those_who_are_invisible_are_counted_apart() {
    let server = TestServer::start().await;
    let (mut ann, _bob) = (server.client("ann").await, server.client("bob").await);
    ann.ask("MODE ann +i").await;
    let counts = ann.ask("LUSERS").await;
    assert_eq!(numeric(&counts, "251").text(), "There are 1 users and 1 invisible on 1 servers");
}

#[tokio::test]
async fn a_request_may_name_this_server_but_no_other() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    for target in [server.name(), "*.example", "ann"] {
        numeric(&ann.ask(&format!("INFO {target}")).await, "374");
        numeric(&ann.ask(&format!("TIME {target}")).await, "391");
    }
    for command in ["ADMIN", "INFO", "TIME", "VERSION"] {
        let lines = ann.ask(&format!("{command} other.example")).await;
        assert_eq!(numeric(&lines, "402").param(1), "other.example");
        assert_eq!(lines.len(), 1);
    }
}

#[tokio::test]
async fn the_welcome_tells_what_is_supported() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let version = ann.ask("VERSION").await;
    let tokens: Vec<&str> = command(&version, "005")
        .into_iter()
        .flat_map(|line| line.params.iter().map(String::as_str))
        .collect();
    for token in
        ["ELIST=CMNTU", "WHOX", "SAFELIST", "CASEMAPPING=ascii", "PREFIX=(qaohv)~&@%+", "AWAYLEN=200"]
    {
        assert!(tokens.contains(&token), "{token} is missing in {tokens:?}");
    }
}

#[tokio::test]
async fn an_unknown_command_is_said_to_be_one() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    assert_eq!(numeric(&ann.ask("NONSENSE a b").await, "421").params[..2], ["ann", "NONSENSE"]);
    let mut nobody = server.connect().await;
    nobody.send("JOIN #room").await;
    nobody.expect_numeric("451").await;
}

#[tokio::test]
async fn the_message_of_the_day_is_shown_where_there_is_one() {
    let server = TestServer::start_with(&[("motd", "'''one\ntwo'''")]).await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("MOTD").await;
    let texts: Vec<&str> = command(&lines, "372").iter().map(|line| line.text()).collect();
    assert_eq!(texts, ["- one", "- two"]);
    numeric(&lines, "375");
    numeric(&lines, "376");
    let bare = TestServer::start().await;
    numeric(&bare.client("ann").await.ask("MOTD").await, "422");
}

#[tokio::test]
async fn what_is_supported_can_be_asked_for_before_the_welcome_and_comes_as_a_batch() {
    let icon = "https://chat.example/icon.png?size=64";
    let quoted = format!("'{icon}'");
    let server = TestServer::start_with(&[("network.icon", &quoted)]).await;
    let mut ann = server.connect().await;
    ann.send("ISUPPORT").await;
    ann.expect_numeric("451").await;
    ann.ask("CAP REQ draft/extended-isupport").await;
    let plain = ann.ask("ISUPPORT").await;
    assert!(plain.iter().all(|line| line.command == "005"), "{plain:?}");
    let wanted = format!("draft/ICON={}", icon.replace('=', "\\x3D"));
    assert!(plain.iter().any(|line| line.params.contains(&wanted)), "{plain:?}");
    ann.ask("CAP REQ :batch labeled-response").await;
    for (request, label) in [("ISUPPORT", None), ("@label=x ISUPPORT", Some("x"))] {
        let lines = ann.ask(request).await;
        let (first, last) = (&lines[0], &lines[lines.len() - 1]);
        assert_eq!((first.param(1), first.tag("label").as_deref()), ("draft/isupport", label));
        let reference = &first.param(0)[1..];
        assert_eq!(last.params, [format!("-{reference}")]);
        for line in &lines[1..lines.len() - 1] {
            assert_eq!((line.command.as_str(), line.tag("batch").as_deref()), ("005", Some(reference)));
        }
    }
    for line in ["NICK ann", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    let welcome = ann.collect_until("422").await;
    assert!(command(&welcome, "005").iter().all(|line| line.tag("batch").is_some()), "{welcome:?}");
}

#[tokio::test]
async fn stats_tells_how_long_the_node_has_been_up() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let lines = ann.ask("STATS u").await;
    assert!(numeric(&lines, "242").text().starts_with("Server Up 0 days 0:00:"), "{lines:?}");
    assert_eq!(numeric(&lines, "219").param(1), "u");
    assert_eq!(ann.ask("STATS z").await.len(), 1);
    numeric(&ann.ask("STATS").await, "461");
}
