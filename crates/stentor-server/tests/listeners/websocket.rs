//! IRC in WebSocket messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, SignatureScheme};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::irc::alert;
use crate::{Client, Server, in_time};

/// A client whose library knows nothing of ours but the specification.
struct WebClient<S>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> WebClient<S> {
    /// Asks for a WebSocket with these headers.
    async fn open(
        stream: S,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Option<String>), Error> {
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header's value"));
        }
        let (socket, response) = in_time(client_async(request, stream)).await?;
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.map(|protocol| protocol.to_str().expect("a protocol's name").to_owned());
        Ok((Self(socket), protocol))
    }

    async fn send(&mut self, line: &str) {
        in_time(self.0.send(Message::text(line))).await.expect("the node takes messages");
    }

    /// The next message; an error at the end of the connection.
    async fn message(&mut self) -> Result<Message, Error> {
        in_time(self.0.next()).await.unwrap_or(Err(Error::AlreadyClosed))
    }

    /// The next line with this in it.
    async fn line_with(&mut self, wanted: &str) -> String {
        loop {
            let message = self.message().await.expect("the connection goes on");
            let line = String::from_utf8(message.into_data().to_vec()).expect("lines are UTF-8");
            assert!(!line.contains(['\r', '\n']), "{line:?}");
            if line.contains(wanted) {
                return line;
            }
        }
    }

    async fn register(&mut self, nick: &str) {
        self.send(&format!("NICK {nick}")).await;
        self.send(&format!("USER {nick} 0 * :{nick}")).await;
        self.line_with(" 001 ").await;
    }

    /// What comes until the close frame, and what that says.
    async fn last_words(&mut self) -> (Vec<String>, u16, String) {
        let mut lines = Vec::new();
        loop {
            match self.message().await.expect("the connection ends in order") {
                Message::Close(Some(CloseFrame { code, reason })) => {
                    return (lines, code.into(), reason.to_string());
                }
                message => lines.push(message.into_text().expect("lines are UTF-8").to_string()),
            }
        }
    }
}

impl Server {
    async fn open_web(
        &self,
        headers: &[(&'static str, &str)],
    ) -> Result<(WebClient<TcpStream>, Option<String>), Error> {
        let stream = TcpStream::connect(self.web).await.expect("it is listened on");
        WebClient::open(stream, &format!("ws://{}/", self.web), headers).await
    }

    async fn web(&self, nick: &str) -> WebClient<TcpStream> {
        let text = [("sec-websocket-protocol", "text.ircv3.net")];
        let (mut client, _) = self.open_web(&text).await.expect("a WebSocket is granted");
        client.register(nick).await;
        client
    }

    /// A connection on which a WebSocket has been granted, for frames that no library sends.
    async fn raw(&self) -> Client<TcpStream> {
        let mut client = Client::new(TcpStream::connect(self.web).await.expect("it is listened on"));
        client.send(UPGRADE).await;
        assert_eq!(client.line().await, "HTTP/1.1 101 Switching Protocols");
        while !client.line().await.is_empty() {}
        client
    }

    /// The status and the page that answer a request on a WebSocket listener.
    async fn status(&self, request: &str) -> (u16, String) {
        let mut client = Client::new(TcpStream::connect(self.web).await.expect("it is listened on"));
        client.send(request).await;
        let mut answer = String::new();
        in_time(client.0.read_to_string(&mut answer)).await.expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer)
    }
}

/// The status of an answer that grants no WebSocket.
fn refusal<T>(answer: Result<T, Error>) -> u16 {
    match answer {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a WebSocket was granted"),
    }
}

/// A client's frame, with a mask.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match u8::try_from(payload.len()).ok().filter(|length| *length < 126) {
        Some(length) => bytes.push(0x80 | length),
        None => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).expect("a short message").to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The node's next frame: its first byte and its payload.
