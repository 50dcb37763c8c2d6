//! What waits to be written to one connection: bounded in bytes, shared by everything that sends to it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

/// Lines on their way to one connection.
///
/// A client that does not read hurts only itself: past its bound the queue closes, and the connection is cut off and
/// told why.
#[derive(Debug)]
pub struct SendQueue {
    inner: Mutex<Inner>,
    ready: Notify,
    /// Woken when something was taken out, or the queue was closed.
    drained: Notify,
    /// In bytes; 0 means no bound.
    bound: usize,
}

#[derive(Debug, Default)]
struct Inner {
    lines: VecDeque<Bytes>,
    bytes: usize,
    closed: Option<Closed>,
    /// Whether something was taken out that is not written yet.
    writing: bool,
}

/// Why a connection is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What the client's own `ERROR` line says, and by default its `QUIT` to others.
    pub reason: String,
    /// Whether what had queued up before is still written.
    pub flush: bool,
}

impl SendQueue {
    /// An empty queue that takes up to `bound` bytes; 0 lifts the bound.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { inner: Mutex::default(), ready: Notify::new(), drained: Notify::new(), bound }
    }

    /// An empty queue with the same bound.
    #[must_use]
    pub fn like(&self) -> Self {
        Self::new(self.bound)
    }

    /// Moves all lines to the end of another queue.
    pub fn pour_into(&self, other: &Self) {
        let mut inner = self.lock();
        inner.bytes = 0;
        let lines = std::mem::take(&mut inner.lines);
        drop(inner);
        lines.into_iter().for_each(|line| other.push(line));
    }

    /// Adds one line, its line end included. Past the bound, or once closed, it is dropped.
    pub fn push(&self, line: Bytes) {
        let mut inner = self.lock();
        if inner.closed.is_some() {
            return;
        }
        if self.bound != 0 && inner.bytes + line.len() > self.bound {
            inner.lines = VecDeque::new();
            inner.bytes = 0;
            inner.closed = Some(Closed { reason: EXCEEDED.to_owned(), flush: false });
            self.ready.notify_one();
            self.drained.notify_waiters();
            return;
        }
        inner.bytes += line.len();
        let was_empty = inner.lines.is_empty();
        inner.lines.push_back(line);
        if was_empty {
            self.ready.notify_one();
        }
    }

    /// Adds the text of one line, without its line end.
    pub fn push_line(&self, line: &str) {
        let mut bytes = Vec::with_capacity(line.len() + 2);
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
        self.push(bytes.into());
    }

    /// Asks for the end of the connection. The first reason stands.
    pub fn close(&self, reason: &str) {
        self.close_with(Closed { reason: reason.to_owned(), flush: true });
    }

    /// Asks for the end of the connection without writing what has queued up.
    pub fn cut(&self, reason: &str) {
        let mut inner = self.lock();
        inner.lines = VecDeque::new();
        inner.bytes = 0;
        drop(inner);
        self.close_with(Closed { reason: reason.to_owned(), flush: false });
    }

    fn close_with(&self, closed: Closed) {
        self.lock().closed.get_or_insert(closed);
        self.ready.notify_one();
        self.drained.notify_waiters();
    }

    /// Whether all that was pushed has been taken out and written, and nothing was dropped.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let inner = self.lock();
        inner.lines.is_empty() && !inner.writing && inner.closed.is_none()
    }

    /// Notes that what was taken out has been written.
    pub fn written(&self) {
        self.lock().writing = false;
    }

    /// Why the connection is to end, once that is decided.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.lock().closed.clone()
    }

    /// Waits until there is something to write or the queue is closed. Cancel-safe.
    pub async fn readable(&self) {
        loop {
            let notified = self.ready.notified();
            {
                let inner = self.lock();
                if !inner.lines.is_empty() || inner.closed.is_some() {
                    return;
                }
            }
            notified.await;
        }
    }

    /// Moves whole lines into `out` until it holds `target` bytes or the queue is empty.
    pub fn take(&self, out: &mut Vec<u8>, target: usize) {
        let mut inner = self.lock();
        while out.len() < target {
            let Some(line) = inner.lines.pop_front() else { break };
            inner.bytes -= line.len();
            out.extend_from_slice(&line);
            inner.writing = true;
        }
        if inner.lines.is_empty() && inner.lines.capacity() > KEPT_LINES {
            inner.lines = VecDeque::new();
        }
        drop(inner);
        self.drained.notify_waiters();
    }

    /// Waits until less than half of what may wait does, or the queue is closed: a long answer goes out as fast as its
    /// reader takes it. Cancel-safe.
    pub async fn room(&self) {
        let enough = if self.bound == 0 { UNBOUNDED_ROOM } else { self.bound / 2 };
        loop {
            let drained = self.drained.notified();
            {
                let inner = self.lock();
                if inner.bytes < enough || inner.closed.is_some() {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Waits until the queue is closed. Cancel-safe.
    pub async fn closing(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().closed.is_some() {
                return;
            }
            drained.await;
        }
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of a send queue panics")
    }
}

/// The reason where a queue is past its bound.
pub const EXCEEDED: &str = "SendQ exceeded";
/// An empty queue keeps room for so many lines; an idle connection gives the rest back.
const KEPT_LINES: usize = 8;
/// How much of a long answer waits in a queue without a bound.
const UNBOUNDED_ROOM: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use std::future::Future as _;

    use super::*;

    #[test]
    fn takes_whole_lines_in_order() {
        let queue = SendQueue::new(100);
        queue.push_line("one");
        queue.push_line("two");
        let mut out = Vec::new();
        queue.take(&mut out, 1);
        assert_eq!(out, b"one\r\n");
        queue.take(&mut out, 100);
        assert_eq!(out, b"one\r\ntwo\r\n");
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn past_its_bound_it_closes_and_says_why() {
        let queue = SendQueue::new(8);
        queue.push_line("12345");
        queue.push_line("6");
        let closed = queue.closed().expect("it is closed");
        assert_eq!(closed.reason, "SendQ exceeded");
        assert!(!closed.flush);
        assert_eq!(queue.bytes(), 0);
    }

    #[tokio::test]
    async fn a_long_answer_waits_for_its_reader() {
        let queue = SendQueue::new(64);
        queue.push_line("1234567890 1234567890 1234567890");
        {
            let room = queue.room();
            tokio::pin!(room);
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            assert!(room.as_mut().poll(&mut context).is_pending(), "half or more is taken");
            queue.take(&mut Vec::new(), 64);
            room.await;
        }
        queue.push_line("1234567890 1234567890");
        queue.close("the end");
        queue.room().await;
    }

    #[test]
    fn the_first_reason_stands() {
        let queue = SendQueue::new(0);
        queue.close("one");
        queue.close("two");
        assert_eq!(queue.closed().map(|closed| closed.reason), Some("one".to_owned()));
    }
}
