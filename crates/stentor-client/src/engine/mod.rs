//! The conversation with the server, as a value: lines and inputs go in, lines and events come out.
//!
//! It reads no clock and no socket: a driver tells it the time, carries its lines, and drops the connection where
//! [`Output::Drop`] asks for that.
//!
//! - [`options`]: what it is told at its start
//! - [`view`]: what a front end may look at
//! - `login`: from the open socket to the end of the welcome
//! - `support`: what the server said of itself
//! - `commands`: what the user types
//! - `queue`, `send`: what was said, until the server has it
//! - `cut`: text that is too long for one line
//! - `said`: what people say
//! - `show`: what is shown, now or behind what was missed
//! - `thread`, `history`: what was shown in a place, and what was missed there
//! - `rooms`: rooms and who is in them
//! - `renamed`: a room with another name
//! - `answers`: the server's replies as sentences
//! - `batch`: lines that belong together
//! - `timers`: pings, typing, and what takes too long
//! - `unconfirmed`: commands, until the server has them

mod answers;
mod batch;
mod commands;
mod cut;
mod history;
mod login;
pub mod options;
mod output;
mod queue;
mod renamed;
mod rooms;
mod said;
mod send;
mod show;
mod support;
#[cfg(test)]
mod tests;
mod thread;
mod timers;
mod unconfirmed;
pub mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use jiff::Timestamp;
use stentor_proto::channel::ChannelName;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;

use self::batch::{Batches, TARGETS};
use self::history::History;
use self::login::{Account, Login, Stage};
pub use self::options::{Options, Registration};
pub use self::output::{End, Output};
use self::queue::Queue;
use self::rooms::Joining;
use self::support::Support;
use self::thread::Threads;
use self::timers::Timers;
use self::unconfirmed::{Asked, Unconfirmed};
use self::view::{Room, Status};
use crate::event::{Event, Place, What};
pub use stentor_proto::Secret;

/// The conversation with one server, over as many connections as it takes.
///
/// After each call the driver takes all of [`Engine::next_line`] and [`Engine::next_output`], and sees to it that
/// [`Engine::wake`] is called at [`Engine::wake_at`].
#[derive(Debug)]
pub struct Engine {
    options: Options,
    account: Account,
    status: Status,
    /// When something was last told; nothing before the first call that tells a time.
    now: Option<Instant>,

    // This connection.
    login: Login,
    support: Support,
    batches: Batches,
    history: History,
    timers: Timers,
    joining: Joining,
    unconfirmed: Unconfirmed,
    /// Whether what was missed is to be fetched when the capabilities are known.
    resumes: bool,

    // All connections.
    me: String,
    /// The user's `nick!user@host` as others see it.
    mask: Option<String>,
    /// How many logins there were.
    logins: usize,
    /// How often a login had to wait for a nick.
    held_up: usize,
    /// The first time that the server told.
    began: Option<Timestamp>,
    /// The latest.
    latest: Option<Timestamp>,
    /// The latest when that connection was lost since which not everything has been fetched yet. All before it was shown.
    resume_from: Option<Timestamp>,
    queue: Queue,
    threads: Threads,
    /// Persons with news that were not fetched yet, as far as is known.
    news: BTreeSet<Place>,
    rooms: BTreeMap<ChannelName, rooms::Held>,
    rejoin_at: Option<Instant>,
    /// Who writes to the user right now, and when that was last heard.
    typists: BTreeMap<Nick, Instant>,
    /// Whom the user knows to be away.
    told: BTreeMap<Place, Option<String>>,

    // The user.
    current: Place,
    /// Where the user was before, the latest last.
    recent: Vec<Place>,
    /// Where the last command was typed: its answer is shown there.
    asked: Place,
    /// The last command.
    typed: Asked,
    names_asked: BTreeSet<ChannelName>,
    topic_asked: Option<ChannelName>,
    /// Whether an answer to WHOIS is coming in.
    whois: bool,
    away: Option<String>,
    away_wanted: Option<String>,
    /// The user leaves, with this reason, when all has arrived.
    quitting: Option<String>,
    quit_by: Option<Instant>,
    quit_sent: bool,

