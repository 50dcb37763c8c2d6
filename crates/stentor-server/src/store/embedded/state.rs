//! What the writer keeps in memory: the state of partitions, numbers of writers, and how to take back what a failed
//! transaction had changed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::store::{By, Change, Commit, Entry, EntryId, Epoch, Failure, Guard, Is, Life, Link, Partition};
use crate::store::{StoreTime, Writer};

/// Names and values. Shared, so that a snapshot costs the writer nothing; a change after one copies the map.
pub(super) type Map = Arc<BTreeMap<String, String>>;

/// What is known of a partition.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Its life, if it has one.
    pub(super) alive: Option<Alive>,
    /// The entry that ended it, until it begins anew.
    pub(super) end: Option<Arc<Entry>>,
    /// The highest id that it ever had, as far as is known.
    newest: EntryId,
    /// The highest number of each writer.
    used: HashMap<Writer, u64>,
    /// The batch in which it was last needed.
    touched: u64,
}

/// One life of a partition.
#[derive(Debug)]
pub(super) struct Alive {
    /// Its row; `None` for a volatile partition, which has none.
    pub(super) row: Option<i64>,
    pub(super) epoch: Epoch,
    pub(super) last: Link,
    pub(super) fields: Map,
    pub(super) members: Map,
    /// The log of a volatile partition.
    pub(super) log: Log,
}

/// A log that is kept in memory.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: VecDeque<Arc<Entry>>,
    /// It has lost its beginning.
    pub(super) trimmed: bool,
}

impl Slot {
    pub(super) fn last(&self) -> Option<Link> {
        self.alive.as_ref().map(|alive| alive.last.clone())
    }

    /// The id of an entry that is written now.
    pub(super) fn next_id(&self, now: StoreTime) -> EntryId {
        let EntryId { ms, seq } = self.newest;
        if now.0 > ms { EntryId { ms: now.0, seq: 0 } } else { EntryId { ms, seq: seq + 1 } }
    }

    /// What does not hold of what a commit asks for.
    pub(super) fn failure(&self, commit: &Commit) -> Option<Failure> {
        let wanted = match commit.life {
            Life::Begin(_) => None,
            Life::Within(epoch) | Life::Renew(epoch, _) | Life::End(epoch) => Some(epoch),
        };
        if self.alive.as_ref().map(|alive| alive.epoch) != wanted {
            return Some(Failure::Life);
        }
        commit.guards.iter().position(|guard| !self.holds(guard)).map(Failure::Guard)
    }

    fn holds(&self, guard: &Guard) -> bool {
        let value =
            |name: &str, map: fn(&Alive) -> &Map| self.alive.as_ref().and_then(|alive| map(alive).get(name));
        match guard {
            Guard::Field(name, is) => matches(is, value(name, |alive| &alive.fields)),
            Guard::Member(id, is) => matches(is, value(id, |alive| &alive.members)),
            Guard::Size(size) => {
                size.holds(self.alive.as_ref().map_or(0, |alive| alive.members.len() as u64))
            }
        }
    }

    /// Whether nothing is lost when the slot is forgotten: all there is can be read from the file again.
    fn is_cold(&self) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.row.is_some() && alive.members.is_empty())
    }
}

fn matches(is: &Is, value: Option<&String>) -> bool {
    match is {
        Is::Present => value.is_some(),
        Is::Absent => value.is_none(),
        Is::Equal(wanted) => value == Some(wanted),
    }
}

/// The slots that are in memory.
#[derive(Debug)]
pub(super) struct Cache {
    slots: HashMap<Partition, Slot>,
    /// The highest number of each writer in any slot that was forgotten. A lower number for a partition whose slot is
    /// gone is a retry, since writers hand over their commits in the order of their numbers.
    forgotten: HashMap<Writer, u64>,
    undo: Vec<Undo>,
    batch: u64,
    /// How many slots may be kept before the coldest are forgotten.
    limit: usize,
    /// At which size to look for them next: later than `limit` where few could be forgotten.
    full: usize,
    /// How many times slots have been forgotten.
    purges: u64,
}

