//! The screen as a whole: keys in, cells out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossterm::event::{
    Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::app::{App, Ask};
use super::buffer::tests::{person, room, said, time};
use super::draw;
use super::facts::Facts;
use super::theme::Theme;
use crate::engine::Output;
use crate::engine::view::{Member, Room, Status};
use crate::event::{Event, Place, What};
use stentor_proto::{ChannelName, Nick};

/// An app, and what the engine would tell it.
struct Desk {
    app: App,
    me: String,
    status: Status,
    away: Option<String>,
    room: Room,
    unacknowledged: usize,
    now: Instant,
}

impl Desk {
    fn new(width: u16, height: u16) -> Self {
        Self::themed(width, height, Theme::new(true))
    }

    fn themed(width: u16, height: u16, theme: Theme) -> Self {
        let mut app = App::new(theme, TimeZone::UTC, false);
        app.resize(width, height);
        let nick = |name: &str| Nick::parse(name, 32).expect("a legal nick");
        let member = |prefixes: &str, away| Member { prefixes: prefixes.to_owned(), away };
        let room = Room {
            name: ChannelName::parse("#lobby", 64).expect("a legal name"),
            joined: true,
            topic: "Welcome to \x02all\x02".to_owned(),
            members: BTreeMap::from([
                (nick("alice"), member("", false)),
                (nick("bob"), member("@", false)),
                (nick("carl"), member("", true)),
            ]),
            typing: BTreeMap::new(),
        };
        let status = Status::Online { lag: Some(Duration::from_millis(12)) };
        let now = Instant::now();
        let mut desk = Self { app, me: "alice".to_owned(), status, away: None, room, unacknowledged: 0, now };
        desk.show(Output::Look(self::room("#lobby")));
        desk
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            me: &self.me,
            status: &self.status,
            away: self.away.as_deref(),
            room: self.is_in_lobby().then_some(&self.room),
            writer: None,
            rooms: vec!["#lobby"],
            unacknowledged: self.unacknowledged,
            now: self.now,
        }
    }

    fn is_in_lobby(&self) -> bool {
        self.app.places.current().place == self::room("#lobby")
    }

    fn show(&mut self, output: Output) {
        self.app.show(output, time(0));
    }

    fn say(&mut self, place: &Place, nick: &str, text: &str) {
        self.show(Output::Show(said(place, nick, text)));
    }

    fn happens(&mut self, event: TerminalEvent) -> Vec<Ask> {
        self.tell(|app, facts| app.happened(event, facts))
    }

    fn fill(&mut self) -> Option<Ask> {
        self.tell(App::fill)
    }

    fn tell<T>(&mut self, what: impl FnOnce(&mut App, &Facts<'_>) -> T) -> T {
        let here = self.is_in_lobby();
        let facts = Facts {
            me: &self.me,
            status: &self.status,
            away: self.away.as_deref(),
            room: here.then_some(&self.room),
            writer: None,
            rooms: vec!["#lobby"],
            unacknowledged: self.unacknowledged,
            now: self.now,
        };
        what(&mut self.app, &facts)
    }

    fn press(&mut self, code: KeyCode) -> Vec<Ask> {
        self.happens(TerminalEvent::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    fn control(&mut self, key: char) -> Vec<Ask> {
        self.happens(TerminalEvent::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL)))
    }

    fn alt(&mut self, key: char) -> Vec<Ask> {
        self.happens(TerminalEvent::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::ALT)))
    }

    fn write(&mut self, text: &str) {
        for character in text.chars() {
            self.press(KeyCode::Char(character));
        }
    }

    fn terminal(&self) -> Terminal<TestBackend> {
        let size = self.app.size;
        let mut terminal =
            Terminal::new(TestBackend::new(size.width, size.height)).expect("a test's terminal");
        terminal.draw(|frame| draw::draw(frame, &self.app, &self.facts())).expect("it can be drawn");
        terminal
    }

    fn rows(&self) -> Vec<String> {
        let terminal = self.terminal();
        let buffer = terminal.backend().buffer();
        let width = usize::from(buffer.area.width).max(1);
        buffer
            .content()
            .chunks(width)
            .map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned())
            .collect()
    }
}

