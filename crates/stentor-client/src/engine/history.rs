//! What was said while this client was not there, and what is older than all that it shows.
//!
//! After a reconnect each place is fetched from the last message that was seen there, or, where there is none, from the time
//! at which the last connection was lost that had shown everything. What comes in the meantime is held back, so that it is
//! shown behind, over as many connections as it takes. A message that was sent and not acknowledged is looked for: the server
//! refuses what the session before may still write, so what is not there by then never will be, and is sent again.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use stentor_proto::line::Line;
use stentor_proto::message::Message;

use super::batch::Batch;
use super::login::HISTORY;
use super::queue::State;
use super::said::time_of;
use super::thread::{Held, Mark};
use super::{Engine, Output};
use crate::event::{Event, Place, What};

/// What is asked of the server's history: one thing at a time, so that each answer is known for what it is.
#[derive(Debug, Default)]
pub(super) struct History {
    waiting: VecDeque<Request>,
    current: Option<Current>,
    /// Whether it is still to be learnt which conversations have news.
    targets: bool,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    what: Ask,
    limit: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    /// Which persons were talked with since then, in which page of the answer.
    Targets { from: Timestamp, page: usize },
    /// What was missed in a place.
    Missed { place: Place, from: From },
    /// What is older than all that a place shows.
    Older { place: Place, before: Option<String> },
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Message(String, Option<Timestamp>),
    Time(Timestamp),
    /// The newest messages that there are.
    Newest,
}

/// A question that was asked.
#[derive(Debug)]
struct Current {
    request: Request,
    /// What the place was called then.
    target: Option<String>,
    deadline: Option<Instant>,
    /// The server said that older messages are gone.
    trimmed: bool,
    /// The server said that the page is not all there is, and from where to go on.
    resume: Option<Option<Timestamp>>,
}

impl History {
    /// Whether anything is asked, or to be asked.
    pub(super) fn is_busy(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.current.as_ref()?.deadline
    }

    /// Has this look at each place that anything is asked of.
    pub(super) fn move_places(&mut self, change: impl Fn(&mut Place)) {
        let current = self.current.iter_mut().map(|current| &mut current.request);
        for request in self.waiting.iter_mut().chain(current) {
            if let Ask::Missed { place, .. } | Ask::Older { place, .. } = &mut request.what {
                change(place);
            }
        }
    }

    fn asks_older(&self, place: &Place) -> bool {
        let is =
            |request: &Request| matches!(&request.what, Ask::Older { place: asked, .. } if asked == place);
        self.waiting.iter().any(is) || self.current.as_ref().is_some_and(|current| is(&current.request))
    }
}

impl Engine {
    /// Whether the server has a history that can be relied on.
    pub(super) fn has_history(&self) -> bool {
        [HISTORY, "batch", "message-tags", "server-time"].iter().all(|capability| self.has(capability))
    }

    /// Where a place has come to.
    pub(super) fn mark_of(&self, place: &Place) -> Mark {
        let mark = self.threads.get(place).map(|thread| thread.newest.clone()).unwrap_or_default();
        match (&mark.id, mark.at) {
            (None, None) => Mark { id: None, at: self.resume_from.or(self.latest) },
            _ => mark,
        }
    }

    /// Begins once the capabilities are answered that are asked for after the welcome.
    pub(super) fn history_may_begin(&mut self) {
        if self.awaits_capabilities() {
            return;
        }
        if !self.has_history() {
            self.history.targets = false;
            self.resumes = false;
            let persons = |place: &Place| matches!(place, Place::Person(_));
            self.release_all(persons);
            self.note_caught_up();
            for request in std::mem::take(&mut self.history.waiting) {
                if let Ask::Older { place, .. } = request.what {
                    self.outputs.push_back(Output::Older { place, events: Vec::new(), beginning: true });
                }
            }
            return;
        }
        if std::mem::take(&mut self.resumes) {
            // The answers to the login have moved the latest time on.
            if let Some(from) = self.resume_from.or(self.latest) {
                self.history.targets = true;
                let from = from.saturating_sub(SLACK).unwrap_or(from);
                self.ask(Ask::Targets { from, page: 0 });
            } else {
                self.begin_persons(&BTreeSet::new());
            }
        }
        self.ask_next();
    }

