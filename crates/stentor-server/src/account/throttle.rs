//! How failed logins slow an account-and-address pair.
//!
//! The pair is slowed, not the account, so that nobody can lock its owner out from elsewhere; and not the address, so
//! that people behind one address do not slow each other. Whoever tries many accounts is held up by the limits on
//! connections that have not logged in.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config::Config;

/// Counts failures in a table of bounded size. Reads no clock: `now` is the time since any fixed moment, and never goes
/// backwards by more than it is forgiven.
#[derive(Debug)]
pub struct Throttle {
    settings: ThrottleSettings,
    pairs: HashMap<Pair, Failures>,
    by_age: BTreeSet<(Duration, Pair)>,
}

/// How quickly failures slow a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// So many failures cost nothing. `u32::MAX` switches the slowing off.
    pub free: u32,
    /// The wait after the next one; it doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// A pair that did not fail for this long is forgotten.
    pub forget: Duration,
    /// How many pairs are remembered at most; past it, the one whose last failure is the oldest is forgotten.
    pub pairs: usize,
}

/// An account and an address, as a short hash: enough to tell pairs apart, and safe to pass between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair(u64);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Duration,
}

impl Throttle {
    /// An empty table.
    #[must_use]
    pub fn new(settings: ThrottleSettings) -> Self {
        Self { settings, pairs: HashMap::new(), by_age: BTreeSet::new() }
    }

    /// Goes on with other settings.
    pub fn set(&mut self, settings: ThrottleSettings) {
        self.settings = settings;
    }

    /// Whether the pair may try now.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn check(&self, pair: Pair, now: Duration) -> Result<(), Duration> {
        let Some(failures) = self.pairs.get(&pair) else { return Ok(()) };
        let open = failures.last.saturating_add(self.wait(failures.count));
        let wait = open.saturating_sub(now);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// Counts a failure, here or on another node. True if it is the first that slows the pair.
    pub fn failed(&mut self, pair: Pair, now: Duration) -> bool {
        if self.settings.free == u32::MAX {
            return false;
        }
        self.forget_old(now);
        let count = self.take(pair).map_or(0, |failures| failures.count).saturating_add(1);
        while self.pairs.len() >= self.settings.pairs.max(1) {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.pairs.remove(&oldest);
        }
        self.pairs.insert(pair, Failures { count, last: now });
        self.by_age.insert((now, pair));
        count == self.settings.free.saturating_add(1)
    }

    /// Forgets the pair's failures: its owner is in.
    pub fn succeeded(&mut self, pair: Pair) {
        self.take(pair);
    }

    /// How many pairs are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether no pair is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Forgets what is old enough. [`Throttle::failed`] does so too; a timer may, so that the table shrinks at rest.
    pub fn forget_old(&mut self, now: Duration) {
        while let Some(&(last, pair)) = self.by_age.first() {
            if last.saturating_add(self.settings.forget) > now {
                break;
            }
            self.take(pair);
        }
    }

    fn take(&mut self, pair: Pair) -> Option<Failures> {
        let failures = self.pairs.remove(&pair)?;
        self.by_age.remove(&(failures.last, pair));
        Some(failures)
    }

    fn wait(&self, count: u32) -> Duration {
        let Some(doublings) = count.checked_sub(self.settings.free).and_then(|past| past.checked_sub(1))
        else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.settings.first.saturating_mul(factor).min(self.settings.longest)
    }
}

impl ThrottleSettings {
    /// As `config` has it.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let free = config.limits.login_failures.get().and_then(|free| u32::try_from(free).ok());
        Self { free: free.unwrap_or(u32::MAX), ..Self::default() }
    }
}

impl Default for ThrottleSettings {
    /// Three failures are free; then one second, doubling up to five minutes; forgotten after an hour.
    fn default() -> Self {
        Self { free: 3, first: FIRST_WAIT, longest: LONGEST_WAIT, forget: FORGOTTEN_AFTER, pairs: PAIRS }
    }
}

