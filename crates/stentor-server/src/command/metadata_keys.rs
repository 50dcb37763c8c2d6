//! METADATA SUB, UNSUB and SUBS: the keys that a client hears of.

use std::collections::BTreeSet;

use stentor_proto::line::Line;
use stentor_proto::numeric::Numeric;

use super::metadata::{INVALID_KEY, standard};
use crate::metadata::{self, sync};
use crate::reply::{Batch, Reply};
use crate::session::Session;

/// Hears of more keys. What they have now follows, where the client sees it.
pub(super) async fn subscribe(session: &mut Session, keys: &[&str], reply: &mut Reply) {
    let most = session.node.config().limits.metadata_subscriptions;
    let mut all = BTreeSet::clone(&session.client.metadata_keys());
    let (mut done, mut new, mut failures) = (Vec::new(), BTreeSet::new(), Vec::new());
    for key in keys {
        if !metadata::is_key(key) {
            failures.push(standard(session, "WARN", "INVALID_KEY", &[key], INVALID_KEY));
        } else if all.contains(*key) {
            done.push((*key).to_owned());
        } else if all.len() < most {
            all.insert((*key).to_owned());
            new.insert((*key).to_owned());
            done.push((*key).to_owned());
        } else {
            let text = format!("You can hear of {most} keys; those from here on were not added");
            let context = ["SUB", key, &most.to_string()];
            failures.push(standard(session, "FAIL", "LIMIT_REACHED", &context, &text));
            break;
        }
    }
    session.client.set_metadata_keys(all);
    answer(session, &None, Numeric::RPL_METADATASUBOK, &done, reply);
    failures.into_iter().for_each(|line| reply.line(line));
    if session.registering.is_none() && !new.is_empty() {
        sync::subscribed(session, &new, reply).await;
    }
}

pub(super) fn unsubscribe(session: &Session, keys: &[&str], reply: &mut Reply) {
    let mut all = BTreeSet::clone(&session.client.metadata_keys());
    let (legal, illegal): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| metadata::is_key(key));
    for key in &legal {
        all.remove(*key);
    }
    session.client.set_metadata_keys(all);
    let legal: Vec<String> = legal.into_iter().map(str::to_owned).collect();
    answer(session, &None, Numeric::RPL_METADATAUNSUBOK, &legal, reply);
    for key in illegal {
        reply.line(standard(session, "WARN", "INVALID_KEY", &[key], INVALID_KEY));
    }
}

pub(super) fn list(session: &Session, reply: &mut Reply) {
    let keys: Vec<String> = session.client.metadata_keys().iter().cloned().collect();
    let batch = reply.open("metadata-subs", &[]);
    answer(session, &batch, Numeric::RPL_METADATASUBS, &keys, reply);
    reply.close(batch);
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
