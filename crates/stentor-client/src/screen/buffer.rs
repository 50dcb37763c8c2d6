//! What one place shows: its lines, what of them is unread, and which part is looked at.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::event::{Event, Place, What};

/// A place's lines and what the user saw of them. It keeps at most [`MAX_LINES`].
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) place: Place,
    lines: VecDeque<Entry>,
    /// Messages since it was last looked at.
    pub(super) unread: usize,
    /// Those among them that are for oneself.
    pub(super) mentions: usize,
    /// The first line that is new since it was last looked at.
    pub(super) marker: Option<i64>,
    pub(super) view: View,
    pub(super) top: Top,
    /// Messages that came while the user looked at older ones.
    pub(super) below: usize,
    /// Whether its first page was asked for.
    pub(super) filled: bool,
    /// What was being written for this place when the user went elsewhere.
    pub(super) draft: String,
    /// Whether anything was said here while this client ran: what comes from the history after that was missed.
    known: bool,
}

/// One line, in order of [`Entry::number`], which it keeps for ever.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: i64,
    /// When it happened, or where that is not known, when it was shown first.
    pub(super) at: Timestamp,
    pub(super) what: What,
}

/// Which part is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The newest lines; it follows new ones.
    End,
    /// A row of a line, counted from 0, is the lowest that is seen. It stays where it is.
    At {
        /// The line.
        line: i64,
        /// The row of it.
        row: usize,
    },
}

/// What is above the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// Perhaps more, which can be asked for.
    Open,
    /// More was asked for.
    Asked,
    /// Nothing.
    Beginning,
    /// More than is kept here.
    Full,
}

impl Buffer {
    pub(super) fn new(place: Place) -> Self {
        // The server itself has no history.
        let top = if place == Place::Server { Top::Beginning } else { Top::Open };
        Self {
            place,
            lines: VecDeque::new(),
            unread: 0,
            mentions: 0,
            marker: None,
            view: View::End,
            top,
            below: 0,
            filled: false,
            draft: String::new(),
            known: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Entry> {
        self.lines.get(index)
    }

    /// Where the line of this number is; where it is gone, the next one that is there.
    pub(super) fn index_of(&self, number: i64) -> usize {
        let first = self.lines.front().map_or(0, |line| line.number);
        usize::try_from(number - first).unwrap_or(0).min(self.lines.len().saturating_sub(1))
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.lines.iter()
    }

    /// Puts a line at the end. `seen`: the user is looking at this place.
    pub(super) fn append(&mut self, event: Event, now: Timestamp, seen: bool) -> News {
        let news = self.news(&event);
        let number = self.lines.back().map_or(0, |last| last.number + 1);
        self.lines.push_back(Entry { number, at: event.at.unwrap_or(now), what: event.what });
        self.drop_oldest();
        if news == News::Nothing {
            return news;
        }
        if !event.past {
            self.known = true;
        }
        let read = seen && self.view == View::End;
        if !read && self.marker.is_none() {
            self.marker = Some(number);
        }
        if !seen {
            self.unread += 1;
            self.mentions += usize::from(news == News::Mention);
        } else if !read {
            self.below += 1;
        }
        news
    }

    /// Puts lines before all others, oldest first. `beginning`: there is nothing before them.
    /// Where lines before the first one were dropped, these are dropped, too: there would be a hole between.
    pub(super) fn prepend(&mut self, events: Vec<Event>, beginning: bool, now: Timestamp) {
        if self.top == Top::Full {
            return;
        }
        self.top = if beginning { Top::Beginning } else { Top::Open };
        for event in events.into_iter().rev() {
            if self.lines.len() == MAX_LINES {
                self.top = Top::Full;
                break;
            }
            let number = self.lines.front().map_or(0, |first| first.number - 1);
            self.lines.push_front(Entry { number, at: event.at.unwrap_or(now), what: event.what });
        }
    }

    /// The user looks at it.
    pub(super) fn look(&mut self) {
        (self.unread, self.mentions) = (0, 0);
    }

    /// The user looks elsewhere: all that is there counts as seen, and what comes next is new.
    pub(super) fn look_away(&mut self) {
        if self.view == View::End {
            self.marker = None;
        }
    }

    /// Back to the newest lines.
    pub(super) fn follow(&mut self) {
        self.view = View::End;
        self.below = 0;
    }

    /// Whether more should be asked for when the user comes to the first line; then it counts as asked for.
    pub(super) fn wants_older(&mut self) -> bool {
        if self.top != Top::Open {
            return false;
        }
        if self.lines.len() >= MAX_LINES {
            self.top = Top::Full;
            return false;
        }
        self.top = Top::Asked;
        true
    }

    /// Removes what is shown; it does not come back.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.top = Top::Full;
        self.marker = None;
        self.follow();
    }

    /// Who spoke here, the latest first, each once.
    pub(super) fn speakers(&self) -> Vec<&str> {
        let mut nicks: Vec<&str> = Vec::new();
        for entry in self.lines.iter().rev().take(RECENT) {
            if let What::Said(said) = &entry.what
                && !said.own
                && !nicks.iter().any(|nick| nick.eq_ignore_ascii_case(&said.nick))
            {
                nicks.push(&said.nick);
            }
        }
        nicks
    }

    fn drop_oldest(&mut self) {
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
            // What is dropped here cannot be asked for again without a hole.
            self.top = Top::Full;
        }
    }

