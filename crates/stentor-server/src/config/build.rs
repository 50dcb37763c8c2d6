//! From values that are right one by one to a configuration that is right as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use super::Config;
use super::address::{Listen, RedisUrl, Scheme};
use super::error::{ConfigError, Origin, Problem};
use super::kind::Value;
use super::named::NAMED;
use super::role::{ADMIN, OperatorBlock, Operators, Roles};
use super::rules::{MOTD_BYTES, certificate_name, operator_name, role_name};
use super::sections::{
    Accounts, CertificateFiles, Channels, ClientCertificate, Data, DuplicateLogin, Durability, Fleet,
    History, KeyType, Limits, LogLevel, Redis, Registration, StoreSettings, Sts, Tls, Webirc,
};
use super::units::Limit;
use stentor_proto::secret::Secret;

use crate::account::PasswordHash;

/// A value that its key accepts, and where it was given. Its `Debug` shows the place alone: the value may be a URL with
/// a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

/// Accepted values by key; one for every key of the table, and one for every role.
pub(super) type Values = BTreeMap<String, Checked>;

/// Puts a configuration together.
pub(super) fn build(values: Values) -> Result<Config, ConfigError> {
    let mut builder = Builder { values: &values, problems: Vec::new(), warnings: Vec::new() };
    let config = Config {
        network_name: builder.text("network.name").to_owned(),
        network_server: builder.given("network.server").map(str::to_owned),
        network_icon: builder.given("network.icon").map(str::to_owned),
        network_password: builder.network_password(),
        node_name: builder.given("node.name").map(str::to_owned),
        listen: builder.listeners(),
        data: builder.data(),
        redis: builder.redis(),
        store: StoreSettings {
            durability: builder.choice("store.durability", [Durability::Normal, Durability::Full]),
        },
        tls: builder.tls(),
        proxy_trusted: builder.parsed("proxy.trusted"),
        websocket_origins: builder.parsed("websocket.origins"),
        webirc: builder.webirc(),
        accounts: builder.accounts(),
        fleet: Fleet { lease: builder.time("fleet.lease"), margin: builder.time("fleet.margin") },
        history: History {
            max_age: builder.time_or_none("history.max_age"),
            max_count: builder.limit("history.max_count"),
            page: builder.count("history.page"),
            redact_window: builder.time_or_none("history.redact_window"),
        },
        channels: builder.channels(),
        default_user_modes: builder.letters("users.default_modes"),
        limits: builder.limits(),
        denied_tags: builder.denied_tags(),
        drain_time: builder.time("drain.time"),
        motd: builder.motd(),
        log_level: builder.choice(
            "log.level",
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace],
        ),
        audit_max_age: builder.time_or_none("audit.max_age"),
        roles: builder.roles(),
        operators: builder.operators(),
        warnings: Vec::new(),
        values: Values::new(),
    };
    let Builder { problems, warnings, .. } = builder;
    if problems.is_empty() {
        Ok(Config { warnings, values, ..config })
    } else {
        Err(ConfigError::new(problems))
    }
}

/// How long `messages.denied_tags` may be in all.
const DENIED_TAGS_BYTES: usize = 300;

