//! SCRAM-SHA-256 (RFC 5802, RFC 7677): a login that shows neither side's secret to the other.
//!
//! This is the server's part as values and functions: it takes messages and gives messages, and knows no socket, store or
//! clock. [`Verifier`] is what an account keeps; [`ClientFirst`], [`Challenge`] and [`Proof`] are an exchange.
//!
//! Channel binding is not offered: IRCv3 lists `SCRAM-SHA-256` alone. So the client says `n` (it has none) or `y` (it has,
//! and knows that the server does not offer it); `p` is refused.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Password;
use crate::random;

/// What an account keeps to judge a proof: neither the password nor what a client would need to log in. `Debug` prints
/// nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: [u8; SALT],
    stored_key: Key,
    server_key: Key,
}

type Key = [u8; digest::SHA256_OUTPUT_LEN];

impl Verifier {
    /// A verifier of `password` with a salt of its own. Takes long, on purpose: call it on a thread that may block.
    #[must_use]
    pub fn of(password: &Password, iterations: NonZeroU32) -> Self {
        Self::with_salt(password.reveal(), random::bytes(), iterations)
    }

    fn with_salt(password: &str, salt: [u8; SALT], iterations: NonZeroU32) -> Self {
        // What SASLprep refuses is taken as it is, as clients and other servers do.
        let prepared = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
        let mut salted = Key::default();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, prepared.as_bytes(), &mut salted);
        let client_key = mac(&salted, b"Client Key");
        Self { iterations, salt, stored_key: hash(&client_key), server_key: mac(&salted, b"Server Key") }
    }

    /// What stands in for a verifier where there is none: no proof fits it, and it looks the same each time that the same
    /// name is asked for. `secret` is the network's own.
    #[must_use]
    pub fn decoy(secret: &[u8], folded: &str, iterations: NonZeroU32) -> Self {
        let mut salt = [0; SALT];
        salt.copy_from_slice(&mac(secret, format!("stentor scram decoy\0{folded}").as_bytes())[..SALT]);
        Self { iterations, salt, stored_key: random::bytes(), server_key: random::bytes() }
    }

    /// Reads what [`Verifier::to_text`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (iterations, rest) = text.strip_prefix(MECHANISM)?.strip_prefix('$')?.split_once(':')?;
        let (salt, keys) = rest.split_once('$')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: decode(salt)?,
            stored_key: decode(stored_key)?,
            server_key: decode(server_key)?,
        })
    }

    /// The text form, for the store alone: `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key[..], &self.server_key[..]].map(|bytes| STANDARD.encode(bytes));
        format!("{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }

    /// How often the password is hashed: the work of a login, and of each guess at what the store holds.
    #[must_use]
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} iterations)", self.iterations)
    }
}

/// The client's first message: who it wants to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFirst {
    /// The header before the message proper, which the last message repeats.
    header: String,
    /// The message proper.
    bare: String,
    /// The account.
    pub name: String,
    nonce: String,
}

impl ClientFirst {
    /// Reads `n,[a=<authorization>],n=<name>,r=<nonce>`.
    ///
    /// # Errors
    /// [`ScramError::Malformed`], [`ScramError::ChannelBinding`], and [`ScramError::Authorization`] where the client wants
    /// to act as another account than it logs in to.
    pub fn parse(message: &str) -> Result<Self, ScramError> {
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(authorization), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ScramError::Malformed);
        };
        match flag {
            "n" | "y" => {}
            flag if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
            _ => return Err(ScramError::Malformed),
        }
        // What comes before the name (`m=`) would have to be understood; what comes after the nonce need not be.
        let mut attributes = bare.split(',');
        let name = attributes.next().and_then(|one| one.strip_prefix("n=")).and_then(unescape);
        let nonce = attributes.next().and_then(|one| one.strip_prefix("r=")).filter(|nonce| is_nonce(nonce));
        let (Some(name), Some(nonce)) = (name, nonce) else { return Err(ScramError::Malformed) };
        if name.is_empty() {
            return Err(ScramError::Malformed);
        }
        if !authorization.is_empty() {
            let wanted = authorization.strip_prefix("a=").and_then(unescape).ok_or(ScramError::Malformed)?;
            if !wanted.eq_ignore_ascii_case(&name) {
                return Err(ScramError::Authorization);
            }
        }
        let (header, nonce) = (format!("{flag},{authorization},"), nonce.to_owned());
        Ok(Self { header, bare: bare.to_owned(), name, nonce })
    }
}