async fn next_frame(client: &mut Client<TcpStream>) -> (u8, Vec<u8>) {
    let read = async {
        let first = client.0.read_u8().await?;
        let length = match client.0.read_u8().await? {
            126 => usize::from(client.0.read_u16().await?),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        client.0.read_exact(&mut payload).await?;
        std::io::Result::Ok((first, payload))
    };
    in_time(read).await.expect("a frame")
}

/// The code and the reason of the close frame that comes next.
async fn close_frame(client: &mut Client<TcpStream>) -> (u16, String) {
    loop {
        let (first, payload) = next_frame(client).await;
        if first == 0x88 {
            let (code, reason) = payload.split_first_chunk::<2>().expect("a code");
            return (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("UTF-8"));
        }
    }
}

#[tokio::test]
async fn both_subprotocols_are_spoken_in_the_clients_order() {
    let server = Server::start().await;
    let mut plain = server.connect().await;
    plain.register("tcp").await;
    let cases = [
        ("text.ircv3.net", "text.ircv3.net"),
        ("binary.ircv3.net", "binary.ircv3.net"),
        ("binary.ircv3.net, text.ircv3.net", "binary.ircv3.net"),
        ("chat, text.ircv3.net, binary.ircv3.net", "text.ircv3.net"),
    ];
    for (number, (offered, wanted)) in cases.into_iter().enumerate() {
        let (mut client, protocol) = server.open_web(&[("sec-websocket-protocol", offered)]).await.unwrap();
        assert_eq!(protocol.as_deref(), Some(wanted));
        let nick = format!("web{number}");
        client.register(&nick).await;
        client.send("PRIVMSG tcp :grüße").await;
        plain.line_with("PRIVMSG tcp :grüße").await;
        plain.send(format!("PRIVMSG {nick} :hallo\r\n")).await;
        let message = loop {
            let message = client.message().await.unwrap();
            if message.to_text().unwrap().contains(&format!("PRIVMSG {nick} :hallo")) {
                break message;
            }
        };
        assert_eq!(message.is_text(), wanted == "text.ircv3.net");
    }
}

#[tokio::test]
async fn without_a_subprotocol_the_clients_kind_of_message_is_answered() {
    let server = Server::start().await;
    let (mut text, protocol) = server.open_web(&[]).await.unwrap();
    assert_eq!(protocol, None);
    text.send("PING a").await;
    assert!(text.message().await.unwrap().is_text());
    let (mut binary, _) = server.open_web(&[]).await.unwrap();
    binary.0.send(Message::binary("PING a")).await.unwrap();
    assert!(binary.message().await.unwrap().is_binary());
    let unknown = UPGRADE.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: irc\r\n\r\n");
    let mut other = Client::new(TcpStream::connect(server.web).await.unwrap());
    other.send(unknown).await;
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") {
        in_time(other.0.read_line(&mut headers)).await.unwrap();
    }
    let headers = headers.to_ascii_lowercase();
    assert!(headers.starts_with("http/1.1 101 ") && !headers.contains("sec-websocket-protocol"), "{headers}");
    assert!(!headers.contains("sec-websocket-extensions"), "nothing is compressed: {headers}");
}

#[tokio::test]
async fn over_tls_it_is_the_nodes_certificate_and_http() {
    let server = Server::start().await;
    let mut config = server.connector.config().as_ref().clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(server.web_secure).await.unwrap();
    let stream = in_time(connector.connect("localhost".try_into().unwrap(), stream)).await.unwrap();
    let url = format!("ws://localhost:{}/", server.web_secure.port());
    let own_page = format!("https://localhost:{}", server.web_secure.port());
    let headers = [("sec-websocket-protocol", "text.ircv3.net"), ("origin", own_page.as_str())];
    let (mut web, _) = WebClient::open(stream, &url, &headers).await.unwrap();
    web.register("web").await;
    let mut irc = server.connect_secure().await.unwrap();
    irc.register("irc").await;
    web.send("JOIN #room").await;
    web.line_with(" 366 ").await;
    irc.send("JOIN #room\r\nPRIVMSG #room :to the web\r\n").await;
    web.line_with("PRIVMSG #room :to the web").await;
    web.send("PRIVMSG #room :from the web").await;
    irc.line_with("PRIVMSG #room :from the web").await;
    web.send("WHOIS web").await;
    web.line_with(" 671 ").await;
}

