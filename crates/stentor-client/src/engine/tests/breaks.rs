//! What becomes of things when the connection breaks.

use std::time::{Duration, Instant};

use super::{ALL, Script};
use crate::engine::{Engine, Options, Output, Secret};

/// The lines of a page of history.
fn page(place: &str, lines: &[&str]) -> Vec<String> {
    let lines = lines.iter().map(|line| line.replacen('@', "@batch=p;", 1));
    let (begin, end) = (format!(":s BATCH +p chathistory {place}"), ":s BATCH -p".to_owned());
    std::iter::once(begin).chain(lines).chain([end]).collect()
}

#[test]
fn without_any_capability_lines_are_shown_at_once_and_acknowledged_by_a_pong() {
    let mut script = Script::in_room("");
    let sent = script.type_in("hello");
    assert_eq!(sent[0], "PRIVMSG #room :hello");
    assert_eq!(script.texts(), ["#room <ann> hello"]);
    assert_eq!(script.engine.unacknowledged(), 1);
    let token = sent[1].strip_prefix("PING ").expect("a PING follows");
    script.hear(&[&format!(":s PONG s :{token}")]);
    assert_eq!((script.engine.unacknowledged(), script.texts().len()), (0, 0));
    // What is said after a break is not said twice where nobody can tell.
    script.type_in("perhaps");
    script.events();
    script.engine.lost("it broke", Some(script.now));
    script.welcome("");
    script.hear(&[":ann!a@h JOIN #room"]);
    assert!(script.texts().iter().any(|text| text.contains("cannot be told") && text.ends_with("perhaps")));
    assert_eq!(script.engine.unacknowledged(), 0);
}

#[test]
fn what_arrives_late_is_shown_behind_what_others_said_before_and_not_lost_by_a_break() {
    for breaks in [false, true] {
        let mut script = Script::in_room(ALL);
        script.hear(&["@time=2026-01-01T00:00:00.000Z;msgid=m0 :bob!b@h PRIVMSG #room :first"]);
        assert_eq!(script.texts(), ["#room <bob> first"]);
        let sent = script.type_in("mine");
        let tag = |name: &str| {
            sent[0].split_once(name).expect("its tags").1.split([';', ' ']).next().expect("a value")
        };
        let (label, id) = (tag("label="), tag("+stentor.chat/id="));
        script.hear(&[&format!("@label={label} :s FAIL PRIVMSG OUTCOME_UNKNOWN :Who knows")]);
        assert_eq!(script.sent(), ["CHATHISTORY AFTER #room msgid=m0 50"]);
        let theirs = "time=2026-01-01T00:00:01.000Z;msgid=m1 :bob!b@h PRIVMSG #room :theirs";
        let mine = format!(
            "time=2026-01-01T00:00:02.000Z;msgid=m2;+stentor.chat/id={id} :ann!a@h PRIVMSG #room :mine"
        );
        script.hear(&[&format!("@{theirs}"), &format!("@{mine}")]);
        assert_eq!(script.engine.unacknowledged(), 0);
        let mut batch = vec![":s BATCH +1 chathistory #room".to_owned()];
        if breaks {
            script.engine.lost("it broke", Some(script.now));
            script.welcome(ALL);
            script.hear(&["@time=2026-01-01T00:00:03.000Z :ann!a@h JOIN #room"]);
            script.hear(&[":s BATCH +t draft/chathistory-targets", ":s BATCH -t"]);
            assert!(script.sent().contains(&"CHATHISTORY AFTER #room msgid=m0 50".to_owned()));
            batch.extend([theirs, &mine].map(|line| format!("@batch=1;{line}")));
        }
        batch.push(":s BATCH -1".to_owned());
        script.hear(&batch.iter().map(String::as_str).collect::<Vec<_>>());
        let said = |text: &String| text.contains('<');
        let said: Vec<String> = script.texts().into_iter().filter(said).collect();
        assert_eq!(said, ["#room <bob> theirs", "#room <ann> mine"], "breaks: {breaks}");
    }
}

