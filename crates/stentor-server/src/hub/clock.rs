//! Times as IRCv3 writes them.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// `YYYY-MM-DDThh:mm:ss.sssZ` from milliseconds since the Unix epoch.
#[must_use]
pub fn server_time(ms: u64) -> String {
    let nanos = i128::from(ms.min(LATEST)) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(SERVER_TIME).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00.000Z".to_owned())
}

/// Until when something lasts, for people.
#[must_use]
pub fn until(expires: Option<u64>) -> String {
    expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {}", server_time(at)))
}

/// Milliseconds since the Unix epoch from such a text; `None` for anything else.
#[must_use]
pub fn parse_server_time(text: &str) -> Option<u64> {
    let time = time::PrimitiveDateTime::parse(text, SERVER_TIME).ok()?.assume_utc();
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// This machine's clock, for what is shown to people. What is compared with another node's time, or with an entry's, is in
/// the store's time: [`Fleet::now`](crate::fleet::Fleet::now) estimates that.
#[must_use]
pub fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The last millisecond of the year 9999: the form has no more digits.
const LATEST: u64 = 253_402_300_799_999;

const SERVER_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_same_form() {
        assert_eq!(server_time(1_321_470_246_123), "2011-11-16T19:04:06.123Z");
        assert_eq!(parse_server_time("2011-11-16T19:04:06.123Z"), Some(1_321_470_246_123));
        assert_eq!(parse_server_time("yesterday"), None);
        assert_eq!(server_time(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
