//! A connection that carries commands: many under way at once, answered in their order.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connect::{ConnectError, Connection, Connector, Stream, is_temporary, of_reply};
use super::resp::{self, Decoder, Value};
use super::script::{Call, Hashes, Script};
use crate::backoff::Backoff;
use crate::store::StoreError;
use crate::weight::Weight;

/// The callers' end of a connection. The connection itself is a task, which opens it again when it is lost.
#[derive(Debug)]
pub(super) struct Link {
    sender: mpsc::Sender<Request>,
    waiting: Arc<AtomicUsize>,
    timeout: Duration,
}

/// What a command resolves to.
pub(super) type Reply = oneshot::Receiver<Result<Value, StoreError>>;

/// A connection on which the scripts are loaded.
pub(super) struct Ready {
    connection: Connection,
    hashes: Hashes,
}

impl Link {
    /// Starts the task that owns the connection; it ends when `stop` is cancelled and everything is answered.
    /// `trouble` is told when the connection is lost.
    pub(super) fn start(
        connector: Arc<Connector>,
        ready: Ready,
        timeout: Duration,
        trouble: Arc<Notify>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let driver = Driver { connector, queue, trouble, stop };
        tasks.spawn(driver.run(ready));
        Self { sender, waiting: Arc::default(), timeout }
    }

    /// Puts a command in line at once, or fails.
    pub(super) fn submit(&self, call: Call) -> Result<Reply, StoreError> {
        let (request, reply) = self.request(call)?;
        self.sender.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => full(),
            mpsc::error::TrySendError::Closed(_) => closing(),
        })?;
        Ok(reply)
    }

    /// Sends a command, waiting for a place in line if need be, and awaits its reply.
    pub(super) async fn call(&self, call: Call) -> Result<Value, StoreError> {
        let (request, reply) = self.request(call)?;
        let place = tokio::time::timeout(self.timeout, self.sender.reserve()).await.map_err(|_| full())?;
        place.map_err(|_| closing())?.send(request);
        answer(reply).await
    }

    fn request(&self, call: Call) -> Result<(Request, Reply), StoreError> {
        let weight = Weight::new(call.size(), &self.waiting, MAX_WAITING).ok_or_else(full)?;
        let (answer, reply) = oneshot::channel();
        let due = Instant::now() + self.timeout;
        Ok((Request { call, answer, due, _weight: weight }, reply))
    }
}

/// Awaits a reply.
pub(super) async fn answer(reply: Reply) -> Result<Value, StoreError> {
    reply.await.unwrap_or_else(|_| Err(StoreError::Unknown("the connection's task has ended".to_owned())))
}

impl Ready {
    /// Opens a connection and loads the scripts.
    pub(super) async fn open(connector: &Connector) -> Result<Self, ConnectError> {
        let mut connection = connector.open(MAX_REPLY).await?;
        let mut hashes: [Bytes; Script::ALL.len()] = Default::default();
        for (hash, script) in hashes.iter_mut().zip(Script::ALL) {
            *hash = match connector.ask(&mut connection, &["SCRIPT", "LOAD", script.source()]).await? {
                Value::Text(text) => text,
                Value::Error(text) => return Err(of_reply(&connector.address, &text)),
                _ => return Err(ConnectError::Refused("SCRIPT LOAD was answered strangely".to_owned())),
            };
        }
        Ok(Self { connection, hashes: Hashes(hashes) })
    }
}

/// The task's end of a connection.
struct Driver {
    connector: Arc<Connector>,
    queue: mpsc::Receiver<Request>,
    trouble: Arc<Notify>,
    stop: CancellationToken,
}

/// Why a connection is not served any longer.
enum Ended {
    /// The store closes, and everything is answered.
    Closed,
    /// The connection is lost.
    Lost(String),
}

impl Driver {
    async fn run(mut self, first: Ready) {
        let mut ready = Some(first);
        while let Some(next) = ready.take() {
            match Serving::new(next).run(&mut self.queue, &self.stop).await {
                Ended::Closed => return,
                Ended::Lost(why) => {
                    tracing::debug!(store = %self.connector.address, "a connection is lost: {why}");
                    self.trouble.notify_one();
                    ready = self.reopen(why).await;
                }
            }
        }
    }

