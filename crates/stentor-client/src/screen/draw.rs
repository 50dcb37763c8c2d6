//! Drawing the screen.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::app::{App, Mode};
use super::buffer::Buffer;
use super::facts::Facts;
use super::layout::Areas;
use super::paper::Paper;
use super::places::Places;
use super::{format, help, status, wrap};
use crate::event::Place;

/// Draws all.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, facts: &Facts<'_>) {
    let all = frame.area();
    let Some(areas) = Areas::of(all, facts.room.is_some()) else {
        let text = wrap::rows(&[Span::raw("This window is too small.")], usize::from(all.width), 0);
        frame.render_widget(Paragraph::new(text), all);
        return;
    };
    if let Mode::Help(from) = app.mode {
        help::draw(frame, from, app.theme);
        return;
    }
    if let Some(area) = areas.topic {
        topic(frame, area, app, facts);
    }
    if let Some(area) = areas.list {
        list(frame, area, app);
    }
    if let Some(area) = areas.members {
        members(frame, area, app, facts);
    }
    text(frame, areas.text, app);
    let line = status::line(app, facts, areas.list.is_some(), usize::from(areas.status.width));
    frame.render_widget(Paragraph::new(line).style(app.theme.bar()), areas.status);
    input(frame, areas.input, app);
}

/// Which place is the first in the list, so that the current one is among those seen.
pub(super) fn first_in_list(places: &Places, area: Rect) -> usize {
    (places.position() + 1).saturating_sub(usize::from(area.height))
}

fn topic(frame: &mut Frame<'_>, area: Rect, app: &App, facts: &Facts<'_>) {
    let name = title(&app.places.current().place);
    let mut spans = vec![Span::styled(format!(" {name} "), Style::new().add_modifier(Modifier::BOLD))];
    if facts.room.is_some_and(|room| !room.joined) {
        spans.push(Span::raw("(you are not in it now) "));
    } else if let Some(room) = facts.room.filter(|room| !room.topic.is_empty()) {
        let left = usize::from(area.width).saturating_sub(wrap::width(&name) + 2);
        let topic = wrap::shorten(&format::plain(&room.topic), left);
        spans.push(Span::raw(topic));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)).style(app.theme.bar()), area);
}

fn list(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let block = Block::new().borders(Borders::RIGHT).border_style(app.theme.border());
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let first = first_in_list(&app.places, area);
    let rows: Vec<Line<'_>> = app
        .places
        .iter()
        .enumerate()
        .skip(first)
        .take(usize::from(inside.height))
        .map(|(number, buffer)| place_row(number, buffer, app, usize::from(inside.width)))
        .collect();
    frame.render_widget(Paragraph::new(rows), inside);
}

/// `2 #lobby      3 1`: the number for Alt, the name, how much is unread, how much of it is for oneself.
fn place_row(number: usize, buffer: &Buffer, app: &App, columns: usize) -> Line<'static> {
    let style = if number == app.places.position() {
        app.theme.current()
    } else if buffer.unread > 0 {
        app.theme.unread()
    } else {
        Style::new()
    };
    let number = if number < 10 { format!("{} ", (number + 1) % 10) } else { "  ".to_owned() };
    let mentions = if buffer.mentions > 0 { format!("@{}", count(buffer.mentions)) } else { String::new() };
    let other = buffer.unread - buffer.mentions;
    let unread = if other > 0 { count(other) } else { String::new() };
    let mut counts = wrap::width(&unread) + wrap::width(&mentions);
    if !unread.is_empty() && !mentions.is_empty() {
        counts += 1;
    }
    let room = columns.saturating_sub(number.len() + counts + 1);
    let name = wrap::shorten(&title(&buffer.place), room);
    let padding = columns.saturating_sub(number.len() + wrap::width(&name) + counts);
    let mut spans = vec![
        Span::styled(number, app.theme.dim().patch(style)),
        Span::styled(name, style),
        Span::styled(" ".repeat(padding), style),
        Span::styled(unread.clone(), style),
    ];
    if !unread.is_empty() && !mentions.is_empty() {
        spans.push(Span::styled(" ", style));
    }
    spans.push(Span::styled(mentions, app.theme.mention_count()));
    Line::from(spans)
}

