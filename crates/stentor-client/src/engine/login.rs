//! From the open socket to the end of the welcome.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::{End, Engine, Output};
use crate::event::Place;

/// What one connection has come to.
#[derive(Debug, Default)]
pub(super) struct Login {
    pub(super) stage: Stage,
    /// What the server offers, with its values.
    offered: BTreeMap<String, String>,
    /// What is switched on.
    pub(super) caps: BTreeSet<String>,
    /// How many requests for capabilities are unanswered.
    asked: usize,
    /// When the login has taken too long.
    pub(super) deadline: Option<Instant>,
    /// How many other nicks were tried.
    nicks: usize,
    /// What the server said when it closed the connection.
    pub(super) farewell: Option<String>,
}

/// How far a login has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no connection.
    #[default]
    Off,
    /// Capabilities are negotiated.
    Capabilities,
    /// The account is being made.
    Register,
    /// A password is being checked.
    Sasl,
    /// All was said; the welcome is awaited.
    Waiting,
    /// The welcome has begun.
    Welcomed,
    /// The welcome is over.
    Settled,
}

/// Whether the account exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// It does, or the user comes as a guest.
    There,
    /// It is to be made.
    ToMake,
    /// The connection was lost while it was being made.
    Unsure,
}

impl Engine {
    pub(super) fn begin_login(&mut self, now: Instant) {
        self.login = Login { stage: Stage::Capabilities, deadline: Some(now + PATIENCE), ..Login::default() };
        self.lines.push_back("CAP LS 302".to_owned());
        if let (Account::ToMake | Account::Unsure, Some(registration)) =
            (self.account, &self.options.register)
            && let Some(code) = &registration.invite
        {
            let line = Line::new("PASS").param(format!("invite:{}", code.expose())).build();
            self.lines.push_back(line);
        }
        let nick = self.me.clone();
        self.lines.push_back(Line::new("NICK").param(&nick).build());
        let user =
            Line::new("USER").param(&self.options.user).param("0").param("*").trailing(&self.options.user);
        self.lines.push_back(user.build());
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.login.caps.contains(capability)
    }

    pub(super) fn labels(&self) -> bool {
        self.has("labeled-response") && self.has("batch") && self.has("message-tags")
    }

    pub(super) fn is_settled(&self) -> bool {
        self.login.stage == Stage::Settled
    }

    pub(super) fn on_cap(&mut self, message: &Message<'_>) {
        let subcommand = message.param(1).unwrap_or_default().to_ascii_uppercase();
        let list = message.params().last().copied().unwrap_or_default();
        match &*subcommand {
            "LS" | "NEW" => {
                for one in list.split(' ').filter(|one| !one.is_empty()).take(MOST_CAPABILITIES) {
                    let (name, value) = one.split_once('=').unwrap_or((one, ""));
                    self.login.offered.insert(name.to_owned(), value.to_owned());
                }
                let more = message.params().len() > 3;
                if subcommand == "NEW" {
                    self.request(Self::wanted_later());
                } else if !more && self.login.stage == Stage::Capabilities {
                    self.request(self.wanted_now());
                    self.after_capabilities();
                }
            }
            "ACK" => {
                for one in list.split(' ').filter(|one| !one.is_empty()) {
                    match one.strip_prefix('-') {
                        Some(name) => drop(self.login.caps.remove(name)),
                        None => drop(self.login.caps.insert(one.to_owned())),
                    }
                }
                self.answered();
            }
            "NAK" => {
                let names: Vec<String> = list.split(' ').map(str::to_owned).collect();
                // One that is refused spoils the others of its request.
                if names.len() > 1 {
                    for name in names {
                        self.login.asked += 1;
                        self.lines.push_back(format!("CAP REQ :{name}"));
                    }
                }
                self.answered();
            }
            "DEL" => {
                for name in list.split(' ') {
                    self.login.caps.remove(name);
                    self.login.offered.remove(name);
                }
            }
            _ => {}
        }
    }

