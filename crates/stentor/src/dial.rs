//! How a client names a node: its host and port, and the line of `stentor chat` that leads there.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use stentor_server::admin::Reach;
use stentor_server::config::{Listen, Scheme};

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What is to be known about it, as a sentence.
    pub(crate) note: Option<&'static str>,
}

/// A host with or without a port, as an operator writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    host: String,
    port: Option<u16>,
}

impl Dial {
    /// Where somebody on another machine connects, or on this one where no other can. `wanted` goes before what is known.
    pub(crate) fn from_afar(reach: &Reach, wanted: Option<&HostPort>) -> Self {
        let listening: Vec<Listen> = reach.listening.iter().filter_map(|text| text.parse().ok()).collect();
        let best = best(&listening);
        let (scheme, port) =
            best.map_or((Scheme::Ircs, DEFAULT_PORT), |listen| (listen.scheme, listen.address.port()));
        if let Some(HostPort { host, port: wanted }) = wanted {
            return Self { scheme, host: host.clone(), port: wanted.unwrap_or(port), note: None };
        }
        let ip = best.map(|listen| listen.address.ip().to_canonical());
        let (host, note) = match ip {
            Some(ip) if ip.is_loopback() => (near(ip, &reach.names), Some(LOCAL)),
            Some(ip) => match far(ip, &reach.names) {
                Some((host, note)) => (host, note),
                None => (PLACEHOLDER.to_owned(), Some(UNKNOWN)),
            },
            None => (PLACEHOLDER.to_owned(), Some(UNKNOWN)),
        };
        Self { scheme, host, port, note }
    }

    /// The command that connects there.
    pub(crate) fn command(&self) -> String {
        format!("stentor chat {self}")
    }

    /// What a client is to pin to trust the node.
    pub(crate) fn pin<'a>(&self, reach: &'a Reach) -> Option<&'a str> {
        reach.fingerprint.as_deref().filter(|_| self.scheme.is_encrypted())
    }

    /// Whether a client that connects here is shown a certificate for another host.
    pub(crate) fn is_misnamed(&self, names: &[String]) -> bool {
        if !self.is_known() || !self.scheme.is_encrypted() || names.is_empty() {
            return false;
        }
        let host = self.host.to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        !names.iter().any(|name| *name == host || Some(name) == parent.as_ref())
    }

    /// Whether it is known at all.
    pub(crate) fn is_known(&self) -> bool {
        self.note != Some(UNKNOWN)
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{}{close}:{}", self.scheme.as_str(), self.host, self.port)
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "allowed: a host name or an IP address, and a port after `:`".to_owned();
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: None });
        }
        let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']').ok_or_else(wrong)) {
            Some(split) => {
                let (host, rest) = split?;
                host.parse::<IpAddr>().map_err(|_| wrong())?;
                match rest.strip_prefix(':') {
                    None if !rest.is_empty() => return Err(wrong()),
                    port => (host, port),
                }
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(wrong());
        }
        let port =
            port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)).transpose()?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// How a client on this machine, or near it, names the node so that the certificate is for that name.
pub(crate) fn near(address: IpAddr, names: &[String]) -> String {
    let address = address.to_canonical();
    let shown = address.to_string();
    let local = address.is_unspecified() || address.is_loopback();
    let has = |name: &str| names.iter().any(|known| known == name);
    if local && (names.is_empty() || has("localhost")) {
        return "localhost".to_owned();
    }
    if names.is_empty() || has(&shown) {
        return shown;
    }
    let names = || names.iter().filter(|name| !name.starts_with("*."));
    let named = names().find(|name| name.parse::<IpAddr>().is_err()).or_else(|| names().next());
    named.cloned().unwrap_or(shown)
}

/// How a client on another machine names it: by a full name of the certificate, an address, or what the machine calls
/// itself, in this order. None where nothing tells.
fn far(address: IpAddr, names: &[String]) -> Option<(String, Option<&'static str>)> {
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
    let hosts =
        || names.iter().filter(|name| !is_address(name) && *name != "localhost" && !name.starts_with("*."));
    if let Some(name) = hosts().find(|name| name.contains('.')) {
        return Some((name.clone(), None));
    }
    let shown = address.to_string();
    if !address.is_unspecified() && (names.is_empty() || names.contains(&shown)) {
        return Some((shown, None));
    }
    let open = |name: &&String| name.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback());
    if let Some(ip) = names.iter().find(open) {
        return Some((ip.clone(), None));
    }
    if let Some(name) = hosts().next() {
        return Some((name.clone(), Some(BARE)));
    }
    names.iter().any(|name| name == "localhost").then(|| ("localhost".to_owned(), Some(NAMELESS)))
}

