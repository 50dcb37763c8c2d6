//! The connection that receives what is published: one subscription for each watched partition.
//!
//! Subscriptions are confirmed by pushes, refused by replies, both in the order in which they were asked for. What the
//! server takes away unasked is told apart from what it confirms, and asked for again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connect::{ConnectError, Connection, Connector, Stream, of_reply};
use super::keys;
use super::link::{between_attempts, refusal, write_some};
use super::reply::{self, Message};
use super::resp::{self, Decoder, Value, command};
use crate::store::{Event, Partition, Sink, StoreError};

/// The callers' end of the subscriptions.
#[derive(Debug)]
pub(super) struct Subscriber {
    orders: mpsc::Sender<Order>,
    timeout: Duration,
}

/// What the subscriber needs to know.
pub(super) struct Setup {
    pub(super) connector: Arc<Connector>,
    /// The channel on which this handle hears itself.
    pub(super) heartbeat: String,
    /// Where the newest number that was heard there is put.
    pub(super) heard: watch::Sender<u64>,
    /// Where it is put whether all subscriptions stand.
    pub(super) standing: watch::Sender<bool>,
    /// Who receives the events, once there is someone.
    pub(super) sink: Arc<OnceLock<Arc<dyn Sink>>>,
    /// Told when the connection is lost.
    pub(super) trouble: Arc<Notify>,
    /// How long a confirmation may take.
    pub(super) timeout: Duration,
}

impl Subscriber {
    /// Opens a connection for [`Subscriber::start`] and makes sure that it may subscribe to every kind of channel.
    pub(super) async fn open(connector: &Connector) -> Result<Connection, ConnectError> {
        let mut connection = connector.open(MAX_PUSH).await?;
        let mut probes = BytesMut::new();
        for kind in keys::KINDS {
            probes.unsplit(command(&["SSUBSCRIBE", &keys::probe_channel(kind)]));
        }
        probes.unsplit(command(&["SUNSUBSCRIBE"]));
        probes.unsplit(command(&["PING"]));
        // Confirmations are pushes, so the first reply is the answer to PING unless a channel was refused.
        match connector.send(&mut connection, &probes).await? {
            Value::Error(text) => Err(of_reply(&connector.address, &text)),
            _ => Ok(connection),
        }
    }

    /// Starts the task that owns the connection; it ends when `stop` is cancelled.
    pub(super) fn start(
        setup: Setup,
        connection: Connection,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (sender, orders) = mpsc::channel(ORDERS);
        let timeout = setup.timeout;
        let reader = Reader { setup, orders, stop, watched: HashMap::new(), tokens: 0 };
        tasks.spawn(reader.run(connection));
        Self { orders: sender, timeout }
    }

    /// Starts delivery of what is published to `partition`; returns when the server has confirmed it.
    pub(super) async fn watch(&self, partition: &Partition, channel: String) -> Result<(), StoreError> {
        let (confirm, confirmed) = oneshot::channel();
        let order = Order::Watch(partition.clone(), channel.clone(), confirm);
        let asked = async {
            self.orders.send(order).await.map_err(|_| closed())?;
            confirmed.await.unwrap_or_else(|_| Err(closed()))
        };
        let Ok(result) = tokio::time::timeout(self.timeout, asked).await else {
            let _ = self.orders.send(Order::GiveUp(channel)).await;
            return Err(StoreError::Unavailable("a subscription was not confirmed in time".to_owned()));
        };
        result
    }

    /// Ends delivery of what is published to `channel`; nothing comes once this has returned.
    pub(super) async fn unwatch(&self, channel: String) {
        let (tell, told) = oneshot::channel();
        // Where the reader has ended, so have all deliveries.
        if self.orders.send(Order::Unwatch(channel, tell)).await.is_ok() {
            let _ = told.await;
        }
    }

    /// Has everything that is watched compared with the log, and returns when the receiver has been told.
    pub(super) async fn all_lost(&self) {
        let (tell, told) = oneshot::channel();
        if self.orders.send(Order::AllLost(tell)).await.is_ok() {
            let _ = told.await;
        }
    }

    /// Gives the connection up and opens a new one.
    pub(super) async fn reopen(&self) {
        let _ = self.orders.send(Order::Reopen).await;
    }
}

type Confirm = oneshot::Sender<Result<(), StoreError>>;

#[derive(Debug)]
enum Order {
    Watch(Partition, String, Confirm),
    Unwatch(String, oneshot::Sender<()>),
    /// Whoever asked for this channel waits no longer.
    GiveUp(String),
    AllLost(oneshot::Sender<()>),
    Reopen,
}

