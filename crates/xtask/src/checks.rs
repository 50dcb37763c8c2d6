//! Formatting, lints and documentation. A warning is an error.

use crate::process::{Failure, cargo, run};

/// Formats the code.
pub(crate) fn format() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all"]))?;
    run(&mut cargo(&["fmt", "--manifest-path", FUZZ]))
}

/// Checks that the code is formatted.
pub(crate) fn formatted() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&["fmt", "--manifest-path", FUZZ, "--check"]))
}

/// Runs clippy over everything: library, programs, tests.
pub(crate) fn lint() -> Result<(), Failure> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

/// Builds the documentation, that of private items with it: most of the server is private, and its links are
/// as easily broken as public ones.
pub(crate) fn document() -> Result<(), Failure> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The fuzz targets' own workspace, from the root.
pub(crate) const FUZZ: &str = "fuzz/Cargo.toml";
