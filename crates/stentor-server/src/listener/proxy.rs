//! The PROXY protocol, versions 1 and 2: what a proxy sends first, to tell whom it speaks for
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// At least so many more bytes belong to it; never more than really do, so nothing behind the header is read.
    Needs(usize),
    /// It is whole.
    Whole {
        /// How many bytes it has.
        length: usize,
        /// Whom it names.
        source: Source,
    },
}

/// Whom a header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client of the proxy's.
    Client(SocketAddr),
    /// Nobody: the proxy speaks for itself, or for somebody without an IP address.
    Proxy,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// They begin with something else.
    Missing,
    /// They begin like a header, and go on wrongly.
    Malformed,
    /// The header is longer than any that makes sense.
    TooLong,
}

/// Looks at the first bytes of a connection.
///
/// # Errors
/// See [`ProxyError`].
pub fn parse(bytes: &[u8]) -> Result<Progress, ProxyError> {
    let start = bytes.get(..SIGNATURE.len()).unwrap_or(bytes);
    if start == SIGNATURE {
        version_2(bytes)
    } else if bytes.starts_with(PREFIX) {
        version_1(bytes)
    } else if SIGNATURE.starts_with(start) || PREFIX.starts_with(start) {
        // A line of version 1 is longer than the signature of version 2, too.
        Ok(Progress::Needs(SIGNATURE.len() - start.len()))
    } else {
        Err(ProxyError::Missing)
    }
}