/// How to take back one change.
#[derive(Debug)]
enum Undo {
    Number(Partition, Writer, Option<u64>),
    Field(Partition, String, Option<String>),
    Member(Partition, String, Option<String>),
    /// The newest entry before; for a volatile log also what had to go, and whether it was trimmed.
    Append(Partition, Link, Option<Arc<Entry>>, bool),
    Life(Partition, Box<(Option<Alive>, Option<Arc<Entry>>)>),
    Newest(Partition, EntryId),
    /// An entry of a volatile log as it was.
    Erased(Partition, Arc<Entry>),
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            slots: HashMap::new(),
            forgotten: HashMap::new(),
            undo: Vec::new(),
            batch: 0,
            limit,
            full: limit,
            purges: 0,
        }
    }

    pub(super) fn get(&self, partition: &Partition) -> Option<&Slot> {
        self.slots.get(partition)
    }

    /// Changes whenever a slot may have been forgotten.
    pub(super) fn purges(&self) -> u64 {
        self.purges
    }

    /// The slot, now in use.
    pub(super) fn touch(&mut self, partition: &Partition) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(partition)?;
        slot.touched = self.batch;
        Some(slot)
    }

    /// Takes in what was read from the file. This is no change, and is never taken back.
    pub(super) fn insert(&mut self, partition: Partition, alive: Option<Alive>) {
        let newest = alive.as_ref().map(|alive| alive.last.id).unwrap_or_default();
        let slot = Slot { alive, newest, touched: self.batch, ..Slot::default() };
        self.slots.insert(partition, slot);
    }

    /// The highest number that the writer may have used in the partition.
    pub(super) fn highest(&self, partition: &Partition, writer: &Writer) -> Option<u64> {
        let known = self.slots.get(partition).and_then(|slot| slot.used.get(writer));
        known.max(self.forgotten.get(writer)).copied()
    }

    pub(super) fn use_number(&mut self, partition: &Partition, by: &By) {
        let slot = self.slots.get_mut(partition).expect("the slot was loaded");
        let before = slot.used.insert(by.writer.clone(), by.number);
        self.undo.push(Undo::Number(partition.clone(), by.writer.clone(), before));
    }

    /// Gives a partition a new life, or none.
    pub(super) fn set_life(&mut self, partition: &Partition, alive: Option<Alive>, end: Option<Arc<Entry>>) {
        let slot = self.slots.get_mut(partition).expect("the slot was loaded");
        let id = alive.as_ref().map(|alive| alive.last.id).or(end.as_ref().map(|end| end.id));
        self.undo.push(Undo::Newest(partition.clone(), slot.newest));
        slot.newest = slot.newest.max(id.unwrap_or_default());
        let before = (std::mem::replace(&mut slot.alive, alive), std::mem::replace(&mut slot.end, end));
        self.undo.push(Undo::Life(partition.clone(), Box::new(before)));
    }

    /// Makes a commit's changes.
    pub(super) fn change(&mut self, partition: &Partition, changes: Vec<Change>) {
        let slot = self.slots.get_mut(partition).expect("the slot was loaded");
        let Some(alive) = slot.alive.as_mut() else {
            return;
        };
        for change in changes {
            let undo = match change {
                Change::Set(name, value) => {
                    let before = Arc::make_mut(&mut alive.fields).insert(name.clone(), value);
                    Undo::Field(partition.clone(), name, before)
                }
                Change::Unset(name) => {
                    let before = remove(&mut alive.fields, &name);
                    Undo::Field(partition.clone(), name, before)
                }
                Change::SetMember(id, value) => {
                    let before = Arc::make_mut(&mut alive.members).insert(id.clone(), value);
                    Undo::Member(partition.clone(), id, before)
                }
                Change::UnsetMember(id) => {
                    let before = remove(&mut alive.members, &id);
                    Undo::Member(partition.clone(), id, before)
                }
                Change::Erase(id) => match alive.log.erase(id) {
                    Some(before) => Undo::Erased(partition.clone(), before),
                    None => continue,
                },
            };
            self.undo.push(undo);
        }
    }

    /// Makes `entry` the newest of a life that goes on.
    pub(super) fn append(&mut self, partition: &Partition, entry: &Arc<Entry>) {
        let slot = self.slots.get_mut(partition).expect("the slot was loaded");
        let alive = slot.alive.as_mut().expect("the life was judged");
        slot.newest = entry.id;
        let before = std::mem::replace(&mut alive.last, entry.link());
        let was_trimmed = alive.log.trimmed;
        let gone = if alive.row.is_none() { alive.log.push(entry.clone()) } else { None };
        self.undo.push(Undo::Append(partition.clone(), before, gone, was_trimmed));
    }

    /// The transaction holds: nothing is taken back any more, and what is cold may go.
    pub(super) fn settle(&mut self) {
        self.undo.clear();
        self.batch += 1;
        if self.slots.len() > self.full {
            self.forget_coldest();
        }
    }

    /// The transaction does not hold: everything since the last [`Cache::settle`] is taken back.
    pub(super) fn take_back(&mut self) {
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            undo.apply(&mut self.slots);
        }
    }

    /// Forgets those slots that were not needed for longest, down to three quarters of the limit.
    fn forget_coldest(&mut self) {
        let mut ages: Vec<u64> =
            self.slots.values().filter(|slot| slot.is_cold()).map(|slot| slot.touched).collect();
        let surplus = self.slots.len().saturating_sub(self.limit / 4 * 3).min(ages.len());
        if let Some(last) = surplus.checked_sub(1) {
            let (_, &mut oldest_kept, _) = ages.select_nth_unstable(last);
            self.purges += 1;
            let Self { slots, forgotten, .. } = self;
            slots.retain(|_, slot| {
                let keep = slot.touched > oldest_kept || !slot.is_cold();
                if !keep {
                    for (writer, number) in slot.used.drain() {
                        let highest = forgotten.entry(writer).or_default();
                        *highest = number.max(*highest);
                    }
                }
                keep
            });
        }
        self.full = self.limit.max(self.slots.len() + self.limit / 4);
    }
}

