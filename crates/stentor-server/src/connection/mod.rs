//! One task per socket: framing, rate limit, timeouts, and the session's commands.
//!
//! - [`rate`]: how fast a client may send
//! - `clock`: when a client has to be asked, and when it has to go

mod clock;
pub mod rate;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stentor_proto::codec::{LineError, LineReader};
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::account::Fingerprint;
use crate::client::{Client, Profile};
use crate::command;
use crate::error::Error;
use crate::listener::limits::Admission;
use crate::node::{Node, claim};
use crate::operator::watch;
use crate::reply::Reply;
use crate::send_queue::{self, Closed, SendQueue};
use crate::session::Session;
use crate::tenure::Tenure;
use clock::Clock;
use rate::Rate;

/// Serves one client until its connection ends, and then gives up all that its session held.
///
/// `admission` is its place among the connections of its address.
pub async fn serve<S>(node: Arc<Node>, stream: S, peer: Peer, admission: Admission)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let config = node.config();
    let queue = SendQueue::new(config.limits.send_queue.get().unwrap_or(0));
    let profile = Profile {
        nick: "*".to_owned(),
        user: "*".to_owned(),
        host: node.cloak(peer.address),
        secure: peer.secure,
        names_host: peer.names_host,
        certificate: peer.certificate,
        ..Profile::default()
    };
    let id = crate::random::text(16).into();
    let client =
        Arc::new(Client::new(id, node.server_name.clone(), peer.address, node.tenure(), queue, profile));
    node.clients.add(&client);
    if let Some(ban) = watch::of_address(&node, &client) {
        watch::turn_away(&node, &client, &ban);
    }
    let session = Box::new(Session::new(node.clone(), client.clone(), peer.address));
    let mut connection = Connection {
        reader: LineReader::for_client_lines(),
        rate: Rate::new(config.limits.lines_per_second.get(), config.limits.burst, Instant::now()),
        stream,
        client: client.clone(),
        node: node.clone(),
        admission,
        out: Vec::new(),
        input_ended: false,
    };
    let (session, reason) = connection.run(session).await;
    if reason == send_queue::EXCEEDED {
        let nick = client.profile().nick.clone();
        tracing::info!(nick, "a client did not read fast enough and was cut off: {reason}");
    }
    let has_last_words = client.queue.closed().is_some();
    // The claims are given up on a task of their own: it may outlast the socket, while the store is away. A node that stops
    // waits for its clients to be gone and then for these tasks, so the client goes from the list within one.
    let quit = reason.clone();
    let released = node.ending.spawn(async move { session.end(&quit).await });
    if has_last_words {
        // Who has read the last words finds the names free that it held, unless the store is away.
        let _ = tokio::time::timeout(RELEASE_WAIT, released).await;
        connection.say_goodbye(&reason).await;
    }
    client.queue.cut(&reason);
}

/// Who has connected, as far as the transport tells.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where the client is.
    pub address: IpAddr,
    /// Whether the stream is encrypted up to the client.
    pub secure: bool,
    /// Whether the client has said by TLS (SNI) which host it looks for.
    pub names_host: bool,
    /// The certificate whose key the client has shown to hold.
    pub certificate: Option<Fingerprint>,
}

impl Peer {
    /// A client without TLS.
    #[must_use]
    pub fn plain(address: IpAddr) -> Self {
        Self { address, secure: false, names_host: false, certificate: None }
    }
}

struct Connection<S> {
    node: Arc<Node>,
    client: Arc<Client>,
    admission: Admission,
    stream: S,
    reader: LineReader,
    rate: Rate,
    out: Vec<u8>,
    /// The client has closed its side, or sent what cannot be understood.
    input_ended: bool,
}

/// A command under way: it owns the session, and gives it back with the outcome.
type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The session, and the reason where the connection is to end.
type Outcome = (Box<Session>, Result<(), String>);

