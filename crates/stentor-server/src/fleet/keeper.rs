//! Holds this node's lease, and starts a new incarnation when it was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::roll_call::RollCall;
use crate::client::Client;
use crate::commit_identity::{Committer, Draft};
use crate::hub::{Decision, Refusal};
use crate::node::Node;
use crate::operator::notices;
use crate::store::{Held, Leases, Life, Outcome, Partition, Store, StoreError, Writer};
use crate::tenure::Tenure;

/// Takes a lease for a new incarnation of the node `name`. A name that is still live is awaited.
///
/// # Errors
/// The store's. The lease is given back then, as far as the store can be reached: another attempt would find the name
/// taken, by this very incarnation.
pub async fn begin(
    store: &Arc<dyn Store>,
    name: &str,
    lease: Duration,
    info: &str,
    stop: &CancellationToken,
) -> Result<Arc<Tenure>, StoreError> {
    let writer = Writer::new(name, crate::random::number());
    let begun = begin_as(store, &writer, lease, info, stop).await;
    if begun.is_err() {
        let _ = store.release_lease(&writer).await;
    }
    begun
}

async fn begin_as(
    store: &Arc<dyn Store>,
    writer: &Writer,
    lease: Duration,
    info: &str,
    stop: &CancellationToken,
) -> Result<Arc<Tenure>, StoreError> {
    loop {
        match store.hold_lease(writer, lease, info).await? {
            Held::Yes { deadline, .. } => {
                let tenure = Arc::new(Tenure::new(writer.clone(), deadline));
                create_index(store, &tenure).await?;
                return Ok(tenure);
            }
            Held::Taken { until, now } => {
                let wait = Duration::from_millis(until.0.saturating_sub(now.0)).clamp(SHORTEST, lease);
                tracing::warn!(
                    node = writer.node(),
                    ?wait,
                    "another process runs under this node's name: waiting for its lease to end"
                );
                tokio::select! {
                    () = stop.cancelled() => {
                        return Err(StoreError::Unavailable("the node stops before it has a lease".to_owned()));
                    }
                    () = tokio::time::sleep(wait) => {}
                }
            }
            Held::Over => return Err(StoreError::Unavailable("the new lease ended at once".to_owned())),
        }
    }
}

async fn create_index(store: &Arc<dyn Store>, tenure: &Arc<Tenure>) -> Result<(), StoreError> {
    let (writer, numbers) = (tenure.writer().clone(), tenure.numbers().clone());
    let index = Draft::new(Partition::index(&writer), Life::Begin(tenure.index_epoch()));
    match Committer::new(store.clone(), writer, numbers, tenure.clone()).commit(index).await? {
        Outcome::Committed(_) => Ok(()),
        Outcome::Fenced => Err(StoreError::Unavailable("the new lease ended at once".to_owned())),
        Outcome::Conflict { .. } => {
            Err(StoreError::Unavailable("the new incarnation's index is there already".to_owned()))
        }
    }
}

