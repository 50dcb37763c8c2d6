//! Whatever connections break, and whenever: each text is stored once, shown once, and in order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use stentor_client::engine::{Engine, Options, Output, Secret};
use stentor_client::event::{Kind, Place, What};
use stentor_proto::message::Message;

/// What happens to the connection at a line that the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The line is handled, and answered.
    Fine,
    /// The line is handled, and the connection breaks after this many of its answers.
    BreaksAfter(usize),
    /// The line never arrives.
    BreaksBefore,
    /// A message is stored, and the server says that it does not know.
    UnknownStored,
    /// A message is not stored, and the server says that it does not know.
    UnknownLost,
    /// The server says that it does not know, and stores the message after the client has looked for it, if it is still
    /// connected then.
    UnknownLate,
    /// Somebody else speaks before the answers.
    Interrupted,
    /// Somebody else speaks behind the message, is heard before its answer, and the connection breaks.
    Crossed,
    /// The line is handled, the first of its answers arrives, bob and the others speak, so much of that arrives, too, and
    /// the connection breaks.
    CrowdAfterFirst(usize),
}

/// What the user and others do.
#[derive(Clone, Copy, Debug)]
enum Step {
    SayInRoom,
    SayTo(usize),
    BobInRoom,
    ToMe(usize),
    Post,
    Command,
    Break,
}

/// Persons. With most of them the user has not talked when the first connection breaks.
const PEOPLE: [&str; 4] = ["bob", "cat", "dan", "eve"];

struct Logged {
    place: &'static str,
    line: String,
    id: String,
    time: String,
    text: String,
}

/// A server with one room, in which bob is too.
#[derive(Default)]
struct Model {
    log: Vec<Logged>,
    caps: bool,
    nick: bool,
    ended: bool,
    welcomed: bool,
    joined: bool,
    batches: usize,
    /// How many lines others said.
    said: usize,
    /// Milliseconds since all began.
    clock: i64,
    /// What was said to ChanServ, which keeps nothing.
    commands: Vec<String>,
    /// What is stored later: place, target, tags, text.
    late: Option<(&'static str, String, String, String)>,
}

impl Model {
    fn connect(&mut self) {
        self.clock += OUTAGE;
        self.late = None;
        (self.caps, self.nick, self.ended, self.welcomed, self.joined) = (false, false, false, false, false);
    }

    fn store(&mut self, place: &'static str, source: &str, target: &str, tags: &str, text: &str) -> usize {
        let number = self.log.len();
        let tags = if tags.is_empty() { String::new() } else { format!(";{tags}") };
        let id = format!("m{number}");
        // Each person is on a node of their own, whose clock is behind.
        let behind = PEOPLE.iter().position(|person| *person == source).unwrap_or_default();
        let time = self.time_before(BEHIND * i64::try_from(behind).expect("a few"));
        let what = if place == "ann" { "PUBLISH".to_owned() } else { format!("PRIVMSG {target}") };
        let line = format!("time={time};msgid={id}{tags} :{source}!u@h {what} :{text}");
        self.log.push(Logged { place, line, id, time, text: text.to_owned() });
        number
    }

    /// Each line that the server writes has a time of its own.
    fn time(&mut self) -> String {
        self.time_before(0)
    }

