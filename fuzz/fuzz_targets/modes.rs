//! Changes that are understood can be written and read again, in pieces that fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stentor_proto::ModeClass;
use stentor_proto::mode::{parse_changes, render};

fuzz_target!(|input: (&str, &str, u8)| {
    let (modes, args, max) = input;
    let args: Vec<&str> = args.split(',').collect();
    let results = parse_changes(modes, &args, class);
    assert!(results.len() <= modes.len());
    let changes: Vec<_> = results.into_iter().flatten().collect();

    let mut again = Vec::new();
    for piece in render(&changes, usize::from(max)) {
        let mut words = piece.split(' ');
        let letters = words.next().expect("split gives a first word");
        let args: Vec<&str> = words.collect();
        let read = parse_changes(letters, &args, class);
        assert!(!read.is_empty());
        assert!(piece.len() <= usize::from(max) || read.len() == 1);
        again.extend(read.into_iter().map(|change| change.expect("what is written is understood")));
    }
    // A list that is asked for takes no parameter, so after it the letters and parameters would no longer pair up.
    if !changes.iter().any(|change| class(change.letter) == Some(ModeClass::List) && change.arg.is_none()) {
        assert_eq!(again, changes);
    }
});

fn class(letter: char) -> Option<ModeClass> {
    match letter {
        'b' | 'e' => Some(ModeClass::List),
        'k' => Some(ModeClass::Key),
        'l' => Some(ModeClass::WhenSet),
        'o' | 'v' => Some(ModeClass::Prefix),
        'a'..='z' | 'é' => Some(ModeClass::Flag),
        _ => None,
    }
}
