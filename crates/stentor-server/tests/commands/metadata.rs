//! METADATA.

use stentor_server::store::Partition;
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

const WANTED: [&str; 2] = ["draft/metadata-3", "batch"];

/// The numerics about keys: whose, which, and the value where there is one.
fn told(lines: &[Said]) -> Vec<(&str, &str, Option<&str>)> {
    let about = |line: &&Said| matches!(line.command.as_str(), "761" | "766");
    let read = |line: &'_ Said| line.command == "761";
    let of = lines.iter().filter(about);
    of.map(|line| {
        let value = if read(line) { line.params.get(4).map(String::as_str) } else { None };
        (line.params[1].as_str(), line.params[2].as_str(), value)
    })
    .collect()
}

fn failure(lines: &[Said]) -> Vec<&str> {
    standard(numeric(lines, "FAIL"))
}

/// What a standard reply says, without the command and the text.
fn standard(line: &Said) -> Vec<&str> {
    let params = line.params.iter().map(String::as_str);
    params.skip(1).take(line.params.len().saturating_sub(2)).collect()
}

/// The kinds and targets of the batches that begin in these lines.
fn batches(lines: &[Said]) -> Vec<Vec<&str>> {
    let begin = command(lines, "BATCH").into_iter().filter(|line| line.param(0).starts_with('+'));
    begin.map(|line| line.params[1..].iter().map(String::as_str).collect()).collect()
}

/// As [`told`], in an order that does not depend on that of members.
fn sorted(lines: &[Said]) -> Vec<(&str, &str, Option<&str>)> {
    let mut told = told(lines);
    told.sort_unstable();
    told
}

async fn ann_and_bob(server: &TestServer) -> [TestClient; 2] {
    [server.client_with("ann", &WANTED).await, server.client_with("bob", &WANTED).await]
}

#[tokio::test]
async fn what_one_says_about_oneself_is_read_by_all() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    let set = ann.ask("METADATA * SET display-name :Ann of Cleves").await;
    assert_eq!(told(&set), [("ann", "display-name", Some("Ann of Cleves"))]);
    ann.ask("METADATA ann SET url :x").await;
    let lines = bob.ask("METADATA Ann GET url $x display-name nonsense").await;
    assert_eq!(lines[0].params[1..], ["metadata", "ann"]);
    let reference = lines[0].param(0)[1..].to_owned();
    assert!(lines[1..5].iter().all(|line| line.tag("batch").as_deref() == Some(&*reference)), "{lines:?}");
    let wanted = [
        ("ann", "url", Some("x")),
        ("ann", "display-name", Some("Ann of Cleves")),
        ("ann", "nonsense", None),
    ];
    assert_eq!(told(&lines), wanted);
    assert_eq!((&*lines[2].command, standard(&lines[2])), ("WARN", vec!["INVALID_KEY", "$x"]));
    let whois = bob.ask("WHOIS ann").await;
    assert_eq!(command(&whois, "760").len(), 2);
    assert_eq!(command(&whois, "760")[0].params[1..], ["ann", "display-name", "*", "Ann of Cleves"]);
    let unset = ann.ask("METADATA * SET url").await;
    assert_eq!(told(&unset), [("ann", "url", None)]);
    assert_eq!(told(&bob.ask("METADATA ann LIST").await).len(), 1);
    assert_eq!(told(&ann.ask("METADATA * CLEAR").await), [("ann", "display-name", None)]);
    let empty = bob.ask("METADATA ann LIST").await;
    assert_eq!(empty.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), ["BATCH", "BATCH"]);
}