#[test]
fn what_persons_wrote_is_fetched_from_the_end_of_the_last_connection_that_showed_all() {
    let mut script = Script::in_room(ALL);
    script.hear(&["@time=2026-01-01T09:00:00.000Z;msgid=m0 :bob!b@h PRIVMSG #room :first"]);
    script.hear(&["@time=2026-01-01T10:00:00.000Z;msgid=m1 :bob!b@h PRIVMSG #room :last"]);
    let again = |script: &mut Script, time: &str| {
        script.engine.lost("it broke", Some(script.now));
        script.welcome(ALL);
        // The answer to JOIN is earlier than that to TARGETS, and tells of now.
        script.hear(&[&format!("@time=2026-01-01T{time}:00.000Z :ann!a@h JOIN #room")]);
        script.events();
    };
    let targets = |script: &mut Script, people: &[&str]| {
        let lines: Vec<String> = people.iter().map(|one| format!("@ :s CHATHISTORY TARGETS {one}")).collect();
        let mut lines = page("", &lines.iter().map(String::as_str).collect::<Vec<_>>());
        lines[0] = ":s BATCH +p draft/chathistory-targets".to_owned();
        lines.iter().for_each(|line| script.hear(&[line]));
    };
    // Welcomed, and asked for the room and for persons, but not told yet.
    again(&mut script, "10:10");
    // This one breaks between the two answers.
    again(&mut script, "10:20");
    script.engine.lost("it broke", Some(script.now));
    script.engine.connected(script.now);
    script.hear(&[&format!(":s CAP * LS :{ALL}"), &format!(":s CAP * ACK :{ALL}")]);
    script.hear(&[":s 001 ann :Hi", "@time=2026-01-01T10:30:00.000Z :s 422 ann :None"]);
    let from = "timestamp=2026-01-01T09:58:00.000Z";
    let asked = script.sent();
    assert!(asked.contains(&format!("CHATHISTORY TARGETS {from} timestamp=2200-01-01T00:00:00.000Z 100")));
    script.hear(&["@time=2026-01-01T10:30:00.000Z :ann!a@h JOIN #room"]);
    // Nothing was ever shown of bob. Another line of bob's comes before what was missed has been fetched.
    targets(&mut script, &["bob 2026-01-01T10:01:00.000Z"]);
    let live = "@time=2026-01-01T10:31:00.000Z;msgid=b2 :bob!b@h PRIVMSG ann :live";
    script.hear(&[live]);
    page("#room", &[]).iter().for_each(|line| script.hear(&[line]));
    assert_eq!(
        script.sent(),
        ["CHATHISTORY AFTER #room msgid=m1 100", &format!("CHATHISTORY AFTER bob {from} 100")]
    );
    again(&mut script, "10:40");
    script.engine.lost("it broke", Some(script.now));
    script.welcome(ALL);
    // Bob is asked about even if TARGETS does not name anybody.
    targets(&mut script, &[]);
    assert_eq!(script.sent(), [format!("CHATHISTORY AFTER bob {from} 50")]);
    let missed = "@time=2026-01-01T10:01:00.000Z;msgid=b1 :bob!b@h PRIVMSG ann :missed";
    page("bob", &[missed, live]).iter().for_each(|line| script.hear(&[line]));
    let said: Vec<String> = script.texts().into_iter().filter(|text| text.contains('<')).collect();
    assert_eq!(said, ["bob <bob> missed", "bob <bob> live"]);
}

#[test]
fn what_was_fetched_up_to_a_gap_is_not_asked_for_again() {
    let mut script = Script::in_room(ALL);
    for hour in [9, 10] {
        script.hear(&[&format!(
            "@time=2026-01-01T{hour:02}:00:00.000Z;msgid=m{hour} :bob!b@h PRIVMSG #room :x"
        )]);
        script.engine.lost("it broke", Some(script.now));
        script.engine.connected(script.now);
        script.hear(&[&format!(":s CAP * LS :{ALL}"), &format!(":s CAP * ACK :{ALL}")]);
        script.hear(&[":s 001 ann :Hi", ":s 422 ann :None"]);
        let from = format!("CHATHISTORY TARGETS timestamp=2026-01-01T{:02}:58:00.000Z", hour - 1);
        let sent = script.sent();
        assert!(sent.iter().any(|line| line.starts_with(&from)), "{sent:?}");
        script.hear(&[&format!("@time=2026-01-01T{hour:02}:30:00.000Z :ann!a@h JOIN #room")]);
        script.hear(&[":s BATCH +t draft/chathistory-targets", ":s BATCH -t"]);
        script.hear(&[":s NOTE CHATHISTORY TRIMMED #room :Gone"]);
        page("#room", &[]).iter().for_each(|line| script.hear(&[line]));
        assert!(script.texts().contains(&"#room Gap".to_owned()));
    }
}

