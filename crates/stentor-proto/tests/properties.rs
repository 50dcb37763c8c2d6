//! What holds for any input.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use stentor_proto::mask::glob_matches;
use stentor_proto::mode::{parse_changes, render};
use stentor_proto::text::{MAX_CONTENT, pack, truncate_utf8};
use stentor_proto::{
    Casemapping, ChannelName, Isupport, Line, LineError, LineReader, Mask, Message, ModeChange, ModeClass,
    Nick, isupport, tag,
};

/// Text that is likely to hold what matters to a parser.
fn text() -> impl Strategy<Value = String> {
    vec(prop_oneof![3 => "[ :;@=\\\\\r\n\0,#*?!+a-cA-C-]", 1 => "\\PC"], 0..40)
        .prop_map(|parts| parts.concat())
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9#+*@!~é][a-zA-Z0-9:#,;=\\\\é☃-]{0,12}"
}

fn key() -> impl Strategy<Value = String> {
    "\\+?([a-z0-9.-]{1,6}/)?[a-zA-Z0-9-]{1,6}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![4 => Just(b'a'), 2 => Just(b'\n'), 1 => Just(b'\r'), 1 => Just(b'@'), 1 => Just(b' '), 1 => any::<u8>()],
        0..400,
    )
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(
        tags in vec((key(), text()), 0..20),
        source in proptest::option::of(word()),
        command in "[A-Z]{1,8}|[0-9]{3}",
        params in vec(word(), 0..20),
        trailing in proptest::option::of("[^\r\n\0]{0,20}"),
    ) {
        let mut line = Line::new(&command);
        for (key, value) in &tags {
            line = line.tag(key, value);
        }
        if let Some(source) = &source {
            line = line.source(source);
        }
        line = params.iter().fold(line, Line::param);
        if let Some(trailing) = &trailing {
            line = line.trailing(trailing);
        }
        let built = line.build();
        let message = Message::parse(&built).expect("what is built parses");
        prop_assert_eq!(message.command, command);
        prop_assert_eq!(message.source, source.as_deref());
        let wanted: Vec<&str> = params.iter().chain(&trailing).map(String::as_str).collect();
        prop_assert_eq!(message.params(), wanted);
        let read: HashMap<_, _> = message.tags.iter().map(|(key, value)| (key.to_owned(), value.into_owned())).collect();
        let wanted: HashMap<_, _> = tags.into_iter().map(|(key, value)| (key, value.replace('\0', ""))).collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn a_built_line_is_one_line_with_its_parts(
        command in text(), source in text(), key in text(), value in text(), param in text(), trailing in text(),
        max in 0..600_usize,
    ) {
        let line = Line::new(command).source(source).tag(&key, &value).raw_tags(&value).param(param).trailing(trailing);
        let built = line.build();
        prop_assert!(!built.contains(['\r', '\n', '\0']));
        prop_assert_eq!(Message::parse(&built).expect("what is built parses").params().len(), 2);
        let shortest = line.clone().trailing("").body_len();
        let tags = built.len() - line.body_len();
        let cut = line.build_within(max);
        prop_assert!(cut.len() - tags <= max.max(shortest));
        prop_assert!(built.starts_with(&cut));
    }

    #[test]
    fn nothing_panics_on_any_text(line in any::<String>(), other in text(), max in 0..40_usize) {
        for text in [&line, &other] {
            if let Ok(message) = Message::parse(text) {
                let _ = message.tags.iter().count();
                let _ = message.tags.get(text);
                let _ = message.param(max);
            }
            let _ = (Nick::parse(text, max), ChannelName::parse(text, max), Mask::parse(text));
            let _ = (tag::unescape_value(text), isupport::unescape_value(text), isupport::Token::parse(text));
            prop_assert!(truncate_utf8(text, max).len() <= max);
        }
    }

    #[test]
    fn tag_values_survive(value in text()) {
        let written = tag::escape_value(&value);
        prop_assert!(!written.contains([' ', ';', '\r', '\n', '\0']));
        prop_assert_eq!(tag::unescape_value(&written), value.replace('\0', ""));
    }

    #[test]
    fn isupport_values_survive(value in text()) {
        let written = isupport::escape_value(&value);
        prop_assert!(!written.contains([' ', '=', '\r', '\n', '\0']));
        prop_assert_eq!(isupport::unescape_value(&written), value.as_str());
    }

    #[test]
    fn isupport_lines_fit_and_lose_nothing(values in vec("[a-z]{0,30}", 0..60), max in 40..400_usize) {
        let tokens = values.iter().enumerate().fold(Isupport::new(), |all, (at, v)| all.set(&format!("K{at}"), v));
        let lines = tokens.lines(max);
        prop_assert!(lines.iter().all(|line| line.len() <= max && line.split(' ').count() <= isupport::MAX_TOKENS));
        let read: Vec<_> = lines.iter().flat_map(|line| line.split(' ')).filter_map(|t| t.split_once('=')).collect();
        prop_assert_eq!(read.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), values);
    }

    #[test]
    fn the_reader_gives_the_same_lines_however_bytes_are_cut(
        bytes in bytes(), cuts in vec(1..40_usize, 1..20), max_tags in 0..30_usize, max_body in 3..30_usize,
    ) {
        let whole = read_all(&bytes, &[bytes.len().max(1)], max_tags, max_body);
        prop_assert_eq!(&whole, &read_all(&bytes, &cuts, max_tags, max_body));
        prop_assert_eq!(&whole, &read_all(&bytes, &[1], max_tags, max_body));
        prop_assert_eq!(whole, read_naively(&bytes, max_tags, max_body));
    }

    #[test]
    fn globs_agree_with_a_naive_matcher(pattern in "[ab*?é]{0,9}", text in "[abABé]{0,9}") {
        let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(glob_matches(&pattern, &text), naive_glob(&p, &t));
    }

    #[test]
    fn a_mask_is_its_own_full_form_and_matches_what_it_was_made_of(text in "[a-c!@*?.:]{1,12}") {
        let mask = Mask::parse(&text).expect("it is short and has no spaces");
        prop_assert_eq!(&mask, &Mask::parse(mask.as_str()).expect("a full form is a mask"));
        prop_assert!(mask.matches(&mask.as_str().replace(['*', '?'], "x").to_uppercase()));
    }

    #[test]
    fn modes_that_are_written_read_the_same(
        changes in vec((any::<bool>(), prop_oneof![Just('b'), Just('k'), Just('l'), Just('o'), Just('n')], word()), 0..30),
        max in 20..200_usize,
    ) {
        let changes: Vec<ModeChange> = changes
            .into_iter()
            .map(|(add, letter, arg)| {
                let bare = letter == 'n' || (letter == 'l' && !add);
                if bare { ModeChange::flag(add, letter) } else { ModeChange::with(add, letter, arg) }
            })
            .collect();
        let mut again = Vec::new();
        for piece in render(&changes, max) {
            let mut words = piece.split(' ');
            let letters = words.next().expect("split gives a first word");
            let args: Vec<&str> = words.collect();
            let read = parse_changes(letters, &args, mode_class);
            prop_assert!(piece.len() <= max || read.len() == 1);
            again.extend(read.into_iter().map(|change| change.expect("what is written is understood")));
        }
        prop_assert_eq!(again, changes);
    }

    #[test]
    fn names_that_fold_alike_are_equal(name in "[A-Za-z\\[\\]{}|_^`\\\\][A-Za-z0-9\\[\\]{}|_^`\\\\-]{0,15}") {
        let nick = Nick::parse(&name, 32).expect("it is legal");
        let other = Nick::parse(&name.to_ascii_uppercase(), 32).expect("it is legal");
        prop_assert_eq!(&nick, &other);
        prop_assert_eq!(nick.folded(), name.to_ascii_lowercase());
        let nicks = HashMap::from([(other, ())]);
        prop_assert!(nicks.contains_key(nick.folded()));
        for mapping in [Casemapping::Ascii, Casemapping::Rfc1459, Casemapping::Rfc1459Strict] {
            let folded = mapping.fold(&name);
            prop_assert_eq!(mapping.fold(&folded), &*folded);
            prop_assert!(mapping.eq(&name, &folded));
        }
    }

    #[test]
    fn packed_items_fit_and_lose_nothing(items in vec("[a-zé]{1,30}", 0..200), prefix in 0..400_usize) {
        let pieces: Vec<String> = pack(prefix, &items, ' ').collect();
        prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() + prefix <= MAX_CONTENT));
        let read: Vec<&str> = pieces.iter().flat_map(|piece| piece.split(' ')).collect();
        prop_assert_eq!(read, items);
    }
}

