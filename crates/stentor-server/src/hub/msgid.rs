//! Message ids: unique in the network, and able to find their place without an index.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::store::partition::stable_hash;
use crate::store::{EntryId, Epoch, Partition};

/// What a message id says, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageId {
    /// The low half of the partition's stable hash.
    pub partition: u32,
    /// Which life of the partition.
    pub epoch: Epoch,
    /// Where in its log.
    pub id: EntryId,
    /// Which line of the entry.
    pub line: u8,
}

impl MessageId {
    /// The id of a line of an entry.
    #[must_use]
    pub fn new(partition: &Partition, epoch: Epoch, id: EntryId, line: usize) -> Self {
        let line = u8::try_from(line).unwrap_or(u8::MAX);
        Self { partition: hash_of(partition), epoch, id, line }
    }

    /// Reads the text form; `None` for what is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let number = |range: std::ops::Range<usize>| {
            bytes.get(range).map(|part| part.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)))
        };
        Some(Self {
            partition: u32::try_from(number(0..4)?).ok()?,
            epoch: Epoch(number(4..12)?),
            id: EntryId { ms: number(12..18)?, seq: number(18..21)? },
            line: *bytes.last()?,
        })
    }

    /// Whether it may belong to this partition.
    #[must_use]
    pub fn is_of(&self, partition: &Partition) -> bool {
        self.partition == hash_of(partition)
    }
}

/// Thirty characters of the URL-safe base64 alphabet.
impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&self.partition.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&self.id.ms.to_be_bytes()[2..]);
        bytes.extend_from_slice(&self.id.seq.to_be_bytes()[5..]);
        bytes.push(self.line);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn hash_of(partition: &Partition) -> u32 {
    let [.., a, b, c, d] = stable_hash(partition.as_str()).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Hash, epoch, milliseconds (48 bits, enough until the year 10889), counter and line.
const LENGTH: usize = 4 + 8 + 6 + 3 + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_from_its_text() {
        let partition = Partition::channel("#lobby");
        let id = EntryId { ms: 1_795_447_586_123, seq: 70_000 };
        let msgid = MessageId::new(&partition, Epoch(0xfeed), id, 1);
        assert_eq!(MessageId::parse(&msgid.to_string()), Some(msgid));
        assert!(msgid.is_of(&partition));
        assert!(!msgid.is_of(&Partition::channel("#other")));
        assert_eq!(msgid.to_string().len(), 30);
    }

    #[test]
    fn refuses_what_is_not_one_of_ours() {
        for text in ["", "abc", "\u{e9}", &"A".repeat(400)] {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }
}
