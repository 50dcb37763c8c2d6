//! The engine against scripted lines.
//!
//! - `breaks`: connections that break

mod breaks;

use std::time::{Duration, Instant};

use super::view::Status;
use super::{End, Engine, Options, Output, Secret};
use crate::event::{Event, Kind, Place, What};

/// An engine, and a server that says what a test writes.
struct Script {
    engine: Engine,
    now: Instant,
}

impl Script {
    /// Logged in as the guest `ann`, at a server with these capabilities.
    fn new(capabilities: &str) -> Self {
        let options = Options { user: "ann".to_owned(), password: Secret::default(), register: None };
        let mut script = Self { engine: Engine::new(options), now: Instant::now() };
        script.welcome(capabilities);
        script
    }

    fn welcome(&mut self, capabilities: &str) {
        self.engine.connecting();
        self.engine.connected(self.now);
        self.hear(&[&format!(":s CAP * LS :{capabilities}"), &format!(":s CAP * ACK :{capabilities}")]);
        self.hear(&[
            ":s 001 ann :Hi",
            ":s 005 ann CASEMAPPING=rfc1459 CHATHISTORY=50 :are",
            ":s 422 ann :None",
        ]);
        self.hear(&[&format!(":s CAP ann ACK :{capabilities}")]);
        self.sent();
        self.events();
    }

    fn hear(&mut self, lines: &[&str]) {
        for line in lines {
            self.engine.receive(line, self.now);
        }
    }

    fn type_in(&mut self, text: &str) -> Vec<String> {
        self.engine.input(text, self.now);
        self.sent()
    }

    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.engine.next_line()).collect()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.engine.next_output()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        let shown = |output| if let Output::Show(event) = output { Some(event) } else { None };
        self.outputs().into_iter().filter_map(shown).collect()
    }

    /// What was shown, as text.
    fn texts(&mut self) -> Vec<String> {
        let text = |event: Event| match event.what {
            What::Said(said) => format!("{} <{}> {}", event.place, said.nick, said.text),
            What::Info(text) => format!("{} - {text}", event.place),
            What::Problem(text) => format!("{} ! {text}", event.place),
            other => format!("{} {other:?}", event.place),
        };
        self.events().into_iter().map(text).collect()
    }

    fn in_room(capabilities: &str) -> Self {
        let mut script = Self::new(capabilities);
        script.type_in("/join room");
        script.hear(&[":ann!a@h JOIN #room", ":s 353 ann = #room :@ann +bob", ":s 366 ann #room :End"]);
        script.outputs();
        script
    }
}

#[test]
fn names_come_with_their_ranks_and_a_room_may_be_left_by_its_short_name() {
    let mut script = Script::in_room("multi-prefix");
    script.type_in("/names");
    script.hear(&[":s 353 ann = #room :@ann +bob", ":s 366 ann #room :End"]);
    assert_eq!(script.texts(), ["#room - @ann +bob", "#room - 2 people"]);
    assert_eq!(script.type_in("/leave room so long"), ["PART #room :so long"]);
}

const ALL: &str = "batch draft/chathistory echo-message labeled-response message-tags server-time";

#[test]
fn what_is_said_to_a_service_is_sent_once_and_no_password_in_it_is_shown() {
    let mut script = Script::in_room(ALL);
    assert_eq!(
        script.type_in("/msg NickServ IDENTIFY ann secret")[0],
        "PRIVMSG NickServ :IDENTIFY ann secret"
    );
    // Other servers echo it.
    script.hear(&["@msgid=x :ann!a@h PRIVMSG NickServ :IDENTIFY ann secret"]);
    script.hear(&[":NickServ!NickServ@s NOTICE ann :You are logged in"]);
    assert_eq!(script.texts(), ["NickServ <ann> IDENTIFY …", "NickServ <NickServ> You are logged in"]);
    script.type_in("/query chanserv");
    assert_eq!(script.type_in("KICK #room bob")[0], "PRIVMSG chanserv :KICK #room bob");
    assert!(script.type_in(&format!("REGISTER {}", "secret".repeat(100))).is_empty());
    let mut texts = script.texts();
    assert_eq!(texts[0], "chanserv <ann> KICK …");
    assert!(texts[1].ends_with("Not sent: REGISTER …"), "{texts:?}");
    script.engine.lost("it broke", Some(script.now));
    assert!(script.type_in("OP secret").is_empty());
    assert_eq!(script.engine.undelivered().collect::<Vec<_>>(), ["not sent: /msg chanserv OP …"]);
    script.engine.connected(script.now);
    script.hear(&[&format!(":s CAP * LS :{ALL}"), &format!(":s CAP * ACK :{ALL}")]);
    script.hear(&[":s 001 ann :Hi", ":s 422 ann :None", ":ann!a@h JOIN #room"]);
    let sent = script.sent();
    let said: Vec<&String> = sent.iter().filter(|line| line.contains("chanserv")).collect();
    assert_eq!(said, ["PRIVMSG chanserv :OP secret"]);
    texts.extend(script.texts());
    let lost: Vec<&String> = texts.iter().filter(|text| text.contains("not confirmed")).collect();
    assert!(lost[0].ends_with(": /msg NickServ IDENTIFY …") && lost[1].ends_with(": /msg chanserv KICK …"));
    assert!(!texts.iter().any(|text| text.contains("secret")), "{texts:?}");
}

