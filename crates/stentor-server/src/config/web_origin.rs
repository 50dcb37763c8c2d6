//! Web pages that may connect: what a browser tells of the page that opens a WebSocket
//! (RFC 6454; RFC 6455, section 10.2).

use std::fmt;
use std::str::FromStr;

/// Web pages that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every page.
    Any,
    /// Pages without an origin of their own: local files, and frames in a sandbox.
    Null,
    /// Those of one origin.
    One(WebOrigin),
}

/// Where a web page comes from: `https://chat.example.org`. In small letters, and without the port that its scheme has
/// anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    authority: String,
}

impl AllowedOrigin {
    /// Whether this allows what a browser says in `Origin`.
    #[must_use]
    pub fn allows(&self, told: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Null => told == "null",
            Self::One(origin) => told.parse::<WebOrigin>().is_ok_and(|told| told == *origin),
        }
    }
}

impl WebOrigin {
    /// Whether the page comes from this host and port, as a `Host` header names them.
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        self.authority == without_default_port(&self.scheme, &host.to_ascii_lowercase())
    }

    /// The host without its port: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            "null" => Ok(Self::Null),
            _ => text.parse().map(Self::One),
        }
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, authority) = text.split_once("://").ok_or("there is no scheme, such as `https://`")?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(legal) {
            return Err(format!("`{scheme}` is no scheme"));
        }
        if authority.is_empty() {
            return Err("the host is missing".to_owned());
        }
        if let Some(odd) = authority.chars().find(|c| !c.is_ascii_graphic() || "/?#@\\*".contains(*c)) {
            return Err(format!("{odd:?} stands behind the scheme; an origin has a host and a port alone"));
        }
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let authority = without_default_port(&scheme, &authority).to_owned();
        Ok(Self { scheme, authority })
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &str, told: &str) -> bool {
        allowed.parse::<AllowedOrigin>().unwrap().allows(told)
    }

    #[test]
    fn an_origin_is_itself_and_nothing_else() {
        assert!(allows("https://chat.example", "https://chat.example"));
        assert!(allows("HTTPS://Chat.Example:443", "https://chat.example"));
        assert!(allows("http://localhost:8080", "http://localhost:8080"));
        assert!(allows("capacitor://localhost", "capacitor://localhost"));
        assert!(allows("*", "https://anything") && allows("*", "null") && allows("null", "null"));
        for other in [
            "http://chat.example",
            "https://chat.example:8443",
            "https://chat.example.evil",
            "https://evil-chat.example",
            "https://chat.example/path",
            "null",
            "",
        ] {
            assert!(!allows("https://chat.example", other), "{other}");
        }
        for wrong in
            ["chat.example", "https://", "https://*.example", "https://chat.example/", "://x", "https://a b"]
        {
            assert!(wrong.parse::<AllowedOrigin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_port_of_a_scheme_need_not_be_told() {
        let is_at = |origin: &str, host: &str| origin.parse::<WebOrigin>().unwrap().is_at(host);
        assert!(
            is_at("https://chat.example", "chat.example:443")
                && is_at("https://chat.example", "Chat.Example")
        );
        assert!(is_at("http://[::1]:8067", "[::1]:8067") && is_at("http://127.0.0.1", "127.0.0.1"));
        assert!(!is_at("https://chat.example", "chat.example:8097") && !is_at("https://a", "b"));
        let host = |origin: &str| origin.parse::<WebOrigin>().unwrap().host().to_owned();
        assert_eq!(host("http://[::1]:8067"), "::1");
        assert_eq!(host("http://[::1]"), "::1");
        assert_eq!(host("http://localhost:8067"), "localhost");
        assert_eq!(host("https://chat.example"), "chat.example");
    }
}