    /// Opens the connection again, however often it takes. Meanwhile whoever wants something is told at once that it
    /// cannot be had. `None`: the store closes.
    async fn reopen(&mut self, mut why: String) -> Option<Ready> {
        let mut backoff = between_attempts();
        loop {
            let attempt = async {
                let ready = Ready::open(&self.connector).await;
                if ready.is_err() {
                    tokio::time::sleep(backoff.next_pause()).await;
                }
                ready
            };
            tokio::pin!(attempt);
            let opened = loop {
                tokio::select! {
                    opened = &mut attempt => break opened,
                    request = self.queue.recv() => match request {
                        Some(request) => request.refuse(StoreError::Unavailable(why.clone())),
                        None => return None,
                    },
                    () = self.stop.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                }
            };
            match opened {
                Ok(ready) => return Some(ready),
                Err(error) => why = error.into_reason(),
            }
        }
    }
}

/// Pauses between attempts to connect: at most half a second, so that a store that is back is found soon.
pub(super) fn between_attempts() -> Backoff {
    Backoff::new(Duration::from_millis(20), Duration::from_millis(500))
}

/// A connection at work.
struct Serving {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    decoder: Decoder,
    inbox: BytesMut,
    hashes: Hashes,
    out: BytesMut,
    /// All bytes ever put into `out`.
    queued: u64,
    /// Those of them that the connection has taken.
    written: u64,
    unflushed: bool,
    in_flight: VecDeque<Flight>,
}

/// A command without an answer yet.
struct Flight {
    request: Request,
    /// Where its last byte stands among all that were queued.
    end: u64,
    with_source: bool,
}

impl Serving {
    fn new(ready: Ready) -> Self {
        let Ready { connection: Connection { stream, decoder, inbox }, hashes } = ready;
        let (reader, writer) = tokio::io::split(stream);
        let (out, in_flight) = (BytesMut::new(), VecDeque::new());
        Self {
            reader,
            writer,
            decoder,
            inbox,
            hashes,
            out,
            queued: 0,
            written: 0,
            unflushed: false,
            in_flight,
        }
    }

    async fn run(mut self, queue: &mut mpsc::Receiver<Request>, stop: &CancellationToken) -> Ended {
        let ended = self.exchange(queue, stop).await;
        if let Ended::Lost(why) = &ended {
            for flight in self.in_flight.drain(..) {
                // A command whose end never left this process cannot have been run.
                flight.request.refuse(if flight.end > self.written {
                    StoreError::Unavailable(why.clone())
                } else {
                    StoreError::Unknown(why.clone())
                });
            }
        }
        ended
    }

    async fn exchange(&mut self, queue: &mut mpsc::Receiver<Request>, stop: &CancellationToken) -> Ended {
        let (mut batch, mut drained) = (Vec::with_capacity(BATCH), false);
        while !(drained && self.in_flight.is_empty()) {
            let due = self.in_flight.front().map(|flight| flight.request.due);
            let room = self.in_flight.len() < MAX_IN_FLIGHT && self.out.len() < MAX_OUT;
            self.inbox.reserve(READ_SIZE);
            // Every branch is safe to drop half-way: what was read, written or received is counted at once.
            tokio::select! {
                read = self.reader.read_buf(&mut self.inbox) => match read {
                    Ok(0) => return Ended::Lost("the server closed the connection".to_owned()),
                    Ok(_) => if let Err(why) = self.take_replies() { return Ended::Lost(why) },
                    Err(error) => return Ended::Lost(error.to_string()),
                },
                wrote = write_some(&mut self.writer, &mut self.out, &mut self.unflushed),
                    if self.unflushed || !self.out.is_empty() => match wrote {
                    Ok(count) => self.written += count,
                    Err(error) => return Ended::Lost(error.to_string()),
                },
                count = queue.recv_many(&mut batch, BATCH), if room && !drained => {
                    drained = count == 0;
                    self.take_requests(&mut batch);
                }
                () = async { tokio::time::sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    return Ended::Lost("the server did not answer in time".to_owned());
                }
                () = stop.cancelled(), if !queue.is_closed() => queue.close(),
            }
        }
        Ended::Closed
    }

