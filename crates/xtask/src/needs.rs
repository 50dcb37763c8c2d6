//! The programs that the tests need, besides Rust and a C compiler (without which nothing links, this program
//! neither).

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::output;
use crate::process::{Failure, cargo, run, succeeds};

/// Makes sure that all needed programs are there. Missing ones are installed where that needs nobody's leave:
/// Rust's own through rustup, Debian packages by root.
///
/// # Errors
/// What is missing, and the commands that install it.
pub(crate) fn provide() -> Result<(), Failure> {
    provide_components()?;
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() || !is_on_path("apt-get") {
        return Err(Failure::new(advice(&missing)));
    }
    output::line(&format!("installing {}", missing.join(", ")));
    run(&mut apt_get(&["update"]))?;
    run(apt_get(&["install", "--yes", "--no-install-recommends"]).args(&missing))?;
    let missing = missing_packages();
    if missing.is_empty() { Ok(()) } else { Err(Failure::new(advice(&missing))) }
}

fn provide_components() -> Result<(), Failure> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if succeeds(&mut cargo(&[subcommand, "--version"])) {
            continue;
        }
        if !is_on_path("rustup") {
            return Err(Failure::new(format!(
                "`cargo {subcommand}` does not run. Install {component} of the same version as rustc."
            )));
        }
        run(Command::new("rustup").args(["component", "add", component]))?;
    }
    Ok(())
}

/// The Debian packages of the programs that are not there, each once.
fn missing_packages() -> Vec<&'static str> {
    let mut packages: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| !is_on_path(program)).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

fn advice(missing: &[&str]) -> String {
    let packages = missing.join(" ");
    format!(
        "the tests need programs that are not there. On Debian and Ubuntu, install them with:\n\n    \
         sudo apt-get update && sudo apt-get install --yes --no-install-recommends {packages}\n\n\
         On other systems, install what contains: {}",
        PROGRAMS
            .iter()
            .filter(|(_, package)| missing.contains(package))
            .map(|(program, _)| *program)
            .collect::<Vec<_>>()
            .join(", ")
    )
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null());
    command
}

/// Whether this process runs as root, told by the owner of its folder in `/proc`.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0)
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| is_executable(&folder.join(program)))
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Programs, each with the Debian package that has it: real Redis servers for the store's tests, `kill` to stop
/// and wake processes, `bash` for its completions and for lines of the documents, `script` and `tmux` for terminals, a C++
/// compiler for libFuzzer.
const PROGRAMS: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("kill", "procps"),
    ("bash", "bash"),
    ("script", "bsdutils"),
    ("tmux", "tmux"),
    ("c++", "g++"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_packages_and_programs() {
        let text = advice(&["redis-tools", "g++"]);
        assert!(text.contains("--no-install-recommends redis-tools g++\n"), "{text}");
        assert!(text.ends_with("redis-cli, c++"), "{text}");
    }

    #[test]
    fn a_program_is_found_where_it_may_run() {
        assert!(is_on_path("sh"));
        assert!(!is_on_path("no-program-has-this-name"));
        assert!(!is_executable(Path::new("/etc/passwd")));
    }
}