    /// Whether what comes in a place is held back, since what was missed there is not all shown yet.
    pub(super) fn is_catching_up(&self, place: &Place) -> bool {
        self.threads.get(place).is_some_and(|thread| thread.held.is_some())
            || self.history.targets && matches!(place, Place::Person(_)) && !place.is_service()
    }

    /// After a reconnect persons' lines are held back until it is known who has news.
    pub(super) fn hold_persons(&mut self) {
        self.history.targets = self.resumes && self.latest.is_some();
    }

    /// Fetches what was missed in a place, and holds back what comes there.
    pub(super) fn catch_up(&mut self, place: &Place) {
        self.threads.entry(place.clone()).or_default().held.get_or_insert_with(Held::default);
        if !self.has_history() {
            return self.finish_catching_up(place);
        }
        let unsure =
            self.queue.says().find(|say| say.to == *place && matches!(say.state, State::Unsure { .. }));
        let mark = unsure.map_or_else(|| self.mark_of(place), |say| say.since.clone());
        let from = match mark {
            Mark { id: Some(id), at } => From::Message(id, at),
            Mark { id: None, at: Some(at) } => {
                // A room's mark is a time of its own; a person's may be one that another node told.
                let slack = if matches!(place, Place::Person(_)) { SLACK } else { MOMENT };
                let from = at.saturating_sub(slack).unwrap_or(at);
                // What was said before this client first came in, it was told then, or another time.
                From::Time(self.began.map_or(from, |began| from.max(began)))
            }
            Mark { id: None, at: None } => From::Newest,
        };
        self.ask(Ask::Missed { place: place.clone(), from });
        self.ask_next();
    }

    /// Asks for older messages of a place.
    pub(super) fn ask_older(&mut self, place: &Place, count: Option<usize>) {
        let thread = self.threads.get(place);
        let at_beginning = thread.is_some_and(|thread| thread.beginning);
        let possible = self.has_history() || self.awaits_capabilities();
        if place.target().is_none() || at_beginning || !possible || !self.is_settled() {
            let beginning = at_beginning || place.target().is_none() || self.is_settled();
            return self.outputs.push_back(Output::Older {
                place: place.clone(),
                events: Vec::new(),
                beginning,
            });
        }
        if self.history.asks_older(place) {
            return;
        }
        let before = thread.and_then(|thread| thread.oldest.clone());
        let limit = count.unwrap_or(PAGE).clamp(1, self.page_limit());
        let what = Ask::Older { place: place.clone(), before };
        self.history.waiting.push_back(Request { what, limit });
        self.ask_next();
    }

    fn page_limit(&self) -> usize {
        self.support.page.unwrap_or(PAGE).min(PAGE)
    }

    fn ask(&mut self, what: Ask) {
        let limit = self.page_limit();
        self.history.waiting.push_back(Request { what, limit });
    }

    fn ask_next(&mut self) {
        if self.history.current.is_some() || !self.has_history() {
            return;
        }
        let Some(request) = self.history.waiting.pop_front() else { return };
        self.lines.push_back(request.line());
        let deadline = self.now.map(|now| now + PATIENCE);
        let target = request.what.place().and_then(Place::target).map(str::to_owned);
        self.history.current = Some(Current { request, target, deadline, trimmed: false, resume: None });
    }

    /// A batch of messages has ended.
    pub(super) fn on_history(&mut self, batch: Batch) {
        let target = batch.params.first().cloned().unwrap_or_default();
        let same = self.history.current.as_ref().is_some_and(|current| {
            let names = [current.target.as_deref(), current.request.what.place().and_then(Place::target)];
            names.into_iter().flatten().any(|name| self.support.casemapping.eq(name, &target))
        });
        if !same {
            // What waited for this account comes by itself.
            for line in &batch.lines {
                if let Some(event) = self.past_event(line) {
                    self.show(event);
                }
            }
            return;
        }
        let Some(current) = self.history.current.take() else { return };
        match current.request.what.clone() {
            Ask::Missed { place, from } => self.on_missed(&place, &from, &current, &batch),
            Ask::Older { place, before } => self.on_older(place, before.is_some(), &current, &batch),
            Ask::Targets { .. } => {}
        }
        self.ask_next();
    }

