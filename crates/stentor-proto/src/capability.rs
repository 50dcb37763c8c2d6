//! What a client can switch on, and a set of it.

use std::fmt;

/// A capability that Stentor knows, as in `CAP REQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Capability {
    /// `ACCOUNT` tells when someone whom the client can see logs in or out.
    AccountNotify,
    /// `REGISTER` makes an account.
    AccountRegistration,
    /// The tag `account` names the account that a line comes from.
    AccountTag,
    /// `AWAY` tells when someone is away or back.
    AwayNotify,
    /// Lines that belong together come as a batch.
    Batch,
    /// The client hears of new and removed capabilities.
    CapNotify,
    /// `RENAME` tells that a room has another name.
    ChannelRename,
    /// `CHATHISTORY` reads history.
    ChatHistory,
    /// `CHGHOST` tells when a user name or host changes.
    ChgHost,
    /// The client's own messages come back to it as the others see them.
    EchoMessage,
    /// `CHATHISTORY` tells of joins, kicks and the like too.
    EventPlayback,
    /// `ISUPPORT` tells what the server supports, also before the welcome, as a batch.
    ExtendedIsupport,
    /// `JOIN` comes with account and real name.
    ExtendedJoin,
    /// What changes with a monitored person is told, too.
    ExtendedMonitor,
    /// `INVITE` tells operators who invited whom.
    InviteNotify,
    /// The answers to a labelled command bear its label.
    LabeledResponse,
    /// `REDACT` takes back what was said.
    MessageRedaction,
    /// Tags, and `TAGMSG`.
    MessageTags,
    /// `METADATA` tells and keeps what people and rooms say about themselves.
    Metadata,
    /// The same, under the name that it had as draft 2.
    MetadataDraft2,
    /// `NAMES` and `WHO` give all prefixes of a member.
    MultiPrefix,
    /// A message of several lines comes as one batch.
    Multiline,
    /// `JOIN` is not answered with the names of the members.
    NoImplicitNames,
    /// The same, under the name that it had as a draft.
    NoImplicitNamesDraft,
    /// `AWAY` is understood before the welcome.
    PreAway,
    /// `MARKREAD` tells up to where a conversation has been read.
    ReadMarker,
    /// `AUTHENTICATE` logs in.
    Sasl,
    /// The tag `time` tells when a line was made.
    ServerTime,
    /// `SETNAME` changes a real name.
    SetName,
    /// `FAIL`, `WARN` and `NOTE` are understood.
    StandardReplies,
    /// What people whom the client follows say comes as `PUBLISH`.
    Feeds,
    /// `NAMES` gives `nick!user@host`.
    UserhostInNames,
}

/// A set of capabilities: one word, compared and hashed as such, so that lines can be rendered once per set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CapabilitySet(u64);

impl Capability {
    /// Every capability, by name.
    pub const ALL: [Self; 32] = [
        Self::AccountNotify,
        Self::AccountTag,
        Self::AwayNotify,
        Self::Batch,
        Self::CapNotify,
        Self::ChgHost,
        Self::AccountRegistration,
        Self::ChannelRename,
        Self::ChatHistory,
        Self::EventPlayback,
        Self::ExtendedIsupport,
        Self::MessageRedaction,
        Self::MetadataDraft2,
        Self::Metadata,
        Self::Multiline,
        Self::NoImplicitNamesDraft,
        Self::PreAway,
        Self::ReadMarker,
        Self::EchoMessage,
        Self::ExtendedJoin,
        Self::ExtendedMonitor,
        Self::InviteNotify,
        Self::LabeledResponse,
        Self::MessageTags,
        Self::MultiPrefix,
        Self::NoImplicitNames,
        Self::Sasl,
        Self::ServerTime,
        Self::SetName,
        Self::StandardReplies,
        Self::Feeds,
        Self::UserhostInNames,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountNotify => "account-notify",
            Self::AccountRegistration => "draft/account-registration",
            Self::AccountTag => "account-tag",
            Self::AwayNotify => "away-notify",
            Self::Batch => "batch",
            Self::CapNotify => "cap-notify",
            Self::ChannelRename => "draft/channel-rename",
            Self::ChatHistory => "draft/chathistory",
            Self::ChgHost => "chghost",
            Self::EchoMessage => "echo-message",
            Self::EventPlayback => "draft/event-playback",
            Self::ExtendedIsupport => "draft/extended-isupport",
            Self::ExtendedJoin => "extended-join",
            Self::ExtendedMonitor => "extended-monitor",
            Self::InviteNotify => "invite-notify",
            Self::LabeledResponse => "labeled-response",
            Self::MessageRedaction => "draft/message-redaction",
            Self::MessageTags => "message-tags",
            Self::Metadata => "draft/metadata-3",
            Self::MetadataDraft2 => "draft/metadata-2",
            Self::MultiPrefix => "multi-prefix",
            Self::Multiline => "draft/multiline",
            Self::NoImplicitNames => "no-implicit-names",
            Self::NoImplicitNamesDraft => "draft/no-implicit-names",
            Self::PreAway => "draft/pre-away",
            Self::ReadMarker => "draft/read-marker",
            Self::Sasl => "sasl",
            Self::ServerTime => "server-time",
            Self::SetName => "setname",
            Self::StandardReplies => "standard-replies",
            Self::Feeds => "stentor.chat/feeds",
            Self::UserhostInNames => "userhost-in-names",
        }
    }

    /// The capability with this name. Names are compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }

    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

impl CapabilitySet {
    /// The set without any.
    pub const EMPTY: Self = Self(0);

    /// The set of these.
    #[must_use]
    pub const fn of(capabilities: &[Capability]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < capabilities.len() {
            bits |= capabilities[index].bit();
            index += 1;
        }
        Self(bits)
    }

    /// The set as a number, to keep it in an atomic cell.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set that such a number stands for.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The set of all that there are.
    #[must_use]
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Adds one.
    pub fn insert(&mut self, capability: Capability) {
        self.0 |= capability.bit();
    }

    /// Takes one away.
    pub fn remove(&mut self, capability: Capability) {
        self.0 &= !capability.bit();
    }

    /// Whether it is in the set.
    #[must_use]
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Those that are in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its members, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut set = Self::EMPTY;
        set.extend(capabilities);
        set
    }
}

impl Extend<Capability> for CapabilitySet {
    fn extend<I: IntoIterator<Item = Capability>>(&mut self, capabilities: I) {
        for capability in capabilities {
            self.insert(capability);
        }
    }
}

impl fmt::Debug for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_capability_has_its_own_name_and_bit() {
        for (at, capability) in Capability::ALL.into_iter().enumerate() {
            assert_eq!(Capability::from_name(capability.name()), Some(capability));
            for other in &Capability::ALL[..at] {
                assert!(other.name() < capability.name() && other.bit() != capability.bit());
            }
        }
        assert_eq!(Capability::from_name("SASL"), None);
        assert_eq!(CapabilitySet::all().len(), Capability::ALL.len());
    }

    #[test]
    fn a_set_holds_what_it_is_given() {
        let mut set = CapabilitySet::EMPTY;
        set.insert(Capability::Sasl);
        set.insert(Capability::Batch);
        set.insert(Capability::Sasl);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Capability::Batch, Capability::Sasl]);
        set.remove(Capability::Batch);
        assert!(set.contains(Capability::Sasl) && !set.contains(Capability::Batch));
        assert_eq!(set, [Capability::Sasl].into_iter().collect());
        let other = CapabilitySet::from_iter([Capability::Batch]);
        assert!(set.intersection(other).is_empty() && set.intersection(set) == set);
    }
}
