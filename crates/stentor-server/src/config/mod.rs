//! Settings: what is given in a file, in the environment and by flags, what is right about it, and what the node uses.
//!
//! - [`key`]: what a key is, and how it is found
//! - [`named`]: the keys in whose names the operator chooses a part
//! - [`keys`]: the table of all keys, which documents each one once
//! - [`kind`], [`units`], [`address`], [`web_origin`], [`role`]: what values look like
//! - `raw`: the layers as they were given
//! - `rules`, `build`: from there to what is right as a whole
//! - [`sections`]: the checked settings
//! - [`error`]: what can be wrong
//!
//! Relative paths are relative to the directory in which the program was started.

pub mod address;
mod build;
pub mod error;
pub mod key;
pub mod keys;
pub mod kind;
pub mod named;
mod raw;
pub mod role;
mod rules;
pub mod sections;
#[cfg(test)]
mod tests;
pub mod units;
pub mod web_origin;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use address::{AddressRange, Listen, RedisUrl, Scheme};
pub use error::{ConfigError, Origin, Problem};
pub use key::{Key, Reload};
pub use keys::KEYS;
pub use kind::Kind;
pub use raw::{PREFIX as VARIABLE_PREFIX, SYSTEM_FILE};
pub use role::{ADMIN, Host, OperatorBlock, Operators, Privilege, Roles};
pub use sections::{
    Accounts, CertificateFiles, Channels, ClientCertificate, Data, DuplicateLogin, Durability, Fleet,
    History, KeyType, Limits, LogLevel, Redis, Registration, StoreSettings, Sts, Tls, Webirc,
};
pub use units::Limit;
pub use web_origin::{AllowedOrigin, WebOrigin};

pub(crate) use rules::MOTD_BYTES;

use crate::account::PasswordHash;
use build::{Checked, Values};
use kind::Value;
use raw::Settings;

/// The settings of a node, all of them checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `network.name`: letters, digits, `.`, `_`, `-`.
    pub network_name: String,
    /// `network.server`; `None`: each node tells its own name.
    pub network_server: Option<String>,
    /// `network.icon`: an `https://` URL.
    pub network_icon: Option<String>,
    /// `network.password` or the first line of `network.password_file`; `None`: everybody may connect.
    pub network_password: Option<PasswordHash>,
    /// `node.name`; `None`: host and port of the first listener, once it is open.
    pub node_name: Option<String>,
    /// `listen`; at least one. Plaintext off loopback only where that was allowed.
    pub listen: Vec<Listen>,
    /// `data`.
    pub data: Data,
    /// `redis`; `None`: the embedded store.
    pub redis: Option<Redis>,
    /// `store`.
    pub store: StoreSettings,
    /// `tls`.
    pub tls: Tls,
    /// `proxy.trusted`.
    pub proxy_trusted: Vec<AddressRange>,
    /// `websocket.origins`.
    pub websocket_origins: Vec<AllowedOrigin>,
    /// `webirc`.
    pub webirc: Webirc,
    /// `accounts`.
    pub accounts: Accounts,
    /// `fleet`.
    pub fleet: Fleet,
    /// `history`.
    pub history: History,
    /// `channels`.
    pub channels: Channels,
    /// `users.default_modes`: letters of the modes of whoever connects, sorted, each once.
    pub default_user_modes: String,
    /// `limits`.
    pub limits: Limits,
    /// `messages.denied_tags`, in the form of CLIENTTAGDENY.
    pub denied_tags: Vec<String>,
    /// `drain.time`; zero: at once.
    pub drain_time: Duration,
    /// `motd` or the content of `motd_file`, line by line; empty: there is none.
    pub motd: Vec<String>,
    /// `log.level`.
    pub log_level: LogLevel,
    /// `audit.max_age`; `None`: for ever.
    pub audit_max_age: Option<Duration>,
    /// `roles`, and `admin`.
    pub roles: Roles,
    /// `operators`.
    pub operators: Operators,
    /// What is allowed but probably not meant, in sentences for the log.
    pub warnings: Vec<String>,
    values: Values,
}

