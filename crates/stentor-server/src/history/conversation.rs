//! One buffer whose messages are in several logs: what two people said to each other, and what one of them posts.
//!
//! The logs are merged by the times at which their messages are found. Of two messages of one millisecond, that of the
//! earlier log in the list comes first; each log keeps its own order.

use super::{Cut, Found, Log, Mark, Said, Scan};
use crate::store::{Partition, StoreError};

/// The logs of one buffer.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// In the order in which they come within one millisecond. Not empty.
    pub logs: Vec<Log>,
}

/// A reference, as it comes to in each of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point(Vec<Mark>);

/// Which messages are asked for. All answers are in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The newest, or the newest after a point.
    Latest(Option<Point>),
    /// The newest before a point.
    Before(Point),
    /// The oldest after a point.
    After(Point),
    /// As many before a point as from it on.
    Around(Point),
    /// Those between two points: the nearest to the first.
    Between(Point, Point),
}

/// What was found in all logs together.
#[derive(Debug, Default)]
pub struct Merged {
    /// Ascending, each with the partition that it is in.
    pub messages: Vec<(Partition, Said)>,
    /// Messages that belong here may have been trimmed away.
    pub trimmed: bool,
    /// The searches that ended before they were done: what is missing is before this time, or, where the oldest messages
    /// were asked for, after it. At most one for each direction, the backward one first; none where a full page ends sooner.
    pub unfinished: Vec<u64>,
}

impl Conversation {
    /// The point of a time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at_time(&self, time: u64) -> Point {
        Point(vec![Mark::Time(time); self.logs.len()])
    }

    /// What a message id comes to; `None` for an id that has no place in any of the logs.
    ///
    /// # Errors
    /// The store's.
    pub async fn at_message(&self, msgid: &str) -> Result<Option<Point>, StoreError> {
        // The log that the id names knows best: another one may only guess.
        let named = self.logs.iter().position(|log| log.is_named_by(msgid));
        let order = named.into_iter().chain((0..self.logs.len()).filter(|index| Some(*index) != named));
        for index in order {
            let Some(log) = self.logs.get(index) else { continue };
            if let Some((mark, time)) = log.mark_of(msgid).await? {
                return Ok(Some(Point::spread(self.logs.len(), index, mark, time)));
            }
        }
        Ok(None)
    }

    /// At most `limit` messages.
    ///
    /// # Errors
    /// The store's; [`StoreError::Gone`] where a partition has another life by now.
    pub async fn page(&self, ask: &Ask, limit: usize) -> Result<Merged, StoreError> {
        match ask {
            Ask::Latest(since) => self.newest(since.as_ref(), None, limit).await,
            Ask::Before(point) => self.newest(None, Some(point), limit).await,
            Ask::After(point) => self.oldest(point, false, None, limit).await,
            Ask::Between(from, to) if to.is_before(from) => self.newest(Some(to), Some(from), limit).await,
            Ask::Between(from, to) => self.oldest(from, false, Some(to), limit).await,
            Ask::Around(point) => {
                let earlier = limit.saturating_sub(1) / 2;
                let later = self.oldest(point, true, None, limit - earlier).await?;
                let rest = limit - later.messages.len();
                let mut found = self.newest(None, Some(point), rest).await?;
                found.messages.extend(later.messages);
                found.trimmed |= later.trimmed;
                found.unfinished.extend(later.unfinished);
                Ok(found)
            }
        }
    }

    /// The newest after `low` and before `high`.
    async fn newest(
        &self,
        low: Option<&Point>,
        high: Option<&Point>,
        limit: usize,
    ) -> Result<Merged, StoreError> {
        let scan = |index: usize, log: &Log| {
            let low = low.and_then(|point| point.0.get(index)).map(|mark| Cut::after(*mark));
            let high = high.and_then(|point| point.0.get(index)).map(|mark| Cut::before(*mark));
            log.backward(low, high, limit)
        };
        let mut found = self.run(scan, u64::max).await?;
        found.keep_newest(limit);
        Ok(found)
    }

    /// The oldest after `low`, or from it on, and before `high`.
    async fn oldest(
        &self,
        low: &Point,
        inclusive: bool,
        high: Option<&Point>,
        limit: usize,
    ) -> Result<Merged, StoreError> {
        let scan = |index: usize, log: &Log| {
            let cut = if inclusive { Cut::before } else { Cut::after };
            let low = low.0.get(index).map(|mark| cut(*mark));
            let high = high.and_then(|point| point.0.get(index)).map(|mark| Cut::before(*mark));
            log.forward(low, high, limit)
        };
        let mut found = self.run(scan, u64::min).await?;
        found.keep_oldest(limit);
        Ok(found)
    }

    /// `nearer` tells which of two times a search comes to first.
    async fn run(
        &self,
        scan: impl Fn(usize, &Log) -> Scan,
        nearer: fn(u64, u64) -> u64,
    ) -> Result<Merged, StoreError> {
        let mut merged = Merged::default();
        for (index, log) in self.logs.iter().enumerate() {
            merged.add(&log.partition, log.run(scan(index, log)).await?, nearer);
        }
        Ok(merged)
    }
}

impl Merged {
    fn add(&mut self, partition: &Partition, found: Found, nearer: fn(u64, u64) -> u64) {
        let tagged = found.messages.into_iter().map(|said| (partition.clone(), said)).collect();
        self.messages = merge(std::mem::take(&mut self.messages), tagged);
        self.trimmed |= found.trimmed;
        let times = self.unfinished.drain(..).chain(found.unfinished);
        self.unfinished = times.reduce(nearer).into_iter().collect();
    }

