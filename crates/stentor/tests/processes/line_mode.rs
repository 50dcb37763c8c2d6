//! `stentor chat` in its line mode, over pipes, with real nodes.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Stdio;
use std::sync::mpsc::sync_channel;
use std::thread;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use stentor_server::tls;
use stentor_testing::port;

use crate::chat::{Chat, Trust};
use crate::node::Node;
use crate::talker::{House, Talker, text_of, url};

/// What a client without capabilities for it finds in the history of a room, oldest first.
fn history(chat: &mut Chat, room: &str) -> Vec<String> {
    chat.send(&format!("CHATHISTORY LATEST {room} * 500"));
    let of_room = format!(" PRIVMSG {room} :");
    let lines = chat.drain();
    lines.iter().filter_map(|line| line.split_once(&of_room)).map(|(_, text)| text.to_owned()).collect()
}

#[test]
fn two_people_talk_in_a_room_and_in_private() {
    let house = House::new();
    let node = house.node("0", &["alice", "bob"]);
    let mut alice = house.talker_in(&node, "alice", "lobby");
    alice.see("[#lobby] * alice joined");
    let mut bob = house.talker(&node, "bob");
    bob.say("/join lobby");
    bob.say("hi all");
    alice.see("[#lobby] * bob joined");
    alice.see("[#lobby] bob: hi all");
    alice.say("hello bob");
    bob.see("[#lobby] alice: hello bob");
    bob.say("//join is a command");
    alice.see("[#lobby] bob: /join is a command");
    bob.say("/me waves");
    alice.see("[#lobby] * bob waves");
    alice.say("/msg bob psst");
    bob.see("[PM] alice: psst");
    bob.say("/msg alice yes?");
    alice.see("[PM] bob: yes?");
    bob.see("[PM] bob -> alice: yes?");
    alice.see("[PM] alice -> bob: psst");
    bob.say("/leave #lobby");
    alice.see("[#lobby] * bob left");
    bob.leave();

    for own in ["[#lobby] alice: hello bob", "[PM] alice -> bob: psst", "[#lobby] bob: hi all"] {
        assert_eq!(alice.count(own), 1, "{}", alice.told());
    }
    alice.leave();
}

#[test]
fn what_a_followed_person_posts_is_shown_as_sub() {
    let house = House::new();
    let node = house.node("0", &["alice", "bob", "carol"]);
    let mut alice = house.talker_in(&node, "alice", "lobby");
    let carol = house.talker_in(&node, "carol", "lobby");
    carol.see("[#lobby] * carol joined");
    let mut bob = house.talker(&node, "bob");
    bob.say("/subscribe alice");
    bob.see("* You follow alice: posts, and what is said in open rooms");
    bob.say("/subscriptions");
    bob.see("* You follow alice (all)");
    alice.say("/subscribe_only Secret Message");
    bob.see("[Sub] alice: Secret Message");
    alice.see("[Sub] alice: Secret Message");
    // What she says in a room that bob may join reaches him too; the post never reached the room.
    alice.say("hello room");
    bob.see("[Sub] alice: hello room");
    carol.see("[#lobby] alice: hello room");
    assert!(!carol.told().contains("Secret Message"), "{}", carol.told());
    bob.say("/unsubscribe alice");
    bob.see("* You no longer follow alice");
    alice.say("/publish for nobody");
    alice.say("/subscribers");
    alice.see("[#lobby] * Nobody follows you");
    bob.say("/msg alice still here");
    bob.see("[PM] bob -> alice: still here");
    assert!(!bob.told().contains("for nobody"), "{}", bob.told());
    for talker in [alice, bob, carol] {
        talker.leave();
    }
}

#[test]
fn plaintext_works_on_this_machine() {
    let house = House::new();
    let config = house.path("stentor.toml").display().to_string();
    let node = Node::start(&house.data(), &["irc://127.0.0.1:0"], &["--config", &config]);
    house.run(&["account", "add", "alice", "--password-stdin"], "secret\n");
    let mut alice = house.chat(&[&format!("irc://{}/lobby", node.address("irc")), "--user", "alice"]);
    alice.say("hi");
    alice.see("[#lobby] alice: hi");
    alice.leave();
}

