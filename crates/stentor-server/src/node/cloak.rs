//! Cloaks: what others see in the place of an address.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::commit_identity::{CONFLICTS_MAX, Committer, Draft, WriteError, begin_or_within};
use crate::store::{Change, Guard, Is, Partition, StoreError};

/// Hides addresses with a secret of the fleet, so that every node gives an address the same cloak and nobody outside can
/// find the address by trying all.
pub(super) struct Cloak {
    key: String,
}

impl Cloak {
    /// The fleet's cloak. Its secret is made once, by a guarded commit.
    pub(super) async fn of_fleet(committer: &Committer) -> Result<Self, StoreError> {
        let partition = Partition::fleet();
        for _ in 0..CONFLICTS_MAX {
            let peek = committer.store().peek_one(&partition, &[FIELD]).await?;
            if let Some(Some(key)) = peek.fields.into_iter().next() {
                return Ok(Self { key });
            }
            let draft = Draft {
                guards: vec![Guard::Field(FIELD.to_owned(), Is::Absent)],
                changes: vec![Change::Set(FIELD.to_owned(), crate::random::text(52))],
                ..Draft::new(partition.clone(), begin_or_within(peek.epoch).0)
            };
            match committer.attempt(draft).await {
                Ok(_) => {}
                Err(WriteError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::Unavailable(error.to_string())),
            }
        }
        Err(StoreError::Unavailable("others kept changing the fleet's settings".to_owned()))
    }

    /// The fleet's secret, for whatever else must be the same on every node and guessed by nobody.
    pub(super) fn secret(&self) -> &str {
        &self.key
    }

    /// `<address>.<network>.cloak`: a ban on `*.<network>.cloak` holds for the whole network (/24 or, for IPv6, /48).
    pub(super) fn of(&self, address: IpAddr) -> String {
        let address = address.to_canonical();
        if address.is_loopback() {
            return "localhost".to_owned();
        }
        let (host, network) = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                (v4.to_string(), format!("{a}.{b}.{c}"))
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                (Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string(), format!("{a:x}:{b:x}:{c:x}"))
            }
        };
        format!("{}.{}.cloak", self.hash(&host), self.hash(&network))
    }

    /// Fifty bits, in ten letters. The key is on both sides of an inner hash, so that nothing can be appended.
    fn hash(&self, text: &str) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let inner = Sha256::new().chain_update(&self.key).chain_update(text).finalize();
        let outer = Sha256::new().chain_update(&self.key).chain_update(inner).finalize();
        outer.iter().take(10).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
    }
}

impl std::fmt::Debug for Cloak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cloak")
    }
}

/// Private: in no entry and no snapshot.
const FIELD: &str = "~cloak";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_the_end_and_nothing_else() {
        let cloak = Cloak { key: "k".to_owned() };
        let of = |text: &str| cloak.of(text.parse().expect("it is an address"));
        let (one, two, other) = (of("192.0.2.1"), of("192.0.2.2"), of("198.51.100.1"));
        assert_ne!(one, two);
        assert_eq!(one.split_once('.').map(|parts| parts.1), two.split_once('.').map(|parts| parts.1));
        assert_ne!(one.split_once('.').map(|parts| parts.1), other.split_once('.').map(|parts| parts.1));
        assert!(!one.contains("192"));
        assert_eq!(of("::1"), "localhost");
        assert_eq!(of("::ffff:192.0.2.1"), one);
        assert_eq!(of("2001:db8:1:2::5"), of("2001:db8:1:2::6"));
    }
}
