//! A WebSocket as a stream of lines: what a connection reads and writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tungstenite::protocol::frame::coding::CloseCode;

use super::frames::{self, Event, FrameReader, Kind, Violation};
use super::handshake::Protocol;
use crate::connection::rate::Rate;
use crate::listener::irc::{PARTING_BYTES, PARTING_TIME};

/// Lines on the outside, messages of one line each on the inside.
///
/// What is read goes on as it comes, with a line end behind each message, so the caps of the reader of lines are the caps
/// of messages. What is written at once is framed at once, and goes out in one write. An idle stream holds no buffer.
#[derive(Debug)]
pub(super) struct WebSocket<S> {
    inner: S,
    /// What came behind the handshake.
    early: Bytes,
    frames: FrameReader,
    /// For frames that bring nothing.
    rate: Rate,
    protocol: Option<Protocol>,
    /// What messages are sent as.
    kind: Kind,
    /// Frames on their way out, and how much of them has been written.
    out: Vec<u8>,
    written: usize,
    /// The beginning of a line that has not been written to its end.
    unfinished: Vec<u8>,
    /// The payload of the last ping that has not been answered.
    pong: Option<Vec<u8>>,
    /// What the client was told in `ERROR`.
    farewell: Option<String>,
    /// Our close frame is among `out` or has been sent: nothing may follow it.
    closed: bool,
    /// Nothing more is read.
    input_ended: bool,
    /// The node shuts down.
    drain: CancellationToken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// `early` is what came behind the handshake.
    pub(super) fn new(inner: S, early: Bytes, protocol: Option<Protocol>, drain: CancellationToken) -> Self {
        Self {
            inner,
            early,
            frames: FrameReader::default(),
            rate: Rate::new(Some(FRUITLESS_PER_SECOND), FRUITLESS_BURST, Instant::now()),
            protocol,
            kind: if protocol == Some(Protocol::Binary) { Kind::Binary } else { Kind::Text },
            out: Vec::new(),
            written: 0,
            unfinished: Vec::new(),
            pong: None,
            farewell: None,
            closed: false,
            input_ended: false,
            drain,
        }
    }

    /// Waits a moment for the client to close its side: with bytes unread, the system would reset the connection, and the
    /// client might not see what came last.
    pub(super) async fn part(mut self) {
        let leave = async {
            tokio::io::AsyncWriteExt::shutdown(&mut self).await?;
            let mut rest = (&mut self.inner).take(PARTING_BYTES);
            let mut buffer = [0; 1024];
            while rest.read(&mut buffer).await? > 0 {}
            io::Result::Ok(())
        };
        // The client may be gone, or not reading: it has had its chance.
        let _ = timeout(PARTING_TIME, leave).await;
    }

