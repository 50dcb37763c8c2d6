//! Operators of a fleet: what one of them does on one node holds on all of them at once.

use super::Pair;
use stentor_server::commit_identity::Committer;
use stentor_server::operator::audit::{Audit, CONSOLE, Deed};
use stentor_server::operator::ban::Target;
use stentor_server::store::redis::{RedisSettings, RedisStore};
use stentor_testing::{Said, TestClient, TestServer, command, numeric};

/// An operator `operuser`, whose password is `operpassword`.
pub(crate) const OPERATOR: &[(&str, &str)] = &[
    ("operators.operuser.password", "'$2a$04$bKb6k5A6yuFA2wx.iJtxcuT2dojHQAjHd5ZPK/I2sjJml7p4spxjG'"),
    ("operators.operuser.role", "'admin'"),
];

async fn operator(server: &TestServer) -> TestClient {
    let mut root = server.client("root").await;
    numeric(&root.ask("OPER operuser operpassword").await, "381");
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_ends_a_session_on_another_node() {
    let pair = Pair::start(OPERATOR).await;
    let mut root = operator(&pair.one).await;
    let mut ann = pair.one.client("ann").await;
    let mut bob = pair.two.client("bob").await;
    ann.ask("JOIN #room").await;
    bob.ask("JOIN #room").await;
    ann.expect_numeric("JOIN").await;
    root.send("KILL bob :bad  manners").await;
    let end = bob.expect_closed().await;
    assert_eq!(numeric(&end, "KILL").params, ["bob", "bad  manners"]);
    assert!(numeric(&end, "KILL").source.starts_with("root!~root@"));
    assert_eq!(ann.expect_numeric("QUIT").await.text(), "Killed (root (bad  manners))");
    assert!(root.drain_until_pong().await.is_empty());
    // The name is free, on both nodes.
    pair.one.client("bob").await;
    let records = pair.two.node.audit.read(None, 1).await.expect("the store answers");
    let record = records.first().expect("it was written down");
    assert_eq!((record.what.as_str(), record.node.as_str()), ("kill", "one.example"));
    assert!(record.target.starts_with("bob!~bob@"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_does_on_another_node_bears_the_account() {
    let pair = Pair::start(OPERATOR).await;
    pair.one.account("ann", "secret").await;
    let mut ann = pair.one.login("ann", "secret", &[]).await;
    numeric(&ann.ask("OPER operuser operpassword").await, "381");
    let mut bob = pair.two.client_with("bob", &["account-tag"]).await;
    bob.ask("MODE bob +w").await;
    ann.ask("WALLOPS :hello").await;
    let heard = bob.expect_numeric("WALLOPS").await;
    assert_eq!((heard.text(), heard.tag("account").as_deref()), ("hello", Some("ann")));
    ann.ask("KILL bob :bye").await;
    let end = bob.expect_closed().await;
    assert_eq!(numeric(&end, "KILL").tag("account").as_deref(), Some("ann"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_nick_while_being_killed_is_killed() {
    let pair = Pair::start(OPERATOR).await;
    let mut root = operator(&pair.one).await;
    let (mut killed, mut missed) = (0, 0);
    for round in 0..40 {
        let mut bob = pair.two.client("bob").await;
        let renaming = async {
            bob.send(&format!("NICK bob{round}")).await;
            bob
        };
        let (mut bob, answer) = tokio::join!(renaming, root.ask("KILL bob :x"));
        if command(&answer, "401").is_empty() {
            bob.expect_closed().await;
            killed += 1;
        } else {
            // The nick was gone before the KILL was read.
            root.ask(&format!("KILL bob{round} :x")).await;
            bob.expect_closed().await;
            missed += 1;
        }
    }
    assert_eq!(killed + missed, 40);
    assert!(killed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_answer_saves_nobody_from_a_kill() {
    let pair = Pair::start(&[OPERATOR, &[("fleet.lease", "'1m'")]].concat()).await;
    let mut root = operator(&pair.one).await;
    let mut bob = pair.two.client("bob").await;
    bob.ask("JOIN #room").await;
    root.ask("JOIN #room").await;
    // As if it were paused: it answers no question, and its lease goes on.
    pair.two.node.stop.cancel();
    assert_eq!(numeric(&root.ask("KILL bob :x").await, "QUIT").text(), "Killed (root (x))");
    pair.one.client("bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_hold_on_all_nodes() {
    let pair = Pair::start(OPERATOR).await;
    pair.one.account("mallory", "secret").await;
    let mut root = operator(&pair.one).await;
    let address = "192.0.2.9".parse().expect("it is an address");
    let mut spam = pair.two.client("spam").await;
    let mut far = pair.two.connect_from(address).await;
    far.register("far", None, &[]).await;
    let mut mallory = pair.two.login("mallory", "secret", &[]).await;
    for (line, client) in [
        ("KLINE spam!*@* :x", &mut spam),
        ("DLINE 192.0.2.0/24 :x", &mut far),
        ("UBAN ADD mallory DURATION 1h x", &mut mallory),
    ] {
        root.send(line).await;
        numeric(&client.expect_closed().await, "465");
    }
    let mut again = pair.two.connect_from(address).await;
    numeric(&again.expect_closed().await, "465");
    let lines = root.ask("UBAN LIST").await;
    assert_eq!(
        command(&lines, "NOTICE").iter().filter(|line| line.text().contains(" by operuser ")).count(),
        3
    );
    assert_eq!(pair.two.node.ban_list.list().await.expect("the store answers").len(), 3);
    // What a ban would hit is told also of those who are elsewhere.
    let mut ham = pair.two.client("ham").await;
    ham.ask("NICK hamlet").await;
    root.ask("KLINE ham*!*@elsewhere").await;
    let about = root.ask("UBAN INFO hamlet").await;
    assert_eq!(command(&about, "NOTICE").len(), 1, "that host is another: {about:?}");
    let about = root.ask("UBAN INFO ham*!*@elsewhere").await;
    assert_eq!(command(&about, "NOTICE").len(), 2, "{about:?}");
}

/// Comes in as a guest or with an account, as fast as it can, and reads until it is closed.
async fn come_in(server: &TestServer, nick: &str, password: Option<&str>) -> Vec<Said> {
    let mut client = server.connect().await;
    let pass = password.map(|password| format!("PASS {nick}:{password}\r\n")).unwrap_or_default();
    client.send_bytes(format!("{pass}NICK {nick}\r\nUSER u 0 * :x\r\nJOIN #room\r\n").as_bytes()).await;
    client.expect_closed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_ban_and_a_login_that_race_the_ban_wins_a_hundred_times() {
    let pair = Pair::start(OPERATOR).await;
    let (mut refused, mut closed) = (0, 0);
    for round in 0..100 {
        let nick = format!("spam{round}");
        let is_account = round % 2 == 0;
        if is_account {
            pair.one.account(&nick, "secret").await;
        }
        let target: Target =
            (if is_account { nick.clone() } else { format!("{nick}!*@*") }).parse().expect("it is legal");
        let ban = async {
            // Sooner and later within what a login takes.
            for _ in 0..round % 20 * 10 {
                tokio::task::yield_now().await;
            }
            pair.one.node.ban_list.add(&target, None, "test", "x").await.expect("it is set");
        };
        let login = come_in(&pair.two, &nick, is_account.then_some("secret"));
        let ((), lines) = tokio::join!(ban, login);
        match command(&lines, "001").is_empty() {
            true => refused += 1,
            false => closed += 1,
        }
        numeric(&lines, "465");
    }
    assert_eq!(refused + closed, 100);
    let here: Vec<String> =
        pair.two.node.clients.all().iter().map(|client| client.profile().nick.clone()).collect();
    assert!(here.is_empty(), "{here:?}");
    eprintln!("{refused} were refused, and {closed} closed after their welcome");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_of_other_nodes_are_seen_and_heard() {
    let pair = Pair::start(&[OPERATOR, &[("fleet.lease", "'1m'")]].concat()).await;
    let mut ann = pair.two.client("ann").await;
    ann.ask("MODE ann +w").await;
    ann.ask("JOIN #room").await;
    let mut root = pair.one.client("root").await;
    root.ask("JOIN #room").await;
    ann.expect_numeric("JOIN").await;
    root.ask("OPER operuser operpassword").await;
    for mask in ["root", "r*"] {
        assert_eq!(numeric(&ann.ask(&format!("WHO {mask}")).await, "352").param(6), "H*");
    }
    let flags = async |ann: &mut TestClient| {
        let lines = ann.ask("WHO #room").await;
        let rows = command(&lines, "352");
        rows.iter().find(|row| row.param(5) == "root").map(|row| row.param(6).to_owned())
    };
    while flags(&mut ann).await.as_deref() != Some("H*") {}
    numeric(&ann.ask("WHOIS root").await, "313");
    assert!(numeric(&ann.ask("USERHOST root").await, "302").text().starts_with("root*=+"));
    while numeric(&ann.ask("LUSERS").await, "252").param(1) != "1" {}
    root.ask("WALLOPS :to all nodes").await;
    let heard = ann.expect_numeric("WALLOPS").await;
    assert_eq!(heard.params, ["to all nodes"]);
    root.ask("ANNOUNCE :good  night").await;
    let heard = ann.expect_numeric("NOTICE").await;
    assert_eq!(heard.params, ["ann", "Announcement: good  night"]);
    assert_eq!(numeric(&root.ask("WHOIS ann").await, "338").param(3), "127.0.0.1");
    root.ask("MODE root -o").await;
    while numeric(&ann.ask("LUSERS").await, "252").param(1) != "0" {}
    while flags(&mut ann).await.as_deref() != Some("H") {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_back_elsewhere_ends_at_once() {
    let pair = Pair::start(&[]).await;
    pair.one.account("ann", "secret").await;
    pair.one.node.accounts.grant("ann", "admin").await.expect("the role can be granted");
    let mut ann = pair.two.login("ann", "secret", &[]).await;
    numeric(&ann.ask("OPER ann secret").await, "381");
    pair.one.node.accounts.revoke("ann", "admin").await.expect("the role can be taken back");
    assert_eq!(ann.expect_numeric("MODE").await.params, ["ann", "-o"]);
    numeric(&ann.ask("KILL ann").await, "481");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_done() {
    let mut pair = Pair::start(OPERATOR).await;
    let mut root = operator(&pair.one).await;
    let mut bob = pair.one.client("bob").await;
    pair.redis().kill();
    for line in ["KILL bob :x", "WALLOPS :x", "REHASH"] {
        let answer = root.ask(line).await;
        assert!(answer.iter().any(|said| said.text().contains("store")), "{line}: {answer:?}");
        assert!(command(&answer, "382").is_empty());
    }
    bob.ask("PING x").await;
    pair.redis().restart();
    // Until the store answers again, each attempt is refused as before.
    while !command(&root.ask("KILL bob :x").await, "NOTICE").is_empty() {}
    bob.expect_closed().await;
}

/// How a notice of the node `three.example` begins.
const THREE: &str = "*** NODE: the node three.example ";

/// Reads on to the server notice that begins so.
async fn notice(client: &mut TestClient, beginning: &str) -> String {
    loop {
        let notice = client.expect_numeric("NOTICE").await;
        if notice.text().starts_with(beginning) {
            return notice.text().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_hears_what_matters_on_other_nodes() {
    let settings = [OPERATOR, &[("accounts.registration", "'open'")]].concat();
    let mut pair = Pair::start(&settings).await;
    let mut root = operator(&pair.one).await;
    root.ask("MODE root +s").await;
    let mut eve = pair.two.client("eve").await;
    eve.ask("OPER operuser wrong").await;
    let vain = notice(&mut root, "*** OPER: eve!~eve@").await;
    assert!(vain.ends_with("you are not logged in to it (on two.example)"), "{vain}");
    eve.ask("OPER operuser operpassword").await;
    let made = notice(&mut root, "*** OPER: operuser (eve!").await;
    assert!(made.ends_with(" on two.example) oper"), "{made}");
    eve.ask("UBAN ADD spam!*@* away with it").await;
    assert!(notice(&mut root, "*** BAN: ").await.ends_with("ban spam!*@*: for ever: away with it"));
    let mut ann = pair.two.client("ann").await;
    ann.ask("REGISTER ann * sesame").await;
    let made = notice(&mut root, "*** ACCOUNT: ").await;
    assert_eq!(made, "*** ACCOUNT: the account ann was made by somebody from localhost (on two.example)");
    for _ in 0..4 {
        eve.ask("NS IDENTIFY ann wrong").await;
    }
    let slowed = notice(&mut root, "*** LOGIN: ").await;
    assert!(slowed.ends_with("(on two.example)"), "{slowed}");
    let eve_heard = eve.drain_until_pong().await;
    assert!(eve_heard.iter().all(|line| !line.text().starts_with("***")), "{eve_heard:?}");
    // What the command line does is in the log, too.
    let store = RedisStore::connect(RedisSettings::new(&pair.redis().url())).await.expect("Redis is there");
    let audit = Audit::new(Committer::standalone(store));
    let deed = Deed { what: "account-lock", target: "ann", reason: "" };
    audit.record(CONSOLE, CONSOLE, &deed).await.expect("it is written down");
    assert!(notice(&mut root, "*** ACCOUNT: console (").await.ends_with(" account-lock ann"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_hears_of_nodes_that_come_and_go() {
    // A node that is busy for a moment is not lost: the next look comes well before any lease seen last is over.
    let settings = [OPERATOR, &[("fleet.lease", "'4s'"), ("fleet.margin", "'0s'")]].concat();
    let mut pair = Pair::start(&settings).await;
    let mut root = operator(&pair.one).await;
    root.ask("MODE root +s l").await;
    // The first look at the leases tells nothing.
    pair.one.node.renewed.notified().await;
    let three = crate::node(pair.redis(), "three.example", &settings).await;
    assert_eq!(notice(&mut root, THREE).await, format!("{THREE}has joined"));
    three.shutdown().await;
    assert_eq!(notice(&mut root, THREE).await, format!("{THREE}has left"));
    // As after a crash.
    pair.two.node.stop.cancel();
    let lost = notice(&mut root, "*** NODE: the node two.example ").await;
    assert!(lost.starts_with("*** NODE: the node two.example is lost"), "{lost}");
}
