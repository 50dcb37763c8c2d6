//! WebSocket frames (RFC 6455, section 5): a client's as they arrive, and ours.
//!
//! Nothing is collected here: the bytes of a message are passed on as they come, to a reader of lines that keeps no more
//! of them than a line may have.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::utf8::Utf8;

/// Takes a client's frames apart, however they are cut into pieces. Of a message it keeps nothing, of a control frame at
/// most 125 bytes.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    /// The beginning of the next frame's header.
    head: [u8; LONGEST_HEADER],
    held: usize,
    frame: Option<Frame>,
    message: Option<Message>,
    control: Vec<u8>,
    fruitless: u32,
}

/// The frame whose payload is arriving.
#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    /// How many bytes have come.
    position: usize,
    /// How many bytes are still to come.
    left: usize,
}

/// The message whose frames are arriving.
#[derive(Debug)]
struct Message {
    kind: Kind,
    /// How many bytes its frames so far have.
    length: usize,
    utf8: Utf8,
}

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// Nothing that is complete; all has been taken.
    More,
    /// A piece of a message, which may be empty.
    Piece { kind: Kind, bytes: &'a [u8], ends: bool },
    /// A ping with its payload, which a pong has to repeat.
    Ping(Vec<u8>),
    /// A pong; nothing has to be done.
    Pong,
    /// The client ends the connection; with the code that answers its own.
    Close(CloseCode),
}

/// Why a connection cannot go on: the code and the reason that the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: CloseCode,
    pub(super) reason: &'static str,
}

impl FrameReader {
    /// Takes what comes next out of `input`, and returns it with the rest of the input. To be called until there is
    /// [`Event::More`] alone. After a violation the reader is of no use.
    pub(super) fn take<'a>(&mut self, input: &'a mut [u8]) -> Result<(Event<'a>, &'a mut [u8]), Violation> {
        let (mut frame, input) = match self.frame.take() {
            Some(frame) => (frame, input),
            None => match self.take_header(input)? {
                (Some(frame), rest) => (frame, rest),
                (None, rest) => return Ok((Event::More, rest)),
            },
        };
        let count = frame.left.min(input.len());
        if count == 0 && frame.left > 0 {
            self.frame = Some(frame);
            return Ok((Event::More, input));
        }
        let (bytes, rest) = input.split_at_mut(count);
        for byte in bytes.iter_mut() {
            *byte ^= frame.mask[frame.position % 4];
            frame.position += 1;
        }
        frame.left -= count;
        let event = match frame.opcode {
            OpCode::Control(control) => self.take_control(control, bytes, frame.left == 0)?,
            OpCode::Data(_) => self.take_data(bytes, frame.left == 0, frame.is_final)?,
        };
        if frame.left > 0 {
            self.frame = Some(frame);
        }
        Ok((event, rest))
    }

    /// How many frames have come since the last call that were no message with something in it: each costs the client
    /// little, and they can be without end.
    pub(super) fn take_fruitless(&mut self) -> u32 {
        std::mem::take(&mut self.fruitless)
    }

    /// Takes the rest of a header; no frame where there is not all of it.
    fn take_header<'a>(&mut self, input: &'a mut [u8]) -> Result<(Option<Frame>, &'a mut [u8]), Violation> {
        let mut used = 0;
        while let Some(byte) = input.get(used) {
            used += 1;
            let Some(place) = self.head.get_mut(self.held) else { return Err(NO_FRAME) };
            *place = *byte;
            self.held += 1;
            let head = self.head.get(..self.held).unwrap_or_default();
            if let Some((header, length)) =
                FrameHeader::parse(&mut Cursor::new(head)).map_err(|_| NO_FRAME)?
            {
                self.held = 0;
                let frame = self.judge(&header, length)?;
                return Ok((Some(frame), input.split_at_mut(used).1));
            }
        }
        Ok((None, input.split_at_mut(used).1))
    }

    /// Decides by its header alone whether a frame is taken.
    fn judge(&mut self, header: &FrameHeader, length: u64) -> Result<Frame, Violation> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(RESERVED);
        }
        let mask = header.mask.ok_or(UNMASKED)?;
        let left = usize::try_from(length).ok().filter(|length| *length <= LONGEST_MESSAGE).ok_or(TOO_BIG)?;
        match (header.opcode, &mut self.message) {
            (OpCode::Control(_), _) if header.is_final && left <= LONGEST_CONTROL => {}
            (OpCode::Control(_), _) => return Err(BAD_CONTROL),
            (OpCode::Data(Data::Continue), Some(message)) => {
                message.length += left;
                if message.length > LONGEST_MESSAGE {
                    return Err(TOO_BIG);
                }
            }
            (OpCode::Data(Data::Text), none @ None) => *none = Some(Message::new(Kind::Text, left)),
            (OpCode::Data(Data::Binary), none @ None) => *none = Some(Message::new(Kind::Binary, left)),
            (OpCode::Data(_), _) => return Err(OUT_OF_ORDER),
        }
        Ok(Frame { opcode: header.opcode, is_final: header.is_final, mask, position: 0, left })
    }

    fn take_data<'a>(
        &mut self,
        bytes: &'a [u8],
        is_over: bool,
        is_final: bool,
    ) -> Result<Event<'a>, Violation> {
        let message = self.message.as_mut().expect("a frame is judged before its payload is taken");
        let ends = is_over && is_final;
        if message.kind == Kind::Text && !(message.utf8.take(bytes) && (!ends || message.utf8.is_whole())) {
            return Err(NOT_UTF8);
        }
        let kind = message.kind;
        if is_over && (!is_final || message.length == 0) {
            self.fruitless = self.fruitless.saturating_add(1);
        }
        if ends {
            self.message = None;
        }
        Ok(Event::Piece { kind, bytes, ends })
    }

    fn take_control<'a>(
        &mut self,
        control: Control,
        bytes: &[u8],
        is_over: bool,
    ) -> Result<Event<'a>, Violation> {
        self.control.extend_from_slice(bytes);
        if !is_over {
            return Ok(Event::More);
        }
        self.fruitless = self.fruitless.saturating_add(1);
        let payload = std::mem::take(&mut self.control);
        match control {
            Control::Ping => Ok(Event::Ping(payload)),
            Control::Pong => Ok(Event::Pong),
            Control::Close => close(&payload).map(Event::Close),
            Control::Reserved(_) => Err(NO_FRAME),
        }
    }
}

