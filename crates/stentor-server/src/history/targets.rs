//! With whom and where there are new messages.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use stentor_proto::message::Message;

use super::scan::{BUDGET, PIECE};
use super::view::correspondent;
use super::{Cut, Log, Mark};
use crate::store::StoreError;

/// A buffer and its latest message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A room's name or a person's nick.
    pub name: String,
    /// When the latest message was said, in milliseconds since the Unix epoch.
    pub latest: u64,
}

/// The buffers that were found.
#[derive(Debug, Default)]
pub struct Targets {
    /// By their latest messages, the earliest first.
    pub list: Vec<Target>,
    /// The search ended before it was done, at entries of this time.
    pub unfinished: Option<u64>,
}

/// The buffers whose latest message is between two times, exclusively: of `rooms` and feeds by name, and of those with whom private
/// messages were exchanged. At most `limit`, those nearest to `from`.
///
/// # Errors
/// The store's.
pub async fn find(
    rooms: Vec<(String, Log)>,
    inbox: Option<Log>,
    from: u64,
    to: u64,
    limit: usize,
) -> Result<Targets, StoreError> {
    let (low, high) = (from.min(to), from.max(to));
    let mut targets = Targets::default();
    let mut budget = BUDGET;
    for (name, log) in rooms {
        if log.last.ms > low {
            targets.add_room(name, &log, low, &mut budget).await?;
        }
    }
    if let Some(inbox) = inbox.filter(|inbox| inbox.last.ms.saturating_add(inbox.view.slack()) > low) {
        targets.add_people(&inbox, low).await?;
    }
    let Targets { list, .. } = &mut targets;
    unite(list);
    list.retain(|target| target.latest > low && target.latest < high);
    list.sort_unstable_by(|a, b| (a.latest, &a.name).cmp(&(b.latest, &b.name)));
    if to < from {
        list.drain(..list.len().saturating_sub(limit));
    } else {
        list.truncate(limit);
    }
    Ok(targets)
}

impl Targets {
    async fn add_room(
        &mut self,
        name: String,
        log: &Log,
        low: u64,
        budget: &mut usize,
    ) -> Result<(), StoreError> {
        let scan =
            log.backward(Some(Cut::after(Mark::Time(low))), None, 1).within((*budget).min(ROOM_BUDGET));
        let found = log.run(scan).await?;
        *budget -= found.read;
        match found.messages.first() {
            Some(said) => self.list.push(Target { name, latest: said.shown }),
            None => self.note_unfinished(found.unfinished.or((*budget == 0).then_some(log.last.ms))),
        }
        Ok(())
    }

    async fn add_people(&mut self, log: &Log, low: u64) -> Result<(), StoreError> {
        let mut latest: HashMap<String, Target> = HashMap::new();
        let (mut budget, mut high) = (BUDGET, None);
        loop {
            let scan = log.backward(Some(Cut::after(Mark::Time(low))), high, PIECE).within(budget);
            let found = log.run(scan).await?;
            budget -= found.read;
            for said in found.messages.iter().rev() {
                let Ok(message) = Message::parse(said.text()) else { continue };
                let Some(nick) = correspondent(&message) else { continue };
                if let Entry::Vacant(slot) = latest.entry(nick.to_ascii_lowercase()) {
                    slot.insert(Target { name: nick.to_owned(), latest: said.shown });
                }
            }
            self.note_unfinished(found.unfinished);
            match found.messages.first() {
                Some(first) if found.messages.len() == PIECE && budget > 0 => {
                    high = Some(Cut::before(Mark::Place(first.place())));
                }
                Some(first) if found.messages.len() == PIECE => {
                    self.note_unfinished(Some(first.entry.id.ms));
                    break;
                }
                _ => break,
            }
        }
        self.list.extend(latest.into_values());
        Ok(())
    }

    fn note_unfinished(&mut self, at: Option<u64>) {
        self.unfinished = self.unfinished.max(at);
    }
}

/// A person may be there twice: with private messages, and with posts.
fn unite(list: &mut Vec<Target>) {
    list.sort_unstable_by_key(|target| (target.name.to_ascii_lowercase(), u64::MAX - target.latest));
    list.dedup_by(|next, kept| next.name.eq_ignore_ascii_case(&kept.name));
}

/// How many entries of one room are looked at for its latest message.
pub(crate) const ROOM_BUDGET: usize = 2048;
