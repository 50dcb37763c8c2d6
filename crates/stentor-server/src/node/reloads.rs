//! Operators who ask that the configuration be read again, and wait to hear what became of it.

use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

/// Who asks. Whatever reads the configuration, if anything does, takes one after the other.
#[derive(Debug)]
pub struct Reloads {
    ask: mpsc::Sender<Asked>,
    asked: Mutex<mpsc::Receiver<Asked>>,
}

/// An operator who waits for an answer.
#[derive(Debug)]
pub struct Asked(oneshot::Sender<Vec<String>>);

impl Default for Reloads {
    fn default() -> Self {
        let (ask, asked) = mpsc::channel(WAITING_MAX);
        Self { ask, asked: Mutex::new(asked) }
    }
}

impl Reloads {
    /// Asks, and returns what was done, in sentences; `None` where nothing is known of it within a few seconds, or where too
    /// many others wait.
    pub async fn ask(&self) -> Option<Vec<String>> {
        let (answer, answered) = oneshot::channel();
        self.ask.try_send(Asked(answer)).ok()?;
        timeout(PATIENCE, answered).await.ok()?.ok()
    }

    /// The next one who asks. Cancel-safe.
    pub async fn next(&self) -> Asked {
        match self.asked.lock().await.recv().await {
            Some(asked) => asked,
            // The sender is a field of the same value.
            None => std::future::pending().await,
        }
    }
}

impl Asked {
    /// Tells what was done, in sentences.
    pub fn answer(self, outcome: Vec<String>) {
        // Who does not wait any more is not told.
        drop(self.0.send(outcome));
    }
}

/// How many may wait at once.
const WAITING_MAX: usize = 16;
/// How long an operator waits for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