/// A client that notes whether it is asked for a certificate, and has none.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn browsers_are_asked_for_no_certificate() {
    let server = Server::start().await;
    for (port, expected) in [(server.secure, true), (server.web_secure, false)] {
        let asked = Arc::new(Asked::default());
        let mut config = server.connector.config().as_ref().clone();
        config.alpn_protocols.clear();
        config.client_auth_cert_resolver = asked.clone();
        let stream = TcpStream::connect(port).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        in_time(connector.connect("localhost".try_into().unwrap(), stream)).await.unwrap();
        assert_eq!(asked.0.load(Ordering::Relaxed), expected);
    }
}

#[tokio::test]
async fn plaintext_on_the_tls_port_and_tls_on_the_plaintext_port_are_told_so() {
    let server = Server::start().await;
    let mut client = Client::new(TcpStream::connect(server.web_secure).await.unwrap());
    client.send(UPGRADE).await;
    assert_eq!(client.line().await, "HTTP/1.1 400 Bad Request");
    let mut page = String::new();
    in_time(client.0.read_to_string(&mut page)).await.unwrap();
    assert!(page.ends_with("This port speaks TLS: wss:// instead of ws://\n"), "{page}");
    let stream = TcpStream::connect(server.web).await.unwrap();
    let error = server.handshake(stream).await.err().expect("there is no TLS");
    assert_eq!(alert(&error), Some(AlertDescription::ProtocolVersion), "{error}");
}

#[tokio::test]
async fn web_pages_from_elsewhere_are_refused_until_they_are_listed() {
    let server = Server::start_with("websocket.origins = ['https://chat.example']").await;
    let own = format!("http://{}", server.web);
    assert!(server.open_web(&[("origin", &own)]).await.is_ok(), "a page from this node");
    assert!(server.open_web(&[("origin", "https://chat.example")]).await.is_ok(), "a page that is listed");
    assert!(server.open_web(&[]).await.is_ok(), "no page at all");
    for elsewhere in ["https://evil.example", "http://chat.example", "null", "http://127.0.0.1"] {
        assert_eq!(refusal(server.open_web(&[("origin", elsewhere)]).await), 403, "{elsewhere}");
    }
    // A name that somebody else made lead here.
    let rebound = UPGRADE.replace("localhost", "evil.example");
    let rebound = rebound.replace("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n");
    let (status, page) = server.status(&rebound).await;
    assert_eq!(status, 403);
    assert!(page.contains("`websocket.origins`"), "{page}");
}

