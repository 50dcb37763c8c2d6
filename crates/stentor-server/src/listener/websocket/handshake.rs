//! What a request for a WebSocket asks for, and whether it gets it: the subprotocol, the web page that asks, and the
//! client that a proxy speaks for. Values alone; the request's own form is checked elsewhere.

use std::net::IpAddr;

use axum::http::header::{HOST, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use super::frames::Kind;
use crate::config::{AddressRange, AllowedOrigin, WebOrigin};

/// The subprotocols of IRC (<https://ircv3.net/specs/extensions/websocket>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Text,
    Binary,
}

impl Protocol {
    /// Its name in the handshake.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text.ircv3.net",
            Self::Binary => "binary.ircv3.net",
        }
    }

    /// The one that a client likes best, of those that there are.
    pub(super) fn choose(headers: &HeaderMap) -> Option<Self> {
        listed(headers, &SEC_WEBSOCKET_PROTOCOL)
            .find_map(|offered| [Self::Text, Self::Binary].into_iter().find(|known| known.name() == offered))
    }
}

impl From<Kind> for Protocol {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

/// What a node calls its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// `websocket.origins`.
    pub(super) origins: &'a [AllowedOrigin],
    /// `tls.names`.
    pub(super) names: &'a [String],
    /// Whether the listener speaks TLS. Then a browser has checked that the host is ours.
    pub(super) encrypted: bool,
}

/// Whether the page that asks may connect. Programs other than browsers name no page, and may.
///
/// # Errors
/// The page that may not.
pub(super) fn check_origin(headers: &HeaderMap, own: Own<'_>) -> Result<(), String> {
    let mut told = headers.get_all(ORIGIN).iter();
    let Some(origin) = told.next() else { return Ok(()) };
    let shown = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    let legal = origin.to_str().is_ok_and(|origin| {
        own.origins.iter().any(|allowed| allowed.allows(origin)) || is_own(origin, headers, own)
    });
    if legal && told.next().is_none() { Ok(()) } else { Err(shown) }
}

/// Whether a page comes from the host and port that it asks for. In plaintext anybody's name can be made to lead to this
/// machine (DNS rebinding), so there the host must be known to be ours.
fn is_own(origin: &str, headers: &HeaderMap, own: Own<'_>) -> bool {
    let Ok(origin) = origin.parse::<WebOrigin>() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = origin.host();
    let is_known = own.encrypted
        || name == "localhost"
        || name.parse::<IpAddr>().is_ok()
        || own.names.iter().any(|own| own == name);
    is_known && host.is_some_and(|host| origin.is_at(host))
}

/// Whom a proxy speaks for: the last address of `X-Forwarded-For` that is no trusted proxy's. `None` where there is none
/// that makes sense.
pub(super) fn forwarded_for(headers: &HeaderMap, trusted: &[AddressRange]) -> Option<IpAddr> {
    let hops: Vec<&str> = listed(headers, &FORWARDED_FOR).collect();
    let mut client = None;
    for hop in hops.into_iter().rev() {
        let address = hop.parse::<IpAddr>().ok()?.to_canonical();
        client = Some(address);
        if !trusted.iter().any(|trusted| trusted.contains(address)) {
            break;
        }
    }
    client
}

/// Whether a proxy says that its client came over TLS.
pub(super) fn forwarded_secure(headers: &HeaderMap) -> bool {
    listed(headers, &FORWARDED_PROTO).last().is_some_and(|scheme| scheme == "https" || scheme == "wss")
}

/// The values of a header that is a list, over all of its lines.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    // What is no text makes the list end there.
    lines.map_while(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_clients_order_decides_between_subprotocols() {
        let choose = |pairs: &[(&'static str, &str)]| Protocol::choose(&headers(pairs));
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[("sec-websocket-protocol", "irc, chat")]), None);
        let both = "irc,binary.ircv3.net , text.ircv3.net";
        assert_eq!(choose(&[("sec-websocket-protocol", both)]), Some(Protocol::Binary));
        let lines =
            [("sec-websocket-protocol", "text.ircv3.net"), ("sec-websocket-protocol", "binary.ircv3.net")];
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name, value.parse().unwrap());
        }
        assert_eq!(Protocol::choose(&map), Some(Protocol::Text));
    }

    #[test]
    fn pages_from_elsewhere_are_refused_and_programs_are_not() {
        let names = ["chat.example".to_owned()];
        let check = |encrypted, listed: &[&str], pairs: &[(&'static str, &str)]| {
            let origins: Vec<AllowedOrigin> = listed.iter().map(|origin| origin.parse().unwrap()).collect();
            check_origin(&headers(pairs), Own { origins: &origins, names: &names, encrypted }).is_ok()
        };
        assert!(check(false, &[], &[("host", "anything")]), "no browser");
        assert!(check(true, &[], &[("host", "own.example:8097"), ("origin", "https://own.example:8097")]));
        assert!(!check(true, &[], &[("host", "own.example:8097"), ("origin", "https://own.example")]));
        assert!(!check(true, &[], &[("host", "own.example"), ("origin", "https://evil.example")]));
        assert!(!check(true, &[], &[("host", "own.example"), ("origin", "null")]));
        assert!(!check(true, &[], &[("origin", "https://own.example")]));
        let elsewhere = [("host", "own.example"), ("origin", "https://pages.example")];
        assert!(check(true, &["https://pages.example"], &elsewhere) && check(true, &["*"], &elsewhere));
        // In plaintext the name may have been made to lead here.
        assert!(!check(false, &[], &[("host", "evil.example:8067"), ("origin", "http://evil.example:8067")]));
        for own in ["chat.example:8067", "127.0.0.1:8067", "localhost:8067", "[::1]:8067"] {
            let origin = format!("http://{own}");
            assert!(check(false, &[], &[("host", own), ("origin", &origin)]), "{own}");
        }
    }

    #[test]
    fn two_origins_are_one_too_many() {
        let mut map = HeaderMap::new();
        for origin in ["https://good.example", "https://evil.example"] {
            map.append(ORIGIN, origin.parse().unwrap());
        }
        let origins = ["https://good.example".parse().unwrap()];
        assert!(check_origin(&map, Own { origins: &origins, names: &[], encrypted: true }).is_err());
    }

    #[test]
    fn the_last_address_that_is_no_proxys_is_the_clients() {
        let trusted: Vec<AddressRange> =
            ["10.0.0.0/8", "127.0.0.1"].map(|range| range.parse().unwrap()).into();
        let client = |told: &str| forwarded_for(&headers(&[("x-forwarded-for", told)]), &trusted);
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(client("192.0.2.1"), ip("192.0.2.1"));
        assert_eq!(
            client("6.6.6.6, 192.0.2.1, 10.0.0.2"),
            ip("192.0.2.1"),
            "what the client wrote is not believed"
        );
        assert_eq!(client("2001:db8::1,10.1.1.1"), ip("2001:db8::1"));
        assert_eq!(client("::ffff:192.0.2.1"), ip("192.0.2.1"));
        assert_eq!(client("10.0.0.1"), ip("10.0.0.1"), "a client in the proxies' own network");
        for wrong in ["", "unknown", "192.0.2.1, unknown", "192.0.2.1, unknown, 10.0.0.1"] {
            assert_eq!(client(wrong), None, "{wrong}");
        }
        assert_eq!(forwarded_for(&HeaderMap::new(), &trusted), None);
    }
}
