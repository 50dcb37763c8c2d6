//! How a place's lines become rows of the screen, and moving about in them.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::buffer::{Buffer, Entry, Top, View};
use super::theme::Theme;
use super::{format, wrap};
use crate::event::{Kind, Leaving, Said, What};

/// What rows are written on.
#[derive(Debug)]
pub(super) struct Paper<'a> {
    pub(super) columns: usize,
    pub(super) height: usize,
    pub(super) theme: Theme,
    pub(super) zone: &'a TimeZone,
    /// What a search looks for; empty where there is none.
    pub(super) searched: &'a str,
}

impl<'a> Paper<'a> {
    /// As wide and as high as `area`.
    pub(super) fn new(area: Rect, theme: Theme, zone: &'a TimeZone, searched: &'a str) -> Self {
        let (columns, height) = (usize::from(area.width), usize::from(area.height));
        Self { columns, height, theme, zone, searched }
    }

    /// The rows that are seen, at most as many as there is height for.
    pub(super) fn visible(&self, buffer: &Buffer) -> Vec<Line<'static>> {
        let Some((bottom, last_row)) = self.bottom(buffer) else { return Vec::new() };
        let mut rows = self.rows(buffer, bottom);
        rows.truncate(last_row + 1);
        let mut index = bottom;
        while rows.len() < self.height && index > 0 {
            index -= 1;
            let mut above = self.rows(buffer, index);
            above.append(&mut rows);
            rows = above;
        }
        let surplus = rows.len().saturating_sub(self.height);
        rows.drain(..surplus);
        rows
    }

    /// Moves up by so many rows. Whether the first row of all is seen then.
    pub(super) fn up(&self, buffer: &mut Buffer, rows: usize) -> bool {
        let Some(start) = self.bottom(buffer) else { return true };
        let Some(lowest) = self.first_page(buffer) else { return true };
        let target = self.before(buffer, start, rows).max(lowest);
        self.place(buffer, target);
        target == lowest
    }

    /// Moves down by so many rows; at the last one it follows what comes.
    pub(super) fn down(&self, buffer: &mut Buffer, rows: usize) {
        if buffer.view == View::End {
            return;
        }
        let Some((mut index, mut row)) = self.bottom(buffer) else { return };
        row += rows;
        loop {
            let count = self.rows(buffer, index).len();
            if row < count {
                break;
            }
            if index + 1 == buffer.len() {
                buffer.follow();
                return;
            }
            row -= count;
            index += 1;
        }
        self.place(buffer, (index, row));
    }

    /// Shows a line, with others around it.
    pub(super) fn show(&self, buffer: &mut Buffer, number: i64) {
        let index = buffer.index_of(number);
        let row = self.rows(buffer, index).len().saturating_sub(1);
        self.place(buffer, (index, row));
        self.down(buffer, self.height / 2);
        // Not above the first page.
        self.up(buffer, 0);
    }

    /// Whether all lines fit into one page.
    pub(super) fn has_room(&self, buffer: &Buffer) -> bool {
        self.first_page(buffer).is_none()
    }

    /// The lowest row that is seen, as the index of a line and a row of it.
    fn bottom(&self, buffer: &Buffer) -> Option<(usize, usize)> {
        let last = buffer.len().checked_sub(1)?;
        let (index, row) = match buffer.view {
            View::End => (last, usize::MAX),
            View::At { line, row } => (buffer.index_of(line), row),
        };
        Some((index, row.min(self.rows(buffer, index).len().saturating_sub(1))))
    }

    /// The lowest row when the first page is seen; none where all fits one page.
    fn first_page(&self, buffer: &Buffer) -> Option<(usize, usize)> {
        let mut left = self.height.max(1);
        for index in 0..buffer.len() {
            let count = self.rows(buffer, index).len();
            if count >= left {
                let last = index + 1 == buffer.len() && count == left;
                return (!last).then_some((index, left - 1));
            }
            left -= count;
        }
        None
    }

    fn before(
        &self,
        buffer: &Buffer,
        (mut index, mut row): (usize, usize),
        mut rows: usize,
    ) -> (usize, usize) {
        while rows > row {
            if index == 0 {
                return (0, 0);
            }
            rows -= row + 1;
            index -= 1;
            row = self.rows(buffer, index).len().saturating_sub(1);
        }
        (index, row - rows)
    }

    fn place(&self, buffer: &mut Buffer, (index, row): (usize, usize)) {
        let whole = row + 1 >= self.rows(buffer, index).len();
        // Whole it stays, also where it takes more rows on a narrower terminal.
        let row = if whole { usize::MAX } else { row };
        if whole && index + 1 == buffer.len() {
            buffer.follow();
        } else if let Some(entry) = buffer.get(index) {
            buffer.view = View::At { line: entry.number, row };
        }
    }

    /// All rows of a line, with the rules above it: what is before the first line, a new day, the mark of what is new.
    fn rows(&self, buffer: &Buffer, index: usize) -> Vec<Line<'static>> {
        let Some(entry) = buffer.get(index) else { return Vec::new() };
        let mut rows = Vec::new();
        let before = index.checked_sub(1).and_then(|before| buffer.get(before));
        if before.is_none() {
            match buffer.top {
                Top::Beginning if buffer.place != crate::event::Place::Server => {
                    rows.push(self.rule("nothing is older", self.theme.dim()));
                }
                Top::Full => rows.push(self.rule("older lines are not kept here", self.theme.dim())),
                Top::Open | Top::Asked | Top::Beginning => {}
            }
        }
        let day = entry.at.to_zoned(self.zone.clone()).date();
        if before.is_none_or(|before| before.at.to_zoned(self.zone.clone()).date() != day) {
            rows.push(self.rule(&day.strftime("%a %-d %b %Y").to_string(), self.theme.dim()));
        }
        if buffer.marker == Some(entry.number) && before.is_some() {
            rows.push(self.rule("new", self.theme.marker()));
        }
        let spans = self.highlighted(self.spans(entry));
        rows.extend(wrap::rows(&spans, self.columns, INDENT));
        rows
    }

    /// `──── text ────` over the whole width.
    fn rule(&self, text: &str, style: Style) -> Line<'static> {
        let text = wrap::shorten(text, self.columns.saturating_sub(2));
        let dashes = self.columns.saturating_sub(wrap::width(&text) + 2);
        let (left, right) = (dashes / 2, dashes - dashes / 2);
        Line::styled(format!("{} {text} {}", "─".repeat(left), "─".repeat(right)), style)
    }

    fn spans(&self, entry: &Entry) -> Vec<Span<'static>> {
        let time = entry.at.to_zoned(self.zone.clone()).strftime("%H:%M ").to_string();
        let mut spans = vec![Span::styled(time, self.theme.dim())];
        match &entry.what {
            What::Said(said) => self.said(said, &mut spans),
            other => {
                let (text, style) = self.happening(other);
                spans.extend(self.safe(&text, style));
            }
        }
        spans
    }

    fn said(&self, said: &Said, spans: &mut Vec<Span<'static>>) {
        let nick_style = if said.own {
            self.theme.own()
        } else if said.mention {
            self.theme.mention()
        } else {
            self.theme.nick(&said.nick)
        };
        let nick = format::plain(&said.nick);
        match said.kind {
            Kind::Message => {
                spans.extend([Span::raw("<"), Span::styled(nick, nick_style), Span::raw("> ")]);
            }
            Kind::Notice => {
                spans.extend([Span::raw("-"), Span::styled(nick, nick_style), Span::raw("- ")]);
            }
            Kind::Action => {
                spans.extend([Span::raw("* "), Span::styled(nick, nick_style), Span::raw(" ")]);
            }
            Kind::Post => {
                spans.extend([
                    Span::styled("post ", self.theme.dim()),
                    Span::raw("<"),
                    Span::styled(nick, nick_style),
                    Span::raw("> "),
                ]);
            }
        }
        let style =
            if said.mention && !self.theme.has_colours() { self.theme.mention() } else { Style::new() };
        spans.extend(self.safe(&said.text, style));
    }

    /// What happened besides messages, in words.
    fn happening(&self, what: &What) -> (String, Style) {
        let text = match what {
            What::Said(said) => said.text.clone(),
            What::Joined { own: true, .. } => "→ you joined".to_owned(),
            What::Joined { nick, .. } => format!("→ {nick} joined"),
            What::Left { nick, own, reason, how } => left(nick, *own, reason, how),
            What::Renamed { to, own: true, .. } => format!("· you are now {to}"),
            What::Renamed { from, to, .. } => format!("· {from} is now {to}"),
            What::Moved { by, from, reason } if reason.is_empty() => format!("· {by} gave {from} this name"),
            What::Moved { by, from, reason } => format!("· {by} gave {from} this name: {reason}"),
            What::Topic { by: None, text } if text.is_empty() => "· there is no topic".to_owned(),
            What::Topic { by: None, text } => format!("· the topic is: {text}"),
            What::Topic { by: Some(by), text } if text.is_empty() => format!("· {by} removed the topic"),
            What::Topic { by: Some(by), text } => format!("· {by} changed the topic to: {text}"),
            What::Mode { by, change } => format!("· {by} sets mode {change}"),
            What::Away { nick, text: Some(text) } => format!("· {nick} is away: {text}"),
            What::Away { nick, text: None } => format!("· {nick} is back"),
            What::Info(text) => return (text.clone(), Style::new()),
            What::Problem(text) => return (format!("! {text}"), self.theme.problem()),
            What::Connection(text) => return (format!("· {text}"), self.theme.connection()),
            What::Gap => {
                return (
                    "! something is missing here: the server no longer has it".to_owned(),
                    self.theme.marker(),
                );
            }
        };
        (text, self.theme.dim())
    }

    fn safe(&self, text: &str, style: Style) -> Vec<Span<'static>> {
        let mut spans = format::spans(text, style);
        if !self.theme.has_colours() {
            for span in &mut spans {
                span.style = self.theme.strip(span.style);
            }
        }
        spans
    }

    /// The same, with what is searched for made to stand out.
    fn highlighted(&self, spans: Vec<Span<'static>>) -> Vec<Span<'static>> {
        if self.searched.is_empty() {
            return spans;
        }
        let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
        let found = super::search::occurrences(&text, self.searched);
        let mut pieces = Vec::new();
        let mut at = 0;
        for span in spans {
            let mut rest = span.content.as_ref();
            while let Some(first) = rest.chars().next() {
                let inside = found.iter().any(|range| range.contains(&at));
                let end = rest
                    .char_indices()
                    .map(|(index, _)| index)
                    .find(|index| found.iter().any(|range| range.contains(&(at + index))) != inside)
                    .unwrap_or(rest.len())
                    .max(first.len_utf8());
                let style = if inside { span.style.patch(self.theme.found()) } else { span.style };
                pieces.push(Span::styled(rest[..end].to_owned(), style));
                at += end;
                rest = &rest[end..];
            }
        }
        pieces
    }
}

