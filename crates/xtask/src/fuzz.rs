//! The fuzz targets. They run on the stable compiler: the code has no `unsafe`, so a sanitizer would watch
//! nothing, and the coverage that libFuzzer steers by is a plain pass of LLVM.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::checks::FUZZ;
use crate::output;
use crate::process::{Failure, cargo, platform, read, root, run};

/// Runs every target for a few seconds. What libFuzzer writes is shown only where it finds something.
///
/// # Errors
/// As [`run_targets`].
pub(crate) fn check() -> Result<(), Failure> {
    for target in known_targets()? {
        output::line(&target);
        read(fuzzer(&target, Some(A_LOOK))?.args(["-verbosity=0", "-print_funcs=0"]))?;
    }
    Ok(())
}

/// Runs targets one after another, all where none is named; each for so many seconds, without end where not said.
///
/// # Errors
/// Where there is no such target, it does not build, or an input is found that breaks what must hold.
pub(crate) fn run_targets(targets: &[String], seconds: Option<u64>) -> Result<(), Failure> {
    let known = known_targets()?;
    if let Some(stranger) = targets.iter().find(|target| !known.contains(target)) {
        return Err(Failure::new(format!("there is no target `{stranger}`, only: {}", known.join(", "))));
    }
    let chosen = if targets.is_empty() { &known } else { targets };
    for target in chosen {
        output::line(&format!("==> {target}"));
        run(&mut fuzzer(target, seconds)?)?;
    }
    Ok(())
}

/// The call that builds a target and runs it. Inputs gather in `fuzz/corpus/TARGET`; those that break something
/// are written to `fuzz/artifacts/TARGET`.
fn fuzzer(target: &str, seconds: Option<u64>) -> Result<Command, Failure> {
    let [corpus, artifacts] = ["corpus", "artifacts"].map(|name| root().join("fuzz").join(name).join(target));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).map_err(|why| Failure::new(format!("{}: {why}", folder.display())))?;
    }
    // With a platform named, the flags do not reach build scripts, which could not be linked with them.
    let platform = platform()?;
    let mut command = cargo(&["run", "--manifest-path", FUZZ, "--locked", "--release"]);
    command.args(["--target", &platform, "--bin", target, "--"]).arg(corpus);
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(seconds.map(|seconds| format!("-max_total_time={seconds}")));
    command.env("RUSTFLAGS", COVERAGE.join(" "));
    Ok(command)
}

fn known_targets() -> Result<Vec<String>, Failure> {
    let arguments = ["metadata", "--manifest-path", FUZZ, "--format-version", "1", "--locked", "--no-deps"];
    let metadata: Value = serde_json::from_slice(&read(&mut cargo(&arguments))?)
        .map_err(|why| Failure::new(format!("`cargo metadata` is not read: {why}")))?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let targets = packages.filter_map(|package| package.get("targets").and_then(Value::as_array)).flatten();
    let names = targets.filter_map(|target| target.get("name").and_then(Value::as_str));
    Ok(names.map(str::to_owned).collect())
}

/// How many seconds each target runs as one of the tests.
const A_LOOK: u64 = 3;

/// What makes rustc count where a run has been, as cargo-fuzz does it; assertions stay on.
const COVERAGE: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
];