#[test]
fn the_end_of_a_pipe_delivers_all_that_came_before_it() {
    let house = House::new();
    let node = house.node("0", &["alice", "bob"]);
    let mut alice = house.talker(&node, "alice");
    let lines: String = (1..=300).map(|number| format!("line {number}\n")).collect();
    alice.say(&format!("/join lobby\n{lines}the last one, without an end"));
    alice.close_input();
    assert_eq!(alice.wait(), Some(0), "{}", alice.told());
    let said: Vec<String> = alice
        .lines()
        .iter()
        .filter_map(|line| line.strip_prefix("[#lobby] alice: "))
        .map(str::to_owned)
        .collect();
    let mut wanted: Vec<String> = (1..=300).map(|number| format!("line {number}")).collect();
    wanted.push("the last one, without an end".to_owned());
    assert_eq!(said, wanted, "own lines are shown once, in order");

    let mut bob = Chat::login(&node, &Trust::of(&house.data()), "bob", "batch server-time draft/chathistory");
    bob.send("JOIN #lobby");
    bob.drain();
    assert_eq!(history(&mut bob, "#lobby"), wanted);
}

#[test]
fn a_pipe_may_hold_any_number_of_commands() {
    let house = House::new();
    let node = house.node("0", &["alice"]);
    let mut alice = house.talker(&node, "alice");
    alice.say(&format!("/join lobby\nhello\n{}", "/subscriptions\n".repeat(1100)));
    alice.close_input();
    assert_eq!(alice.wait(), Some(0), "{}", alice.errors());
}

#[test]
fn what_cannot_be_done_is_told_and_has_exit_code_1() {
    let house = House::new();
    let node = house.node("0", &["alice"]);
    let mut alice = house.talker(&node, "alice");
    alice.say("nobody hears this");
    alice.say("/msg nobody-of-that-name hello");
    alice.say("/frobnicate");
    alice.close_input();
    assert_eq!(alice.wait(), Some(1), "{}", alice.told());
    let told = alice.errors();
    assert!(told.contains("* nobody-of-that-name: Not sent") && told.contains("frobnicate"), "{told}");
    assert!(told.contains("things could not be done"), "{told}");
    assert!(!told.contains('\x1b'), "there is no terminal: {told}");
}

#[test]
fn escapes_of_others_do_not_reach_the_terminal() {
    let house = House::new();
    let node = house.node("0", &["alice", "mallory"]);
    let alice = house.talker_in(&node, "alice", "lobby");
    alice.see("[#lobby] * alice joined");
    let mut mallory = Chat::login(&node, &Trust::of(&house.data()), "mallory", "message-tags");
    mallory.send("JOIN #lobby");
    mallory.send("TOPIC #lobby :a\x1b]0;title\x07b");
    mallory.send("PRIVMSG #lobby :\x1b[2J\x02bold\x02 \x0304red");
    mallory.drain();
    alice.see("[#lobby] mallory: \u{fffd}[2Jbold red");
    assert!(!alice.lines().iter().any(|line| line.contains(['\x1b', '\x07'])), "{}", alice.told());
    alice.leave();
}

#[test]
fn a_pipe_that_does_not_say_who_it_is_has_exit_code_2() {
    let house = House::new();
    for (arguments, part) in [
        (&["chat"][..], "give --user NAME and --password-file FILE"),
        (&["chat", "--user", "alice"], "give --password-file FILE"),
        (&["chat", "irc://192.0.2.1"], "--allow-plaintext"),
        (&["chat", "ftp://localhost"], "ircs://"),
        (&["chat", "--user", "a", "--password-file", "/nonexistent"], "/nonexistent"),
    ] {
        let mut nobody = Talker::start(&mut house.command(arguments));
        assert_eq!(nobody.wait(), Some(2), "{arguments:?}");
        assert!(nobody.errors().contains(part), "{arguments:?}: {}", nobody.told());
    }
}