    fn time_before(&mut self, behind: i64) -> String {
        self.clock += 1000;
        let time = Timestamp::from_second(1_767_225_600).expect("a time");
        let time = time + jiff::SignedDuration::from_millis(self.clock - behind);
        time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// Somebody speaks to the user, or bob in the room.
    fn other(&mut self, place: &'static str) -> Option<String> {
        self.said += 1;
        let (source, target) = if place == "#room" { ("bob", "#room") } else { (place, "ann") };
        let number = self.store(place, source, target, "", &format!("other-{}", self.said));
        let there = if place == "#room" { self.joined } else { self.welcomed };
        there.then(|| format!("@{}", self.log[number].line))
    }

    /// The answers to a line.
    fn handle(&mut self, line: &str, fate: Fate) -> Vec<String> {
        let message = Message::parse(line).expect("the engine sends legal lines");
        let label = message.tags.get("label").map(|label| label.into_owned());
        match message.command {
            "CAP" => match message.param(0) {
                Some("LS") => vec![
                    ":s CAP * LS :batch draft/chathistory echo-message labeled-response message-tags server-time"
                        .to_owned(),
                ],
                Some("REQ") => vec![format!(":s CAP * ACK :{}", message.param(1).unwrap_or_default())],
                _ => {
                    self.ended = true;
                    self.welcome()
                }
            },
            "NICK" => {
                self.nick = true;
                Vec::new()
            }
            "USER" => self.welcome(),
            "PING" => vec![format!(":s PONG s :{}", message.param(0).unwrap_or_default())],
            "JOIN" => {
                self.joined = true;
                let time = self.time();
                vec![format!("@time={time};msgid=j{} :ann!u@h JOIN #room", self.batches)]
            }
            "CHATHISTORY" => {
                let answers = self.history(&message);
                let mut late = Vec::new();
                if let Some((place, target, tags, text)) = self.late.take() {
                    let number = self.store(place, "ann", &target, &tags, &text);
                    late.push(format!("@{}", self.log[number].line));
                }
                answers.into_iter().chain(late).collect()
            }
            "PRIVMSG" if message.param(0) == Some("ChanServ") => {
                self.commands.push(message.param(1).unwrap_or_default().to_owned());
                vec![":ChanServ!ChanServ@s NOTICE ann :Done".to_owned()]
            }
            "PRIVMSG" | "PUBLISH" => {
                let post = message.command == "PUBLISH";
                let target = if post { "ann" } else { message.param(0).unwrap_or_default() };
                let places = PEOPLE.into_iter().chain(["#room", "ann"]);
                let place = places.into_iter().find(|place| *place == target).expect("a place");
                let id = message.tags.get("+stentor.chat/id").expect("every message has an id");
                let tags = format!("+stentor.chat/id={id}");
                let text = message.params().last().copied().unwrap_or_default();
                let label = label.expect("every message has a label");
                let unknown = format!("@label={label} :s FAIL PRIVMSG OUTCOME_UNKNOWN :Who knows");
                if fate == Fate::UnknownLost {
                    return vec![unknown];
                }
                if fate == Fate::UnknownLate {
                    self.late = Some((place, target.to_owned(), tags, text.to_owned()));
                    return vec![unknown];
                }
                let number = self.store(place, "ann", target, &tags, text);
                if fate == Fate::UnknownStored {
                    return vec![unknown];
                }
                vec![format!("@label={label};{}", self.log[number].line)]
            }
            "TAGMSG" | "PONG" => Vec::new(),
            other => panic!("{other} is not expected: {line}"),
        }
    }

    fn welcome(&mut self) -> Vec<String> {
        if self.welcomed || !self.nick || !self.ended {
            return Vec::new();
        }
        self.welcomed = true;
        let time = self.time();
        [":s 001 ann :Welcome", ":s 005 ann CASEMAPPING=ascii CHATHISTORY=3 :are", ":s 376 ann :End"]
            .map(|line| format!("@time={time} {line}"))
            .to_vec()
    }

    fn history(&mut self, message: &Message<'_>) -> Vec<String> {
        self.batches += 1;
        let reference = format!("b{}", self.batches);
        let mut lines = Vec::new();
        if message.param(0) == Some("TARGETS") {
            lines.push(format!(":s BATCH +{reference} draft/chathistory-targets"));
            let from = message.param(1).and_then(|from| from.strip_prefix("timestamp=")).expect("a time");
            let limit: usize = message.param(3).and_then(|limit| limit.parse().ok()).expect("a limit");
            let last = |person: &&'static str| {
                let last = self.log.iter().rfind(|logged| logged.place == *person)?;
                (*last.time > *from).then_some((&*last.time, *person))
            };
            let mut all: Vec<(&str, &str)> = PEOPLE.iter().filter_map(last).collect();
            all.sort_unstable();
            for (time, person) in all.into_iter().take(limit) {
                lines.push(format!("@batch={reference} :s CHATHISTORY TARGETS {person} {time}"));
            }
        } else {
            let place = message.param(1).unwrap_or_default();
            lines.push(format!(":s BATCH +{reference} chathistory {place}"));
            let limit: usize = message.param(3).and_then(|limit| limit.parse().ok()).expect("a limit");
            let from = message.param(2).unwrap_or_default();
            let after = |index: usize, logged: &Logged| match from.split_once('=') {
                Some(("msgid", id)) => {
                    let is = |logged: &Logged| logged.id == id && logged.place == place;
                    index > self.log.iter().position(is).expect("a message of this place")
                }
                Some((_, time)) => &*logged.time > time,
                None => true,
            };
            assert_eq!(message.param(0), Some("AFTER"));
            let found = self.log.iter().enumerate();
            let found = found.filter(|(index, logged)| logged.place == place && after(*index, logged));
            for (_, logged) in found.take(limit) {
                lines.push(format!("@batch={reference};{}", logged.line));
            }
        }
        lines.push(format!(":s BATCH -{reference}"));
        lines
    }
}

/// How far the clock of each person's node is behind that of the person before, in milliseconds.
const BEHIND: i64 = 35 * 1000;
/// How long no connection is there, in milliseconds: far longer than the clocks of two nodes are apart.
const OUTAGE: i64 = 3 * 3600 * 1000;

struct Run {
    engine: Engine,
    model: Model,
    fates: Vec<Fate>,
    now: Instant,
    shown: Vec<(Place, String)>,
    posts: Vec<String>,
    /// Commands of which the user was told that they may not have arrived.
    unconfirmed: Vec<String>,
    drops: usize,
    connected: bool,
}

impl Run {
    fn new(fates: Vec<Fate>) -> Self {
        let options = Options { user: "ann".to_owned(), password: Secret::default(), register: None };
        let (engine, model, now) = (Engine::new(options), Model::default(), Instant::now());
        let (shown, posts, unconfirmed) = (Vec::new(), Vec::new(), Vec::new());
        Self { engine, model, fates, now, shown, posts, unconfirmed, drops: 0, connected: false }
    }

