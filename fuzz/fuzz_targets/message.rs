//! A line that parses can be built again and means the same; built lines hold no second line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stentor_proto::{Line, Message};

fuzz_target!(|text: &str| {
    let built = Line::new(text).source(text).tag("label", text).param(text).trailing(text).build();
    assert!(!built.contains(['\r', '\n', '\0']));
    assert_eq!(Message::parse(&built).expect("what is built parses").params().len(), 2);

    let Ok(message) = Message::parse(text) else { return };
    let mut line = Line::new(message.command);
    if let Some(source) = message.source {
        line = line.source(source);
    }
    for (key, value) in message.tags {
        line = line.tag(key, value);
    }
    let (last, middle) = match message.params().split_last() {
        Some((last, middle)) => (Some(last), middle),
        None => (None, &[][..]),
    };
    for param in middle {
        line = line.param(param);
    }
    if let Some(last) = last {
        line = line.trailing(last);
    }
    let again = line.build();
    let again = Message::parse(&again).expect("what is built parses");
    assert_eq!(again.command, message.command);
    assert_eq!(again.params(), message.params());
    assert_eq!(again.source.unwrap_or_default(), message.source.unwrap_or_default());
});
