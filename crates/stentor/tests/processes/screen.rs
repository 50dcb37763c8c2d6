//! `stentor chat` on a real terminal, against real nodes.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use stentor_testing::Terminal;

use crate::chat::Chat;
use crate::fleet::{CAPABILITIES, Fleet};

/// Two nodes that share a store, and a way to the first of them that can be turned to the second.
struct Stage {
    fleet: Fleet,
    way: Way,
}

impl Stage {
    fn start() -> Self {
        let fleet = Fleet::start(&["alice".to_owned(), "bob".to_owned()]);
        let way = Way::to(fleet.one.address("ircs"));
        prepare(fleet.directory.path());
        Self { fleet, way }
    }

    /// A terminal on which alice is logged in.
    fn alice(&self, width: u16, height: u16) -> Terminal {
        let terminal = self.shell(width, height);
        self.log_in(&terminal, "");
        terminal
    }

    fn shell(&self, width: u16, height: u16) -> Terminal {
        Terminal::start(width, height, self.fleet.directory.path())
    }

    fn log_in(&self, terminal: &Terminal, environment: &str) {
        let command = format!("{environment} {}", self.command());
        terminal.enter(&format!("clear; {}; echo \"it ended with $?\"", command.trim_start()));
        terminal.wait_for(" online");
    }

    /// What logs alice in.
    fn command(&self) -> String {
        format!(
            "{} chat ircs://localhost:{} --user alice --password-file ~/password --ca ~/ca.pem",
            env!("CARGO_BIN_EXE_stentor"),
            self.way.port
        )
    }

    fn bob_on_two(&self) -> Chat {
        self.fleet.on_two("bob")
    }
}

/// What the client reads: a password, and the authorities of both nodes.
fn prepare(directory: &Path) {
    let password = directory.join("password");
    fs::write(&password, "secret\n").expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let authority = |node: &str| fs::read_to_string(directory.join(node).join("tls/ca.pem"));
    let both: String = ["one", "two"].map(|node| authority(node).expect("it is there")).concat();
    fs::write(directory.join("ca.pem"), both).expect("a file can be written");
}

/// A port whose connections are carried to a node, as a load balancer would.
struct Way {
    port: u16,
    to: Arc<Mutex<String>>,
}

impl Way {
    fn to(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let to = Arc::new(Mutex::new(address));
        let target = Arc::clone(&to);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let address = target.lock().expect("nobody panics with it").clone();
                // A node that is gone closes the connection at once.
                if let Ok(node) = TcpStream::connect(address) {
                    carry(&client, &node);
                    carry(&node, &client);
                }
            }
        });
        Self { port, to }
    }

    fn turn(&self, address: String) {
        *self.to.lock().expect("nobody panics with it") = address;
    }
}

/// Carries one direction of a connection until it ends.
fn carry(from: &TcpStream, to: &TcpStream) {
    let mut from = from.try_clone().expect("it can be shared");
    let mut to = to.try_clone().expect("it can be shared");
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
        let _ = from.shutdown(std::net::Shutdown::Both);
    });
}

fn join(terminal: &Terminal, room: &str) {
    terminal.enter(&format!("/join {room}"));
    terminal.wait_for(&format!("[#{room}]"));
}

fn count(screen: &str, text: &str) -> usize {
    screen.matches(text).count()
}

#[test]
fn two_people_talk_across_nodes_and_a_mention_is_seen() {
    let stage = Stage::start();
    let mut bob = stage.bob_on_two();
    bob.send("JOIN #lobby");
    bob.send("TOPIC #lobby :Where all meet");
    bob.drain();
    let alice = stage.alice(80, 24);
    join(&alice, "lobby");
    alice.wait_for("Where all meet");
    bob.line_with(" JOIN #lobby");
    bob.send("PRIVMSG #lobby :hello from the second node");
    alice.wait_for("<bob> hello from the second node");
    alice.enter("hello from the first node");
    let heard = bob.line_with("PRIVMSG #lobby :hello from the first");
    assert!(heard.contains(":alice!"), "{heard}");
    let screen = alice.wait_for("<alice> hello from the first node");
    assert_eq!(count(&screen, "hello from the first node"), 1, "{screen}");

    // Away in another room, she sees that she is meant.
    join(&alice, "other");
    bob.send("PRIVMSG #lobby :this is for all");
    bob.send("PRIVMSG #lobby :alice: this is for you");
    bob.send("PRIVMSG alice :and this for you alone");
    alice.wait("counts", |screen| {
        screen.lines().any(|row| row.starts_with("2 #lobby") && row.contains("1 @1"))
            && screen.lines().any(|row| row.contains(" bob") && row.contains("@1"))
    });
    alice.press(&["M-a"]);
    alice.wait("the conversation", |screen| {
        screen.contains("[bob]") && screen.contains("<bob> and this for you alone")
    });
    alice.press(&["M-a"]);
    let screen = alice.wait_for("[#lobby]");
    let new = screen.find(" new ──").unwrap_or_else(|| panic!("no mark of what is new:\n{screen}"));
    assert!(new < screen.find("this is for all").unwrap_or_default(), "{screen}");
    bob.send("@+typing=active TAGMSG #lobby");
    alice.wait_for("bob is typing…");
    alice.write("bo");
    alice.press(&["Tab"]);
    alice.wait_for("[#lobby] bob:");
    bob.line_with("+typing=active");
    alice.enter("done");
    bob.line_with("PRIVMSG #lobby :bob: done");
}

