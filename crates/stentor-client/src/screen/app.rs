//! The full-screen client as a value: keys and the engine's outputs go in, requests come out, and it can be drawn.

use crossterm::event::{Event as TerminalEvent, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::{Position, Rect};

use super::buffer::{News, View};
use super::complete::{Completion, Words};
use super::edit::Editor;
use super::facts::Facts;
use super::keys::{self, Action, Edit};
use super::layout::Areas;
use super::local::{self, Local};
use super::paper::Paper;
use super::places::Places;
use super::search::Search;
use super::theme::Theme;
use crate::engine::Output;
use crate::engine::view::Status;
use crate::event::{Event, Place, What};
use crate::hazard::Hazard;
use crate::slash::{self, Argument};

/// All that is on the screen.
#[derive(Debug)]
pub(super) struct App {
    pub(super) places: Places,
    pub(super) editor: Editor,
    pub(super) mode: Mode,
    pub(super) theme: Theme,
    pub(super) zone: TimeZone,
    pub(super) mouse: bool,
    /// The user wants to leave; what was said may still be on its way.
    pub(super) quitting: bool,
    completion: Option<Completion>,
    /// The terminal's.
    pub(super) size: Rect,
}

/// What keys are for.
#[derive(Debug)]
pub(super) enum Mode {
    /// Writing a line.
    Writing,
    /// Looking for a text.
    Searching(Search),
    /// Reading the help, from this row on.
    Help(usize),
    /// Being asked what to do with these lines.
    Pasting(Vec<String>),
    /// Being asked whether to quit.
    Leaving,
}

/// What is asked of who runs the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The user typed this line.
    Input(String),
    /// The user wants these lines sent, as text.
    Paste(String),
    /// The user changes a text for the current place.
    Typing,
    /// What is older than all in this place is wanted.
    PageBack(Place),
    /// The user looks at this place now.
    Look(Place),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Forget what is on the terminal, and draw all.
    Redraw,
    /// Stop until the shell continues this job.
    Suspend,
    /// End now, without waiting for the server.
    End,
}

impl App {
    pub(super) fn new(theme: Theme, zone: TimeZone, mouse: bool) -> Self {
        Self {
            places: Places::new(),
            editor: Editor::default(),
            mode: Mode::Writing,
            theme,
            zone,
            mouse,
            quitting: false,
            completion: None,
            size: Rect::default(),
        }
    }