    fn on_missed(&mut self, place: &Place, from: &From, current: &Current, batch: &Batch) {
        if current.trimmed {
            self.gap(place);
        }
        let mut last = None;
        for line in &batch.lines {
            // The next page begins behind this line, be there anything to show of it or not.
            last = point_of(line).or(last);
            if let Some(event) = self.past_event(line) {
                self.show_now(event);
            }
        }
        let full = match self.support.page {
            Some(page) => batch.lines.len() >= current.request.limit.min(page),
            None => !batch.lines.is_empty(),
        };
        let pages = self.threads.get_mut(place).and_then(|thread| thread.held.as_mut()).map_or(0, |held| {
            held.pages += 1;
            held.pages
        });
        let resume = current.resume.flatten();
        let next = match (last, resume) {
            _ if *from == From::Newest => None,
            (_, Some(time)) => Some(From::Time(time)),
            (Some((id, at)), None) if full || batch.cut => Some(From::Message(id, at)),
            _ => None,
        };
        match next {
            Some(_) if pages >= MOST_PAGES => {
                self.gap(place);
                self.ask(Ask::Missed { place: place.clone(), from: From::Newest });
            }
            Some(from) => self.ask(Ask::Missed { place: place.clone(), from }),
            None => self.finish_catching_up(place),
        }
    }

    /// Says that something is missing here, where that was still to be fetched.
    pub(super) fn gap_while_held(&mut self, place: &Place) {
        if self.threads.get(place).is_some_and(|thread| thread.held.is_some()) {
            self.gap(place);
        }
    }

    /// Says that something is missing here.
    fn gap(&mut self, place: &Place) {
        if let Some(held) = self.threads.get_mut(place).and_then(|thread| thread.held.as_mut()) {
            if held.gap {
                return;
            }
            held.gap = true;
        }
        self.show_now(Event { past: true, ..Event::now(place.clone(), What::Gap) });
    }

    /// All was fetched: what came meanwhile is shown, and what did not arrive is sent again.
    fn finish_catching_up(&mut self, place: &Place) {
        let Some(held) = self.threads.get_mut(place).and_then(|thread| thread.held.take()) else { return };
        if held.overflow && self.has_history() {
            if let Some(thread) = self.threads.get_mut(place) {
                thread.held = Some(held.beside_history());
            }
            return self.catch_up(place);
        }
        for kept in held.events {
            self.show_kept(kept);
        }
        self.note_caught_up();
        let here = |say: &super::queue::Say| say.to == *place && matches!(say.state, State::Unsure { .. });
        if held.gap || !self.has_history() {
            let lost = self.queue.take_all(here);
            return self.give_up(lost);
        }
        let mut still_open = false;
        for say in self.queue.says_mut().filter(|say| here(say)) {
            match say.state {
                State::Unsure { over: true } => say.state = State::Waiting,
                _ => still_open = true,
            }
        }
        if still_open {
            // A new session ends what the old one may still write.
            self.drop_connection("the server does not know whether a message arrived");
        }
    }

    /// Once nothing is to be fetched any more, all was shown up to now.
    pub(super) fn note_caught_up(&mut self) {
        let fetches = self.history.targets || self.threads.values().any(|thread| thread.held.is_some());
        if !self.resumes && !fetches {
            self.resume_from = None;
        }
    }

    /// Lets out what is held back in these places, where nothing more is to be fetched.
    fn release_all(&mut self, which: impl Fn(&Place) -> bool) {
        let places: Vec<Place> = self
            .threads
            .iter()
            .filter(|(place, thread)| which(place) && thread.held.is_some())
            .map(|(place, _)| place.clone())
            .chain(self.queue.says().map(|say| say.to.clone()).filter(|place| which(place)))
            .collect();
        for place in places {
            self.threads.entry(place.clone()).or_default().held.get_or_insert_with(Held::default);
            self.finish_catching_up(&place);
        }
    }