#[test]
fn eighty_by_twenty_four_shows_all_but_the_members() {
    let mut desk = Desk::new(80, 24);
    let lobby = room("#lobby");
    desk.say(&lobby, "bob", "hello");
    desk.say(&room("#rust"), "dora", "alice: look");
    desk.say(&room("#rust"), "dora", "twice");
    desk.say(&person("erin"), "erin", "psst");
    desk.write("hi the");
    let rows = desk.rows();
    assert_eq!(rows[0], " #lobby Welcome to all");
    assert_eq!(rows[1], "1 server         │");
    assert_eq!(rows[2], "2 #lobby         │");
    assert_eq!(rows[3], "3 #rust      1 @1│");
    assert_eq!(rows[4], "4 erin         @1│");
    assert!(rows[20].ends_with(" Mon 21 Sep 2026 ───────────────────────"), "{rows:#?}");
    assert_eq!(rows[21], "                 │14:13 <bob> hello");
    assert_eq!(rows[22], " online 12 ms │ alice");
    assert_eq!(rows[23], "[#lobby] hi the");
    assert_eq!(desk.terminal().backend().cursor_position(), (15, 23).into());
}

#[test]
fn forty_by_ten_shows_the_conversation_and_tells_the_rest_in_the_status_line() {
    let mut desk = Desk::new(40, 10);
    let lobby = room("#lobby");
    desk.say(&lobby, "bob", "a text that is longer than one row of forty columns");
    desk.say(&room("#rust"), "dora", "alice: look");
    desk.room.typing.insert(Nick::parse("bob", 32).expect("a nick"), desk.now);
    let rows = desk.rows();
    assert_eq!(rows[0], " #lobby Welcome to all");
    assert_eq!(rows[6], "14:13 <bob> a text that is longer than");
    assert_eq!(rows[7], "      one row of forty columns");
    assert_eq!(rows[8], " online 12 ms │ alice │ #rust @1 │ bob …");
    assert_eq!(rows[9], "[#lobby]");
    assert!(rows.iter().all(|row| row.chars().count() <= 40));
}

#[test]
fn a_wide_terminal_shows_members_operators_first_and_the_away_dimmed() {
    let desk = Desk::new(120, 24);
    let rows = desk.rows();
    assert!(
        rows[1].ends_with("│@bob") && rows[2].ends_with("│alice") && rows[3].ends_with("│carl"),
        "{rows:#?}"
    );
    let terminal = desk.terminal();
    let cell = terminal.backend().buffer().cell((103, 3)).expect("it is inside");
    assert_eq!((cell.symbol(), cell.fg), ("c", Color::Indexed(244)));
}

#[test]
fn a_tiny_terminal_says_so_and_no_size_makes_it_fail() {
    assert_eq!(Desk::new(19, 5).rows().join(" ").trim(), "This window is too small.");
    for width in (0..26).chain([39, 64, 95, 96, 200]) {
        for height in [0, 1, 2, 3, 4, 5, 6, 7, 8, 24] {
            let mut desk = Desk::new(width, height);
            for number in 0..30 {
                desk.say(&room("#lobby"), "bob", &format!("{number} 日本語 https://example.com/"));
                desk.say(&room(&format!("#{number}")), "bob", "alice: hi");
            }
            desk.press(KeyCode::PageUp);
            desk.write("日本語");
            desk.rows();
            desk.control('f');
            desk.write("1");
            desk.rows();
            desk.press(KeyCode::F(1));
            desk.press(KeyCode::PageDown);
            desk.rows();
        }
    }
}

