//! How results look: short, aligned, coloured on a terminal alone.

use std::env;
use std::io::{self, IsTerminal, Write};

use time::OffsetDateTime;

/// Standard output, for a command's result.
#[derive(Debug)]
pub(crate) struct Output {
    coloured: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { coloured: may_colour(&io::stdout()) }
    }

    /// Writes text as it is.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        write_all(&mut io::stdout().lock(), text)
    }

    /// Writes rows whose columns line up. The first column is bold.
    pub(crate) fn rows(&self, rows: &[Vec<String>]) -> io::Result<()> {
        self.text(&align(rows, self.coloured))
    }
}

/// Tells what went wrong, on standard error.
pub(crate) fn error(text: &str) {
    let (on, off) = if may_colour(&io::stderr()) { (RED, PLAIN) } else { ("", "") };
    // Where standard error is closed, the exit code still tells.
    let _ = write_all(&mut io::stderr().lock(), &format!("{on}error:{off} {}\n", indent(text)));
}

/// Tells what may be wrong, on standard error.
pub(crate) fn warning(text: &str) {
    let (on, off) = if may_colour(&io::stderr()) { (YELLOW, PLAIN) } else { ("", "") };
    let _ = write_all(&mut io::stderr().lock(), &format!("{on}warning:{off} {}\n", indent(text)));
}

/// The day of a time in milliseconds, as `2026-01-31`, in UTC.
pub(crate) fn date(milliseconds: u64) -> String {
    utc(milliseconds).map_or_else(|| "-".to_owned(), |time| time.date().to_string())
}

/// The minute of a time in milliseconds, as `2026-01-31 23:59 UTC`.
pub(crate) fn time(milliseconds: u64) -> String {
    utc(milliseconds).map_or_else(
        || "-".to_owned(),
        |time| format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute()),
    )
}

fn utc(milliseconds: u64) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(milliseconds / 1000).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// Whether a stream is a terminal whose owner does not mind colours (<https://no-color.org>).
pub(crate) fn may_colour(stream: &impl IsTerminal) -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !refused && !dumb
}

fn align(rows: &[Vec<String>], coloured: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            let (on, off) = if coloured && index == 0 { (BOLD, PLAIN) } else { ("", "") };
            line.push_str(&format!("{on}{cell}{off}{padding}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Puts the lines after the first under it.
fn indent(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// A reader that has seen enough (`stentor … | head`) is no failure.
fn write_all(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc() {
        assert_eq!(date(1_769_903_940_000), "2026-01-31");
        assert_eq!(time(1_769_903_999_999), "2026-01-31 23:59 UTC");
        assert_eq!((date(u64::MAX), time(u64::MAX)), ("-".to_owned(), "-".to_owned()));
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let rows = [row(&["a", "bb", "c"]), row(&["äää", "b"])];
        assert_eq!(align(&rows, false), "a    bb  c\näää  b\n");
        assert!(align(&rows, true).starts_with("\x1b[1ma\x1b[0m"));
    }
}