/// The numbers of the lines `line N.` on the screen, from top to bottom.
fn numbers(screen: &str) -> Vec<usize> {
    screen
        .lines()
        .filter_map(|row| row.split_once("<bob> line ")?.1.split_once('.')?.0.parse().ok())
        .collect()
}

/// Whether there are numbers, each one more than the one before it.
fn are_consecutive(numbers: &[usize]) -> bool {
    !numbers.is_empty() && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

#[test]
fn history_is_paged_from_the_server_while_the_terminal_is_resized() {
    let stage = Stage::start();
    let mut bob = stage.bob_on_two();
    bob.send("JOIN #lobby");
    for number in 0..LINES {
        bob.send(&format!("PRIVMSG #lobby :line {number}."));
    }
    bob.drain();
    let alice = stage.alice(80, 24);
    join(&alice, "lobby");
    let newest = format!("<bob> line {}.", LINES - 1);
    alice.wait_for(&newest);

    let mut top = LINES;
    let mut presses = 0;
    while top > 0 {
        presses += 1;
        assert!(presses < LINES, "the beginning does not come:\n{}", alice.screen());
        alice.press(&["PageUp"]);
        let screen = alice.wait("an older line", |screen| {
            screen.contains("nothing is older") || numbers(screen).first().is_some_and(|first| *first < top)
        });
        top = numbers(&screen).first().copied().unwrap_or(0);
    }
    alice.press(&["PageUp"]);
    alice.press(&["PageUp"]);
    alice.wait_for("nothing is older");

    // What a resize shows is what was looked at, whatever the size.
    alice.resize(40, 10);
    alice.wait("the narrow screen, without a list of rooms", |screen| {
        screen.lines().count() == 10
            && screen.contains("older lines")
            && !screen.lines().any(|row| row.starts_with("2 #lobby"))
            && are_consecutive(&numbers(screen))
    });
    alice.resize(5, 2);
    alice.wait("a word about the size", |screen| !screen.contains("line"));
    alice.resize(80, 24);
    alice.wait_for("2 #lobby");

    // All lines are there once, in order, from the first to the last.
    alice.press(&["M-<"]);
    let mut seen = numbers(&alice.wait("the first line", |screen| numbers(screen).first() == Some(&0)));
    while seen.last() != Some(&(LINES - 1)) {
        let last = *seen.last().expect("the first page has lines");
        alice.press(&["PageDown"]);
        // A screen that is being drawn is looked at again.
        let whole = |page: &[usize]| {
            page.last() > Some(&last) && page.first() <= Some(&(last + 1)) && are_consecutive(page)
        };
        let screen = alice.wait("newer lines without a gap", |screen| whole(&numbers(screen)));
        seen = numbers(&screen);
    }
    alice.press(&["C-f"]);
    alice.write("LINE 123.");
    alice.wait("what is searched for", |screen| numbers(screen).contains(&123));
    alice.press(&["Escape"]);
    alice.wait_for(&newest);
}

#[test]
fn a_node_that_is_killed_loses_and_doubles_nothing() {
    let stage = Stage::start();
    let mut bob = stage.bob_on_two();
    bob.send("JOIN #lobby");
    bob.drain();
    let alice = stage.alice(80, 24);
    join(&alice, "lobby");
    bob.line_with(" JOIN #lobby");
    bob.send("PRIVMSG #lobby :before the kill");
    alice.enter("mine before the kill");
    alice.wait("both", |screen| {
        screen.contains("<bob> before the kill") && screen.contains("<alice> mine before the kill")
    });
    bob.line_with(":mine before the kill");

    stage.way.turn(stage.fleet.two.address("ircs"));
    alice.enter("mine on the edge");
    stage.fleet.one.signal("KILL");
    bob.send("PRIVMSG #lobby :during the outage");
    alice.enter("mine during the outage");
    alice.wait("the new connection", |screen| {
        screen.contains("<bob> during the outage") && screen.contains("<alice> mine during the outage")
    });
    bob.send("PRIVMSG #lobby :after the outage");
    let screen = alice.wait_for("<bob> after the outage");
    let all = [
        "<bob> before the kill",
        "<alice> mine before the kill",
        "<alice> mine on the edge",
        "<bob> during the outage",
        "<alice> mine during the outage",
        "<bob> after the outage",
    ];
    for line in all {
        assert_eq!(count(&screen, line), 1, "{line}:\n{screen}");
    }
    bob.send("CHATHISTORY LATEST #lobby * 50");
    let history: Vec<String> = bob.drain().into_iter().filter(|line| line.starts_with("@batch=")).collect();
    for (_, text) in all.iter().filter_map(|line| line.split_once("> ")) {
        let times = history.iter().filter(|line| line.ends_with(&format!("PRIVMSG #lobby :{text}"))).count();
        assert_eq!(times, 1, "{text}: {history:#?}");
    }
}

#[test]
fn the_terminal_is_as_it_was_after_a_stop_and_after_the_end() {
    let stage = Stage::start();
    let alice = stage.shell(80, 24);
    alice.enter("echo what was here before");
    alice.wait_for("\nwhat was here before");
    let before = alice.modes();
    stage.log_in(&alice, "NO_COLOR=1");
    join(&alice, "lobby");
    assert!(alice.modes().contains("alternate=1"), "{}", alice.modes());
    let coloured = alice.coloured_screen();
    let has_colour = |code: &str| {
        code.split(['[', ';', 'm'])
            .any(|part| part == "38" || part == "48" || matches!(part, "31" | "33" | "36" | "90"))
    };
    assert!(
        !coloured
            .split('\x1b')
            .skip(1)
            .any(|part| has_colour(part.split_inclusive('m').next().unwrap_or_default())),
        "{coloured:?}"
    );

    let record = stage.fleet.directory.path().join("record");
    alice.record(&record);
    alice.press(&["C-z"]);
    alice.wait("the shell", |screen| screen.contains("Stopped") && !screen.contains("[#lobby]"));
    assert_eq!(alice.modes(), before);
    alice.enter("fg; echo \"it ended with $?\"");
    alice.wait_for("[#lobby]");
    alice.write("still here");
    alice.wait_for("[#lobby] still here");
    alice.press(&["C-c"]);
    alice.wait("an empty line", |screen| !screen.contains("still here"));
    alice.paste("one\ntwo\n");
    alice.wait_for("Send 2 lines to #lobby");
    alice.write("y");
    alice.wait("both", |screen| screen.contains("<alice> one") && screen.contains("<alice> two"));
    alice.press(&["F1"]);
    alice.wait_for("Help");
    alice.press(&["Escape"]);
    alice.wait("the room", |screen| screen.contains("[#lobby]") && !screen.contains("Help"));

    alice.press(&["C-d"]);
    let screen = alice.wait_for("\nit ended with 0");
    assert!(!screen.contains("[#lobby]"), "{screen}");
    assert_eq!(alice.modes(), before);
    alice.enter("stty -a | grep -o ' icanon\\| echo ' | tr -d '\\n'");
    alice.wait_for(" icanon echo");
    // Nothing depends on an answer of the terminal: the reader of keys may take it, and some terminals give none.
    let sent = alice.recorded(&record, " icanon echo");
    assert!(!sent.contains("\x1b[6n"), "the cursor's place was asked for: {sent:?}");
    // What was saved at the beginning is what is there at the end.
    assert_eq!((count(&sent, "\x1b[?1007s"), count(&sent, "\x1b[?1007r")), (1, 2), "{sent:?}");
}

#[test]
fn a_job_that_was_stopped_by_a_signal_that_nobody_can_catch_has_its_terminal_again() {
    let stage = Stage::start();
    let alice = stage.shell(80, 24);
    let command = stage.command();
    alice.enter(&format!("sh -c 'echo $$ > pid; exec {command}'; echo \"it ended with $?\""));
    alice.wait_for(" online");
    join(&alice, "lobby");
    let pid = fs::read_to_string(stage.fleet.directory.path().join("pid")).expect("it was written");
    let stopped = Command::new("kill").args(["-STOP", pid.trim()]).status().expect("kill is there");
    assert!(stopped.success());
    alice.wait_for("Stopped");
    // The mode is still the one of the screen, in which Enter ends no line.
    alice.write("clear; stty sane; fg");
    alice.press(&["C-j"]);
    alice.wait("the screen", |screen| screen.contains("[#lobby]") && !screen.contains("Stopped"));
    alice.write("read at once");
    alice.wait_for("[#lobby] read at once");
    alice.press(&["C-c"]);
    alice.wait("an empty line", |screen| !screen.contains("read at once"));
}

#[test]
fn a_refused_login_never_takes_the_terminal() {
    let stage = Stage::start();
    fs::write(stage.fleet.directory.path().join("password"), "wrong\n").expect("a file can be written");
    let alice = stage.shell(80, 24);
    let port = stage.way.port;
    let binary = env!("CARGO_BIN_EXE_stentor");
    alice.enter(&format!(
        "clear; {binary} chat ircs://localhost:{port} --user alice --password-file ~/password --ca ~/ca.pem; \
         echo \"it ended with $?\""
    ));
    alice.wait_for("it ended with 3");
    let mut alice_by_hand = Chat::connect(&stage.fleet.one, &stage.fleet.trust_one);
    alice_by_hand.start_login("alice", CAPABILITIES);
    alice_by_hand.line_with(" 001 ");
}

/// More than a page of the server's history.
const LINES: usize = 300;