fn left(nick: &str, own: bool, reason: &str, how: &Leaving) -> String {
    let who = if own { "you" } else { nick };
    let mut text = match how {
        Leaving::Parted => format!("← {who} left"),
        Leaving::Quit => format!("← {who} quit"),
        Leaving::Kicked { by } if own => format!("← {by} threw you out"),
        Leaving::Kicked { by } => format!("← {by} threw {nick} out"),
    };
    if !reason.is_empty() {
        text.push_str(": ");
        text.push_str(reason);
    }
    text
}

/// The plain text of a line, for a search.
pub(super) fn searchable(entry: &Entry) -> String {
    let zone = TimeZone::UTC;
    let paper = Paper::new(Rect::default(), Theme::new(false), &zone, "");
    paper.spans(entry).into_iter().skip(1).map(|span| span.content).collect()
}

/// Rows after the first begin below the nick: after `12:34 `.
const INDENT: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Place};
    use crate::screen::buffer::tests::{room, said, time};

    static UTC: TimeZone = TimeZone::UTC;

    fn paper(columns: usize, height: usize) -> Paper<'static> {
        Paper { columns, height, theme: Theme::new(true), zone: &UTC, searched: "" }
    }

    fn filled(lines: usize) -> Buffer {
        let place = room("#r");
        let mut buffer = Buffer::new(place.clone());
        for number in 0..lines {
            buffer.append(said(&place, "bob", &format!("line {number}")), time(0), true);
        }
        buffer
    }

    fn seen(paper: &Paper<'_>, buffer: &Buffer) -> Vec<String> {
        paper.visible(buffer).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn it_begins_with_the_day_and_marks_what_is_new() {
        let mut buffer = filled(2);
        buffer.append(said(&room("#r"), "bob", "alice: news"), time(0), false);
        let rows = seen(&paper(30, 9), &buffer);
        assert_eq!(
            rows,
            [
                "────── Mon 21 Sep 2026 ───────",
                "14:13 <bob> line 0",
                "14:13 <bob> line 1",
                "──────────── new ─────────────",
                "14:13 <bob> alice: news",
            ]
        );
        let later = Event { at: Some(time(86_400)), ..said(&room("#r"), "bob", "next day") };
        buffer.append(later, time(0), true);
        assert!(seen(&paper(30, 2), &buffer)[0].contains(" Tue 22 Sep 2026 "));
    }

    #[test]
    fn paging_overlaps_nothing_and_ends_at_both_ends() {
        let mut buffer = filled(20);
        let paper = paper(30, 5);
        assert_eq!(seen(&paper, &buffer)[4], "14:13 <bob> line 19");
        assert!(!paper.up(&mut buffer, 5));
        assert_eq!(seen(&paper, &buffer)[4], "14:13 <bob> line 14");
        assert!(!paper.up(&mut buffer, 5) && !paper.up(&mut buffer, 5));
        assert!(paper.up(&mut buffer, 5) && paper.up(&mut buffer, 5));
        assert_eq!(seen(&paper, &buffer)[4], "14:13 <bob> line 3");
        for _ in 0..5 {
            paper.down(&mut buffer, 5);
        }
        assert_eq!(buffer.view, View::End);
        let mut short = filled(2);
        assert!(paper.up(&mut short, 5));
        assert_eq!(short.view, View::End);
        assert!(paper.up(&mut Buffer::new(Place::Server), 5));
    }

    #[test]
    fn the_view_stays_when_lines_come_below_and_above_and_when_the_width_changes() {
        let mut buffer = filled(20);
        let narrow = paper(14, 5);
        let wide = paper(30, 5);
        wide.up(&mut buffer, 7);
        let before = seen(&wide, &buffer);
        buffer.append(said(&room("#r"), "bob", "below"), time(0), true);
        let older = (0..9).map(|_| said(&room("#r"), "bob", "above")).collect();
        buffer.prepend(older, false, time(0));
        assert_eq!(seen(&wide, &buffer), before);
        assert_eq!(seen(&narrow, &buffer)[3..], ["14:13 <bob>", "      line 12"]);
        assert_eq!(seen(&wide, &buffer), before);
    }

    #[test]
    fn a_found_line_is_shown_with_its_neighbours() {
        let mut buffer = filled(20);
        let paper = paper(30, 5);
        paper.show(&mut buffer, 10);
        let rows = seen(&paper, &buffer);
        assert_eq!((rows[2].as_str(), rows.len()), ("14:13 <bob> line 10", 5));
        paper.show(&mut buffer, 0);
        assert_eq!(seen(&paper, &buffer)[1], "14:13 <bob> line 0");
        paper.show(&mut buffer, 19);
        assert_eq!(buffer.view, View::End);
    }

    #[test]
    fn a_search_stands_out() {
        let buffer = filled(1);
        let paper = Paper { searched: "LINE", ..paper(30, 5) };
        let row = paper.visible(&buffer).pop().expect("there is one");
        let found: Vec<&str> = row
            .spans
            .iter()
            .filter(|span| span.style.bg.is_some())
            .map(|span| span.content.as_ref())
            .collect();
        assert_eq!(found, ["line"]);
    }

    #[test]
    fn no_size_makes_it_fail() {
        let mut buffer = filled(30);
        buffer.append(said(&room("#r"), "bob", "日本語 https://example.com/path \x1b[2J"), time(0), true);
        for columns in 0..20 {
            for height in 0..6 {
                let paper = paper(columns, height);
                assert!(paper.visible(&buffer).len() <= height.max(1));
                paper.up(&mut buffer, 3);
                paper.down(&mut buffer, 1);
                paper.show(&mut buffer, 5);
            }
        }
    }
}
