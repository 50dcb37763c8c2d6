//! Two `stentor serve` processes, a real `redis-server`, and clients over TLS.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stentor_testing::RedisServer;
use tempfile::TempDir;

use crate::chat::{Chat, Trust};
use crate::node::Node;

/// Two nodes that share a store, and what their clients trust.
pub(crate) struct Fleet {
    pub(crate) one: Node,
    pub(crate) two: Node,
    pub(crate) trust_one: Trust,
    trust_two: Trust,
    pub(crate) directory: TempDir,
    pub(crate) redis: RedisServer,
}

impl Fleet {
    pub(crate) fn start(accounts: &[String]) -> Self {
        let redis = RedisServer::start();
        let directory = tempfile::tempdir().expect("a directory can be made");
        let config = directory.path().join("stentor.toml");
        fs::write(&config, CONFIG).expect("a file can be written");
        let one = start(directory.path(), "one", &redis.url());
        let two = start(directory.path(), "two", &redis.url());
        import(&config, &redis.url(), accounts);
        let trust = |name: &str| Trust::of(&directory.path().join(name));
        let (trust_one, trust_two) = (trust("one"), trust("two"));
        Self { one, two, trust_one, trust_two, directory, redis }
    }

    pub(crate) fn on_one(&self, account: &str) -> Chat {
        Chat::login(&self.one, &self.trust_one, account, CAPABILITIES)
    }

    pub(crate) fn on_two(&self, account: &str) -> Chat {
        Chat::login(&self.two, &self.trust_two, account, CAPABILITIES)
    }
}

/// A node of a fleet, with `stentor.toml` and its own data in this directory.
pub(crate) fn start(directory: &Path, name: &str, redis: &str) -> Node {
    let config = directory.join("stentor.toml").display().to_string();
    let flags = ["--config", &config, "--name", name, "--redis", redis];
    Node::start(&directory.join(name), &["ircs://127.0.0.1:0"], &flags)
}

