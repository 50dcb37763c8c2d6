//! What single texts must look like. Each rule says what is wrong; what is allowed stands in the table of keys.

use std::net::IpAddr;

use stentor_proto::mode::ModeClass;
use stentor_proto::tag::is_valid_key;

use super::address::{AddressRange, Listen, RedisUrl};
use super::role::{Host, Privilege};
use super::web_origin::AllowedOrigin;
use crate::account::{Fingerprint, PasswordHash};
use crate::modes;

pub(super) fn listener(text: &str) -> Result<(), String> {
    text.parse::<Listen>().map(drop)
}

pub(super) fn redis_url(text: &str) -> Result<(), String> {
    text.parse::<RedisUrl>().map(drop)
}

pub(super) fn address_range(text: &str) -> Result<(), String> {
    text.parse::<AddressRange>().map(drop)
}

pub(super) fn fingerprint(text: &str) -> Result<(), String> {
    text.parse::<Fingerprint>().map(drop).map_err(|error| error.to_string())
}

pub(super) fn origin(text: &str) -> Result<(), String> {
    text.parse::<AllowedOrigin>().map(drop)
}

pub(super) fn privilege(text: &str) -> Result<(), String> {
    text.parse::<Privilege>().map(drop)
}

pub(super) fn host(text: &str) -> Result<(), String> {
    text.parse::<Host>().map(drop)
}

pub(super) fn bcrypt_hash(text: &str) -> Result<(), String> {
    PasswordHash::parse(text).map(drop).map_err(|error| error.to_string())
}

/// The name of an operator, as it stands in `[operators.NAME]` and in OPER.
pub(super) fn operator_name(text: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if (1..=32).contains(&text.len()) && text.bytes().all(legal) {
        Ok(())
    } else {
        Err("an operator's name has 1 to 32 small letters, digits, `_` or `-`".to_owned())
    }
}

pub(super) fn network_name(text: &str) -> Result<(), String> {
    word(text, 32, "._-")
}

/// The address of a picture: it stands in one token of reply 005.
pub(super) fn icon(text: &str) -> Result<(), String> {
    if text.len() > ICON_BYTES {
        return Err(format!("it has {} bytes", text.len()));
    }
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err("it is no such URL".to_owned()),
    }
}

/// One item of the token CLIENTTAGDENY.
pub(super) fn denied_tag(text: &str) -> Result<(), String> {
    let name = text.strip_prefix('-').unwrap_or(text);
    if text == "*" || is_valid_key(name) && !name.starts_with('+') {
        return Ok(());
    }
    Err("it is no name of a tag".to_owned())
}

/// No nick has a dot, so no user is taken for the server.
pub(super) fn server_name(text: &str) -> Result<(), String> {
    word(text, 63, "._-")?;
    if text.contains('.') { Ok(()) } else { Err("it has no `.`, so it could be a nick".to_owned()) }
}

/// Node names stand in log entries beside `@`, `#` and spaces, so they hold none.
pub(super) fn node_name(text: &str) -> Result<(), String> {
    word(text, 63, ".:_-[]")
}

pub(super) fn user_name(text: &str) -> Result<(), String> {
    let odd = text.chars().find(|c| c.is_whitespace() || c.is_control());
    odd.map_or(Ok(()), |c| Err(format!("it contains {c:?}")))
}

pub(super) fn file(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("it contains a NUL".to_owned()) } else { Ok(()) }
}

pub(super) fn message_of_the_day(text: &str) -> Result<(), String> {
    if text.len() > MOTD_BYTES {
        return Err(format!("it has {} bytes", text.len()));
    }
    if text.contains('\0') { Err("it contains a NUL".to_owned()) } else { Ok(()) }
}

pub(super) fn channel_modes(text: &str) -> Result<(), String> {
    text.chars()
        .find(|letter| modes::class(*letter) != Some(ModeClass::Flag))
        .map_or(Ok(()), |odd| Err(format!("`{odd}` is not one")))
}

pub(super) fn user_modes(text: &str) -> Result<(), String> {
    text.chars()
        .find(|letter| !modes::is_for_everybody(*letter))
        .map_or(Ok(()), |odd| Err(format!("`{odd}` is not one")))
}

/// A name that a certificate can be for: a host's name, with `*` as its first label or not, or an address.
pub(super) fn certificate_name(text: &str) -> Result<(), String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() <= 253 && name.split('.').all(label) && !numeric {
        Ok(())
    } else {
        Err("it is neither a host name nor an IP address".to_owned())
    }
}

/// The name of a role, as it stands in `[roles.NAME]`.
pub(super) fn role_name(text: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if text == "admin" {
        Err("`admin` is built in, with every privilege".to_owned())
    } else if (1..=32).contains(&text.len()) && text.bytes().all(legal) {
        Ok(())
    } else {
        Err("a role's name has 1 to 32 small letters, digits, `_` or `-`".to_owned())
    }
}

fn word(text: &str, most: usize, extra: &str) -> Result<(), String> {
    if let Some(odd) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !extra.contains(*c)) {
        return Err(format!("it contains {odd:?}"));
    }
    if (1..=most).contains(&text.len()) { Ok(()) } else { Err(format!("it has {} characters", text.len())) }
}

/// The longest URL of the network's picture.
const ICON_BYTES: usize = 300;
/// The longest message of the day.
pub(crate) const MOTD_BYTES: usize = 16 << 10;
