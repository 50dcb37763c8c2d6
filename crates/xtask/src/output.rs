//! What is printed. A stream that nobody reads any more stops nothing: the exit code still tells.

use std::io::{self, Write};
use std::time::Duration;

/// Prints a line on standard output.
pub(crate) fn line(text: &str) {
    let mut stream = io::stdout().lock();
    let _ = writeln!(stream, "{text}");
    let _ = stream.flush();
}

/// Prints what went wrong on standard error.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "xtask: {text}");
}

/// A time as people read it: `4.2 s`, `3 min 7 s`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
