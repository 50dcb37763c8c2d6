//! Globs agree with a slow matcher that is plainly right; a mask's full form is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stentor_proto::Mask;
use stentor_proto::mask::glob_matches;

fuzz_target!(|input: (&str, &str)| {
    let (pattern, text) = input;
    if pattern.len() <= 64 && text.len() <= 64 {
        assert_eq!(glob_matches(pattern, text), slowly(pattern, text));
    }
    if let Ok(mask) = Mask::parse(pattern) {
        let again = Mask::parse(mask.as_str()).expect("a full form is a mask");
        assert_eq!(again.as_str(), mask.as_str());
        assert_eq!(mask.matches(text), glob_matches(mask.as_str(), text));
        assert!(mask.matches(&mask.as_str().replace(['*', '?'], "x")));
    }
});

/// Which beginnings of the text each beginning of the pattern matches, one character of the pattern after another.
fn slowly(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for wanted in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        for end in 0..=text.len() {
            next[end] = match wanted {
                '*' => reached[..=end].contains(&true),
                _ if end == 0 => false,
                '?' => reached[end - 1],
                _ => reached[end - 1] && wanted.eq_ignore_ascii_case(&text[end - 1]),
            };
        }
        reached = next;
    }
    reached[text.len()]
}
