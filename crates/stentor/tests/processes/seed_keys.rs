//! The lines of `ARCHITECTURE.md` that look into Redis, run as they stand there.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use crate::fleet::Fleet;

const ARCHITECTURE: &str = include_str!("../../../../ARCHITECTURE.md");

/// The questions of the section, each with the line of shell that answers it.
fn lines() -> BTreeMap<&'static str, &'static str> {
    let section = ARCHITECTURE.split("\n## ").find(|section| section.starts_with("The seed's keys\n"));
    let section = section.expect("ARCHITECTURE.md has the section");
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut lines = block.expect("the section has lines of shell").lines();
    let mut all = BTreeMap::new();
    while let (Some(question), Some(line)) = (lines.next(), lines.next()) {
        all.insert(question.trim_start_matches("# "), line);
    }
    all
}

/// What a line of shell prints, by lines, with a `redis-cli` that asks this server.
fn answer(port: u16, line: &str) -> BTreeSet<String> {
    let script =
        format!("set -eu -o pipefail; redis-cli() {{ command redis-cli -e -p {port} \"$@\"; }}; {line}");
    let output = Command::new("bash").args(["--norc", "-c", &script]).stdin(Stdio::null()).output();
    let output = output.expect("bash is installed");
    assert!(output.status.success(), "{line}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_lines_that_look_into_redis_answer_the_seeds_four_questions() {
    let fleet = Fleet::start(&["ann".into(), "bob".into(), "carol".into()]);
    let (mut ann, mut bob) = (fleet.on_one("ann"), fleet.on_two("bob"));
    ann.send("JOIN #lobby,#cooks");
    ann.drain();
    bob.send("JOIN #lobby");
    bob.drain();
    bob.send("SUBSCRIBE ann");
    bob.drain();

    let lines = lines();
    for (question, expected) in [
        ("Who is online? Each session's nick and account:", ["ann ann", "bob bob"].as_slice()),
        ("Where is ann? Her rooms:", &["#cooks", "#lobby"]),
        ("Who is in #lobby? Their nicks:", &["ann", "bob"]),
        ("Who follows ann? Their accounts:", &["bob"]),
    ] {
        let line = lines.get(question).unwrap_or_else(|| panic!("{question} is not among {lines:?}"));
        let expected = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(answer(fleet.redis.port(), line), expected, "{question} {line}");
    }
    assert_eq!(lines.len(), 4, "a line is not tested: {lines:?}");
}