impl Log {
    /// Appends, and returns the oldest entry where it had to go.
    fn push(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        self.entries.push_back(entry);
        if self.entries.len() <= VOLATILE_LOG {
            return None;
        }
        self.trimmed = true;
        self.entries.pop_front()
    }

    /// Takes the lines of an entry away, where it is here, and returns it as it was.
    fn erase(&mut self, id: EntryId) -> Option<Arc<Entry>> {
        let entry = self.entries.iter_mut().find(|entry| entry.id == id)?;
        let mut stub = Entry::clone(entry);
        stub.body.lines.clear();
        Some(std::mem::replace(entry, Arc::new(stub)))
    }
}

impl Undo {
    fn apply(self, slots: &mut HashMap<Partition, Slot>) {
        let (Self::Number(partition, ..)
        | Self::Field(partition, ..)
        | Self::Member(partition, ..)
        | Self::Append(partition, ..)
        | Self::Life(partition, _)
        | Self::Newest(partition, _)
        | Self::Erased(partition, _)) = &self;
        let Some(slot) = slots.get_mut(partition) else {
            return;
        };
        match (self, slot.alive.as_mut()) {
            (Self::Number(_, writer, Some(number)), _) => drop(slot.used.insert(writer, number)),
            (Self::Number(_, writer, None), _) => drop(slot.used.remove(&writer)),
            (Self::Newest(_, newest), _) => slot.newest = newest,
            (Self::Life(_, before), _) => (slot.alive, slot.end) = *before,
            (Self::Field(_, name, before), Some(alive)) => put_back(&mut alive.fields, name, before),
            (Self::Member(_, id, before), Some(alive)) => put_back(&mut alive.members, id, before),
            (Self::Append(_, last, gone, was_trimmed), Some(alive)) => {
                slot.newest = last.id;
                alive.last = last;
                alive.log.entries.pop_back();
                alive.log.trimmed = was_trimmed;
                if let Some(gone) = gone {
                    alive.log.entries.push_front(gone);
                }
            }
            (Self::Erased(_, before), Some(alive)) => {
                let mut entries = alive.log.entries.iter_mut();
                if let Some(entry) = entries.find(|entry| entry.id == before.id) {
                    *entry = before;
                }
            }
            (Self::Field(..) | Self::Member(..) | Self::Append(..) | Self::Erased(..), None) => {}
        }
    }
}

/// Removes a name without copying a shared map that does not hold it.
fn remove(map: &mut Map, name: &str) -> Option<String> {
    if map.contains_key(name) { Arc::make_mut(map).remove(name) } else { None }
}

fn put_back(map: &mut Map, name: String, before: Option<String>) {
    match before {
        Some(value) => drop(Arc::make_mut(map).insert(name, value)),
        None => drop(remove(map, &name)),
    }
}

/// How many entries a volatile partition's log holds.
const VOLATILE_LOG: usize = 1000;
