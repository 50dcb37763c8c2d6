//! PROXY headers, and the limits on addresses that they name.

use rustls::AlertDescription;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::irc::alert;
use crate::{Client, Server, in_time};

const TRUSTED: &str = "proxy.trusted = ['127.0.0.0/8']";

fn header(from: &str) -> String {
    format!("PROXY TCP4 {from} 127.0.0.1 5000 6667\r\n")
}

/// A client that a proxy connects.
async fn through_proxy(server: &Server, from: &str) -> Client<TcpStream> {
    let mut client = server.connect().await;
    client.send(header(from)).await;
    client
}

/// Version 2, for a client at 192.0.2.7.
fn binary_header() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([192, 0, 2, 7, 127, 0, 0, 1, 0x13, 0x88, 0x1a, 0x0b]);
    header
}

#[tokio::test]
async fn a_trusted_proxy_tells_whom_it_speaks_for() {
    let server = Server::start_with(TRUSTED).await;
    let cloak = server.node.cloak("192.0.2.7".parse().unwrap());
    let mut first = through_proxy(&server, "192.0.2.7").await;
    assert_eq!(first.register("one").await, cloak);
    let mut second = server.connect().await;
    second.send(binary_header()).await;
    assert_eq!(second.register("two").await, cloak);
    let mut own = server.connect().await;
    own.send("PROXY UNKNOWN\r\n").await;
    assert_eq!(own.register("own").await, server.node.cloak("127.0.0.1".parse().unwrap()));
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let server = Server::start_with(TRUSTED).await;
    let mut stream = TcpStream::connect(server.secure).await.unwrap();
    stream.write_all(&binary_header()).await.unwrap();
    let mut client = server.handshake(stream).await.unwrap();
    assert_eq!(client.register("alice").await, server.node.cloak("192.0.2.7".parse().unwrap()));
}

#[tokio::test]
async fn a_header_in_pieces_is_read_as_one() {
    let server = Server::start_with(TRUSTED).await;
    let mut client = server.connect().await;
    for byte in header("192.0.2.7").bytes() {
        client.send([byte]).await;
    }
    assert_eq!(client.register("alice").await, server.node.cloak("192.0.2.7".parse().unwrap()));
}

#[tokio::test]
async fn a_trusted_proxy_without_a_header_is_turned_away() {
    let server = Server::start_with(&format!("{TRUSTED}\ntls.handshake_timeout = '300ms'")).await;
    let mut without = server.connect().await;
    without.send("NICK alice\r\nUSER alice 0 * :alice\r\n").await;
    let mut silent = server.connect().await;
    for client in [&mut without, &mut silent] {
        let mut rest = Vec::new();
        let _ = in_time(client.0.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
}

#[tokio::test]
async fn a_header_from_anybody_else_is_not_believed() {
    let server = Server::start_with("proxy.trusted = ['192.0.2.1']").await;
    let mut client = through_proxy(&server, "192.0.2.7").await;
    assert_eq!(client.register("alice").await, server.node.cloak("127.0.0.1".parse().unwrap()));
    let mut secure = Client::new(TcpStream::connect(server.secure).await.unwrap());
    secure.send(binary_header()).await;
    assert!(secure.line().await.starts_with("ERROR :This port speaks TLS"));
}

#[tokio::test]
async fn an_address_has_so_many_connections_that_have_not_logged_in() {
    let limits = "limits.connections_per_address = 3\nlimits.unregistered_per_address = 2";
    let server = Server::start_with(&format!("{TRUSTED}\n{limits}")).await;
    let refused = "ERROR :Too many connections from your address";
    let mut first = through_proxy(&server, "192.0.2.7").await;
    let mut second = through_proxy(&server, "192.0.2.7").await;
    // What they get an answer to has been let in.
    for client in [&mut first, &mut second] {
        client.send("PING a\r\n").await;
        assert!(!client.line().await.starts_with("ERROR"));
    }
    let mut third = through_proxy(&server, "192.0.2.7").await;
    assert_eq!(third.line().await, refused);
    assert_eq!(third.line().await, "", "and closed");
    through_proxy(&server, "192.0.2.8").await.register("neighbour").await;

    first.register("first").await;
    let mut third = through_proxy(&server, "192.0.2.7").await;
    third.register("third").await;
    let mut fourth = through_proxy(&server, "192.0.2.7").await;
    assert_eq!(fourth.line().await, refused, "three are the most in all");

    let mut stream = TcpStream::connect(server.secure).await.unwrap();
    stream.write_all(&binary_header()).await.unwrap();
    let error = server.handshake(stream).await.err().expect("it is one too many");
    assert_eq!(alert(&error), Some(AlertDescription::AccessDenied), "{error}");

    third.send("QUIT\r\n").await;
    while !third.line().await.is_empty() {}
    drop(third);
    // The place is free once the connection's task has ended, a moment after its last word.
    loop {
        let mut again = through_proxy(&server, "192.0.2.7").await;
        again.send("PING a\r\n").await;
        if again.line().await != refused {
            break;
        }
    }
}