    lines: VecDeque<String>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let account = if options.register.is_some() { Account::ToMake } else { Account::There };
        Self {
            account,
            status: Status::Connecting,
            now: None,
            login: Login::default(),
            support: Support::default(),
            batches: Batches::default(),
            history: History::default(),
            timers: Timers::default(),
            joining: Joining::new(),
            unconfirmed: Unconfirmed::default(),
            resumes: false,
            me: options.user.clone(),
            mask: None,
            logins: 0,
            held_up: 0,
            began: None,
            latest: None,
            resume_from: None,
            queue: Queue::new(random_prefix()),
            threads: Threads::new(),
            news: BTreeSet::new(),
            rooms: BTreeMap::new(),
            rejoin_at: None,
            typists: BTreeMap::new(),
            told: BTreeMap::new(),
            current: Place::Server,
            recent: Vec::new(),
            asked: Place::Server,
            typed: Asked::nothing(),
            names_asked: BTreeSet::new(),
            topic_asked: None,
            whois: false,
            away: None,
            away_wanted: None,
            quitting: None,
            quit_by: None,
            quit_sent: false,
            lines: VecDeque::new(),
            outputs: VecDeque::new(),
            options,
        }
    }

    /// A socket is being opened.
    pub fn connecting(&mut self) {
        if self.status != Status::Ended {
            self.status = Status::Connecting;
        }
    }

    /// The socket is open: the login begins.
    pub fn connected(&mut self, now: Instant) {
        if self.status == Status::Ended {
            return;
        }
        self.now = Some(now);
        self.status = Status::LoggingIn;
        self.hold_persons();
        self.begin_login(now);
    }

    /// The server sent this line, given without its CR LF.
    pub fn receive(&mut self, line: &str, now: Instant) {
        self.now = Some(now);
        if self.login.stage == Stage::Off || self.status == Status::Ended {
            return;
        }
        if let Ok(message) = Message::parse(line) {
            if !self.batches.keep(&message, line) {
                self.handle(&message, now);
            }
            self.go_on();
            if self.lines.len() > MOST_UNSENT {
                self.drop_connection("the server does not read what it asked for");
            }
        }
    }

    /// The connection was lost, or could not be made. It is tried again at `until`; without that, it is over.
    pub fn lost(&mut self, reason: &str, until: Option<Instant>) {
        if self.status == Status::Ended {
            return;
        }
        let reason = self.login.farewell.take().unwrap_or_else(|| reason.to_owned());
        self.tell_unconfirmed();
        if self.quit_sent || self.quitting.is_some() && self.queue.items.is_empty() {
            return self.finish(End::Quit);
        }
        if self.logins > 0 {
            self.resumes = true;
            self.resume_from = self.resume_from.or(self.latest);
        }
        let was_welcomed = matches!(self.status, Status::Online { .. });
        self.login = Login::default();
        self.support.page = None;
        self.batches = Batches::default();
        self.timers = Timers::default();
        self.queue.connection_over();
        self.lines.clear();
        self.forget_requests();
        self.forget_members();
        self.let_out_rooms();
        self.typists.clear();
        self.whois = false;
        match until {
            Some(until) => {
                let what = if was_welcomed { "The connection was lost" } else { "There is no connection" };
                let text = format!("{what}: {}. It is tried again", reason.trim_end_matches('.'));
                self.show(Event::now(Place::Server, What::Connection(text)));
                self.status = Status::Waiting { until, reason };
            }
            None => self.finish(End::Failed(reason)),
        }
    }

    /// The user typed this line: a `/command`, or text for the current place. It may come at any time: what cannot be
    /// done before the login is done after it, in order.
    pub fn input(&mut self, text: &str, now: Instant) {
        self.now = Some(now);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.contains(['\r', '\n']) {
            return self.paste(text, now);
        }
        if self.takes_input() {
            self.timers.stop_typing();
            self.typed(text);
            self.go_on();
        }
    }

    /// The user gave these lines as text for the current place; none of them is a command.
    pub fn paste(&mut self, lines: &str, now: Instant) {
        self.now = Some(now);
        if self.takes_input() {
            self.timers.stop_typing();
            for line in lines.split(['\r', '\n']) {
                self.say_here(crate::event::Kind::Message, line);
            }
            self.go_on();
        }
    }

    /// The user changes a text for the current place.
    pub fn typing(&mut self, now: Instant) {
        self.now = Some(now);
        self.tell_typing(now);
    }

    /// Asks for what is older than all that was shown in a place. It is answered by [`Output::Older`]; a second question
    /// before that is answered with the first.
    pub fn page_back(&mut self, place: &Place) {
        self.ask_older(place, None);
    }

    /// Makes this the current place.
    pub fn look_at(&mut self, place: Place) {
        if self.current == place {
            return;
        }
        self.tell_done();
        let before = std::mem::replace(&mut self.current, place);
        self.recent.retain(|other| *other != before && *other != self.current);
        if before != Place::Server {
            self.recent.push(before);
        }
        if self.recent.len() > MOST_RECENT {
            self.recent.remove(0);
        }
    }

    /// The next line to send, without CR LF.
    pub fn next_line(&mut self) -> Option<String> {
        self.lines.pop_front()
    }

    /// The next thing to show or to do.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The user's nick.
    #[must_use]
    pub fn me(&self) -> &str {
        &self.me
    }

    /// Where text goes.
    #[must_use]
    pub fn current(&self) -> &Place {
        &self.current
    }

    /// How the connection is.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Why the user is away; none where not away.
    #[must_use]
    pub fn away(&self) -> Option<&str> {
        self.away.as_deref()
    }

    /// The rooms that the user is in, was thrown out of, or enters when the connection is there.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values().map(|room| &room.view)
    }

    /// One of these rooms.
    #[must_use]
    pub fn room(&self, name: &ChannelName) -> Option<&Room> {
        self.rooms.get(name).map(|room| &room.view)
    }

    /// Whether somebody is writing to the user right now.
    #[must_use]
    pub fn writes_to_me(&self, nick: &Nick) -> bool {
        self.typists.contains_key(nick)
    }

    /// What the network calls itself.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        self.support.network.as_deref()
    }

    /// How many messages were said that the server has not acknowledged yet.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.queue.unacknowledged()
    }

    /// Whether QUIT was sent, after all had been acknowledged.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.quit_sent
    }

    fn takes_input(&self) -> bool {
        self.status != Status::Ended && !self.quit_sent
    }

    /// Does what has become possible.
    fn go_on(&mut self) {
        self.flush();
        let busy = !self.queue.items.is_empty() || self.history.is_busy();
        if self.quitting.is_none() || self.quit_sent || busy {
            return;
        }
        match self.login.stage {
            Stage::Off => self.finish(End::Quit),
            _ => {
                let reason = self.quitting.clone().unwrap_or_default();
                let line = Line::new("QUIT");
                let line = if reason.is_empty() { line } else { line.trailing(reason) };
                self.lines.push_back(line.build());
                self.quit_sent = true;
                self.quit_by = self.now.map(|now| now + timers::GOODBYE);
            }
        }
    }

    fn handle(&mut self, message: &Message<'_>, now: Instant) {
        self.note_time(message);
        let label = self.batches.label(message);
        if let Some(label) = label.as_deref().filter(|label| self.queue.find(label).is_some())
            && self.on_labelled(label, message)
        {
            return;
        }
        if let Some(numeric) = Numeric::parse(message.command) {
            self.on_numeric(numeric, message);
        } else {
            self.on_command(message, label.as_deref(), now);
        }
        // Whatever else answers a message, such as that somebody is away, came because it was taken.
        if let Some(label) =
            label.filter(|_| message.tags.get("label").is_some() && message.command != "BATCH")
        {
            self.acknowledge(&label);
        }
    }

    fn on_command(&mut self, message: &Message<'_>, label: Option<&str>, now: Instant) {
        let command = message.command.to_ascii_uppercase();
        match &*command {
            "PING" => self.on_ping(message.params().last().copied().unwrap_or_default()),
            "PONG" => self.on_pong(message.params().last().copied().unwrap_or_default(), now),
            "CAP" => self.on_cap(message),
            "AUTHENTICATE" => self.on_authenticate(message),
            "REGISTER" => self.on_register(message),
            "BATCH" => self.on_batch(message),
            "PRIVMSG" | "NOTICE" | "PUBLISH" => self.on_said(message, label),
            "TAGMSG" => self.on_tagmsg(message, now),
            "JOIN" => self.on_join(message),
            "PART" => self.on_part(message),
            "KICK" => self.on_kick(message),
            "RENAME" => self.on_rename(message),
            "QUIT" => self.on_quit(message),
            "NICK" => self.on_nick(message),
            "AWAY" => self.on_away(message),
            "TOPIC" => self.on_topic(message),
            "MODE" => self.on_mode(message),
            "INVITE" => self.on_invite(message),
            "FAIL" | "WARN" | "NOTE" => self.on_standard(message),
            "ERROR" => self.on_farewell(message),
            "CHGHOST" if self.is_me(said::nick_of(message.source.unwrap_or_default())) => self.mask = None,
            "ACK" | "ACCOUNT" | "CHGHOST" | "SETNAME" | "MARKREAD" => {}
            _ => {
                let text = format!("{command} {}", message.params().join(" "));
                self.info(&Place::Server, text.trim_end());
            }
        }
    }

    fn on_batch(&mut self, message: &Message<'_>) {
        let Some(reference) = message.param(0) else { return };
        if let Some(reference) = reference.strip_prefix('+') {
            return self.batches.begin(reference, message);
        }
        let Some(batch) = reference.strip_prefix('-').and_then(|reference| self.batches.end(reference))
        else {
            return;
        };
        match &*batch.kind {
            "chathistory" => self.on_history(batch),
            TARGETS => self.on_targets(&batch),
            _ => {
                if let Some(label) = batch.label {
                    self.acknowledge(&label);
                }
            }
        }
    }

    fn on_invite(&mut self, message: &Message<'_>) {
        let by = said::nick_of(message.source.unwrap_or_default()).to_owned();
        let (Some(nick), Some(room)) = (message.param(0), message.param(1)) else { return };
        if self.is_me(nick) {
            let place = self.current.clone();
            return self.info(&place, &format!("{by} invites you to {room}. Type /join {room} to enter it"));
        }
        if let Some(name) = self.room_of(room) {
            self.info(&Place::Room(name), &format!("{by} invited {nick}"));
        }
    }

    /// ERROR: the server closes the connection.
    fn on_farewell(&mut self, message: &Message<'_>) {
        let text = message.params().last().copied().unwrap_or_default();
        if self.quit_sent {
            return self.finish(End::Quit);
        }
        if self.logins == 0 && !self.is_welcomed() && self.account != Account::Unsure {
            return self.fail(text);
        }
        self.login.farewell = Some(text.to_owned());
    }

    fn welcomed(&mut self, nick: &str, text: &str) {
        let came_in_at = self.login.stage;
        if came_in_at == Stage::Capabilities && !self.options.password.is_empty() {
            return self.refuse_login("This server has no login by SASL, so a password is of no use there");
        }
        self.login.stage = Stage::Welcomed;
        self.me = nick.to_owned();
        self.status = Status::Online { lag: None };
        self.away = None;
        self.begin_pings();
        let again = if self.logins > 0 { "Connected again" } else { "Connected" };
        self.show(Event::now(Place::Server, What::Connection(format!("{again}: {text}"))));
    }

    /// It is over.
    fn finish(&mut self, end: End) {
        if self.status != Status::Ended {
            self.status = Status::Ended;
            self.login.stage = Stage::Off;
            self.outputs.push_back(Output::End(end));
        }
    }
}

/// What makes one engine's ids differ from all others'.
fn random_prefix() -> String {
    let number = getrandom::u64().unwrap_or_else(|_| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(0)
    });
    format!("{number:016x}")
}

/// How many lines wait to be sent; what the user said and asked is far less.
const MOST_UNSENT: usize = 8192;
/// How many places are remembered where the user was.
const MOST_RECENT: usize = 100;
