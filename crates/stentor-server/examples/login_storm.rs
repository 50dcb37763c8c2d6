//! How long a message takes from one client to another, in quiet and while many people log in with bcrypt:
//! `cargo run --release --example login_storm -- [logins] [cost]`.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stentor_testing::{TestClient, TestServer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| {
        arguments.next().map_or(default, |text| text.parse().expect("how many logins, and their bcrypt cost"))
    };
    let (logins, cost) = (number(50), number(12));
    // The configured cost is that of the hashes: otherwise each login would make a new one.
    let server = TestServer::start_with(&[("accounts.bcrypt_cost", &cost.to_string())]).await;
    let hash = bcrypt::hash("secret", cost).expect("it is a legal cost");
    let people: String = (0..logins).map(|index| format!("person{index}:{hash}\n")).collect();
    server.node.accounts.import(&people).await.expect("the accounts can be made");
    let (mut ann, mut bob) = (server.client("ann").await, server.client("bob").await);
    for client in [&mut ann, &mut bob] {
        client.ask("JOIN #room").await;
    }
    ann.drain_until_pong().await;

    let mut quiet = Vec::new();
    for _ in 0..QUIET {
        quiet.push(one_message(&mut ann, &mut bob).await);
    }
    let start = Instant::now();
    let mut storm = JoinSet::new();
    for index in 0..logins {
        storm.spawn(logged_in(server.address(), format!("person{index}")));
    }
    // Who is in stays until the storm is over.
    let (mut during, mut inside) = (Vec::new(), Vec::new());
    while !storm.is_empty() {
        during.push(one_message(&mut ann, &mut bob).await);
        while let Some(client) = storm.try_join_next() {
            inside.push(client.expect("a login succeeds"));
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{logins} logins with cost {cost} took {:?}, on {cores} cores", start.elapsed());
    show("in quiet", quiet);
    show("meanwhile", during);
}

/// Logs in, however long that takes, and returns the connection.
async fn logged_in(address: SocketAddr, account: String) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("the node listens"));
    let login = format!("PASS {account}:secret\r\nNICK {account}\r\nUSER {account} 0 * :x\r\n");
    stream.write_all(login.as_bytes()).await.expect("the connection is open");
    let mut line = String::new();
    while !line.contains(" 001 ") {
        line.clear();
        let read = stream.read_line(&mut line).await.expect("the connection is open");
        assert!(read > 0, "{account} is not let in");
    }
    stream
}

async fn one_message(from: &mut TestClient, to: &mut TestClient) -> Duration {
    let start = Instant::now();
    from.send("PRIVMSG #room :The quick brown fox jumps over the lazy dog").await;
    to.expect_numeric("PRIVMSG").await;
    start.elapsed()
}

fn show(when: &str, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    let longest = waits.last().copied().unwrap_or_default();
    println!(
        "{when}: {} messages, half within {:?}, 99% within {:?}, all within {longest:?}",
        waits.len(),
        at(50),
        at(99)
    );
}

/// How many messages are timed before the storm.
const QUIET: usize = 2000;
