//! `stentor reference`: every setting, number and limit that a user can meet, as a page in Markdown.
//!
//! `docs/reference.md` is this page. All of it comes from where the program itself takes it: the table of keys, the table
//! of commands, the tables of limits, the command line. With `--modes` it is `docs/modes.md`.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use stentor_proto::capability::Capability;
use stentor_proto::limit;
use stentor_server::command::{self, When};
use stentor_server::config::named::NAMED;
use stentor_server::config::{Config, KEYS, Key, Reload, VARIABLE_PREFIX};
use stentor_server::modes;

use crate::cli::{Cli, ReferenceArgs};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &ReferenceArgs) -> Result<(), Failure> {
    if args.modes {
        return Ok(Output::new().text(&modes::page())?);
    }
    let page = [
        INTRODUCTION.to_owned(),
        configuration(),
        environment(),
        commands(),
        protocol()?,
        fixed_limits(),
        command_line(),
    ];
    Ok(Output::new().text(&page.join("\n"))?)
}

fn configuration() -> String {
    let mut text = section(
        "Configuration",
        "In TOML, in the order in which `stentor config default` prints them. A key such as `accounts.probe` is `probe` \
         in the table `[accounts]`. Lengths are in bytes.",
    );
    let row = |key: &Key| {
        let effect = match key.reload {
            Reload::Live => "SIGHUP",
            Reload::Restart => "restart",
        };
        vec![code(key.name), code(key.default), key.kind.allowed(), effect.to_owned(), key.doc.to_owned()]
    };
    let rows = KEYS.iter().chain(NAMED).map(row);
    text += &table(&["Key", "Default", "Allowed", "Takes effect", "Meaning"], rows);
    text
}

fn environment() -> String {
    let key = KEYS.iter().find(|key| key.name.contains('.')).expect("there are tables");
    let variable = format!("{VARIABLE_PREFIX}{}", key.name.replace('.', "__").to_uppercase());
    let keys = format!(
        "Each key of the configuration: `{}` is {}. Lists are separated by commas.",
        key.name,
        code(&variable)
    );
    let settings = vec![code(&format!("{VARIABLE_PREFIX}…")), keys];
    let others = VARIABLES.iter().map(|(name, meaning)| vec![code(name), (*meaning).to_owned()]);
    section("Environment", "A variable overrides the file, and a flag overrides both.")
        + &table(&["Variable", "Meaning"], [settings].into_iter().chain(others))
}

fn commands() -> String {
    let row = |command: &command::Command| {
        let when = match command.when {
            When::Always => "always",
            When::Registered => "after the welcome",
            When::Registering => "before the welcome",
        };
        let (usage, meaning) = command.help;
        vec![
            code(usage),
            command.params.to_string(),
            when.to_owned(),
            command.cost.to_string(),
            meaning.to_owned(),
        ]
    };
    section(
        "Commands of clients",
        "Costs are in lines of `limits.lines_per_second` and `limits.burst`; what further targets cost is among the \
         limits below. With fewer parameters than it needs, a command is answered with `461`.",
    ) + &table(&["Command", "Needs", "May be sent", "Costs", "Does"], command::TABLE.iter().map(row))
}

fn protocol() -> Result<String, Failure> {
    let names: Vec<String> = Capability::ALL.into_iter().map(|known| code(known.name())).collect();
    let tokens = command::isupport(&Config::from_text("")?).lines(usize::MAX).join(" ");
    let rows = tokens.split(' ').map(|token| {
        let (key, value) = token.split_once('=').unwrap_or((token, ""));
        vec![code(key), code(value)]
    });
    Ok(section("Capabilities", &format!("{}.", names.join(", ")))
        + "\n"
        + &section("Tokens of reply 005", "Their values where no key of the configuration is set.")
        + &table(&["Token", "Value"], rows))
}

fn fixed_limits() -> String {
    let mut text = section("Fixed limits", "No setting moves these.");
    for part in tables() {
        let row = |row: &limit::Limit| vec![row.name.to_owned(), row.amount.to_string(), row.doc.to_owned()];
        let _ = writeln!(text, "\n### {}", part.title);
        text += &table(&["Limit", "Value", "Meaning"], part.rows.iter().map(row));
    }
    text
}

/// The limits of all crates.
fn tables() -> impl Iterator<Item = &'static limit::Table> {
    let proto = [&stentor_proto::limits::TABLE].into_iter();
    proto.chain(stentor_server::limits::tables()).chain([&stentor_client::screen::limits::TABLE])
}

fn command_line() -> String {
    let mut text =
        section("Command line", "What `--help` prints. The exit codes are at the end of the first.");
    let mut root = Cli::command().disable_help_subcommand(true).term_width(HELP_WIDTH);
    root.build();
    let mut waiting = vec![root];
    while let Some(command) = waiting.pop() {
        let children: Vec<clap::Command> = command.get_subcommands().cloned().collect();
        waiting.extend(children.into_iter().rev());
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
        let help = command.term_width(HELP_WIDTH).render_long_help().to_string();
        let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        let _ = writeln!(text, "\n### `{name}`\n\n```text\n{}\n```", help.join("\n"));
    }
    text
}

fn section(title: &str, introduction: &str) -> String {
    format!("## {title}\n\n{introduction}\n")
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        text += &line(&row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>());
    }
    text
}

/// Text as it is typed; nothing where there is none.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

const INTRODUCTION: &str = "\
# Reference

Every setting, number and limit of Stentor that its users and operators can meet. `stentor reference` prints this page;
it is made from the program itself, so do not edit it: run `cargo xtask reference`.
";

/// How wide the pages of help are, whatever the terminal.
const HELP_WIDTH: usize = 100;

/// Variables besides those of the configuration's keys.
const VARIABLES: &[(&str, &str)] = &[
    ("NO_COLOR", "Set to anything, it switches colours off. There are none without a terminal."),
    ("TERM", "`dumb` switches colours off."),
    (
        "XDG_DATA_HOME",
        "Where `data.dir` is by default, as `stentor` below it; not for root, and not on macOS.",
    ),
    ("HOME", "Where that is not set, `data.dir` is by default `.local/share/stentor` below it."),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "Authorities to trust for `rediss://` instead of the system's, without `redis.ca_file`.",
    ),
];
