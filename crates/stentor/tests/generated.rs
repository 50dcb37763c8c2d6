//! What is generated from the command line: manual pages, completions of shells, and the reference.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the binary, and returns what it printed.
fn stentor(arguments: &[&str]) -> String {
    printed(Command::new(env!("CARGO_BIN_EXE_stentor")).args(arguments))
}

fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("the program is there");
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

/// The subcommands that a help names.
fn subcommands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != "help").collect()
}

/// Every command, as the words that call it, with its help.
fn commands() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![Vec::<String>::new()];
    while let Some(words) = waiting.pop() {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = stentor(&arguments);
        for name in subcommands(&help) {
            waiting.push(words.iter().map(String::as_str).chain([name]).map(str::to_owned).collect());
        }
        found.push((words, help));
    }
    found
}

/// The long flags that a help explains.
fn flags(help: &str) -> BTreeSet<String> {
    let explained = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags = explained.flat_map(|line| line.split([' ', ','])).filter(|word| word.starts_with("--"));
    flags.map(str::to_owned).collect()
}

#[test]
fn each_command_has_a_manual_page_that_holds_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("man1");
    assert_eq!(stentor(&["man", "--out", out.to_str().unwrap()]), "");
    let commands = commands();
    for words in ["serve", "account add", "invite revoke", "cert make", "config check"] {
        assert!(commands.iter().any(|(known, _)| known.join(" ") == words), "{words}: no such command");
    }
    for (words, help) in &commands {
        let name = [&["stentor".to_owned()], words.as_slice()].concat().join("-");
        let page = fs::read_to_string(out.join(format!("{name}.1"))).expect(&name);
        let page = page.replace("\\-", "-");
        assert!(page.contains(&format!(".TH {name} 1 ")), "{name}: {page}");
        for flag in flags(help) {
            assert!(page.contains(&flag), "{name}.1 does not tell of {flag}");
        }
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), commands.len(), "there are pages of what is no command");
    assert_eq!(stentor(&["man"]), fs::read_to_string(out.join("stentor.1")).unwrap());
}

#[test]
fn the_manual_tells_the_exit_codes_line_by_line() {
    let page = stentor(&["man"]);
    assert!(page.lines().any(|line| line.trim_start().starts_with("5  a listener")), "{page}");
}

#[test]
fn pages_that_cannot_be_written_are_a_failure() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_stentor")).args(["man", "--out", "/proc/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("cannot write the manual pages to /proc/nowhere")
    );
}

/// What bash offers after `line`, by the script that the binary prints.
fn completed(script: &Path, line: &str) -> Vec<String> {
    // The last word is the one under the cursor; bash passes the command, that word, and the one before it.
    let ask = r#"
        set -u
        source "$1"
        read -r -a COMP_WORDS <<< "$2"
        [[ "$2" == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )) COMP_LINE=$2 COMP_POINT=${#2} COMPREPLY=()
        call=$(complete -p stentor) && [[ "$call" =~ -F\ ([^ ]+) ]]
        "${BASH_REMATCH[1]}" stentor "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || true
        printf '%s\n' "${COMPREPLY[@]-}"
    "#;
    let mut bash = Command::new("bash");
    let offered = printed(bash.args(["--norc", "-c", ask, "bash"]).arg(script).arg(line));
    offered.lines().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("stentor.bash");
    fs::write(&script, stentor(&["completions", "bash"])).unwrap();
    printed(Command::new("bash").arg("-n").arg(&script));

    assert_eq!(completed(&script, "stentor ser"), ["serve"]);
    assert_eq!(completed(&script, "stentor account pass"), ["passwd"]);
    assert_eq!(completed(&script, "stentor serve --tls-c"), ["--tls-cert"]);
    assert_eq!(completed(&script, "stentor cert make --key "), ["ecdsa-p256", "rsa-2048"]);
    assert_eq!(completed(&script, "stentor completions f"), ["fish"]);
    let all = completed(&script, "stentor ");
    assert!(["invite", "status", "man"].iter().all(|name| all.iter().any(|word| word == name)), "{all:?}");
}

#[test]
fn other_shells_have_scripts_that_name_each_command() {
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = stentor(&["completions", shell]);
        for name in subcommands(&stentor(&["--help"])) {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
}

#[test]
fn the_reference_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    let page = fs::read_to_string(path).expect("docs/reference.md is there");
    assert!(page == stentor(&["reference"]), "docs/reference.md is old: run `cargo xtask reference`");
}
