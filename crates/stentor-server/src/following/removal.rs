//! What is taken away when an account is removed: its feed, and its subscriptions to others' feeds.
//!
//! What this leaves undone, because the process ends, the janitor does: a feed whose owner is not the account's present one
//! is ended, and a subscription that its follower's account does not know of is taken away.

use super::record::{OWNER, Subscriber, publisher_of, subscriber_field};
use crate::commit_identity::{Committer, Draft, WriteError};
use crate::store::{Change, Epoch, Guard, Is, Life, Partition, StoreError};

/// Whom the account follows, as folded names. To be asked before it is removed.
///
/// # Errors
/// The store's.
pub async fn followed_by(committer: &Committer, account: &str) -> Result<Vec<String>, StoreError> {
    let snapshot = committer.store().snapshot(&Partition::account(account)).await?;
    let fields = snapshot.map(|snapshot| snapshot.fields).unwrap_or_default();
    Ok(fields.iter().filter_map(|(field, _)| publisher_of(field)).map(str::to_owned).collect())
}

/// Ends the feed of an account that was removed, and takes away what it followed.
///
/// # Errors
/// The store's.
pub async fn clean_up(
    committer: &Committer,
    account: &str,
    removed: Epoch,
    followed: &[String],
) -> Result<(), WriteError> {
    let feed = Partition::feed(account);
    let peek = committer.store().peek_one(&feed, &[OWNER]).await?;
    let owner = removed.to_string();
    if let Some(epoch) =
        peek.epoch.filter(|_| peek.fields.first().is_some_and(|field| field.as_ref() == Some(&owner)))
    {
        let guards = vec![Guard::Field(OWNER.to_owned(), Is::Equal(owner))];
        committer.attempt(Draft { guards, ..Draft::new(feed, Life::End(epoch)) }).await?;
    }
    for publisher in followed {
        let feed = Partition::feed(publisher);
        let field = subscriber_field(account);
        let peek = committer.store().peek_one(&feed, &[&field]).await?;
        let Some((epoch, old)) = peek.epoch.zip(peek.fields.into_iter().next().flatten()) else { continue };
        // Somebody of the same name may follow by now.
        if old.parse::<Subscriber>().is_ok_and(|subscriber| subscriber.epoch != removed) {
            continue;
        }
        let guards = vec![Guard::Field(field.clone(), Is::Equal(old))];
        let changes = vec![Change::Unset(field)];
        committer.attempt(Draft { guards, changes, ..Draft::new(feed, Life::Within(epoch)) }).await?;
    }
    Ok(())
}
