//! Writes what the scripts take.

use std::collections::BTreeMap;

use super::keys::{self, Keys};
use super::script::{Call, Script};
use crate::store::{Body, Change, Commit, Epoch, Guard, Is, Life, Partition, Range, Size, StoreError};

/// The command for a commit.
pub(super) fn commit(commit: &Commit, database: u32) -> Result<Call, StoreError> {
    let body = Body::of(&commit.changes, &commit.lines).to_text();
    if body.len() > MAX_BODY || commit.guards.len() > MAX_GUARDS {
        return Err(StoreError::Refused("the commit is too large".to_owned()));
    }
    let mut call = Call::script(Script::Commit, &Keys::of(&commit.partition).0);
    call.own = Some(commit.by.to_string());
    let (life, old) = match commit.life {
        Life::Within(epoch) => ("within", Some(epoch)),
        Life::Begin(_) => ("begin", None),
        Life::Renew(old, _) => ("renew", Some(old)),
        Life::End(epoch) => ("end", Some(epoch)),
    };
    call.push(&keys::channel(&commit.partition, database));
    call.push(commit.by.writer.as_str());
    call.push(&commit.by.number.to_string());
    call.push(&commit.deadline.0.to_string());
    call.push(life);
    call.push(&old.map(|epoch| epoch.to_string()).unwrap_or_default());
    call.push(&epoch_of(commit.life).to_string());
    call.push(&body);
    call.push(&LONGEST_LOG.to_string());
    call.push(&commit.guards.len().to_string());
    for guard in &commit.guards {
        push_guard(&mut call, guard);
    }
    push_changes(&mut call, &commit.changes);
    let erased = commit.changes.iter().filter_map(|change| match change {
        Change::Erase(id) => Some(id.to_string()),
        _ => None,
    });
    let erased: Vec<String> = erased.collect();
    call.push(&erased.len().to_string());
    for id in &erased {
        call.push(id);
    }
    Ok(call)
}

/// Which life of the partition a commit's entry belongs to.
pub(super) fn epoch_of(life: Life) -> Epoch {
    match life {
        Life::Within(epoch) | Life::Begin(epoch) | Life::Renew(_, epoch) | Life::End(epoch) => epoch,
    }
}

/// The command for part of a log.
pub(super) fn read(partition: &Partition, epoch: Epoch, range: Range, limit: usize) -> Call {
    let (command, start, stop) = match range {
        Range::From(id) => ("XRANGE", id.to_string(), "+".to_owned()),
        Range::After(id) => ("XRANGE", format!("({id}"), "+".to_owned()),
        Range::Before(id) => ("XREVRANGE", format!("({id}"), "-".to_owned()),
        Range::Latest => ("XREVRANGE", "+".to_owned(), "-".to_owned()),
    };
    let (epoch, limit) = (epoch.to_string(), limit.clamp(1, MAX_PAGE).to_string());
    Call::script(Script::Read, &Keys::of(partition).0).args(&[&epoch, command, &start, &stop, &limit])
}

fn push_guard(call: &mut Call, guard: &Guard) {
    let is = |is: &Is| match is {
        Is::Present => ('+', String::new()),
        Is::Absent => ('-', String::new()),
        Is::Equal(value) => ('=', value.clone()),
    };
    let (what, (how, value), name) = match guard {
        Guard::Field(name, wanted) => ('f', is(wanted), keys::field(name)),
        Guard::Member(name, wanted) => ('m', is(wanted), name.clone()),
        Guard::Size(size) => {
            let (how, n) = match size {
                Size::Exactly(n) => ('=', n),
                Size::Above(n) => ('>', n),
                Size::Below(n) => ('<', n),
            };
            ('s', (how, n.to_string()), String::new())
        }
    };
    call.push(&format!("{what}{how}"));
    call.push(&name);
    call.push(&value);
}

/// What is left of the changes when each name is looked at once: the last one counts.
fn push_changes(call: &mut Call, changes: &[Change]) {
    let (mut fields, mut members) = (BTreeMap::new(), BTreeMap::new());
    for change in changes {
        match change {
            Change::Set(name, value) => fields.insert(keys::field(name), Some(value)),
            Change::Unset(name) => fields.insert(keys::field(name), None),
            Change::SetMember(name, value) => members.insert(name.clone(), Some(value)),
            Change::UnsetMember(name) => members.insert(name.clone(), None),
            Change::Erase(_) => continue,
        };
    }
    for map in [fields, members] {
        let sets = map.values().flatten().count();
        call.push(&sets.to_string());
        for (name, value) in &map {
            if let Some(value) = value {
                call.push(name);
                call.push(value);
            }
        }
        call.push(&(map.len() - sets).to_string());
        for (name, _) in map.iter().filter(|(_, value)| value.is_none()) {
            call.push(name);
        }
    }
}

/// No log grows past this, give or take a hundred entries, whatever the janitor does.
pub(crate) const LONGEST_LOG: usize = 100_000;
/// The longest body, in bytes. A subscriber must be able to take it.
const MAX_BODY: usize = 8 << 20;
/// The longest page, in entries.
const MAX_PAGE: usize = 100_000;
/// More guards than any rule has.
const MAX_GUARDS: usize = 1000;
