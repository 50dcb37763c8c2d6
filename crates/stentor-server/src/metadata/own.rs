//! What a session says about itself: stored where its private messages are, and told to those who see it.

use std::collections::BTreeMap;

use super::{FIELD, Update, Values};
use crate::error::Error;
use crate::hub::render::EVENT_TAG;
use crate::hub::{Decision, Held, State};
use crate::node::presence::CHANNELS_PER_LINE;
use crate::session::Session;
use crate::store::{Change, Guard, Is, Partition};

/// What the session has said.
#[must_use]
pub fn values(session: &Session) -> Values {
    let read = |state: &State| super::read(state.field(FIELD));
    session.inbox.as_ref().map(|inbox| inbox.with_state(read)).unwrap_or_default()
}

/// Changes what the session says, and gives back what that changed. `edit` may be asked again.
///
/// # Errors
/// `edit`'s, and the store's.
pub async fn change<T>(
    session: &Session,
    mut edit: impl FnMut(&mut Values) -> Result<T, Error>,
) -> Result<T, Error> {
    let inbox = session.inbox.as_ref().map(Held::replica).ok_or(Error::Fenced)?;
    let of_session = session
        .account
        .as_ref()
        .map(|_| Guard::Field("session".to_owned(), Is::Equal(session.claim_value())));
    let mut result = None;
    let decide = |state: &State| {
        if state.epoch.is_none() {
            return Err(Error::Fenced);
        }
        let (guard, change, done) = edited(state, &mut edit)?;
        result = Some(done);
        Ok(Decision {
            life: state.within(),
            guards: of_session.iter().cloned().chain([guard]).collect(),
            changes: vec![change],
            lines: Vec::new(),
        })
    };
    let origin = Some(session.quiet_origin());
    session.node.hub.transact(&inbox, &session.client.tenure(), origin, decide).await?;
    result.ok_or(Error::Fenced)
}

/// What has to hold for an edit of a partition's values, how the partition changes, and what the edit says of itself.
///
/// # Errors
/// The edit's.
pub fn edited<T>(
    state: &State,
    edit: &mut impl FnMut(&mut Values) -> Result<T, Error>,
) -> Result<(Guard, Change, T), Error> {
    let before = state.field(FIELD);
    let mut values = super::read(before);
    let done = edit(&mut values)?;
    let guard = Guard::Field(FIELD.to_owned(), before.map_or(Is::Absent, |text| Is::Equal(text.to_owned())));
    let change = match super::write(&values) {
        Some(text) => Change::Set(FIELD.to_owned(), text),
        None => Change::Unset(FIELD.to_owned()),
    };
    Ok((guard, change, done))
}

/// Tells the session itself, and those who share a room with it or monitor it, what has changed by a login, each once.
pub async fn announce(session: &mut Session, changes: BTreeMap<String, Option<String>>) {
    let update = Update::new(&session.client.profile().nick, changes);
    if update.is_for(&session.client) {
        update.tell(&session.client);
    }
    announce_to_others(session, &update).await;
}

/// Tells the others what the session has changed itself.
pub async fn announce_to_others(session: &mut Session, update: &Update) {
    if update.is_empty() {
        return;
    }
    let event = crate::random::text(12);
    session.node.hub.told().first(&event, &session.client.id);
    let line = update.line().tag(EVENT_TAG, &event).build();
    let rooms: Vec<Partition> = session
        .client
        .with_channels(|channels| channels.values().map(|held| held.partition().clone()).collect());
    session.charge += u32::try_from(rooms.len()).unwrap_or(u32::MAX) / CHANNELS_PER_LINE;
    let nick = session.nick.as_ref().map(|claim| claim.partition.clone());
    for partition in rooms.iter().chain(&nick) {
        publish(session, partition, &line).await;
    }
}

/// Tells those who are in a room already, or monitor a nick, what the session has said: it has just come there.
pub async fn introduce(session: &Session, partition: &Partition) {
    let update = Update::of(&session.client.profile().nick, values(session));
    if !update.is_empty() {
        publish(session, partition, &update.line().build()).await;
    }
}

/// The same for those who monitor the session's nick.
pub async fn introduce_nick(session: &Session) {
    if let Some(claim) = &session.nick {
        introduce(session, &claim.partition).await;
    }
}

/// Adds what was said before to what the session's partition has: as a guest, or before the welcome. What does not fit is
/// left out. Gives back what the partition has now.
///
/// # Errors
/// The store's.
pub async fn carry(session: &Session, said: &Values) -> Result<Values, Error> {
    let most = session.node.config().limits.metadata_keys;
    let there = values(session);
    if said.iter().all(|(key, value)| there.get(key) == Some(value)) {
        return Ok(there);
    }
    change(session, |values| {
        for (key, value) in said {
            if values.len() < most || values.contains_key(key) {
                values.insert(key.clone(), value.clone());
            }
        }
        Ok(values.clone())
    })
    .await
}

/// What leads from some values to others.
#[must_use]
pub fn difference(before: &Values, now: &Values) -> BTreeMap<String, Option<String>> {
    let gone = before.keys().filter(|key| !now.contains_key(*key)).map(|key| (key.clone(), None));
    let new = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    gone.chain(new.map(|(key, value)| (key.clone(), Some(value.clone())))).collect()
}

async fn publish(session: &Session, partition: &Partition, line: &str) {
    if let Err(error) = session.node.hub.publish(partition, &session.client.id, line).await {
        tracing::debug!(%partition, %error, "metadata was not told on other nodes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_new_changed_and_gone() {
        let values = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let changes = difference(
            &values(&[("a", "1"), ("b", "1"), ("c", "1")]),
            &values(&[("a", "1"), ("b", "2"), ("d", "1")]),
        );
        let changes: Vec<_> = changes.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        assert_eq!(changes, [("b", Some("2")), ("c", None), ("d", Some("1"))]);
    }
}
