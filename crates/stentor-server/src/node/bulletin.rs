//! What nodes ask and tell each other: short texts on their index partitions, stored nowhere.
//!
//! `ASK <number> <asker> <question>` goes to the partition of the node that is asked; `ANSWER <number> <text>` comes back
//! on the asker's. No answer within the asker's time is an answer too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::Node;
use super::claim::LONGEST_PROBE;
use super::people;
use crate::connection;
use crate::hub::Bulletin;
use crate::operator::broadcast;
use crate::store::{Kind, Partition, Writer};

/// Questions that wait for their answers.
#[derive(Debug, Default)]
pub struct Questions(Mutex<HashMap<u64, oneshot::Sender<String>>>);

impl Questions {
    fn ask(&self) -> (Asked<'_>, oneshot::Receiver<String>) {
        let (number, (sender, answer)) = (crate::random::number(), oneshot::channel());
        self.0.lock().expect("no holder of the questions panics").insert(number, sender);
        (Asked { questions: self, number }, answer)
    }

    fn take(&self, number: u64) -> Option<oneshot::Sender<String>> {
        self.0.lock().expect("no holder of the questions panics").remove(&number)
    }
}

/// A question that waits. It is forgotten with this, also where its asker is dropped half-way.
struct Asked<'a> {
    questions: &'a Questions,
    number: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.questions.take(self.number);
    }
}

/// How many questions of others this node answers at once. One beyond that is dropped: its asker does without the answer
/// when its time is over.
#[derive(Debug)]
struct Answering {
    /// Questions about one session: their answers are a word, but a probe waits for a client.
    sessions: Arc<Semaphore>,
    /// Questions whose answers are long. They have places of their own, so that they never keep a probe from its answer:
    /// a session whose probe is not answered can lose its name.
    lists: Arc<Semaphore>,
}

impl Default for Answering {
    fn default() -> Self {
        Self { sessions: Arc::new(Semaphore::new(SESSIONS)), lists: Arc::new(Semaphore::new(LISTS)) }
    }
}

impl Answering {
    /// A place for this question, held for as long as its answer takes.
    fn place_for(&self, question: &str) -> Option<OwnedSemaphorePermit> {
        let is_list = matches!(question.split(' ').next(), Some("WHO" | "WHOIS" | "WHOWAS" | "COUNT"));
        let places = if is_list { &self.lists } else { &self.sessions };
        places.clone().try_acquire_owned().ok()
    }
}

/// A question of `asker` whose answer nobody waits for.
pub(super) fn unanswered(asker: &Writer, question: &str) -> String {
    format!("ASK 0 {asker} {question}")
}

impl Node {
    /// Asks another node; `None` where it does not answer in time.
    pub async fn ask(&self, writer: &Writer, question: &str, within: Duration) -> Option<String> {
        let (asked, answer) = self.questions.ask();
        let text = format!("ASK {} {} {question}", asked.number, self.tenure().writer());
        match self.hub.store().publish(&Partition::index(writer), &text).await {
            Ok(()) => tokio::time::timeout(within, answer).await.ok().and_then(Result::ok),
            Err(_) => None,
        }
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
        connection::ping(&client, "probe");
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

    async fn answer(self: &Arc<Self>, question: &str) -> String {
        let words: Vec<&str> = question.split(' ').collect();
        match words.as_slice() {
            ["PROBE", id, probe] => {
                let probe = Duration::from_millis(probe.parse().unwrap_or_default()).min(LONGEST_PROBE);
                if self.probe(id, probe).await { "alive".to_owned() } else { "gone".to_owned() }
            }
            ["WHO", rest @ ..] => crate::command::who::answer(self, rest),
            ["WHOWAS", rest @ ..] => crate::command::whowas::answer(self, rest),
            ["WHOIS", rest @ ..] => crate::command::whois::answer(self, rest),
            ["COUNT"] => crate::command::lusers::answer(self).await,
            ["KILL", id, by, ..] => crate::command::kill::answer(self, id, by, question).await,
            ["NICK", id] => self.look_here(id).await,
            ["ADDRESS", id] => crate::command::whois::address(self, id),
            ["CALLED", id] => people::nick_of(self, id),
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
    let answering = Answering::default();
    loop {
        let (partition, text, _weight) = tokio::select! {
            () = node.stop.cancelled() => return,
            bulletin = bulletins.recv() => match bulletin {
                Some(bulletin) => bulletin,
                None => return,
            },
        };
        if partition.kind() == Kind::Fleet {
            if !node.login.hear(&text) {
                broadcast::hear(&node, &text);
            }
            continue;
        }
        match text.split_once(' ') {
            Some(("ASK", rest)) => ask_heard(&node, &answering, rest),
            Some(("ANSWER", rest)) => answer_heard(&node, rest),
            _ => {}
        }
    }
}

fn ask_heard(node: &Arc<Node>, answering: &Answering, rest: &str) {
    let mut parts = rest.splitn(3, ' ');
    let (Some(number), Some(asker), Some(question)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let Ok(asker) = asker.parse::<Writer>() else { return };
    let Some(place) = answering.place_for(question) else {
        tracing::debug!(%asker, "another node's question was dropped: too many are being answered");
        return;
    };
    let (node, number, question) = (node.clone(), number.to_owned(), question.to_owned());
    // A probe waits for a client, so each question has a task, and a place among those that are answered.
    node.tasks.clone().spawn(async move {
        let _place = place;
        let text = format!("ANSWER {number} {}", node.answer(&question).await);
        if let Err(error) = node.hub.store().publish(&Partition::index(&asker), &text).await {
            tracing::debug!(%error, "an answer to another node was not sent");
        }
    });
}

fn answer_heard(node: &Node, rest: &str) {
    let Some((number, text)) = rest.split_once(' ') else { return };
    let Ok(number) = number.parse() else { return };
    if let Some(waiting) = node.questions.take(number) {
        // The asker may have given up.
        let _ = waiting.send(text.to_owned());
    }
}

/// How long a node may take to look up a session.
const KNOWS: Duration = Duration::from_secs(1);
/// What a question and its answer may take beyond the work that it asks for.
const ROUND_TRIP: Duration = Duration::from_millis(500);
/// How many questions about one session are answered at once.
const SESSIONS: usize = 4096;
/// How many questions with long answers are answered at once.
const LISTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_never_keep_a_probe_from_its_answer() {
        let answering = Answering::default();
        let mut places: Vec<_> = (0..LISTS).map_while(|_| answering.place_for("WHO id 10 - *")).collect();
        assert_eq!(places.len(), LISTS);
        assert!(answering.place_for("WHOIS id id").is_none());
        assert!(answering.place_for("PROBE id 3000").is_some());
        places.pop();
        assert!(answering.place_for("WHOIS id id").is_some());
    }

    #[test]
    fn a_question_is_forgotten_with_its_asker() {
        let questions = Questions::default();
        let (asked, _answer) = questions.ask();
        assert_eq!(questions.0.lock().expect("no test panicked here").len(), 1);
        drop(asked);
        assert!(questions.0.lock().expect("no test panicked here").is_empty());
    }
}