    /// Passes on what `input` has of messages. The room for it is as large as `input`, and one byte more.
    fn decode(&mut self, input: &mut [u8], into: &mut ReadBuf<'_>) -> Result<(), Violation> {
        let mut rest = input;
        loop {
            let (event, left) = self.frames.take(rest)?;
            rest = left;
            match event {
                Event::More if rest.is_empty() => break,
                Event::More | Event::Pong => {}
                Event::Piece { kind, bytes, ends } => {
                    if self.protocol.is_none() {
                        self.protocol = Some(kind.into());
                        self.kind = kind;
                    }
                    let start = into.filled().len();
                    into.put_slice(bytes);
                    // A message is one line. Where there is a line end within, two would come of it; a lone CR is refused.
                    let piece = into.filled_mut().get_mut(start..).unwrap_or_default();
                    piece.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'\r');
                    if ends {
                        into.put_slice(b"\n");
                    }
                }
                Event::Ping(payload) => self.pong = Some(payload),
                Event::Close(code) => {
                    self.close(code, "");
                    self.input_ended = true;
                    return Ok(());
                }
            }
        }
        self.rate.spend(self.frames.take_fruitless(), Instant::now());
        if self.rate.ready(Instant::now()) { Ok(()) } else { Err(TOO_MANY_FRAMES) }
    }

    /// Puts our close frame behind what is on its way; the first one stands.
    fn close(&mut self, code: CloseCode, reason: &str) {
        if !self.closed {
            self.closed = true;
            self.pong = None;
            frames::put_close(&mut self.out, code, reason);
        }
    }

    /// Puts each line into a message of its own.
    fn frame_lines(&mut self, lines: &[u8]) {
        for piece in lines.split_inclusive(|byte| *byte == b'\n') {
            if !piece.ends_with(b"\n") {
                self.unfinished.extend_from_slice(piece);
                continue;
            }
            if self.unfinished.is_empty() {
                self.frame_line(piece);
            } else {
                let mut line = std::mem::take(&mut self.unfinished);
                line.extend_from_slice(piece);
                self.frame_line(&line);
            }
        }
    }

    fn frame_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(reason) = line.strip_prefix(b"ERROR :") {
            self.farewell = Some(String::from_utf8_lossy(reason).into_owned());
        }
        match self.kind {
            // A browser ends the connection over what is not UTF-8. No line of ours is; if one were, it would be seen.
            Kind::Text => {
                frames::put_message(&mut self.out, self.kind, String::from_utf8_lossy(line).as_bytes());
            }
            Kind::Binary => frames::put_message(&mut self.out, self.kind, line),
        }
    }

    /// Writes all that is on its way.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
                let count = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.written += count;
            }
            self.out = Vec::new();
            self.written = 0;
            let Some(payload) = self.pong.take() else { return Poll::Ready(Ok(())) };
            frames::put_pong(&mut self.out, &payload);
        }
    }

    /// Sends the answers to pings and the like, as far as the client takes them; the rest goes with the next write.
    fn answer(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.out.is_empty() && self.pong.is_none() {
            return Ok(());
        }
        if self.poll_drain(cx)?.is_ready() {
            let _ = Pin::new(&mut self.inner).poll_flush(cx)?;
        }
        Ok(())
    }

    /// The code and the reason that end the connection where the client has not.
    fn last_word(&mut self) -> (CloseCode, String) {
        let reason = self.farewell.take().unwrap_or_default();
        let is_own = reason.starts_with("Quit: ") || reason == "Client Quit" || reason.is_empty();
        let code = match reason.as_str() {
            _ if is_own => CloseCode::Normal,
            _ if self.drain.is_cancelled() => CloseCode::Away,
            _ => CloseCode::Policy,
        };
        (code, reason)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let mut scratch = [0; READ_SIZE];
        loop {
            this.answer(cx)?;
            if this.input_ended || buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            // A message that ends in what is read makes one byte more of it: its line end.
            let room = buf.remaining().saturating_sub(1).min(READ_SIZE);
            let Some(scratch) = scratch.get_mut(..room).filter(|scratch| !scratch.is_empty()) else {
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            };
            let count = if this.early.is_empty() {
                let mut raw = ReadBuf::new(scratch);
                ready!(Pin::new(&mut this.inner).poll_read(cx, &mut raw))?;
                raw.filled().len()
            } else {
                let count = this.early.len().min(room);
                scratch.iter_mut().zip(this.early.split_to(count)).for_each(|(to, from)| *to = from);
                count
            };
            if count == 0 {
                this.input_ended = true;
            } else if let Err(violation) = this.decode(scratch.get_mut(..count).unwrap_or_default(), buf) {
                tracing::debug!(reason = violation.reason, "a WebSocket client broke the rules");
                this.close(violation.code, violation.reason);
                this.input_ended = true;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    /// Takes all of `bytes`, once what was taken before has been written.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx))?;
        // Nothing may follow our close frame.
        if !this.closed {
            this.frame_lines(bytes);
            let _ = this.poll_drain(cx)?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.closed {
            let (code, reason) = this.last_word();
            this.close(code, &reason);
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

const TOO_MANY_FRAMES: Violation =
    Violation { code: CloseCode::Policy, reason: "Too many frames that bring no line" };

/// How much is read at once.
const READ_SIZE: usize = 1024;
/// How many pings, pongs, empty messages and pieces of messages a client may send each second.
pub(crate) const FRUITLESS_PER_SECOND: usize = 20;
/// How many of them at once.
pub(crate) const FRUITLESS_BURST: usize = 200;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn pair(protocol: Option<Protocol>) -> (WebSocket<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        (WebSocket::new(ours, Bytes::new(), protocol, CancellationToken::new()), theirs)
    }

    /// A client's frame, with a mask of zeros.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        [&[first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0], payload].concat()
    }

    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        buffer[..count].to_vec()
    }

    #[tokio::test]
    async fn a_message_is_one_line_whatever_is_in_it() {
        let (mut socket, mut client) = pair(Some(Protocol::Text));
        client.write_all(&frame(0x81, b"PING a")).await.unwrap();
        assert_eq!(read(&mut socket).await, b"PING a\n");
        client.write_all(&frame(0x81, b"PING a\r\n")).await.unwrap();
        assert_eq!(read(&mut socket).await, b"PING a\r\r\n", "which is the same line");
        client.write_all(&frame(0x81, b"PING a\r\nQUIT")).await.unwrap();
        assert_eq!(read(&mut socket).await, b"PING a\r\rQUIT\n", "which is refused as a line with a CR");
    }

    #[tokio::test]
    async fn lines_go_out_as_one_message_each_and_in_one_write() {
        let (mut socket, mut client) = pair(Some(Protocol::Binary));
        socket.write_all(b"ONE\r\nTWO\r\nTHR").await.unwrap();
        assert_eq!(read(&mut client).await, b"\x82\x03ONE\x82\x03TWO");
        socket.write_all(b"EE\r\n").await.unwrap();
        assert_eq!(read(&mut client).await, b"\x82\x05THREE");
        assert_eq!(socket.out.capacity() + socket.unfinished.capacity(), 0, "an idle stream holds nothing");
    }

    #[tokio::test]
    async fn without_a_subprotocol_the_first_message_decides() {
        let (mut socket, mut client) = pair(None);
        socket.write_all(b"A\r\n").await.unwrap();
        assert_eq!(read(&mut client).await, b"\x81\x01A");
        client.write_all(&frame(0x82, b"B")).await.unwrap();
        read(&mut socket).await;
        socket.write_all(b"C\r\n").await.unwrap();
        assert_eq!(read(&mut client).await, b"\x82\x01C");
        client.write_all(&frame(0x81, b"D")).await.unwrap();
        read(&mut socket).await;
        socket.write_all(b"E\r\n").await.unwrap();
        assert_eq!(read(&mut client).await, b"\x82\x01E");
    }

    #[tokio::test]
    async fn text_is_always_utf8() {
        let (mut socket, mut client) = pair(Some(Protocol::Text));
        socket.write_all(b"caf\xe9\r\n").await.unwrap();
        assert_eq!(
            read(&mut client).await,
            "\u{81}\u{6}caf\u{fffd}".chars().fold(Vec::new(), |mut all, c| {
                match u8::try_from(c) {
                    Ok(byte) => all.push(byte),
                    Err(_) => all.extend(c.to_string().bytes()),
                }
                all
            })
        );
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_has_its_last_ping_answered_alone() {
        let (ours, mut client) = tokio::io::duplex(16);
        let mut socket = WebSocket::new(ours, Bytes::new(), None, CancellationToken::new());
        let pings = async {
            for number in 0..100_u8 {
                client.write_all(&frame(0x89, &[number; 10])).await.unwrap();
            }
            client.write_all(&frame(0x81, b"A")).await.unwrap();
        };
        let (read, ()) = tokio::join!(read(&mut socket), pings);
        assert_eq!(read, b"A\n");
        assert!(socket.out.len() <= 12 && socket.pong.as_ref().is_some_and(|pong| pong[0] == 99));
    }

    #[tokio::test]
    async fn frames_without_end_that_bring_nothing_end_the_connection() {
        let (mut socket, mut client) = pair(None);
        let flood = frame(0x8a, b"").repeat(FRUITLESS_BURST + 100);
        client.write_all(&flood).await.unwrap();
        assert_eq!(read(&mut socket).await, b"", "the end");
        let close = read(&mut client).await;
        assert_eq!(close.get(..4), Some(&[0x88, 36, 0x03, 0xf0][..]), "{close:?}");
    }
}
