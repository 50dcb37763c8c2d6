//! Two engines at a real server, over sockets: they meet, talk, lose the connection and go on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use stentor_client::engine::{End, Engine, Options, Output, Registration, Secret};
use stentor_client::event::{Place, What};
use stentor_testing::{TestClient, TestServer};

/// An engine and its socket.
struct Person<'s> {
    server: &'s TestServer,
    engine: Engine,
    socket: Option<TestClient>,
    outputs: VecDeque<Output>,
    /// Everything that was said, in the order shown.
    said: Vec<(Place, String, String)>,
}

impl<'s> Person<'s> {
    async fn new(server: &'s TestServer, options: Options) -> Self {
        let engine = Engine::new(options);
        let mut person = Self { server, engine, socket: None, outputs: VecDeque::new(), said: Vec::new() };
        person.connect().await;
        person
    }

    async fn login(server: &'s TestServer, name: &str) -> Self {
        server.account(name, PASSWORD).await;
        let mut person = Self::new(server, options(name)).await;
        person.until(connected).await;
        person
    }

    async fn connect(&mut self) {
        self.engine.connecting();
        self.socket = Some(self.server.connect().await);
        self.engine.connected(Instant::now());
        self.carry().await;
    }

    /// Sends what is to be sent, and takes what is to be shown.
    async fn carry(&mut self) {
        while let Some(line) = self.engine.next_line() {
            if let Some(socket) = &mut self.socket {
                socket.send(&line).await;
            }
        }
        while let Some(output) = self.engine.next_output() {
            if let Output::Show(event) = &output
                && let What::Said(said) = &event.what
            {
                self.said.push((event.place.clone(), said.nick.clone(), said.text.clone()));
            }
            self.outputs.push_back(output);
        }
    }

    async fn input(&mut self, text: &str) {
        self.engine.input(text, Instant::now());
        self.carry().await;
    }

    /// Reads until something is shown or done for which this is true, and returns it.
    async fn until(&mut self, wanted: impl Fn(&Output) -> bool) -> Output {
        loop {
            while let Some(output) = self.outputs.pop_front() {
                if wanted(&output) {
                    return output;
                }
                assert!(!matches!(output, Output::End(_)), "{output:?}");
            }
            let line = self.socket.as_mut().expect("the socket is open").next().await;
            self.engine.receive(&line, Instant::now());
            self.carry().await;
        }
    }

    async fn until_said(&mut self, text: &str) {
        self.until(|output| {
            matches!(output, Output::Show(event) if matches!(&event.what, What::Said(said) if said.text == text))
        })
        .await;
    }

    async fn until_shown(&mut self, text: &str) {
        self.until(|output| match output {
            Output::Show(event) => match &event.what {
                What::Info(line) | What::Problem(line) => line.contains(text),
                _ => false,
            },
            _ => false,
        })
        .await;
    }

    /// Breaks the connection without a word.
    async fn lose(&mut self) {
        self.socket = None;
        self.engine.lost("the cable was cut", Some(Instant::now() + Duration::from_secs(1)));
        self.carry().await;
    }