/// Where settings come from. It is kept, so that SIGHUP reads the same places again.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that was named. Where none was, [`SYSTEM_FILE`] is read if it exists.
    pub file: Option<PathBuf>,
    /// Variables; those whose names begin with `STENTOR_` are settings. They override the file.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags override everything.
    pub flags: Vec<Flag>,
}

/// A flag of the command line that sets a key.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As it was written, such as `--listen`.
    pub name: &'static str,
    /// The key that it sets.
    pub key: &'static str,
    /// Its values; several only for lists, and at least one.
    pub values: Vec<String>,
}

/// How two configurations differ, by key, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Taken by a running node.
    pub applied: Vec<String>,
    /// Taken at the next start.
    pub needs_restart: Vec<String>,
}

impl Sources {
    /// A file, the environment of this process, and flags.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        Self { file, environment: env::vars_os().collect(), flags }
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// Names all that is wrong.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut settings = Settings::default();
        if let Some(path) = raw::file_to_read(self.file.as_deref()) {
            settings.add_file(&path)?;
        }
        settings.add_environment(&self.environment);
        for flag in &self.flags {
            settings.add_flag(flag.name, flag.key, &flag.values);
        }
        check(settings)
    }
}

impl Config {
    /// Checks the text of a file, alone.
    ///
    /// # Errors
    /// Names all that is wrong.
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        let mut settings = Settings::default();
        settings.add_text(Path::new("configuration"), text)?;
        check(settings)
    }

    /// Checks a file, alone.
    ///
    /// # Errors
    /// Names all that is wrong.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let mut settings = Settings::default();
        settings.add_file(path)?;
        check(settings)
    }

    /// A file with every key at its default, and what it means.
    #[must_use]
    pub fn default_text() -> String {
        let mut text = INTRODUCTION.to_owned();
        let mut table = "";
        for key in KEYS {
            let (section, name) = key.split();
            if section != table {
                table = section;
                let _ = write!(text, "\n[{section}]\n");
            }
            let _ = write!(text, "\n{}{name} = {}\n", describe(key), key.default);
        }
        for (example, values) in EXAMPLES {
            let _ = write!(text, "\n# [{example}]\n");
            let table = example.split('.').next();
            let keys = named::NAMED.iter().filter(|key| key.name.split('.').next() == table);
            for (key, value) in keys.zip(*values) {
                let name = key.name.rsplit('.').next().unwrap_or_default();
                let _ = write!(text, "\n{}# {name} = {value}\n", describe(key));
            }
        }
        text
    }

    /// The keys that a file, the environment or a flag has set, with where and to what. Passwords are left out.
    pub fn given(&self) -> impl Iterator<Item = (&str, &Origin, String)> {
        let given = self.values.iter().filter(|(_, checked)| checked.origin != Origin::Default);
        given.map(|(key, checked)| (key.as_str(), &checked.origin, self.show(key, checked)))
    }

    /// The settings that must agree in a fleet, as text: `accounts.*`, `history.*`, `channels.*`,
    /// `users.*` and `network.*`.
    pub fn shared(&self) -> impl Iterator<Item = (&str, String)> {
        let shared = |key: &str| SHARED.iter().any(|table| key.starts_with(table));
        let shared = self.values.iter().filter(move |(key, _)| shared(key));
        shared.map(|(key, checked)| (key.as_str(), checked.value.to_toml().to_string()))
    }

    /// What differs between the settings of a running node and new ones.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Changes {
        let mut changed: BTreeSet<&str> = BTreeSet::new();
        for key in self.values.keys().chain(new.values.keys()) {
            if self.values.get(key).map(|old| &old.value) != new.values.get(key).map(|new| &new.value) {
                changed.insert(key);
            }
        }
        // The same files may hold something else.
        if self.motd != new.motd && !changed.contains("motd") {
            changed.insert("motd_file");
        }
        if self.network_password != new.network_password && !changed.contains("network.password") {
            changed.insert("network.password_file");
        }
        let secrets =
            |config: &Self| config.redis.as_ref().map(|redis| (redis.password.clone(), redis.client.clone()));
        if secrets(self) != secrets(new) && !changed.iter().any(|key| key.starts_with("redis.")) {
            changed.insert("redis.password_file");
        }
        let live = |key: &&str| Key::find(key).is_some_and(|key| key.reload == Reload::Live);
        let (applied, needs_restart): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(live);
        let owned = |keys: Vec<&str>| keys.into_iter().map(str::to_owned).collect();
        Changes { applied: owned(applied), needs_restart: owned(needs_restart) }
    }

    /// What a running node goes on with after new settings were read: they, but for what takes a restart.
    ///
    /// # Errors
    /// Where the mixture is not right as a whole; the node then goes on as it was.
    pub fn reloaded(&self, new: &Self) -> Result<Self, ConfigError> {
        let restart = |key: &&String| Key::find(key).is_some_and(|key| key.reload == Reload::Restart);
        let mut values = new.values.clone();
        for key in self.values.keys().filter(restart) {
            values.insert(key.clone(), self.values[key].clone());
        }
        build::build(values)
    }

    fn show(&self, key: &str, checked: &Checked) -> String {
        match (&self.redis, key) {
            (Some(redis), "redis.url") => format!("\"{}\"", redis.url),
            _ if Key::find(key).is_some_and(Key::is_secret)
                && checked.value != Value::Text(String::new()) =>
            {
                "\"…\"".to_owned()
            }
            _ => raw::show(&checked.value.to_toml()),
        }
    }
}