#[test]
fn without_colours_nothing_has_one_and_mentions_still_stand_out() {
    let mut desk = Desk::themed(120, 24, Theme::new(false));
    desk.say(&room("#lobby"), "bob", "alice: \x034red\x03");
    desk.say(&room("#rust"), "bob", "alice: look");
    desk.status = Status::Waiting { until: desk.now + Duration::from_secs(5), reason: "gone".to_owned() };
    let terminal = desk.terminal();
    let buffer = terminal.backend().buffer();
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    let mention = buffer.cell((18 + 12, 21)).expect("it is inside");
    assert_eq!((mention.symbol(), mention.modifier), ("a", Modifier::BOLD));
    let count = buffer.cell((15, 3)).expect("it is inside");
    assert!(count.symbol() == "@" && count.modifier.contains(Modifier::REVERSED), "{count:?}");
}

#[test]
fn the_status_line_tells_typing_away_and_the_connection() {
    let mut desk = Desk::new(80, 24);
    let nick = |name: &str| Nick::parse(name, 32).expect("a legal nick");
    desk.away = Some("lunch".to_owned());
    desk.room.typing.insert(nick("bob"), desk.now);
    desk.room.typing.insert(nick("carl"), desk.now);
    desk.unacknowledged = 2;
    assert_eq!(desk.rows()[22], " online 12 ms │ alice (away) │ bob and carl are typing… │ 2 being sent");
    desk.now += Duration::from_secs(7);
    desk.unacknowledged = 0;
    assert_eq!(desk.facts().changes_at(), None);
    desk.status =
        Status::Waiting { until: desk.now + Duration::from_millis(4500), reason: "it was reset".to_owned() };
    assert_eq!(desk.rows()[22], " offline, again in 5 s │ alice (away) │ it was reset");
    assert_eq!(desk.facts().changes_at(), Some(desk.now + Duration::from_millis(500)));
    desk.status = Status::Online { lag: Some(Duration::from_millis(2340)) };
    assert!(desk.rows()[22].starts_with(" lag 2.3 s │"));
}

#[test]
fn paging_up_asks_for_older_lines_once_and_keeps_the_view_still() {
    let mut desk = Desk::new(40, 10);
    let lobby = room("#lobby");
    for number in 0..20 {
        desk.say(&lobby, "bob", &format!("line {number}"));
    }
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.extend(desk.press(KeyCode::PageUp));
    }
    assert_eq!(asked, [Ask::PageBack(lobby.clone())]);
    let before = desk.rows();
    assert!(before[2].contains("line 0"), "{before:#?}");
    assert!(before[8].contains("older lines"), "{before:#?}");
    let events = (0..9).map(|number| said(&lobby, "bob", &format!("older {number}"))).collect();
    desk.show(Output::Older { place: lobby.clone(), events, beginning: true });
    let after = desk.rows();
    assert_eq!(&before[2..8], &after[2..8]);
    assert!(after[1].contains("older 8"), "{after:#?}");
    desk.say(&lobby, "bob", "new");
    assert_eq!(&desk.rows()[1..8], &after[1..8]);
    assert!(desk.rows()[8].contains("1 new below"));
    assert_eq!(desk.press(KeyCode::PageUp), []);
    desk.press(KeyCode::PageUp);
    assert!(desk.rows()[1].contains("nothing is older"), "{:#?}", desk.rows());
    desk.press(KeyCode::Esc);
    assert!(desk.rows()[7].contains("new"));
}

#[test]
fn a_place_that_is_looked_at_is_filled_once() {
    let mut desk = Desk::new(40, 10);
    desk.room.joined = false;
    assert_eq!(desk.fill(), None, "one is not let in yet");
    desk.room.joined = true;
    assert_eq!(desk.fill(), Some(Ask::PageBack(room("#lobby"))));
    assert_eq!(desk.fill(), None);
    desk.show(Output::Look(person("bob")));
    assert_eq!(desk.fill(), Some(Ask::PageBack(person("bob"))));
    desk.show(Output::Look(Place::Server));
    assert_eq!(desk.fill(), None);
}