/// What the connection's task woke for.
enum Woke {
    Done(Box<Session>, Result<(), String>),
    Input(std::io::Result<usize>),
    Output,
    Doubt,
    Due,
    Drain,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// The command loop. Returns the session and what others read as the reason of its end. The queue is closed then, unless
    /// the client has gone.
    async fn run(&mut self, session: Box<Session>) -> (Box<Session>, String) {
        let mut idle = Some(session);
        let mut work = Work::default();
        let mut buffer = Vec::new();
        let mut clock = Clock::new(&self.node);
        let mut draining = false;
        loop {
            let mut slowed = false;
            if let Some(session) = idle.take() {
                match self.next_work(session) {
                    Next::Run(future) => work.running = Some(future),
                    Next::NeedsInput(session) if self.input_ended => {
                        return (session, "Connection closed".to_owned());
                    }
                    Next::NeedsInput(session) => idle = Some(session),
                    Next::TooFast(session) => {
                        slowed = true;
                        idle = Some(session);
                    }
                }
            }
            // The rest of a line is read whatever its length: the reader keeps no more of it than the limits allow. While a
            // command runs it goes on: what arrives shows that the client is alive.
            let has_room = !self.reader.has_line() || self.reader.buffered() < READ_AHEAD;
            let may_read = !self.input_ended && has_room;
            if may_read && buffer.len() < READ_SIZE {
                buffer.resize(READ_SIZE, 0);
            }
            let due = clock.next_due(&self.client, &self.rate, slowed);
            let woke = tokio::select! {
                // Cancel-safe: the future is kept and polled again.
                (session, result) = work.done() => Woke::Done(session, result),
                () = self.client.queue.readable() => Woke::Output,
                // Cancel-safe: it is taken up above.
                () = self.client.nick_doubt.raised(), if idle.is_some() => Woke::Doubt,
                // Cancel-safe: what is not read stays in the socket.
                read = self.stream.read(&mut buffer), if may_read => Woke::Input(read),
                () = tokio::time::sleep_until(due.into()) => Woke::Due,
                () = self.node.drain.cancelled(), if !draining => Woke::Drain,
            };
            match woke {
                Woke::Done(mut session, result) => {
                    self.settle(&mut session);
                    match result {
                        Ok(()) => idle = Some(session),
                        Err(reason) => {
                            self.client.queue.close(&reason);
                            return (session, reason);
                        }
                    }
                }
                Woke::Doubt => {}
                Woke::Input(Ok(0) | Err(_)) => self.input_ended = true,
                Woke::Input(Ok(count)) => {
                    self.reader.feed(buffer.get(..count).unwrap_or_default());
                    self.client.note_heard(false);
                    clock.pinged = None;
                    buffer = Vec::new();
                }
                Woke::Output => match self.flush(&mut work).await {
                    Ok(written) => clock.wrote(written, Instant::now()),
                    Err(reason) => {
                        let session = match idle {
                            Some(session) => session,
                            None => work.done().await.0,
                        };
                        return (session, reason);
                    }
                },
                Woke::Due => {
                    if let Some(reason) = clock.act(&self.client, &self.node) {
                        self.client.queue.close(&reason);
                    }
                }
                Woke::Drain => {
                    draining = true;
                    clock.close_at = Some(Instant::now() + self.node.drain_delay());
                    self.reply(None).notice("This server is shutting down. Your client can reconnect now.");
                }
            }
        }
    }

    /// Takes over what a command has changed for the connection.
    fn settle(&mut self, session: &mut Session) {
        self.rate.spend(std::mem::take(&mut session.charge), Instant::now());
        if let Some(admission) = session.moved.take() {
            self.admission = admission;
        }
        if session.registering.is_none() {
            self.admission.registered();
        }
    }