#[test]
fn a_wrong_password_has_exit_code_3_and_so_has_a_second_session() {
    let house = House::new();
    let node = house.node("0", &["alice"]);
    fs::write(house.path("wrong"), "wrong\n").unwrap();
    let wrong = house.path("wrong").display().to_string();
    let data = house.data().display().to_string();
    let arguments = ["chat", &url(&node), "--user", "alice", "--data", &data, "--password-file", &wrong];
    let mut thief = Talker::start(&mut house.command(&arguments));
    assert_eq!(thief.wait(), Some(3), "{}", thief.told());

    let alice = house.talker_in(&node, "alice", "lobby");
    alice.see("[#lobby] * alice joined");
    let mut second = house.talker(&node, "alice");
    assert_eq!(second.wait(), Some(3), "{}", second.told());
    assert!(second.errors().to_lowercase().contains("already"), "{}", second.told());
    alice.leave();
}

#[test]
fn a_server_that_is_not_there_has_exit_code_4() {
    let house = House::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut alice = house.chat(&[&format!("ircs://127.0.0.1:{port}"), "--user", "alice"]);
    assert_eq!(alice.wait(), Some(4), "{}", alice.told());
    let told = alice.errors();
    assert!(told.contains(&format!("127.0.0.1:{port}")) && told.contains("refused"), "{told}");
}

