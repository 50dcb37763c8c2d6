//! METADATA SUB, UNSUB and SUBS: the keys that a client hears of.

use std::collections::BTreeSet;

use stentor_proto::line::Line;
use stentor_proto::numeric::Numeric;

use super::metadata::{INVALID_KEY, failure};
use crate::error::Error;
use crate::hub::Held;
use crate::metadata::{self, sync};
use crate::reply::{Batch, Reply};
use crate::session::Session;

/// Hears of more keys. What they have now follows, where the client sees it.
pub(super) async fn subscribe(session: &mut Session, keys: &[&str], reply: &mut Reply) -> Result<(), Error> {
    if keys.is_empty() {
        return Err(super::need_more_params("METADATA"));
    }
    let most = session.node.config().limits.metadata_subscriptions;
    let mut all = BTreeSet::clone(&session.client.metadata_keys());
    let (mut done, mut new, mut failures) = (Vec::new(), BTreeSet::new(), Vec::new());
    for key in keys {
        if !metadata::is_key(key) {
            failures.push(failure(session, "KEY_INVALID", &[key], INVALID_KEY));
        } else if all.contains(*key) {
            done.push((*key).to_owned());
        } else if all.len() < most {
            all.insert((*key).to_owned());
            new.insert((*key).to_owned());
            done.push((*key).to_owned());
        } else {
            let text = format!("You can hear of {most} keys; those from here on were not added");
            failures.push(failure(session, "TOO_MANY_SUBS", &[key], &text));
            break;
        }
    }
    session.client.set_metadata_keys(all);
    answer(session, &None, Numeric::RPL_METADATASUBOK, &done, reply);
    failures.into_iter().for_each(|line| reply.line(line));
    if session.registering.is_some() || new.is_empty() {
        return Ok(());
    }
    for name in session.client.channel_places() {
        let replica = session.client.with_channels(|channels| channels.get(&name).map(Held::replica));
        if let Some(replica) = replica {
            sync::joined(session, &replica, &new, reply).await?;
        }
    }
    let people: Vec<_> = session.monitored.values().filter_map(super::monitor::person).collect();
    session.charge_targets(people.len(), sync::MEMBERS_PER_LINE);
    sync::monitored(session, &people, &new, reply).await
}

pub(super) fn unsubscribe(session: &Session, keys: &[&str], reply: &mut Reply) -> Result<(), Error> {
    if keys.is_empty() {
        return Err(super::need_more_params("METADATA"));
    }
    let mut all = BTreeSet::clone(&session.client.metadata_keys());
    let (legal, illegal): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| metadata::is_key(key));
    for key in &legal {
        all.remove(*key);
    }
    session.client.set_metadata_keys(all);
    let legal: Vec<String> = legal.into_iter().map(str::to_owned).collect();
    answer(session, &None, Numeric::RPL_METADATAUNSUBOK, &legal, reply);
    for key in illegal {
        reply.line(failure(session, "KEY_INVALID", &[key], INVALID_KEY));
    }
    Ok(())
}

pub(super) fn list(session: &Session, reply: &mut Reply) -> Result<(), Error> {
    let keys: Vec<String> = session.client.metadata_keys().iter().cloned().collect();
    let batch = reply.open("metadata-subs", &[]);
    answer(session, &batch, Numeric::RPL_METADATASUBS, &keys, reply);
    reply.close(batch);
    Ok(())
}

/// A numeric with keys as its parameters, as often as they need it.
fn answer(session: &Session, batch: &Option<Batch>, numeric: Numeric, keys: &[String], reply: &mut Reply) {
    let nick = session.client.profile().nick.clone();
    for some in keys.chunks(KEYS_PER_LINE) {
        let line = Line::numeric(&session.client.server, numeric, &nick);
        reply.line_in(batch, some.iter().fold(line, |line, key| line.param(key)).build());
    }
}

/// So many of the longest keys fit a line.
const KEYS_PER_LINE: usize = 6;
