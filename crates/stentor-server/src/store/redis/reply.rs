//! Reads what the scripts return and publish. Nothing of it is trusted: what is not as it must be is damage.

use std::str::FromStr;
use std::sync::Arc;

use super::keys;
use super::request::epoch_of;
use super::resp::Value;
use crate::store::entry::Malformed;
use crate::store::{
    Body, By, Commit, Entry, EntryId, Epoch, Failure, Held, Lease, Leases, Life, Link, Outcome, Page, Peek,
    Range, Snapshot, StoreError, StoreTime,
};

/// What was published on a partition's channel.
#[derive(Debug)]
pub(super) enum Message {
    Entry(Arc<Entry>),
    Transient(Arc<str>),
}

/// The text that carries a transient text.
pub(super) fn transient(text: &str) -> String {
    format!("T{text}")
}

/// Reads a published text.
pub(super) fn message(text: &str) -> Result<Message, Malformed> {
    if let Some(text) = text.strip_prefix('T') {
        return Ok(Message::Transient(text.into()));
    }
    let (head, body) = text.split_once('\n').ok_or(Malformed("a publication has no head"))?;
    let words: Vec<&str> = head.split(' ').collect();
    let ["E", id, epoch, by, previous, ends] = words.as_slice() else {
        return Err(Malformed("a publication's head is not as it must be"));
    };
    Ok(Message::Entry(Arc::new(Entry {
        id: id.parse()?,
        epoch: epoch.parse()?,
        by: by.parse()?,
        previous: previous_link(previous)?,
        ends: flag(ends)?,
        body: Body::from_text(body)?,
    })))
}

/// How a commit ended.
pub(super) fn outcome(commit: &Commit, reply: Value) -> Result<Outcome, StoreError> {
    let texts = texts(reply)?;
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    let last = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    let conflict = |failure, text| Ok(Outcome::Conflict { failure, last: last(text)? });
    match words.as_slice() {
        [_, "done", id, previous] => Ok(Outcome::Committed(Arc::new(Entry {
            id: parse(id)?,
            epoch: epoch_of(commit.life),
            by: commit.by.clone(),
            previous: previous_link(previous).map_err(damage)?,
            ends: matches!(commit.life, Life::End(_)),
            body: Body::of(&commit.changes, &commit.lines),
        }))),
        [_, "logged", id, previous, body, epoch, ends] => Ok(Outcome::Committed(Arc::new(Entry {
            id: parse(id)?,
            epoch: parse(epoch)?,
            by: commit.by.clone(),
            previous: previous_link(previous).map_err(damage)?,
            ends: flag(ends).map_err(damage)?,
            body: Body::from_text(body).map_err(damage)?,
        }))),
        [_, "fenced", ..] => Ok(Outcome::Fenced),
        [_, "life", text, _] => conflict(Failure::Life, text),
        [_, "guard", text, index] => conflict(Failure::Guard(parse_number(index)?), text),
        [_, "superseded", text] => conflict(Failure::Superseded, text),
        _ => Err(strange()),
    }
}

/// A partition; `None` where it has no epoch.
pub(super) fn snapshot(reply: Value) -> Result<Option<Snapshot>, StoreError> {
    let [state, members] = exactly(reply)?;
    let (mut epoch, mut last, mut fields) = (None, None, Vec::new());
    for (name, value) in pairs(state)? {
        match (keys::field_name(&name), name.as_str()) {
            (None, "!epoch") => epoch = Some(parse::<Epoch>(&value)?),
            (None, "!last") => last = Some(parse::<Link>(&value)?),
            (Some(name), _) if !name.starts_with('~') => fields.push((name.to_owned(), value)),
            _ => {}
        }
    }
    let Some(epoch) = epoch else { return Ok(None) };
    let last = last.ok_or_else(|| damage(Malformed("a partition has no newest entry")))?;
    Ok(Some(Snapshot { epoch, last, fields, members: pairs(members)? }))
}

/// A few facts; the first of the fields is the epoch.
pub(super) fn peek(reply: Value) -> Result<Peek, StoreError> {
    let [fields, members] = exactly(reply)?;
    let optional = |value: Value| match value {
        Value::Nil => Ok(None),
        value => value.text().map(Some).ok_or_else(strange),
    };
    let mut fields = fields.items().ok_or_else(strange)?.into_iter().map(optional);
    let epoch = fields.next().ok_or_else(strange)??;
    let epoch = epoch.map(|text| parse(&text)).transpose()?;
    Ok(Peek { epoch, fields: fields.collect::<Result<_, _>>()?, members: integer(&members)? })
}

/// Part of a log.
pub(super) fn page(epoch: Epoch, range: Range, reply: Value) -> Result<Page, StoreError> {
    if reply == Value::Nil {
        return Err(StoreError::Gone);
    }
    let [entries, oldest] = exactly(reply)?;
    let mut entries = stream(epoch, entries)?;
    if matches!(range, Range::Before(_) | Range::Latest) {
        entries.reverse();
    }
    let oldest = stream(epoch, oldest)?.into_iter().next();
    // The oldest entry that is left names the newest one that is gone.
    let lost = oldest.as_ref().is_none_or(|oldest| oldest.previous.is_some());
    let nothing_before = match (entries.first(), &oldest) {
        (Some(first), Some(oldest)) => first.id == oldest.id,
        (_, None) => true,
        (None, Some(_)) => matches!(range, Range::Before(_)),
    };
    let trimmed = lost && nothing_before;
    Ok(Page { entries, trimmed })
}