    /// What is requested before the welcome. What waited for the account is delivered by the server at the first login, and
    /// fetched after a later one, when it is known from where.
    fn wanted_now(&self) -> Vec<&'static str> {
        let mut wanted: Vec<&'static str> = WANTED.to_vec();
        if self.logins > 0 && self.latest.is_some() {
            wanted.push(HISTORY);
        }
        if self.wants_account() {
            wanted.push("sasl");
        }
        wanted
    }

    fn wanted_later() -> Vec<&'static str> {
        let mut wanted = WANTED.to_vec();
        wanted.push(HISTORY);
        wanted
    }

    fn wants_account(&self) -> bool {
        !self.options.password.is_empty()
    }

    fn request(&mut self, wanted: Vec<&'static str>) {
        let login = &self.login;
        let new = |name: &&&str| login.offered.contains_key(**name) && !login.caps.contains(**name);
        let names: Vec<&str> = wanted.iter().filter(new).copied().collect();
        let lines: Vec<String> = stentor_proto::text::pack("CAP REQ :".len(), names, ' ').collect();
        for line in lines {
            self.login.asked += 1;
            self.lines.push_back(format!("CAP REQ :{line}"));
        }
    }

    /// Whether a capability was asked for and not answered.
    pub(super) fn awaits_capabilities(&self) -> bool {
        self.login.asked > 0
    }

    fn answered(&mut self) {
        self.login.asked = self.login.asked.saturating_sub(1);
        match self.login.stage {
            Stage::Capabilities => self.after_capabilities(),
            Stage::Settled => self.history_may_begin(),
            _ => {}
        }
    }

    /// Goes on when all requests for capabilities are answered.
    fn after_capabilities(&mut self) {
        if self.login.asked > 0 {
            return;
        }
        match self.account {
            Account::ToMake => self.register_account(),
            _ if self.wants_account() => self.authenticate(),
            _ => self.end_negotiation(),
        }
    }

    fn register_account(&mut self) {
        let Some(value) = self.login.offered.get(REGISTRATION) else {
            let text = "This server lets nobody make an account by themselves: ask its operator for one";
            return self.refuse_login(text);
        };
        if value.split(',').any(|one| one == "before-connect") {
            self.login.stage = Stage::Register;
            self.send_registration();
        } else {
            self.end_negotiation();
        }
    }

    pub(super) fn send_registration(&mut self) {
        let line = Line::new("REGISTER").param("*").param("*").trailing(self.options.password.expose());
        if line.body_len() > stentor_proto::text::MAX_CONTENT {
            return self
                .refuse_login("The password is too long to make an account with: it must fit one line");
        }
        self.account = Account::Unsure;
        self.lines.push_back(line.build());
    }

    /// The answer to REGISTER.
    pub(super) fn on_register(&mut self, message: &Message<'_>) {
        let text = message.params().last().copied().unwrap_or_default();
        let result = message.param(0).unwrap_or_default();
        if self.login.stage != Stage::Register && !self.makes_account() {
            let place = self.asked.clone();
            return self.info(&place, text);
        }
        if result.eq_ignore_ascii_case("SUCCESS") {
            self.account = Account::There;
            self.info(&Place::Server, &format!("The account {} was made", self.options.user));
            if self.login.stage == Stage::Register {
                self.end_negotiation();
            }
        } else {
            self.fail(&format!("The account was made, but must be confirmed first: {text}"));
        }
    }

    fn makes_account(&self) -> bool {
        self.account == Account::Unsure && self.options.register.is_some()
    }

    /// `FAIL REGISTER` while an account is being made; whether that was so.
    pub(super) fn on_register_failure(&mut self, code: &str, text: &str) -> bool {
        if !self.makes_account() {
            return false;
        }
        let user = self.options.user.clone();
        self.account = Account::ToMake;
        let text = text.trim_end_matches('.');
        match code {
            "ACCOUNT_EXISTS" => self.refuse_login(&format!(
                "The name {user} is taken ({text}). If the account is yours, log in without --register"
            )),
            "INVITATION_REQUIRED" => {
                self.refuse_login(&format!("{text}. With this client: --register --invite CODE"));
            }
            "OUTCOME_UNKNOWN" => {
                self.account = Account::Unsure;
                self.drop_connection("the server does not know whether the account was made");
            }
            "TEMPORARILY_UNAVAILABLE" | "INTERNAL_ERROR" => self.fail(text),
            _ => self.refuse_login(&format!("No account was made: {text}")),
        }
        true
    }

    fn authenticate(&mut self) {
        let offered = self.login.offered.get("sasl");
        let plain = offered.is_some_and(|mechanisms| {
            mechanisms.is_empty() || mechanisms.split(',').any(|one| one.eq_ignore_ascii_case("PLAIN"))
        });
        if !plain || !self.has("sasl") {
            return self
                .refuse_login("This server has no login by SASL PLAIN, so a password is of no use there");
        }
        self.login.stage = Stage::Sasl;
        self.lines.push_back("AUTHENTICATE PLAIN".to_owned());
    }

    /// `AUTHENTICATE +`: the server waits for name and password.
    pub(super) fn on_authenticate(&mut self, message: &Message<'_>) {
        if self.login.stage != Stage::Sasl || message.param(0) != Some("+") {
            return;
        }
        let user = &self.options.user;
        let text = STANDARD.encode(format!("\0{user}\0{}", self.options.password.expose()));
        let mut rest = &*text;
        while rest.len() >= CHUNK {
            let (chunk, after) = rest.split_at(CHUNK);
            self.lines.push_back(format!("AUTHENTICATE {chunk}"));
            rest = after;
        }
        // A full piece has a successor, which may be empty.
        self.lines.push_back(format!("AUTHENTICATE {}", if rest.is_empty() { "+" } else { rest }));
    }

    /// The numerics of a login; whether this was one.
    pub(super) fn on_login_numeric(&mut self, numeric: Numeric, message: &Message<'_>) -> bool {
        let text = message.params().last().copied().unwrap_or_default();
        match numeric {
            Numeric::RPL_LOGGEDIN | Numeric::RPL_LOGGEDOUT | Numeric::RPL_SASLMECHS => {}
            Numeric::RPL_SASLSUCCESS if self.login.stage == Stage::Sasl => {
                self.account = Account::There;
                self.end_negotiation();
            }
            Numeric::ERR_SASLFAIL
            | Numeric::ERR_SASLTOOLONG
            | Numeric::ERR_SASLABORTED
            | Numeric::ERR_NICKLOCKED => {
                if matches!(self.login.stage, Stage::Sasl | Stage::Register) {
                    self.login_failed(text);
                }
            }
            Numeric::ERR_PASSWDMISMATCH | Numeric::ERR_YOUREBANNEDCREEP if !self.is_welcomed() => {
                self.refuse_login(text);
            }
            Numeric::ERR_NICKNAMEINUSE | Numeric::ERR_ERRONEUSNICKNAME if !self.is_welcomed() => {
                self.nick_refused(numeric, text);
            }
            _ => return false,
        }
        true
    }

    fn login_failed(&mut self, text: &str) {
        if self.login.stage == Stage::Sasl && self.account == Account::Unsure && !is_passing(text) {
            // The account was not made before the connection was lost.
            self.account = Account::ToMake;
            return self.register_account();
        }
        let again = is_passing(text) || text.contains("already logged in");
        match (again, self.logins > 0) {
            (true, true) => self.drop_connection(text),
            (true, false) if is_passing(text) => self.fail(text),
            _ => self.refuse_login(text),
        }
    }

    fn nick_refused(&mut self, numeric: Numeric, text: &str) {
        if numeric == Numeric::ERR_NICKNAMEINUSE && self.logins > 0 && self.held_up < WAITS {
            // The session before may still hold it.
            self.held_up += 1;
            return self.drop_connection("the nick is still in use, probably by the connection before");
        }
        self.login.nicks += 1;
        if numeric != Numeric::ERR_NICKNAMEINUSE || self.login.nicks > NICKS || self.wants_account() {
            return self.refuse_login(text);
        }
        self.me.push('_');
        let line = Line::new("NICK").param(&self.me).build();
        self.lines.push_back(line);
    }

    pub(super) fn end_negotiation(&mut self) {
        self.login.stage = Stage::Waiting;
        self.lines.push_back("CAP END".to_owned());
    }

    pub(super) fn is_welcomed(&self) -> bool {
        matches!(self.login.stage, Stage::Welcomed | Stage::Settled)
    }

    /// The welcome is over: what was begun before the connection was lost goes on.
    pub(super) fn settle(&mut self) {
        if self.login.stage != Stage::Welcomed {
            return;
        }
        self.login.stage = Stage::Settled;
        self.login.deadline = None;
        self.held_up = 0;
        self.logins += 1;
        if self.account == Account::ToMake {
            self.send_registration();
        }
        if let Some(text) = &self.away_wanted {
            self.lines.push_back(Line::new("AWAY").trailing(text).build());
        }
        self.request(Self::wanted_later());
        self.rejoin();
        if self.login.asked == 0 {
            self.history_may_begin();
        }
    }

    pub(super) fn refuse_login(&mut self, text: &str) {
        self.finish(End::LoginRefused(text.to_owned()));
    }

    pub(super) fn fail(&mut self, text: &str) {
        self.finish(End::Failed(text.to_owned()));
    }

    /// Asks the driver to connect again, once.
    pub(super) fn drop_connection(&mut self, why: &str) {
        if self.login.stage != Stage::Off {
            self.login.stage = Stage::Off;
            self.outputs.push_back(Output::Drop(why.to_owned()));
        }
    }
}

/// Whether a refusal is one that goes away.
pub(super) fn is_passing(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["try again", "cannot be reached", "please reconnect", "in a moment"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// What is switched on where the server has it.
const WANTED: &[&str] = &[
    "account-notify",
    "account-tag",
    "away-notify",
    "batch",
    "cap-notify",
    "chghost",
    REGISTRATION,
    "draft/channel-rename",
    "echo-message",
    "extended-join",
    "invite-notify",
    "labeled-response",
    "message-tags",
    "msgid",
    "multi-prefix",
    "server-time",
    "setname",
    "standard-replies",
    FEEDS,
    "userhost-in-names",
];
pub(super) const HISTORY: &str = "draft/chathistory";
pub(super) const FEEDS: &str = "stentor.chat/feeds";
const REGISTRATION: &str = "draft/account-registration";
/// The length of a piece of a SASL message that has a successor.
const CHUNK: usize = 400;
/// How long a login may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many other nicks a guest tries.
const NICKS: usize = 3;
/// How often a nick that is still in use after a reconnect is waited for.
const WAITS: usize = 5;
/// How many capabilities are looked at.
const MOST_CAPABILITIES: usize = 200;