    /// Does what the session has to do by itself; then takes the next line that the rate allows, and starts its command.
    fn next_work(&mut self, mut session: Box<Session>) -> Next {
        if self.client.take_demoted() {
            return Next::Run(step_down(session));
        }
        if session.registering.is_none() && self.client.nick_doubt.take() {
            return Next::Run(look_again(session));
        }
        loop {
            if !self.rate.ready(Instant::now()) {
                return Next::TooFast(session);
            }
            let Some(line) = self.reader.next_line() else {
                self.reader.release();
                return Next::NeedsInput(session);
            };
            self.rate.spend(1, Instant::now());
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    self.refuse_line(&error);
                    continue;
                }
            };
            match Message::parse(&line) {
                Ok(message) => {
                    let cost = command::find(message.command).map_or(1, |command| command.cost);
                    self.rate.spend(cost.saturating_sub(1), Instant::now());
                }
                Err(_) => continue,
            }
            return Next::Run(Box::pin(async move {
                let result = run_command(&mut session, &line).await;
                (session, result)
            }));
        }
    }

    fn refuse_line(&self, error: &LineError) {
        let mut reply = self.reply(None);
        match error {
            LineError::TooLong | LineError::TagsTooLong => {
                reply.numeric(Numeric::ERR_INPUTTOOLONG, &[], "Input line was too long");
            }
            LineError::InvalidUtf8 => {
                let text = "Your message is not valid UTF-8, and was not sent";
                let message = Message::parse(self.reader.legible()).ok();
                let label = message.as_ref().and_then(|message| command::label(&self.client, message));
                let name = message.as_ref().map_or("*", |message| message.command);
                // Nobody is told of a command that is none.
                let name = command::find(name).map_or("*", |command| command.name);
                let mut reply = self.reply(label);
                reply.standard("FAIL", name, "INVALID_UTF8", &[], text);
                reply.finish();
            }
            LineError::Nul | LineError::BareCr => {
                let text = "Your message holds a NUL, a lone CR or another line, and was not sent";
                reply.standard("FAIL", "*", "INVALID_MESSAGE", &[], text);
            }
        }
    }

    /// An answer to no command in particular, or to one that was not taken.
    fn reply(&self, label: Option<String>) -> Reply {
        Reply::new(self.client.clone(), self.node.server_name.clone(), label)
    }

    /// Writes what has queued up, as much as goes into one write. A command under way goes on meanwhile: what it holds
    /// must not wait for this client to read. Returns how many bytes those were.
    ///
    /// # Errors
    /// The reason, where the connection is to end.
    async fn flush(&mut self, work: &mut Work) -> Result<usize, String> {
        self.client.queue.take(&mut self.out, WRITE_SIZE);
        let client = self.client.clone();
        let written = {
            let write = async {
                self.stream.write_all(&self.out).await?;
                self.stream.flush().await
            };
            tokio::pin!(write);
            let mut give_up = Instant::now() + WRITE_TIMEOUT;
            let mut closing = false;
            loop {
                tokio::select! {
                    written = &mut write => break written,
                    // Cancel-safe: see `Work`.
                    () = work.go_on() => {}
                    () = client.queue.closing(), if !closing => {
                        closing = true;
                        give_up = give_up.min(Instant::now() + GOODBYE_TIMEOUT);
                    }
                    () = tokio::time::sleep_until(give_up.into()) => {
                        break Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
                    }
                }
            }
        };
        let count = std::mem::take(&mut self.out).len();
        if written.is_ok() {
            client.queue.written();
        }
        let closed = client.queue.closed().map(|closed| closed.reason);
        let Some(reason) = closed.or(written.err().map(|_| "Connection lost".to_owned())) else {
            return Ok(count);
        };
        // A long answer that waits for room in the queue ends now.
        client.queue.close(&reason);
        Err(reason)
    }

    /// Writes what is left and the reason, and closes the stream.
    async fn say_goodbye(&mut self, reason: &str) {
        let flush = self.client.queue.closed().is_none_or(|Closed { flush, .. }| flush);
        let mut last = Vec::new();
        if flush {
            self.client.queue.take(&mut last, usize::MAX);
        }
        last.extend_from_slice(format!("ERROR :{reason}\r\n").as_bytes());
        let write = async {
            self.stream.write_all(&last).await?;
            self.stream.shutdown().await
        };
        // The client may be gone, or not reading: it has had its chance.
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, write).await;
    }
}

enum Next {
    Run(Running),
    /// There is no whole line.
    NeedsInput(Box<Session>),
    /// There may be a line, and the client has sent too many lately.
    TooFast(Box<Session>),
}

/// The command under way, if any, and its outcome once it has ended. The future is kept and polled again, so waiting for it
/// is cancel-safe.
#[derive(Default)]
struct Work {
    running: Option<Running>,
    ended: Option<Outcome>,
}

