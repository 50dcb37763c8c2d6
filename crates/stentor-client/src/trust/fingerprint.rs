//! A certificate's fingerprint.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate's DER form.
///
/// It is read from 64 hexadecimal digits in small letters or capitals, with or without colons between pairs, and with or
/// without `SHA256:` before them. `Display` shows capitals with colons, as `stentor serve` and
/// `openssl x509 -fingerprint -sha256` do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFingerprint;

impl Fingerprint {
    /// The fingerprint of a certificate, DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// 64 hexadecimal digits in small letters.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let digits = match text.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => {
                text.get(PREFIX.len()..).unwrap_or_default()
            }
            _ => text,
        };
        let mut bytes = [0; 32];
        let mut rest = digits;
        for (index, byte) in bytes.iter_mut().enumerate() {
            if index > 0 {
                rest = rest.strip_prefix(':').unwrap_or(rest);
            }
            let pair = rest.get(..2).filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(pair.ok_or(BadFingerprint)?, 16).map_err(|_| BadFingerprint)?;
            rest = rest.get(2..).unwrap_or_default();
        }
        if rest.is_empty() { Ok(Self(bytes)) } else { Err(BadFingerprint) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Display for BadFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("allowed: a SHA-256 fingerprint, which is 64 hexadecimal digits, with or without colons")
    }
}

impl std::error::Error for BadFingerprint {}

const PREFIX: &str = "SHA256:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_usual_ways_to_write_it_mean_the_same() {
        let fingerprint = Fingerprint::of(b"certificate");
        for text in [
            fingerprint.hex(),
            fingerprint.to_string(),
            fingerprint.hex().to_uppercase(),
            format!("sha256:{fingerprint}"),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let hex = Fingerprint::of(b"certificate").hex();
        for text in
            ["", "sha256:", "é", &hex[1..], &format!("{hex}0"), &format!(":{hex}"), &format!("{hex}:")]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(BadFingerprint), "{text}");
        }
        assert_eq!(format!("+{}", &hex[1..]).parse::<Fingerprint>(), Err(BadFingerprint));
    }
}
