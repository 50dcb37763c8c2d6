//! A `redis-server` process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use crate::tls::Authority;
use crate::{port, process};

/// How a server is to be started.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    lines: Vec<String>,
    tls: Option<Tls>,
    login: Option<(String, String)>,
}

#[derive(Clone, Debug)]
struct Tls {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl RedisOptions {
    /// Plaintext, no password, an append-only file, sixteen databases.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line to the server's configuration; it wins over what is set otherwise.
    #[must_use]
    pub fn conf(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Listens with TLS alone, with a certificate from `authority`; asks clients for one from there if `client` is set.
    #[must_use]
    pub fn tls(mut self, authority: &Authority, client: bool) -> Self {
        let (certificate, key) = authority.issue("redis");
        self.tls = Some(Tls { authority: authority.certificate(), certificate, key });
        self.conf(if client { "tls-auth-clients yes" } else { "tls-auth-clients no" })
    }

    /// Sets the password of the user `default`, with which [`RedisServer::cli`] logs in too.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.login = Some(("default".to_owned(), password.to_owned()));
        self.conf(&format!("requirepass {password}"))
    }

    /// Adds a user with the rules of `ACL SETUSER`.
    #[must_use]
    pub fn user(self, name: &str, rules: &str) -> Self {
        self.conf(&format!("user {name} {rules}"))
    }

    /// Starts the server.
    ///
    /// # Panics
    /// Where there is no `redis-server`, or it does not start.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let directory = tempfile::tempdir().expect("a directory for the server");
        // Between the choice of a port and its use another process may take it.
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let port = port::to_come_back_to();
            match launch(&self, &directory, port) {
                Ok(child) => return RedisServer { options: self, directory, port, child: Some(child) },
                Err(why) => failure = why,
            }
        }
        panic!("redis-server does not start: {failure}");
    }
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    options: RedisOptions,
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server with the usual [`RedisOptions`].
    #[must_use]
    pub fn start() -> Self {
        RedisOptions::new().start()
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, with the scheme that it speaks, without a login.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Runs one command with `redis-cli` and returns what it prints.
    ///
    /// # Panics
    /// Where that fails.
    #[must_use]
    pub fn cli(&self, command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(tls) = &self.options.tls {
            cli.arg("--tls").arg("--cacert").arg(&tls.authority);
            cli.arg("--cert").arg(&tls.certificate).arg("--key").arg(&tls.key);
        }
        if let Some((user, password)) = &self.options.login {
            cli.args(["--user", user]).env("REDISCLI_AUTH", password);
        }
        let output = cli.args(command).output().expect("redis-cli is installed");
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "redis-cli {command:?}: {text} {complaint}");
        text
    }

    /// Ends the process as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the process again, on the same port with the same data, after [`RedisServer::kill`].
    ///
    /// # Panics
    /// Where it does not start.
    pub fn restart(&mut self) {
        self.kill();
        // Another process that looks for a port may hold this one for a moment.
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            match launch(&self.options, &self.directory, self.port) {
                Ok(child) => {
                    self.child = Some(child);
                    return;
                }
                Err(why) => failure = why,
            }
        }
        panic!("redis-server does not start again: {failure}");
    }

    /// Stops the process where it stands (SIGSTOP). Its connections stay open.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        process::signal(self.child.as_ref().expect("the server runs"), name);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the process and waits until it says that it accepts connections.
fn launch(options: &RedisOptions, directory: &TempDir, port: u16) -> Result<Child, String> {
    let mut lines = vec![
        "bind 127.0.0.1".to_owned(),
        format!("dir {}", directory.path().display()),
        "daemonize no".to_owned(),
        "appendonly yes".to_owned(),
        // Each command is written at once and the rest is left to the system: where a disk is slow, `everysec` has it wait with
        // that, and one that is killed loses what was acknowledged.
        "appendfsync no".to_owned(),
        "save \"\"".to_owned(),
    ];
    match &options.tls {
        None => lines.push(format!("port {port}")),
        Some(tls) => lines.extend([
            "port 0".to_owned(),
            format!("tls-port {port}"),
            format!("tls-ca-cert-file {}", tls.authority.display()),
            format!("tls-cert-file {}", tls.certificate.display()),
            format!("tls-key-file {}", tls.key.display()),
        ]),
    }
    lines.extend(options.lines.iter().cloned());
    let file = directory.path().join("redis.conf");
    std::fs::write(&file, lines.join("\n")).map_err(|error| error.to_string())?;

    let mut child = Command::new("redis-server")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = BufReader::new(child.stdout.take().expect("its output is piped"));
    let (say, said) = mpsc::sync_channel::<Result<(), String>>(1);
    // The output is read to its end, so that the server never waits for a reader.
    std::thread::spawn(move || {
        let mut last = Vec::new();
        for line in output.lines().map_while(Result::ok) {
            if line.contains("Ready to accept connections") {
                let _ = say.try_send(Ok(()));
            }
            last.push(line);
            if last.len() > 20 {
                last.remove(0);
            }
        }
        let _ = say.try_send(Err(last.join("\n")));
    });
    let ready = said.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("it is not ready in time".to_owned()));
    if ready.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    ready.map(|()| child)
}

const PATIENCE: Duration = Duration::from_secs(20);
/// How often a start is tried.
const ATTEMPTS: usize = 5;
