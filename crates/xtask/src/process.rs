//! Programs that are run to their end.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Why a step did not succeed, as a developer reads it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("this package is two folders below the workspace").to_owned()
}

/// A call of the cargo that started this program, in the workspace's folder.
///
/// The variables that describe xtask's own package are taken away: build scripts that watch them would run
/// again at each change between `cargo` and `cargo xtask`.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program whose output goes where ours goes.
///
/// # Errors
/// Where it cannot be started, or does not end with success.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|why| cannot_start(command, &why))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{}`: {status}", shown(command)))) }
}

/// Runs a program and gives back what it wrote on standard output.
///
/// # Errors
/// Where it cannot be started, or does not end with success; with what it wrote on standard error.
pub(crate) fn read(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let Output { status, stdout, stderr } = command.output().map_err(|why| cannot_start(command, &why))?;
    if status.success() {
        return Ok(stdout);
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(Failure::new(format!("`{}`: {status}\n{}", shown(command), said.trim_end())))
}

/// The platform that this toolchain builds for.
///
/// # Errors
/// Where cargo does not tell.
pub(crate) fn platform() -> Result<String, Failure> {
    let said = read(&mut cargo(&["--version", "--verbose"]))?;
    let said = String::from_utf8_lossy(&said);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`cargo --version --verbose` names no host"))
}

/// Whether a program can be started and ends with success; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// A command as it would be typed.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What is said of a program that cannot be started.
pub(crate) fn cannot_start(command: &Command, why: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` cannot be started: {why}", shown(command)))
}