/// Makes accounts that all have the password `secret`, as an operator would from a file of hashes.
pub(crate) fn import(config: &Path, redis: &str, accounts: &[String]) {
    let hash = bcrypt::hash("secret", 4).expect("four is a legal cost");
    let lines: String = accounts.iter().map(|account| format!("{account}:{hash}\n")).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(["account", "import", "-", "--redis", redis, "--config"]).arg(config);
    // What it warns of is this store's durability.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it is ours");
    assert!(output.status.success(), "{output:?}");
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

#[test]
fn scenario_7_1_distributed_chat() {
    let fleet = Fleet::start(&["a".into(), "b".into()]);
    let mut a = fleet.on_one("a");
    let mut b = fleet.on_two("b");
    a.send("JOIN #lobby");
    a.drain();
    b.send("JOIN #lobby");
    b.drain();
    a.send("PRIVMSG #lobby :Hello from Server 1");
    let heard = b.line_with("PRIVMSG");
    assert!(heard.contains(":a!") && heard.ends_with("PRIVMSG #lobby :Hello from Server 1"), "{heard}");
}

#[test]
fn scenario_7_2_exclusive_subscriptions() {
    let mut fleet = Fleet::start(&["a".into(), "b".into(), "c".into()]);
    let mut publisher = fleet.on_one("a");
    let mut subscriber = fleet.on_two("b");
    let mut other = fleet.on_two("c");
    for chat in [&mut publisher, &mut subscriber, &mut other] {
        chat.send("JOIN #lobby");
        chat.drain();
    }
    subscriber.send("SUBSCRIBE a");
    assert!(subscriber.drain().iter().any(|line| line.contains("You follow a")));
    subscriber.send("PART #lobby");
    subscriber.drain();
    other.drain();
    publisher.send("SUBSCRIBE_ONLY :Secret Message");
    let heard = subscriber.line_with("NOTICE");
    assert!(heard.contains(":a!") && heard.ends_with("NOTICE b :[Sub] Secret Message"), "{heard}");
    publisher.send("PRIVMSG #lobby :for all");
    let next = other.line().expect("the connection is open");
    assert!(next.ends_with("PRIVMSG #lobby :for all"), "others in the room get nothing: {next}");

    // What was posted while nobody was there outlives the node that the subscriber was on.
    fleet.two.signal("KILL");
    fleet.two.wait();
    publisher.drain();
    publisher.send("PUBLISH :while you were away");
    assert!(publisher.drain().iter().any(|line| line.contains("Published")));
    let mut again = Chat::connect(&fleet.one, &fleet.trust_one);
    again.start_login("b", "server-time message-tags");
    let mut posts = vec![again.line_with("[Sub]")];
    posts.extend(again.drain().into_iter().filter(|line| line.contains("[Sub]")));
    // Nothing proved that the first was read, so it comes again.
    let wanted = ["[Sub] Secret Message", "[Sub] while you were away"];
    assert!(posts.iter().zip(wanted).all(|(post, wanted)| post.ends_with(wanted)), "{posts:#?}");
    assert_eq!(posts.len(), wanted.len(), "{posts:#?}");
}

#[test]
fn scenario_7_3_duplicate_login() {
    let fleet = Fleet::start(&["a".into()]);
    let mut first = fleet.on_one("a");
    for (node, trust) in [(&fleet.one, &fleet.trust_one), (&fleet.two, &fleet.trust_two)] {
        let mut second = Chat::connect(node, trust);
        second.start_login("a", CAPABILITIES);
        // The first terminal is there: its client answers the probe.
        first.line_with("PING");
        first.send("PONG :here");
        let told = second.until_closed();
        assert!(told.iter().any(|line| line.ends_with(":User already logged in")), "{told:?}");
        assert_eq!(told.last().map(String::as_str), Some("ERROR :User already logged in"));
    }
    first.drain();
}

/// Where the user of this number is: two rooms of twenty.
fn rooms_of(user: usize) -> [usize; 2] {
    [user % ROOMS, (user * 7 + 3) % ROOMS]
}

/// An observer's rooms, and the users whom it shares one with.
fn watched(observer: usize) -> (Vec<usize>, BTreeSet<String>) {
    let rooms: Vec<usize> = (observer * 6..observer * 6 + 8).collect();
    let users = (0..USERS).filter(|user| rooms_of(*user).iter().any(|room| rooms.contains(room)));
    (rooms.clone(), users.map(|user| format!("user{user}")).collect())
}

fn join(chat: &mut Chat, rooms: &[usize]) {
    let all: Vec<String> = rooms.iter().map(|room| format!("#room{room}")).collect();
    chat.send(&format!("JOIN {}", all.join(",")));
    chat.drain();
}

/// Reads an observer's lines until it has seen a QUIT of everybody, each once.
fn sees_each_quit_once(observer: &mut Chat, mut expected: BTreeSet<String>) {
    while !expected.is_empty() {
        let line = observer.line_with(" QUIT ");
        let nick = quitter(&line);
        assert!(expected.remove(&nick), "{nick} quit twice, or was not expected to: {line}");
    }
    let more: Vec<String> = observer.drain().into_iter().filter(|line| line.contains(" QUIT ")).collect();
    assert!(more.is_empty(), "{more:?}");
}

fn quitter(line: &str) -> String {
    let source = line.split(' ').find(|word| word.starts_with(':')).unwrap_or_default();
    source.trim_start_matches(':').split('!').next().unwrap_or_default().to_owned()
}

/// 200 users in 20 rooms on the first node, and three observers on the second.
struct Crowd {
    fleet: Fleet,
    users: Vec<Chat>,
    observers: Vec<Chat>,
}

impl Crowd {
    fn gather() -> Self {
        let mut accounts = names("user", USERS);
        accounts.extend(names("observer", OBSERVERS));
        let fleet = Fleet::start(&accounts);
        let mut users: Vec<Chat> = names("user", USERS).iter().map(|name| fleet.on_one(name)).collect();
        for (index, user) in users.iter_mut().enumerate() {
            join(user, &rooms_of(index));
        }
        let mut observers: Vec<Chat> =
            names("observer", OBSERVERS).iter().map(|name| fleet.on_two(name)).collect();
        for (index, observer) in observers.iter_mut().enumerate() {
            join(observer, &watched(index).0);
        }
        Self { fleet, users, observers }
    }

    /// Every observer sees one QUIT of each user whom it shares a room with, soon.
    fn all_quit_in_time(&mut self, since: Instant) {
        for (index, observer) in self.observers.iter_mut().enumerate() {
            sees_each_quit_once(observer, watched(index).1);
        }
        let seen = since.elapsed();
        assert!(seen < SOON, "the last QUIT came after {seen:?}");
    }

    fn all_log_in_on_two(&self) -> Vec<Chat> {
        names("user", USERS).iter().map(|name| self.fleet.on_two(name)).collect()
    }
}

#[test]
fn the_users_of_a_killed_node_quit_once_and_can_log_in_elsewhere() {
    let mut crowd = Crowd::gather();
    let killed = Instant::now();
    crowd.fleet.one.signal("KILL");
    crowd.fleet.one.wait();
    crowd.all_quit_in_time(killed);
    for mut user in crowd.all_log_in_on_two() {
        user.drain();
    }
}

#[test]
fn a_paused_node_that_wakes_closes_its_clients_and_says_nothing_for_them() {
    let mut crowd = Crowd::gather();
    let paused = Instant::now();
    crowd.fleet.one.signal("STOP");
    for (index, user) in crowd.users.iter_mut().enumerate() {
        user.send(&format!("PRIVMSG #room{} :queued by {index}", rooms_of(index)[0]));
    }
    crowd.all_quit_in_time(paused);
    let mut again = crowd.all_log_in_on_two();
    crowd.fleet.one.signal("CONT");
    for user in &mut crowd.users {
        let told = user.until_closed();
        assert!(told.last().is_some_and(|line| line.starts_with("ERROR :")), "{told:?}");
    }
    for observer in &mut crowd.observers {
        let seen = observer.drain();
        assert!(seen.iter().all(|line| !line.contains("queued")), "{seen:?}");
    }
    for user in &mut again {
        user.drain();
    }
    // The node that woke takes clients in again, as another incarnation.
    again.remove(0).send("QUIT");
    let mut back = Chat::connect(&crowd.fleet.one, &crowd.fleet.trust_one);
    back.start_login("user0", CAPABILITIES);
    back.line_with(" 001 ");
}

#[test]
fn of_a_hundred_racing_logins_one_gets_in_twenty_times_of_twenty() {
    let fleet = Fleet::start(&names("racer", 20));
    for racer in names("racer", 20) {
        let mut racing: Vec<Chat> = (0..100)
            .map(|index| match index % 2 {
                0 => Chat::connect(&fleet.one, &fleet.trust_one),
                _ => Chat::connect(&fleet.two, &fleet.trust_two),
            })
            .collect();
        let response = STANDARD.encode(format!("\0{racer}\0secret"));
        for chat in &mut racing {
            chat.send("CAP REQ :sasl");
            chat.send("AUTHENTICATE PLAIN");
            chat.send(&format!("AUTHENTICATE {response}"));
        }
        // The winner stays until all have been answered: one that is not welcomed yet counts as being there.
        let answers = racing.iter_mut().map(|chat| chat.line_with_any(&[" 903 ", " 904 "]));
        let winners = answers.filter(|answer| answer.contains(" 903 ")).count();
        assert_eq!(winners, 1, "{racer}");
    }
}

#[test]
fn what_was_acknowledged_is_in_history_once_after_a_kill() {
    let mut fleet = Fleet::start(&["ann".into(), "bob".into()]);
    let mut bob = fleet.on_two("bob");
    let mut ann = fleet.on_one("ann");
    for chat in [&mut ann, &mut bob] {
        chat.send("JOIN #room");
        chat.drain();
    }
    let said = acknowledged_before_a_kill(&mut ann, &mut fleet.one);
    let history = history_of(&mut bob);
    assert_each_once(&said, &history);

    // A node that starts with an empty directory has lost nothing that is shared.
    fs::remove_dir_all(fleet.directory.path().join("one")).expect("it was the node's");
    let third = start(fleet.directory.path(), "one", &fleet.redis.url());
    let trust = Trust::of(&fleet.directory.path().join("one"));
    let mut ann = Chat::login(&third, &trust, "ann", CAPABILITIES);
    ann.send("JOIN #room");
    ann.drain();
    assert_eq!(history_of(&mut ann), history);
}

#[test]
fn what_was_acknowledged_is_in_history_once_after_a_kill_on_one_node() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let data = directory.path().join("data");
    let config = directory.path().join("stentor.toml");
    fs::write(&config, CONFIG).expect("a file can be written");
    let flags = ["--config", config.to_str().expect("a temporary path is UTF-8")];
    let mut node = Node::start(&data, &["ircs://127.0.0.1:0"], &flags);
    add(&data, "ann");
    let trust = Trust::of(&data);
    let mut ann = Chat::login(&node, &trust, "ann", CAPABILITIES);
    ann.send("JOIN #room");
    ann.drain();
    let said = acknowledged_before_a_kill(&mut ann, &mut node);
    let node = Node::start(&data, &["ircs://127.0.0.1:0"], &flags);
    let mut ann = Chat::login(&node, &trust, "ann", CAPABILITIES);
    ann.send("JOIN #room");
    ann.drain();
    assert_each_once(&said, &history_of(&mut ann));
}

