//! Which server to talk to, as a person writes it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use rustls::pki_types::ServerName;
use stentor_proto::channel::ChannelName;

/// A server's address: `ircs://host[:port][/room]`, or `irc://…` without TLS.
///
/// The scheme may be left out, which means `ircs`. The port is 6697 then, and 6667 for `irc`. An IPv6 address stands in
/// brackets. A room may be written without its `#`, and with `%23` for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    tls: bool,
    /// In small letters, without brackets, and without a dot at its end.
    host: String,
    port: u16,
    room: Option<ChannelName>,
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It begins with another scheme than `ircs` and `irc`.
    Scheme(String),
    /// It holds a name or a password before an `@`.
    User,
    /// What stands for the host is none.
    Host(String),
    /// What stands for the port is none.
    Port(String),
    /// What stands for the room is none.
    Room(String),
}

impl ServerUrl {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host: a name in small letters, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The room to join.
    #[must_use]
    pub fn room(&self) -> Option<&ChannelName> {
        self.room.as_ref()
    }

    /// `host:port`, an IPv6 address in brackets.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whether the host is this machine, by its name or address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// The name that a certificate has to be for.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.host.clone()).expect("the host was checked when it was read")
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("ircs", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ircs" => true,
            "irc" => false,
            _ => return Err(UrlError::Scheme(scheme.to_owned())),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(UrlError::User);
        }
        let (host, port) = split_port(authority)?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        ServerName::try_from(host.as_str()).map_err(|_| UrlError::Host(host.clone()))?;
        let default = if tls { TLS_PORT } else { PLAINTEXT_PORT };
        let port = match port {
            None => default,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(UrlError::Port(port.to_owned())),
                Ok(port) => port,
            },
        };
        Ok(Self { tls, host, port, room: room(path)? })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "ircs" } else { "irc" }, self.host_and_port())
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => write!(f, "`{scheme}://` is not known; allowed: ircs:// and irc://"),
            Self::User => f.write_str("an address holds no user and no password; give the user with --user"),
            Self::Host(host) if host.is_empty() => f.write_str("the host is missing, as in ircs://localhost"),
            Self::Host(host) => {
                write!(f, "`{host}` is no host; allowed: a name, or an IP address, as in ircs://[::1]:6697")
            }
            Self::Port(port) => write!(f, "`{port}` is no port; allowed: a number from 1 to 65535"),
            Self::Room(room) => write!(f, "`{room}` is no room"),
        }
    }
}

impl std::error::Error for UrlError {}

/// Takes `host:port`, `[v6]:port`, or either without port, apart.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    let wrong = || UrlError::Host(authority.to_owned());
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        host.parse::<Ipv6Addr>().map_err(|_| wrong())?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    // Without brackets nobody can tell where an IPv6 address ends.
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(wrong()),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn room(path: &str) -> Result<Option<ChannelName>, UrlError> {
    if path.is_empty() {
        return Ok(None);
    }
    let wrong = || UrlError::Room(path.to_owned());
    let text = percent_decoded(path).ok_or_else(wrong)?;
    let text = if text.starts_with('#') { text } else { format!("#{text}") };
    ChannelName::parse(&text, ROOM_MAX).map(Some).map_err(|_| wrong())
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

/// IANA's port for IRC over TLS.
const TLS_PORT: u16 = 6697;
/// The usual one for plaintext.
const PLAINTEXT_PORT: u16 = 6667;
/// How many bytes the name of a room may have; servers may allow less.
const ROOM_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ServerUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        for (text, shown, room) in [
            ("ircs://localhost", "ircs://localhost:6697", None),
            ("IRCS://Chat.Example.", "ircs://chat.example:6697", None),
            ("chat.example", "ircs://chat.example:6697", None),
            ("chat.example:7000/lobby", "ircs://chat.example:7000", Some("#lobby")),
            ("irc://127.0.0.1", "irc://127.0.0.1:6667", None),
            ("ircs://[::1]:8001/#Lobby", "ircs://[::1]:8001", Some("#Lobby")),
            ("ircs://[::1]", "ircs://[::1]:6697", None),
            ("ircs://h/%23caf%c3%a9", "ircs://h:6697", Some("#café")),
            ("ircs://h/", "ircs://h:6697", None),
        ] {
            let url = read(text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.room().map(ChannelName::as_str), room, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for (text, part) in [
            ("http://h", "http://"),
            ("ircs://alice:secret@h", "--user"),
            ("ircs://", "missing"),
            ("ircs://::1", "[::1]"),
            ("ircs://[::1", "no host"),
            ("ircs://[h]", "no host"),
            ("ircs://[::1]6697", "no host"),
            ("ircs://a b", "no host"),
            ("ircs://h:0", "no port"),
            ("ircs://h:65536", "no port"),
            ("ircs://h:", "no port"),
            ("ircs://h/a,b", "no room"),
            ("ircs://h/%zz", "no room"),
            ("ircs://h/%0a", "no room"),
        ] {
            let error = text.parse::<ServerUrl>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (text, own) in [
            ("localhost", true),
            ("a.localhost", true),
            ("127.1.2.3", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.example", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(read(text).is_loopback(), own, "{text}");
        }
    }
}