    /// Connects until the server has noticed that the connection before is gone.
    async fn come_back(&mut self) {
        loop {
            self.connect().await;
            let output = self.until(|output| connected(output) || matches!(output, Output::Drop(_))).await;
            match output {
                Output::Drop(_) => self.lose().await,
                _ => return,
            }
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.said.iter().map(|(_, _, text)| &**text).collect()
    }
}

fn options(name: &str) -> Options {
    Options { user: name.to_owned(), password: Secret::new(PASSWORD), register: None }
}

fn connected(output: &Output) -> bool {
    matches!(output, Output::Show(event) if matches!(&event.what, What::Connection(text) if text.contains("onnected")))
}

fn joined(output: &Output) -> bool {
    matches!(output, Output::Show(event) if matches!(event.what, What::Joined { own: true, .. }))
}

#[tokio::test]
async fn two_people_talk_across_a_broken_connection() {
    let server = TestServer::start().await;
    let mut ann = Person::login(&server, "ann").await;
    let mut bob = Person::login(&server, "bob").await;
    // All at once, as from a pipe.
    ann.input("/join lobby").await;
    ann.input("hello").await;
    ann.until_said("hello").await;
    bob.input("/join #lobby").await;
    bob.until(joined).await;
    bob.input("hi Ann").await;
    ann.until_said("hi Ann").await;
    let room = Place::Room("#lobby".parse_room());
    assert_eq!(ann.engine.current(), &room);

    ann.lose().await;
    ann.input("typed while away").await;
    bob.input("missed").await;
    bob.until_said("missed").await;
    bob.input("/msg ann psst").await;
    bob.until_said("psst").await;
    ann.come_back().await;
    ann.until_said("typed while away").await;
    bob.until_said("typed while away").await;
    if !ann.texts().contains(&"psst") {
        ann.until_said("psst").await;
    }
    let in_room: Vec<&str> =
        ann.said.iter().filter(|(place, ..)| *place == room).map(|(_, _, text)| &**text).collect();
    assert_eq!(in_room, ["hello", "hi Ann", "missed", "typed while away"]);
    assert_eq!(ann.texts().iter().filter(|text| **text == "psst").count(), 1);
    assert_eq!(ann.engine.unacknowledged(), 0);

    ann.engine.page_back(&room);
    ann.carry().await;
    let older = ann.until(|output| matches!(output, Output::Older { .. })).await;
    let Output::Older { events, beginning: true, .. } = older else { panic!("{older:?}") };
    assert!(events.is_empty(), "{events:?}");

    bob.input("/me waves").await;
    bob.input("/quit bye").await;
    bob.until(|output| *output == Output::End(End::Quit)).await;
    ann.until_said("waves").await;
    let (_, _, last) = ann.said.last().expect("something was said");
    assert_eq!(last, "waves");
    server.shutdown().await;
}

#[tokio::test]
async fn a_service_answers_in_the_conversation_with_it() {
    let server = TestServer::start().await;
    let mut ann = Person::login(&server, "ann").await;
    ann.input("/msg NickServ help identify").await;
    ann.until(|output| matches!(output, Output::Show(event) if matches!(&event.what, What::Said(said) if !said.own)))
        .await;
    let said: Vec<(Option<&str>, &str)> =
        ann.said.iter().map(|(place, nick, _)| (place.target(), &**nick)).collect();
    assert_eq!(said, [(Some("NickServ"), "ann"), (Some("NickServ"), "NickServ")]);
    assert_eq!(ann.said[0].2, "help …");
    assert_eq!(ann.engine.waiting(), 0);
    server.shutdown().await;
}

#[tokio::test]
async fn older_messages_are_paged_and_refusals_are_told() {
    let server = TestServer::start_with(&[("history.page", "5")]).await;
    let mut ann = Person::login(&server, "ann").await;
    ann.input("/join lobby").await;
    for number in 0..12 {
        ann.input(&format!("line {number}")).await;
    }
    ann.until_said("line 11").await;
    let mut bob = Person::login(&server, "bob").await;
    bob.input("/join lobby").await;
    bob.input("/history 4").await;
    let older = bob.until(|output| matches!(output, Output::Older { .. })).await;
    let Output::Older { place, events, beginning: false } = older else { panic!("{older:?}") };
    let texts = |events: &[stentor_client::event::Event]| -> Vec<String> {
        let texts = events.iter().filter_map(|event| match &event.what {
            What::Said(said) => Some(said.text.clone()),
            _ => None,
        });
        texts.collect()
    };
    assert_eq!(texts(&events), ["line 8", "line 9", "line 10", "line 11"]);
    let mut all = Vec::new();
    loop {
        bob.engine.page_back(&place);
        bob.carry().await;
        let older = bob.until(|output| matches!(output, Output::Older { .. })).await;
        let Output::Older { events, beginning, .. } = older else { panic!("{older:?}") };
        all.splice(0..0, texts(&events));
        if beginning {
            break;
        }
    }
    let wanted: Vec<String> = (0..8).map(|number| format!("line {number}")).collect();
    assert_eq!(all, wanted);

    bob.input("/kick ann").await;
    bob.until_shown("operator").await;
    bob.input("/msg nobody are you there").await;
    bob.until_shown("Not sent").await;
    ann.input("/ban bob").await;
    ann.input("/kick bob out").await;
    bob.until(
        |output| matches!(output, Output::Show(event) if matches!(event.what, What::Left { own: true, .. })),
    )
    .await;
    bob.input("/join lobby").await;
    bob.until_shown("You cannot enter #lobby").await;
    ann.input("/whois bob").await;
    ann.until_shown("bob is logged in as bob").await;
    ann.input("/rooms").await;
    ann.until_shown("#lobby  1").await;
    server.shutdown().await;
}

#[tokio::test]
async fn an_account_is_made_by_invitation_and_used_after_a_reconnect() {
    let server =
        TestServer::start_with(&[("accounts.required", "true"), ("accounts.registration", "'invite'")]).await;
    let (code, _) = server.node.invites.create(2, None, "test").await.expect("it is made");
    let code = Secret::new(code.reveal());
    let registering = |name: &str, password: &str| Options {
        user: name.to_owned(),
        password: Secret::new(password),
        register: Some(Registration { invite: Some(code.clone()) }),
    };
    let mut ann = Person::new(&server, registering("ann", PASSWORD)).await;
    ann.until(connected).await;
    ann.lose().await;
    ann.come_back().await;

    let mut again = Person::new(&server, registering("ann", "another password")).await;
    let end = again.until(|output| matches!(output, Output::End(_))).await;
    assert!(matches!(&end, Output::End(End::LoginRefused(text)) if text.contains("taken")), "{end:?}");

    let mut long = Person::new(&server, registering("bob", &"x".repeat(600))).await;
    let end = long.until(|output| matches!(output, Output::End(_))).await;
    assert!(matches!(&end, Output::End(End::LoginRefused(text)) if text.contains("too long")), "{end:?}");

    let register = Some(Registration { invite: Some(Secret::new("no-such-code")) });
    let mut uninvited = Person::new(&server, Options { register, ..options("carl") }).await;
    let end = uninvited.until(|output| matches!(output, Output::End(_))).await;
    assert!(matches!(&end, Output::End(End::LoginRefused(text)) if text.contains("invitation")), "{end:?}");

    let mut wrong = Person::new(&server, Options { password: Secret::new("wrong"), ..options("ann") }).await;
    let end = wrong.until(|output| matches!(output, Output::End(_))).await;
    assert!(matches!(end, Output::End(End::LoginRefused(_))), "{end:?}");

    let mut second = Person::new(&server, options("ann")).await;
    // The server asks the first session whether it is there.
    let end = tokio::select! {
        end = second.until(|output| matches!(output, Output::End(_))) => end,
        output = ann.until(|_| false) => panic!("{output:?}"),
    };
    assert!(
        matches!(&end, Output::End(End::LoginRefused(text)) if text.contains("already logged in")),
        "{end:?}"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn what_waited_is_delivered_at_the_first_login() {
    let server = TestServer::start().await;
    server.account("ann", PASSWORD).await;
    let mut ann = server.login("ann", PASSWORD, &[]).await;
    ann.send("QUIT").await;
    ann.expect_closed().await;
    let mut bob = Person::login(&server, "bob").await;
    bob.input("/msg ann for later").await;
    bob.until_said("for later").await;
    let mut ann = Person::new(&server, options("ann")).await;
    ann.until_said("for later").await;
    let (place, nick, _) = ann.said.first().expect("something was said");
    assert_eq!((place.target(), &**nick), (Some("bob"), "bob"));
    server.shutdown().await;
}

trait ParseRoom {
    fn parse_room(&self) -> stentor_proto::channel::ChannelName;
}

impl ParseRoom for str {
    fn parse_room(&self) -> stentor_proto::channel::ChannelName {
        stentor_proto::channel::ChannelName::parse(self, 64).expect("it is legal")
    }
}

const PASSWORD: &str = "a good password";

#[tokio::test]
async fn people_go_on_talking_in_a_room_that_is_renamed_also_after_a_broken_connection() {
    let server = TestServer::start().await;
    let mut ann = Person::login(&server, "ann").await;
    let mut bob = Person::login(&server, "bob").await;
    ann.input("/join lobby").await;
    ann.until(joined).await;
    bob.input("/join lobby").await;
    bob.until(joined).await;
    bob.input("before").await;
    bob.until_said("before").await;
    bob.lose().await;
    bob.input("typed while away").await;
    ann.input("/quote RENAME #lobby #Lounge :nicer").await;
    let (from, to) = (Place::Room("#lobby".parse_room()), Place::Room("#Lounge".parse_room()));
    let moved = Output::Moved { from, to: to.clone() };
    ann.until(|output| *output == moved).await;
    ann.input("after").await;
    ann.until_said("after").await;
    assert_eq!(ann.said.last().map(|(place, ..)| place), Some(&to));
    // Who was away meanwhile is led there, and what was written to the old name arrives.
    bob.come_back().await;
    bob.until(|output| *output == moved).await;
    bob.until_said("after").await;
    bob.until_said("typed while away").await;
    ann.until_said("typed while away").await;
    bob.input("there you are").await;
    bob.until_said("there you are").await;
    ann.until_said("there you are").await;
    for person in [&ann, &bob] {
        assert_eq!(person.engine.current(), &to);
        let texts: Vec<&str> = person.texts();
        assert_eq!(
            texts,
            ["before", "after", "typed while away", "there you are"],
            "nothing twice, nothing lost"
        );
    }
}
