//! Lines over an open connection.

use std::io;
use std::time::{Duration, Instant};

use stentor_proto::codec::LineReader;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{timeout, timeout_at};

/// What lines run over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection. What is to be sent waits in a queue that has a bound; what came is taken line by line.
pub struct Connection {
    input: ReadHalf<Box<dyn Stream>>,
    output: WriteHalf<Box<dyn Stream>>,
    reader: LineReader,
    chunk: Box<[u8]>,
    queue: Vec<u8>,
    /// Whether something was handed on that may not have left this process.
    unflushed: bool,
    /// When something came last.
    heard: Instant,
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        let (input, output) = tokio::io::split(stream);
        Self {
            input,
            output,
            reader: LineReader::new(TAGS_MAX, BODY_MAX),
            chunk: vec![0; CHUNK].into_boxed_slice(),
            queue: Vec::new(),
            unflushed: false,
            heard: Instant::now(),
        }
    }

    /// Whether the queue takes another line. Where it does not, ask again after [`Connection::exchange`].
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queue.len() < QUEUE_MAX
    }

    /// Puts a line, without its CR LF, into the queue.
    pub fn send(&mut self, line: &str) {
        self.queue.extend_from_slice(line.as_bytes());
        self.queue.extend_from_slice(b"\r\n");
    }

    /// The next line that has come. One that is no line of text, or is too long, is left out.
    pub fn next_line(&mut self) -> Option<String> {
        loop {
            if let Ok(line) = self.reader.next_line()? {
                return Some(line);
            }
        }
    }

    /// Sends and receives, until something has come, or the queue that was full has room again. Take all of
    /// [`Connection::next_line`] then.
    ///
    /// Cancel-safe: what was sent or received until then is kept.
    ///
    /// # Errors
    /// Where the connection has ended, in words.
    pub async fn exchange(&mut self) -> Result<(), String> {
        let had_room = self.has_room();
        loop {
            let silent = self.heard + SILENCE_MAX;
            tokio::select! {
                read = self.input.read(&mut self.chunk) => {
                    let count = read.map_err(|error| lost(&error))?;
                    if count == 0 {
                        return Err("the server closed the connection".to_owned());
                    }
                    self.heard = Instant::now();
                    self.reader.feed(self.chunk.get(..count).unwrap_or_default());
                    return Ok(());
                }
                sent = send_some(&mut self.output, &self.queue), if !self.queue.is_empty() || self.unflushed => {
                    let count = sent.map_err(|error| lost(&error))?;
                    self.unflushed = count > 0;
                    self.queue.drain(..count);
                    if !had_room && self.has_room() {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep_until(silent.into()) => {
                    return Err(format!("the server was silent for {} seconds", SILENCE_MAX.as_secs()));
                }
            }
        }
    }

    /// Sends what is queued, says goodbye, and closes. It takes two seconds at most.
    pub async fn close(mut self) {
        let deadline = tokio::time::Instant::now() + CLOSE_MAX;
        let said = async {
            self.output.write_all(&self.queue).await?;
            self.output.shutdown().await
        };
        // The other side may be gone: then nobody hears it.
        let _ = timeout_at(deadline, said).await;
        // A socket that is closed with unread bytes is reset, which can lose the last line on its way to the server.
        let rest = async { while self.input.read(&mut self.chunk).await.is_ok_and(|count| count > 0) {} };
        let _ = timeout(LINGER, rest).await;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("queued", &self.queue.len()).finish_non_exhaustive()
    }
}

/// Hands on some of `bytes`, and says how many; where there are none, sees to it that what was handed on is sent.
async fn send_some(output: &mut WriteHalf<Box<dyn Stream>>, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() { output.flush().await.map(|()| 0) } else { output.write(bytes).await }
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        // What rustls says of a peer that is gone without goodbye is about TLS, and long.
        io::ErrorKind::UnexpectedEof => "the connection broke off".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection broke off".to_owned(),
        _ => format!("the connection broke off: {error}"),
    }
}

/// How many bytes of tags a server may send, with `@` and space (IRCv3 `message-tags`), and room for those that are more
/// generous.
const TAGS_MAX: usize = 16 * 1024;
/// How many bytes a line may have beside its tags. IRC allows 512; some servers send more.
const BODY_MAX: usize = 16 * 1024;
/// How many bytes are read at once.
const CHUNK: usize = 16 * 1024;
/// How many bytes wait to be sent before the queue counts as full.
const QUEUE_MAX: usize = 64 * 1024;
/// After so long a silence the connection is taken for dead. The engine asks for a sign of life more often.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long the last lines may take.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// How long to read on after the goodbye.
const LINGER: Duration = Duration::from_millis(200);