#[tokio::test]
async fn what_is_not_allowed_is_refused() {
    let settings = [("metadata.max_keys", "2"), ("metadata.max_value", "5")];
    let server = TestServer::start_with(&settings).await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    for (request, wanted) in [
        ("METADATA * SET a :123456", &["INVALID_VALUE", "a"][..]),
        ("METADATA * SET A :1", &["INVALID_KEY", "A"]),
        ("METADATA ann SET a :1", &["KEY_NO_PERMISSION", "ann", "a"]),
        ("METADATA ann CLEAR", &["KEY_NO_PERMISSION", "ann", "*"]),
        ("METADATA #room SET a :1", &["KEY_NO_PERMISSION", "#room", "a"]),
        ("METADATA #room CLEAR", &["KEY_NO_PERMISSION", "#room", "*"]),
        ("METADATA nobody LIST", &["INVALID_TARGET", "nobody"]),
        ("METADATA #nowhere LIST", &["INVALID_TARGET", "#nowhere"]),
        ("METADATA $a:bob SET a :1", &["INVALID_TARGET", "$a:bob"]),
        ("METADATA *ALL LIST", &["INVALID_TARGET", "*ALL"]),
        ("METADATA * Sneeze", &["INVALID_PARAMS", "Sneeze"]),
        ("METADATA * :: hi!", &["INVALID_PARAMS", "*"]),
        ("METADATA * :", &["INVALID_PARAMS", "*"]),
        ("METADATA * GET", &["INVALID_PARAMS", "GET"]),
        ("METADATA * SET", &["INVALID_PARAMS", "SET"]),
        ("METADATA * SUB", &["INVALID_PARAMS", "SUB"]),
        ("METADATA * UNSUB", &["INVALID_PARAMS", "UNSUB"]),
        ("METADATA * SET a b c", &["INVALID_PARAMS", "SET"]),
        ("METADATA * LIST a", &["INVALID_PARAMS", "LIST"]),
        ("METADATA * CLEAR a", &["INVALID_PARAMS", "CLEAR"]),
        ("METADATA * SUBS a", &["INVALID_PARAMS", "SUBS"]),
        ("METADATA * SYNC a", &["INVALID_PARAMS", "SYNC"]),
        ("METADATA ann SUB a", &["INVALID_TARGET", "ann"]),
        ("METADATA #room UNSUB a", &["INVALID_TARGET", "#room"]),
        ("METADATA *ALL SUBS", &["INVALID_TARGET", "*ALL"]),
    ] {
        assert_eq!(failure(&bob.ask(request).await), wanted, "{request}");
    }
    for key in ["a", "b"] {
        bob.ask(&format!("METADATA * SET {key} :1")).await;
    }
    assert_eq!(failure(&bob.ask("METADATA * SET c :1").await), ["LIMIT_REACHED", "SET", "bob", "2"]);
    assert_eq!(told(&bob.ask("METADATA * SET b :2").await), [("bob", "b", Some("2"))]);
    numeric(&bob.ask("METADATA *").await, "461");
    // Without the capability the command works, and without a batch.
    let mut eve = server.client("eve").await;
    assert_eq!(told(&eve.ask("METADATA bob LIST").await).len(), 2);
}

#[tokio::test]
async fn changes_are_told_to_those_who_share_a_room_or_monitor_once() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    let mut eve = server.client_with("eve", &WANTED).await;
    bob.ask("METADATA * SUB color avatar").await;
    eve.ask("METADATA * SUB color").await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    for client in [&mut bob, &mut eve] {
        client.ask("MONITOR + ann").await;
    }
    bob.drain_until_pong().await;
    assert_eq!(told(&ann.ask("METADATA * SET color :red").await).len(), 1);
    ann.ask("METADATA * SET url :x").await;
    for client in [&mut bob, &mut eve] {
        assert_eq!(
            told(&client.drain_until_pong().await),
            [("ann", "color", Some("red"))],
            "{}",
            client.nick
        );
    }
    eve.ask("MONITOR - ann").await;
    ann.ask("METADATA * CLEAR").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("ann", "color", None)]);
    assert!(eve.drain_until_pong().await.is_empty());
    bob.ask("METADATA * UNSUB color").await;
    ann.ask("METADATA * SET color :blue").await;
    assert!(bob.drain_until_pong().await.is_empty());
}