#[tokio::test]
async fn other_requests_are_told_what_is_spoken_here() {
    let server = Server::start().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(server.status(&get("/live")).await.0, 200);
    assert_eq!(server.status(&get("/ready")).await.0, 200);
    server.node.fleet.note_renewal(false);
    assert_eq!(server.status(&get("/ready")).await.0, 503);
    let (status, page) = server.status(&get("/")).await;
    assert!(status == 426 && page.to_ascii_lowercase().contains("upgrade: websocket"), "{page}");
    let (status, page) = server.status(&UPGRADE.replace("Version: 13", "Version: 8")).await;
    assert!(status == 426 && page.to_ascii_lowercase().contains("sec-websocket-version: 13"), "{page}");
    assert_eq!(server.status(&UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short")).await.0, 400);
    assert_eq!(server.status(&UPGRADE.replace("GET ", "POST ")).await.0, 400);
    let long = UPGRADE.replace("\r\n\r\n", &format!("\r\nCookie: {}\r\n\r\n", "x".repeat(20_000)));
    assert_eq!(server.status(&long).await.0, 431);
}

#[tokio::test]
async fn half_a_request_ends_in_time() {
    let server = Server::start_with("tls.handshake_timeout = '2s'").await;
    let mut client = Client::new(TcpStream::connect(server.web).await.unwrap());
    client.send("GET / HTTP/1.1\r\nHost: loc").await;
    assert_eq!(client.line().await, "");
}

#[tokio::test]
async fn a_line_that_is_too_long_is_dropped_and_the_next_one_is_read() {
    let server = Server::start().await;
    let mut web = server.web("web").await;
    web.send(&format!("PRIVMSG web :{}", "x".repeat(510 - 13))).await;
    web.line_with("PRIVMSG web :xxx").await;
    for length in [511, 5000, 60_000] {
        web.send(&"x".repeat(length)).await;
        web.line_with(" 417 ").await;
    }
    web.send("PING after").await;
    web.line_with("PONG").await;
}

#[tokio::test]
async fn a_frame_that_is_far_too_long_ends_the_connection_before_it_has_come() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    // The header alone, of a frame of a gigabyte.
    client.send([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]).await;
    let (code, reason) = close_frame(&mut client).await;
    assert_eq!((code, reason.as_str()), (1009, "A message has one line, and this one is far too long"));
    assert_eq!(client.line().await, "", "the connection ends");

    let mut client = server.raw().await;
    client.send(frame(0x01, &[b'x'; 30_000])).await;
    client.send(frame(0x00, &[b'x'; 30_000])).await;
    client.send(frame(0x00, &[b'x'; 30_000])).await;
    assert_eq!(close_frame(&mut client).await.0, 1009);
}

#[tokio::test]
async fn a_message_may_come_in_fragments_with_pings_between() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let mut bytes = frame(0x01, b"PING o");
    bytes.extend(frame(0x89, b"are you there?"));
    bytes.extend(frame(0x00, b""));
    bytes.extend(frame(0x80, b"ne"));
    for byte in bytes {
        client.send([byte]).await;
    }
    assert_eq!(next_frame(&mut client).await, (0x8a, b"are you there?".to_vec()));
    let (first, line) = next_frame(&mut client).await;
    assert_eq!(first, 0x81);
    let line = String::from_utf8(line).unwrap();
    assert!(line.ends_with("PONG test.example one") || line.ends_with("PONG test.example :one"), "{line}");
}

#[tokio::test]
async fn what_is_no_text_is_refused_by_the_rules_of_its_message() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    client.send(frame(0x82, b"PRIVMSG web :caf\xe9")).await;
    let (_, line) = next_frame(&mut client).await;
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains("FAIL PRIVMSG INVALID_UTF8"), "{line}");
    client.send(frame(0x81, b"PING a\r\nQUIT :two lines")).await;
    let (_, line) = next_frame(&mut client).await;
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains("a lone CR or another line, and was not sent"), "{line}");
    client.send(frame(0x81, b"PRIVMSG web :caf\xe9")).await;
    assert_eq!(close_frame(&mut client).await, (1007, "A text message is not UTF-8".to_owned()));
    let mut unmasked = server.raw().await;
    unmasked.send([0x81, 1, b'x']).await;
    assert_eq!(close_frame(&mut unmasked).await.0, 1002);
}

#[tokio::test]
async fn the_last_lines_come_before_the_close_frame_which_says_why() {
    let server = Server::start().await;
    let mut web = server.web("web").await;
    web.send("PING last").await;
    web.send("QUIT :bye").await;
    let (lines, code, reason) = web.last_words().await;
    assert_eq!((code, reason.as_str()), (1000, "Quit: bye"));
    let [.., pong, error] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(pong.contains("PONG") && error == "ERROR :Quit: bye", "{lines:?}");
    assert!(web.message().await.is_err(), "the connection ends");

    let mut web = server.web("web").await;
    let (last, ()) = tokio::join!(web.last_words(), in_time(server.node.shutdown()));
    assert_eq!((last.1, last.2.as_str()), (1001, "This server is shutting down"));
    assert!(server.node.tasks.is_empty(), "every connection's task has ended");
}

