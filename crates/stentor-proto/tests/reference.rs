//! Facts of the IRC and IRCv3 specifications that other implementations agree on, the odd ones above all.

use std::collections::BTreeMap;

use stentor_proto::mask::glob_matches;
use stentor_proto::{Line, Message};

/// What a line should come apart into.
struct Parts {
    tags: &'static [(&'static str, &'static str)],
    source: Option<&'static str>,
    command: &'static str,
    params: &'static [&'static str],
}

const fn plain(command: &'static str, params: &'static [&'static str]) -> Parts {
    Parts { tags: &[], source: None, command, params }
}

const fn sourced(source: &'static str, command: &'static str, params: &'static [&'static str]) -> Parts {
    Parts { tags: &[], source: Some(source), command, params }
}

const fn tagged(tags: &'static [(&'static str, &'static str)], command: &'static str) -> Parts {
    Parts { tags, source: None, command, params: &[] }
}

#[track_caller]
fn check(line: &str, parts: &Parts) {
    let message = Message::parse(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let tags: BTreeMap<_, _> = message.tags.iter().map(|(key, value)| (key, value.into_owned())).collect();
    let wanted: BTreeMap<_, _> = parts.tags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    assert_eq!(tags, wanted, "tags of {line:?}");
    assert_eq!(message.source, parts.source, "source of {line:?}");
    assert_eq!(message.command, parts.command, "command of {line:?}");
    assert_eq!(message.params(), parts.params, "parameters of {line:?}");
}

#[test]
fn the_last_parameter_may_hold_spaces_colons_or_nothing() {
    check("cmd one two three", &plain("cmd", &["one", "two", "three"]));
    check("cmd one :two three", &plain("cmd", &["one", "two three"]));
    check("cmd one :", &plain("cmd", &["one", ""]));
    check("cmd one ::three", &plain("cmd", &["one", ":three"]));
    check(":ann cmd one :  two three ", &sourced("ann", "cmd", &["one", "  two three "]));
    check(":ann cmd one :  ", &sourced("ann", "cmd", &["one", "  "]));
    check(":ann PRIVMSG bob :hey :) ", &sourced("ann", "PRIVMSG", &["bob", "hey :) "]));
    check(":ann JOIN #room", &sourced("ann", "JOIN", &["#room"]));
    check(":ann JOIN :#room", &sourced("ann", "JOIN", &["#room"]));
}

#[test]
fn spaces_at_the_end_are_no_parameter() {
    check(":ann AWAY", &sourced("ann", "AWAY", &[]));
    check(":ann AWAY ", &sourced("ann", "AWAY", &[]));
    check(":ann AWAY :", &sourced("ann", "AWAY", &[""]));
    check(":host MODE #room +n ", &sourced("host", "MODE", &["#room", "+n"]));
    check(":host MODE #room +o bob  ", &sourced("host", "MODE", &["#room", "+o", "bob"]));
    check("CMD", &plain("CMD", &[]));
}

#[test]
fn runs_of_spaces_separate_like_one() {
    check(
        ":host 432  #bad :Erroneous Nickname: no",
        &sourced("host", "432", &["#bad", "Erroneous Nickname: no"]),
    );
    check("  cmd   one   :two", &plain("cmd", &["one", "two"]));
    check("@a=1   :ann   cmd", &Parts { tags: &[("a", "1")], ..sourced("ann", "cmd", &[]) });
}

#[test]
fn only_a_space_separates() {
    check(":an\tn cmd o\tne", &sourced("an\tn", "cmd", &["o\tne"]));
    check(
        ":ann!~a@n\u{2}et\u{3}05w\u{f}ork PRIVMSG bob :hi there",
        &sourced("ann!~a@n\u{2}et\u{3}05w\u{f}ork", "PRIVMSG", &["bob", "hi there"]),
    );
}

#[test]
fn modes_are_parameters_like_others() {
    check(":op MODE #room :+i", &sourced("op", "MODE", &["#room", "+i"]));
    check(":op MODE #room +oo ann :bob", &sourced("op", "MODE", &["#room", "+oo", "ann", "bob"]));
}

#[test]
fn a_missing_tag_value_and_an_empty_one_are_the_same() {
    check("@a=b;c=32;k;rt=ql7 cmd", &tagged(&[("a", "b"), ("c", "32"), ("k", ""), ("rt", "ql7")], "cmd"));
    check(
        "@c;h=;a=b :src cmd one",
        &Parts { tags: &[("c", ""), ("h", ""), ("a", "b")], ..sourced("src", "cmd", &["one"]) },
    );
}

#[test]
fn tag_values_are_unescaped_one_character_after_another() {
    check(
        r"@a=b\\and\nk;c=72\s45;d=gh\:764 cmd",
        &tagged(&[("a", "b\\and\nk"), ("c", "72 45"), ("d", "gh;764")], "cmd"),
    );
    check(r"@a=\\\\\:\\s\s\r\n cmd", &tagged(&[("a", "\\\\;\\s \r\n")], "cmd"));
    check(r"@a=value\\ntest cmd", &tagged(&[("a", r"value\ntest")], "cmd"));
    check(r"@a=value\1 cmd", &tagged(&[("a", "value1")], "cmd"));
    check(r"@a=value\ cmd", &tagged(&[("a", "value")], "cmd"));
}

#[test]
fn the_last_of_equal_tags_counts_and_vendors_keep_them_apart() {
    check(
        "@one=1;two=3;three=4;one=5;vendor/two=8 cmd",
        &tagged(&[("one", "5"), ("two", "3"), ("three", "4"), ("vendor/two", "8")], "cmd"),
    );
    check(
        "@one=v1;two;v1.org/three=v2;v2/four= :irc.example.com cmd p1 :p2 p2",
        &Parts {
            tags: &[("one", "v1"), ("two", ""), ("v1.org/three", "v2"), ("v2/four", "")],
            ..sourced("irc.example.com", "cmd", &["p1", "p2 p2"])
        },
    );
}

#[test]
fn lines_are_written_in_a_standard_form() {
    let line = |params: &[&str], last: &str| {
        let line = params.iter().fold(Line::new("cmd").source("ann"), Line::param);
        line.trailing(last).build()
    };
    assert_eq!(line(&["one"], "two three"), ":ann cmd one :two three");
    assert_eq!(line(&["one"], ""), ":ann cmd one :");
    assert_eq!(line(&["o\tne"], "  "), ":ann cmd o\tne :  ");
    assert_eq!(line(&[], ":two"), ":ann cmd ::two");
    assert_eq!(Line::new("AWAY").source("ann").build(), ":ann AWAY");
    assert_eq!(Line::new("cmd").source("ann").tag("a", "").build(), "@a :ann cmd");
    assert_eq!(
        Line::new("cmd").tag("a", "b\\and\nk").tag("d", "gh;764").param("one").build(),
        r"@a=b\\and\nk;d=gh\:764 cmd one"
    );
    assert_eq!(Line::new("cmd").tag("a", "\\\\;\\s \r\n").build(), r"@a=\\\\\:\\s\s\r\n cmd");
}

#[test]
fn globs_match_like_elsewhere() {
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("*@127.0.0.1", &["ann!ab@127.0.0.1", "bob3!~bc@127.0.0.1"], &["ann!ab@127.0.0.5", "x!~d@124.0.0.1"]),
        ("ann*@*", &["anne!ab@127.0.0.1", "ann132!ab@example.com"], &["bnn!ab@127.0.0.5", "an!~d@124.0.0.1"]),
        (
            "ann!*@*",
            &["ann!ab@127.0.0.1", "ann!~b@example.com"],
            &["anne!ab@127.0.0.1", "bnn!ab@example.com"],
        ),
        ("ann!?name@*", &["ann!aname@127.0.0.1", "ann!~name@127.0.0.1"], &["ann!name@127.0.0.1"]),
        ("ann!a?*@*", &["ann!ab@127.0.0.1", "ann!abc@127.0.0.1"], &["ann!a@127.0.0.1"]),
        (
            "ann[x]!*@*",
            &["ann[x]!y@127.0.0.1", "ann[x]!a@example.com"],
            &["annx!ab@h", "ann[!ac@h", "ann!a@h"],
        ),
    ];
    for (pattern, matching, others) in cases {
        for text in matching {
            assert!(glob_matches(pattern, text), "{pattern} should match {text}");
        }
        for text in others {
            assert!(!glob_matches(pattern, text), "{pattern} should not match {text}");
        }
    }
}
