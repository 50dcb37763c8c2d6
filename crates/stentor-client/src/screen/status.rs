//! The status line.

use ratatui::text::{Line, Span};

use super::app::App;
use super::draw::title;
use super::facts::Facts;
use super::{format, wrap};
use crate::engine::view::Status;

/// What matters most comes first; what does not fit is left out. `with_list`: the list of places is seen.
pub(super) fn line(app: &App, facts: &Facts<'_>, with_list: bool, columns: usize) -> Line<'static> {
    let (state, is_online) = connection(facts);
    let state_style = if is_online { app.theme.bar() } else { app.theme.alarm() };
    let mut spans = vec![Span::styled(wrap::shorten(&format!(" {state} "), columns), state_style)];
    let mut used: usize = spans.iter().map(|span| wrap::width(&span.content)).sum();
    for part in parts(app, facts, with_list) {
        let part = format!("│ {part} ");
        let left = columns.saturating_sub(used);
        if left < SHORTEST {
            break;
        }
        let part = wrap::shorten(&part, left);
        used += wrap::width(&part);
        spans.push(Span::raw(part));
    }
    Line::from(spans)
}

/// How the connection is, and whether there is one.
fn connection(facts: &Facts<'_>) -> (String, bool) {
    match facts.status {
        Status::Connecting => ("connecting".to_owned(), false),
        Status::LoggingIn => ("logging in".to_owned(), false),
        Status::Online { lag: Some(lag) } if lag.as_secs() >= 1 => {
            (format!("lag {:.1} s", lag.as_secs_f64()), true)
        }
        Status::Online { lag: Some(lag) } => (format!("online {} ms", lag.as_millis()), true),
        Status::Online { lag: None } => ("online".to_owned(), true),
        Status::Waiting { until, .. } => {
            let left = until.saturating_duration_since(facts.now).as_secs_f64().ceil();
            (format!("offline, again in {left:.0} s"), false)
        }
        Status::Ended => ("ended".to_owned(), false),
    }
}

fn parts(app: &App, facts: &Facts<'_>, with_list: bool) -> Vec<String> {
    let mut parts = Vec::new();
    if app.quitting {
        let waiting = match facts.unacknowledged {
            0 => "quitting; Ctrl-C quits at once".to_owned(),
            count => format!("quitting when {count} sent; Ctrl-C quits at once"),
        };
        parts.push(waiting);
    }
    if !app.is_at_end() {
        parts.push(match app.places.current().below {
            0 => "older lines".to_owned(),
            count => format!("{count} new below"),
        });
    }
    let away = if facts.away.is_some() { " (away)" } else { "" };
    parts.push(format!("{}{away}", format::plain(facts.me)));
    if !with_list {
        parts.extend(activity(app));
    }
    parts.extend(typing(facts));
    if facts.unacknowledged > 0 && !app.quitting {
        parts.push(format!("{} being sent", facts.unacknowledged));
    }
    if let Status::Waiting { reason, .. } = facts.status {
        parts.push(format::plain(reason));
    }
    if app.mouse {
        parts.push("mouse".to_owned());
    }
    parts
}

/// Who is typing.
fn typing(facts: &Facts<'_>) -> Option<String> {
    let nicks: Vec<String> = facts.typing().into_iter().map(format::plain).collect();
    match nicks.as_slice() {
        [] => None,
        [one] => Some(format!("{one} is typing…")),
        [one, two] => Some(format!("{one} and {two} are typing…")),
        many => Some(format!("{} are typing…", many.len())),
    }
}

/// Places with something unread, those with mentions first: `#a @1, #b 3`.
fn activity(app: &App) -> Option<String> {
    let mut unread: Vec<_> = app.places.iter().filter(|buffer| buffer.unread > 0).collect();
    unread.sort_by_key(|buffer| buffer.mentions == 0);
    let told: Vec<String> = unread
        .into_iter()
        .map(|buffer| match buffer.mentions {
            0 => format!("{} {}", title(&buffer.place), buffer.unread),
            mentions => format!("{} @{mentions}", title(&buffer.place)),
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// In fewer columns nothing of use can be told.
const SHORTEST: usize = 6;