impl Pair {
    /// The pair of an account, by its folded name, and an address: an IPv4 address, or the /64 that an IPv6 one is in.
    #[must_use]
    pub fn new(folded: &str, address: IpAddr) -> Self {
        let mut hash = Sha256::new();
        hash.update(folded.as_bytes());
        hash.update([0]);
        match prefix(address) {
            IpAddr::V4(address) => hash.update(address.octets()),
            IpAddr::V6(address) => hash.update(address.octets()),
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Sixteen hexadecimal digits.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Reads what [`Pair::to_text`] writes.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let legal = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        legal.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

/// The part of an address that stands for one customer: all of IPv4, the first 64 bits of IPv6.
#[must_use]
pub fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The wait after the first failure that is not free.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// A pair without a failure for so long starts anew.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
/// How many pairs are remembered.
pub(crate) const PAIRS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pair(name: &str, address: &str) -> Pair {
        Pair::new(name, address.parse().unwrap())
    }

    fn failed(throttle: &mut Throttle, pair: Pair, times: u32, now: Duration) {
        for _ in 0..times {
            throttle.failed(pair, now);
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut throttle = Throttle::new(ThrottleSettings::default());
        let alice = pair("alice", "192.0.2.1");
        failed(&mut throttle, alice, 2, SECOND);
        assert!(!throttle.failed(alice, SECOND), "three are free");
        assert_eq!(throttle.check(alice, SECOND), Ok(()));
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(throttle.failed(alice, SECOND), seconds == 1, "only the first one is told");
            assert_eq!(throttle.check(alice, SECOND), Err(SECOND * seconds));
            assert_eq!(throttle.check(alice, SECOND * (1 + seconds)), Ok(()));
        }
        failed(&mut throttle, alice, 100, SECOND);
        assert_eq!(throttle.check(alice, SECOND), Err(SECOND * 300));
    }

    #[test]
    fn the_owner_is_not_locked_out_from_elsewhere() {
        let mut throttle = Throttle::new(ThrottleSettings::default());
        failed(&mut throttle, pair("alice", "192.0.2.1"), 50, SECOND);
        assert_eq!(throttle.check(pair("alice", "192.0.2.2"), SECOND), Ok(()));
        assert_eq!(throttle.check(pair("bob", "192.0.2.1"), SECOND), Ok(()));
    }

    #[test]
    fn one_ipv6_network_is_one_address_and_mapped_ipv4_is_ipv4() {
        assert_eq!(pair("a", "2001:db8:1:2::1"), pair("a", "2001:db8:1:2:ffff::9"));
        assert_ne!(pair("a", "2001:db8:1:2::1"), pair("a", "2001:db8:1:3::1"));
        assert_eq!(pair("a", "::ffff:192.0.2.1"), pair("a", "192.0.2.1"));
        assert_ne!(pair("a", "::ffff:192.0.2.1"), pair("a", "192.0.2.2"));
    }

    #[test]
    fn loopback_is_slowed_too() {
        let mut throttle = Throttle::new(ThrottleSettings::default());
        failed(&mut throttle, pair("alice", "127.0.0.1"), 4, SECOND);
        assert!(throttle.check(pair("alice", "127.0.0.1"), SECOND).is_err());
    }

    #[test]
    fn success_and_time_forgive() {
        let mut throttle = Throttle::new(ThrottleSettings::default());
        let (alice, bob) = (pair("alice", "::1"), pair("bob", "::1"));
        failed(&mut throttle, alice, 9, SECOND);
        throttle.succeeded(alice);
        assert_eq!(throttle.check(alice, SECOND), Ok(()));
        failed(&mut throttle, bob, 9, SECOND);
        throttle.forget_old(SECOND * 3601);
        assert!(throttle.is_empty());
        assert!(throttle.by_age.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_newest() {
        let mut throttle =
            Throttle::new(ThrottleSettings { pairs: 10, free: 0, ..ThrottleSettings::default() });
        for i in 0..1000_u32 {
            throttle.failed(pair(&format!("a{i}"), "::1"), SECOND * i / 1000);
        }
        assert_eq!((throttle.len(), throttle.by_age.len()), (10, 10));
        assert!(throttle.check(pair("a999", "::1"), SECOND).is_err());
    }

    #[test]
    fn switched_off_it_remembers_nothing() {
        let mut throttle = Throttle::new(ThrottleSettings { free: u32::MAX, ..ThrottleSettings::default() });
        failed(&mut throttle, pair("alice", "::1"), 1000, SECOND);
        assert!(throttle.is_empty());
    }

    #[test]
    fn the_configuration_says_how_many_failures_are_free() {
        let free = |text: &str| {
            let config = Config::from_text(&format!("[limits]\nlogin_failures = {text}\n")).unwrap();
            ThrottleSettings::of(&config).free
        };
        assert_eq!((free("3"), free("10"), free("0")), (3, 10, u32::MAX));
        let mut throttle = Throttle::new(ThrottleSettings::default());
        let alice = pair("alice", "::1");
        failed(&mut throttle, alice, 9, SECOND);
        throttle.set(ThrottleSettings { free: u32::MAX, ..ThrottleSettings::default() });
        assert_eq!(throttle.check(alice, SECOND), Ok(()));
    }

    #[test]
    fn a_pair_reads_back_from_its_text() {
        let alice = pair("alice", "::1");
        assert_eq!(Pair::from_text(&alice.to_text()), Some(alice));
        for bad in ["", "+123456789abcdef", "123", "zzzzzzzzzzzzzzzz", "00000000000000000"] {
            assert_eq!(Pair::from_text(bad), None);
        }
    }
}