/// Reads a header, and nothing of what follows it.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] with a [`ProxyError`] where there is none, [`io::ErrorKind::UnexpectedEof`] where the
/// connection ends first.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Source> {
    let mut bytes = Vec::with_capacity(LONGEST_LINE);
    loop {
        let needed = match parse(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
            Progress::Whole { source, .. } => return Ok(source),
            Progress::Needs(needed) => needed,
        };
        let limit = u64::try_from(needed).unwrap_or(u64::MAX);
        if (&mut *stream).take(limit).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 6697` and CR LF.
fn version_1(bytes: &[u8]) -> Result<Progress, ProxyError> {
    let seen = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = seen.windows(2).position(|two| two == b"\r\n") else {
        if seen.contains(&b'\n') {
            return Err(ProxyError::Malformed);
        }
        return match (seen.len(), seen.ends_with(b"\r")) {
            (LONGEST_LINE, _) => Err(ProxyError::TooLong),
            (_, true) => Ok(Progress::Needs(1)),
            (_, false) => Ok(Progress::Needs(2)),
        };
    };
    let line = seen.get(PREFIX.len()..end).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Malformed)?;
    let source = line_source(line).ok_or(ProxyError::Malformed)?;
    Ok(Progress::Whole { length: end + 2, source })
}

fn line_source(line: &str) -> Option<Source> {
    let mut words = line.split(' ');
    let ip: fn(&str) -> Option<IpAddr> = match words.next()? {
        // Whatever follows is to be ignored.
        "UNKNOWN" => return Some(Source::Proxy),
        "TCP4" => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let from = ip(words.next()?)?;
    ip(words.next()?)?;
    let from_port = port(words.next()?)?;
    port(words.next()?)?;
    words.next().is_none().then(|| Source::Client(SocketAddr::new(from, from_port)))
}

fn port(word: &str) -> Option<u16> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

fn version_2(bytes: &[u8]) -> Result<Progress, ProxyError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Progress::Needs(FIXED - bytes.len()));
    };
    let [.., version_and_command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_and_command >> 4 != 2 {
        return Err(ProxyError::Malformed);
    }
    if length > LONGEST_REST {
        return Err(ProxyError::TooLong);
    }
    let Some(rest) = rest.get(..length) else { return Ok(Progress::Needs(length - rest.len())) };
    let source = match (version_and_command & 0xf, family) {
        // The proxy's own: it checks whether we are there.
        (LOCAL, _) => Source::Proxy,
        (PROXY, TCP_OVER_IPV4) => {
            let (from, rest) = rest.split_first_chunk::<4>().ok_or(ProxyError::Malformed)?;
            let (_to, rest) = rest.split_first_chunk::<4>().ok_or(ProxyError::Malformed)?;
            Source::Client(SocketAddr::new(Ipv4Addr::from(*from).into(), first_port(rest)?))
        }
        (PROXY, TCP_OVER_IPV6) => {
            let (from, rest) = rest.split_first_chunk::<16>().ok_or(ProxyError::Malformed)?;
            let (_to, rest) = rest.split_first_chunk::<16>().ok_or(ProxyError::Malformed)?;
            Source::Client(SocketAddr::new(Ipv6Addr::from(*from).into(), first_port(rest)?))
        }
        (PROXY, UNSPECIFIED | UNIX_STREAM) => Source::Proxy,
        _ => return Err(ProxyError::Malformed),
    };
    Ok(Progress::Whole { length: FIXED + length, source })
}

/// The first of two ports, both of which have to be there.
fn first_port(bytes: &[u8]) -> Result<u16, ProxyError> {
    let [high, low, _, _] = *bytes.first_chunk::<4>().ok_or(ProxyError::Malformed)?;
    Ok(u16::from_be_bytes([high, low]))
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no PROXY header",
            Self::Malformed => "the PROXY header makes no sense",
            Self::TooLong => "the PROXY header is too long",
        })
    }
}

impl std::error::Error for ProxyError {}

/// How version 1 begins.
const PREFIX: &[u8] = b"PROXY ";
/// How version 2 begins.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, by its specification.
const LONGEST_LINE: usize = 107;
/// The part of version 2 that has always the same length.
const FIXED: usize = 16;
/// The longest rest of version 2 that is taken: addresses, and what a proxy may add about its own TLS.
const LONGEST_REST: usize = 2048;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Result<Source, ProxyError> {
        match parse(bytes)? {
            Progress::Whole { length, source } => {
                assert_eq!(length, bytes.len());
                Ok(source)
            }
            Progress::Needs(needed) => panic!("{needed} bytes are missing"),
        }
    }

    fn client(text: &str) -> Result<Source, ProxyError> {
        Ok(Source::Client(text.parse().unwrap()))
    }

    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn version_1_names_the_client() {
        assert_eq!(whole(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 6697\r\n"), client("192.0.2.1:56324"));
        assert_eq!(whole(b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), client("[2001:db8::1]:1"));
        assert_eq!(whole(b"PROXY UNKNOWN\r\n"), Ok(Source::Proxy));
        assert_eq!(whole(b"PROXY UNKNOWN ffff::1 what ever\r\n"), Ok(Source::Proxy));
    }

    #[test]
    fn version_1_that_is_wrong_is_refused() {
        for wrong in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 6697 1\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 56324 6697\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 \r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY \r\n",
            "PROXY UNKNOWN\n",
        ] {
            assert_eq!(parse(wrong.as_bytes()), Err(ProxyError::Malformed), "{wrong}");
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(93));
        assert_eq!(parse(long.as_bytes()), Err(ProxyError::TooLong));
    }

    #[test]
    fn version_2_names_the_client() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 0x1a, 0x29];
        assert_eq!(whole(&second(PROXY, TCP_OVER_IPV4, &four)), client("192.0.2.1:56324"));
        let more = [four.as_slice(), &[3, 0, 1, 9]].concat();
        assert_eq!(whole(&second(PROXY, TCP_OVER_IPV4, &more)), client("192.0.2.1:56324"));
        let mut six = [0; 36];
        six[..2].copy_from_slice(&[0x20, 1]);
        six[33] = 7;
        assert_eq!(whole(&second(PROXY, TCP_OVER_IPV6, &six)), client("[2001::]:7"));
        assert_eq!(whole(&second(LOCAL, UNSPECIFIED, &[])), Ok(Source::Proxy));
        assert_eq!(whole(&second(LOCAL, TCP_OVER_IPV4, &four)), Ok(Source::Proxy));
        assert_eq!(whole(&second(PROXY, UNSPECIFIED, &[1, 2, 3])), Ok(Source::Proxy));
        assert_eq!(whole(&second(PROXY, UNIX_STREAM, &[0; 216])), Ok(Source::Proxy));
    }

    #[test]
    fn version_2_that_is_wrong_is_refused() {
        let short = second(PROXY, TCP_OVER_IPV4, &[1; 11]);
        assert_eq!(parse(&short), Err(ProxyError::Malformed));
        assert_eq!(parse(&second(PROXY, TCP_OVER_IPV6, &[1; 35])), Err(ProxyError::Malformed));
        assert_eq!(parse(&second(2, TCP_OVER_IPV4, &[1; 12])), Err(ProxyError::Malformed));
        assert_eq!(parse(&second(PROXY, 0x12, &[1; 12])), Err(ProxyError::Malformed), "UDP");
        assert_eq!(parse(&second(PROXY, UNSPECIFIED, &[0; 2049])), Err(ProxyError::TooLong));
        let mut first = second(PROXY, UNSPECIFIED, &[]);
        first[12] = 0x11;
        assert_eq!(parse(&first), Err(ProxyError::Malformed), "version 1 in binary");
    }

    #[test]
    fn what_is_no_header_is_noticed_at_its_first_wrong_byte() {
        for other in ["NICK a\r\n", "PASS x", "PROXI", "\x16\x03\x01", "\r\n\r\nX", "G"] {
            assert_eq!(parse(other.as_bytes()), Err(ProxyError::Missing), "{other:?}");
        }
        assert_eq!(parse(b""), Ok(Progress::Needs(12)));
        assert_eq!(parse(b"PROX"), Ok(Progress::Needs(8)));
    }

    fn any_header() -> impl Strategy<Value = (Vec<u8>, Source)> {
        let line = any::<(SocketAddr, u16)>().prop_map(|(from, to)| {
            let (kind, here) = if from.is_ipv4() { ("TCP4", "127.0.0.1") } else { ("TCP6", "::1") };
            let line = format!("PROXY {kind} {} {here} {} {to}\r\n", from.ip(), from.port());
            (line.into_bytes(), from)
        });
        let binary =
            (any::<SocketAddr>(), proptest::collection::vec(any::<u8>(), 0..64)).prop_map(|(from, more)| {
                let (family, mut rest) = match from.ip() {
                    IpAddr::V4(ip) => (TCP_OVER_IPV4, [ip.octets(), [127, 0, 0, 1]].concat()),
                    IpAddr::V6(ip) => (TCP_OVER_IPV6, [ip.octets(), [0; 16]].concat()),
                };
                rest.extend(from.port().to_be_bytes());
                rest.extend([0, 1]);
                rest.extend(more);
                (second(PROXY, family, &rest), from)
            });
        prop_oneof![line, binary]
            .prop_map(|(bytes, from)| (bytes, Source::Client(SocketAddr::new(from.ip(), from.port()))))
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_ask_for_nothing(
            prefix in prop_oneof![Just(&b""[..]), Just(PREFIX), Just(SIGNATURE)],
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [prefix, &rest].concat();
            match parse(&bytes) {
                Ok(Progress::Needs(needed)) => prop_assert!(needed > 0 && needed <= LONGEST_REST),
                Ok(Progress::Whole { length, .. }) => prop_assert!(length <= bytes.len()),
                Err(_) => {}
            }
        }

        #[test]
        fn a_header_is_read_to_its_end_and_not_a_byte_further(
            (header, source) in any_header(),
            behind in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let all = [header.as_slice(), &behind].concat();
            let mut read = 0;
            loop {
                match parse(&all[..read]).unwrap() {
                    Progress::Needs(needed) => {
                        read += needed;
                        prop_assert!(read <= header.len());
                    }
                    Progress::Whole { length, source: named } => {
                        prop_assert_eq!((length, read, named), (header.len(), header.len(), source));
                        break;
                    }
                }
            }
        }
    }
}
