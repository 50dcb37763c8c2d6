//! Addresses in settings: where to listen, whom to trust, where Redis is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use stentor_proto::secret::Secret;

use crate::store::redis::settings::{Address, RedisSettings};

/// One place to accept connections, such as `ircs://[::]:6697`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// What is spoken there.
    pub scheme: Scheme,
    /// Where; port 0 lets the system choose.
    pub address: SocketAddr,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// IRC in plaintext.
    Irc,
    /// IRC over TLS.
    Ircs,
    /// HTTP in plaintext, for `/live` and `/ready`.
    Http,
    /// IRC in WebSocket messages, in plaintext.
    Ws,
    /// IRC in WebSocket messages, over TLS.
    Wss,
}

/// A range of addresses, such as `10.0.0.0/8`; a single address is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    network: IpAddr,
    prefix: u8,
}

/// Where Redis is, from a `redis://` or `rediss://` URL. Printing it leaves the password out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    /// Whether the connection is encrypted (`rediss`).
    pub tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port; 6379 where the URL has none.
    pub port: u16,
    /// The number of the database; 0 where the URL has none.
    pub database: u32,
    /// The user, where the URL has one.
    pub username: Option<String>,
    /// The password, where the URL has one.
    pub password: Option<Secret>,
}

impl Scheme {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Irc, Self::Ircs, Self::Ws, Self::Wss, Self::Http];

    /// As it stands in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Irc => "irc",
            Self::Ircs => "ircs",
            Self::Http => "http",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Ircs | Self::Wss)
    }

    /// Whether it is IRC over TCP, with or without TLS: what IRC clients outside of browsers connect to.
    #[must_use]
    pub fn is_irc(self) -> bool {
        matches!(self, Self::Irc | Self::Ircs)
    }

    /// Whether IRC lines come as WebSocket messages.
    #[must_use]
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The port where a URL names none; HTTP and WebSocket must name it.
    fn default_port(self) -> Option<u16> {
        match self {
            Self::Irc => Some(6667),
            Self::Ircs => Some(6697),
            Self::Http | Self::Ws | Self::Wss => None,
        }
    }
}

impl Listen {
    /// Whether what is said there could be read by others on the way.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.scheme.is_encrypted() && !self.address.ip().to_canonical().is_loopback()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.address)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("there is no scheme, such as `ircs://`")?;
        let scheme = Scheme::ALL
            .into_iter()
            .find(|known| known.as_str() == scheme)
            .ok_or_else(|| format!("`{scheme}` is not a known scheme"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest)?;
        let port = match port {
            Some(port) => port,
            None => scheme.default_port().ok_or("the port is missing")?,
        };
        let ip = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => host.parse().map_err(|_| format!("`{host}` is not an IP address"))?,
        };
        Ok(Self { scheme, address: SocketAddr::new(ip, port) })
    }
}

impl AddressRange {
    /// Whether an address lies within. An IPv4 address that came in over IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl AddressRange {
    /// The same range, named by its first address: all ways to write it are one then.
    #[must_use]
    pub fn canonical(self) -> Self {
        let network = match self.network {
            IpAddr::V4(network) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(network.to_bits() & mask))
            }
            IpAddr::V6(network) => match network.to_ipv4_mapped().filter(|_| self.prefix >= MAPPED) {
                Some(mapped) => {
                    return Self { network: IpAddr::V4(mapped), prefix: self.prefix - MAPPED }.canonical();
                }
                None => {
                    let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                    IpAddr::V6(Ipv6Addr::from_bits(network.to_bits() & mask))
                }
            },
        };
        Self { network, prefix: self.prefix }
    }

    /// The first address, where the range is canonical.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// How many leading bits all of its addresses share.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// The bits in front of an IPv4 address that is written as an IPv6 one.
const MAPPED: u8 = 96;

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| format!("`{address}` is not an IP address"))?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(text) => text
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(|| format!("the length after `/` is a number from 0 to {longest}"))?,
            None => longest,
        };
        Ok(Self { network, prefix })
    }
}

impl RedisUrl {
    /// Whether what is sent could be read by others on the way.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let loopback = self.host.parse::<IpAddr>().map_or(self.host == "localhost", |ip| ip.is_loopback());
        !self.tls && !loopback
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}/{}", self.host, self.port, self.database)
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !(text.starts_with("redis://") || text.starts_with("rediss://")) {
            return Err("it does not begin with `redis://` or `rediss://`".to_owned());
        }
        if text.contains('#') {
            return Err("it has a fragment (`#…`); certificates are always verified".to_owned());
        }
        let unreadable = "it cannot be read as a URL with a host, a port and a database number";
        let Address { tls, host, port, database, username, password } =
            Address::parse(&RedisSettings::new(text)).map_err(|_| unreadable.to_owned())?;
        Ok(Self { tls, host, port, database, username, password })
    }
}

