//! Collects a page of messages from pieces of a log. It reads nothing itself: it says what to read, and is given it.

use std::sync::Arc;

use super::{Cut, Said, View, mark};
use crate::store::{Entry, EntryId, Page, Range};

/// A search for the messages of one view between two cuts.
#[derive(Debug)]
pub struct Scan {
    view: View,
    low: Option<Cut>,
    high: Option<Cut>,
    /// The newest entry that may be shown.
    last: EntryId,
    limit: usize,
    budget: usize,
    backward: bool,
    /// What to read next; `None` once the search has ended.
    next: Option<(Range, usize)>,
    /// In the order in which they were found.
    messages: Vec<Said>,
    trimmed: bool,
    unfinished: Option<u64>,
    read: usize,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Found {
    /// Ascending.
    pub messages: Vec<Said>,
    /// Messages that belong here may have been trimmed away: the page's beginning is not the log's.
    pub trimmed: bool,
    /// The search ended before it was done: what is missing is before this time, or, in a forward search, after it.
    pub unfinished: Option<u64>,
    /// How many entries it looked at.
    pub read: usize,
}

impl Scan {
    /// Looks for the newest `limit` messages between the cuts, in a log whose newest entry is `last`.
    #[must_use]
    pub fn backward(view: View, low: Option<Cut>, high: Option<Cut>, last: EntryId, limit: usize) -> Self {
        let end = mark::after(last);
        let from = high.map_or(end, |high| high.end_below(view.slack()).min(end));
        Self::begin(view, (low, high), last, limit, true, Range::Before(from))
    }

    /// Looks for the oldest `limit` messages between the cuts, in a log whose newest entry is `last`.
    #[must_use]
    pub fn forward(view: View, low: Option<Cut>, high: Option<Cut>, last: EntryId, limit: usize) -> Self {
        let from = low.map_or_else(EntryId::default, |low| low.first_above(view.slack()));
        let mut scan = Self::begin(view, (low, high), last, limit, false, Range::From(from));
        if from > last {
            scan.next = None;
        }
        scan
    }

    fn begin(
        view: View,
        (low, high): (Option<Cut>, Option<Cut>),
        last: EntryId,
        limit: usize,
        backward: bool,
        range: Range,
    ) -> Self {
        let next = (limit > 0).then(|| (range, limit.clamp(FIRST, PIECE)));
        Self {
            view,
            low,
            high,
            last,
            limit,
            budget: BUDGET,
            backward,
            next,
            messages: Vec::new(),
            trimmed: false,
            unfinished: None,
            read: 0,
        }
    }

    /// Looks at no more than `entries`.
    #[must_use]
    pub fn within(mut self, entries: usize) -> Self {
        self.budget = entries;
        if let Some((_, count)) = &mut self.next {
            *count = (*count).min(entries);
        }
        if entries == 0 {
            self.next = None;
        }
        self
    }

    /// Which part of the log to read next, at most so many entries; `None` once the search has ended.
    #[must_use]
    pub fn next(&self) -> Option<(Range, usize)> {
        self.next
    }

    /// Takes in what was read.
    pub fn take(&mut self, page: &Page) {
        let Some((_, asked)) = self.next.take() else { return };
        let ended = if self.backward { self.take_backward(page) } else { self.take_forward(page) };
        if ended || page.entries.len() < asked {
            return;
        }
        let edge = if self.backward { page.entries.first() } else { page.entries.last() };
        let Some(edge) = edge else { return };
        if self.budget == 0 {
            self.unfinished = Some(self.resume_at(edge.id.ms));
            return;
        }
        let range = if self.backward { Range::Before(edge.id) } else { Range::After(edge.id) };
        self.next = Some((range, PIECE.min(self.budget)));
    }