struct Builder<'a> {
    values: &'a Values,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Builder<'a> {
    fn listeners(&mut self) -> Vec<Listen> {
        let listeners: Vec<Listen> = self.parsed("listen");
        if let Some(exposed) = listeners.iter().find(|listener| listener.is_exposed())
            && !self.flag("listen_insecure")
        {
            self.problem(
                "listen",
                format!(
                    "`listen`: {exposed} is plaintext that others can reach; allowed: a loopback address, \
                     `{}://`, or `listen_insecure = true`",
                    if exposed.scheme.is_websocket() { "wss" } else { "ircs" }
                ),
            );
        }
        if !listeners.is_empty() && listeners.iter().all(|listener| listener.scheme == Scheme::Http) {
            self.warnings.push(
                "nobody can chat here: `listen` has no address with `ircs://`, `irc://`, `wss://` or `ws://`"
                    .to_owned(),
            );
        }
        listeners
    }

    fn data(&mut self) -> Data {
        let dir = self.given("data.dir").map(PathBuf::from).or_else(platform_data_dir).unwrap_or_default();
        if dir.as_os_str().is_empty() {
            self.problem(
                "data.dir",
                "`data.dir` is not set, and there is no home directory to put it in".to_owned(),
            );
        }
        Data { dir }
    }

    fn redis(&mut self) -> Option<Redis> {
        let others = ["username", "password_file", "ca_file", "cert_file", "key_file"];
        let Some(text) = self.given("redis.url") else {
            if let Some(unused) =
                others.iter().map(|key| format!("redis.{key}")).find(|key| self.given(key).is_some())
            {
                self.warnings.push(format!("`{unused}` has no effect without `redis.url`"));
            }
            return None;
        };
        let url: RedisUrl = text.parse().expect("the URL was checked when it was read");
        if url.is_exposed() && !self.flag("redis.insecure") {
            let problem = format!(
                "`redis.url`: {url} is plaintext that others can reach; allowed: `rediss://`, a loopback address, or \
                 `redis.insecure = true`"
            );
            self.problem("redis.url", problem);
        }
        if url.password.is_some() && matches!(self.origin("redis.url"), Origin::Flag(_)) {
            self.warnings.push(
                "everybody on this machine can see the password in the URL; use `redis.password_file`"
                    .to_owned(),
            );
        }
        let client = match self.pair("redis.cert_file", "redis.key_file") {
            Some((chain, key)) => match (self.read(chain), self.read(key)) {
                (Some(chain), Some(key)) => Some(ClientCertificate { chain, key: Secret::new(key) }),
                _ => None,
            },
            None => None,
        };
        let first_line =
            self.read("redis.password_file").map(|text| text.lines().next().unwrap_or("").to_owned());
        if first_line.as_ref().is_some_and(String::is_empty) {
            self.problem("redis.password_file", "`redis.password_file`: the first line is empty".to_owned());
        }
        let password = first_line.map(Secret::new).or_else(|| url.password.clone());
        let username = self.given("redis.username").map(str::to_owned).or_else(|| url.username.clone());
        if username.is_some() && password.is_none() {
            self.warnings.push("a user for Redis is set, but no password".to_owned());
        }
        Some(Redis { username, password, ca: self.read("redis.ca_file"), client, url })
    }

    fn tls(&mut self) -> Tls {
        let files = self.pair("tls.cert_file", "tls.key_file").map(|(chain, key)| CertificateFiles {
            chain: self.text(chain).into(),
            key: self.text(key).into(),
        });
        let mut names: Vec<String> =
            self.list("tls.names").iter().map(|name| name.to_ascii_lowercase()).collect();
        let names_given = !names.is_empty();
        if !names_given {
            names = local_names();
        }
        let sts = self.sts();
        Tls {
            files,
            key: self.choice("tls.key", [KeyType::EcdsaP256, KeyType::Rsa2048]),
            names,
            names_given,
            handshake_timeout: self.time("tls.handshake_timeout"),
            sts,
        }
    }

    fn sts(&mut self) -> Option<Sts> {
        let duration = self.time_or_none("tls.sts")?;
        let listeners: Vec<Listen> = self.parsed("listen");
        let secure = listeners.iter().find(|listener| listener.scheme == Scheme::Ircs);
        let port = u16::try_from(self.number("tls.sts_port")).expect("a port is at most 65535");
        let port = if port == 0 { secure.map_or(0, |listener| listener.address.port()) } else { port };
        if port == 0 {
            self.problem(
                "tls.sts",
                "`tls.sts` needs an `ircs://` listener with a fixed port, or `tls.sts_port`".to_owned(),
            );
        }
        Some(Sts { duration, port, preload: self.flag("tls.sts_preload") })
    }

    fn network_password(&mut self) -> Option<PasswordHash> {
        if self.given("network.password").is_some() && self.given("network.password_file").is_some() {
            let text = "`network.password` and `network.password_file` are both set; allowed: one of them";
            self.problem("network.password_file", text.to_owned());
        }
        let Some(text) = self.read("network.password_file") else { return self.hash("network.password") };
        let hash = PasswordHash::parse(text.lines().next().unwrap_or_default());
        if let Err(error) = &hash {
            self.problem("network.password_file", format!("`network.password_file`: first line: {error}"));
        }
        hash.ok()
    }

    fn webirc(&mut self) -> Webirc {
        let webirc = Webirc {
            trusted: self.parsed("webirc.trusted"),
            password: self.hash("webirc.password"),
            certificates: self.parsed("webirc.certificates"),
        };
        if !webirc.trusted.is_empty() && webirc.password.is_none() && webirc.certificates.is_empty() {
            let text = "`webirc.trusted` is set, but neither `webirc.password` nor `webirc.certificates`";
            self.problem("webirc.trusted", text.to_owned());
        }
        webirc
    }

    fn hash(&self, key: &str) -> Option<PasswordHash> {
        self.given(key).map(|text| PasswordHash::parse(text).expect("the hash was checked when it was read"))
    }

    fn accounts(&self) -> Accounts {
        Accounts {
            required: self.flag("accounts.required"),
            registration: self.choice(
                "accounts.registration",
                [Registration::Closed, Registration::Invite, Registration::Open],
            ),
            registration_before_connect: self.flag("accounts.registration_before_connect")
                || self.flag("accounts.required"),
            bcrypt_cost: u32::try_from(self.number("accounts.bcrypt_cost")).expect("the cost is at most 31"),
            scram_iterations: u32::try_from(self.number("accounts.scram_iterations"))
                .ok()
                .and_then(NonZeroU32::new),
            password_min: self.count("accounts.password_min"),
            duplicate_login: self
                .choice("accounts.duplicate_login", [DuplicateLogin::Reject, DuplicateLogin::Replace]),
            probe: self.time("accounts.probe"),
            max: self.limit("accounts.max"),
        }
    }

    fn channels(&self) -> Channels {
        Channels {
            max_per_user: self.limit("channels.max_per_user"),
            max_founded: self.limit("channels.max_founded"),
            default_modes: self.letters("channels.default_modes"),
            list_max: self.limit("channels.list_max"),
            access_max: self.limit("channels.access_max"),
            max_members: self.limit("channels.max_members"),
        }
    }

    /// The letters of modes, sorted, each once.
    fn letters(&self, key: &str) -> String {
        self.text(key).chars().collect::<BTreeSet<char>>().into_iter().collect()
    }

    fn limits(&self) -> Limits {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Limits {
            nick_length: self.count("limits.nick_length"),
            user_length: self.count("limits.user_length"),
            channel_length: self.count("limits.channel_length"),
            topic_length: self.count("limits.topic_length"),
            away_length: self.count("limits.away_length"),
            realname_length: self.count("limits.realname_length"),
            kick_length: self.count("limits.kick_length"),
            multiline_length: self.count("limits.multiline_length"),
            multiline_lines: self.count("limits.multiline_lines"),
            targets: self.limit("limits.targets"),
            metadata_keys: self.count("metadata.max_keys"),
            metadata_value: self.count("metadata.max_value"),
            metadata_subscriptions: self.count("metadata.max_subscriptions"),
            monitor: self.limit("limits.monitor"),
            subscriptions: self.limit("limits.subscriptions"),
            subscribers: self.limit("limits.subscribers"),
            whox: self.limit("limits.whox"),
            whowas: self.count("limits.whowas"),
            send_queue: self.limit("limits.send_queue"),
            lines_per_second: self.limit("limits.lines_per_second"),
            burst: self.count("limits.burst"),
            connections_per_address: self.limit("limits.connections_per_address"),
            unregistered_per_address: self.limit("limits.unregistered_per_address"),
            registration_timeout: self.time_or_none("limits.registration_timeout"),
            ping_interval: self.time_or_none("limits.ping_interval"),
            ping_timeout: self.time("limits.ping_timeout"),
            login_failures: self.limit("limits.login_failures"),
            bcrypt_threads: match self.count("limits.bcrypt_threads") {
                0 => (cores / 2).max(1),
                threads => threads,
            },
        }
    }

    /// The token has room for what fits one line of reply 005.
    fn denied_tags(&mut self) -> Vec<String> {
        let tags = self.list("messages.denied_tags").to_vec();
        if tags.iter().skip(1).any(|tag| tag == "*") {
            let text =
                "`messages.denied_tags`: `*` stands after others; allowed: `*` as the first".to_owned();
            self.problem("messages.denied_tags", text);
        }
        if tags.join(",").len() > DENIED_TAGS_BYTES {
            let text = format!("`messages.denied_tags`: allowed: {DENIED_TAGS_BYTES} bytes in all");
            self.problem("messages.denied_tags", text);
        }
        tags
    }

    fn motd(&mut self) -> Vec<String> {
        if self.given("motd").is_some() && self.given("motd_file").is_some() {
            self.problem("motd_file", "`motd` and `motd_file` are both set; allowed: one of them".to_owned());
        }
        let text = self.read("motd_file").unwrap_or_else(|| self.text("motd").to_owned());
        if text.len() > MOTD_BYTES || text.contains('\0') {
            self.problem("motd_file", "`motd_file`: allowed: text of up to 16 KiB without NUL".to_owned());
        }
        text.lines().map(|line| line.trim_end().replace(['\r', '\t'], " ")).collect()
    }

    fn roles(&mut self) -> Roles {
        let mut roles = Vec::new();
        for (key, checked) in self.values {
            let Some(name) = named(key, "roles.NAME.privileges") else { continue };
            if let Err(problem) = role_name(name) {
                self.problem(key, format!("`{key}`: {problem}"));
            }
            let Value::List(items) = &checked.value else { unreachable!("a role's privileges are a list") };
            let privileges =
                items.iter().map(|item| item.parse().expect("privileges were checked when read"));
            roles.push((name.to_owned(), privileges.collect()));
        }
        Roles::new(roles)
    }

    fn operators(&mut self) -> Operators {
        let names: BTreeSet<&str> = self.values.keys().filter_map(|key| operator_of(key)).collect();
        let mut blocks = BTreeMap::new();
        for name in names {
            let key = |part: &str| format!("operators.{name}.{part}");
            let any = ["password", "role", "hosts"].map(key);
            let first = any.iter().find(|key| self.values.contains_key(*key)).expect("it has a key").clone();
            if let Err(problem) = operator_name(name) {
                self.problem(&first, format!("`operators.{name}`: {problem}"));
            }
            let (password, role) = match (self.values.get(&key("password")), self.values.get(&key("role"))) {
                (Some(_), Some(_)) => (self.text(&key("password")), self.text(&key("role"))),
                _ => {
                    self.problem(&first, format!("`operators.{name}` needs both `password` and `role`"));
                    continue;
                }
            };
            let has_role = role == ADMIN || self.values.contains_key(&format!("roles.{role}.privileges"));
            if !has_role {
                self.problem(&key("role"), format!("`operators.{name}.role`: there is no role `{role}`"));
            }
            let hosts = match self.values.contains_key(&key("hosts")) {
                true => self.parsed(&key("hosts")),
                false => Vec::new(),
            };
            let password = PasswordHash::parse(password).expect("the hash was checked when it was read");
            let block = OperatorBlock { password, role: role.to_owned(), hosts };
            blocks.insert(name.to_owned(), block);
        }
        Operators::new(blocks)
    }

    /// The keys of a certificate and its private key, where both are given.
    fn pair(&mut self, chain: &'static str, key: &'static str) -> Option<(&'static str, &'static str)> {
        let (missing, given) = match (self.given(chain), self.given(key)) {
            (Some(_), Some(_)) => return Some((chain, key)),
            (None, None) => return None,
            (Some(_), None) => (key, chain),
            (None, Some(_)) => (chain, key),
        };
        self.problem(given, format!("`{given}` is set, but not `{missing}`; allowed: both or neither"));
        None
    }

    /// The content of the file that `key` names, where it names one.
    fn read(&mut self, key: &str) -> Option<String> {
        let path = self.given(key)?;
        match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.problem(key, format!("`{key}`: cannot read {path}: {error}"));
                None
            }
        }
    }

    fn problem(&mut self, key: &str, text: String) {
        self.problems.push(Problem { origin: self.origin(key).clone(), text });
    }

    fn checked(&self, key: &str) -> &'a Checked {
        self.values.get(key).expect("every key has a value")
    }

    fn origin(&self, key: &str) -> &'a Origin {
        &self.checked(key).origin
    }

    fn text(&self, key: &str) -> &'a str {
        match &self.checked(key).value {
            Value::Text(text) => text,
            other => unreachable!("{key} is a text, not {other:?}"),
        }
    }

    /// A text that is not empty.
    fn given(&self, key: &str) -> Option<&'a str> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn flag(&self, key: &str) -> bool {
        match &self.checked(key).value {
            Value::Flag(flag) => *flag,
            other => unreachable!("{key} is a flag, not {other:?}"),
        }
    }

    fn number(&self, key: &str) -> u64 {
        match &self.checked(key).value {
            Value::Number(number) | Value::Size(number) => *number,
            other => unreachable!("{key} is a number, not {other:?}"),
        }
    }

    fn count(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    fn limit(&self, key: &str) -> Limit {
        Limit::new(self.number(key))
    }

    fn time(&self, key: &str) -> Duration {
        match &self.checked(key).value {
            Value::Time(time) => *time,
            other => unreachable!("{key} is a time, not {other:?}"),
        }
    }

    fn time_or_none(&self, key: &str) -> Option<Duration> {
        Some(self.time(key)).filter(|time| !time.is_zero())
    }

    fn list(&self, key: &str) -> &'a [String] {
        match &self.checked(key).value {
            Value::List(items) => items,
            other => unreachable!("{key} is a list, not {other:?}"),
        }
    }

    fn parsed<T: FromStr>(&self, key: &str) -> Vec<T> {
        self.list(key).iter().filter_map(|item| item.parse().ok()).collect()
    }

    /// The variant at the place of the word among the words that its key allows.
    fn choice<T: Copy, const N: usize>(&self, key: &str, variants: [T; N]) -> T {
        let words = match super::Key::find(key).map(|key| key.kind) {
            Some(super::Kind::Choice(words)) => words,
            other => unreachable!("{key} is a choice, not {other:?}"),
        };
        let place =
            words.iter().position(|word| *word == self.text(key)).expect("a choice is one of its words");
        *variants.get(place).expect("there is a variant for every word")
    }
}

