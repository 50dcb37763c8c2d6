//! Times, sizes and limits as people write them.

use std::time::Duration;

/// How many of something there may be; in the file, `0` lifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(Option<usize>);

impl Limit {
    /// No limit at all.
    pub const NONE: Self = Self(None);

    /// A limit of `number`; 0 is none.
    #[must_use]
    pub fn new(number: u64) -> Self {
        if number == 0 { Self::NONE } else { Self(Some(usize::try_from(number).unwrap_or(usize::MAX))) }
    }

    /// Whether one more may be added where there are `count`.
    #[must_use]
    pub fn has_room(self, count: usize) -> bool {
        self.0.is_none_or(|limit| count < limit)
    }

    /// Whether `count` in all is within the limit.
    #[must_use]
    pub fn allows(self, count: usize) -> bool {
        self.0.is_none_or(|limit| count <= limit)
    }

    /// The limit, or `None` where there is none.
    #[must_use]
    pub fn get(self) -> Option<usize> {
        self.0
    }

    /// The limit, or the largest number where there is none.
    #[must_use]
    pub fn or_max(self) -> usize {
        self.0.unwrap_or(usize::MAX)
    }
}

/// Reads a time: one or more whole numbers with units, largest first or not, such as `3s`, `1h30m`, `250ms`, `30d`. A
/// plain `0` is a time too. `None` where it is not a time, or too long to count in milliseconds.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(unit)?;
        let milliseconds = TIME_UNITS.iter().find(|(unit, _)| *unit == name)?.1;
        total = total.checked_add(number.checked_mul(milliseconds)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

/// The same as an operator types it in chat: a number alone is in minutes, and there may be a plus in front, as other
/// servers have it.
#[must_use]
pub fn parse_typed_time(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    match text.parse::<u32>() {
        Ok(minutes) => Some(Duration::from_mins(u64::from(minutes))),
        Err(_) => parse_time(text),
    }
}

/// Writes a time in the largest unit that holds it exactly; [`parse_time`] reads it back. Parts of a millisecond are
/// dropped.
#[must_use]
pub fn show_time(time: Duration) -> String {
    let total = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let fits = |unit: &&(&str, u64)| total != 0 && total.is_multiple_of(unit.1);
    match TIME_UNITS.iter().rev().find(fits) {
        Some((name, milliseconds)) => format!("{}{name}", total / milliseconds),
        None => "0s".to_owned(),
    }
}

/// Reads a size in bytes: a whole number, alone or with `B`, `KiB`, `MiB`, `GiB`.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let bytes = match unit {
        "" => 1,
        _ => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(bytes)
}

/// Writes a size in the largest unit that holds it exactly; [`parse_size`] reads it back.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let fits = |unit: &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(unit.1);
    match SIZE_UNITS.iter().rev().find(fits) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => "0B".to_owned(),
    }
}

/// Units of time and their milliseconds, from small to large. Weeks are read, and written as such.
const TIME_UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Units of size and their bytes, from small to large.
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let read = |text| parse_time(text).map(|time| time.as_millis());
        assert_eq!(read("3s"), Some(3000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("30d"), Some(2_592_000_000));
        assert_eq!(read("0"), Some(0));
        for wrong in
            ["", "3", "s", "3 s", "-3s", "3sec", "1.5s", "3s5", "99999999999999999999s", "9999999999999999w"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("1MiB"), Some(1 << 20));
        assert_eq!(parse_size("64KiB"), Some(65536));
        assert_eq!(parse_size("17"), Some(17));
        for wrong in ["", "MiB", "1MB", "1 MiB", "-1", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["0s", "3s", "10m", "7s", "90s", "1500ms", "30d", "2w"] {
            assert_eq!(show_time(parse_time(text).unwrap()), text);
        }
        for text in ["0B", "1MiB", "64KiB", "1025B", "3GiB"] {
            assert_eq!(show_size(parse_size(text).unwrap()), text);
        }
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert!(Limit::new(0).has_room(usize::MAX));
        assert!(Limit::new(2).has_room(1) && !Limit::new(2).has_room(2));
        assert!(Limit::new(2).allows(2) && !Limit::new(2).allows(3));
    }
}