    /// Before which time, or after which in a forward search, all is that was not looked at, where the last entry that was is
    /// of `edge`: others of that millisecond were not, and a message may be older than its entry. A forward search goes on
    /// later than it began in any case.
    fn resume_at(&self, edge: u64) -> u64 {
        if self.backward {
            return edge.saturating_add(1);
        }
        let begin = self.low.map_or(0, |low| low.first_above(0).ms);
        edge.saturating_sub(self.view.slack().saturating_add(1)).max(begin).min(edge)
    }

    /// What was found so far.
    #[must_use]
    pub fn finish(mut self) -> Found {
        if self.backward {
            self.messages.reverse();
        }
        Found { messages: self.messages, trimmed: self.trimmed, unfinished: self.unfinished, read: self.read }
    }

    /// True where the search has ended.
    fn take_backward(&mut self, page: &Page) -> bool {
        let bottom = self.low.map(|low| low.first_above(self.view.slack()));
        for entry in page.entries.iter().rev() {
            if bottom.is_some_and(|bottom| entry.id < bottom) || self.look_at(entry) {
                return true;
            }
        }
        self.trimmed = self.lacks_its_beginning(page);
        page.trimmed
    }

    /// True where the search has ended.
    fn take_forward(&mut self, page: &Page) -> bool {
        if self.read == 0 {
            self.trimmed = self.lacks_its_beginning(page);
        }
        let top = self.high.map(|high| high.end_below(self.view.slack()));
        for entry in &page.entries {
            let is_beyond = entry.id > self.last || top.is_some_and(|top| entry.id >= top);
            if is_beyond || self.look_at(entry) {
                return true;
            }
        }
        false
    }

    /// Whether messages may have been trimmed away that stood above the lower cut and before this page.
    fn lacks_its_beginning(&self, page: &Page) -> bool {
        let oldest = page.entries.first().map_or(self.last, |oldest| oldest.id);
        page.trimmed && !self.low.is_some_and(|low| low.reaches(oldest))
    }

    /// Keeps those messages of an entry that are wanted. True where the limit is reached.
    fn look_at(&mut self, entry: &Arc<Entry>) -> bool {
        self.read += 1;
        self.budget = self.budget.saturating_sub(1);
        let mut said = self.view.said(entry);
        if self.backward {
            said.reverse();
        }
        for said in said {
            let above = self.low.is_none_or(|low| low.is_below(&said));
            let below = self.high.is_none_or(|high| !high.is_below(&said));
            if above && below {
                self.messages.push(said);
            }
            if self.messages.len() == self.limit {
                return true;
            }
        }
        false
    }
}

/// How many entries one request looks at: a room's joins, or an inbox's other correspondents, may be many times as many as
/// the messages that are wanted.
pub const BUDGET: usize = 16 * 1024;
/// How many entries are read at once.
pub const PIECE: usize = 512;
/// How many are read at least: fewer cost as much.
const FIRST: usize = 32;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::history::{Mark, Other, Place};
    use crate::store::{Body, By, Epoch, Writer};

    pub(in crate::history) fn says(ms: u64) -> Arc<Entry> {
        entry(ms, &format!(":ann!a@h PRIVMSG #room :at {ms}"))
    }

    pub(in crate::history) fn join(ms: u64) -> Arc<Entry> {
        entry(ms, ":bob!b@h JOIN #room * :Bob")
    }

    fn entry(ms: u64, line: &str) -> Arc<Entry> {
        Arc::new(Entry {
            id: EntryId { ms, seq: 0 },
            epoch: Epoch(1),
            by: By { writer: Writer::new("node", 1), number: ms },
            previous: None,
            ends: false,
            body: Body { changes: Vec::new(), lines: vec![line.to_owned()] },
        })
    }