#[test]
fn enter_sends_and_the_screens_own_commands_stay_here() {
    let mut desk = Desk::new(80, 24);
    desk.write("hello");
    assert_eq!(desk.press(KeyCode::Char('!')), [Ask::Typing]);
    assert_eq!(desk.press(KeyCode::Enter), [Ask::Input("hello!".to_owned())]);
    assert_eq!(desk.press(KeyCode::Enter), []);
    assert_eq!(desk.press(KeyCode::Char('/')), [], "a command is not for others");
    desk.write("mouse");
    assert_eq!(desk.press(KeyCode::Enter), [Ask::Mouse(true)]);
    desk.write("/help join");
    assert_eq!(desk.press(KeyCode::Enter), [Ask::Input("/help join".to_owned())]);
    desk.write("/help");
    assert_eq!(desk.press(KeyCode::Enter), []);
    let rows = desk.rows();
    assert!(rows[0].contains("Help") && rows[1].contains("Keys"), "{rows:#?}");
    desk.press(KeyCode::PageDown);
    assert!(desk.rows().concat().contains("/join #room"));
    desk.press(KeyCode::Esc);
    assert_eq!(desk.rows()[23], "[#lobby]");
}

#[test]
fn several_pasted_lines_are_asked_about() {
    let mut desk = Desk::new(80, 24);
    desk.happens(TerminalEvent::Paste("one\n".to_owned()));
    assert_eq!(desk.rows()[23], "[#lobby] one");
    desk.happens(TerminalEvent::Paste(" two\r\nthree\x1b[0m\r\n\r\n/quit\r".to_owned()));
    assert_eq!(desk.rows()[23], "Send 3 lines to #lobby, each as a message? y yes, n no, j join them");
    assert_eq!(desk.press(KeyCode::Left), []);
    assert_eq!(desk.press(KeyCode::Enter), [Ask::Paste("one two\nthree [0m\n/quit".to_owned())]);
    desk.happens(TerminalEvent::Paste("a\nb".to_owned()));
    desk.press(KeyCode::Char('j'));
    assert_eq!(desk.rows()[23], "[#lobby] a b");
    desk.happens(TerminalEvent::Paste("x\ny".to_owned()));
    desk.press(KeyCode::Char('n'));
    assert_eq!(desk.rows()[23], "[#lobby] a b");
    desk.happens(TerminalEvent::Paste("x\n".repeat(101)));
    assert!(desk.rows().concat().contains("101 lines were pasted"));
}

#[test]
fn switching_keeps_what_was_being_written_with_its_place() {
    let mut desk = Desk::new(80, 24);
    desk.say(&person("bob"), "bob", "psst");
    desk.write("for the lobby");
    assert_eq!(desk.alt('a'), [Ask::Look(person("bob"))]);
    assert_eq!(desk.rows()[23], "[bob]");
    desk.write("for bob");
    assert_eq!(desk.alt('2'), [Ask::Look(room("#lobby"))]);
    assert_eq!(desk.rows()[23], "[#lobby] for the lobby");
    assert_eq!(desk.control('n'), [Ask::Look(person("bob"))]);
    assert_eq!(desk.rows()[23], "[bob] for bob");
    assert_eq!(desk.alt('9'), []);
    // A command that led here takes what is being written along.
    desk.show(Output::Look(room("#new")));
    assert_eq!(desk.rows()[23], "[#new] for bob");
}

#[test]
fn completion_knows_commands_members_and_rooms() {
    let mut desk = Desk::new(80, 24);
    desk.say(&room("#lobby"), "carl", "hi");
    desk.press(KeyCode::Tab);
    assert_eq!(desk.app.editor.text(), "carl: ", "who spoke last is first");
    desk.press(KeyCode::Tab);
    assert_eq!(desk.app.editor.text(), "bob: ", "oneself is not meant");
    desk.control('u');
    desk.write("/sea");
    desk.press(KeyCode::Tab);
    assert_eq!(desk.app.editor.text(), "/search ");
    desk.control('u');
    desk.write("/names l");
    desk.press(KeyCode::Tab);
    assert_eq!(desk.app.editor.text(), "/names #lobby ");
    desk.control('u');
    desk.write("/whois b");
    desk.press(KeyCode::Tab);
    assert_eq!(desk.app.editor.text(), "/whois bob ");
}