    /// The terminal has this size now.
    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.size = Rect::new(0, 0, width, height);
    }

    /// Shows what the engine puts out. Whether it is for the user alone, so that a bell may ring.
    pub(super) fn show(&mut self, output: Output, now: Timestamp) -> bool {
        match output {
            Output::Show(event) => {
                let past = event.past;
                return self.places.append(event, now) == News::Mention && !past;
            }
            Output::Older { place, events, beginning } => {
                self.places.prepend(&place, events, beginning, now);
            }
            Output::Look(place) => self.follow(&place),
            Output::Closed(place) => self.places.close(&place),
            Output::Moved { from, to } => self.places.rename(&from, &to),
            Output::Drop(_) | Output::End(_) => {}
        }
        false
    }

    /// Asks for what was said before, once, where a place that is looked at has room for it.
    pub(super) fn fill(&mut self, facts: &Facts<'_>) -> Option<Ask> {
        let buffer = self.places.current();
        let is_there = match &buffer.place {
            Place::Server => false,
            Place::Room(_) => facts.room.is_some_and(|room| room.joined),
            Place::Person(_) => true,
        };
        let is_online = matches!(facts.status, Status::Online { .. });
        if buffer.filled || !is_there || !is_online {
            return None;
        }
        let area = self.text_area(facts)?;
        let paper = Paper::new(area, self.theme, &self.zone, "");
        let buffer = self.places.current_mut();
        buffer.filled = true;
        (paper.has_room(buffer) && buffer.wants_older()).then(|| Ask::PageBack(buffer.place.clone()))
    }

    /// What the user did at the terminal.
    pub(super) fn happened(&mut self, event: TerminalEvent, facts: &Facts<'_>) -> Vec<Ask> {
        match event {
            TerminalEvent::Key(key) => self.key(key, facts),
            TerminalEvent::Paste(text) => self.paste(&text),
            TerminalEvent::Mouse(mouse) => self.mouse(mouse, facts),
            TerminalEvent::FocusGained => {
                self.places.focus(true);
                Vec::new()
            }
            TerminalEvent::FocusLost => {
                self.places.focus(false);
                Vec::new()
            }
            TerminalEvent::Resize(width, height) => {
                self.resize(width, height);
                Vec::new()
            }
        }
    }

    fn key(&mut self, key: KeyEvent, facts: &Facts<'_>) -> Vec<Ask> {
        let Some(action) = keys::action(key) else { return Vec::new() };
        if !matches!(action, Action::Complete { .. }) {
            self.completion = None;
        }
        match &self.mode {
            Mode::Leaving => self.answer_leaving(action),
            Mode::Pasting(_) => self.answer_paste(action),
            Mode::Help(_) => self.in_help(action, facts),
            Mode::Searching(_) => self.in_search(action, facts),
            Mode::Writing => self.writing(action, facts),
        }
    }

    fn writing(&mut self, action: Action, facts: &Facts<'_>) -> Vec<Ask> {
        match action {
            Action::Type(character) => {
                self.editor.insert(character.encode_utf8(&mut [0; 4]));
                return self.typed();
            }
            Action::Edit(edit) => {
                let before = self.editor.text().len();
                apply(&mut self.editor, edit);
                return if self.editor.text().len() == before { Vec::new() } else { self.typed() };
            }
            Action::Enter => return self.submit(facts),
            Action::Older => self.editor.recall_older(),
            Action::Newer => self.editor.recall_newer(),
            Action::Complete { backwards } => self.complete(backwards, facts),
            Action::Search => self.begin_search(""),
            Action::Interrupt if self.quitting => return vec![Ask::End],
            Action::Interrupt if self.editor.text().is_empty() => self.mode = Mode::Leaving,
            Action::Interrupt => self.editor.clear(&self.places.current().place),
            Action::DeleteOrQuit if self.editor.text().is_empty() => return self.quit(),
            Action::DeleteOrQuit => self.editor.delete(),
            Action::Cancel => self.places.current_mut().follow(),
            other => return self.moving(other, facts),
        }
        Vec::new()
    }

    /// What goes elsewhere, in this place or to another; it works in every mode that does not take it for itself.
    fn moving(&mut self, action: Action, facts: &Facts<'_>) -> Vec<Ask> {
        match action {
            Action::PageUp => return self.up(self.page(facts), facts),
            Action::PageDown => self.down(self.page(facts), facts),
            Action::Top => return self.up(usize::MAX / 2, facts),
            Action::Bottom => self.places.current_mut().follow(),
            Action::NextPlace => return self.go(self.places.neighbour(false).clone()),
            Action::PreviousPlace => return self.go(self.places.neighbour(true).clone()),
            Action::Place(number) => return self.go_if(self.places.nth(number).cloned()),
            Action::NextUnread => return self.go_if(self.places.next_unread().cloned()),
            Action::Help => self.mode = Mode::Help(0),
            Action::Mouse => return vec![self.toggle_mouse()],
            Action::Redraw => return vec![Ask::Redraw],
            Action::Suspend => return vec![Ask::Suspend],
            _ => {}
        }
        Vec::new()
    }

    fn submit(&mut self, facts: &Facts<'_>) -> Vec<Ask> {
        let Some(text) = self.editor.submit(&self.places.current().place) else { return Vec::new() };
        match Local::parse(&text) {
            Some(Local::Help) => self.mode = Mode::Help(0),
            Some(Local::Clear) => self.places.current_mut().clear(),
            Some(Local::Mouse) => return vec![self.toggle_mouse()],
            Some(Local::Search(wanted)) => {
                self.begin_search(wanted);
                self.search(facts, Search::restart);
            }
            None => {
                self.places.current_mut().follow();
                return vec![Ask::Input(text)];
            }
        }
        Vec::new()
    }

    /// The text was changed; others are told where it is for them.
    fn typed(&self) -> Vec<Ask> {
        let text = self.editor.text();
        let is_command = text.starts_with('/') && !text.starts_with("//");
        if text.is_empty() || is_command { Vec::new() } else { vec![Ask::Typing] }
    }

    fn quit(&mut self) -> Vec<Ask> {
        self.mode = Mode::Writing;
        if self.quitting {
            return vec![Ask::End];
        }
        self.quitting = true;
        vec![Ask::Input("/quit".to_owned())]
    }

    fn answer_leaving(&mut self, action: Action) -> Vec<Ask> {
        match action {
            Action::Interrupt | Action::DeleteOrQuit | Action::Enter | Action::Type('y' | 'Y') => self.quit(),
            _ => {
                self.mode = Mode::Writing;
                Vec::new()
            }
        }
    }

    /// One line goes to the cursor. Several are asked about: each would be a message of its own, and a paste is easily a
    /// mistake.
    fn paste(&mut self, text: &str) -> Vec<Ask> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim_end_matches('\n');
        self.completion = None;
        if let Mode::Searching(search) = &mut self.mode {
            search.wanted.insert(text);
            return Vec::new();
        }
        if !text.contains('\n') {
            self.mode = Mode::Writing;
            self.editor.insert(text);
            return self.typed();
        }
        let mut lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(clean).collect();
        if lines.len() > MAX_PASTE {
            let what = format!(
                "{} lines were pasted; at most {MAX_PASTE} can be sent at once. Nothing was sent.",
                lines.len()
            );
            self.problem(what);
            return Vec::new();
        }
        // What was being written belongs to the first line.
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, self.editor.text());
        }
        self.mode = Mode::Pasting(lines);
        Vec::new()
    }

    fn answer_paste(&mut self, action: Action) -> Vec<Ask> {
        let Mode::Pasting(lines) = std::mem::replace(&mut self.mode, Mode::Writing) else {
            return Vec::new();
        };
        match action {
            Action::Enter | Action::Type('y' | 'Y') => {
                self.editor.set("");
                self.places.current_mut().follow();
                vec![Ask::Paste(lines.join("\n"))]
            }
            Action::Type('j' | 'J') => {
                self.editor.set(&lines.join(" "));
                Vec::new()
            }
            Action::Cancel | Action::Interrupt | Action::Type('n' | 'N') => Vec::new(),
            _ => {
                self.mode = Mode::Pasting(lines);
                Vec::new()
            }
        }
    }

    fn in_help(&mut self, action: Action, facts: &Facts<'_>) -> Vec<Ask> {
        let Mode::Help(row) = &mut self.mode else { return Vec::new() };
        let page = usize::from(self.size.height.saturating_sub(4)).max(1);
        match action {
            Action::Older => *row = row.saturating_sub(1),
            Action::Newer => *row += 1,
            Action::PageUp => *row = row.saturating_sub(page),
            Action::PageDown | Action::Type(' ') => *row += page,
            Action::Help
            | Action::Cancel
            | Action::Enter
            | Action::Interrupt
            | Action::DeleteOrQuit
            | Action::Type(_) => self.mode = Mode::Writing,
            Action::Mouse | Action::Redraw | Action::Suspend => return self.moving(action, facts),
            _ => {}
        }
        if let Mode::Help(row) = &mut self.mode {
            *row = (*row).min(super::help::last_row(self.size));
        }
        Vec::new()
    }

    fn begin_search(&mut self, wanted: &str) {
        let from = self.places.current().view;
        self.mode = Mode::Searching(Search::new(wanted, from));
    }

    fn in_search(&mut self, action: Action, facts: &Facts<'_>) -> Vec<Ask> {
        let Mode::Searching(search) = &mut self.mode else { return Vec::new() };
        match action {
            Action::Type(character) => {
                search.wanted.insert(character.encode_utf8(&mut [0; 4]));
                self.search(facts, Search::restart);
            }
            Action::Edit(edit) => {
                apply(&mut search.wanted, edit);
                self.search(facts, Search::restart);
            }
            Action::Older | Action::Search | Action::PreviousPlace => {
                self.search(facts, |search, buffer| search.step(buffer, false));
            }
            Action::Newer | Action::NextPlace => {
                self.search(facts, |search, buffer| search.step(buffer, true));
            }
            // Enter stays where the match is; Escape goes back.
            Action::Enter => self.mode = Mode::Writing,
            Action::Cancel | Action::Interrupt | Action::DeleteOrQuit => {
                self.places.current_mut().view = search.from;
                self.mode = Mode::Writing;
            }
            Action::Place(_) | Action::NextUnread => {
                self.mode = Mode::Writing;
                return self.moving(action, facts);
            }
            other => return self.moving(other, facts),
        }
        Vec::new()
    }

    fn search(
        &mut self,
        facts: &Facts<'_>,
        step: impl FnOnce(&mut Search, &super::buffer::Buffer) -> Option<i64>,
    ) {
        let Some(area) = self.text_area(facts) else { return };
        let Mode::Searching(search) = &mut self.mode else { return };
        if let Some(line) = step(search, self.places.current()) {
            let paper = Paper::new(area, self.theme, &self.zone, "");
            paper.show(self.places.current_mut(), line);
        }
    }

    fn complete(&mut self, backwards: bool, facts: &Facts<'_>) {
        match &mut self.completion {
            Some(completion) => completion.step(&mut self.editor, backwards),
            None => {
                let words = self.words(facts);
                self.completion = Completion::start(&mut self.editor, &words, argument, backwards);
            }
        }
    }

    /// What can be completed here: those who spoke lately come first.
    fn words(&self, facts: &Facts<'_>) -> Words {
        let buffer = self.places.current();
        let members: Vec<&str> =
            facts.room.into_iter().flat_map(|room| room.members.keys()).map(|nick| nick.as_str()).collect();
        let is_here = |nick: &str| members.iter().any(|member| member.eq_ignore_ascii_case(nick));
        let mut nicks: Vec<String> = match &buffer.place {
            Place::Person(nick) => vec![nick.to_string()],
            Place::Room(_) => {
                buffer.speakers().into_iter().filter(|nick| is_here(nick)).map(str::to_owned).collect()
            }
            Place::Server => Vec::new(),
        };
        let persons = self.places.iter().filter_map(|buffer| match &buffer.place {
            Place::Person(nick) => Some(nick.as_str()),
            Place::Server | Place::Room(_) => None,
        });
        for nick in members.iter().copied().chain(persons) {
            let is_own = nick.eq_ignore_ascii_case(facts.me);
            if !is_own && !nicks.iter().any(|known| known.eq_ignore_ascii_case(nick)) {
                nicks.push(nick.to_owned());
            }
        }
        let commands = slash::COMMANDS.iter().map(|command| command.name);
        Words {
            commands: commands.chain(local::NAMES.iter().copied()).map(str::to_owned).collect(),
            nicks,
            rooms: facts.rooms.iter().map(ToString::to_string).collect(),
        }
    }

    /// Goes where the user wants; what was being written stays with its place.
    fn go(&mut self, place: Place) -> Vec<Ask> {
        self.places.current_mut().draft = self.editor.text().to_owned();
        self.places.look_at(&place);
        let draft = std::mem::take(&mut self.places.current_mut().draft);
        self.editor.set(&draft);
        if matches!(self.mode, Mode::Searching(_)) {
            self.mode = Mode::Writing;
        }
        vec![Ask::Look(place)]
    }

    fn go_if(&mut self, place: Option<Place>) -> Vec<Ask> {
        place.map_or_else(Vec::new, |place| self.go(place))
    }

    /// Goes where a command led. The user may be writing on already, for the new place.
    fn follow(&mut self, place: &Place) {
        self.places.look_at(place);
        let draft = std::mem::take(&mut self.places.current_mut().draft);
        if self.editor.text().is_empty() {
            self.editor.set(&draft);
        } else {
            self.places.current_mut().draft = draft;
        }
    }

    fn up(&mut self, rows: usize, facts: &Facts<'_>) -> Vec<Ask> {
        let Some(area) = self.text_area(facts) else { return Vec::new() };
        let paper = Paper::new(area, self.theme, &self.zone, "");
        let buffer = self.places.current_mut();
        if paper.up(buffer, rows) && buffer.wants_older() {
            return vec![Ask::PageBack(buffer.place.clone())];
        }
        Vec::new()
    }

    fn down(&mut self, rows: usize, facts: &Facts<'_>) {
        let Some(area) = self.text_area(facts) else { return };
        let paper = Paper::new(area, self.theme, &self.zone, "");
        paper.down(self.places.current_mut(), rows);
    }

    /// A page leaves one row of the last one, to go on from.
    fn page(&self, facts: &Facts<'_>) -> usize {
        self.text_area(facts).map_or(1, |area| usize::from(area.height.saturating_sub(1)).max(1))
    }

    fn text_area(&self, facts: &Facts<'_>) -> Option<Rect> {
        Areas::of(self.size, facts.room.is_some()).map(|areas| areas.text)
    }

    fn mouse(&mut self, mouse: MouseEvent, facts: &Facts<'_>) -> Vec<Ask> {
        match (mouse.kind, &mut self.mode) {
            (MouseEventKind::ScrollUp, Mode::Help(row)) => *row = row.saturating_sub(WHEEL),
            (MouseEventKind::ScrollDown, Mode::Help(row)) => {
                *row = (*row + WHEEL).min(super::help::last_row(self.size));
            }
            (MouseEventKind::ScrollUp, _) => return self.up(WHEEL, facts),
            (MouseEventKind::ScrollDown, _) => self.down(WHEEL, facts),
            (MouseEventKind::Down(MouseButton::Left), Mode::Writing | Mode::Searching(_)) => {
                let list = Areas::of(self.size, facts.room.is_some()).and_then(|areas| areas.list);
                let at = Position { x: mouse.column, y: mouse.row };
                if let Some(list) = list.filter(|list| list.contains(at)) {
                    let first = super::draw::first_in_list(&self.places, list);
                    return self.go_if(self.places.nth(first + usize::from(at.y - list.y)).cloned());
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn toggle_mouse(&mut self) -> Ask {
        self.mouse = !self.mouse;
        Ask::Mouse(self.mouse)
    }

    fn problem(&mut self, text: String) {
        let place = self.places.current().place.clone();
        self.places.append(Event::now(place, What::Problem(text)), Timestamp::now());
    }

    /// Whether the newest lines are seen.
    pub(super) fn is_at_end(&self) -> bool {
        self.places.current().view == View::End
    }
}

fn apply(editor: &mut Editor, edit: Edit) {
    match edit {
        Edit::Left => editor.left(),
        Edit::Right => editor.right(),
        Edit::WordLeft => editor.word_left(),
        Edit::WordRight => editor.word_right(),
        Edit::Home => editor.home(),
        Edit::End => editor.end(),
        Edit::Backspace => editor.backspace(),
        Edit::Delete => editor.delete(),
        Edit::CutWordLeft => editor.cut_word_left(),
        Edit::CutPartLeft => editor.cut_part_left(),
        Edit::CutWordRight => editor.cut_word_right(),
        Edit::CutToStart => editor.cut_to_start(),
        Edit::CutToEnd => editor.cut_to_end(),
        Edit::Yank => editor.yank(),
    }
}

/// What the `n`th argument of a command is.
fn argument(command: &str, n: usize) -> Argument {
    let arguments = slash::find(command).map_or(&[] as &[Argument], |command| command.arguments);
    arguments.get(n).or(arguments.last()).copied().unwrap_or(Argument::Text)
}

/// A pasted line without what would drive a terminal. What turns the direction of writing is the user's own text.
fn clean(line: &str) -> String {
    let harmless = |character| Hazard::of(character) != Some(Hazard::Control);
    line.chars().map(|character| if harmless(character) { character } else { ' ' }).collect()
}

/// How many lines can be pasted at once.
pub(super) const MAX_PASTE: usize = 100;
/// How many rows a step of the mouse wheel is.
const WHEEL: usize = 3;