/// How an attempt to hold a lease ended.
pub(super) fn held(reply: Value) -> Result<Held, StoreError> {
    let texts = texts(reply)?;
    let [what, ends, now] = texts.as_slice() else { return Err(strange()) };
    let (ends, now) = (StoreTime(parse_number(ends)?), StoreTime(parse_number(now)?));
    match what.as_str() {
        "held" => Ok(Held::Yes { deadline: ends, now }),
        "over" => Ok(Held::Over),
        "taken" => Ok(Held::Taken { until: ends, now }),
        _ => Err(strange()),
    }
}

/// All leases.
pub(super) fn leases(reply: Value) -> Result<Leases, StoreError> {
    let [now, since, leases] = exactly(reply)?;
    let time = |value: Value| Ok(StoreTime(parse_number(&value.text().ok_or_else(strange)?)?));
    let lease = |(writer, value): (String, String)| {
        let (expires, info) = value.split_once(' ').ok_or_else(strange)?;
        Ok(Lease {
            writer: parse(&writer)?,
            expires: StoreTime(parse_number(expires)?),
            info: info.to_owned(),
        })
    };
    let leases = pairs(leases)?.into_iter().map(lease).collect::<Result<_, StoreError>>()?;
    Ok(Leases { now: time(now)?, up_since: time(since)?, leases })
}

/// The server's clock.
pub(super) fn clock(reply: Value) -> Result<StoreTime, StoreError> {
    let texts = texts(reply)?;
    let [seconds, micros] = texts.as_slice() else { return Err(strange()) };
    let (seconds, micros): (u64, u64) = (parse_number(seconds)?, parse_number(micros)?);
    Ok(StoreTime(seconds.saturating_mul(1000).saturating_add(micros / 1000)))
}

/// A number.
pub(super) fn integer(value: &Value) -> Result<u64, StoreError> {
    match value {
        Value::Int(n) => u64::try_from(*n).map_err(|_| strange()),
        _ => Err(strange()),
    }
}

/// An array of texts and numbers.
pub(super) fn texts(reply: Value) -> Result<Vec<String>, StoreError> {
    reply.items().ok_or_else(strange)?.iter().map(|item| item.text().ok_or_else(strange)).collect()
}

/// The error for a reply that no script of ours gives.
pub(super) fn strange() -> StoreError {
    StoreError::Refused("the store's answer is not one of ours".to_owned())
}

fn exactly<const N: usize>(reply: Value) -> Result<[Value; N], StoreError> {
    reply.items().and_then(|items| items.try_into().ok()).ok_or_else(strange)
}

fn pairs(value: Value) -> Result<Vec<(String, String)>, StoreError> {
    let texts = texts(value)?;
    if texts.len() % 2 == 1 {
        return Err(strange());
    }
    let mut texts = texts.into_iter();
    let mut pairs = Vec::with_capacity(texts.len() / 2);
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Entries as XRANGE gives them.
fn stream(epoch: Epoch, value: Value) -> Result<Vec<Arc<Entry>>, StoreError> {
    let one = |value| {
        let [id, fields] = exactly(value)?;
        let (mut by, mut previous, mut body) = (None, None, None);
        for (name, value) in pairs(fields)? {
            match name.as_str() {
                "by" => by = Some(parse::<By>(&value)?),
                "prev" => previous = Some(previous_link(&value).map_err(damage)?),
                "body" => body = Some(Body::from_text(&value).map_err(damage)?),
                _ => {}
            }
        }
        let id: EntryId = parse(&id.text().ok_or_else(strange)?)?;
        let missing = || damage(Malformed("an entry lacks a part"));
        Ok(Arc::new(Entry {
            id,
            epoch,
            by: by.ok_or_else(missing)?,
            previous: previous.ok_or_else(missing)?,
            ends: false,
            body: body.ok_or_else(missing)?,
        }))
    };
    value.items().ok_or_else(strange)?.into_iter().map(one).collect()
}

fn previous_link(text: &str) -> Result<Option<Link>, Malformed> {
    if text == "-" { Ok(None) } else { text.parse().map(Some) }
}

fn flag(text: &str) -> Result<bool, Malformed> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Malformed("a flag is neither 0 nor 1")),
    }
}

fn parse<T: FromStr<Err = Malformed>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(damage)
}

fn parse_number<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| strange())
}

fn damage(what: Malformed) -> StoreError {
    StoreError::Refused(format!("the store holds something damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_is_read_strictly() {
        let good = "E 17-3 00000000000000ff n@1#4 16-0/n@1#3 0\n=topic a\n:x y";
        let Ok(Message::Entry(entry)) = message(good) else { panic!("{good}") };
        assert_eq!(entry.id, EntryId { ms: 17, seq: 3 });
        assert_eq!(entry.previous.as_ref().map(|link| link.id), Some(EntryId { ms: 16, seq: 0 }));
        assert_eq!(entry.body.lines, [":x y"]);
        let bare = "E 17-3 00000000000000ff n@1#4 - 1\n";
        assert!(matches!(message(bare), Ok(Message::Entry(entry)) if entry.ends && entry.previous.is_none()));
        assert!(matches!(message("Thi\n"), Ok(Message::Transient(text)) if &*text == "hi\n"));
        for bad in [
            "",
            "E",
            "X\n",
            &good.replace("17-3", "17"),
            &good.replace(" 0\n", " 2\n"),
            &good.replace('=', "?"),
        ] {
            assert!(message(bad).is_err(), "{bad:?}");
        }
    }
}