#[test]
fn text_without_a_room_says_what_to_type_and_unknown_commands_name_near_ones() {
    let mut script = Script::new(ALL);
    assert!(script.type_in("hello").is_empty());
    assert!(script.texts()[0].contains("/join ROOM"));
    script.type_in("/jion room");
    assert_eq!(script.texts(), ["server ! There is no command /jion. Did you mean /join?"]);
}

#[test]
fn what_is_typed_before_the_login_is_done_after_it_in_order() {
    let options = Options { user: "ann".to_owned(), password: Secret::default(), register: None };
    let mut script = Script { engine: Engine::new(options), now: Instant::now() };
    for line in ["/join lobby", "hello", "/topic new", "/quit bye"] {
        assert!(script.type_in(line).is_empty());
    }
    script.engine.connected(script.now);
    script.hear(&[":s CAP * LS :", ":s 001 ann :Hi", ":s 422 ann :None"]);
    assert!(script.sent().contains(&"JOIN #lobby".to_owned()));
    script.hear(&[":ann!a@h JOIN #lobby"]);
    let sent = script.sent();
    assert_eq!(sent[0], "PRIVMSG #lobby :hello");
    script.hear(&[&sent[1].replace("PING", "PONG")]);
    assert_eq!(script.sent(), ["TOPIC #lobby :new", "QUIT :bye"]);
    assert!(script.engine.finished());
    script.hear(&["ERROR :bye"]);
    assert_eq!(script.outputs().pop(), Some(Output::End(End::Quit)));
}

#[test]
fn no_more_commands_are_on_their_way_than_can_be_remembered() {
    let mut script = Script::in_room(ALL);
    let sent: usize = (0..100).map(|_| script.type_in("/who").len()).sum();
    assert_eq!((sent, script.engine.waiting()), (64, 36));
    script.engine.wake(script.now);
    let ping = script.sent().pop().expect("a PING");
    script.hear(&[&ping.replace("PING ", ":s PONG s :")]);
    assert_eq!((script.sent().len(), script.engine.waiting()), (36, 0));
}

#[test]
fn commands_that_wait_keep_the_end_from_being_good() {
    let mut script = Script::in_room(ALL);
    script.engine.lost("it broke", Some(script.now));
    script.type_in("/topic new");
    script.type_in("/join other");
    let waiting: Vec<String> = script.engine.undelivered().collect();
    assert_eq!(waiting, ["not sent: /topic new", "not sent: /join #other"]);
    script.outputs();
    script.type_in("/quit");
    script.type_in("/quit");
    assert!(
        matches!(script.outputs().pop(), Some(Output::End(End::Failed(text))) if text.contains("2 messages and commands"))
    );
}

#[test]
fn a_room_that_was_not_asked_for_does_not_take_the_text_of_another() {
    let mut script = Script::in_room(ALL);
    script.hear(&[":ann!a@h JOIN #elsewhere"]);
    assert_eq!((script.engine.current().target(), script.engine.rooms().count()), (Some("#room"), 2));
    assert!(script.type_in("hello")[0].ends_with("PRIVMSG #room :hello"));
    assert!(!script.outputs().iter().any(|output| matches!(output, Output::Look(_))));
}

#[test]
fn a_refused_room_is_left_again_and_its_text_is_not_lost_silently() {
    let mut script = Script::new(ALL);
    script.type_in("/join secret");
    script.type_in("hello");
    assert_eq!(script.engine.current().target(), Some("#secret"));
    script.hear(&[":s 473 ann #secret :Cannot join channel (+i)"]);
    assert_eq!(script.engine.current(), &Place::Server);
    let texts = script.texts();
    assert_eq!(texts[0], "server ! You cannot enter #secret: cannot join channel (+i)");
    assert!(texts[1].contains("Not sent") && texts[1].contains("hello"), "{texts:?}");
    assert_eq!(script.engine.rooms().count(), 0);
}

