//! One client's socket.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::message::Said;

/// A client of the node. Whatever does not come within ten seconds fails the test, which then shows what came last.
pub struct TestClient {
    /// Its nick, or `*` before it has registered.
    pub nick: String,
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    /// What was sent and read lately.
    transcript: VecDeque<String>,
    pings: u32,
}

impl TestClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the node listens");
        stream.set_nodelay(true).expect("a TCP socket has this option");
        let (input, output) = stream.into_split();
        let nick = "*".to_owned();
        Self { nick, input: BufReader::new(input), output, transcript: VecDeque::new(), pings: 0 }
    }

    /// Registers, by SASL where there is a password, and reads up to the end of the welcome and what follows it.
    pub async fn register(&mut self, nick: &str, password: Option<&str>, capabilities: &[&str]) -> Vec<Said> {
        self.send("CAP LS 302").await;
        let mut wanted = capabilities.to_vec();
        if password.is_some() && !wanted.contains(&"sasl") {
            wanted.push("sasl");
        }
        for capability in wanted {
            self.send(&format!("CAP REQ :{capability}")).await;
            let answer = self.expect(|line| line.contains(" ACK ") || line.contains(" NAK ")).await;
            assert!(answer.contains(" ACK "), "{capability} is not offered");
        }
        if let Some(password) = password {
            self.send("AUTHENTICATE PLAIN").await;
            self.expect(|line| line.ends_with("AUTHENTICATE +")).await;
            let response = STANDARD.encode(format!("\0{nick}\0{password}"));
            self.send(&format!("AUTHENTICATE {response}")).await;
            self.expect_numeric("903").await;
        }
        self.send(&format!("NICK {nick}")).await;
        self.send(&format!("USER {} 0 * :The real {nick}", nick.to_lowercase())).await;
        self.send("CAP END").await;
        self.expect_numeric("001").await;
        nick.clone_into(&mut self.nick);
        self.drain_until_pong().await
    }

    /// Sends a line.
    pub async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes()).await;
    }

    /// Says QUIT, and waits until the connection is closed.
    pub async fn quit(mut self) {
        self.send("QUIT").await;
        self.expect_closed().await;
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.note(format!("-> {}", String::from_utf8_lossy(bytes).trim_end()));
        if self.output.write_all(bytes).await.is_err() {
            panic!("the connection is closed\n{self}");
        }
    }

    /// Sends a line and returns all that came until the PONG that follows it: its answer, and what others caused before.
    pub async fn ask(&mut self, line: &str) -> Vec<Said> {
        self.send(line).await;
        self.drain_until_pong().await
    }

    /// All that arrives before the PONG of a PING that is sent now. Whatever this client's earlier commands, and commands of
    /// others that have been answered, cause on this node comes before it.
    pub async fn drain_until_pong(&mut self) -> Vec<Said> {
        self.pings += 1;
        let token = format!("barrier-{}", self.pings);
        self.send(&format!("PING {token}")).await;
        let mut lines = Vec::new();
        loop {
            let line = self.next().await;
            if line.contains(" PONG ") && line.ends_with(&token) {
                return lines;
            }
            lines.push(Said::new(line));
        }
    }

    /// The next line, whatever it is.
    pub async fn next(&mut self) -> String {
        match self.read("a line").await {
            Some(line) => line,
            None => panic!("the connection was closed\n{self}"),
        }
    }

    /// The next line for which this is true; lines before it are skipped.
    pub async fn expect(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next().await;
            if wanted(&line) {
                return line;
            }
        }
    }

    /// The next line with this numeric or command, without the lines before it.
    pub async fn expect_numeric(&mut self, command: &str) -> Said {
        Said::new(self.expect(|line| Said::new(line).command == command).await)
    }

    /// All lines up to one with this numeric or command, and that one.
    pub async fn collect_until(&mut self, command: &str) -> Vec<Said> {
        let mut lines = Vec::new();
        loop {
            lines.push(Said::new(self.next().await));
            if lines.last().is_some_and(|line| line.command == command) {
                return lines;
            }
        }
    }

    /// Skips lines up to one that is exactly this.
    pub async fn expect_exact(&mut self, wanted: &str) {
        self.note(format!("   (waiting for: {wanted})"));
        self.expect(|line| line == wanted).await;
    }

    /// Reads until the node closes the connection, and returns what came.
    pub async fn expect_closed(&mut self) -> Vec<Said> {
        let mut lines = Vec::new();
        while let Some(line) = self.read("the end of the connection").await {
            lines.push(Said::new(line));
        }
        lines
    }

    /// The next line; `None` at the connection's end.
    async fn read(&mut self, what: &str) -> Option<String> {
        let mut line = Vec::new();
        let read = timeout(DEADLINE, self.input.read_until(b'\n', &mut line)).await;
        let Ok(read) = read else { panic!("{what} did not come within {DEADLINE:?}\n{self}") };
        match read {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                let line = String::from_utf8(line).expect("a node sends UTF-8");
                let line = line.strip_suffix("\r\n").expect("a line ends with CR LF").to_owned();
                self.note(format!("<- {line}"));
                Some(line)
            }
        }
    }

    fn note(&mut self, mut line: String) {
        line.truncate(line.floor_char_boundary(NOTED));
        if self.transcript.len() == TRANSCRIPT {
            self.transcript.pop_front();
        }
        self.transcript.push_back(line);
    }
}

impl fmt::Display for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "what {} sent and read:", self.nick)?;
        self.transcript.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How much of a line a failed test shows.
const NOTED: usize = 600;
/// How many lines a failed test shows.
const TRANSCRIPT: usize = 80;
