//! What the process is told.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Stop; with the exit code for stopping at once.
    Stop(i32),
    /// Read the configuration and the certificates again.
    Reload,
}

/// The signals that are heeded. From its making on, none of them ends the process by itself.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Stop(SIGNALLED + SignalKind::interrupt().as_raw_value()),
            _ = self.terminate.recv() => Told::Stop(SIGNALLED + SignalKind::terminate().as_raw_value()),
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// The next one that says to stop, as an exit code.
    pub(super) async fn stop(&mut self) -> i32 {
        loop {
            if let Told::Stop(code) = self.next().await {
                return code;
            }
        }
    }
}

/// A process that a signal has ended has this and the signal's number as its exit code, in a shell's eyes.
const SIGNALLED: i32 = 128;