#[test]
fn a_server_that_turns_people_away_is_told_from_one_that_is_not_there() {
    let house = House::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cases = [
        ("irc", "ERROR :Closing Link: the house is full\r\n", 1, "the house is full"),
        ("irc", "", 4, "closed the connection"),
        ("ircs", "NOTICE * :plaintext\r\n", 4, "does not speak TLS"),
    ];
    let turn_away = thread::spawn(move || {
        for (_, said, ..) in cases {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            stream.write_all(said.as_bytes()).expect("it is open");
            // What the client says is read, so that what it was told is not lost in a reset.
            stream.shutdown(Shutdown::Write).expect("it is open");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    for (scheme, _, code, part) in cases {
        let mut alice = house.chat(&[&format!("{scheme}://{address}"), "--user", "alice"]);
        assert_eq!(alice.wait(), Some(code), "{}", alice.told());
        assert!(alice.errors().contains(part), "{}", alice.told());
    }
    turn_away.join().expect("all were turned away");
}

#[test]
fn a_server_that_nobody_vouches_for_has_exit_code_5() {
    let house = House::new();
    let node = house.node("0", &["alice"]);
    let leaf = CertificateDer::from_pem_file(house.data().join("tls/cert.pem")).unwrap();
    let shown = tls::fingerprint_sha256_colons(&leaf);
    let who = [&url(&node), "--user", "alice"];
    let mut unknown = house.chat(&who);
    assert_eq!(unknown.wait(), Some(5), "{}", unknown.told());
    let told = unknown.errors();
    for part in ["--ca", "--fingerprint", &shown] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    house.chat(&[&who[..], &["--fingerprint", &shown]].concat()).leave();
    // It is known from now on.
    house.chat(&who).leave();
    let authority = house.data().join("tls/ca.pem").display().to_string();
    house.chat(&[&who[..], &["--ca", &authority]].concat()).leave();
    let mut other = house.chat(&[&who[..], &["--fingerprint", &"0".repeat(64)]].concat());
    assert_eq!(other.wait(), Some(5), "{}", other.told());
    assert!(other.errors().contains(&shown), "{}", other.told());
}

#[test]
fn a_certificate_that_changed_since_it_was_stored_has_exit_code_5() {
    let house = House::new();
    let place = port::to_come_back_to().to_string();
    let node = house.node(&place, &["alice"]);
    let fingerprint = || {
        let leaf = CertificateDer::from_pem_file(house.data().join("tls/cert.pem")).unwrap();
        (tls::fingerprint_sha256(&leaf), tls::fingerprint_sha256_colons(&leaf))
    };
    let (stored, before) = fingerprint();
    let known = house.path("config/stentor/known_servers");
    fs::create_dir_all(known.parent().unwrap()).unwrap();
    fs::write(&known, format!("localhost:{place} {stored}\n")).unwrap();
    let who = [&url(&node), "--user", "alice"];
    house.chat(&who).leave();

    drop(node);
    fs::remove_dir_all(house.data().join("tls")).unwrap();
    let _node = house.node(&place, &[]);
    let (_, after) = fingerprint();
    let mut alice = house.chat(&who);
    assert_eq!(alice.wait(), Some(5), "{}", alice.told());
    let told = alice.errors();
    for part in [&before, &after, known.to_str().unwrap()] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert_eq!(text_of(&known), format!("localhost:{place} {stored}\n"), "nothing was stored instead");
}

#[test]
fn an_invitation_makes_an_account() {
    let house = House::new();
    let node = house.node("0", &[]);
    let told = house.run(&["invite"], "");
    // The line to paste, without the program's name and `chat`.
    let pasted: Vec<&str> = told.lines().next().expect("it tells").split(' ').skip(2).collect();
    house.chat(&[&pasted[..], &["--user", "carol"]].concat()).leave();
    house.chat(&[&url(&node), "--user", "carol"]).leave();
    let mut late = house.chat(&[&pasted[..], &["--user", "dave"]].concat());
    assert_eq!(late.wait(), Some(3), "the code is used up: {}", late.told());
}

#[test]
fn a_killed_node_loses_and_doubles_nothing() {
    let house = House::new();
    let place = port::to_come_back_to().to_string();
    let mut node = house.node(&place, &["alice", "bob"]);
    let mut alice = house.talker_in(&node, "alice", "lobby");
    let bob = house.talker_in(&node, "bob", "lobby");
    bob.see("[#lobby] * bob joined");
    alice.say("line 0");
    bob.see("[#lobby] alice: line 0");

    // Lines are said all the while: some before the node dies, some on their way then, some while it is away. The last ones
    // wait until it is dead, or a node that dies late would have confirmed all, and alice would be done.
    let mut input = alice.take_input();
    let (died, death) = sync_channel(1);
    let talk = thread::spawn(move || {
        for number in 1..=400 {
            if number == 201 {
                death.recv().expect("it dies");
            }
            input.write_all(format!("line {number}\n").as_bytes()).expect("it reads its input");
        }
    });
    bob.see("[#lobby] alice: line 50");
    node.signal("KILL");
    node.wait();
    died.send(()).expect("the other half waits for it");
    alice.see_error("lost");
    let node = house.node(&place, &[]);
    talk.join().expect("it talks");
    bob.see("[#lobby] alice: line 400");
    let wanted: Vec<String> = (0..=400).map(|number| format!("line {number}")).collect();
    assert_eq!(alice.wait(), Some(0), "{}", alice.told());
    for talker in [&alice, &bob] {
        let lines = talker.lines();
        let said: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("[#lobby] alice: ")).collect();
        assert_eq!(said, wanted, "{}", talker.errors());
    }
    let mut carol =
        Chat::login(&node, &Trust::of(&house.data()), "alice", "batch server-time draft/chathistory");
    carol.send("JOIN #lobby");
    carol.drain();
    assert_eq!(history(&mut carol, "#lobby"), wanted);
    bob.leave();
}

#[test]
fn a_signal_ends_it_politely() {
    let house = House::new();
    let node = house.node("0", &["alice", "bob"]);
    let bob = house.talker_in(&node, "bob", "lobby");
    bob.see("[#lobby] * bob joined");
    for signal in ["INT", "TERM"] {
        let mut alice = house.talker_in(&node, "alice", "lobby");
        alice.say("bye");
        alice.see("[#lobby] alice: bye");
        alice.signal(signal);
        assert_eq!(alice.wait(), Some(0), "{}", alice.told());
    }
    bob.leave();
}

#[test]
fn it_can_be_ended_while_the_server_is_away() {
    let house = House::new();
    let mut node = house.node("0", &["alice"]);
    let mut alice = house.talker_in(&node, "alice", "lobby");
    alice.see("[#lobby] * alice joined");
    node.signal("KILL");
    node.wait();
    alice.see_error("lost");
    alice.signal("INT");
    assert_eq!(alice.wait(), Some(0), "{}", alice.told());
}

#[test]
fn what_the_server_did_not_confirm_is_named_at_the_end() {
    let house = House::new();
    let node = house.node("0", &["alice"]);
    let mut alice = house.talker_in(&node, "alice", "lobby");
    alice.say("this arrives");
    alice.see("[#lobby] alice: this arrives");
    node.signal("STOP");
    alice.say("this does not");
    alice.say("nor does this");
    // The barrier that says both lines were read: a command that needs no server, and fails.
    alice.say("/frobnicate");
    alice.see_error("frobnicate");
    alice.signal("INT");
    assert_eq!(alice.wait(), Some(1), "{}", alice.told());
    for text in ["this does not", "nor does this"] {
        assert!(alice.errors().contains(&format!("not confirmed, to #lobby: {text}")), "{}", alice.told());
    }
    assert!(!alice.errors().contains("this arrives"), "{}", alice.told());
}

#[test]
fn a_person_is_asked_who_they_are_and_whether_the_server_is_known() {
    let house = House::new();
    let node = house.node("0", &["alice"]);
    let leaf = CertificateDer::from_pem_file(house.data().join("tls/cert.pem")).unwrap();
    let shown = tls::fingerprint_sha256_colons(&leaf);

    let mut alice = house.chat_on_a_terminal(&url(&node));
    alice.see_part("Username: ");
    alice.say("alice");
    alice.see_part("Password: ");
    alice.say("secret");
    alice.see_part("[yes/no] ");
    assert!(alice.lines().iter().any(|line| line.contains(&shown)), "{}", alice.told());
    alice.say("no");
    assert_eq!(alice.wait(), Some(5), "{}", alice.told());
    let known = house.path("config/stentor/known_servers");
    assert!(!known.exists());

    let mut alice = house.chat_on_a_terminal(&format!("{}/lobby --user alice", url(&node)));
    alice.see_part("Password: ");
    alice.say("secret");
    alice.see_part("[yes/no] ");
    alice.say("yes");
    alice.see_part("[#lobby] * alice joined");
    alice.say("/quit");
    assert_eq!(alice.wait(), Some(0), "{}", alice.told());
    assert!(text_of(&known).contains(&tls::fingerprint_sha256(&leaf)));

    // From now on it is known.
    house.chat(&[&url(&node), "--user", "alice"]).leave();
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let house = House::new();
    let mut carol = house.chat_on_a_terminal("--user carol --register");
    carol.see_part("Password: ");
    carol.say("one");
    carol.see_part("The same again: ");
    carol.say("two");
    assert_eq!(carol.wait(), Some(1), "{}", carol.told());
    carol.see_part("the two passwords differ");
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let house = House::new();
    let node = house.node("0", &["alice", "bob"]);
    let mut bob = house.talker_in(&node, "bob", "lobby");
    bob.see("[#lobby] * bob joined");
    let password = house.path("password").display().to_string();
    let data = house.data().display().to_string();
    let address = format!("{}/lobby", url(&node));
    let mut alice = house
        .command(&["chat", &address, "--user", "alice", "--password-file", &password, "--data", &data])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    bob.see("[#lobby] * alice joined");
    // Its input stays open, so that nothing but the closed output can end it.
    let _input = alice.stdin.take();
    drop(alice.stdout.take());
    bob.say("is anybody there?");
    let output = alice.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    bob.leave();
}
