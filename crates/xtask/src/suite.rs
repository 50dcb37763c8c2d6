//! Everything that CI runs, in its order.

use std::process::ExitCode;
use std::time::Instant;

use crate::process::Failure;
use crate::test_run::Tally;
use crate::{checks, deny, fuzz, needs, output, test_run};

/// Runs all steps, up to the first that fails. The last line is the sum: `N passed, N failed`.
pub(crate) fn run() -> ExitCode {
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut code = ExitCode::SUCCESS;
    if let Err(failure) = run_steps(&mut tally) {
        output::error(&failure.to_string());
        // A step that is no test has failed all the same: the sum must not read as if all were well.
        tally.failed = tally.failed.max(1);
        code = ExitCode::FAILURE;
    }
    output::line(&format!("\ntotal time: {}", output::time(started.elapsed())));
    output::line(&format!("{} passed, {} failed", tally.passed, tally.failed));
    code
}

fn run_steps(tally: &mut Tally) -> Result<(), Failure> {
    step("needed programs", needs::provide)?;
    step("formatting", checks::formatted)?;
    step("clippy", checks::lint)?;
    step("documentation", checks::document)?;
    step("licences and sources", deny::check)?;
    step("fuzz targets, for a few seconds each", fuzz::check)?;
    step("tests", || test_run::run(tally))
}

fn step(name: &str, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    output::line(&format!("\n==> {name}"));
    let started = Instant::now();
    let outcome = work();
    let taken = output::time(started.elapsed());
    match outcome {
        Ok(()) => {
            output::line(&format!("==> {name}: done in {taken}"));
            Ok(())
        }
        Err(failure) => Err(Failure::new(format!("the step \"{name}\" failed after {taken}: {failure}"))),
    }
}