/// The task's end.
struct Reader {
    setup: Setup,
    orders: mpsc::Receiver<Order>,
    stop: CancellationToken,
    watched: HashMap<String, Watched>,
    tokens: u64,
}

/// One watched partition.
struct Watched {
    partition: Partition,
    /// Which of several requests for this channel the current one is.
    token: u64,
    confirmed: bool,
    /// Whether entries may have been missed, which is said once the subscription stands.
    lost: bool,
    waiting: Vec<Confirm>,
    /// Whether anybody has been told that it is watched.
    told: bool,
}

/// What the server has yet to answer.
struct Awaited {
    channel: String,
    /// The request to subscribe; `None`: to unsubscribe.
    token: Option<u64>,
    due: Instant,
}

/// The connection at work.
struct Wire {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    decoder: Decoder,
    inbox: BytesMut,
    out: BytesMut,
    unflushed: bool,
    awaited: VecDeque<Awaited>,
    timeout: Duration,
}

impl Reader {
    async fn run(mut self, first: Connection) {
        let mut connection = Some(first);
        while let Some(next) = connection.take() {
            let mut wire = Wire::new(next, self.setup.timeout);
            self.subscribe_all(&mut wire);
            let Err(why) = self.listen(&mut wire).await else { return };
            tracing::debug!(store = %self.setup.connector.address, "the subscriptions' connection is lost: {why}");
            for watched in self.watched.values_mut() {
                watched.lost |= watched.confirmed;
                watched.confirmed = false;
            }
            self.setup.standing.send_replace(false);
            self.setup.trouble.notify_one();
            connection = self.reconnect().await;
        }
    }

    /// Opens the connection again, however often it takes. `None`: the store closes.
    async fn reconnect(&mut self) -> Option<Connection> {
        let mut backoff = between_attempts();
        loop {
            let connector = Arc::clone(&self.setup.connector);
            let attempt = async {
                let connection = connector.open(MAX_PUSH).await;
                if connection.is_err() {
                    tokio::time::sleep(backoff.next_pause()).await;
                }
                connection
            };
            tokio::pin!(attempt);
            let opened = loop {
                tokio::select! {
                    opened = &mut attempt => break opened,
                    order = self.orders.recv() => self.take_order(order?, None),
                    () = self.stop.cancelled() => return None,
                }
            };
            if let Ok(connection) = opened {
                return Some(connection);
            }
        }
    }

    /// Asks for every subscription. The heartbeat's comes last: once it is heard, all of them stand.
    fn subscribe_all(&mut self, wire: &mut Wire) {
        for (channel, watched) in &mut self.watched {
            self.tokens += 1;
            watched.token = self.tokens;
            wire.subscribe(channel, self.tokens);
        }
        self.tokens += 1;
        wire.subscribe(&self.setup.heartbeat, self.tokens);
    }