/// What stands for `NAME` in a key that is an instance of the named key `of`.
fn named<'a>(key: &'a str, of: &str) -> Option<&'a str> {
    NAMED.iter().find(|named| named.name == of)?.name_in(key)
}

/// The operator whom a key is about.
fn operator_of(key: &str) -> Option<&str> {
    let of = |named: &&super::Key| named.name.starts_with("operators.");
    NAMED.iter().filter(of).find_map(|named| named.name_in(key))
}

/// The names by which this machine reaches itself: what a certificate is for where nobody said otherwise.
fn local_names() -> Vec<String> {
    let host =
        hostname::get().ok().and_then(|name| name.into_string().ok()).map(|name| name.to_ascii_lowercase());
    let host = host.filter(|name| name != "localhost" && certificate_name(name).is_ok());
    let fixed = ["127.0.0.1", "::1"].map(str::to_owned);
    ["localhost".to_owned()].into_iter().chain(host).chain(fixed).collect()
}

/// Where data goes when nobody said otherwise; `None` for a user without a home.
fn platform_data_dir() -> Option<PathBuf> {
    if is_root() {
        return Some(PathBuf::from("/var/lib/stentor"));
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("HOME");
    let data = if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Application Support"))
    } else if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else {
        absolute("XDG_DATA_HOME").or_else(|| home.map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("stentor"))
}

/// Whether the process runs as root: `/proc/self` belongs to whom it runs as. Where there is no `/proc`, root has its own
/// home, and that is used.
#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
