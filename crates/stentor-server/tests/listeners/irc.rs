//! TLS, plaintext, and clients that take one for the other.

use std::io;
use std::net::SocketAddr;

use rustls::AlertDescription;
use stentor_server::config::Listen;
use stentor_server::listener;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::{Client, Server, in_time};

#[tokio::test]
async fn clients_are_served_over_tls_and_in_plaintext() {
    let server = Server::start().await;
    let mut secure = server.connect_secure().await.unwrap();
    let mut plain = server.connect().await;
    assert_eq!(secure.register("alice").await, plain.register("bob").await, "both come from loopback");
    plain.send("PRIVMSG alice :hi\r\n").await;
    secure.line_with("PRIVMSG alice :hi").await;
}

#[tokio::test]
async fn plaintext_on_the_tls_port_is_told_so() {
    let server = Server::start().await;
    let mut client = Client::new(TcpStream::connect(server.secure).await.unwrap());
    client.send("CAP LS 302\r\nNICK alice\r\nUSER alice 0 * :alice\r\n").await;
    assert_eq!(client.line().await, "ERROR :This port speaks TLS; switch it on in your client");
    assert_eq!(client.line().await, "");
}

#[tokio::test]
async fn tls_on_a_plaintext_port_gets_an_alert() {
    let server = Server::start().await;
    let stream = TcpStream::connect(server.plain).await.unwrap();
    let error = server.handshake(stream).await.err().expect("there is no TLS");
    assert_eq!(alert(&error), Some(AlertDescription::ProtocolVersion), "{error}");
    assert!(server.connect().await.register("alice").await.len() > 1, "others are served");
}

#[tokio::test]
async fn half_a_handshake_ends_in_time_and_holds_nobody_up() {
    let server = Server::start_with("tls.handshake_timeout = '2s'").await;
    let mut silent = Client::new(TcpStream::connect(server.secure).await.unwrap());
    let mut half = Client::new(TcpStream::connect(server.secure).await.unwrap());
    half.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    server.connect_secure().await.unwrap().register("alice").await;
    for client in [&mut silent, &mut half] {
        let mut rest = Vec::new();
        // Closed, or reset because of what was not read.
        let _ = in_time(client.0.read_to_end(&mut rest)).await;
        assert!(rest.is_empty() || rest.first() == Some(&21), "nothing but an alert: {rest:?}");
    }
}

#[tokio::test]
async fn garbage_after_the_first_byte_of_tls_is_refused() {
    let server = Server::start().await;
    let mut client = Client::new(TcpStream::connect(server.secure).await.unwrap());
    client.send([0x16; 600]).await;
    let mut rest = Vec::new();
    let _ = in_time(client.0.read_to_end(&mut rest)).await;
    assert!(rest.is_empty() || rest.first() == Some(&21), "{rest:?}");
}

#[tokio::test]
async fn a_draining_node_takes_nobody_in_any_more() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.register("alice").await;
    let mut half = Client::new(TcpStream::connect(server.secure).await.unwrap());
    half.send([0x16, 3, 1]).await;
    in_time(server.node.shutdown()).await;
    client.line_with("ERROR :").await;
    for address in [server.plain, server.secure] {
        let error = TcpStream::connect(address).await.expect_err("the port is closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    assert!(server.node.tasks.is_empty(), "every connection's task has ended");
}

#[tokio::test]
async fn a_port_that_is_in_use_is_named() {
    let listen = |address: SocketAddr| format!("ircs://{address}").parse::<Listen>().unwrap();
    let mut bound = listener::bind(&[listen("127.0.0.1:0".parse().unwrap())]).unwrap();
    let first = bound.pop().unwrap();
    let taken = first.listen();
    assert_ne!(taken.address.port(), 0, "the port is known before it is open");
    let refused = TcpStream::connect(taken.address).await.expect_err("nobody is taken in yet");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let _open = first.open().unwrap();
    let error = listener::bind(&[taken]).expect_err("the port is in use").to_string();
    let port = taken.address.port();
    assert!(
        error.starts_with(&format!("cannot listen on ircs://127.0.0.1:{port}: port {port} is in use")),
        "{error}"
    );
    assert!(error.contains("--listen ircs://127.0.0.1:PORT"), "{error}");
}

#[tokio::test]
async fn ipv6_is_listened_on_where_there_is_any() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let bound = listener::bind(&["irc://[::1]:0".parse().unwrap()]).unwrap();
    let mut entrance = bound.into_iter().next().unwrap().open().unwrap();
    let address = entrance.listen().address;
    let (_client, taken) = tokio::join!(TcpStream::connect(address), in_time(entrance.accept()));
    assert!(taken.1.is_ipv6());
    let none = listener::bind(&["irc://[2001:db8::1]:0".parse().unwrap()]).expect_err("not this machine's");
    assert!(none.to_string().contains("2001:db8::1"), "{none}");
}

/// The alert that ended a handshake.
pub(crate) fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}