#[tokio::test]
async fn what_is_set_is_told_on_the_way_in_and_to_those_who_are_in() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    ann.ask("METADATA #room SET color :grey").await;
    bob.ask("METADATA * SET color :green").await;
    ann.ask("METADATA * SUB color").await;
    bob.ask("METADATA * SUB color").await;
    let joined = bob.ask("JOIN #room").await;
    let values =
        [("#room", "color", Some("grey")), ("ann", "color", Some("red")), ("bob", "color", Some("green"))];
    assert_eq!(sorted(&joined), values);
    assert_eq!(batches(&joined), [["metadata", "#room"]]);
    assert!(command(&joined, "761").iter().all(|line| line.tag("batch").is_some()), "{joined:?}");
    assert_eq!(told(&ann.drain_until_pong().await), [("bob", "color", Some("green"))]);
    ann.ask("METADATA #room SET color :black").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("#room", "color", Some("black"))]);
    let synced = bob.ask("METADATA #room SYNC").await;
    assert_eq!(sorted(&synced), [("#room", "color", Some("black")), values[1], values[2]]);
    assert_eq!(batches(&synced), [["metadata", "#room"]]);
    bob.ask("METADATA * UNSUB color").await;
    // What was set before comes with the subscription.
    let subscribed = bob.ask("METADATA * SUB color").await;
    assert_eq!(subscribed[0].params, ["bob", "color"]);
    assert_eq!(sorted(&subscribed), sorted(&synced));
    assert_eq!(batches(&subscribed), [["metadata", "*ALL"]]);
    bob.ask("PART #room").await;
    let watched = bob.ask("MONITOR + ann").await;
    assert_eq!(told(&watched), [("ann", "color", Some("red"))]);
    ann.ask("NICK anne").await;
    bob.drain_until_pong().await;
    bob.ask("MONITOR + ann").await;
    ann.ask("NICK ann").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("ann", "color", Some("red"))]);
}

#[tokio::test]
async fn rooms_keep_their_secrets() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("JOIN #room").await;
    let set = ann.ask("METADATA #room SET topic :plans").await;
    assert_eq!(told(&set), [("#room", "topic", Some("plans"))], "{set:?}");
    bob.ask("METADATA * SUB topic").await;
    for (mode, wanted) in [
        ("+s", &["INVALID_TARGET", "#room"][..]),
        ("-s+i", &["KEY_NO_PERMISSION", "#room", "*"]),
        ("-i+k key", &["KEY_NO_PERMISSION", "#room", "*"]),
    ] {
        ann.ask(&format!("MODE #room {mode}")).await;
        for request in ["GET topic", "LIST", "SYNC"] {
            assert_eq!(
                failure(&bob.ask(&format!("METADATA #room {request}")).await),
                wanted,
                "{mode} {request}"
            );
        }
    }
    ann.ask("MODE #room -k key").await;
    assert_eq!(told(&bob.ask("METADATA #room LIST").await), [("#room", "topic", Some("plans"))]);
    ann.ask("METADATA #room SET topic :other").await;
    assert!(bob.drain_until_pong().await.is_empty(), "who is not in a room hears of no changes");
}

#[tokio::test]
async fn subscriptions_are_listed_and_limited() {
    let server = TestServer::start_with(&[("metadata.max_subscriptions", "2")]).await;
    let mut ann = server.client_with("ann", &WANTED).await;
    let lines = ann.ask("METADATA * SUB b $x a c d").await;
    assert_eq!(numeric(&lines, "770").params, ["ann", "b", "a"]);
    assert_eq!(standard(numeric(&lines, "WARN")), ["INVALID_KEY", "$x"]);
    assert_eq!(failure(&lines), ["LIMIT_REACHED", "SUB", "c", "2"]);
    assert_eq!(numeric(&lines, "774").params, ["ann", "*ALL", "4", "Try again later"]);
    assert_eq!(batches(&lines), [[""; 0]; 0], "who is nowhere yet has nothing to be told");
    // What is known already counts for nothing, and nothing follows it.
    let again = ann.ask("METADATA ann SUB a b").await;
    assert_eq!((again.len(), &again[0].params[1..]), (1, &["a".into(), "b".into()][..]));
    let lines = ann.ask("METADATA * SUBS").await;
    assert_eq!(
        (lines[0].param(1), &numeric(&lines, "772").params[1..]),
        ("metadata-subs", &["a".into(), "b".into()][..])
    );
    let lines = ann.ask("METADATA * UNSUB a z $x").await;
    assert_eq!(numeric(&lines, "771").params, ["ann", "a", "z"]);
    assert_eq!(standard(numeric(&lines, "WARN")), ["INVALID_KEY", "$x"]);
    assert_eq!(numeric(&ann.ask("METADATA * SUBS").await, "772").params, ["ann", "b"]);
}