    /// Answers a scan as a store does.
    fn run(mut scan: Scan, log: &[Arc<Entry>], is_trimmed: bool) -> (Vec<u64>, Found) {
        while let Some((range, limit)) = scan.next() {
            let inside: Vec<_> = log
                .iter()
                .filter(|entry| match range {
                    Range::From(id) => entry.id >= id,
                    Range::After(id) => entry.id > id,
                    Range::Before(id) => entry.id < id,
                    Range::Latest => true,
                })
                .cloned()
                .collect();
            let skipped = match range {
                Range::Before(_) | Range::Latest => inside.len().saturating_sub(limit),
                Range::From(_) | Range::After(_) => 0,
            };
            let entries: Vec<_> = inside.into_iter().skip(skipped).take(limit).collect();
            let at_edge = match (entries.first(), log.first(), range) {
                (_, None, _) => true,
                (Some(first), Some(oldest), _) => first.id == oldest.id,
                (None, Some(oldest), Range::Before(id)) => oldest.id >= id,
                (None, Some(_), _) => false,
            };
            scan.take(&Page { entries, trimmed: is_trimmed && at_edge });
        }
        let found = scan.finish();
        (found.messages.iter().map(|said| said.at).collect(), found)
    }

    const NONE: [u64; 0] = [];

    fn last(log: &[Arc<Entry>]) -> EntryId {
        log.last().map(|entry| entry.id).unwrap_or_default()
    }

    fn backward(low: Option<Cut>, high: Option<Cut>, log: &[Arc<Entry>], limit: usize) -> Scan {
        Scan::backward(View::Room, low, high, last(log), limit)
    }

    fn forward(low: Option<Cut>, high: Option<Cut>, log: &[Arc<Entry>], limit: usize) -> Scan {
        Scan::forward(View::Room, low, high, last(log), limit)
    }

    fn after(ms: u64) -> Option<Cut> {
        Some(Cut::after(Mark::Place(Place { id: EntryId { ms, seq: 0 }, line: 0 })))
    }

    fn before(ms: u64) -> Option<Cut> {
        Some(Cut::before(Mark::Time(ms)))
    }

    #[test]
    fn a_page_is_found_among_many_joins() {
        let mut log = vec![says(1), says(2)];
        log.extend((3..3000).map(join));
        log.push(says(3000));
        assert_eq!(run(backward(None, None, &log, 2), &log, false).0, [2, 3000]);
        assert_eq!(run(backward(None, None, &log, 9), &log, false).0, [1, 2, 3000]);
        assert_eq!(run(forward(after(1), None, &log, 2), &log, false).0, [2, 3000]);
        assert_eq!(run(forward(after(2), before(3000), &log, 2), &log, false).0, NONE);
    }

    #[test]
    fn a_search_that_takes_too_long_says_how_far_it_came() {
        let mut log = vec![says(1)];
        log.extend((2..2000).map(join));
        let (messages, found) = run(backward(None, None, &log, 5).within(1000), &log, false);
        assert_eq!((messages.len(), found.unfinished, found.read), (0, Some(1001), 1000));
        let (messages, found) = run(forward(after(0), None, &log, 5).within(1000), &log, false);
        assert_eq!((messages, found.unfinished, found.read), (vec![1], Some(999), 1000));
        let (_, found) = run(backward(None, None, &log, 5), &log, false);
        assert_eq!(found.unfinished, None);
    }

    #[test]
    fn a_search_goes_on_within_the_millisecond_where_it_ended() {
        let mut log: Vec<_> = (1..5).map(join).collect();
        for seq in 1..4 {
            let mut more = Entry::clone(&says(4));
            more.id.seq = seq;
            log.push(Arc::new(more));
        }
        let (_, found) = run(forward(after(0), None, &log, 9).within(5), &log, false);
        let rest = Some(Cut::after(Mark::Time(found.unfinished.expect("the search was cut short"))));
        assert_eq!(run(forward(rest, None, &log, 9), &log, false).0, [4, 4, 4]);
        let (_, found) = run(backward(None, None, &log, 9).within(2), &log, false);
        let rest = before(found.unfinished.expect("the search was cut short"));
        assert_eq!(run(backward(None, rest, &log, 9), &log, false).0, [4, 4, 4]);
    }