    fn news(&self, event: &Event) -> News {
        let missed = matches!(event.place, Place::Person(_)) || self.known;
        match &event.what {
            _ if event.past && !missed => News::Nothing,
            What::Said(said) if said.own => News::Nothing,
            What::Said(said) if said.mention => News::Mention,
            What::Said(_) | What::Problem(_) => News::Message,
            _ => News::Nothing,
        }
    }
}

/// What a line means for who does not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is not worth a look.
    Nothing,
    /// It is unread.
    Message,
    /// It is for oneself.
    Mention,
}

/// How many lines a place keeps. Those before them are dropped, and not fetched again.
pub(super) const MAX_LINES: usize = 10_000;
/// How far back completion looks for who spoke lately.
const RECENT: usize = 300;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::{Kind, Said};
    use stentor_proto::{ChannelName, Nick};

    pub(in crate::screen) fn room(name: &str) -> Place {
        Place::Room(ChannelName::parse(name, 64).expect("a legal name"))
    }

    pub(in crate::screen) fn person(name: &str) -> Place {
        Place::Person(Nick::parse(name, 32).expect("a legal nick"))
    }

    pub(in crate::screen) fn said(place: &Place, nick: &str, text: &str) -> Event {
        let said = Said {
            nick: nick.to_owned(),
            text: text.to_owned(),
            kind: Kind::Message,
            own: false,
            mention: text.contains("alice") || matches!(place, Place::Person(_)),
        };
        Event { at: Some(time(0)), ..Event::now(place.clone(), What::Said(said)) }
    }

    pub(in crate::screen) fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).expect("it is in range")
    }

    #[test]
    fn unread_mentions_and_the_marker_count_what_was_not_looked_at() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        buffer.append(said(&place, "bob", "seen"), time(0), true);
        assert_eq!((buffer.unread, buffer.marker), (0, None));
        buffer.append(said(&place, "bob", "one"), time(0), false);
        buffer.append(said(&place, "bob", "alice: two"), time(0), false);
        buffer.append(Event::now(place, What::Joined { nick: "x".to_owned(), own: false }), time(0), false);
        assert_eq!((buffer.unread, buffer.mentions, buffer.marker), (2, 1, Some(1)));
        buffer.look();
        assert_eq!((buffer.unread, buffer.mentions, buffer.marker), (0, 0, Some(1)));
        buffer.look_away();
        assert_eq!(buffer.marker, None);
    }

    #[test]
    fn history_at_the_first_join_is_not_new_and_what_was_missed_is() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        let past = |text: &str| Event { past: true, ..said(&place, "bob", text) };
        buffer.append(past("old"), time(0), false);
        assert_eq!(buffer.unread, 0);
        buffer.append(said(&place, "bob", "live"), time(0), true);
        buffer.append(past("missed"), time(0), false);
        assert_eq!(buffer.unread, 1);
    }

    #[test]
    fn lines_that_come_while_older_ones_are_read_are_counted_and_marked() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        buffer.append(said(&place, "bob", "one"), time(0), true);
        buffer.view = View::At { line: 0, row: 0 };
        buffer.append(said(&place, "bob", "two"), time(0), true);
        assert_eq!((buffer.below, buffer.unread, buffer.marker), (1, 0, Some(1)));
        buffer.follow();
        assert_eq!(buffer.below, 0);
    }

    #[test]
    fn it_is_bounded_and_numbers_stay() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        for number in 0..MAX_LINES + 5 {
            buffer.append(said(&place, "bob", &number.to_string()), time(0), true);
        }
        assert_eq!((buffer.len(), buffer.get(0).map(|line| line.number)), (MAX_LINES, Some(5)));
        assert_eq!(
            (buffer.index_of(0), buffer.index_of(7), buffer.index_of(i64::MAX)),
            (0, 2, MAX_LINES - 1)
        );
        assert!(!buffer.wants_older(), "there would be a hole");
        buffer.prepend(vec![said(&place, "bob", "older")], true, time(0));
        assert_eq!((buffer.get(0).map(|line| line.number), buffer.top), (Some(5), Top::Full));
    }

    #[test]
    fn older_lines_come_before_all_and_are_asked_for_once() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        buffer.append(said(&place, "bob", "new"), time(0), true);
        assert!(buffer.wants_older() && !buffer.wants_older());
        let older = ["a", "b"].map(|text| said(&place, "bob", text)).to_vec();
        buffer.prepend(older, false, time(0));
        let numbers: Vec<i64> = buffer.iter().map(|line| line.number).collect();
        assert_eq!((numbers, buffer.index_of(0)), (vec![-2, -1, 0], 2));
        assert!(buffer.wants_older());
        buffer.prepend(Vec::new(), true, time(0));
        assert!(!buffer.wants_older());
        let many = (0..MAX_LINES).map(|number| said(&place, "bob", &number.to_string())).collect();
        buffer.prepend(many, false, time(0));
        assert_eq!((buffer.len(), buffer.top), (MAX_LINES, Top::Full));
    }

    #[test]
    fn who_spoke_last_is_first() {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        for nick in ["bob", "carl", "Bob", "dora"] {
            buffer.append(said(&place, nick, "hi"), time(0), true);
        }
        assert_eq!(buffer.speakers(), ["dora", "Bob", "carl"]);
    }
}