#[tokio::test]
async fn what_is_said_before_the_welcome_comes_with_it() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    assert_eq!(ann.ask("METADATA * SET a :1").await[0].command, "451");
    ann.ask("CAP LS 302").await;
    ann.ask("CAP REQ :draft/metadata-3 batch").await;
    assert_eq!(told(&ann.ask("METADATA * SET a :1").await), [("*", "a", Some("1"))]);
    assert_eq!(told(&ann.ask("METADATA * LIST").await), [("*", "a", Some("1"))]);
    assert_eq!(failure(&ann.ask("METADATA ann LIST").await), ["INVALID_TARGET", "ann"]);
    assert_eq!(failure(&ann.ask("METADATA ann SUB a").await), ["INVALID_TARGET", "ann"]);
    assert_eq!(told(&ann.ask("METADATA * SET b :1").await), [("*", "b", Some("1"))]);
    for _ in 0..2 {
        assert_eq!(told(&ann.ask("METADATA * SET b :").await), [("*", "b", None)]);
    }
    let subscribed = ann.ask("METADATA * SUB z").await;
    assert_eq!((subscribed.len(), &*subscribed[0].command), (1, "770"), "{subscribed:?}");
    for line in ["NICK ann", "USER ann 0 * :Ann", "CAP END"] {
        ann.send(line).await;
    }
    let welcome = ann.collect_until("422").await;
    assert_eq!(told(&welcome), [("ann", "a", Some("1"))]);
    assert_eq!(command(&welcome, "BATCH")[0].params[1..], ["metadata", "ann"]);
    assert_eq!(told(&ann.ask("METADATA ann GET a").await), [("ann", "a", Some("1"))]);
}

#[tokio::test]
async fn clients_of_the_second_draft_hear_by_its_command() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &["draft/metadata-2", "batch"]).await;
    let mut bob = server.client_with("bob", &WANTED).await;
    let lines = ann.ask("METADATA * SUB shape").await;
    assert_eq!((lines.len(), &*lines[0].command), (1, "770"), "there is nobody to tell of: {lines:?}");
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.ask("METADATA * SUB color").await;
    bob.ask("METADATA * SET color red").await;
    let red = ["bob", "color", "*", "red"];
    assert_eq!(numeric(&ann.drain_until_pong().await, "METADATA").params, red);
    let synchronised = ann.ask("METADATA bob SYNC").await;
    assert_eq!(batches(&synchronised), [["metadata", "bob"]]);
    assert_eq!(numeric(&synchronised, "METADATA").params, red);
    assert_eq!(told(&ann.ask("METADATA bob GET color").await), [("bob", "color", Some("red"))]);
    bob.ask("METADATA * SET color").await;
    assert_eq!(numeric(&ann.drain_until_pong().await, "METADATA").params, red[..3]);
    ann.ask("CAP REQ -draft/metadata-2").await;
    bob.ask("METADATA * SET color blue").await;
    assert_eq!(ann.drain_until_pong().await.len(), 0);
}

#[tokio::test]
async fn accounts_and_founded_rooms_keep_theirs_and_guests_do_not() {
    let server = TestServer::start_with(&[("accounts.registration", "'open'")]).await;
    server.account("ann", "correct-horse").await;
    let mut ann = server.login("ann", "correct-horse", &WANTED).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    ann.ask("METADATA #room SET color :grey").await;
    let mut bob = server.client_with("bob", &WANTED).await;
    bob.ask("METADATA * SET color :green").await;
    server.account("cat", "correct-horse").await;
    let mut cat = server.login("cat", "correct-horse", &WANTED).await;
    cat.ask("METADATA * SET mood :glad").await;
    let server = server.restart(&[("accounts.registration", "'open'")]).await;
    let mut ann = server.login("ann", "correct-horse", &WANTED).await;
    assert_eq!(told(&ann.ask("METADATA * LIST").await), [("ann", "color", Some("red"))]);
    ann.ask("JOIN #room").await;
    assert_eq!(told(&ann.ask("METADATA #room LIST").await), [("#room", "color", Some("grey"))]);
    let mut bob = server.client_with("bob", &WANTED).await;
    assert_eq!(told(&bob.ask("METADATA * LIST").await), []);
    // A guest who logs in keeps what it has said.
    bob.ask("METADATA * SET color :green").await;
    bob.ask("REGISTER bob * correct-horse").await;
    assert_eq!(told(&ann.ask("METADATA bob LIST").await), [("bob", "color", Some("green"))]);
    // What the account has said before is news to a guest who logs in to it.
    let mut eve = server.client_with("eve", &WANTED).await;
    eve.ask("METADATA * SUB mood").await;
    let lines = eve.ask("PRIVMSG NickServ :IDENTIFY cat correct-horse").await;
    assert_eq!(told(&lines), [("eve", "mood", Some("glad"))], "{lines:#?}");
}