    #[test]
    fn nothing_newer_than_the_replica_is_shown() {
        let log = [says(1), says(2), says(3)];
        let upto = EntryId { ms: 2, seq: 0 };
        assert_eq!(run(Scan::backward(View::Room, None, None, upto, 9), &log, false).0, [1, 2]);
        assert_eq!(run(Scan::forward(View::Room, after(0), None, upto, 9), &log, false).0, [1, 2]);
        assert_eq!(run(Scan::forward(View::Room, after(7), None, upto, 9), &log, false).0, NONE);
    }

    #[test]
    fn a_trimmed_beginning_is_told_from_a_real_one() {
        let log = [says(5), join(6), says(7)];
        let trimmed = |scan: Scan| run(scan, &log, true).1.trimmed;
        assert!(!run(backward(None, None, &log, 9), &log, false).1.trimmed, "a log that was never trimmed");
        assert!(trimmed(backward(None, None, &log, 9)));
        assert!(trimmed(backward(None, before(7), &log, 2)));
        assert!(trimmed(backward(None, before(5), &log, 2)));
        assert!(trimmed(backward(after(2), None, &log, 9)));
        assert!(trimmed(forward(after(2), None, &log, 1)));
        assert!(trimmed(forward(Some(Cut::after(Mark::Time(2))), before(4), &log, 1)));
        // The page was filled, or began with what is still there.
        assert!(!trimmed(backward(None, None, &log, 2)));
        assert!(!trimmed(backward(after(5), None, &log, 9)));
        assert!(!trimmed(backward(Some(Cut::after(Mark::Time(6))), None, &log, 9)));
        assert!(!trimmed(forward(after(5), None, &log, 9)));
        assert!(!trimmed(forward(after(7), None, &log, 9)));
    }

    #[test]
    fn a_log_with_nothing_left_is_no_gap_for_who_has_seen_it_all() {
        let upto = EntryId { ms: 7, seq: 0 };
        let trimmed = |low| run(Scan::forward(View::Room, low, None, upto, 9), &[], true).1.trimmed;
        assert!(trimmed(after(6)));
        assert!(!trimmed(after(7)));
        assert!(run(Scan::backward(View::Room, None, None, upto, 9), &[], true).1.trimmed);
        assert!(!run(Scan::backward(View::Room, after(7), None, upto, 9), &[], true).1.trimmed);
    }

    #[test]
    fn a_private_message_is_found_by_the_time_that_both_sides_know() {
        let received = |ms: u64, sent: u64, id: &str| {
            let time = crate::hub::clock::server_time(sent);
            entry(ms, &format!("@msgid={id};time={time} :bob!b@h PRIVMSG ann :sent at {sent}"))
        };
        let base = 1_700_000_000_000;
        let log = [
            received(base + 20, base + 15, "a"),
            entry(base + 30, ":ann!a@h PRIVMSG Bob :an answer"),
            entry(base + 31, ":ann!a@h PRIVMSG cat :to somebody else"),
            // Its sender's node died, and another finished what it had begun.
            received(base + 90_000, base + 40, "b"),
        ];
        let view = || View::With(Other { nick: "bob".to_owned(), account: None });
        let scan = |low, high| Scan::forward(view(), low, high, last(&log), 9);
        let all = [base + 15, base + 30, base + 90_000];
        assert_eq!(run(scan(before(base), None), &log, false).0, all);
        let time = |ms| Some(Cut::after(Mark::Time(base + ms)));
        assert_eq!(run(scan(time(15), None), &log, false).0, all[1..]);
        assert_eq!(run(scan(time(14), before(base + 30)), &log, false).0, all[..1]);
        assert_eq!(run(scan(time(60), None), &log, false).0, all[2..], "what came late is not missed");
        let scan = |high| Scan::backward(view(), None, high, last(&log), 9);
        assert_eq!(run(scan(before(base + 15)), &log, false).0, NONE);
        assert_eq!(run(scan(before(base + 16)), &log, false).0, all[..1]);
        let everybody = Scan::backward(View::Everybody, None, None, last(&log), 9);
        assert_eq!(run(everybody, &log, false).0.len(), 4);
    }
}