    fn take_requests(&mut self, batch: &mut Vec<Request>) {
        let now = Instant::now();
        for request in batch.drain(..) {
            if request.due <= now {
                request.refuse(StoreError::Unavailable("it waited in line for too long".to_owned()));
                continue;
            }
            let before = self.out.len();
            request.call.encode(&self.hashes, &mut self.out);
            self.sent(request, before, false);
        }
    }

    fn sent(&mut self, request: Request, before: usize, with_source: bool) {
        self.queued += size(self.out.len() - before);
        self.in_flight.push_back(Flight { request, end: self.queued, with_source });
    }

    fn take_replies(&mut self) -> Result<(), String> {
        loop {
            match self.decoder.next(&mut self.inbox) {
                Ok(Some(Value::Push(_))) => {}
                Ok(Some(value)) => self.take_reply(value)?,
                Ok(None) => return Ok(()),
                Err(resp::Damaged(why)) => return Err(why.to_owned()),
            }
        }
    }

    fn take_reply(&mut self, value: Value) -> Result<(), String> {
        let flight = self.in_flight.pop_front().ok_or("the server answered what nobody asked")?;
        let Value::Error(text) = value else {
            if !flight.request.owns(&value) {
                let why = "the server's answer belongs to another command".to_owned();
                flight.request.refuse(StoreError::Unknown(why.clone()));
                return Err(why);
            }
            flight.request.resolve(Ok(value));
            return Ok(());
        };
        if text.starts_with("NOSCRIPT") && !flight.with_source {
            let before = self.out.len();
            flight.request.call.encode_source(&mut self.out);
            self.sent(flight.request, before, true);
            return Ok(());
        }
        let demoted = text.starts_with("READONLY");
        flight.request.refuse(refusal(&text));
        // The name may by now lead to the server that took over.
        if demoted { Err("the server is a replica now".to_owned()) } else { Ok(()) }
    }
}

/// One command on its way.
#[derive(Debug)]
struct Request {
    call: Call,
    answer: oneshot::Sender<Result<Value, StoreError>>,
    due: Instant,
    _weight: Weight,
}

impl Request {
    fn resolve(self, result: Result<Value, StoreError>) {
        // Whoever asked may have gone; the command was carried out all the same.
        let _ = self.answer.send(result);
    }

    fn refuse(self, error: StoreError) {
        self.resolve(Err(error));
    }

    fn owns(&self, value: &Value) -> bool {
        let Some(own) = &self.call.own else { return true };
        matches!(value, Value::Array(items)
            if matches!(items.first(), Some(Value::Text(by)) if by.as_ref() == own.as_bytes()))
    }
}

/// What an error reply means. A script that fails does so before its first change, so nothing was stored.
pub(super) fn refusal(text: &str) -> StoreError {
    if is_temporary(text) {
        StoreError::Unavailable(text.to_owned())
    } else {
        StoreError::Refused(text.to_owned())
    }
}

/// Writes what is there, or else flushes; either step may be repeated. Returns how many bytes were taken.
pub(super) async fn write_some(
    writer: &mut (impl AsyncWrite + Unpin),
    out: &mut BytesMut,
    unflushed: &mut bool,
) -> io::Result<u64> {
    if out.is_empty() {
        writer.flush().await?;
        *unflushed = false;
        return Ok(0);
    }
    let count = writer.write_buf(out).await?;
    *unflushed = true;
    if count == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(size(count)) }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn full() -> StoreError {
    StoreError::Unavailable("too much is waiting for the store".to_owned())
}

fn closing() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

