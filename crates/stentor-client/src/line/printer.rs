//! Writing lines without waiting for whoever reads them.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A stream to print to, and what waits to be printed.
#[derive(Debug)]
pub(super) struct Printer<W> {
    stream: W,
    waiting: Vec<u8>,
    unflushed: bool,
    /// Whether nobody reads any more.
    closed: bool,
}

impl<W: AsyncWrite + Unpin> Printer<W> {
    pub(super) fn new(stream: W) -> Self {
        Self { stream, waiting: Vec::new(), unflushed: false, closed: false }
    }

    /// Adds text to what is to be printed.
    pub(super) fn print(&mut self, text: &str) {
        if !self.closed {
            self.waiting.extend_from_slice(text.as_bytes());
        }
    }

    /// Whether so much waits that nothing should be added for now.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether all was printed.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.unflushed
    }

    /// Prints some more; waits for ever where nothing is to be printed. Cancel-safe.
    pub(super) async fn work(&mut self) {
        let done = if !self.waiting.is_empty() {
            self.stream.write(&self.waiting).await
        } else if self.unflushed {
            self.stream.flush().await.map(|()| 0)
        } else {
            return std::future::pending().await;
        };
        self.note(done);
    }

    fn note(&mut self, done: io::Result<usize>) {
        match done {
            Ok(count) => {
                self.waiting.drain(..count);
                self.unflushed = count > 0 || !self.waiting.is_empty();
            }
            // Whatever the reason: nothing more can be said here.
            Err(_) => {
                self.closed = true;
                self.unflushed = false;
                self.waiting = Vec::new();
            }
        }
    }
}

/// How many bytes wait before the server is made to wait, too.
const WAITING_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_printed_arrives_and_a_reader_that_leaves_is_noticed() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut printer = Printer::new(near);
        printer.print("hello, world\n");
        let read = async {
            let mut text = [0; 13];
            far.read_exact(&mut text).await.unwrap();
            text
        };
        let write = async {
            while !printer.is_idle() {
                printer.work().await;
            }
        };
        let (text, ()) = tokio::join!(read, write);
        assert_eq!(&text, b"hello, world\n");
        drop(far);
        printer.print(&"x".repeat(WAITING_MAX));
        assert!(printer.is_full());
        while !printer.is_closed() {
            printer.work().await;
        }
        printer.print("nobody reads this");
        assert!(printer.is_idle() && !printer.is_full());
    }
}