#[tokio::test]
async fn changes_come_slowly_after_a_burst() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &WANTED).await;
    for change in 0..40 {
        ann.send(&format!("METADATA * SET color :{change}")).await;
    }
    let lines = ann.drain_until_pong().await;
    let refused = command(&lines, "775")[0];
    assert!(refused.param(1).parse::<u64>().is_ok_and(|wait| wait > 0), "{refused:?}");
    let (first, value) = (refused.params[2..5].join(" "), refused.param(5).parse::<usize>());
    // It is the request, to be made again.
    assert_eq!((&*first, value), ("* SET color", Ok(metadata_changes(&lines))));
    let refused = ann.ask("METADATA ann CLEAR").await;
    assert_eq!(numeric(&refused, "775").params[2..], ["ann", "CLEAR"]);
}

/// How many changes were answered.
fn metadata_changes(lines: &[Said]) -> usize {
    lines.iter().take_while(|line| line.command != "775").filter(|line| line.command == "761").count()
}

#[tokio::test]
async fn an_empty_value_is_none_and_what_is_so_already_is_a_success() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #room").await;
    }
    bob.ask("METADATA * SUB a").await;
    ann.drain_until_pong().await;
    for target in ["ann", "#room"] {
        let set = format!("METADATA {target} SET a");
        assert_eq!(told(&ann.ask(&set).await), [(target, "a", None)]);
        assert!(bob.drain_until_pong().await.is_empty(), "nothing has changed");
        for _ in 0..2 {
            assert_eq!(told(&ann.ask(&format!("{set} :1")).await), [(target, "a", Some("1"))]);
        }
        assert_eq!(told(&bob.drain_until_pong().await), [(target, "a", Some("1"))], "it has changed once");
        assert_eq!(told(&ann.ask(&format!("{set} :")).await), [(target, "a", None)]);
        assert_eq!(told(&bob.drain_until_pong().await), [(target, "a", None)]);
        let cleared = ann.ask(&format!("METADATA {target} CLEAR")).await;
        assert_eq!((told(&cleared).len(), batches(&cleared)), (0, vec![vec!["metadata", target]]));
        assert!(bob.drain_until_pong().await.is_empty(), "there was nothing left");
    }
}

#[tokio::test]
async fn one_request_synchronises_all_that_one_sees_each_once() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    let [mut eve, mut cat] = [server.client("eve").await, server.client("cat").await];
    for client in [&mut ann, &mut bob, &mut eve, &mut cat] {
        client.ask("METADATA * SET color :red").await;
    }
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    cat.ask("JOIN #three").await;
    ann.ask("METADATA #two SET color :grey").await;
    bob.ask("MONITOR + ann,eve").await;
    let empty = bob.ask("METADATA *ALL SYNC").await;
    assert_eq!((told(&empty).len(), batches(&empty)), (0, vec![vec!["metadata", "*ALL"]]));
    let wanted = [
        ("#two", "color", Some("grey")),
        ("ann", "color", Some("red")),
        ("bob", "color", Some("red")),
        ("eve", "color", Some("red")),
    ];
    for request in ["METADATA * SUB color", "METADATA *ALL SYNC"] {
        let lines = bob.ask(request).await;
        assert_eq!(batches(&lines), [["metadata", "*ALL"]]);
        assert_eq!(sorted(&lines), wanted, "{request}");
    }
    assert_eq!(told(&bob.ask("METADATA eve SYNC").await), [wanted[3]]);
    assert_eq!(told(&bob.ask("METADATA * SYNC").await), [wanted[2]]);
}

#[tokio::test]
async fn what_follows_a_subscription_is_within_the_answer() {
    let server = TestServer::start().await;
    let wanted = [&WANTED[..], &["labeled-response"]].concat();
    let mut ann = server.client_with("ann", &wanted).await;
    ann.ask("JOIN #room").await;
    let lines = ann.ask("@label=1 METADATA * SUB color").await;
    assert_eq!(batches(&lines), [vec!["labeled-response"], vec!["metadata", "*ALL"]]);
    let outer = lines[0].param(0)[1..].to_owned();
    assert_eq!(lines[0].tag("label").as_deref(), Some("1"));
    let [answer, nested] = [&lines[1], command(&lines, "BATCH")[1]];
    assert_eq!((&*answer.command, answer.tag("batch")), ("770", Some(outer.clone())));
    assert_eq!(nested.tag("batch"), Some(outer));
}