fn add(data: &Path, account: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(["account", "add", account, "--password-stdin", "--data"]).arg(data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("it is piped").write_all(b"secret\n").expect("it reads");
    assert!(child.wait().expect("it is ours").success());
}

/// Says more than its node lives to take, and returns what was echoed before the node was killed.
fn acknowledged_before_a_kill(speaker: &mut Chat, node: &mut Node) -> Vec<String> {
    for number in 0..300 {
        speaker.send(&format!("PRIVMSG #room :number {number}."));
    }
    let mut said = Vec::new();
    while said.len() < 100 {
        let line = speaker.line_with("PRIVMSG #room");
        said.push(line.rsplit(" :").next().unwrap_or_default().to_owned());
    }
    node.signal("KILL");
    node.wait();
    for line in speaker.until_closed() {
        if line.contains("PRIVMSG #room") {
            said.push(line.rsplit(" :").next().unwrap_or_default().to_owned());
        }
    }
    said
}

fn history_of(reader: &mut Chat) -> Vec<String> {
    reader.drain();
    reader.send("CHATHISTORY LATEST #room * 500");
    let lines = reader.drain().into_iter().filter(|line| line.contains("PRIVMSG #room"));
    lines.map(|line| line.rsplit(" :").next().unwrap_or_default().to_owned()).collect()
}

fn assert_each_once(said: &[String], history: &[String]) {
    for text in said {
        let times = history.iter().filter(|there| *there == text).count();
        assert_eq!(times, 1, "{text:?} is in history {times} times: {history:?}");
    }
    let all: BTreeSet<&String> = history.iter().collect();
    assert_eq!(all.len(), history.len(), "something is in history twice: {history:?}");
}

pub(crate) const CAPABILITIES: &str = "batch echo-message server-time message-tags draft/chathistory";
const USERS: usize = 200;
const OBSERVERS: usize = 3;
const ROOMS: usize = 20;
/// The lease of [`CONFIG`], its margin and the look after it make 4.5 s. The rest is for a machine that is busy: how fast
/// it goes is for a benchmark to tell.
const SOON: Duration = Duration::from_secs(15);
const CONFIG: &str = r#"
accounts.bcrypt_cost = 4
accounts.scram_iterations = 4096
fleet.lease = "3s"
fleet.margin = "500ms"
limits.lines_per_second = 0
# A hundred connections are opened before the first of them says a word.
tls.handshake_timeout = "60s"
"#;