/// Renews the lease at a third of its time, until the node stops; sweeps nodes that have died.
pub async fn keep(node: Arc<Node>) {
    let period = node.fleet.lease() / 3;
    let mut pause = period;
    let mut roll = RollCall::default();
    loop {
        tokio::select! {
            () = node.stop.cancelled() => return,
            () = node.fenced.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        let renewed = renew(&node).await;
        node.fleet.note_renewal(renewed.is_ok());
        pause = match renewed {
            Ok(leases) => {
                node.renewed.notify_waiters();
                let news =
                    roll.note(&leases, node.tenure().writer(), |lease| node.fleet.is_over(lease, &leases));
                notices::tell_of_nodes(&node, &news);
                period
            }
            Err(error) => {
                tracing::debug!(%error, "the lease could not be renewed");
                node.fleet.disturbed();
                RETRY.min(period)
            }
        };
    }
}

async fn renew(node: &Arc<Node>) -> Result<Leases, StoreError> {
    let tenure = node.tenure();
    let info = node.lease_info();
    match node.hub.store().hold_lease(tenure.writer(), node.fleet.lease(), &info).await? {
        // A store that was emptied has no index any more, and no claims: what this node believes to hold is gone.
        Held::Yes { .. } if !has_index(node, &tenure).await? => start_over(node, &tenure, &info).await?,
        Held::Yes { deadline, .. } => tenure.renewed(deadline),
        Held::Over | Held::Taken { .. } => start_over(node, &tenure, &info).await?,
    }
    let leases = node.fleet.refresh().await?;
    // It may take longer than a lease lasts, and renewing must go on meanwhile.
    if let Ok(turn) = node.upkeep.clone().try_lock_owned() {
        let node = node.clone();
        node.tasks.clone().spawn(async move {
            keep_up(&node).await;
            drop(turn);
        });
    }
    Ok(leases)
}

/// Moves sessions of lost incarnations, and sweeps dead nodes. What fails is tried again after the next renewal.
async fn keep_up(node: &Arc<Node>) {
    if let Err(error) = move_sessions(node).await {
        tracing::debug!(%error, "sessions of the lost incarnation are moved later");
        return;
    }
    let leases = match node.fleet.refresh().await {
        Ok(leases) => leases,
        Err(error) => return tracing::debug!(%error, "the leases cannot be read now"),
    };
    for lease in &leases.leases {
        if lease.writer == *node.tenure().writer() || !node.fleet.is_over(lease, &leases) {
            continue;
        }
        if let Err(error) = sweep_dead(node, &lease.writer, node.fleet.margin()).await {
            tracing::warn!(node = %lease.writer, %error, "the clean-up after a node is not finished yet");
        }
    }
}

async fn has_index(node: &Node, tenure: &Tenure) -> Result<bool, StoreError> {
    let peek = node.hub.store().peek_one(&Partition::index(tenure.writer()), &[]).await?;
    Ok(peek.epoch == Some(tenure.index_epoch()))
}

/// The lease was lost: this node was paused, or the store was away. The node goes on under a new incarnation.
async fn start_over(node: &Arc<Node>, lost: &Arc<Tenure>, info: &str) -> Result<(), StoreError> {
    if lost.end() {
        tracing::warn!(
            node = %lost.writer(),
            "this node's lease ran out: it goes on under a new one; clients whose names nobody has taken meanwhile stay, \
             the others are closed"
        );
    }
    let store = node.hub.store();
    let next = begin(store, lost.writer().node(), node.fleet.lease(), info, &node.stop).await?;
    if let Err(error) = take_up(node, &next).await {
        // Another attempt would find the name taken, by this very incarnation.
        let _ = store.release_lease(next.writer()).await;
        return Err(error);
    }
    store.unwatch(&Partition::index(lost.writer())).await;
    node.replace_tenure(next);
    Ok(())
}

async fn take_up(node: &Arc<Node>, next: &Arc<Tenure>) -> Result<(), StoreError> {
    node.fleet.refresh().await?;
    node.fleet.disturbed();
    node.watch_bulletins(next).await
}

/// Sessions whose claims still stand go on under the present incarnation; the others are closed. What a lost incarnation
/// still names after that is swept. Where the store fails in between, the next renewal goes on with the rest.
async fn move_sessions(node: &Arc<Node>) -> Result<(), StoreError> {
    let next = node.tenure();
    let lost = node.lost_tenures();
    if lost.is_empty() {
        return Ok(());
    }
    for client in node.clients.all() {
        // One without claims takes up the present incarnation with its first. Asked before: it may do so just now.
        if !client.has_claims() {
            continue;
        }
        let from = client.tenure();
        if Arc::ptr_eq(&from, &next) {
            continue;
        }
        let registered = client.profile().registered;
        match registered.then(|| super::sweep::move_claims(&node.hub, &client, &from, &next)) {
            Some(moving) => match moving.await {
                Ok(true) => moved(node, &client, &next).await?,
                Ok(false) | Err(Refusal::Fenced | Refusal::Rule(())) => client.queue.cut(LOST),
                Err(Refusal::Contended) => {
                    return Err(StoreError::Unavailable("others write at once".to_owned()));
                }
                Err(Refusal::Store(error)) => return Err(error),
            },
            None => client.queue.cut(LOST),
        }
    }
    node.tenure_changed.notify_waiters();
    for lost in lost {
        // Nobody else's clock is asked: this node knows that the incarnation is over, and that nothing of it is left to move.
        sweep_dead(node, lost.writer(), Duration::ZERO).await?;
        node.forget_tenure(&lost);
    }
    Ok(())
}

/// A client that went while its claims were moved did not give them up itself.
async fn moved(node: &Arc<Node>, client: &Arc<Client>, next: &Arc<Tenure>) -> Result<(), StoreError> {
    client.set_tenure(next.clone());
    node.tenure_changed.notify_waiters();
    if node.clients.by_id(&client.id).is_some() {
        return Ok(());
    }
    match super::sweep::session(&node.hub, next, next.writer(), &client.id, super::sweep::LOST).await {
        Err(Refusal::Store(error)) => Err(error),
        _ => Ok(()),
    }
}

async fn sweep_dead(node: &Arc<Node>, dead: &Writer, margin: Duration) -> Result<(), StoreError> {
    let (tenure, ttl) = (node.tenure(), node.fleet.lease());
    if node.hub.store().claim_sweep(dead, tenure.writer(), margin, ttl).await? {
        finish_sweep(node, dead).await?;
    }
    Ok(())
}

async fn finish_sweep(node: &Arc<Node>, dead: &Writer) -> Result<(), StoreError> {
    match super::sweep::node(&node.hub, &node.tenure(), dead).await {
        Ok(sessions) => {
            tracing::info!(node = %dead, sessions, "cleaned up after a node whose lease was over");
            node.hub.store().release_lease(dead).await
        }
        Err(Refusal::Store(error)) => Err(error),
        Err(Refusal::Fenced | Refusal::Contended | Refusal::Rule(())) => Ok(()),
    }
}

/// Gives the lease up at shutdown, after the index, so that no other node has anything to clean up.
///
/// # Errors
/// The store's.
pub async fn finish(node: &Node) -> Result<(), Refusal<()>> {
    let tenure = node.tenure();
    let life = Life::End(tenure.index_epoch());
    let decision = Decision {
        guards: vec![crate::store::Guard::Size(crate::store::Size::Exactly(0))],
        ..Decision::default()
    };
    let ended = node.hub.write_blind(&tenure, &Partition::index(tenure.writer()), life, decision).await?;
    if ended.is_some() {
        node.hub.store().release_lease(tenure.writer()).await?;
    }
    Ok(())
}

/// What a client reads whose claims somebody else has by now.
const LOST: &str = "This node lost its lease, and your session with it";
/// How long to wait before the next attempt at a renewal that failed.
const RETRY: Duration = Duration::from_millis(500);
/// The shortest wait for another's lease.
const SHORTEST: Duration = Duration::from_millis(100);