impl Message {
    fn new(kind: Kind, length: usize) -> Self {
        Self { kind, length, utf8: Utf8::default() }
    }
}

/// The code that answers a close frame.
fn close(payload: &[u8]) -> Result<CloseCode, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(CloseCode::Normal) } else { Err(BAD_CLOSE) };
    };
    let code = CloseCode::from(u16::from_be_bytes(*code));
    if !code.is_allowed() {
        return Err(BAD_CLOSE);
    }
    std::str::from_utf8(reason).map(|_| code).map_err(|_| NOT_UTF8)
}

/// Adds a frame that is a whole message.
pub(super) fn put_message(out: &mut Vec<u8>, kind: Kind, bytes: &[u8]) {
    let data = match kind {
        Kind::Text => Data::Text,
        Kind::Binary => Data::Binary,
    };
    put(out, OpCode::Data(data), bytes);
}

/// Adds the answer to a ping.
pub(super) fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    put(out, OpCode::Control(Control::Pong), payload);
}

/// Adds the last frame of a connection. A reason that is too long is cut.
pub(super) fn put_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let reason = stentor_proto::text::truncate_utf8(reason, LONGEST_CONTROL - 2);
    let mut payload = u16::from(code).to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    put(out, OpCode::Control(Control::Close), &payload);
}

fn put(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(payload.len() as u64, out).expect("a vector takes bytes");
    out.extend_from_slice(payload);
}

const fn violation(code: CloseCode, reason: &'static str) -> Violation {
    Violation { code, reason }
}

const NO_FRAME: Violation = violation(CloseCode::Protocol, "This is no WebSocket frame");
const RESERVED: Violation =
    violation(CloseCode::Protocol, "A reserved bit is set, and no extension was agreed on");
const UNMASKED: Violation = violation(CloseCode::Protocol, "A client's frames are masked");
const BAD_CONTROL: Violation =
    violation(CloseCode::Protocol, "A control frame is not fragmented and has at most 125 bytes");
const OUT_OF_ORDER: Violation = violation(
    CloseCode::Protocol,
    "A message begins before the last one has ended, or goes on before it has begun",
);
const BAD_CLOSE: Violation = violation(CloseCode::Protocol, "The close frame makes no sense");
const NOT_UTF8: Violation = violation(CloseCode::Invalid, "A text message is not UTF-8");
const TOO_BIG: Violation = violation(CloseCode::Size, "A message has one line, and this one is far too long");

