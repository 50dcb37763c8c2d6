//! Where the store is, and how to get in.

use std::fmt;
use std::time::Duration;

use stentor_proto::secret::Secret;

use super::ConnectError;

/// How to reach a Redis or Valkey server.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://` or, over TLS, `rediss://`, then `[user[:password]@]host[:port][/database]`. A user or password with
    /// special characters is percent-encoded.
    pub url: String,
    /// The ACL user; before the one in the URL. None: `default`.
    pub username: Option<String>,
    /// The password; before the one in the URL.
    pub password: Option<Secret>,
    /// Authorities to trust, PEM; only these. None: those of the operating system.
    pub ca: Option<String>,
    /// A client certificate with its chain, and its key, PEM.
    pub client_certificate: Option<(String, Secret)>,
    /// How many connections carry commands; at least one. Another one is for subscriptions.
    pub connections: usize,
    /// How long opening a connection may take, from the name's look-up to the login.
    pub connect_timeout: Duration,
    /// How long a command may take. After that its outcome is unknown and its connection is given up.
    pub command_timeout: Duration,
    /// How often the store is asked whether it is there.
    pub heartbeat: Duration,
    /// Whether an empty database may become a new store. Otherwise it is refused.
    pub create: bool,
}

impl RedisSettings {
    /// Settings for `url` with everything else as usual.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            username: None,
            password: None,
            ca: None,
            client_certificate: None,
            connections: 4,
            connect_timeout: Duration::from_secs(3),
            command_timeout: Duration::from_secs(2),
            heartbeat: Duration::from_secs(1),
            create: true,
        }
    }
}

/// Shows no password, in whatever part of the settings it stands.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address =
            Address::parse(self).map_or_else(|_| "not an address".to_owned(), |address| address.to_string());
        f.debug_struct("RedisSettings")
            .field("address", &address)
            .field("username", &self.username)
            .field("password", &self.password)
            .field("ca", &self.ca.is_some())
            .field("client_certificate", &self.client_certificate.is_some())
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// What the URL says, together with the login.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

impl Address {
    pub(crate) fn parse(settings: &RedisSettings) -> Result<Self, ConnectError> {
        let wrong = |what: &str| ConnectError::Refused(format!("the store's URL {what}"));
        let (scheme, rest) = settings.url.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err(wrong("begins with neither redis:// nor rediss://")),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(a, b)| (Some(a), b));
        let (host, port) = host_and_port(place).ok_or_else(|| wrong("has no proper host and port"))?;
        let database = if path.is_empty() { Some(0) } else { path.parse().ok() };
        let (username, password) = match login {
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                let decode =
                    |text| decode(text).ok_or_else(|| wrong("has a login that is not percent-encoded"));
                (decode(user)?, decode(password)?)
            }
            None => (String::new(), String::new()),
        };
        Ok(Self {
            tls,
            host,
            port,
            database: database.ok_or_else(|| wrong("ends in something that is no database number"))?,
            username: settings.username.clone().or((!username.is_empty()).then_some(username)),
            password: settings.password.clone().or((!password.is_empty()).then(|| Secret::new(password))),
        })
    }
}

/// The address without the login.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}/{}", self.host, self.port, self.database)
    }
}

fn host_and_port(place: &str) -> Option<(String, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

const DEFAULT_PORT: u16 = 6379;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let mut settings = RedisSettings::new("rediss://chat:p%40ss%3A@[::1]:7000/3");
        let address = Address::parse(&settings).unwrap();
        assert_eq!(address.to_string(), "rediss://[::1]:7000/3");
        assert_eq!(address.username.as_deref(), Some("chat"));
        assert_eq!(address.password.as_ref().map(Secret::expose), Some("p@ss:"));

        settings.username = Some("other".into());
        settings.password = Some(Secret::new("word"));
        let address = Address::parse(&settings).unwrap();
        assert_eq!(address.username.as_deref(), Some("other"));
        assert_eq!(address.password.as_ref().map(Secret::expose), Some("word"));
        assert_eq!(Address::parse(&RedisSettings::new("redis://h")).unwrap().to_string(), "redis://h:6379/0");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "",
            "h:1",
            "http://h",
            "redis://",
            "redis://h:x",
            "redis://h/x",
            "redis://[::1",
            "redis://u:%zz@h",
        ] {
            assert!(Address::parse(&RedisSettings::new(url)).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let mut settings = RedisSettings::new("redis://u:hunter2@h");
        settings.password = Some(Secret::new("hunter3"));
        let printed = format!("{settings:?} {:?}", Address::parse(&settings));
        assert!(!printed.contains("hunter"), "{printed}");
    }
}
