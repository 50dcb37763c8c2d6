//! Notices when the store is away, when it is back, and when it is not what it was.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::connect::{ConnectError, Connector};
use super::inspect::{self, Facts};
use super::link::{Link, between_attempts};
use super::script::{Call, Script};
use super::subscriber::Subscriber;
use super::{keys, reply};
use crate::store::{Event, Sink, StoreError};

/// The task that sends the heartbeat.
pub(super) struct Watchman {
    pub(super) connector: Arc<Connector>,
    pub(super) links: Arc<[Link]>,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) sink: Arc<OnceLock<Arc<dyn Sink>>>,
    /// The channel on which this handle hears itself.
    pub(super) channel: String,
    /// The newest number that was heard there.
    pub(super) heard: watch::Receiver<u64>,
    /// Whether all subscriptions stand.
    pub(super) standing: watch::Receiver<bool>,
    /// Told when a connection is lost.
    pub(super) trouble: Arc<Notify>,
    pub(super) facts: Arc<Mutex<Facts>>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) stop: CancellationToken,
    /// The number of the newest heartbeat.
    pub(super) sent: u64,
    /// Which data on which server this handle works with.
    pub(super) run: Run,
}

/// Names the data and the server. Where one of them is new, entries may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run(Vec<String>);

impl Run {
    /// What the first heartbeat finds, or leaves behind.
    pub(super) async fn first(link: &Link, channel: &str) -> Result<Self, StoreError> {
        beat(link, channel, 0).await
    }
}

/// Why a heartbeat failed.
enum Trouble {
    /// The store did not answer.
    Commands(String),
    /// It answers, but what it publishes does not arrive.
    Silence,
}

impl Watchman {
    /// Beats until the store is closed.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        // Every step may be given up at any time: nothing waits for the watchman.
        stop.run_until_cancelled(async move {
            let mut trouble = None;
            loop {
                match trouble {
                    None => self.rest().await,
                    Some(why) => self.outage(why).await,
                }
                trouble = self.check_twice().await.err();
            }
        })
        .await;
    }

    /// Waits until it is time, or until a connection is lost.
    async fn rest(&self) {
        let _ = tokio::time::timeout(self.interval, self.trouble.notified()).await;
    }

    /// One failure may be a connection that is just being opened again. Two are an outage.
    async fn check_twice(&mut self) -> Result<(), String> {
        match self.check().await {
            Ok(()) => return Ok(()),
            Err(Trouble::Commands(_)) => tokio::time::sleep(SECOND_TRY).await,
            Err(Trouble::Silence) => {}
        }
        match self.check().await {
            Ok(()) => Ok(()),
            Err(Trouble::Commands(why)) => Err(why),
            Err(Trouble::Silence) => {
                self.subscriber.reopen().await;
                Err("what it publishes does not arrive".to_owned())
            }
        }
    }

    /// Asks every connection whether it is there, then sends a heartbeat and waits for it to arrive.
    async fn check(&mut self) -> Result<(), Trouble> {
        let commands = |error: StoreError| Trouble::Commands(reason(error));
        for link in self.links.iter() {
            link.call(Call::plain(&["PING"])).await.map_err(commands)?;
        }
        let first = self.links.first().expect("there is at least one connection");
        let silence = |_| Trouble::Silence;
        // A heartbeat that nobody listens for would be lost.
        tokio::time::timeout(self.timeout, self.standing.wait_for(|stands| *stands))
            .await
            .map_err(silence)?
            .map_err(|_| Trouble::Silence)?;
        self.sent += 1;
        let sent = self.sent;
        let run = beat(first, &self.channel, sent).await.map_err(commands)?;
        tokio::time::timeout(self.timeout, self.heard.wait_for(|number| *number >= sent))
            .await
            .map_err(silence)?
            .map_err(|_| Trouble::Silence)?;
        if run != self.run {
            let address = &self.connector.address;
            tracing::warn!(store = %address, "the store was restarted or emptied; everything is compared");
            self.inspect().await.map_err(|error| Trouble::Commands(error.into_reason()))?;
            self.run = run;
            self.subscriber.all_lost().await;
        }
        Ok(())
    }

    /// From the moment when the store is away until it is back. What is logged is true already: whoever reads it may ask the
    /// node at once.
    async fn outage(&mut self, why: String) {
        self.deliver(Event::Away);
        tracing::warn!(
            store = %self.connector.address,
            "the store is away: {why}; clients stay, and what needs the store is refused"
        );
        let mut backoff = between_attempts();
        let mut said = why;
        while let Err(why) = self.recover().await {
            if why != said {
                tracing::warn!(store = %self.connector.address, "the store is still away: {why}");
                said = why;
            }
            tokio::time::sleep(backoff.next_pause()).await;
        }
        self.deliver(Event::Back);
        tracing::info!(store = %self.connector.address, "the store is back");
    }

    async fn recover(&mut self) -> Result<(), String> {
        self.check_twice().await?;
        self.inspect().await.map_err(ConnectError::into_reason)?;
        self.subscriber.all_lost().await;
        Ok(())
    }

    /// Whether the server can still be relied upon. A store that was emptied meanwhile is marked again: that it may be
    /// created was settled at the start.
    async fn inspect(&self) -> Result<(), ConnectError> {
        let first = self.links.first().expect("there is at least one connection");
        let facts = inspect::inspect(first, &self.connector.address, true).await?;
        *self.facts.lock().expect("no holder of the facts panics") = facts;
        Ok(())
    }

    fn deliver(&self, event: Event) {
        if let Some(sink) = self.sink.get() {
            sink.deliver(event);
        }
    }
}

/// Why a command failed, for a sentence that says already that the store is away.
fn reason(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(why) | StoreError::Unknown(why) | StoreError::Refused(why) => why,
        StoreError::Gone => error.to_string(),
    }
}

async fn beat(link: &Link, channel: &str, number: u64) -> Result<Run, StoreError> {
    let marker = crate::random::text(20);
    let call = Call::script(Script::Beat, &[keys::RUN]).args(&[channel, &number.to_string(), &marker]);
    reply::texts(link.call(call).await?).map(Run)
}

/// How long a lost connection may take to come back before the store counts as away.
const SECOND_TRY: Duration = Duration::from_millis(100);
