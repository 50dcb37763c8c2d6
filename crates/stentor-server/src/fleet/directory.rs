//! Which channels there are. A bucket may name one that is gone; it never misses one that exists.

use std::time::Duration;

use crate::hub::{Decision, Hub, Refusal, clock};
use crate::store::partition::DIRECTORY_BUCKETS;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, StoreError};
use crate::tenure::Tenure;

/// What the directory says of a channel that is about to be created with `epoch`.
#[must_use]
pub fn listing(epoch: Epoch) -> String {
    format!("{epoch} {}", clock::wall_ms())
}

/// Takes a channel that is gone out of the directory.
///
/// Who is about to create it anew has listed it under another epoch by then, or lists it afterwards. So a listing goes only
/// where it is of the life that has `ended`, or so old that whoever made it has given up.
///
/// # Errors
/// The store's.
pub async fn forget<R>(
    hub: &Hub,
    tenure: &Tenure,
    channel: &Partition,
    ended: Option<Epoch>,
) -> Result<(), Refusal<R>> {
    let key = channel.as_str();
    let bucket = Partition::directory_of(key);
    let listed = hub.store().peek_one(&bucket, &[key]).await?;
    let gone = hub.store().peek_one(channel, &[]).await?;
    let (Some(epoch), Some(Some(value)), None) = (listed.epoch, listed.fields.into_iter().next(), gone.epoch)
    else {
        return Ok(());
    };
    let (of, at) = value.split_once(' ').unwrap_or((&value, "0"));
    let is_ended = ended.is_some_and(|ended| of == ended.to_string());
    let age = clock::wall_ms().saturating_sub(at.parse().unwrap_or_default());
    if !is_ended && Duration::from_millis(age) < SETTLED {
        return Ok(());
    }
    let decision = Decision {
        guards: vec![Guard::Field(key.to_owned(), Is::Equal(value))],
        changes: vec![Change::Unset(key.to_owned())],
        ..Decision::default()
    };
    hub.write_blind(tenure, &bucket, Life::Within(epoch), decision).await?;
    Ok(())
}

/// The names of all channels, bucket by bucket.
///
/// # Errors
/// The store's.
pub async fn channels(hub: &Hub) -> Result<Vec<Partition>, StoreError> {
    let mut all = Vec::new();
    for bucket in 0..DIRECTORY_BUCKETS {
        let Some(snapshot) = hub.store().snapshot(&Partition::directory(bucket)).await? else { continue };
        let names = snapshot.fields.iter().filter(|(name, _)| name.starts_with("c/"));
        all.extend(names.filter_map(|(name, _)| Partition::from_name(name)));
    }
    Ok(all)
}

/// A listing without a channel is abandoned after this time: longer than any lease lets a creation take.
const SETTLED: Duration = Duration::from_mins(5);
