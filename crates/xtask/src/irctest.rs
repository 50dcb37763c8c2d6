//! The public conformance suite for IRC servers, with a controller of our own: `tests/irctest/README.md`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::output;
use crate::process::{Failure, cargo, read, root, run, shown};

/// What `cargo xtask irctest` was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// A checkout of the suite.
    pub(crate) suite: PathBuf,
    /// Whether each test runs across two nodes that share a Redis.
    pub(crate) fleet: bool,
    /// Whether the nodes are built with optimizations.
    pub(crate) release: bool,
    /// The Python to run the suite with.
    pub(crate) python: String,
    /// What pytest is told besides; it wins over what we tell.
    pub(crate) rest: Vec<String>,
}

impl Options {
    /// Reads the arguments that follow `irctest`.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let (mut suite, mut fleet, mut release) = (None, false, false);
        let mut python = "python3".to_owned();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--suite" => suite = Some(rest.next().ok_or("`--suite` needs a directory")?.into()),
                "--python" => python.clone_from(rest.next().ok_or("`--python` needs a program")?),
                "--fleet" => fleet = true,
                "--release" => release = true,
                "--" => break,
                other => {
                    return Err(format!("`irctest` has no argument `{other}`; pytest's own follow `--`"));
                }
            }
        }
        let suite = suite.ok_or("`irctest` needs `--suite DIR`, a checkout of progval/irctest")?;
        Ok(Self { suite, fleet, release, python, rest: rest.cloned().collect() })
    }
}

/// Builds the server, and runs the suite against it.
///
/// # Errors
/// Where something is missing, with how to get it, the server does not build, or a test fails.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let suite = suite_folder(&options.suite)?;
    let in_parallel = find_modules(options)?;
    let binary = build(options.release)?;
    let folder = TemporaryFolder::make()?;
    let mut pytest = Command::new(&options.python);
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", "-p", "stentor_irctest.summary"]);
    pytest.args(["-p", "stentor_irctest.corrections", "-p", "stentor_irctest.order"]);
    pytest.args(["--controller", "stentor_irctest.controller"]);
    pytest.args(["-m", MARKS, "--timeout", TIME_LIMIT, "--tb", "short"]);
    if in_parallel {
        // Tests wait for answers more than they compute.
        let processes = std::thread::available_parallelism().map_or(2, usize::from) * 2;
        pytest.args(["--numprocesses", &processes.to_string(), "--dist", "worksteal"]);
    }
    pytest.args(&options.rest);
    if !options.rest.iter().any(|argument| argument.contains("server_tests")) {
        pytest.arg("irctest/server_tests");
    }
    pytest.current_dir(&suite).env("PYTHONPATH", python_path()).env("PYTHONDONTWRITEBYTECODE", "1");
    pytest.env("TMPDIR", &folder.0).env("IRCTEST_STENTOR_BINARY", &binary);
    pytest.env("IRCTEST_STENTOR_FLEET", if options.fleet { "1" } else { "0" });
    output::line(&format!("==> {}", shown(&pytest)));
    run(&mut pytest).map_err(|_| Failure::new("the suite has not passed"))
}

fn suite_folder(given: &Path) -> Result<PathBuf, Failure> {
    let folder = env::current_dir().map_or_else(|_| given.to_owned(), |here| here.join(given));
    if folder.join("irctest/basecontrollers.py").is_file() {
        return Ok(folder);
    }
    Err(Failure::new(format!(
        "there is no irctest in {}. Get it with:\n\n    git clone https://github.com/progval/irctest {}",
        given.display(),
        given.display()
    )))
}

/// Looks for what the suite imports; tells whether tests can run side by side.
fn find_modules(options: &Options) -> Result<bool, Failure> {
    let names: Vec<_> = MODULES.iter().map(|(module, _)| *module).collect();
    let mut command = Command::new(&options.python);
    let answer = read(command.args(["-c", FIND]).args(&names)).map_err(|why| {
        Failure::new(format!(
            "{why}\n\nThe suite needs Python 3.9 or newer; name it with `--python PROGRAM`."
        ))
    })?;
    let answer = String::from_utf8_lossy(&answer);
    let missing = |module: &str| !answer.split_whitespace().any(|found| found == module);
    let in_parallel = PARALLEL.iter().all(|module| !missing(module));
    if let Some(lacking) = names.iter().find(|name| missing(name) && !PARALLEL.contains(name)) {
        let packages: Vec<_> = MODULES.iter().map(|(_, package)| *package).collect();
        return Err(Failure::new(format!(
            "`{}` has no module `{lacking}`. Make an environment that has what the suite needs:\n\n    \
             python3 -m venv VENV && VENV/bin/pip install {}\n\nand name it with `--python VENV/bin/python`.",
            options.python,
            packages.join(" ")
        )));
    }
    if !in_parallel {
        output::line("without pytest-xdist and filelock, one test runs after the other");
    }
    Ok(in_parallel)
}

fn build(release: bool) -> Result<PathBuf, Failure> {
    let mut arguments =
        vec!["build", "--locked", "--package", "stentor", "--message-format", "json-render-diagnostics"];
    arguments.extend(release.then_some("--release"));
    let mut command = cargo(&arguments);
    command.stderr(std::process::Stdio::inherit());
    let messages = read(&mut command)?;
    let executable = String::from_utf8_lossy(&messages).lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.ok_or_else(|| Failure::new("cargo has not told where it put the server"))
}

/// Where Python finds our controller, besides what the caller has set.
fn python_path() -> OsString {
    let ours = root().join("tests/irctest");
    let theirs = env::var_os("PYTHONPATH").unwrap_or_default();
    let folders =
        [ours].into_iter().chain(env::split_paths(&theirs).filter(|folder| *folder != Path::new("")));
    env::join_paths(folders).expect("a folder of `PYTHONPATH` and that of the workspace hold no separator")
}

/// A folder for what a run writes, which goes with it.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> Result<Self, Failure> {
        let folder = env::temp_dir().join(format!("stentor-irctest-{}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => Ok(Self(folder)),
            Err(why) => Err(Failure::new(format!("{}: {why}", folder.display()))),
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.0) {
            output::error(&format!("{} is left behind: {why}", self.0.display()));
        }
    }
}

/// Which tests are ours by default.
const MARKS: &str = "not implementation-specific and not deprecated";

/// How many seconds a test may take. Two of them wait for three minutes where the servers' clocks cannot be moved.
const TIME_LIMIT: &str = "240";

/// The modules that the suite and its run need, and the packages that have them.
const MODULES: &[(&str, &str)] = &[
    ("pytest", "pytest"),
    ("pytest_timeout", "pytest-timeout"),
    ("websockets", "websockets"),
    ("xdist", "pytest-xdist"),
    ("filelock", "filelock"),
];

/// Those without which tests run one after the other.
const PARALLEL: &[&str] = &["xdist", "filelock"];

/// Prints those of its arguments that are modules.
const FIND: &str = "import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_follows_the_dashes_is_for_pytest() {
        let options = parsed("--suite ../irctest --fleet --python venv/bin/python -- -k whowas --fleet")
            .expect("it reads");
        assert_eq!(options.suite, Path::new("../irctest"));
        assert!(options.fleet && !options.release);
        assert_eq!(options.python, "venv/bin/python");
        assert_eq!(options.rest, ["-k", "whowas", "--fleet"]);
    }

    #[test]
    fn a_run_without_a_suite_is_refused() {
        for line in ["", "--fleet", "--suite", "--suite x -k whowas", "--suite x --python"] {
            assert!(parsed(line).is_err(), "{line:?} is taken");
        }
    }
}
