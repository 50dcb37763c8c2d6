//! WHO and WHOX.

use stentor_testing::{Said, TestServer, command, numeric};

fn listed(lines: &[Said]) -> Vec<&str> {
    let mut nicks: Vec<&str> = command(lines, "352").iter().map(|line| line.param(5)).collect();
    nicks.sort_unstable();
    nicks
}

#[tokio::test]
async fn a_channel_lists_its_members_with_their_flags() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client_with("bob", &["multi-prefix"]).await;
    ann.ask("JOIN #Room").await;
    bob.ask("JOIN #room").await;
    ann.ask("MODE #room +v ann").await;
    ann.ask("AWAY :tea").await;
    let lines = bob.ask("WHO #ROOM").await;
    assert_eq!(listed(&lines), ["ann", "bob"]);
    let find = |nick: &str| command(&lines, "352").into_iter().find(|line| line.param(5) == nick).cloned();
    let row = find("ann").expect("ann is listed");
    assert_eq!((row.param(1), row.param(2), row.param(4)), ("#Room", "~ann", server.name()));
    assert_eq!((row.param(6), row.text()), ("G@+", "0 The real ann"));
    assert_eq!(find("bob").expect("bob is listed").param(6), "H");
    assert_eq!(numeric(&lines, "315").param(1), "#ROOM");
    let without = ann.ask("WHO #room").await;
    let row = command(&without, "352").into_iter().find(|line| line.param(5) == "ann").cloned();
    assert_eq!(row.expect("ann is listed").param(6), "G@");
}

#[tokio::test]
async fn a_nick_or_a_mask_finds_people() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let _bob = server.client("Bobby").await;
    for mask in ["bobby", "BOB*", "~bobb?", ":*real bob*"] {
        let lines = ann.ask(&format!("WHO {mask}")).await;
        let wanted: &[&str] =
            if mask == "~bobb?" || mask.contains('*') || mask == "bobby" { &["Bobby"] } else { &[] };
        assert_eq!(listed(&lines), wanted, "WHO {mask}");
    }
    for all in ["*", "0"] {
        assert_eq!(listed(&ann.ask(&format!("WHO {all}")).await), ["Bobby", "ann"]);
    }
    let nobody = ann.ask("WHO nobody").await;
    assert_eq!(nobody.len(), 1);
    assert_eq!(numeric(&nobody, "315").param(1), "nobody");
    numeric(&ann.ask("WHO").await, "461");
}

#[tokio::test]
async fn an_invisible_user_is_found_by_name_or_in_a_common_channel() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    bob.ask("MODE bob +i").await;
    assert!(listed(&ann.ask("WHO bo*").await).is_empty());
    assert_eq!(listed(&bob.ask("WHO bo*").await), ["bob"]);
    assert_eq!(listed(&ann.ask("WHO bob").await), ["bob"]);
    bob.ask("JOIN #room").await;
    ann.ask("JOIN #room").await;
    assert_eq!(listed(&ann.ask("WHO bo*").await), ["bob"]);
}

#[tokio::test]
async fn a_secret_channel_is_empty_to_outsiders() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #secret").await;
    ann.ask("MODE #secret +s").await;
    assert!(listed(&bob.ask("WHO #secret").await).is_empty());
    assert_eq!(listed(&ann.ask("WHO #secret").await), ["ann"]);
}

#[tokio::test]
async fn operators_can_be_asked_for() {
    let server = TestServer::start().await;
    server.account("root", "secret").await;
    server.node.accounts.grant("root", "admin").await.expect("the role can be granted");
    let mut ann = server.client("ann").await;
    let mut root = server.login("root", "secret", &[]).await;
    root.ask("OPER root secret").await;
    root.ask("JOIN #room").await;
    ann.ask("JOIN #room").await;
    for mask in ["*", "#room"] {
        let lines = ann.ask(&format!("WHO {mask} o")).await;
        assert_eq!(listed(&lines), ["root"], "WHO {mask}");
    }
    assert_eq!(numeric(&ann.ask("WHO root").await, "352").param(6), "H*");
    assert!(numeric(&ann.ask("USERHOST root").await, "302").text().starts_with("root*=+"));
}

#[tokio::test]
async fn a_mask_lists_no_more_than_the_limit() {
    let server = TestServer::start_with(&[("limits.whox", "2")]).await;
    let mut ann = server.client("ann").await;
    let (_bob, _eve) = (server.client("bob").await, server.client("eve").await);
    let lines = ann.ask("WHO *").await;
    assert_eq!(listed(&lines), ["ann", "bob"]);
    assert_eq!(numeric(&lines, "416").param(1), "*");
    assert_eq!(lines.last().map(|line| line.command.as_str()), Some("315"));
    assert!(command(&ann.ask("WHO *b*").await, "416").is_empty());
}

#[tokio::test]
async fn whox_answers_the_fields_in_their_order() {
    let server = TestServer::start().await;
    server.account("bob", "secret").await;
    let mut ann = server.client("ann").await;
    let mut bob = server.login("bob", "secret", &[]).await;
    bob.ask("JOIN #room").await;
    for letters in ["tcuihsnfdlaor", "roaldfnshiuct"] {
        let lines = ann.ask(&format!("WHO #room %{letters},123")).await;
        let row = numeric(&lines, "354");
        let host = row.param(5);
        assert!(host.ends_with(|c: char| c.is_ascii_alphanumeric()) && host != "127.0.0.1");
        let wanted = [
            "ann",
            "123",
            "#room",
            "~bob",
            "255.255.255.255",
            host,
            server.name(),
            "bob",
            "H~",
            "0",
            row.param(10),
            "bob",
            "n/a",
            "The real bob",
        ];
        assert_eq!(row.params, wanted);
        assert!(row.param(10).parse::<u64>().is_ok());
    }
    assert_eq!(numeric(&ann.ask("WHO ann %tna,7").await, "354").params, ["ann", "7", "ann", "0"]);
    assert_eq!(numeric(&ann.ask("WHO bob %a").await, "354").params, ["ann", "bob"]);
}
