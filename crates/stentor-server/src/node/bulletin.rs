//! What nodes ask and tell each other: short texts on their index partitions, stored nowhere.
//!
//! `ASK <number> <asker> <question>` goes to the partition of the node that is asked; `ANSWER <number> <text>` comes back
//! on the asker's. No answer within the asker's time is an answer too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::Node;
use super::claim::LONGEST_PROBE;
use crate::hub::Bulletin;
use crate::store::{Kind, Partition, Writer};

/// Questions that wait for their answers.
#[derive(Debug, Default)]
pub struct Questions(Mutex<HashMap<u64, oneshot::Sender<String>>>);

impl Node {
    /// Asks another node; `None` where it does not answer in time.
    pub async fn ask(&self, writer: &Writer, question: &str, within: Duration) -> Option<String> {
        let number = crate::random::number();
        let (sender, answer) = oneshot::channel();
        self.questions.0.lock().expect("no holder of the questions panics").insert(number, sender);
        let text = format!("ASK {number} {} {question}", self.tenure().writer());
        let published = self.hub.store().publish(&Partition::index(writer), &text).await;
        let answer = match published {
            Ok(()) => tokio::time::timeout(within, answer).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        self.questions.0.lock().expect("no holder of the questions panics").remove(&number);
        answer
    }

    /// Whether a session still answers: its node is asked, which asks its client.
    pub async fn is_alive(&self, writer: &Writer, id: &str, probe: Duration) -> bool {
        if writer == self.tenure().writer() {
            return self.probe(id, probe).await;
        }
        let question = format!("PROBE {id} {}", probe.as_millis());
        self.ask(writer, &question, probe + ROUND_TRIP).await.as_deref() == Some("alive")
    }

    /// Whether a node still has this session. A claim whose session its own node does not know is nobody's; a node that
    /// does not answer is believed to have it.
    pub async fn knows(&self, writer: Option<&Writer>, id: &str) -> bool {
        match writer {
            Some(writer) if writer == self.tenure().writer() => self.clients.by_id(id).is_some(),
            Some(writer) => self.ask(writer, &format!("KNOWS {id}"), KNOWS).await.as_deref() != Some("no"),
            None => false,
        }
    }

    /// Whether a client of this node answers. One that has not been welcomed yet counts as alive: it is bounded by the
    /// registration's own deadline.
    async fn probe(&self, id: &str, probe: Duration) -> bool {
        let Some(client) = self.clients.by_id(id) else { return false };
        if client.queue.closed().is_some() {
            return false;
        }
        if !client.profile().registered {
            return true;
        }
        let asked = Instant::now();
        client.queue.push_line(&format!(":{} PING :probe", self.server_name));
        let heard = async {
            loop {
                let next = client.heard_more();
                if client.last_heard() >= asked {
                    return;
                }
                next.await;
            }
        };
        tokio::time::timeout(probe, heard).await.is_ok()
    }

    async fn answer(&self, question: &str) -> String {
        let words: Vec<&str> = question.split(' ').collect();
        match words.as_slice() {
            ["PROBE", id, probe] => {
                let probe = Duration::from_millis(probe.parse().unwrap_or_default()).min(LONGEST_PROBE);
                if self.probe(id, probe).await { "alive".to_owned() } else { "gone".to_owned() }
            }
            ["WHO", rest @ ..] => crate::command::who::answer(self, rest),
            ["WHOIS", rest @ ..] => crate::command::whois::answer(self, rest),
            ["KNOWS", id] => {
                let known = self.clients.by_id(id).is_some();
                if known { "yes".to_owned() } else { "no".to_owned() }
            }
            // A newer node asks for something that this version does not know.
            _ => "unknown".to_owned(),
        }
    }
}

/// Takes what other nodes publish, until the node stops.
pub async fn hear(node: Arc<Node>, mut bulletins: mpsc::Receiver<Bulletin>) {
    loop {
        let (partition, text) = tokio::select! {
            () = node.stop.cancelled() => return,
            bulletin = bulletins.recv() => match bulletin {
                Some(bulletin) => bulletin,
                None => return,
            },
        };
        if partition.kind() == Kind::Fleet {
            node.login.hear(&text);
            continue;
        }
        match text.split_once(' ') {
            Some(("ASK", rest)) => ask_heard(&node, rest),
            Some(("ANSWER", rest)) => answer_heard(&node, rest),
            _ => {}
        }
    }
}

fn ask_heard(node: &Arc<Node>, rest: &str) {
    let mut parts = rest.splitn(3, ' ');
    let (Some(number), Some(asker), Some(question)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let Ok(asker) = asker.parse::<Writer>() else { return };
    let (node, number, question) = (node.clone(), number.to_owned(), question.to_owned());
    // A probe waits for a client, so each question has a task; the questions are bounded by their askers' logins.
    node.tasks.clone().spawn(async move {
        let text = format!("ANSWER {number} {}", node.answer(&question).await);
        if let Err(error) = node.hub.store().publish(&Partition::index(&asker), &text).await {
            tracing::debug!(%error, "an answer to another node was not sent");
        }
    });
}

fn answer_heard(node: &Node, rest: &str) {
    let Some((number, text)) = rest.split_once(' ') else { return };
    let Ok(number) = number.parse() else { return };
    let waiting = node.questions.0.lock().expect("no holder of the questions panics").remove(&number);
    if let Some(waiting) = waiting {
        // The asker may have given up.
        let _ = waiting.send(text.to_owned());
    }
}

/// How long a node may take to look up a session.
const KNOWS: Duration = Duration::from_secs(1);
/// What a question and its answer may take beyond the work that it asks for.
const ROUND_TRIP: Duration = Duration::from_millis(500);