impl Work {
    /// The outcome; waits for ever where there is no command.
    async fn done(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.ended.take() {
                return outcome;
            }
            self.go_on().await;
        }
    }

    /// Lets the command go on until it ends; waits for ever where there is none, or it has ended.
    async fn go_on(&mut self) {
        match &mut self.running {
            Some(running) => {
                self.ended = Some(running.await);
                self.running = None;
            }
            None => std::future::pending().await,
        }
    }
}

/// Tells others that a session's user is no operator any more.
fn step_down(mut session: Box<Session>) -> Running {
    Box::pin(async move {
        if let Err(error) = command::oper::tell_others(&mut session).await {
            tracing::debug!(?error, "others are told later that somebody is no operator any more");
        }
        (session, Ok(()))
    })
}

/// Gives the nick up where it has become the name of somebody else's account. Who gets no other does not stay; what the store
/// does not allow now, the owner's login asks for again.
fn look_again(mut session: Box<Session>) -> Running {
    Box::pin(async move {
        let (client, tenure) = (session.client.clone(), session.client.tenure());
        let mut reply = Reply::new(client.clone(), session.node.server_name.clone(), None);
        let looked = command::nick::look_again(&mut session, &mut reply).await;
        reply.finish();
        let result = match looked {
            Ok(()) => {
                client.nick_doubt.settle();
                Ok(())
            }
            Err(Error::Close(reason)) => Err(reason),
            Err(Error::Fenced) if !is_moved(&session, &tenure).await => Err(LOST.to_owned()),
            Err(error @ (Error::Store(_) | Error::Contended | Error::Fenced)) => {
                tracing::debug!(?error, "a guest who bears the name of an account keeps it for now");
                Ok(())
            }
            Err(error) => {
                tracing::debug!(?error, "a guest who bears the name of an account gets no other nick");
                Err(claim::NOT_YOURS.to_owned())
            }
        };
        (session, result)
    })
}

/// Runs one command. `Err` with the reason where the connection is to end.
async fn run_command(session: &mut Session, line: &str) -> Result<(), String> {
    // It was parsed before, to know its cost.
    let Ok(message) = Message::parse(line) else { return Ok(()) };
    let tenure = session.client.tenure();
    match command::dispatch(session, &message).await {
        Err(Error::Close(reason)) => Err(reason),
        Err(Error::Fenced) if !is_moved(session, &tenure).await => Err(LOST.to_owned()),
        _ => Ok(()),
    }
}

/// Waits until the session's claims have been moved to a new incarnation, or it turns out that the lease stands, and what was
/// tried came too late for its own deadline alone. False where they are lost.
async fn is_moved(session: &Session, lost: &Arc<Tenure>) -> bool {
    if session.registering.is_some() {
        return false;
    }
    let node = &session.node;
    let moved = async {
        loop {
            let (changed, renewed) = (node.tenure_changed.notified(), node.renewed.notified());
            if session.client.queue.closed().is_some() {
                return false;
            }
            if !Arc::ptr_eq(&session.client.tenure(), lost) {
                return true;
            }
            let stands = Arc::ptr_eq(&node.tenure(), lost);
            if stands {
                node.fenced.notify_one();
            }
            tokio::select! {
                () = changed => {}
                () = renewed, if stands => {
                    if Arc::ptr_eq(&node.tenure(), lost) {
                        return true;
                    }
                }
                () = session.client.queue.closing() => {}
            }
        }
    };
    // Cancel-safe: neither changes anything.
    tokio::select! {
        is_moved = moved => is_moved,
        () = node.stop.cancelled() => false,
    }
}

/// Without a source, as other servers ask: small programs know a PING by how its line begins.
pub(crate) fn ping(client: &Client, token: &str) {
    client.queue.push_line(&format!("PING :{token}"));
}

/// What the client of a session that is lost is told.
const LOST: &str = "This node lost its lease, and your session with it";
/// How much is read at once; the buffer is given back between reads.
const READ_SIZE: usize = 1024;
/// Input beyond this stays in the socket until a command has made room.
const READ_AHEAD: usize = 4096;
/// As much as fits a TLS record.
const WRITE_SIZE: usize = 16 * 1024;
/// How long one write may take.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the last words wait for the session's claims to be given up.
const RELEASE_WAIT: Duration = Duration::from_secs(1);
/// How long the last words may take.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