/// A challenge that waits for its proof. It is good for one.
#[derive(Clone, Debug)]
pub struct Challenge {
    first: ClientFirst,
    verifier: Verifier,
    nonce: String,
}

impl Challenge {
    /// Challenges a client with a nonce of its own.
    #[must_use]
    pub fn new(first: ClientFirst, verifier: Verifier) -> Self {
        Self::with_nonce(first, verifier, &random::text(NONCE))
    }

    fn with_nonce(first: ClientFirst, verifier: Verifier, nonce: &str) -> Self {
        let nonce = format!("{}{nonce}", first.nonce);
        Self { first, verifier, nonce }
    }

    /// The account that the client wants to be.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.first.name
    }

    /// The server's first message: `r=<both nonces>,s=<salt>,i=<iterations>`.
    #[must_use]
    pub fn message(&self) -> String {
        format!("r={},s={},i={}", self.nonce, STANDARD.encode(self.verifier.salt), self.verifier.iterations)
    }

    /// Judges the client's last message, `c=<header>,r=<both nonces>,p=<proof>`.
    ///
    /// # Errors
    /// [`ScramError::Malformed`], [`ScramError::ChannelBinding`] where the header was changed on the way, and
    /// [`ScramError::Proof`].
    pub fn judge(&self, message: &str) -> Result<Proof, ScramError> {
        let (unproved, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = unproved.split(',');
        let header = attributes.next().and_then(|one| one.strip_prefix("c=")).ok_or(ScramError::Malformed)?;
        let nonce = attributes.next().and_then(|one| one.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
        let proof: Key = decode(proof).ok_or(ScramError::Malformed)?;
        if STANDARD.decode(header).ok().as_deref() != Some(self.first.header.as_bytes()) {
            return Err(ScramError::ChannelBinding);
        }
        if verify_slices_are_equal(nonce.as_bytes(), self.nonce.as_bytes()).is_err() {
            return Err(ScramError::Malformed);
        }
        let signed = format!("{},{},{unproved}", self.first.bare, self.message());
        let signature = mac(&self.verifier.stored_key, signed.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        if verify_slices_are_equal(&hash(&client_key), &self.verifier.stored_key).is_err() {
            return Err(ScramError::Proof);
        }
        let message = format!("v={}", STANDARD.encode(mac(&self.verifier.server_key, signed.as_bytes())));
        Ok(Proof { message })
    }
}

/// That the client knows the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The server's last message, `v=<signature>`: that the server knows the verifier.
    pub message: String,
}

/// Why an exchange ended. None of these tells whether there is such an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramError {
    /// A message is not what the mechanism asks for.
    Malformed,
    /// The client wants to bind the login to its channel, which is not offered.
    ChannelBinding,
    /// The client wants to act as another account.
    Authorization,
    /// The proof is wrong.
    Proof,
}

impl fmt::Display for ScramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "that is no message of SCRAM-SHA-256",
            Self::ChannelBinding => "channel binding is not offered",
            Self::Authorization => "nobody can act as another account",
            Self::Proof => "the account or the password is wrong",
        })
    }
}

impl std::error::Error for ScramError {}

fn mac(key: &[u8], data: &[u8]) -> Key {
    let mut tag = Key::default();
    tag.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref());
    tag
}

