//! `stentor ready`: asks a node's `/ready`, for whatever watches over it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use stentor_server::config::{Config, Listen, Scheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::ReadyArgs;
use crate::failure::Failure;
use crate::operator;
use crate::output::Output;
use crate::settings;

pub(crate) fn run(args: &ReadyArgs) -> Result<(), Failure> {
    let listen = match &args.url {
        Some(listen) => *listen,
        None => configured(&settings::load(&args.common)?)?,
    };
    let address = reachable(listen.address);
    let answer = operator::block_on(async {
        let asked = timeout(PATIENCE, ask(address)).await;
        let failed = |why: String| Failure::Failed(format!("http://{address}/ready: {why}"));
        asked.map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?.map_err(failed)
    })?;
    match answer {
        (200, text) => Ok(Output::new().text(&format!("{text}\n"))?),
        (_, text) => Err(Failure::Failed(format!("not ready: {text}"))),
    }
}

fn configured(config: &Config) -> Result<Listen, Failure> {
    let found =
        config.listen.iter().find(|listen| listen.scheme == Scheme::Http && listen.address.port() != 0);
    found.copied().ok_or_else(|| {
        Failure::Usage("no http:// listener is configured; name the one of the node: stentor ready http://127.0.0.1:8080".to_owned())
    })
}

/// A listener on all addresses is on loopback, too.
fn reachable(address: SocketAddr) -> SocketAddr {
    // `[::]` stands for IPv4 too, and for nothing else on a machine without IPv6.
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// The status and the text of the answer.
async fn ask(address: SocketAddr) -> Result<(u16, String), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    read(&String::from_utf8_lossy(&answer)).ok_or_else(|| "this is no answer of a node".to_owned())
}

fn read(answer: &str) -> Option<(u16, String)> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some((status, text))
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many bytes of an answer are read.
const ANSWER_MAX: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_text() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nstarting\n";
        assert_eq!(read(answer), Some((503, "starting".to_owned())));
        for answer in
            ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 2\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 äää\r\n\r\n"]
        {
            assert_eq!(read(answer), None, "{answer}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        for (address, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "127.0.0.1:80"), ("192.0.2.7:80", "192.0.2.7:80")]
        {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), asked);
        }
    }
}
