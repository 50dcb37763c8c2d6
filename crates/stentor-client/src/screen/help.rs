//! The help, over all else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::theme::Theme;
use super::{keys, local, wrap};
use crate::slash;

/// Draws the help, from this row on.
pub(super) fn draw(frame: &mut Frame<'_>, from: usize, theme: Theme) {
    let area = frame.area();
    let inside = inside(area);
    let rows = rows(usize::from(inside.width));
    let more = rows.len() > from + usize::from(inside.height);
    let title = if more { " Help: Down for more, Esc leaves " } else { " Help: Esc leaves " };
    let title = wrap::shorten(title, usize::from(area.width.saturating_sub(4)));
    frame.render_widget(Clear, area);
    frame.render_widget(Block::bordered().title(title).border_style(theme.border()), area);
    let seen: Vec<Line<'_>> = rows.into_iter().skip(from).take(usize::from(inside.height)).collect();
    frame.render_widget(Paragraph::new(seen), inside);
}

/// The last row that the help can begin with on a terminal of this size.
pub(super) fn last_row(all: Rect) -> usize {
    let inside = inside(all);
    rows(usize::from(inside.width)).len().saturating_sub(usize::from(inside.height))
}

fn inside(all: Rect) -> Rect {
    Rect {
        x: all.x + 2.min(all.width),
        y: all.y + 1.min(all.height),
        width: all.width.saturating_sub(4),
        height: all.height.saturating_sub(2),
    }
}

fn rows(columns: usize) -> Vec<Line<'static>> {
    let mut rows = vec![heading("Keys")];
    for (key, what) in keys::KEYS {
        rows.extend(entry(key, what, columns));
    }
    rows.extend([Line::default(), heading("Commands")]);
    for command in slash::COMMANDS {
        let usage = format!("/{} {}", command.name, command.usage);
        rows.extend(entry(usage.trim_end(), command.help, columns));
    }
    for (usage, help) in local::HELP {
        rows.extend(entry(usage, help, columns));
    }
    rows
}

fn heading(text: &str) -> Line<'static> {
    Line::styled(text.to_owned(), Style::new().add_modifier(Modifier::BOLD))
}

/// Side by side where there is room, one below the other elsewhere.
fn entry(name: &str, help: &str, columns: usize) -> Vec<Line<'static>> {
    let name_style = Style::new().add_modifier(Modifier::BOLD);
    if columns < SIDE_BY_SIDE {
        let mut rows = wrap::rows(&[Span::styled(name.to_owned(), name_style)], columns, 2);
        rows.extend(wrap::rows(&[Span::raw(format!("  {help}"))], columns, 2));
        return rows;
    }
    let padding = NAME.saturating_sub(wrap::width(name)).max(1);
    let spans = [
        Span::styled(name.to_owned(), name_style),
        Span::raw(" ".repeat(padding)),
        Span::raw(help.to_owned()),
    ];
    wrap::rows(&spans, columns, NAME)
}

/// How wide the column of names is.
const NAME: usize = 30;
/// From which width on names and texts are beside each other.
const SIDE_BY_SIDE: usize = 64;