/// Commands that may wait to be sent.
const QUEUE: usize = 1024;
/// Commands that may wait for an answer.
const MAX_IN_FLIGHT: usize = 2048;
/// Commands taken from the queue at a time.
const BATCH: usize = 128;
/// Bytes that may wait, all commands together.
const MAX_WAITING: usize = 64 << 20;
/// Bytes waiting to be written, past which no more commands are taken from the queue.
const MAX_OUT: usize = 1 << 20;
/// Room for a read.
const READ_SIZE: usize = 16 << 10;
/// The longest reply: a partition with a great many members, or a long page of its log.
const MAX_REPLY: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::super::RedisSettings;
    use super::*;

    /// A server that greets as Redis does and then behaves badly.
    struct Rogue {
        stream: TcpStream,
        decoder: Decoder,
        inbox: BytesMut,
    }

    impl Rogue {
        async fn accept(listener: &TcpListener) -> Self {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut rogue = Self { stream, decoder: Decoder::new(1 << 20), inbox: BytesMut::new() };
            rogue.answer("%0\r\n").await;
            for _ in Script::ALL {
                rogue.answer("$1\r\nx\r\n").await;
            }
            rogue
        }

        /// Awaits a command and answers it.
        async fn answer(&mut self, reply: &str) {
            while self.decoder.next(&mut self.inbox).expect("a command").is_none() {
                assert_ne!(self.stream.read_buf(&mut self.inbox).await.expect("bytes"), 0);
            }
            self.stream.write_all(reply.as_bytes()).await.expect("it is sent");
        }
    }

    /// A link to a listener, and the server's end of its first connection.
    async fn link() -> (Link, Rogue, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it has an address").port();
        let settings = RedisSettings::new(&format!("redis://127.0.0.1:{port}"));
        let connector = Arc::new(Connector::new(&settings).await.expect("an address"));
        let (ready, rogue) = tokio::join!(Ready::open(&connector), Rogue::accept(&listener));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let timeout = Duration::from_secs(10);
        let link = Link::start(connector, ready.expect("it greets"), timeout, Arc::default(), &tasks, stop);
        (link, rogue, listener)
    }

    fn owned(by: &str) -> Call {
        let mut call = Call::plain(&["WRITE", by]);
        call.own = Some(by.to_owned());
        call
    }

    #[tokio::test]
    async fn an_answer_to_another_command_is_never_taken_for_ones_own() {
        let (link, mut rogue, listener) = link().await;
        let first = link.submit(owned("a@1#1")).expect("there is room");
        let second = link.submit(owned("a@1#2")).expect("there is room");
        rogue.answer("*2\r\n$5\r\na@1#2\r\n+done\r\n").await;
        assert!(matches!(answer(first).await, Err(StoreError::Unknown(_))));
        assert!(matches!(answer(second).await, Err(StoreError::Unknown(_) | StoreError::Unavailable(_))));
        // The connection cannot be trusted any more, and the next one can.
        let mut rogue = Rogue::accept(&listener).await;
        let (third, ()) = tokio::join!(
            async {
                loop {
                    match link.call(owned("a@1#3")).await {
                        Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                        other => break other,
                    }
                }
            },
            rogue.answer("*2\r\n$5\r\na@1#3\r\n+done\r\n"),
        );
        assert!(third.is_ok(), "{third:?}");
    }

    #[tokio::test]
    async fn what_never_left_is_unavailable_and_what_did_is_unknown() {
        let (link, rogue, listener) = link().await;
        let sent = link.submit(owned("a@1#1")).expect("there is room");
        while rogue.stream.peek(&mut [0]).await.expect("bytes") == 0 {}
        // No socket takes all of this from a server that does not read.
        let long = link.submit(owned(&"x".repeat(32 << 20))).expect("there is room");
        let behind = link.submit(owned("a@1#3")).expect("there is room");
        drop(listener);
        drop(rogue);
        assert!(matches!(answer(sent).await, Err(StoreError::Unknown(_))));
        assert!(matches!(answer(long).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(answer(behind).await, Err(StoreError::Unavailable(_))));
    }
}