    fn keep_newest(&mut self, limit: usize) {
        let surplus = self.messages.len().saturating_sub(limit);
        self.messages.drain(..surplus);
        if self.messages.len() == limit {
            // Who goes on where the page ends misses nothing that the search left out before that.
            let end = self.messages.first().map(|(_, said)| said.at);
            self.unfinished.retain(|time| end.is_some_and(|end| *time > end));
        }
    }

    fn keep_oldest(&mut self, limit: usize) {
        self.messages.truncate(limit);
        if self.messages.len() == limit {
            let end = self.messages.last().map(|(_, said)| said.at);
            self.unfinished.retain(|time| end.is_some_and(|end| *time < end));
        }
    }
}

impl Point {
    /// A mark of the log at `index`, of this time, in all `logs`: the others are cut between two milliseconds.
    fn spread(logs: usize, index: usize, mark: Mark, time: u64) -> Self {
        let of = |other: usize| match mark {
            _ if other == index => mark,
            Mark::Time(time) => Mark::Time(time),
            _ if other < index => Mark::Edge(time.saturating_add(1)),
            _ => Mark::Edge(time),
        };
        Self((0..logs).map(of).collect())
    }

    fn is_before(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        let in_one_log = pairs
            .clone()
            .find(|pair| matches!(pair, (Mark::Place(_), Mark::Place(_))))
            .or_else(|| pairs.next());
        in_one_log.is_some_and(|(one, two)| one.is_before(two))
    }
}

/// Two ascending lists as one. Each keeps its order, also where its times do not quite rise.
#[must_use]
pub fn merge<T>(first: Vec<(T, Said)>, second: Vec<(T, Said)>) -> Vec<(T, Said)> {
    if first.is_empty() {
        return second;
    }
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter().peekable();
    for (tag, said) in first {
        while let Some(next) = second.next_if(|(_, next)| next.at < said.at) {
            merged.push(next);
        }
        merged.push((tag, said));
    }
    merged.extend(second);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::scan::tests::says;
    use crate::history::{Place, View};

    fn said(ms: u64) -> Said {
        View::Room.said(&says(ms)).pop().expect("it is a message")
    }

    /// Messages of one millisecond in both logs, in front of each, and behind them.
    #[test]
    fn a_point_cuts_all_logs_in_the_order_of_the_merged_list() {
        let tagged = |log: usize| [4, 5, 6].map(|ms| (log, said(ms))).to_vec();
        let merged = merge(tagged(0), tagged(1));
        let order: Vec<(usize, u64)> = merged.iter().map(|(log, said)| (*log, said.at)).collect();
        assert_eq!(order, [(0, 4), (1, 4), (0, 5), (1, 5), (0, 6), (1, 6)]);
        for (place, (log, said)) in merged.iter().enumerate() {
            let mark = Mark::Place(Place { id: said.entry.id, line: said.line });
            let point = Point::spread(2, *log, mark, said.at);
            for (other_place, (other, said)) in merged.iter().enumerate() {
                let mark = point.0[*other];
                assert_eq!(
                    Cut::after(mark).is_below(said),
                    other_place > place,
                    "after {place}, {other_place}"
                );
                assert_eq!(
                    Cut::before(mark).is_below(said),
                    other_place >= place,
                    "before {place}, {other_place}"
                );
            }
        }
    }

    /// What two searches found, the second of which ended early, at `unfinished`.
    fn two(first: &[u64], second: &[u64], unfinished: &[u64], nearer: fn(u64, u64) -> u64) -> Merged {
        let of = |times: &[u64]| times.iter().map(|ms| said(*ms)).collect();
        let mut merged = Merged::default();
        let feed = Partition::feed("ann");
        let ends = |index: usize| unfinished.get(index).copied();
        merged.add(&feed, Found { messages: of(first), unfinished: ends(1), ..Found::default() }, nearer);
        merged.add(&feed, Found { messages: of(second), unfinished: ends(0), ..Found::default() }, nearer);
        merged
    }

    #[test]
    fn who_goes_on_where_a_search_ended_misses_nothing() {
        let oldest = |first: &[u64], second: &[u64], unfinished: &[u64]| {
            let mut merged = two(first, second, unfinished, u64::min);
            merged.keep_oldest(2);
            merged.unfinished
        };
        assert_eq!(oldest(&[3], &[], &[9]), [9], "the page has room");
        assert_eq!(oldest(&[3], &[], &[9, 7]), [7], "the nearer one");
        assert!(oldest(&[3, 4], &[5], &[9]).is_empty(), "5 was cut off");
        assert!(oldest(&[3, 4], &[], &[9]).is_empty(), "the first log may have more before 9");
        assert_eq!(oldest(&[3, 8], &[], &[5]), [5], "the second log may have more before 8");
        let newest = |first: &[u64], second: &[u64], unfinished: &[u64]| {
            let mut merged = two(first, second, unfinished, u64::max);
            merged.keep_newest(2);
            merged.unfinished
        };
        assert_eq!(newest(&[7], &[], &[1]), [1]);
        assert_eq!(newest(&[7], &[], &[1, 3]), [3]);
        assert!(newest(&[6, 7], &[5], &[1]).is_empty());
        assert!(newest(&[6, 7], &[], &[1]).is_empty());
        assert_eq!(newest(&[2, 7], &[], &[5]), [5]);
    }

    #[test]
    fn points_are_compared_where_both_name_a_message() {
        let place = |ms| Mark::Place(Place { id: says(ms).id, line: 0 });
        let (first, second) = (Point::spread(2, 1, place(5), 5), Point::spread(2, 1, place(6), 6));
        assert!(first.is_before(&second) && !second.is_before(&first) && !first.is_before(&first));
    }
}