/// Splits `host`, `host:port` or `[address]:port`; the host comes without brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("the closing `]` is missing")?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(format!("`{rest}` follows the address")),
        }
    } else if text.matches(':').count() > 1 {
        return Err("an IPv6 address stands in brackets, such as `[::1]:6697`".to_owned());
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        Some(port) => Some(port.parse().map_err(|_| format!("`{port}` is not a port"))?),
        None => None,
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read() {
        let show = |text: &str| text.parse::<Listen>().map(|listen| listen.to_string());
        assert_eq!(show("ircs://[::]:6697").as_deref(), Ok("ircs://[::]:6697"));
        assert_eq!(show("ircs://[::]").as_deref(), Ok("ircs://[::]:6697"));
        assert_eq!(show("irc://127.0.0.1:0").as_deref(), Ok("irc://127.0.0.1:0"));
        assert_eq!(show("wss://[::]:8097").as_deref(), Ok("wss://[::]:8097"));
        assert_eq!(show("ws://localhost:8067").as_deref(), Ok("ws://127.0.0.1:8067"));
        assert_eq!(show("irc://localhost/").as_deref(), Ok("irc://127.0.0.1:6667"));
        for wrong in [
            "127.0.0.1:6667",
            "ftp://127.0.0.1:1",
            "irc://example.org:6667",
            "irc://::1:6667",
            "irc://127.0.0.1:66666",
            "irc://[::1",
            "irc://[::1]x",
            "http://127.0.0.1",
            "wss://127.0.0.1",
            "ws://127.0.0.1",
            "irc://",
        ] {
            assert!(show(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn plaintext_off_loopback_is_exposed() {
        let exposed = |text: &str| text.parse::<Listen>().unwrap().is_exposed();
        assert!(exposed("irc://0.0.0.0:6667") && exposed("http://[::]:80") && exposed("ws://[::]:80"));
        assert!(!exposed("ws://127.0.0.1:8067") && !exposed("wss://[::]:8097"));
        assert!(
            !exposed("irc://127.0.0.1:6667") && !exposed("irc://[::1]:6667") && !exposed("ircs://[::]:1")
        );
    }

    #[test]
    fn ranges_hold_what_they_should() {
        let holds =
            |range: &str, ip: &str| range.parse::<AddressRange>().unwrap().contains(ip.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.1.2.3") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("0.0.0.0/0", "9.9.9.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        for wrong in ["10.0.0.0/33", "::/129", "ten", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_named_by_its_first_address() {
        let show = |text: &str| text.parse::<AddressRange>().unwrap().canonical().to_string();
        assert_eq!(show("192.0.2.7/24"), "192.0.2.0/24");
        assert_eq!((show("192.0.2.7"), show("9.9.9.9/0")), ("192.0.2.7/32".into(), "0.0.0.0/0".into()));
        assert_eq!(show("2001:db8::1:2/64"), "2001:db8::/64");
        assert_eq!(show("::ffff:192.0.2.7/120"), "192.0.2.0/24");
        assert_eq!(show("::1/0"), "::/0");
    }

    #[test]
    fn redis_urls_are_read_and_printed_without_the_password() {
        let url: RedisUrl = "rediss://bob:s%40crt@redis.example:7000/3".parse().unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port, url.database), (true, "redis.example", 7000, 3));
        assert_eq!(url.username.as_deref(), Some("bob"));
        assert_eq!(url.password.as_ref().map(Secret::expose), Some("s@crt"));
        assert!(!format!("{url} {url:?}").contains("s@crt"));
        let plain: RedisUrl = "redis://[::1]".parse().unwrap();
        assert_eq!(plain.to_string(), "redis://[::1]:6379/0");
        assert!(!plain.is_exposed());
        assert!("redis://redis.example".parse::<RedisUrl>().unwrap().is_exposed());
        for wrong in
            ["http://h", "redis://", "redis://h:port", "rediss://h#insecure", "redis://h/x", "unix:///s"]
        {
            assert!(wrong.parse::<RedisUrl>().is_err(), "{wrong}");
        }
    }
}