#[test]
fn where_the_server_does_not_name_all_who_wrote_that_is_told_and_those_who_are_known_are_asked_about() {
    for answer in [
        &[":s FAIL CHATHISTORY INVALID_PARAMS TARGETS :Unknown command"][..],
        &[
            ":s NOTE CHATHISTORY INCOMPLETE TARGETS timestamp=2026-01-01T10:00:00.000Z :Too many",
            ":s BATCH +t draft/chathistory-targets",
            ":s BATCH -t",
        ],
    ] {
        let mut script = Script::new(ALL);
        script.hear(&["@time=2026-01-01T09:00:00.000Z;msgid=b0 :bob!b@h PRIVMSG ann :first"]);
        script.engine.lost("it broke", Some(script.now));
        script.welcome(ALL);
        script.hear(answer);
        assert!(script.texts().iter().any(|text| text.starts_with("server - Others may have written")));
        assert_eq!(script.sent(), ["CHATHISTORY AFTER bob msgid=b0 50"]);
    }
}

#[test]
fn what_is_held_back_is_shown_where_the_room_cannot_be_entered_or_fetched_any_more() {
    let why = "#room ! You cannot enter #room: cannot join channel (+b)";
    for (then, rest) in [
        ("refused", &["#room Gap", "#room <bob> theirs", "#room <ann> mine", why][..]),
        ("no history", &["#room <bob> theirs", "#room <ann> mine"]),
        ("thrown out", &["#room Gap", "#room <bob> theirs", "#room <ann> mine"]),
        ("fetched", &["#room <bob> before", "#room <bob> theirs", "#room <ann> mine"]),
    ] {
        let mut script = Script::in_room(ALL);
        script.hear(&["@time=2026-01-01T00:00:00.000Z;msgid=m0 :bob!b@h PRIVMSG #room :first"]);
        let sent = script.type_in("mine");
        let tags = sent[0].strip_suffix(" PRIVMSG #room :mine").expect("it has tags").to_owned();
        script.engine.lost("it broke", Some(script.now));
        script.welcome(ALL);
        script.hear(&["@time=2026-01-01T00:01:00.000Z :ann!a@h JOIN #room"]);
        script.texts();
        let theirs = "@time=2026-01-01T00:01:01.000Z;msgid=m1 :bob!b@h PRIVMSG #room :theirs";
        let mine = format!("{tags};time=2026-01-01T00:01:02.000Z;msgid=m2 :ann!a@h PRIVMSG #room :mine");
        // It was on its way when the connection before broke, and comes late.
        script.hear(&[theirs, &mine]);
        assert_eq!((script.engine.unacknowledged(), script.texts().len()), (0, 0));
        if then == "thrown out" {
            script.hear(&[":bob!b@h KICK #room ann :out"]);
        }
        script.engine.lost("it broke again", Some(script.now));
        let mut texts = script.texts();
        script.welcome(if then == "no history" { "message-tags server-time echo-message" } else { ALL });
        match then {
            "refused" => script.hear(&[":s 474 ann #room :Cannot join channel (+b)"]),
            "thrown out" => {}
            _ => script.hear(&["@time=2026-01-01T00:02:00.000Z :ann!a@h JOIN #room"]),
        }
        if then == "fetched" {
            script.hear(&[":s BATCH +t draft/chathistory-targets", ":s BATCH -t"]);
            let before = "@time=2026-01-01T00:00:30.000Z;msgid=m3 :bob!b@h PRIVMSG #room :before";
            let lines = page("#room", &[before, theirs, &mine]);
            script.hear(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        texts.extend(script.texts());
        texts.retain(|text| ["<", "!", "Gap"].iter().any(|sign| text.contains(sign)));
        assert_eq!(texts, rest, "{then}");
    }
}

#[test]
fn what_was_said_in_a_room_that_is_not_entered_again_does_not_keep_other_things_waiting() {
    let mut script = Script::in_room(ALL);
    script.type_in("perhaps");
    script.hear(&[":bob!b@h KICK #room ann :out"]);
    script.engine.lost("it broke", Some(script.now));
    assert!(script.texts().iter().any(|text| text.contains("cannot be told") && text.ends_with("perhaps")));
    script.welcome(ALL);
    assert_eq!(script.type_in("/whois bob"), ["WHOIS bob bob"]);
}

#[test]
fn a_room_that_was_left_is_not_entered_again_where_the_connection_broke_over_it() {
    let mut script = Script::in_room(ALL);
    assert_eq!(script.type_in("/leave"), ["PART #room"]);
    script.engine.lost("it broke", Some(script.now));
    assert!(script.outputs().iter().any(|output| matches!(output, Output::Closed(_))));
    assert_eq!(script.engine.rooms().count(), 0);
    script.engine.connected(script.now);
    script.hear(&[":s CAP * LS :", ":s 001 ann :Hi", ":s 422 ann :None"]);
    assert!(!script.sent().iter().any(|line| line.starts_with("JOIN")));

    // What was said before it still arrives, over the next connection.
    let mut script = Script::in_room(ALL);
    script.type_in("hello");
    assert!(script.type_in("/leave").is_empty());
    script.engine.lost("it broke", Some(script.now));
    script.engine.connected(script.now);
    script.hear(&[":s CAP * LS :", ":s 001 ann :Hi", ":s 422 ann :None"]);
    assert!(script.sent().contains(&"JOIN #room".to_owned()));
    script.hear(&[":ann!a@h JOIN #room"]);
    assert_eq!(script.sent(), ["PART #room"]);
    script.hear(&[":ann!a@h PART #room"]);
    assert_eq!(script.engine.rooms().count(), 0);
}

#[test]
fn commands_that_a_broken_connection_may_have_swallowed_are_named() {
    let mut script = Script::in_room(ALL);
    script.type_in("/topic old");
    script.engine.wake(script.now);
    let ping = script.sent().pop().expect("a PING follows");
    script.type_in("/kick bob");
    script.type_in("/register secret");
    script.type_in("/away out");
    script.hear(&[&ping.replace("PING ", ":s PONG s :")]);
    let next = script.engine.wake_at().expect("what came after it is asked about");
    assert!(next <= script.now + Duration::from_millis(250));
    script.engine.lost("it broke", Some(script.now));
    let texts = script.texts();
    let lost: Vec<&String> = texts.iter().filter(|text| text.contains("not confirmed")).collect();
    assert!(
        lost.len() == 2 && lost[0].ends_with(": /kick bob") && lost[1].ends_with(": /register"),
        "{texts:?}"
    );
    script.engine.lost("again", Some(script.now));
    assert!(!script.texts().iter().any(|text| text.contains("not confirmed")));
}

#[test]
fn an_own_post_is_shown_at_once_and_nothing_is_fetched_from_it_in_the_room_where_it_was_written() {
    for echoes in [true, false] {
        let echo = if echoes { "none" } else { "echo-message " };
        let capabilities = format!("{ALL} stentor.chat/feeds").replace(echo, "");
        let mut script = Script::in_room(&capabilities);
        script.hear(&["@time=2026-01-01T00:00:00.000Z;msgid=m0 :bob!b@h PRIVMSG #room :first"]);
        let again = |script: &mut Script| {
            script.engine.lost("it broke", Some(script.now));
            script.welcome(&capabilities);
            script.hear(&["@time=2026-01-01T00:01:00.000Z :ann!a@h JOIN #room"]);
            script.hear(&[":s BATCH +t draft/chathistory-targets", ":s BATCH -t"]);
            assert!(script.sent().contains(&"CHATHISTORY AFTER #room msgid=m0 50".to_owned()));
        };
        again(&mut script);
        script.texts();
        let sent = script.type_in("/publish mine");
        let tags = sent[0].strip_suffix(" PUBLISH :mine").expect("it is a post");
        let theirs = "@time=2026-01-01T00:01:01.000Z;msgid=m1 :bob!b@h PRIVMSG #room :theirs";
        script.hear(&[theirs]);
        if echoes {
            let time = "time=2026-01-01T00:01:02.000Z";
            script.hear(&[&format!("{tags};msgid=p1;{time} :ann!a@h PUBLISH :mine")]);
        } else {
            let label = tags.split_once("label=").expect("a label").1;
            script.hear(&[&format!("@label={label} :s ACK")]);
        }
        assert_eq!(script.engine.unacknowledged(), 0);
        assert_eq!(script.texts(), ["#room <ann> mine"], "echoes: {echoes}");
        again(&mut script);
        script.texts();
        script.hear(&[
            ":s BATCH +1 chathistory #room",
            &theirs.replace('@', "@batch=1;").replace("b@batch=1;h", "b@h"),
            ":s BATCH -1",
        ]);
        let said: Vec<String> = script.texts().into_iter().filter(|text| text.contains('<')).collect();
        assert_eq!(said, ["#room <bob> theirs"], "echoes: {echoes}");
    }
}

#[test]
fn a_session_that_still_lives_is_waited_for_after_a_reconnect() {
    let options = Options { user: "ann".to_owned(), password: Secret::new("secret"), register: None };
    let mut script = Script { engine: Engine::new(options), now: Instant::now() };
    for first in [true, false] {
        script.engine.connected(script.now);
        script.hear(&[":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +"]);
        if first {
            script.hear(&[":s 903 ann :ok", ":s 001 ann :Hi", ":s 422 ann :None"]);
            script.engine.lost("it broke", Some(script.now));
            script.outputs();
        }
    }
    script.hear(&[":s 904 ann :User already logged in", "ERROR :User already logged in"]);
    assert!(matches!(script.outputs().as_slice(), [Output::Drop(_)]));
}

#[test]
fn a_page_of_what_was_all_shown_before_is_not_the_last() {
    let mut script = Script::new(&format!("{ALL} stentor.chat/feeds"));
    let mut lines = Vec::new();
    let mut post = |script: &mut Script, number: usize| {
        let sent = script.type_in(&format!("/publish post {number}"));
        let tags = sent[0].split_once(' ').expect("it has tags").0;
        let time = format!("time=2026-01-01T00:00:{number:02}.000Z");
        lines.push(format!("{tags};msgid=p{number};{time} :ann!a@h PUBLISH :post {number}"));
        lines.clone()
    };
    for number in 0..50 {
        let lines = post(&mut script, number);
        script.hear(&[&lines[number]]);
    }
    let lines = post(&mut script, 50);
    script.texts();
    let label = lines[50].split_once("label=").and_then(|(_, rest)| rest.split_once(';')).expect("a label").0;
    script.hear(&[&format!("@label={label} :s FAIL PUBLISH OUTCOME_UNKNOWN :Who knows")]);
    assert_eq!(script.sent().len(), 1);
    let first: Vec<&str> = lines.iter().map(String::as_str).collect();
    page("ann", &first[..50]).iter().for_each(|line| script.hear(&[line]));
    assert_eq!(script.sent(), ["CHATHISTORY AFTER ann msgid=p49 50"]);
    page("ann", &first[50..]).iter().for_each(|line| script.hear(&[line]));
    assert_eq!(script.texts(), ["server <ann> post 50"]);
    assert_eq!((script.sent().len(), script.engine.unacknowledged()), (0, 0));
}

#[test]
fn a_server_that_fails_to_read_its_history_does_not_end_it() {
    for (context, beginning) in [("BEFORE #room m0", true), ("BEFORE #room", false)] {
        let mut script = Script::in_room(ALL);
        script.hear(&["@time=2026-01-01T00:00:00.000Z;msgid=m0 :bob!b@h PRIVMSG #room :first"]);
        script.engine.ask_older(&script.engine.current.clone(), None);
        assert_eq!(script.sent(), ["CHATHISTORY BEFORE #room msgid=m0 50"]);
        script.outputs();
        script.hear(&[&format!(":s FAIL CHATHISTORY MESSAGE_ERROR {context} :Not now")]);
        let outputs = script.outputs();
        let ended = |output: &Output| matches!(output, Output::Older { beginning: true, .. });
        assert_eq!(outputs.iter().any(ended), beginning, "{outputs:?}");
    }
}
