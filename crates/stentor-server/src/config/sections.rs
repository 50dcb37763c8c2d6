//! The checked settings, table by table, in the types that the node uses. What each means stands in
//! [`KEYS`](super::KEYS).

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{AddressRange, RedisUrl};
use super::units::Limit;
use stentor_proto::secret::Secret;

use crate::account::{Fingerprint, PasswordHash};

/// `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The directory; the platform's where none was given. It need not exist.
    pub dir: PathBuf,
}

/// `redis`, where a URL is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Where it is.
    pub url: RedisUrl,
    /// The user to log in as; `None` for the default one.
    pub username: Option<String>,
    /// The password, from the file or else the URL.
    pub password: Option<Secret>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca: Option<String>,
    /// This node's own certificate.
    pub client: Option<ClientCertificate>,
}

/// A certificate that a node shows to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain, PEM.
    pub chain: String,
    /// The private key, PEM.
    pub key: Secret,
}

/// `store`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// What acknowledged means.
    pub durability: Durability,
}

/// What the embedded store's acknowledgement survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process.
    Normal,
    /// A power cut.
    Full,
}

/// `tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The operator's own certificate; `None`: the node makes one.
    pub files: Option<CertificateFiles>,
    /// The kind of key that the node makes.
    pub key: KeyType,
    /// The names of the certificate that the node makes, in small letters; never empty.
    pub names: Vec<String>,
    /// Whether the operator gave them. Those of the machine may change with it (a container's host name does), and that is
    /// no reason for a new authority.
    pub names_given: bool,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// What clients are told of connecting by TLS alone; `None`: nothing.
    pub sts: Option<Sts>,
}

/// `tls.sts` and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sts {
    /// How long the policy lasts.
    pub duration: Duration,
    /// Where clients go that came in plaintext.
    pub port: u16,
    /// Whether it may be built into clients.
    pub preload: bool,
}

/// `webirc`: gateways that may name their users' addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webirc {
    /// Where they connect from; empty: there are none.
    pub trusted: Vec<AddressRange>,
    /// The password that they give; `None`: a certificate is needed.
    pub password: Option<PasswordHash>,
    /// The certificates that stand for the password.
    pub certificates: Vec<Fingerprint>,
}

/// Where a certificate of the operator's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first, PEM.
    pub chain: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// What kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on the curve P-256.
    EcdsaP256,
    /// RSA with 2048 bits.
    Rsa2048,
}

/// `accounts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Whether nobody enters without one.
    pub required: bool,
    /// Who may make one.
    pub registration: Registration,
    /// Whether one may be made before the welcome. Always so where one is required.
    pub registration_before_connect: bool,
    /// The cost of new hashes, 4 to 31.
    pub bcrypt_cost: u32,
    /// The iterations of new SCRAM verifiers; `None`: SCRAM is not offered.
    pub scram_iterations: Option<NonZeroU32>,
    /// The fewest characters of a password that users choose themselves.
    pub password_min: usize,
    /// What becomes of a second login.
    pub duplicate_login: DuplicateLogin,
    /// How long a session in the way has to answer.
    pub probe: Duration,
    /// How many there may be.
    pub max: Limit,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The operator alone.
    Closed,
    /// Whoever has an invitation.
    Invite,
    /// Everybody.
    Open,
}

/// What becomes of a login to an account that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateLogin {
    /// It is refused while the session that is there answers.
    Reject,
    /// It takes the place of the session that is there.
    Replace,
}

/// `fleet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// How long a lease lasts.
    pub lease: Duration,
    /// How long past its end the others wait.
    pub margin: Duration,
}

/// `history`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// How long messages are kept; `None`: for ever.
    pub max_age: Option<Duration>,
    /// How many messages of a partition are kept.
    pub max_count: Limit,
    /// How many messages one request gets.
    pub page: usize,
    /// How long people may take back what they said; `None`: for as long as it is kept.
    pub redact_window: Option<Duration>,
}

/// `channels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// How many a user may be in.
    pub max_per_user: Limit,
    /// How many an account may have founded that still exist.
    pub max_founded: Limit,
    /// Letters of the modes of a new channel, each once, without `+`.
    pub default_modes: String,
    /// How many masks a list holds.
    pub list_max: Limit,
    /// To how many accounts it may give standing rights.
    pub access_max: Limit,
    /// How many members a channel has.
    pub max_members: Limit,
}

/// `limits`. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nicks and account names.
    pub nick_length: usize,
    /// User names.
    pub user_length: usize,
    /// Channel names, with their `#`.
    pub channel_length: usize,
    /// Topics.
    pub topic_length: usize,
    /// Away messages.
    pub away_length: usize,
    /// Real names.
    pub realname_length: usize,
    /// Reasons of kicks.
    pub kick_length: usize,
    /// A message of several lines.
    pub multiline_length: usize,
    /// Lines of one message.
    pub multiline_lines: usize,
    /// Targets of one message.
    pub targets: Limit,
    /// Keys of the metadata of one person or room; 0: there is none.
    pub metadata_keys: usize,
    /// Values in it.
    pub metadata_value: usize,
    /// Keys that one client may hear of.
    pub metadata_subscriptions: usize,
    /// Nicks that one client watches.
    pub monitor: Limit,
    /// People whom one account follows.
    pub subscriptions: Limit,
    /// People who follow one account.
    pub subscribers: Limit,
    /// Users that one WHO by mask lists.
    pub whox: Limit,
    /// Former holders of nicks that a node remembers.
    pub whowas: usize,
    /// Bytes that wait for one client.
    pub send_queue: Limit,
    /// Lines a second of one client.
    pub lines_per_second: Limit,
    /// Lines at once of one client; at least 1.
    pub burst: usize,
    /// Connections of one address.
    pub connections_per_address: Limit,
    /// Connections of one address that have not logged in.
    pub unregistered_per_address: Limit,
    /// Time to register; `None`: no limit.
    pub registration_timeout: Option<Duration>,
    /// Silence before a PING; `None`: no PING is sent.
    pub ping_interval: Option<Duration>,
    /// Time to answer it.
    pub ping_timeout: Duration,
    /// Wrong passwords that cost nothing.
    pub login_failures: Limit,
    /// Passwords checked at the same time; at least 1.
    pub bcrypt_threads: usize,
}

/// What is written to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What needs attention, too.
    Warn,
    /// What an operator wants to know, too.
    Info,
    /// What a developer wants to know, too.
    Debug,
    /// Everything but secrets and messages.
    Trace,
}

impl LogLevel {
    /// As it stands in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