#[tokio::test]
async fn whoever_comes_in_or_monitors_gets_a_batch_also_an_empty_one() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    let joined = bob.ask("JOIN #room").await;
    assert_eq!((told(&joined).len(), batches(&joined)), (0, vec![vec!["metadata", "#room"]]));
    for request in ["MONITOR + ann", "MONITOR S"] {
        let seen = bob.ask(request).await;
        assert_eq!(numeric(&seen, "730").params.len(), 2);
        assert_eq!((told(&seen).len(), batches(&seen)), (0, vec![vec!["metadata", "ann"]]));
    }
    assert_eq!(batches(&bob.ask("MONITOR + nobody,eve").await), [[""; 0]; 0]);
    let mut eve = server.client("eve").await;
    let come = bob.drain_until_pong().await;
    assert_eq!((&*come[0].command, batches(&come)), ("730", vec![vec!["metadata", "eve"]]));
    bob.ask("METADATA * SUB color").await;
    assert_eq!(told(&bob.ask("MONITOR S").await), [("ann", "color", Some("red"))]);
    eve.ask("NICK nobody").await;
    let come = bob.drain_until_pong().await;
    let later = numeric(&come, "774");
    assert_eq!((later.param(1), later.text()), ("nobody", "Try again later"));
    assert!(later.param(2).parse::<u64>().is_ok(), "{later:?}");
    assert_eq!(told(&bob.ask("METADATA nobody SYNC").await), []);
    // Who asked for none of it is told of none.
    let mut cat = server.client_with("cat", &["batch"]).await;
    for request in ["JOIN #room", "MONITOR + ann"] {
        assert_eq!(batches(&cat.ask(request).await), [[""; 0]; 0]);
    }
}

#[tokio::test]
async fn whoever_drops_a_capability_drops_the_subscriptions() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &WANTED).await;
    for dropped in WANTED {
        ann.ask("METADATA * SUB color").await;
        ann.ask("CAP REQ -echo-message").await;
        numeric(&ann.ask("METADATA * SUBS").await, "772");
        ann.ask(&format!("CAP REQ -{dropped}")).await;
        ann.ask(&format!("CAP REQ {dropped}")).await;
        let left = ann.ask("METADATA * SUBS").await;
        assert_eq!((left.len(), batches(&left)), (2, vec![vec!["metadata-subs"]]), "{dropped}");
    }
}

#[tokio::test]
async fn an_auditorium_hides_its_listeners_in_metadata_too() {
    let server = TestServer::start().await;
    let [mut ann, mut bob] = ann_and_bob(&server).await;
    let [mut eve, mut cat] =
        [server.client_with("eve", &WANTED).await, server.client_with("cat", &WANTED).await];
    ann.ask("JOIN #room").await;
    ann.ask("MODE #room +u").await;
    for client in [&mut ann, &mut bob, &mut eve, &mut cat] {
        client.ask("METADATA * SET color :red").await;
        client.ask("METADATA * SUB color").await;
    }
    let [of_ann, of_bob, of_eve] = ["ann", "bob", "eve"].map(|nick| (nick, "color", Some("red")));
    eve.ask("JOIN #room").await;
    assert_eq!(told(&ann.drain_until_pong().await), [of_eve], "those who keep order see who comes");
    assert_eq!(sorted(&bob.ask("JOIN #room").await), [of_ann, of_bob]);
    assert_eq!(told(&ann.drain_until_pong().await), [of_bob]);
    assert_eq!(told(&eve.drain_until_pong().await), []);
    for (client, wanted) in [
        (&mut ann, &[of_ann, of_bob, of_eve][..]),
        (&mut bob, &[of_ann, of_bob]),
        (&mut eve, &[of_ann, of_eve]),
        (&mut cat, &[of_ann]),
    ] {
        assert_eq!(sorted(&client.ask("METADATA #room SYNC").await), wanted, "{}", client.nick);
    }
    assert_eq!(sorted(&bob.ask("METADATA *ALL SYNC").await), [of_ann, of_bob]);
    bob.ask("METADATA * UNSUB color").await;
    assert_eq!(sorted(&bob.ask("METADATA * SUB color").await), [of_ann, of_bob]);
    eve.ask("METADATA * SET color :blue").await;
    let changed = [("eve", "color", Some("blue"))];
    assert_eq!(told(&bob.drain_until_pong().await), []);
    assert_eq!(told(&ann.drain_until_pong().await), changed);
    // Whoever is seen elsewhere, or speaks for all to see, is told of.
    for client in [&mut bob, &mut eve] {
        client.ask("JOIN #other").await;
    }
    bob.drain_until_pong().await;
    eve.ask("METADATA * SET color :green").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("eve", "color", Some("green"))]);
    eve.ask("PART #other").await;
    ann.ask("MODE #room +v eve").await;
    bob.drain_until_pong().await;
    eve.ask("METADATA * SET color :blue").await;
    assert_eq!(told(&bob.drain_until_pong().await), changed);
    ann.ask("METADATA #room SET color :grey").await;
    assert_eq!(told(&bob.drain_until_pong().await), [("#room", "color", Some("grey"))]);
}