#[test]
fn mentions_are_whole_words_in_the_servers_casemapping() {
    let mut script = Script::in_room(ALL);
    let said = [("hi ANN!", true), ("annie", false), ("ann", true), ("_ann", false), ("hi bob", false)];
    for (text, mention) in said {
        script.hear(&[&format!(":bob!b@h PRIVMSG #room :{text}")]);
        let Some(What::Said(said)) = script.events().pop().map(|event| event.what) else {
            panic!("it is shown")
        };
        assert_eq!(said.mention, mention, "{text}");
    }
    script.hear(&[":bob!b@h PRIVMSG ann :psst", ":bob!b@h NOTICE ann :[Sub] news"]);
    let events = script.events();
    let said = |event: &Event| match &event.what {
        What::Said(said) => (said.kind, said.mention, said.text.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(said(&events[0]), (Kind::Message, true, "psst".to_owned()));
    assert_eq!(said(&events[1]), (Kind::Post, false, "news".to_owned()));
    assert!(events.iter().all(|event| event.place.target() == Some("bob")));
}

#[test]
fn posts_come_as_themselves_and_ones_own_where_it_was_written() {
    let mut script = Script::in_room(&format!("{ALL} stentor.chat/feeds"));
    script.hear(&[":bob!b@h PUBLISH :news", ":bob!b@h PUBLISH :\u{1}ACTION waves\u{1}"]);
    assert_eq!(script.texts(), ["bob <bob> news", "bob <bob> * bob waves"]);
    let sent = script.type_in("/subscribe_only mine");
    let tags = sent[0].strip_suffix(" PUBLISH :mine").expect("it is a post");
    script.hear(&[&format!("{tags};msgid=p1 :ann!a@h PUBLISH :mine")]);
    assert_eq!(script.texts(), ["#room <ann> mine"]);
    assert_eq!(script.engine.unacknowledged(), 0);
}

#[test]
fn members_are_followed_through_all_changes() {
    let mut script = Script::in_room(ALL);
    let room = |script: &Script| {
        let room = script.engine.rooms().next().expect("there is a room").clone();
        room.members.iter().map(|(nick, member)| format!("{}{nick}", member.prefixes)).collect::<Vec<_>>()
    };
    assert_eq!(room(&script), ["@ann", "+bob"]);
    script.hear(&[":ann!a@h MODE #room +o-v bob bob", ":bob!b@h NICK rob", ":eve!e@h JOIN #room"]);
    assert_eq!(room(&script), ["@ann", "eve", "@rob"]);
    script.hear(&[":eve!e@h QUIT :gone", ":ann!a@h KICK #room rob :out"]);
    assert_eq!(room(&script), ["@ann"]);
    script.hear(&[":ann!a@h NICK Anna", ":rob!r@h KICK #room Anna :you too"]);
    assert_eq!(script.engine.me(), "Anna");
    let room = script.engine.rooms().next().expect("it stays");
    assert!(!room.joined && room.members.is_empty());
}

#[test]
fn refusals_are_told_where_they_belong() {
    let mut script = Script::in_room(ALL);
    let sent = script.type_in("/msg nobody hello");
    let label = sent[0].split_once("label=").and_then(|(_, rest)| rest.split_once(' ')).expect("a label").0;
    script.hear(&[&format!("@label={label} :s 401 ann nobody :No such nick")]);
    assert_eq!(script.texts(), ["nobody ! Not sent: No such nick. (hello)"]);
    script.hear(&[":s 482 ann #room :You're not channel operator"]);
    assert_eq!(script.texts(), ["#room ! You're not channel operator"]);
    script.hear(&[":s 799 ann something :strange", ":s FAIL X CODE #room :It failed", ":s NOTE X Y :Noted"]);
    assert_eq!(script.texts(), ["#room - something strange", "#room ! It failed", "#room - Noted"]);
}

#[test]
fn a_silent_server_is_given_up_and_the_lag_is_told() {
    let mut script = Script::new(ALL);
    script.engine.wake(script.now);
    let ping = script.sent().pop().expect("a PING");
    script.now += Duration::from_millis(70);
    script.hear(&[&ping.replace("PING ", ":s PONG s :")]);
    assert_eq!(script.engine.status(), &Status::Online { lag: Some(Duration::from_millis(70)) });
    script.now = script.engine.wake_at().expect("the next PING");
    script.engine.wake(script.now);
    assert_eq!(script.sent().len(), 1);
    script.now += Duration::from_secs(60);
    script.engine.wake(script.now);
    assert!(matches!(script.outputs().as_slice(), [Output::Drop(_)]));
}

#[test]
fn a_server_that_asks_and_does_not_read_is_given_up() {
    let mut script = Script::new(ALL);
    for _ in 0..1000 {
        script.hear(&["PING :there?"]);
    }
    assert_eq!(script.sent().len(), 64);
    assert!(matches!(script.outputs().as_slice(), [Output::Drop(_)]));
}

#[test]
fn typing_is_told_at_its_pace() {
    let mut script = Script::in_room(ALL);
    for _ in 0..3 {
        script.engine.typing(script.now);
        script.now += Duration::from_secs(1);
    }
    assert_eq!(script.sent(), ["@+typing=active TAGMSG #room"]);
    script.engine.typing(script.now);
    assert_eq!(script.sent(), ["@+typing=active TAGMSG #room"]);
    script.now += Duration::from_secs(6);
    script.engine.wake(script.now);
    assert!(script.sent().contains(&"@+typing=paused TAGMSG #room".to_owned()));
    script.hear(&["@+typing=active :bob!b@h TAGMSG #room"]);
    assert_eq!(script.engine.rooms().next().map(|room| room.typing.len()), Some(1));
    script.now += Duration::from_secs(6);
    script.engine.wake(script.now);
    assert_eq!(script.engine.rooms().next().map(|room| room.typing.len()), Some(0));
}

#[test]
fn a_password_is_sent_in_pieces_and_a_wrong_one_ends_it() {
    let options = Options { user: "ann".to_owned(), password: Secret::new("p".repeat(295)), register: None };
    let mut script = Script { engine: Engine::new(options), now: Instant::now() };
    script.engine.connected(script.now);
    script.hear(&[":s CAP * LS * :batch", ":s CAP * LS :sasl=PLAIN,EXTERNAL"]);
    script.hear(&[":s CAP * ACK :batch sasl", "AUTHENTICATE +"]);
    let pieces: Vec<String> =
        script.sent().into_iter().filter(|line| line.starts_with("AUTHENTICATE ")).collect();
    let lengths: Vec<usize> = pieces.iter().map(|line| line.len() - "AUTHENTICATE ".len()).collect();
    assert_eq!((lengths, pieces.last().map(String::as_str)), (vec![5, 400, 1], Some("AUTHENTICATE +")));
    script.hear(&[":s 904 ann :Login failed: wrong"]);
    assert_eq!(
        script.outputs().pop(),
        Some(Output::End(End::LoginRefused("Login failed: wrong".to_owned())))
    );
}

#[test]
fn long_text_is_cut_so_that_others_get_all_of_it() {
    let mut script = Script::in_room(ALL);
    let text = "word ".repeat(200);
    script.engine.input(&text, script.now);
    let mut heard = Vec::new();
    while let Some(line) = script.engine.next_line() {
        let (tags, rest) = line.split_once(' ').expect("it has tags");
        assert!(format!(":ann!a@h {rest}\r\n").len() <= 512);
        heard.push(rest.to_owned());
        script.engine.receive(&format!("{tags};msgid=m{} :ann!a@h {rest}", heard.len()), script.now);
    }
    assert_eq!(heard.len(), 3);
    assert_eq!(script.texts().len(), 3);
    assert_eq!(script.engine.unacknowledged(), 0);
}

#[test]
fn a_room_goes_on_under_its_new_name_with_what_is_written_there_and_asked_about_it() {
    let mut script = Script::in_room(ALL);
    script.type_in("hello");
    let asked = script.type_in("/history");
    assert_eq!(script.sent().len(), 0, "{asked:?}");
    script.hear(&["@time=2026-01-01T00:00:00.000Z;msgid=m1 :bob!b@h PRIVMSG #room :before"]);
    script.hear(&[":bob!b@h RENAME #room #Lounge :nicer"]);
    let outputs = script.outputs();
    let room =
        |name: &str| Place::Room(stentor_proto::channel::ChannelName::parse(name, 64).expect("a legal name"));
    let moved = Output::Moved { from: room("#room"), to: room("#lounge") };
    assert!(outputs.contains(&moved), "{outputs:#?}");
    assert_eq!(script.engine.current(), &room("#lounge"));
    assert_eq!(script.engine.rooms().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["#Lounge"]);
    assert!(script.engine.rooms().all(|room| room.joined && room.members.len() == 2));
    // What was not acknowledged is looked for, and sent, under the new name.
    script.engine.lost("it broke", Some(script.now));
    script.welcome(ALL);
    script.hear(&[":ann!a@h JOIN #Lounge"]);
    script.hear(&[":s BATCH +0 draft/chathistory-targets", ":s BATCH -0"]);
    let sent = script.sent();
    assert!(sent.iter().any(|line| line.starts_with("CHATHISTORY LATEST #Lounge ")), "{sent:#?}");
    script.hear(&[":s BATCH +1 chathistory #Lounge", ":s BATCH -1"]);
    let sent = script.sent();
    assert!(sent.iter().any(|line| line.contains("PRIVMSG #Lounge :hello")), "{sent:#?}");
}