    fn on_older(&mut self, place: Place, has_shown: bool, current: &Current, batch: &Batch) {
        let all: Vec<Event> = batch.lines.iter().filter_map(|line| self.past_event(line)).collect();
        let full = batch.lines.len() >= current.request.limit;
        let first = batch.lines.iter().find_map(|line| point_of(line)).map(|(id, _)| id);
        let thread = self.threads.entry(place.clone()).or_default();
        let mut events = Vec::new();
        for event in all {
            if thread.admit_older(&event) {
                events.push(event);
            } else if !has_shown {
                // From here on it is shown already, or will be.
                break;
            }
        }
        let beginning = current.resume.is_none() && (current.trimmed || !full || first.is_none());
        thread.beginning = beginning;
        thread.oldest = first.or(thread.oldest.take());
        if thread.newest.id.is_none()
            && let Some(last) = events.last()
        {
            thread.newest = Mark { id: last.id.clone(), at: last.at.max(thread.newest.at) };
        }
        if current.trimmed {
            events.insert(0, Event { past: true, ..Event::now(place.clone(), What::Gap) });
        }
        self.outputs.push_back(Output::Older { place, events, beginning });
    }

    /// The answer to TARGETS.
    pub(super) fn on_targets(&mut self, batch: &Batch) {
        let Some(Current { request, resume, .. }) =
            self.history.current.take_if(|current| matches!(current.request.what, Ask::Targets { .. }))
        else {
            return;
        };
        let mut latest = None;
        for line in &batch.lines {
            let Ok(message) = Message::parse(line) else { continue };
            latest = latest.max(message.param(2).and_then(|time| time.parse::<Timestamp>().ok()));
            if let Some(Place::Person(nick)) = message.param(1).and_then(|name| self.place_of(name)) {
                self.news.insert(Place::Person(nick));
            }
        }
        if resume.is_some() || batch.cut {
            self.news_not_known("there were too many");
        }
        let full = batch.lines.len() >= request.limit;
        match (request.what, latest) {
            (Ask::Targets { from, page }, Some(latest)) if full && latest > from && page < MOST_PAGES => {
                self.ask(Ask::Targets { from: latest, page: page + 1 });
            }
            _ => {
                let news = std::mem::take(&mut self.news);
                self.begin_persons(&news);
            }
        }
        self.ask_next();
    }

    /// Not all who wrote are named. Those who are known are asked about one by one; others there may be.
    fn news_not_known(&mut self, why: &str) {
        let known =
            self.threads.keys().filter(|place| matches!(place, Place::Person(_)) && !place.is_service());
        self.news.extend(known.cloned());
        let text = format!("Others may have written meanwhile, of whom the server did not tell: {why}");
        self.info(&Place::Server, &text);
    }

    /// It is known which persons have news. What was sent to others and not acknowledged is looked for as well.
    fn begin_persons(&mut self, news: &BTreeSet<Place>) {
        self.history.targets = false;
        let unsure = self.queue.says().filter(|say| matches!(say.state, State::Unsure { .. }));
        let unsure = unsure.map(|say| say.to.clone()).filter(|place| matches!(place, Place::Person(_)));
        let places: BTreeSet<Place> = news.iter().cloned().chain(unsure).collect();
        for place in &places {
            self.catch_up(place);
        }
        let quiet: Vec<Place> = self
            .threads
            .iter()
            .filter(|(place, thread)| matches!(place, Place::Person(_)) && thread.held.is_some())
            .map(|(place, _)| place.clone())
            .filter(|place| !places.contains(place))
            .collect();
        for place in quiet {
            self.finish_catching_up(&place);
        }
        self.note_caught_up();
    }

    /// `FAIL CHATHISTORY`.
    pub(super) fn on_history_failure(&mut self, code: &str, text: &str) {
        let Some(current) = self.history.current.take() else {
            let place = self.asked.clone();
            return self.problem(&place, text);
        };
        match current.request.what {
            Ask::Targets { .. } => {
                self.news_not_known(text);
                let news = std::mem::take(&mut self.news);
                self.begin_persons(&news);
            }
            Ask::Missed { place, from } => match from {
                // The message is not kept any more. Its time leads to what came after it.
                From::Message(_, Some(at))
                    if matches!(code, "MESSAGE_ERROR" | "INVALID_PARAMS" | "INVALID_MSGREFTYPE") =>
                {
                    self.gap(&place);
                    self.ask(Ask::Missed { place, from: From::Time(at) });
                }
                _ => {
                    if code != "INVALID_TARGET" {
                        self.problem(&place, &format!("What was missed here could not be fetched: {text}"));
                    }
                    self.gap(&place);
                    self.finish_catching_up(&place);
                }
            },
            Ask::Older { place, .. } => {
                let gone = matches!(code, "MESSAGE_ERROR" | "INVALID_TARGET");
                if let Some(thread) = self.threads.get_mut(&place).filter(|_| gone) {
                    thread.beginning = true;
                }
                if !gone {
                    self.problem(&place, &format!("Older messages could not be fetched: {text}"));
                }
                self.outputs.push_back(Output::Older { place, events: Vec::new(), beginning: gone });
            }
        }
        self.ask_next();
    }