    fn connect(&mut self) {
        self.model.connect();
        self.engine.connecting();
        self.engine.connected(self.now);
        self.connected = true;
    }

    fn lose(&mut self) {
        self.model.connect();
        self.engine.lost("it broke", Some(self.now));
        self.connected = false;
    }

    /// Carries lines until nobody has more to say. A broken connection is made again.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.outputs();
            if !self.connected {
                self.connect();
            }
            let Some(line) = self.engine.next_line() else {
                self.outputs();
                if self.connected {
                    return;
                }
                continue;
            };
            self.now += Duration::from_millis(1);
            let fate = self.fates.pop().unwrap_or(Fate::Fine);
            if fate == Fate::BreaksBefore {
                self.lose();
                continue;
            }
            // A room has one order for all; private messages that cross may have another on each side.
            let before = if fate == Fate::Interrupted { self.model.other("#room") } else { None };
            let mut answers = self.model.handle(&line, fate);
            let person = PEOPLE[self.model.said % PEOPLE.len()];
            if fate == Fate::Interrupted {
                let at = answers.len() / 2;
                answers.splice(at..at, self.model.other(person));
                answers.splice(0..0, before);
            }
            if fate == Fate::Crossed {
                answers = self.model.other(person).into_iter().collect();
            }
            if let Fate::CrowdAfterFirst(_) = fate {
                answers.truncate(1);
                answers
                    .extend(["#room"].into_iter().chain(PEOPLE).filter_map(|place| self.model.other(place)));
            }
            let arrive = match fate {
                Fate::BreaksAfter(count) | Fate::CrowdAfterFirst(count) => count,
                _ => usize::MAX,
            };
            for answer in answers.iter().take(arrive) {
                self.engine.receive(answer, self.now);
            }
            if matches!(fate, Fate::BreaksAfter(_) | Fate::Crossed | Fate::CrowdAfterFirst(_)) {
                self.lose();
            }
        }
        panic!("it never comes to rest");
    }

    fn outputs(&mut self) {
        while let Some(output) = self.engine.next_output() {
            match output {
                Output::Show(event) => match event.what {
                    What::Said(_) if event.place.is_service() => {}
                    What::Said(said) if said.kind == Kind::Post => {
                        assert_eq!(event.place.target(), Some("#room"));
                        self.posts.push(said.text);
                    }
                    What::Said(said) => {
                        assert_eq!(said.kind, Kind::Message);
                        self.shown.push((event.place, said.text));
                    }
                    What::Problem(text) => match text.split_once("not confirmed: /msg ChanServ ") {
                        Some((_, command)) => self.unconfirmed.push(command.to_owned()),
                        None => panic!("{text}"),
                    },
                    What::Gap => panic!("nothing is missing"),
                    _ => {}
                },
                Output::Drop(_) => {
                    self.drops += 1;
                    assert!(self.drops < 1000, "it drops again and again");
                    self.lose();
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, step: Step, number: usize) {
        match step {
            Step::SayInRoom => self.engine.input(&format!("room-{number}"), self.now),
            Step::SayTo(person) => {
                self.engine.input(&format!("/msg {} pm-{number}", PEOPLE[person]), self.now);
            }
            Step::Post => self.engine.input(&format!("/publish post-{number}"), self.now),
            Step::Command => self.engine.input(&format!("/msg ChanServ command-{number}"), self.now),
            Step::BobInRoom | Step::ToMe(_) => {
                let place = if let Step::ToMe(person) = step { PEOPLE[person] } else { "#room" };
                if let Some(line) = self.model.other(place).filter(|_| self.connected) {
                    self.engine.receive(&line, self.now);
                }
            }
            Step::Break => self.lose(),
        }
    }

    fn texts(&self, place: &str) -> (Vec<&str>, Vec<&str>) {
        let shown = self.shown.iter().filter(|(shown, _)| shown.target() == Some(place));
        let logged = self.model.log.iter().filter(|logged| logged.place == place);
        (shown.map(|(_, text)| &**text).collect(), logged.map(|logged| &*logged.text).collect())
    }
}

fn own<'t>(texts: &[&'t str]) -> Vec<&'t str> {
    texts.iter().filter(|text| !text.starts_with("other-")).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn each_text_is_stored_and_shown_once_and_in_order(
        steps in prop::collection::vec(
            (
                prop_oneof![
                    4 => Just(Step::SayInRoom),
                    3 => (0..PEOPLE.len()).prop_map(Step::SayTo),
                    2 => Just(Step::BobInRoom),
                    3 => (0..PEOPLE.len()).prop_map(Step::ToMe),
                    1 => Just(Step::Post),
                    1 => Just(Step::Command),
                    1 => Just(Step::Break),
                ],
                any::<bool>(),
            ),
            1..25,
        ),
        fates in prop::collection::vec(
            prop_oneof![
                6 => Just(Fate::Fine),
                2 => (0..4usize).prop_map(Fate::BreaksAfter),
                1 => Just(Fate::BreaksBefore),
                1 => Just(Fate::UnknownStored),
                1 => Just(Fate::UnknownLost),
                1 => Just(Fate::UnknownLate),
                1 => Just(Fate::Interrupted),
                1 => Just(Fate::Crossed),
                1 => (1..7usize).prop_map(Fate::CrowdAfterFirst),
            ],
            0..60,
        ),
    ) {
        let mut run = Run::new(Vec::new());
        run.settle();
        run.engine.input("/join room", run.now);
        run.settle();
        // The client has been there for long. A message from bob tells the time, as some line does everywhere.
        run.model.clock += OUTAGE;
        run.step(Step::ToMe(0), 0);
        run.settle();
        run.fates = fates;
        let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (number, (step, settle)) in steps.into_iter().enumerate() {
            match step {
                Step::SayInRoom => said.entry("#room").or_default().push(format!("room-{number}")),
                Step::SayTo(person) => said.entry(PEOPLE[person]).or_default().push(format!("pm-{number}")),
                Step::Post => said.entry("ann").or_default().push(format!("post-{number}")),
                Step::Command => said.entry("ChanServ").or_default().push(format!("command-{number}")),
                _ => {}
            }
            run.step(step, number);
            run.outputs();
            if settle {
                run.settle();
            }
        }
        run.settle();
        prop_assert_eq!(run.engine.unacknowledged(), 0);
        let mut of = |place: &str| said.remove(place).unwrap_or_default();
        let (shown, logged) = run.texts("#room");
        prop_assert_eq!(own(&logged), of("#room"));
        prop_assert_eq!(shown, logged);
        let sorted = |mut texts: Vec<String>| { texts.sort(); texts };
        let strings = |texts: Vec<&str>| sorted(texts.into_iter().map(str::to_owned).collect());
        for person in PEOPLE {
            let (shown, logged) = run.texts(person);
            let said = of(person);
            prop_assert_eq!(own(&logged), &said[..]);
            prop_assert_eq!(own(&shown), &said[..]);
            prop_assert_eq!(strings(shown), strings(logged));
        }
        let posts = of("ann");
        prop_assert_eq!(strings(run.texts("ann").1), sorted(posts.clone()));
        prop_assert_eq!(sorted(run.posts), sorted(posts));
        // A command is never done twice, and one that was not done is named.
        let commands = of("ChanServ");
        let mut done = run.model.commands.iter();
        prop_assert!(run.model.commands.len() <= commands.len());
        for command in commands {
            prop_assert!(run.unconfirmed.contains(&command) || done.any(|done| *done == command), "{}", command);
        }
    }
}
