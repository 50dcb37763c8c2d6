//! Commands that ask other nodes: two nodes on one real Redis.

use stentor_server::store::Partition;
use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_testing::redis::RedisServer;

use stentor_testing::{Said, TestServer, command, numeric};

async fn nodes(redis: &RedisServer) -> [TestServer; 2] {
    nodes_with(redis, &[]).await
}

async fn nodes_with(redis: &RedisServer, settings: &[(&str, &str)]) -> [TestServer; 2] {
    let mut settings = settings.to_vec();
    settings.push(("fleet.lease", "'1m'"));
    let start = async |name: &str| {
        let store = RedisStore::connect(RedisSettings::new(&redis.url())).await.expect("Redis answers");
        let directory = tempfile::tempdir().expect("a directory can be made");
        TestServer::start_on(store, name, directory, &settings).await
    };
    [start("one.example").await, start("two.example").await]
}

fn listed(lines: &[Said]) -> Vec<(&str, &str, &str)> {
    let rows = command(lines, "352").into_iter().map(|line| (line.param(5), line.param(4), line.param(6)));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn who_and_whois_find_people_on_other_nodes() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    let mut ann = one.client("ann").await;
    let mut bob = two.client("bob").await;
    bob.ask("JOIN #open,#secret").await;
    bob.ask("MODE #secret +s").await;
    bob.ask("AWAY :tea").await;
    let wanted = [("ann", "one.example", "H"), ("bob", "two.example", "G")];
    assert_eq!(listed(&ann.ask("WHO *").await), wanted);
    assert_eq!(listed(&ann.ask("WHO bob").await), wanted[1..]);
    assert_eq!(listed(&ann.ask("WHO #open").await), [("bob", "two.example", "G@")]);
    let about = ann.ask("WHOIS bob").await;
    assert_eq!(numeric(&about, "311").text(), "The real bob");
    assert_eq!(numeric(&about, "312").param(2), "two.example");
    assert_eq!(numeric(&about, "319").text(), "@#open");
    assert_eq!(numeric(&about, "301").text(), "tea");
    numeric(&about, "317");

    bob.ask("MODE bob +i").await;
    assert_eq!(listed(&ann.ask("WHO *").await), wanted[..1]);
    ann.ask("JOIN #secret").await;
    assert_eq!(listed(&ann.ask("WHO b*").await), wanted[1..]);
    assert_eq!(numeric(&ann.ask("WHOIS bob").await, "319").text(), "@#secret");
    assert_eq!(numeric(&ann.ask("ISON bob").await, "303").text(), "bob");
    assert!(numeric(&ann.ask("USERHOST bob").await, "302").text().starts_with("bob=-~bob@"));
    let channels = ann.ask("LIST").await;
    assert_eq!(command(&channels, "322").len(), 2);
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn what_a_silent_node_does_not_tell_is_said_to_be_missing() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    let mut ann = one.client_with("ann", &["standard-replies"]).await;
    let mut bob = two.client("bob").await;
    bob.ask("AWAY :tea").await;
    // As after a crash: it answers nothing, and its lease goes on for a while.
    two.node.stop.cancel();
    let lines = ann.ask("WHO *").await;
    assert_eq!(listed(&lines), [("ann", "one.example", "H")]);
    assert_eq!(numeric(&lines, "NOTE").params[..3], ["WHO", "INCOMPLETE", "*"]);
    let about = ann.ask("WHOIS bob").await;
    assert_eq!((numeric(&about, "311").param(2), numeric(&about, "311").text()), ("~bob", "*"));
    assert_eq!(numeric(&about, "301").text(), "tea");
    assert_eq!(numeric(&about, "NOTE").params[..3], ["WHOIS", "INCOMPLETE", "bob"]);
    assert_eq!(about.last().map(|line| line.command.as_str()), Some("318"));
    one.shutdown().await;
}

