//! LIST.

use stentor_testing::{Said, TestServer, command, numeric};

fn channels(lines: &[Said]) -> Vec<String> {
    let mut names: Vec<String> =
        command(lines, "322").iter().map(|line| format!("{} {}", line.param(1), line.param(2))).collect();
    names.sort();
    names
}

#[tokio::test]
async fn it_lists_every_channel_with_its_members_and_topic() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    let empty = ann.ask("LIST").await;
    assert_eq!(empty.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["321", "323"]);
    ann.ask("JOIN #One,#two").await;
    ann.ask("TOPIC #One :all about one").await;
    bob.ask("JOIN #one").await;
    let lines = bob.ask("LIST").await;
    assert_eq!(channels(&lines), ["#One 2", "#two 1"]);
    let one = command(&lines, "322").into_iter().find(|line| line.param(1) == "#One");
    assert_eq!(one.map(Said::text), Some("all about one"));
    bob.ask("PART #one").await;
    ann.ask("PART #two").await;
    assert_eq!(channels(&bob.ask("LIST").await), ["#One 1"]);
}

#[tokio::test]
async fn names_masks_and_sizes_narrow_it() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #chan1,#chan2").await;
    bob.ask("JOIN #chan2").await;
    for (asked, wanted) in [
        ("#CHAN1", &["#chan1 1"][..]),
        ("*an2", &["#chan2 2"]),
        ("#ch?n*", &["#chan1 1", "#chan2 2"]),
        ("!*an1", &["#chan2 2"]),
        (">1", &["#chan2 2"]),
        ("<2", &["#chan1 1"]),
        (">0,<3", &["#chan1 1", "#chan2 2"]),
        ("#chan1,>1", &[]),
        ("#nowhere", &[]),
    ] {
        let lines = ann.ask(&format!("LIST {asked}")).await;
        assert_eq!(channels(&lines), wanted, "LIST {asked}");
        numeric(&lines, "323");
    }
}

#[tokio::test]
async fn a_secret_channel_is_listed_for_its_members_alone() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    let mut bob = server.client("bob").await;
    ann.ask("JOIN #secret").await;
    ann.ask("MODE #secret +s").await;
    assert_eq!(channels(&ann.ask("LIST").await), ["#secret 1"]);
    assert!(channels(&bob.ask("LIST").await).is_empty());
    assert!(channels(&bob.ask("LIST #secret").await).is_empty());
}

#[tokio::test]
async fn a_list_longer_than_the_queue_reaches_who_reads() {
    let server = TestServer::start_with(&[
        ("limits.send_queue", "'16KiB'"),
        ("channels.max_per_user", "0"),
        ("limits.channel_length", "200"),
    ])
    .await;
    let mut ann = server.client_with("ann", &["draft/no-implicit-names", "batch", "labeled-response"]).await;
    let filler = "x".repeat(180);
    for number in 0..300 {
        ann.ask(&format!("JOIN #{filler}{number}")).await;
    }
    assert_eq!(channels(&ann.ask("LIST").await).len(), 300);
    assert_eq!(channels(&ann.ask("@label=long LIST").await).len(), 300);
    assert_eq!(command(&ann.ask("WHOIS ann").await, "318").len(), 1);
}

#[tokio::test]
async fn channels_are_found_by_their_age_and_their_topics() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann").await;
    ann.ask("JOIN #one,#two").await;
    ann.ask("TOPIC #two :new").await;
    for (asked, wanted) in [
        ("C<5", &["#one 1", "#two 1"][..]),
        ("C>5", &[]),
        ("C<0", &[]),
        ("T<5", &["#two 1"]),
        ("t>5", &[]),
        ("C<5,T<5,<9", &["#two 1"]),
    ] {
        assert_eq!(channels(&ann.ask(&format!("LIST {asked}")).await), wanted, "{asked}");
    }
}