fn hash(data: &[u8]) -> Key {
    let mut out = Key::default();
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// A name in which `,` and `=` are written `=2C` and `=3D`.
fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match part.get(..2)? {
            "2C" => (',', part.get(2..)?),
            "3D" => ('=', part.get(2..)?),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

/// Printable ASCII without a comma.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// The mechanism's name.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The fewest iterations that RFC 7677 allows.
pub const ITERATIONS_MIN: u32 = 4096;
/// As many as a login may reasonably cost.
pub const ITERATIONS_MAX: u32 = 10_000_000;

const SALT: usize = 16;
/// Letters of the server's nonce: 160 bits.
const NONCE: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FEW: NonZeroU32 = NonZeroU32::new(8).unwrap();

    /// The client's part, written from the RFC, without the values that the server computes.
    fn client_final(password: &str, first_bare: &str, header: &str, challenge: &str) -> (String, String) {
        let attribute = |sign: &str| {
            challenge
                .split(',')
                .find_map(|one| one.strip_prefix(sign))
                .expect("a challenge has it")
                .to_owned()
        };
        let salt = STANDARD.decode(attribute("s=")).unwrap();
        let iterations = attribute("i=").parse().unwrap();
        let prepared = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
        let mut salted = Key::default();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, prepared.as_bytes(), &mut salted);
        let client_key = mac(&salted, b"Client Key");
        let unproved = format!("c={},r={}", STANDARD.encode(header), attribute("r="));
        let signed = format!("{first_bare},{challenge},{unproved}");
        let signature = mac(&hash(&client_key), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server = STANDARD.encode(mac(&mac(&salted, b"Server Key"), signed.as_bytes()));
        (format!("{unproved},p={}", STANDARD.encode(proof)), format!("v={server}"))
    }

    #[test]
    fn the_exchange_of_rfc_7677_comes_out_as_printed() {
        let first = ClientFirst::parse("n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.name, "user");
        let salt = decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::with_salt("pencil", salt, NonZeroU32::new(4096).unwrap());
        let challenge = Challenge::with_nonce(first, verifier, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        assert_eq!(
            challenge.message(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let proof = challenge.judge(last).unwrap();
        assert_eq!(proof.message, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn what_begins_no_exchange_is_refused() {
        use ScramError::{Authorization, ChannelBinding, Malformed};
        for (message, why) in [
            ("p=tls-exporter,,n=user,r=abc", ChannelBinding),
            ("n,a=other,n=user,r=abc", Authorization),
            ("", Malformed),
            ("n,,", Malformed),
            ("x,,n=user,r=abc", Malformed),
            ("n,,n=user", Malformed),
            ("n,,n=user,r=", Malformed),
            ("n,,n=,r=abc", Malformed),
            ("n,,r=abc,n=user", Malformed),
            ("n,,m=ext,n=user,r=abc", Malformed),
            ("n,,n=us=er,r=abc", Malformed),
            ("n,,n=us=2,r=abc", Malformed),
            ("n,,n=user,r=a\u{e9}", Malformed),
            ("n,user,n=user,r=abc", Malformed),
        ] {
            assert_eq!(ClientFirst::parse(message).err(), Some(why), "{message:?}");
        }
        assert_eq!(ClientFirst::parse("y,a=USER,n=user,r=abc,x=1").unwrap().name, "user");
        assert_eq!(ClientFirst::parse("n,,n=a=2Cb=3Dc,r=abc").unwrap().name, "a,b=c");
    }

    #[test]
    fn a_header_or_nonce_that_was_changed_on_the_way_is_noticed() {
        let verifier = Verifier::with_salt("pencil", [7; SALT], FEW);
        let bare = "n=user,r=abc";
        let challenge = Challenge::new(ClientFirst::parse(&format!("n,,{bare}")).unwrap(), verifier);
        let said = |header: &str, challenge: &str| client_final("pencil", bare, header, challenge).0;
        assert!(challenge.judge(&said("n,,", &challenge.message())).is_ok());
        assert_eq!(
            challenge.judge(&said("y,,", &challenge.message())),
            Err(ScramError::ChannelBinding),
            "somebody hid that the server has no channel binding, or that the client has one"
        );
        let other = challenge.message().replacen("r=abc", "r=abd", 1);
        assert_eq!(challenge.judge(&said("n,,", &other)), Err(ScramError::Malformed));
        for broken in ["", "c=biws", "c=biws,r=abc,p=", "c=biws,r=abc,p=AAAA", "p=AAAA,c=biws"] {
            assert_eq!(challenge.judge(broken), Err(ScramError::Malformed), "{broken:?}");
        }
    }

    #[test]
    fn a_decoy_looks_the_same_each_time_and_no_proof_fits_it() {
        let ask = |secret: &[u8], name: &str| {
            let first = ClientFirst::parse(&format!("n,,n={name},r=abc")).unwrap();
            Challenge::with_nonce(first, Verifier::decoy(secret, name, FEW), "fixed")
        };
        let nobody = ask(b"secret", "nobody");
        assert_eq!(nobody.message(), ask(b"secret", "nobody").message());
        assert_ne!(nobody.message(), ask(b"secret", "noone").message());
        assert_ne!(nobody.message(), ask(b"other", "nobody").message());
        let (last, _) = client_final("password", "n=nobody,r=abc", "n,,", &nobody.message());
        assert_eq!(nobody.judge(&last), Err(ScramError::Proof));
    }

    #[test]
    fn a_password_is_prepared_as_rfc_4013_says() {
        let verifier = |password: &str| Verifier::with_salt(password, [1; SALT], FEW);
        assert!(verifier("I\u{ad}X") == verifier("IX"), "a soft hyphen is nothing");
        assert!(verifier("\u{2168}") == verifier("IX"), "compatibility characters are normalised");
        assert!(verifier("a\u{7}") != verifier("a"), "what is forbidden is taken as it is");
    }

    #[test]
    fn debug_prints_no_secret() {
        let verifier = Verifier::with_salt("pencil", [1; SALT], FEW);
        assert_eq!(format!("{verifier:?}"), "Verifier(8 iterations)");
    }

    proptest! {
        #[test]
        fn the_password_alone_is_a_proof(
            password in "\\PC{1,30}", other in "\\PC{1,30}", name in "[a-z]{1,9}", header in "(n|y),(a=)?,",
        ) {
            let verifier = Verifier::with_salt(&password, [3; SALT], FEW);
            let (header, bare) = (header.replace("a=", &format!("a={name}")), format!("n={name},r=nonce"));
            let first = ClientFirst::parse(&format!("{header}{bare}")).unwrap();
            let challenge = Challenge::new(first, verifier.clone());
            let (last, signature) = client_final(&password, &bare, &header, &challenge.message());
            prop_assert_eq!(challenge.judge(&last), Ok(Proof { message: signature }));
            let (wrong, _) = client_final(&other, &bare, &header, &challenge.message());
            if Verifier::with_salt(&other, [3; SALT], FEW) != verifier {
                prop_assert_eq!(challenge.judge(&wrong), Err(ScramError::Proof));
            }
        }

        #[test]
        fn a_verifier_reads_back_from_its_text(password in "\\PC{1,30}", iterations in 1_u32..50) {
            let password = Password::new(password).unwrap();
            let verifier = Verifier::of(&password, NonZeroU32::new(iterations).unwrap());
            prop_assert_eq!(Verifier::parse(&verifier.to_text()), Some(verifier));
        }

        #[test]
        fn no_text_breaks_it(first in "\\PC*", last in "\\PC*", stored in "\\PC*") {
            let _ = (ClientFirst::parse(&first), Verifier::parse(&stored));
            let plain = ClientFirst::parse("n,,n=user,r=abc").unwrap();
            let challenge = Challenge::new(plain, Verifier::decoy(b"", "user", FEW));
            prop_assert!(challenge.judge(&last).is_err());
        }
    }
}