/// Whether a certificate can be for `name`: a host's name, with `*.` in front or not, or an IP address.
#[must_use]
pub fn is_certificate_name(name: &str) -> bool {
    rules::certificate_name(name).is_ok()
}

/// Checks each value by its key, then all of them together.
fn check(settings: Settings) -> Result<Config, ConfigError> {
    let Settings { values: mut given, mut problems } = settings;
    let mut values = Values::new();
    for key in KEYS {
        let default = raw::default_value(key);
        given.entry(key.name.to_owned()).or_insert(default);
    }
    for (name, setting) in given {
        let key = Key::find(&name).expect("only known keys were kept");
        match key.kind.read(&setting.value) {
            Ok(value) => {
                values.insert(name, Checked { value, origin: setting.origin });
            }
            Err(problem) => {
                let value = match key.name {
                    "redis.url" => String::new(),
                    // Somebody may have written the password itself.
                    _ if key.is_secret() => String::new(),
                    _ => format!(" = {}", raw::show(&setting.value)),
                };
                let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
                let text = format!("`{name}{value}`{problem}; allowed: {}", key.kind.allowed());
                problems.push(Problem { origin: setting.origin, text });
            }
        }
    }
    if problems.is_empty() { build::build(values) } else { Err(ConfigError::new(problems)) }
}

/// A key's documentation as comment lines.
fn describe(key: &Key) -> String {
    let effect = match key.reload {
        Reload::Live => "SIGHUP",
        Reload::Restart => "restart",
    };
    let facts = format!("Allowed: {}. Takes effect: {effect}.", key.kind.allowed());
    [key.doc, &facts].iter().flat_map(|paragraph| wrap(paragraph)).map(|line| format!("# {line}\n")).collect()
}

/// Breaks a paragraph into lines that fit a terminal.
fn wrap(paragraph: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 96 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

const INTRODUCTION: &str = "\
# Stentor's configuration, with every key at its default.
# Copy what you change to /etc/stentor/stentor.toml, or name your file with --config.
# A variable such as STENTOR_ACCOUNTS__BCRYPT_COST=10 overrides a key; a flag overrides both.
# After SIGHUP a running node reads everything again, takes what it can, and names the rest.
";

/// What the tables with chosen names look like: one of each, with a value for each of its keys.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("roles.helper", &[r#"["kill", "ban", "audit"]"#]),
    ("operators.root", &[r#""$2y$12$…""#, r#""admin""#, r#"["192.0.2.0/24"]"#]),
];

/// Tables whose settings must agree in a fleet.
const SHARED: [&str; 5] = ["accounts.", "history.", "channels.", "users.", "network."];