#[test]
fn a_search_shows_what_it_finds_and_escape_goes_back() {
    let mut desk = Desk::new(40, 10);
    for number in 0..40 {
        desk.say(&room("#lobby"), "bob", &format!("line {number}"));
    }
    let before = desk.rows();
    desk.control('f');
    desk.write("LINE 1");
    assert!(desk.rows()[1..8].concat().contains("line 19"), "{:#?}", desk.rows());
    assert_eq!(desk.rows()[9], "search: LINE 1");
    desk.press(KeyCode::Up);
    desk.write("0");
    assert!(desk.rows()[1..8].concat().contains("line 10"));
    desk.write("x");
    assert_eq!(desk.rows()[9], "not found: LINE 10x");
    desk.press(KeyCode::Esc);
    assert_eq!(desk.rows(), before);
    desk.write("/search line 5");
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    assert!(desk.rows()[1..8].concat().contains("line 5"));
    assert_eq!(desk.rows()[9], "[#lobby]");
}

#[test]
fn leaving_asks_first_and_insists_only_when_asked_twice() {
    let mut desk = Desk::new(80, 24);
    desk.write("text");
    assert_eq!(desk.control('c'), []);
    assert_eq!(desk.app.editor.text(), "");
    assert_eq!(desk.control('c'), []);
    assert!(desk.rows()[23].starts_with("Quit?"));
    desk.press(KeyCode::Char('n'));
    assert_eq!(desk.rows()[23], "[#lobby]");
    desk.control('c');
    assert_eq!(desk.control('c'), [Ask::Input("/quit".to_owned())]);
    assert!(desk.rows()[22].contains("quitting"));
    assert_eq!(desk.control('c'), [Ask::End]);
    let mut desk = Desk::new(80, 24);
    assert_eq!(desk.control('d'), [Ask::Input("/quit".to_owned())]);
    assert_eq!(desk.control('z'), [Ask::Suspend]);
    assert_eq!(desk.control('l'), [Ask::Redraw]);
}

#[test]
fn the_mouse_scrolls_and_goes_to_places() {
    let mut desk = Desk::new(80, 10);
    for number in 0..30 {
        desk.say(&room("#lobby"), "bob", &format!("line {number}"));
    }
    let mouse = |kind, column, row| {
        TerminalEvent::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    desk.happens(mouse(MouseEventKind::ScrollUp, 40, 5));
    assert!(desk.rows()[7].contains("line 26"));
    desk.happens(mouse(MouseEventKind::ScrollDown, 40, 5));
    assert!(desk.rows()[7].contains("line 29"));
    let click = MouseEventKind::Down(MouseButton::Left);
    assert_eq!(desk.happens(mouse(click, 3, 1)), [Ask::Look(Place::Server)]);
    assert_eq!(desk.happens(mouse(click, 3, 6)), []);
}

#[test]
fn what_others_say_cannot_drive_the_terminal() {
    let mut desk = Desk::new(80, 24);
    let evil = "\x1b[2J\x1b]0;title\x07\r\n\u{202e}\u{9b}";
    desk.say(&room("#lobby"), "bob", evil);
    desk.say(&person("eve"), "eve", evil);
    desk.room.topic = evil.to_owned();
    for what in [
        What::Info(evil.to_owned()),
        What::Problem(evil.to_owned()),
        What::Joined { nick: evil.to_owned(), own: false },
        What::Topic { by: Some(evil.to_owned()), text: evil.to_owned() },
        What::Moved { by: evil.to_owned(), from: evil.to_owned(), reason: evil.to_owned() },
        What::Mode { by: evil.to_owned(), change: evil.to_owned() },
    ] {
        desk.show(Output::Show(Event::now(room("#lobby"), what)));
    }
    desk.status = Status::Waiting { until: desk.now, reason: evil.to_owned() };
    desk.me = evil.to_owned();
    let cells = desk.rows().concat();
    assert!(!cells.chars().any(char::is_control) && !cells.contains('\u{202e}'), "{cells:?}");
}