    /// `NOTE CHATHISTORY`.
    pub(super) fn on_history_note(&mut self, code: &str, message: &Message<'_>) {
        let Some(current) = self.history.current.as_mut() else { return };
        match code {
            "TRIMMED" => current.trimmed = true,
            "INCOMPLETE" => {
                let time = message.params().iter().find_map(|param| param.strip_prefix("timestamp="));
                current.resume = Some(time.and_then(|time| time.parse().ok()));
            }
            _ => {}
        }
    }

    /// No answer came in time.
    pub(super) fn history_overdue(&mut self, now: Instant) {
        if self.history.deadline().is_some_and(|deadline| now >= deadline) {
            self.on_history_failure("TIMEOUT", "the server did not answer in time");
        }
    }

    /// The connection is over: nothing is asked any more.
    pub(super) fn forget_requests(&mut self) {
        let history = std::mem::take(&mut self.history);
        let all = history.current.into_iter().map(|current| current.request).chain(history.waiting);
        for request in all {
            if let Ask::Older { place, .. } = request.what {
                self.outputs.push_back(Output::Older { place, events: Vec::new(), beginning: false });
            }
        }
        // What is held back stays so: what is before it is fetched again.
        for (place, thread) in &mut self.threads {
            let Some(held) = &mut thread.held else { continue };
            held.begin_again();
            if matches!(place, Place::Person(_)) {
                self.news.insert(place.clone());
            }
        }
    }
}

impl Ask {
    fn place(&self) -> Option<&Place> {
        match self {
            Self::Targets { .. } => None,
            Self::Missed { place, .. } | Self::Older { place, .. } => Some(place),
        }
    }
}

impl Request {
    fn line(&self) -> String {
        let line = Line::new("CHATHISTORY");
        let line = match &self.what {
            Ask::Targets { from, .. } => {
                line.param("TARGETS").param(timestamp(*from)).param(format!("timestamp={FAR_AWAY}"))
            }
            Ask::Missed { place, from: From::Newest } => line.param("LATEST").param(place).param("*"),
            Ask::Missed { place, from: From::Message(id, _) } => {
                line.param("AFTER").param(place).param(format!("msgid={id}"))
            }
            Ask::Missed { place, from: From::Time(time) } => {
                line.param("AFTER").param(place).param(timestamp(*time))
            }
            Ask::Older { place, before: Some(id) } => {
                line.param("BEFORE").param(place).param(format!("msgid={id}"))
            }
            Ask::Older { place, before: None } => line.param("LATEST").param(place).param("*"),
        };
        line.param(self.limit).build()
    }
}

/// The id and the time of a message.
fn point_of(line: &str) -> Option<(String, Option<Timestamp>)> {
    let message = Message::parse(line).ok()?;
    let id = message.tags.get("msgid").filter(|id| !id.is_empty())?.into_owned();
    Some((id, time_of(&message)))
}

/// A reference to a time, in the form that servers write.
fn timestamp(time: Timestamp) -> String {
    format!("timestamp={}", time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
}

/// How many messages are asked for at once.
const PAGE: usize = 100;
/// How many pages are fetched of one place before what is between is left out.
const MOST_PAGES: usize = 20;
/// How far the clocks of two nodes may be apart.
const SLACK: SignedDuration = SignedDuration::from_secs(120);
/// References to a time leave out what happened right then.
const MOMENT: SignedDuration = SignedDuration::from_secs(1);
/// After any message.
const FAR_AWAY: &str = "2200-01-01T00:00:00.000Z";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
