//! An account's name is a nick that its owner alone can have: how a guest who bears it gives it up.
//!
//! An account and a claim on its name are in two partitions, so no guard keeps one from coming into being beside the other.
//! Instead both sides look again: whoever claims a nick looks for an account of that name once the claim is written, and
//! whoever makes an account looks for a claim on its name once the account is written. Of two that race, the later sees the
//! other, and in either case it is the guest who gives way. Where that does not come about, since the node that was to ask
//! for it ended in between, it does when the owner logs in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{Node, bulletin};
use crate::commit_identity::Committer;
use crate::store::{Partition, StoreError, Writer};

/// Whether a client's nick may have become the name of an account. Its own task looks, between two commands.
#[derive(Debug, Default)]
pub struct Doubt {
    is_raised: AtomicBool,
    raised: Notify,
    settled: Notify,
}

impl Doubt {
    /// Asks the client's task to look again.
    pub fn raise(&self) {
        self.is_raised.store(true, Ordering::Release);
        self.raised.notify_one();
    }

    /// Whether that was asked for since the last call.
    pub fn take(&self) -> bool {
        self.is_raised.load(Ordering::Relaxed) && self.is_raised.swap(false, Ordering::AcqRel)
    }

    /// Completes when there is reason to call [`Doubt::take`]. Cancel-safe.
    pub fn raised(&self) -> Notified<'_> {
        self.raised.notified()
    }

    /// Tells those who wait that the client's task has looked, and that nothing is in doubt any more.
    pub fn settle(&self) {
        self.settled.notify_waiters();
    }
}

impl Node {
    /// Has a session give up its nick, if that is the name of somebody else's account, and waits for it a little. False where
    /// it has not done so, or its node does not answer.
    pub async fn have_looked(&self, writer: &Writer, id: &str) -> bool {
        let answer = if writer == self.tenure().writer() || self.clients.by_id(id).is_some() {
            Some(self.look_here(id).await)
        } else {
            self.ask(writer, &question(id), PATIENCE + PATIENCE).await
        };
        matches!(answer.as_deref(), Some("done" | "gone"))
    }

    /// Ends a session. False where its node does not answer.
    pub async fn have_ended(&self, writer: &Writer, id: &str, reason: &str) -> bool {
        if let Some(client) = self.clients.by_id(id) {
            client.queue.close(reason);
            return true;
        }
        // Every version knows this question.
        let question = format!("KILL {id} {} {reason}", self.server_name);
        let answer = self.ask(writer, &question, PATIENCE).await;
        matches!(answer.as_deref(), Some("done" | "gone"))
    }

    /// Answers [`question`].
    pub(super) async fn look_here(&self, id: &str) -> String {
        let Some(client) = self.clients.by_id(id) else { return "gone".to_owned() };
        let settled = client.nick_doubt.settled.notified();
        tokio::pin!(settled);
        settled.as_mut().enable();
        client.nick_doubt.raise();
        // A long command comes first.
        let is_settled = tokio::time::timeout(PATIENCE, settled).await.is_ok();
        if is_settled { "done" } else { "busy" }.to_owned()
    }
}

/// Has whoever bears the name of an account look again, on whichever node, without waiting for it: for what needs no node.
///
/// # Errors
/// The store's.
pub async fn ask_bearer(committer: &Committer, account: &str) -> Result<(), StoreError> {
    let store = committer.store();
    let claim = store.peek_one(&Partition::nick(account), &["user", "writer", "account"]).await?;
    let mut fields = claim.fields.into_iter();
    let mut next = || fields.next().flatten();
    let (Some(id), Some(writer), owner) = (next(), next(), next()) else { return Ok(()) };
    let Ok(writer) = writer.parse::<Writer>() else { return Ok(()) };
    if owner.is_some_and(|owner| owner.eq_ignore_ascii_case(account)) {
        return Ok(());
    }
    let text = bulletin::unanswered(committer.writer(), &question(&id));
    store.publish(&Partition::index(&writer), &text).await
}

fn question(id: &str) -> String {
    format!("NICK {id}")
}

/// How long a session may take until it has looked.
const PATIENCE: Duration = Duration::from_secs(1);
