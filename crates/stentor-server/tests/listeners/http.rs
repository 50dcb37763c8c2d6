//! `/live` and `/ready`.

use std::net::SocketAddr;
use std::sync::Arc;

use stentor_server::listener;
use stentor_server::listener::http::{self, Health};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Client, Server, in_time};

/// The status and the body of the answer to one request.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut client = Client::new(TcpStream::connect(address).await.expect("it is listened on"));
    client.send(format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
    let mut answer = String::new();
    in_time(client.0.read_to_string(&mut answer)).await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("headers end").1;
    (status, body.trim_end().to_owned())
}

#[tokio::test]
async fn live_and_ready_tell_how_the_node_is() {
    let health = Arc::new(Health::default());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let bound = listener::bind(&["http://127.0.0.1:0".parse().unwrap()]).unwrap().pop().unwrap();
    let address = bound.listen().address;
    http::serve(bound, &health, &tasks, stop.clone()).unwrap();

    assert_eq!(ask(address, "GET /live").await, (200, "live".to_owned()));
    assert_eq!(ask(address, "GET /ready").await, (503, "starting".to_owned()));
    health.starting("the store cannot be reached: nobody is there");
    assert_eq!(ask(address, "GET /ready").await.1, "the store cannot be reached: nobody is there");

    let server = Server::start().await;
    health.running(&server.node);
    assert_eq!(ask(address, "GET /ready").await, (200, "ready".to_owned()));
    server.node.fleet.note_renewal(false);
    assert_eq!(ask(address, "GET /ready").await, (503, "the store does not answer".to_owned()));
    server.node.fleet.note_renewal(true);
    assert_eq!(ask(address, "GET /ready").await.0, 200);

    assert_eq!(ask(address, "POST /ready").await.0, 405);
    assert_eq!(ask(address, "GET /").await.0, 404);
    in_time(server.node.shutdown()).await;
    assert_eq!(ask(address, "GET /ready").await, (503, "this node is shutting down".to_owned()));
    assert_eq!(ask(address, "GET /live").await.0, 200);

    stop.cancel();
    tasks.close();
    in_time(tasks.wait()).await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn an_endless_request_is_cut_off() {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let bound = listener::bind(&["http://127.0.0.1:0".parse().unwrap()]).unwrap().pop().unwrap();
    let address = bound.listen().address;
    http::serve(bound, &Arc::default(), &tasks, stop).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /live HTTP/1.1\r\n").await.unwrap();
    let header = format!("X: {}\r\n", "x".repeat(1000));
    let endless = async { while stream.write_all(header.as_bytes()).await.is_ok() {} };
    in_time(endless).await;
    assert_eq!(ask(address, "GET /live").await.0, 200);
}