#[tokio::test]
async fn a_client_that_closes_is_answered_and_leaves_nothing_behind() {
    let server = Server::start().await;
    let mut other = server.connect().await;
    other.register("other").await;
    let mut client = server.raw().await;
    client.send(frame(0x81, b"NICK web")).await;
    client.send(frame(0x81, b"USER web 0 * :web")).await;
    client.send(frame(0x81, b"JOIN #other")).await;
    other.line_with(" JOIN ").await;
    client.send(frame(0x81, b"PRIVMSG #other :the end")).await;
    client.send(frame(0x88, &[0x03, 0xe9])).await;
    assert_eq!(close_frame(&mut client).await, (1001, String::new()));
    other.line_with("PRIVMSG #other :the end").await;
    other.line_with(" QUIT ").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_told_why() {
    let server = Server::start_with("limits.send_queue = '16KiB'\nlimits.lines_per_second = 0").await;
    let mut slow = server.web("slow").await;
    let mut fast = server.connect().await;
    fast.register("fast").await;
    slow.send("JOIN #fast").await;
    slow.line_with(" 366 ").await;
    fast.line_with(" JOIN ").await;
    let line = format!("PRIVMSG #fast :{}\r\n", "x".repeat(480));
    let quit = {
        let (reader, mut writer) = tokio::io::split(fast.0);
        let flood = async { while writer.write_all(line.as_bytes()).await.is_ok() {} };
        let mut lines = tokio::io::BufReader::new(reader).lines();
        let quit = async {
            loop {
                let line = lines.next_line().await.expect("the flood goes on").expect("the flood goes on");
                if line.contains(" QUIT ") {
                    return line;
                }
            }
        };
        tokio::select! {
            // Neither is gone on with.
            () = flood => panic!("nobody was cut off"),
            quit = tokio::time::timeout(FLOOD, quit) => quit.expect("the slow client is cut off"),
        }
    };
    assert!(quit.ends_with(":SendQ exceeded"), "{quit}");
    let (_, code, reason) = slow.last_words().await;
    assert_eq!((code, reason.as_str()), (1008, "SendQ exceeded"));
}

#[tokio::test]
async fn a_trusted_proxy_names_its_client_in_http_or_before() {
    let server =
        Server::start_with("proxy.trusted = ['127.0.0.0/8']\nlimits.unregistered_per_address = 1").await;
    let cloak = server.node.cloak("192.0.2.7".parse().unwrap());
    let forwarded = [("x-forwarded-for", "6.6.6.6, 192.0.2.7"), ("x-forwarded-proto", "https")];
    let (mut web, _) = server.open_web(&forwarded).await.unwrap();
    assert_eq!(refusal(server.open_web(&forwarded).await), 429, "one has not registered yet");
    web.register("web").await;
    web.send("JOIN #web").await;
    assert!(web.line_with(" JOIN ").await.contains(&cloak));
    web.send("WHOIS web").await;
    web.line_with(" 671 ").await;

    let mut stream = TcpStream::connect(server.web).await.unwrap();
    stream.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n").await.unwrap();
    let forged = [("x-forwarded-for", "192.0.2.99")];
    let (mut second, _) = WebClient::open(stream, "ws://localhost/", &forged).await.unwrap();
    second.register("second").await;
    second.send("JOIN #web").await;
    assert!(second.line_with(" JOIN ").await.contains(&cloak), "only a proxy is believed");

    assert_eq!(refusal(server.open_web(&[]).await), 400, "a proxy that does not say");
    assert_eq!(server.status("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.0, 200);
}

#[tokio::test]
async fn nobody_but_a_proxy_is_believed_about_an_address() {
    let server = Server::start().await;
    let (mut web, _) = server.open_web(&[("x-forwarded-for", "192.0.2.7")]).await.unwrap();
    web.register("web").await;
    web.send("JOIN #web").await;
    let own = server.node.cloak("127.0.0.1".parse().unwrap());
    assert!(web.line_with(" JOIN ").await.contains(&own));
}

/// A request as a browser sends it, for a page that is from nowhere.
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// How long it may take to fill the sockets of a client that does not read.
const FLOOD: Duration = Duration::from_secs(60);
