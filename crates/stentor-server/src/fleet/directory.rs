//! Which channels there are. A bucket may name one that is gone; it never misses one that exists.

use std::fmt;
use std::time::Duration;

use super::founded;
use crate::hub::{Decision, Hub, Refusal};
use crate::store::partition::DIRECTORY_BUCKETS;
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, Peek, StoreError, StoreTime};
use crate::tenure::Tenure;

/// What is noted of a channel or an account that is about to be created: `<epoch> <milliseconds of the store's time>[ <founder>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The epoch that it will have.
    pub epoch: Epoch,
    /// When that was, as its node knew the store's time.
    pub at: StoreTime,
    /// The folded name of the account that founds it.
    pub founder: Option<String>,
}

impl Listing {
    /// As it was written; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (epoch, at) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { epoch, at: StoreTime(at), founder: words.next().map(str::to_owned) })
    }

    /// Whether whoever was about to create it has done so or given up.
    #[must_use]
    pub fn is_settled(&self, now: StoreTime) -> bool {
        self.at.plus(SETTLED) <= now
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.epoch, self.at.0)?;
        self.founder.as_ref().map_or(Ok(()), |founder| write!(f, " {founder}"))
    }
}

/// Takes a channel that is gone out of the directory, and from what its founder's account has founded.
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
    // One that cannot be read is nobody's.
    if let Some(listing) = Listing::from_text(&value) {
        if ended != Some(listing.epoch) && !listing.is_settled(hub.store().now().await?) {
            return Ok(());
        }
        founded::release(hub, tenure, channel, &listing).await?;
    }
    let decision = Decision {
        guards: vec![Guard::Field(key.to_owned(), Is::Equal(value))],
        changes: vec![Change::Unset(key.to_owned())],
        ..Decision::default()
    };
    hub.write_blind(tenure, &bucket, Life::Within(epoch), decision).await?;
    Ok(())
}

/// Says in the directory who the founder of a channel is from now on, where it is still listed in that life.
///
/// # Errors
/// The store's; [`Refusal::Rule`] where it is not.
pub async fn refound(
    hub: &Hub,
    tenure: &Tenure,
    channel: &Partition,
    epoch: Epoch,
    founder: Option<&str>,
) -> Result<(), Refusal<()>> {
    let key = channel.as_str();
    let decide = |peek: &Peek| {
        let value = peek.fields.first().cloned().flatten().ok_or(())?;
        let listing = Listing::from_text(&value).filter(|listing| listing.epoch == epoch).ok_or(())?;
        let listing = Listing { founder: founder.map(str::to_owned), ..listing };
        Ok(Decision {
            guards: vec![Guard::Field(key.to_owned(), Is::Equal(value))],
            changes: vec![Change::Set(key.to_owned(), listing.to_string())],
            ..Decision::default()
        })
    };
    hub.write(tenure, &Partition::directory_of(key), &[key], decide).await.map(drop)
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

/// A listing of what is not there is abandoned after this time: longer than any lease lets a creation take.
const SETTLED: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_reads_back_from_its_text() {
        for founder in [None, Some("ann".to_owned())] {
            let listing = Listing { epoch: Epoch(7), at: StoreTime(17), founder };
            assert_eq!(Listing::from_text(&listing.to_string()), Some(listing));
        }
        assert_eq!(Listing::from_text("7"), None);
    }

    #[test]
    fn a_listing_settles_in_the_stores_time() {
        let listing = Listing { epoch: Epoch(7), at: StoreTime(17), founder: None };
        assert!(!listing.is_settled(StoreTime(0)) && !listing.is_settled(StoreTime(300_016)));
        assert!(listing.is_settled(StoreTime(300_017)));
    }
}