/// The listener that most people can use: with TLS before without, one that others reach before one on loopback.
fn best(listening: &[Listen]) -> Option<&Listen> {
    let usable = |listen: &&Listen| listen.scheme.is_irc() && listen.address.port() != 0;
    let local = |listen: &Listen| listen.address.ip().to_canonical().is_loopback();
    listening.iter().filter(usable).min_by_key(|listen| (!listen.scheme.is_encrypted(), local(listen)))
}

const DEFAULT_PORT: u16 = 6697;
/// Stands where a host is not known.
const PLACEHOLDER: &str = "HOST";
const UNKNOWN: &str =
    "nothing here tells what others call the node; put its name for HOST, or tell it with --host";
const LOCAL: &str = "only this machine reaches the node, which listens on a loopback address";
const BARE: &str =
    "this is what the machine calls itself; if others know it by another name, tell it with --host";
const NAMELESS: &str =
    "the certificate has no name that other machines could use: set `tls.names`, and restart the node";

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn afar(listening: &[&str], names: &[&str]) -> String {
        let reach = Reach { listening: owned(listening), names: owned(names), ..Reach::default() };
        Dial::from_afar(&reach, None).to_string()
    }

    #[test]
    fn the_host_is_one_that_the_certificate_is_for() {
        let named = |address: &str, names: &[&str]| near(address.parse().unwrap(), &owned(names));
        let own = ["127.0.0.1", "::1", "box", "localhost"];
        assert_eq!(named("::", &own), "localhost");
        assert_eq!(named("127.0.0.1", &own), "localhost");
        assert_eq!(named("::", &["*.example.org", "192.0.2.7", "irc.example.org"]), "irc.example.org");
        assert_eq!(named("192.0.2.7", &["192.0.2.7", "irc.example.org"]), "192.0.2.7");
        assert_eq!(named("192.0.2.8", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(named("127.0.0.1", &[]), "localhost");
        assert_eq!(named("192.0.2.8", &[]), "192.0.2.8");
    }

    #[test]
    fn an_outsider_is_told_a_name_that_means_the_same_elsewhere() {
        let own = ["127.0.0.1", "::1", "box", "localhost"];
        assert_eq!(afar(&["ircs://[::]:6697"], &own), "ircs://box:6697");
        assert_eq!(afar(&["ircs://[::]:6697"], &["localhost", "127.0.0.1"]), "ircs://localhost:6697");
        assert_eq!(afar(&["ircs://[::]:1"], &["box", "irc.example.org"]), "ircs://irc.example.org:1");
        assert_eq!(afar(&["ircs://[::]:1"], &["2001:db8::1", "box", "localhost"]), "ircs://[2001:db8::1]:1");
        assert_eq!(afar(&["ircs://192.0.2.7:1"], &["192.0.2.7", "box"]), "ircs://192.0.2.7:1");
        assert_eq!(afar(&["ircs://192.0.2.7:1"], &own), "ircs://box:1");
        assert_eq!(afar(&["ircs://0.0.0.0:1"], &[]), "ircs://HOST:1");
        assert_eq!(afar(&["http://127.0.0.1:80"], &own), "ircs://HOST:6697");
    }

    #[test]
    fn a_listener_that_all_reach_goes_before_one_on_loopback_and_tls_before_plaintext() {
        let own = ["127.0.0.1", "::1", "box", "localhost"];
        assert_eq!(afar(&["ircs://127.0.0.1:1", "ircs://[::]:2"], &own), "ircs://box:2");
        assert_eq!(afar(&["irc://[::]:1", "ircs://127.0.0.1:2"], &own), "ircs://localhost:2");
        assert_eq!(afar(&["irc://127.0.0.1:6667"], &[]), "irc://localhost:6667");
        assert_eq!(afar(&["ircs://127.0.0.1:0", "ircs://[::1]:2"], &own), "ircs://localhost:2");
    }

    #[test]
    fn an_operator_knows_better() {
        let reach = Reach {
            listening: owned(&["ircs://[::]:7000"]),
            names: owned(&["*.example.org"]),
            ..Reach::default()
        };
        let told = |text: &str| Dial::from_afar(&reach, Some(&text.parse().unwrap()));
        assert_eq!(told("irc.example.org").to_string(), "ircs://irc.example.org:7000");
        assert_eq!(told("irc.example.org:443").to_string(), "ircs://irc.example.org:443");
        assert_eq!(told("2001:db8::1").to_string(), "ircs://[2001:db8::1]:7000");
        assert_eq!(told("[2001:db8::1]:443").to_string(), "ircs://[2001:db8::1]:443");
        assert!(
            !told("IRC.example.org").is_misnamed(&reach.names)
                && told("example.org").is_misnamed(&reach.names)
        );
        for text in ["", "a b", "a:", "a:0", "a:65536", "ircs://a", "[a]", "[::1", "[::1]x", ":1"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }
}
