//! How many connections one address may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::config::Limits;

/// The connections of a node, counted by address. IPv6 addresses count by their /64, which one customer has to themselves;
/// loopback is not counted.
#[derive(Debug, Default)]
pub struct Admissions {
    counts: Mutex<HashMap<IpAddr, Counts>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: usize,
    unregistered: usize,
}

/// A connection's place among those of its address. Dropping it gives the place back.
#[derive(Debug)]
pub struct Admission {
    /// `None`: not counted.
    counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    admissions: Arc<Admissions>,
    key: IpAddr,
    registered: bool,
}

impl Admissions {
    /// A place for one more connection from `address`, which has not registered yet; `None` where it has too many.
    #[must_use]
    pub fn admit(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Admission> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return Some(Admission::uncounted());
        }
        let key = key(address);
        let mut all = self.lock();
        let counts = all.get(&key).copied().unwrap_or_default();
        let room = limits.connections_per_address.has_room(counts.all)
            && limits.unregistered_per_address.has_room(counts.unregistered);
        if !room {
            return None;
        }
        all.insert(key, Counts { all: counts.all + 1, unregistered: counts.unregistered + 1 });
        drop(all);
        let counted = Counted { admissions: Arc::clone(self), key, registered: false };
        Some(Admission { counted: Some(counted) })
    }

    /// How many addresses have connections.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Counts>> {
        self.counts.lock().expect("no holder of the counts panics")
    }
}

impl Admission {
    /// The place of a connection that is not counted.
    #[must_use]
    pub fn uncounted() -> Self {
        Self { counted: None }
    }

    /// Notes that the client has registered, and so counts as one connection alone.
    pub fn registered(&mut self) {
        if let Some(counted) = &mut self.counted
            && !counted.registered
        {
            counted.registered = true;
            if let Some(counts) = counted.admissions.lock().get_mut(&counted.key) {
                counts.unregistered -= 1;
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.admissions.lock();
        let Some(counts) = all.get_mut(&self.key) else { return };
        counts.all -= 1;
        counts.unregistered -= usize::from(!self.registered);
        if counts.all == 0 {
            all.remove(&self.key);
        }
    }
}

/// What an address is counted under.
fn key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
    }
}

/// The first 64 bits of an IPv6 address.
const NETWORK: u128 = !0 << 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn limits(all: u64, unregistered: u64) -> Limits {
        let text =
            format!("[limits]\nconnections_per_address = {all}\nunregistered_per_address = {unregistered}\n");
        Config::from_text(&text).unwrap().limits
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let admissions = Arc::new(Admissions::default());
        let limits = limits(3, 2);
        let mut first = admissions.admit(ip("192.0.2.1"), &limits).unwrap();
        let second = admissions.admit(ip("192.0.2.1"), &limits).unwrap();
        assert!(
            admissions.admit(ip("::ffff:192.0.2.1"), &limits).is_none(),
            "too many that have not registered"
        );
        let _other = admissions.admit(ip("192.0.2.2"), &limits).unwrap();
        first.registered();
        first.registered();
        let third = admissions.admit(ip("192.0.2.1"), &limits).unwrap();
        drop(second);
        let fourth = admissions.admit(ip("192.0.2.1"), &limits).unwrap();
        assert!(admissions.admit(ip("192.0.2.1"), &limits).is_none(), "too many in all");
        drop((first, third, fourth));
        assert_eq!(admissions.addresses(), 1, "nothing is kept of those that have gone");
    }

    #[test]
    fn ipv6_addresses_of_one_network_count_together() {
        let admissions = Arc::new(Admissions::default());
        let limits = limits(1, 1);
        let _first = admissions.admit(ip("2001:db8:0:1::1"), &limits).unwrap();
        assert!(admissions.admit(ip("2001:db8:0:1:ffff::2"), &limits).is_none());
        assert!(admissions.admit(ip("2001:db8:0:2::1"), &limits).is_some());
    }

    #[test]
    fn loopback_is_exempt_and_zero_lifts_the_limit() {
        let admissions = Arc::new(Admissions::default());
        let places: Vec<_> = ["127.0.0.1", "::1", "::ffff:127.0.0.2"]
            .into_iter()
            .cycle()
            .take(9)
            .map(|address| admissions.admit(ip(address), &limits(1, 1)).unwrap())
            .collect();
        assert_eq!((places.len(), admissions.addresses()), (9, 0));
        let many: Vec<_> =
            (0..50).map(|_| admissions.admit(ip("192.0.2.1"), &limits(0, 0)).unwrap()).collect();
        assert_eq!((many.len(), admissions.addresses()), (50, 1));
    }
}
