//! Values survive escaping; each key comes once, and as the last one written.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use stentor_proto::Tags;
use stentor_proto::tag::{escape_value, is_valid_key, unescape_value};

fuzz_target!(|text: &str| {
    let escaped = escape_value(text);
    assert!(!escaped.contains([' ', ';', '\r', '\n', '\0']));
    assert_eq!(unescape_value(&escaped), text.replace('\0', ""));

    let tags = Tags::new(text);
    let mut seen = HashSet::new();
    for (key, value) in tags.iter() {
        assert!(is_valid_key(key));
        assert!(seen.insert(key), "{key} comes twice");
        assert_eq!(tags.get(key), Some(value));
    }
});