/// As many bytes as any header has.
const LONGEST_HEADER: usize = 14;
/// As much as a control frame may carry.
const LONGEST_CONTROL: usize = 125;
/// How many bytes a message may have before the connection ends. One that is longer than a line may be, and not that
/// long, is dropped as it arrives, and answered with 417.
pub(crate) const LONGEST_MESSAGE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ ..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// What a reader makes of bytes that come in pieces of this size: each message as text with its kind, and the rest.
    fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Option<Violation>) {
        let mut reader = FrameReader::default();
        let (mut seen, mut message) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let mut rest = piece.as_mut_slice();
            loop {
                let (event, left) = match reader.take(rest) {
                    Ok(taken) => taken,
                    Err(violation) => return (seen, Some(violation)),
                };
                rest = left;
                match event {
                    Event::More if rest.is_empty() => break,
                    Event::More => {}
                    Event::Piece { kind, bytes, ends } => {
                        message.extend_from_slice(bytes);
                        if ends {
                            let text = String::from_utf8_lossy(&std::mem::take(&mut message)).into_owned();
                            seen.push(format!("{kind:?} {text}"));
                        }
                    }
                    other => seen.push(format!("{other:?}")),
                }
            }
        }
        (seen, None)
    }

    #[test]
    fn messages_arrive_whole_however_they_are_cut() {
        let long = "x".repeat(1000);
        let bytes = [
            frame(0x81, "PING é".as_bytes()),
            frame(0x02, b"one "),
            frame(0x89, b"hey"),
            frame(0x00, b""),
            frame(0x80, b"\xff"),
            frame(0x8a, b""),
            frame(0x81, b""),
            frame(0x81, long.as_bytes()),
            frame(0x88, &[0x03, 0xe9, b'b']),
        ]
        .concat();
        let wanted = [
            "Text PING é".to_owned(),
            "Ping([104, 101, 121])".to_owned(),
            "Binary one \u{fffd}".to_owned(),
            "Pong".to_owned(),
            "Text ".to_owned(),
            format!("Text {long}"),
            "Close(Away)".to_owned(),
        ];
        for piece in 1..40 {
            assert_eq!(read(&bytes, piece), (wanted.to_vec(), None), "in pieces of {piece}");
        }
    }

    #[test]
    fn what_breaks_the_rules_ends_the_connection_with_a_code() {
        let cases = [
            (vec![0x81, 0x01, b'x'], UNMASKED),
            (frame(0xc1, b"x"), RESERVED),
            (frame(0x83, b"x"), NO_FRAME),
            (frame(0x80, b"x"), OUT_OF_ORDER),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), OUT_OF_ORDER),
            (frame(0x09, b"x"), BAD_CONTROL),
            (frame(0x89, &[0; 126]), BAD_CONTROL),
            (frame(0x88, &[3]), BAD_CLOSE),
            (frame(0x88, &[3, 0xee]), BAD_CLOSE),
            (frame(0x81, b"\xff"), NOT_UTF8),
            (frame(0x81, "é".get(..1).unwrap_or("\u{e9}").as_bytes().get(..1).unwrap()), NOT_UTF8),
            ([frame(0x01, &[0xc3]), frame(0x80, &[0x28])].concat(), NOT_UTF8),
            (vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], TOO_BIG),
            (vec![0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], TOO_BIG),
            ([frame(0x02, &[0; 40_000]), frame(0x80, &[0; 40_000])].concat(), TOO_BIG),
        ];
        for (number, (bytes, wanted)) in cases.into_iter().enumerate() {
            for piece in [1, 3, 70_000] {
                assert_eq!(read(&bytes, piece).1, Some(wanted), "case {number}");
            }
        }
    }

    #[test]
    fn a_text_message_may_split_a_letter_between_its_frames() {
        let bytes = [frame(0x01, &[0xc3]), frame(0x80, &[0xa9])].concat();
        assert_eq!(read(&bytes, 1).0, ["Text é"]);
    }

    #[test]
    fn frames_that_bring_nothing_are_counted() {
        let mut reader = FrameReader::default();
        let mut bytes =
            [frame(0x89, b"x"), frame(0x01, b""), frame(0x80, b""), frame(0x81, b"NICK a")].concat();
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            rest = reader.take(rest).unwrap().1;
        }
        let _ = reader.take(&mut []).unwrap();
        assert_eq!(reader.take_fruitless(), 3);
        assert_eq!(reader.take_fruitless(), 0);
    }

    #[test]
    fn a_reason_is_cut_to_what_a_close_frame_holds() {
        let mut out = Vec::new();
        put_close(&mut out, CloseCode::Policy, &"é".repeat(100));
        assert_eq!(out.len(), 2 + 2 + 122);
        assert_eq!(out.get(..4), Some(&[0x88, 124, 0x03, 0xf0][..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
            let _ = read(&bytes, piece);
        }
    }
}
