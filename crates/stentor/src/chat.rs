//! `stentor chat`: the terminal client.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stentor_client::driver::Driver;
use stentor_client::engine::{Engine, Options, Registration, Secret};
use stentor_client::failure::Failure as ChatFailure;
use stentor_client::line::{self, LineOptions};
use stentor_client::link::{ConnectError, Dialer};
use stentor_client::screen::theme::Theme;
use stentor_client::screen::{self, ScreenOptions};
use stentor_client::trust::{CertificateProblem, Trust, TrustSettings};
use stentor_server::config::Sources;

use crate::cli::Chat;
use crate::failure::Failure;
use crate::output::{self, may_colour};

pub(crate) fn run(args: &Chat) -> Result<(), Failure> {
    let server = &args.server;
    if !server.tls() && !server.is_loopback() && !args.allow_plaintext {
        return Err(Failure::Usage(format!(
            "{server} is another machine, to which everything would go without encryption, the password too; use \
             ircs://, or say --allow-plaintext"
        )));
    }
    let options = options(args)?;
    let dialer = Dialer::new(server.clone(), Trust::new(trust(args)), args.allow_plaintext);
    let mut engine = Engine::new(options);
    if let Some(room) = server.room() {
        // The engine does it after the login.
        engine.input(&format!("/join {}", room.as_str()), std::time::Instant::now());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut driver = Driver::new(engine, dialer);
        connect(&mut driver).await?;
        front_end(driver, args).await
    });
    // A thread may wait for the next line of standard input, which may never come.
    runtime.shutdown_background();
    Ok(ended?)
}

/// What the user looks at until it is over. All front ends take the driver, connected, and end in the same ways.
async fn front_end(driver: Driver, args: &Chat) -> Result<(), ChatFailure> {
    if !args.plain && has_screen() {
        let options = ScreenOptions { mouse: args.mouse, bell: args.bell, theme: Theme::from_environment() };
        return screen::run(driver, options).await;
    }
    let options = LineOptions {
        interactive: io::stdin().is_terminal(),
        coloured_output: may_colour(&io::stdout()),
        coloured_errors: may_colour(&io::stderr()),
    };
    line::run(driver, (tokio::io::stdin(), tokio::io::stdout(), tokio::io::stderr()), options).await
}

/// Whether this is a terminal on which a cursor can be moved, at both ends.
fn has_screen() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
    !is_dumb && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Opens the first connection. A certificate that nobody vouches for is asked about where somebody can answer.
async fn connect(driver: &mut Driver) -> Result<(), ChatFailure> {
    loop {
        let error = match driver.connect().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match &error {
            ConnectError::Certificate(problem) if may_ask() && accepted(problem) => {
                driver.remember(&problem.rejection).map_err(ConnectError::Trust)?;
            }
            _ => return Err(error.into()),
        }
    }
}

/// Whether the user accepts a certificate from now on.
fn accepted(problem: &CertificateProblem) -> bool {
    let Some(question) = problem.question() else { return false };
    let answer = ask(&question).unwrap_or_default();
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

/// Who logs in, and how: asked for where it was not given.
fn options(args: &Chat) -> Result<Options, Failure> {
    let missing =
        [("--user NAME", args.user.is_none()), ("--password-file FILE", args.password_file.is_none())];
    let missing: Vec<&str> = missing.iter().filter(|(_, missing)| *missing).map(|(flag, _)| *flag).collect();
    if !missing.is_empty() && !may_ask() {
        return Err(Failure::Usage(format!(
            "there is no terminal on which to ask who you are; give {}",
            missing.join(" and ")
        )));
    }
    let user = match &args.user {
        Some(user) => user.clone(),
        None => ask("Username: ")?.trim().to_owned(),
    };
    if user.is_empty() {
        return Err(Failure::Usage("a user is needed: give --user NAME".to_owned()));
    }
    let password = match &args.password_file {
        Some(file) => password_of(file)?,
        None => prompted_password(args.register)?,
    };
    if args.register && password.is_empty() {
        return Err(Failure::Usage("a new account needs a password, and this one is empty".to_owned()));
    }
    let invite = args.invite.as_deref().map(Secret::new);
    Ok(Options { user, password, register: args.register.then_some(Registration { invite }) })
}

/// Asks for the password; for a new one twice.
fn prompted_password(new: bool) -> Result<Secret, Failure> {
    let first = rpassword::prompt_password("Password: ")?;
    if new && rpassword::prompt_password("The same again: ")? != first {
        return Err(Failure::Failed("the two passwords differ".to_owned()));
    }
    Ok(Secret::new(first))
}

/// The first line of a file, without its end.
fn password_of(path: &Path) -> Result<Secret, Failure> {
    let failed = |why: String| Failure::Usage(format!("--password-file: {}: {why}", path.display()));
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    if let Ok(found) = file.metadata()
        && found.is_file()
        && found.permissions().mode() & OPEN_TO_OTHERS != 0
    {
        output::warning(&format!("{} can be read by others; chmod 600 it", path.display()));
    }
    let mut line = Vec::new();
    let mut reader = BufReader::new(file.take(PASSWORD_LINE_MAX));
    reader.read_until(b'\n', &mut line).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(line).map_err(|_| failed("it is not UTF-8".to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() { Err(failed("its first line is empty".to_owned())) } else { Ok(Secret::new(text)) }
}

/// Whether there is somebody to ask.
fn may_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on standard error, so that standard output holds the conversation alone.
fn ask(question: &str) -> io::Result<String> {
    let mut err = io::stderr().lock();
    err.write_all(question.as_bytes())?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().take(ANSWER_MAX).read_line(&mut line)?;
    Ok(line)
}

fn trust(args: &Chat) -> TrustSettings {
    let authority = |data: PathBuf| data.join("tls").join("ca.pem");
    TrustSettings {
        fingerprint: args.fingerprint,
        authority: args.ca.clone(),
        local_authority: default_data_dir().map(authority),
        named_local_authority: args.data.clone().map(authority),
        known_servers: config_dir().map(|directory| directory.join("stentor").join("known_servers")),
    }
}

/// Where a node that this user runs keeps its data. A configuration that is wrong is no concern of a client.
fn default_data_dir() -> Option<PathBuf> {
    Sources::of_process(None, Vec::new()).load().ok().map(|config| config.data.dir)
}

/// The user's directory for settings; none without a home.
fn config_dir() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
}

/// The bits of a file's mode that let others than its owner read it.
const OPEN_TO_OTHERS: u32 = 0o044;
/// How many bytes of a password file are read. No password is as long.
const PASSWORD_LINE_MAX: u64 = 4096;
/// How many bytes an answer has at most.
const ANSWER_MAX: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (content, password) in
            [("a b \r\nsecond\n", Some("a b ")), ("a", Some("a")), ("\na", None), ("", None)]
        {
            fs::write(&path, content).unwrap();
            let read = password_of(&path).ok();
            assert_eq!(read.as_ref().map(Secret::expose), password, "{content:?}");
        }
        assert!(password_of(&directory.path().join("missing")).unwrap_err().to_string().contains("missing"));
    }
}