type Lines = Vec<Result<String, LineError>>;

fn read_all(bytes: &[u8], cuts: &[usize], max_tags: usize, max_body: usize) -> Lines {
    let mut reader = LineReader::new(max_tags, max_body);
    let mut lines = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        reader.feed(piece);
        lines.extend(std::iter::from_fn(|| reader.next_line()));
        assert!(reader.buffered() <= max_tags + max_body, "the reader holds more than its limits");
        reader.release();
        rest = after;
    }
    lines
}

/// The same with all bytes at hand and no limit on memory.
fn read_naively(bytes: &[u8], max_tags: usize, max_body: usize) -> Lines {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    lines.into_iter().filter_map(|line| judge_naively(line, max_tags, max_body)).collect()
}

fn judge_naively(line: &[u8], max_tags: usize, max_body: usize) -> Option<Result<String, LineError>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let has_tags = line.starts_with(b"@");
    let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let tags = if has_tags { space + 1 } else { 0 };
    let line_without_crs = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    if tags > max_tags {
        Some(Err(LineError::TagsTooLong))
    } else if line.len().saturating_sub(tags) > max_body - 2 {
        Some(Err(LineError::TooLong))
    } else if line_without_crs.is_empty() {
        None
    } else if line.contains(&0) {
        Some(Err(LineError::Nul))
    } else if line_without_crs.contains('\r') {
        Some(Err(LineError::BareCr))
    } else {
        Some(str::from_utf8(line).map(|_| line_without_crs).map_err(|_| LineError::InvalidUtf8))
    }
}

fn naive_glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), None) => naive_glob(rest, text),
        (Some(('*', rest)), Some((_, shorter))) => naive_glob(rest, text) || naive_glob(pattern, shorter),
        (Some((wanted, rest)), Some((found, shorter))) => {
            (*wanted == '?' || wanted.eq_ignore_ascii_case(found)) && naive_glob(rest, shorter)
        }
        _ => false,
    }
}

fn mode_class(letter: char) -> Option<ModeClass> {
    match letter {
        'b' => Some(ModeClass::List),
        'k' => Some(ModeClass::Key),
        'l' => Some(ModeClass::WhenSet),
        'o' => Some(ModeClass::Prefix),
        'n' => Some(ModeClass::Flag),
        _ => None,
    }
}
