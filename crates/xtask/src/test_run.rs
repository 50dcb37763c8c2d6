//! `cargo test`, and the sum of its results.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::output;
use crate::process::{Failure, cannot_start, cargo, shown};

/// How many tests passed, failed, and were left out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    /// Adds what one line of the output says; most say nothing.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split(['.', ';']) {
            let Some((number, word)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// Runs all tests of the workspace, also after one has failed. Lines of tests that pass are not shown.
///
/// # Errors
/// Where a test fails, is left out, or leaves a process behind.
pub(crate) fn run(tally: &mut Tally) -> Result<(), Failure> {
    let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|why| cannot_start(&command, &why))?;
    let pipe = child.stdout.take().expect("standard output is piped");
    let (send, receive) = sync_channel(1);
    let reader = thread::spawn(move || {
        // Nobody listens any more where the wait below has ended; then the result does not count.
        let _ = send.send(read(pipe, output::line));
    });
    let status = child.wait().map_err(|why| Failure::new(format!("`{}`: {why}", shown(&command))))?;
    *tally = match receive.recv_timeout(GRACE) {
        Ok(read) => read,
        Err(RecvTimeoutError::Timeout) => {
            return Err(Failure::new(
                "the tests have ended, but left a process behind that holds their output open",
            ));
        }
        Err(RecvTimeoutError::Disconnected) => unreachable!("the reader sends before it ends"),
    };
    reader.join().expect("the reader does not panic");
    if !status.success() {
        return Err(Failure::new(format!("`{}`: {status}", shown(&command))));
    }
    if tally.ignored > 0 {
        return Err(Failure::new(format!(
            "{} tests are ignored; a test that is not run is no test",
            tally.ignored
        )));
    }
    Ok(())
}

/// Sums up what is read, and passes on what is worth showing.
fn read(pipe: impl Read, mut show: impl FnMut(&str)) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        tally.add(&line);
        if is_worth_showing(&line) {
            show(&line);
        }
    }
    tally
}

fn is_worth_showing(line: &str) -> bool {
    let passed = line.starts_with("test ") && line.ends_with(" ... ok");
    let opening = line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test"));
    !passed && !opening && !line.trim().is_empty()
}

/// How long output may stay open after cargo has ended.
const GRACE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_up() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.05s\n\
            a line that talks of a test result: ok. 100 passed\n\
            test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        let mut shown = 0;
        let tally = read(output.as_bytes(), |_| shown += 1);
        assert_eq!(tally, Tally { passed: 19, failed: 2, ignored: 1 });
        assert_eq!(shown, 3);
    }

    #[test]
    fn failures_are_shown_and_passing_tests_are_not() {
        assert!(!is_worth_showing("test node::starts ... ok"));
        assert!(!is_worth_showing("running 1 test"));
        assert!(is_worth_showing("test node::starts ... FAILED"));
        assert!(is_worth_showing("test result: ok. 12 passed; 0 failed; 0 ignored"));
    }
}