    /// Serves the connection until the store closes, or, with the reason, until the connection is lost.
    async fn listen(&mut self, wire: &mut Wire) -> Result<(), String> {
        loop {
            let due = wire.awaited.front().map(|awaited| awaited.due);
            wire.inbox.reserve(READ_SIZE);
            // Every branch is safe to drop half-way: what was read, written or received is counted at once.
            tokio::select! {
                read = wire.reader.read_buf(&mut wire.inbox) => match read {
                    Ok(0) => return Err("the server closed the connection".to_owned()),
                    Ok(_) => self.take_values(wire)?,
                    Err(error) => return Err(error.to_string()),
                },
                wrote = write_some(&mut wire.writer, &mut wire.out, &mut wire.unflushed),
                    if wire.unflushed || !wire.out.is_empty() => if let Err(error) = wrote {
                    return Err(error.to_string());
                },
                order = self.orders.recv(), if wire.out.len() < MAX_OUT => match order {
                    Some(Order::Reopen) => return Err("it was silent".to_owned()),
                    Some(order) => self.take_order(order, Some(wire)),
                    None => return Ok(()),
                },
                () = async { tokio::time::sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    return Err("a subscription was not confirmed in time".to_owned());
                }
                () = self.stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Without a connection, what is asked for is only noted.
    fn take_order(&mut self, order: Order, wire: Option<&mut Wire>) {
        match order {
            Order::Watch(partition, channel, confirm) => match self.watched.get_mut(&channel) {
                Some(watched) if watched.confirmed => watched.told |= confirm.send(Ok(())).is_ok(),
                Some(watched) => watched.waiting.push(confirm),
                None => {
                    self.tokens += 1;
                    let token = self.tokens;
                    if let Some(wire) = wire {
                        wire.subscribe(&channel, token);
                    }
                    let waiting = vec![confirm];
                    let watched =
                        Watched { partition, token, confirmed: false, lost: false, waiting, told: false };
                    self.watched.insert(channel, watched);
                }
            },
            Order::Unwatch(channel, told) => {
                self.unwatch(&channel, wire);
                let _ = told.send(());
            }
            Order::GiveUp(channel) => {
                let unwanted =
                    |watched: &Watched| !watched.told && watched.waiting.iter().all(Confirm::is_closed);
                if self.watched.get(&channel).is_some_and(unwanted) {
                    self.unwatch(&channel, wire);
                }
            }
            Order::AllLost(told) => {
                for watched in self.watched.values_mut() {
                    // Where the subscription does not stand, it is said as soon as it does.
                    if watched.confirmed {
                        deliver(&self.setup.sink, Event::Lost(watched.partition.clone()));
                    }
                }
                let _ = told.send(());
            }
            Order::Reopen => {}
        }
    }

    fn unwatch(&mut self, channel: &str, wire: Option<&mut Wire>) {
        if self.watched.remove(channel).is_some()
            && let Some(wire) = wire
        {
            wire.unsubscribe(channel);
        }
    }

    fn take_values(&mut self, wire: &mut Wire) -> Result<(), String> {
        while let Some(value) =
            wire.decoder.next(&mut wire.inbox).map_err(|resp::Damaged(why)| why.to_owned())?
        {
            match value {
                Value::Push(items) => self.take_push(&items, wire)?,
                Value::Error(text) => self.take_refusal(&text, wire)?,
                _ => return Err("the server answered what nobody asked".to_owned()),
            }
        }
        Ok(())
    }

    fn take_push(&mut self, items: &[Value], wire: &mut Wire) -> Result<(), String> {
        let [Value::Text(kind), Value::Text(channel), content] = items else { return Ok(()) };
        let Ok(channel) = std::str::from_utf8(channel) else { return Ok(()) };
        match kind.as_ref() {
            b"smessage" => self.take_message(channel, content),
            b"ssubscribe" => {
                let awaited = wire.awaited.pop_front().filter(|awaited| awaited.channel == channel);
                let token = awaited.and_then(|awaited| awaited.token);
                let token = token.ok_or("the server confirmed another subscription than was asked for")?;
                self.confirmed(channel, token);
            }
            b"sunsubscribe" => {
                let asked = wire.awaited.front();
                if asked.is_some_and(|awaited| awaited.channel == channel && awaited.token.is_none()) {
                    wire.awaited.pop_front();
                } else {
                    self.taken_away(channel, wire)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_message(&self, channel: &str, content: &Value) {
        let Value::Text(bytes) = content else { return };
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if channel == self.setup.heartbeat {
            self.setup.heard.send_replace(text.parse().unwrap_or_default());
            return;
        }
        // A message may still be on its way when its channel is not watched any more.
        let Some(Watched { partition, .. }) = self.watched.get(channel) else { return };
        let partition = partition.clone();
        let event = match reply::message(text) {
            Ok(Message::Entry(entry)) => Event::Entry(partition, entry),
            Ok(Message::Transient(text)) => Event::Transient(partition, text),
            Err(why) => {
                tracing::warn!(%partition, "a publication that is none of ours was left out: {why}");
                Event::Lost(partition)
            }
        };
        deliver(&self.setup.sink, event);
    }

    fn confirmed(&mut self, channel: &str, token: u64) {
        if channel == self.setup.heartbeat {
            self.setup.standing.send_replace(true);
            return;
        }
        let Some(watched) = self.watched.get_mut(channel).filter(|watched| watched.token == token) else {
            return;
        };
        watched.confirmed = true;
        if std::mem::take(&mut watched.lost) {
            deliver(&self.setup.sink, Event::Lost(watched.partition.clone()));
        }
        for confirm in watched.waiting.drain(..) {
            watched.told |= confirm.send(Ok(())).is_ok();
        }
    }

    /// A subscription ended unasked, as when a cluster moves its slot.
    fn taken_away(&mut self, channel: &str, wire: &mut Wire) -> Result<(), String> {
        if channel == self.setup.heartbeat {
            return Err("the heartbeat's subscription was taken away".to_owned());
        }
        if let Some(watched) = self.watched.get_mut(channel) {
            self.tokens += 1;
            watched.token = self.tokens;
            watched.lost |= watched.confirmed;
            watched.confirmed = false;
            wire.subscribe(channel, self.tokens);
        }
        Ok(())
    }

    /// A subscription is refused: whoever asked learns why. One that stood before is tried again on a new connection.
    fn take_refusal(&mut self, text: &str, wire: &mut Wire) -> Result<(), String> {
        let awaited = wire.awaited.pop_front().ok_or_else(|| text.to_owned())?;
        let Some(token) = awaited.token else { return Ok(()) };
        if awaited.channel == self.setup.heartbeat {
            return Err(text.to_owned());
        }
        let Some(watched) = self.watched.get(&awaited.channel).filter(|watched| watched.token == token)
        else {
            return Ok(());
        };
        if watched.lost {
            return Err(text.to_owned());
        }
        if let Some(watched) = self.watched.remove(&awaited.channel) {
            for confirm in watched.waiting {
                let _ = confirm.send(Err(refusal(text)));
            }
        }
        Ok(())
    }
}

impl Wire {
    fn new(connection: Connection, timeout: Duration) -> Self {
        let Connection { stream, decoder, inbox } = connection;
        let (reader, writer) = tokio::io::split(stream);
        let (out, awaited) = (BytesMut::new(), VecDeque::new());
        Self { reader, writer, decoder, inbox, out, unflushed: false, awaited, timeout }
    }

    fn subscribe(&mut self, channel: &str, token: u64) {
        self.ask("SSUBSCRIBE", channel, Some(token));
    }

    fn unsubscribe(&mut self, channel: &str) {
        self.ask("SUNSUBSCRIBE", channel, None);
    }

    fn ask(&mut self, what: &str, channel: &str, token: Option<u64>) {
        self.out.extend_from_slice(&command(&[what, channel]));
        let due = Instant::now() + self.timeout;
        self.awaited.push_back(Awaited { channel: channel.to_owned(), token, due });
    }
}

fn deliver(sink: &OnceLock<Arc<dyn Sink>>, event: Event) {
    if let Some(sink) = sink.get() {
        sink.deliver(event);
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the subscriptions have ended".to_owned())
}

/// Orders that may wait.
const ORDERS: usize = 1024;
/// Bytes waiting to be written, past which no more orders are taken.
const MAX_OUT: usize = 1 << 20;
/// Room for a read.
const READ_SIZE: usize = 64 << 10;
/// The longest publication; the longest body of a commit is well below.
const MAX_PUSH: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use stentor_testing::RedisOptions;

    use super::super::RedisSettings;
    use super::*;

    /// The partitions for which `Lost` was said, in order.
    #[derive(Debug, Default)]
    struct Losses(Mutex<Vec<Partition>>, Notify);

    impl Sink for Losses {
        fn deliver(&self, event: Event) {
            if let Event::Lost(partition) = event {
                self.0.lock().expect("no test panicked here").push(partition);
                self.1.notify_one();
            }
        }
    }

    /// In a cluster the server itself ends subscriptions: when it gives a slot away, it says `sunsubscribe` unasked.
    #[tokio::test]
    async fn a_subscription_that_the_server_ends_is_taken_again() {
        let server =
            RedisOptions::new().conf("cluster-enabled yes").conf("cluster-require-full-coverage no").start();
        let all = server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        assert_eq!(all, "OK");
        let connector =
            Arc::new(Connector::new(&RedisSettings::new(&server.url())).await.expect("an address"));
        let (tasks, stop, losses) = (TaskTracker::new(), CancellationToken::new(), Arc::<Losses>::default());
        let sink: Arc<OnceLock<Arc<dyn Sink>>> = Arc::default();
        assert!(sink.set(losses.clone()).is_ok());
        let setup = Setup {
            connector: Arc::clone(&connector),
            heartbeat: keys::heartbeat_channel("test"),
            heard: watch::channel(0).0,
            standing: watch::channel(false).0,
            sink,
            trouble: Arc::default(),
            timeout: Duration::from_secs(5),
        };
        // Rights are tried on channels of many slots, which one connection may only have where one node has them all.
        let connection = Subscriber::open(&connector).await.expect("it may subscribe");
        let subscriber = Subscriber::start(setup, connection, &tasks, stop.clone());
        let (kept, moved) = (Partition::channel("#kept"), Partition::channel("#moved"));
        for partition in [&kept, &moved] {
            subscriber.watch(partition, keys::channel(partition, 0)).await.expect("it is watched");
        }

        let slot = server.cli(&["CLUSTER", "KEYSLOT", &keys::channel(&moved, 0)]);
        assert_eq!(server.cli(&["CLUSTER", "DELSLOTS", &slot]), "OK");
        assert_eq!(server.cli(&["CLUSTER", "ADDSLOTS", &slot]), "OK");
        while !losses.0.lock().expect("no test panicked here").contains(&moved) {
            tokio::time::timeout(Duration::from_secs(20), losses.1.notified()).await.expect("Lost is said");
        }
        assert_eq!(
            server.cli(&["SPUBLISH", &keys::channel(&moved, 0), "T"]),
            "1",
            "the subscription stands again"
        );
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