#[tokio::test]
async fn links_shows_the_nodes_to_operators_alone() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    one.account("root", "secret").await;
    one.node.accounts.grant("root", "admin").await.expect("the role can be granted");
    let mut root = one.login("root", "secret", &[]).await;
    // A role alone makes nobody an operator.
    assert_eq!(root.ask("LINKS").await.len(), 1);
    numeric(&root.ask("OPER root secret").await, "381");
    let links = root.ask("LINKS").await;
    let rows = command(&links, "364");
    assert_eq!(rows.iter().map(|row| row.param(1)).collect::<Vec<_>>(), ["one.example", "two.example"]);
    assert_eq!(numeric(&links, "365").param(1), "*");
    let mut ann = one.client("ann").await;
    let links = ann.ask("LINKS").await;
    assert_eq!((links.len(), numeric(&links, "365").param(1)), (1, "*"));
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn lusers_counts_everybody_as_of_now() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    let mut ann = one.client("ann").await;
    let mut bob = two.client("bob").await;
    let lines = ann.ask("LUSERS").await;
    assert_eq!(numeric(&lines, "251").text(), "There are 2 users and 0 invisible on 2 servers");
    assert_eq!(numeric(&lines, "265").params[1..3], ["1", "1"]);
    assert_eq!(numeric(&lines, "266").params[1..3], ["2", "2"]);
    let _dan = two.client("dan").await;
    assert_eq!(numeric(&bob.ask("LUSERS").await, "266").params[1..3], ["3", "3"]);
    bob.send("QUIT").await;
    bob.expect_closed().await;
    // The other node has heard of three.
    assert_eq!(numeric(&ann.ask("LUSERS").await, "266").params[1..3], ["2", "3"]);
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn lusers_counts_each_channel_of_the_network_once() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    one.account("amy", "secret").await;
    let mut amy = one.login("amy", "secret", &[]).await;
    let mut bob = two.client("bob").await;
    amy.ask("JOIN #both,#mine").await;
    bob.ask("JOIN #both,#theirs").await;
    bob.ask("MODE #theirs +s").await;
    let channels = |lines: &[Said]| numeric(lines, "254").param(1).to_owned();
    for client in [&mut amy, &mut bob] {
        assert_eq!(channels(&client.ask("LUSERS").await), "3");
    }
    // Their founder's account keeps them, and nobody follows #mine.
    amy.send("QUIT").await;
    amy.expect_closed().await;
    let mut channel = bob.ask("LUSERS").await;
    while channels(&channel) != "2" {
        channel = bob.ask("LUSERS").await;
    }
    // A node that has not looked yet finds it, and the others hear of that.
    one.shutdown().await;
    let store = RedisStore::connect(RedisSettings::new(&redis.url())).await.expect("Redis answers");
    let settings = [("fleet.lease", "'1m'")];
    let three =
        TestServer::start_on(store, "three.example", tempfile::tempdir().expect("made"), &settings).await;
    let mut dan = three.client("dan").await;
    // Its share of the directory may not have the channel: then the other node's has, which looks again in a minute.
    let bucket = Partition::directory_of("c/#mine");
    let own = three.node.fleet.is_in_share(three.node.tenure().writer(), &bucket);
    assert_eq!(channels(&dan.ask("LUSERS").await), if own { "3" } else { "2" });
    two.shutdown().await;
    three.shutdown().await;
}

#[tokio::test]
async fn a_fleet_with_a_name_of_its_own_looks_like_one_server() {
    let redis = RedisServer::start();
    let [one, two] = nodes_with(&redis, &[("network.server", "'chat.example'")]).await;
    let mut ann = one.client("ann").await;
    let mut bob = two.client("bob").await;
    assert_eq!((one.name(), two.name()), ("chat.example", "chat.example"));
    bob.ask("JOIN #open").await;
    assert_eq!(listed(&ann.ask("WHO bob").await), [("bob", "chat.example", "H")]);
    assert_eq!(listed(&ann.ask("WHO #open").await), [("bob", "chat.example", "H@")]);
    assert_eq!(numeric(&ann.ask("WHOIS bob").await, "312").param(2), "chat.example");
    let lusers = ann.ask("LUSERS").await;
    assert_eq!(numeric(&lusers, "255").text(), "I have 2 clients and 0 servers");
    assert_eq!(numeric(&lusers, "265").params[1..3], ["2", "2"]);
    ann.ask("MONITOR + eve").await;
    let _eve = two.client("eve").await;
    let online = ann.expect_numeric("730").await;
    assert_eq!(online.source, "chat.example");
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn whowas_asks_the_nodes_what_they_remember() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    let mut ann = one.client("ann").await;
    for server in [&one, &two] {
        let mut bob = server.client("bob").await;
        bob.send("QUIT").await;
        bob.expect_closed().await;
    }
    let lines = ann.ask("WHOWAS bob").await;
    let servers: Vec<&str> = command(&lines, "312").iter().map(|row| row.param(2)).collect();
    assert_eq!(servers, ["two.example", "one.example"]);
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn what_changes_with_a_monitored_person_crosses_nodes_once() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    let mut ann = one.client_with("ann", &["extended-monitor", "away-notify", "setname"]).await;
    let mut bob = two.client("bob").await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #room").await;
    }
    ann.ask("MONITOR + bob").await;
    bob.ask("AWAY :tea").await;
    assert_eq!(ann.expect_numeric("AWAY").await.text(), "tea");
    bob.ask("SETNAME :Bob").await;
    bob.ask("PRIVMSG #room :done").await;
    let told = ann.collect_until("PRIVMSG").await;
    let told: Vec<&str> =
        told.iter().map(|line| line.command.as_str()).filter(|name| *name != "JOIN").collect();
    assert_eq!(told, ["SETNAME", "PRIVMSG"]);
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn metadata_crosses_nodes() {
    let redis = RedisServer::start();
    let [one, two] = nodes(&redis).await;
    let wanted = ["draft/metadata-3", "batch"];
    let mut ann = one.client_with("ann", &wanted).await;
    let mut bob = two.client_with("bob", &wanted).await;
    let mut eve = two.client_with("eve", &wanted).await;
    for client in [&mut bob, &mut eve] {
        client.ask("METADATA * SUB color").await;
    }
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    ann.ask("METADATA #room SET color :grey").await;
    eve.ask("MONITOR + ann").await;
    let joined = bob.ask("JOIN #room").await;
    let told: Vec<&str> = command(&joined, "761").iter().map(|line| line.text()).collect();
    assert_eq!(told, ["grey", "red"]);
    assert_eq!(numeric(&bob.ask("METADATA ann GET color").await, "761").text(), "red");
    eve.drain_until_pong().await;
    ann.ask("METADATA * SET color :blue").await;
    for client in [&mut bob, &mut eve] {
        assert_eq!(client.expect_numeric("761").await.params[1..], ["ann", "color", "*", "blue"]);
    }
    ann.ask("METADATA #room CLEAR").await;
    assert_eq!(bob.expect_numeric("766").await.params[1..3], ["#room", "color"]);
    one.shutdown().await;
    two.shutdown().await;
}
