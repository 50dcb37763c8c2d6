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
    /// The search ended before it was done, at an entry of this time.
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
            self.unfinished = Some(edge.id.ms);
            return;
        }
        let range = if self.backward { Range::Before(edge.id) } else { Range::After(edge.id) };
        self.next = Some((range, PIECE.min(self.budget)));
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