fn count(number: usize) -> String {
    if number > 999 { "999+".to_owned() } else { number.to_string() }
}

fn members(frame: &mut Frame<'_>, area: Rect, app: &App, facts: &Facts<'_>) {
    let Some(room) = facts.room else { return };
    let block = Block::new().borders(Borders::LEFT).border_style(app.theme.border());
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let (height, width) = (usize::from(inside.height), usize::from(inside.width));
    let mut all: Vec<_> = room.members.iter().collect();
    all.sort_by_key(|(nick, member)| (rank(&member.prefixes), nick.folded()));
    let mut rows: Vec<Line<'_>> = Vec::new();
    let seen = if all.len() > height { height.saturating_sub(1) } else { height };
    for (nick, member) in all.iter().take(seen) {
        let prefix = member.prefixes.chars().next().map(String::from).unwrap_or_default();
        let name = wrap::shorten(nick.as_str(), width.saturating_sub(prefix.len()));
        let style = if member.away { app.theme.dim() } else { app.theme.nick(nick.as_str()) };
        rows.push(Line::from(vec![Span::raw(prefix), Span::styled(name, style)]));
    }
    if all.len() > seen {
        rows.push(Line::styled(format!("and {} more", all.len() - seen), app.theme.dim()));
    }
    frame.render_widget(Paragraph::new(rows), inside);
}

/// Where a member is in the list: by the highest prefix.
fn rank(prefixes: &str) -> usize {
    let highest = prefixes.chars().next();
    "~&@%+".chars().position(|prefix| Some(prefix) == highest).unwrap_or(usize::MAX)
}

fn text(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let searched = match &app.mode {
        Mode::Searching(search) => search.wanted.text(),
        _ => "",
    };
    let rows = Paper::new(area, app.theme, &app.zone, searched).visible(app.places.current());
    let used = u16::try_from(rows.len()).unwrap_or(area.height).min(area.height);
    let low = Rect { y: area.y + area.height - used, height: used, ..area };
    frame.render_widget(Paragraph::new(rows), low);
}

fn input(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let width = usize::from(area.width);
    let name = title(&app.places.current().place);
    let (prompt, editor) = match &app.mode {
        Mode::Writing | Mode::Help(_) => (format!("[{}] ", wrap::shorten(&name, width / 3)), &app.editor),
        Mode::Searching(search) => {
            let nothing = search.found.is_none() && !search.wanted.text().is_empty();
            (if nothing { "not found: " } else { "search: " }.to_owned(), &search.wanted)
        }
        Mode::Leaving => return question(frame, area, app, "Quit? y or Ctrl-C again; any other key stays"),
        Mode::Pasting(lines) => {
            let short = width < 70;
            let text = if short {
                format!("Send {} lines? y n j(oin)", lines.len())
            } else {
                format!("Send {} lines to {name}, each as a message? y yes, n no, j join them", lines.len())
            };
            return question(frame, area, app, &text);
        }
    };
    let prompt = wrap::shorten(&prompt, width.saturating_sub(4));
    let room = width.saturating_sub(wrap::width(&prompt));
    let (seen, at) = editor.window(room);
    let x = area.x + u16::try_from(wrap::width(&prompt) + at).unwrap_or(area.width).min(area.width - 1);
    let line = Line::from(vec![Span::styled(prompt, app.theme.dim()), Span::raw(seen)]);
    frame.render_widget(Paragraph::new(line), area);
    frame.set_cursor_position(Position { x, y: area.y });
}

fn question(frame: &mut Frame<'_>, area: Rect, app: &App, text: &str) {
    let text = wrap::shorten(text, usize::from(area.width));
    let x = u16::try_from(wrap::width(&text)).unwrap_or(area.width).min(area.width - 1);
    frame.render_widget(Paragraph::new(Line::styled(text, app.theme.problem())), area);
    frame.set_cursor_position(Position { x: area.x + x, y: area.y });
}

/// What a place is called.
pub(super) fn title(place: &Place) -> String {
    format::plain(&place.to_string())
}