#[tokio::test]
async fn a_room_that_cannot_be_read_hides_no_other() {
    let open = [("accounts.registration", "'open'")];
    let server = TestServer::start_with(&open).await;
    for account in ["ann", "eve", "cat"] {
        server.account(account, "correct-horse").await;
    }
    let (line, server) = server.restart_on_a_bad_line().await;
    let mut people = Vec::new();
    for (account, room) in [("ann", "#one"), ("eve", "#two"), ("cat", "#three")] {
        let mut client = server.login(account, "correct-horse", &WANTED).await;
        client.ask("METADATA * SET color :red").await;
        client.ask(&format!("JOIN {room}")).await;
        people.push(client);
    }
    let mut bob = server.client_with("bob", &WANTED).await;
    bob.ask("JOIN #one,#two,#three").await;
    for request in ["METADATA * SUB color", "METADATA *ALL SYNC"] {
        line.fail_peek(&Partition::account("eve"));
        let lines = bob.ask(request).await;
        assert_eq!(sorted(&lines), [("ann", "color", Some("red")), ("cat", "color", Some("red"))]);
        let later = numeric(&lines, "774");
        assert_eq!((later.param(1), later.param(2), later.text()), ("#two", "4", "Try again later"));
    }
    line.fail_peek(&Partition::account("eve"));
    let lines = bob.ask("METADATA #two SYNC").await;
    assert_eq!((told(&lines).len(), numeric(&lines, "774").param(1)), (0, "#two"));
    line.fail_peek(&Partition::account("eve"));
    let lines = bob.ask("MONITOR + eve").await;
    assert_eq!((batches(&lines).len(), numeric(&lines, "774").param(1)), (0, "eve"));
}

#[tokio::test]
async fn of_a_large_room_one_is_told_to_ask_later() {
    let server = TestServer::start().await;
    let mut ann = server.client_with("ann", &WANTED).await;
    ann.ask("METADATA * SET color :red").await;
    ann.ask("JOIN #room").await;
    let mut others = Vec::new();
    for number in 0..100 {
        let mut other = server.client(&format!("user{number}")).await;
        other.ask("JOIN #room").await;
        others.push(other);
    }
    let mut bob = server.client_with("bob", &WANTED).await;
    bob.ask("METADATA * SUB color").await;
    let joined = bob.ask("JOIN #room").await;
    assert_eq!(numeric(&joined, "774").params, ["bob", "#room", "4", "Try again later"]);
    assert_eq!((told(&joined), batches(&joined).len()), (vec![], 0));
    bob.ask("METADATA * UNSUB color").await;
    let subscribed = bob.ask("METADATA * SUB color").await;
    assert_eq!(subscribed[1].params, ["bob", "*ALL", "4", "Try again later"]);
    assert_eq!(told(&bob.ask("METADATA *ALL SYNC").await), [("ann", "color", Some("red"))]);
    assert_eq!(told(&bob.ask("METADATA #room SYNC").await), [("ann", "color", Some("red"))]);
}

#[tokio::test]
async fn without_keys_it_is_not_offered() {
    let server = TestServer::start_with(&[("metadata.max_keys", "0")]).await;
    let mut ann = server.client("ann").await;
    for name in ["draft/metadata-2", "draft/metadata-3"] {
        assert_eq!(numeric(&ann.ask(&format!("CAP REQ {name}")).await, "CAP").param(1), "NAK");
    }
    numeric(&ann.ask("METADATA * LIST").await, "421");
}
