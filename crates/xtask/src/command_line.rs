//! The subcommands and their help.

use crate::irctest;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Test,
    Format,
    Lint,
    Document,
    Deny,
    Reference,
    Readme,
    /// Runs these targets (all where none is named), each for so many seconds (to no end where not said).
    Fuzz {
        targets: Vec<String>,
        seconds: Option<u64>,
    },
    Irctest(irctest::Options),
}

/// Reads the arguments that follow `cargo xtask`.
///
/// # Errors
/// What is wrong, in a sentence.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err("a subcommand is needed".to_owned());
    };
    let command = match name.as_str() {
        "help" | "--help" | "-h" => Command::Help,
        "test" => Command::Test,
        "fmt" => Command::Format,
        "lint" => Command::Lint,
        "doc" => Command::Document,
        "deny" => Command::Deny,
        "reference" => Command::Reference,
        "readme" => Command::Readme,
        "fuzz" => return parse_fuzz(rest),
        "irctest" => return irctest::Options::parse(rest).map(Command::Irctest),
        other => return Err(format!("there is no subcommand `{other}`")),
    };
    match rest.first() {
        None => Ok(command),
        Some(extra) => Err(format!("`{name}` takes no arguments, but there is `{extra}`")),
    }
}

fn parse_fuzz(arguments: &[String]) -> Result<Command, String> {
    let mut targets = Vec::new();
    let mut seconds = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = rest.next().ok_or("`--seconds` needs a number")?;
                seconds = Some(parse_seconds(number)?);
            }
            flag if flag.starts_with('-') => return Err(format!("`fuzz` has no flag `{flag}`")),
            target => targets.push(target.to_owned()),
        }
    }
    Ok(Command::Fuzz { targets, seconds })
}

fn parse_seconds(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(seconds),
        _ => Err(format!("`--seconds` needs a number of at least 1, not `{text}`")),
    }
}

pub(crate) const HELP: &str = "\
Usage: cargo xtask COMMAND

  test                           everything that CI runs; ends with `N passed, N failed`
  fmt                            formats the code
  lint                           checks the formatting, and runs clippy; a warning is an error
  doc                            builds the documentation; a warning is an error
  deny                           checks licences, banned crates and sources by deny.toml
  reference                      writes docs/reference.md anew, from what the program says
  readme                         follows the README's steps as they are written, on a copy of the tree; takes long
  fuzz [TARGET]... [--seconds N] runs fuzz targets, each for N seconds; without N, the first runs until stopped
  irctest --suite DIR [--fleet] [--release] [--python PROGRAM] [-- PYTEST...]
                                 runs the public conformance suite; tests/irctest/README.md tells more";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn subcommands_are_understood() {
        assert_eq!(parsed("test"), Ok(Command::Test));
        assert_eq!(parsed("--help"), Ok(Command::Help));
        assert_eq!(parsed("reference"), Ok(Command::Reference));
        assert_eq!(parsed("fuzz"), Ok(Command::Fuzz { targets: Vec::new(), seconds: None }));
        assert_eq!(
            parsed("fuzz tags --seconds 20 mask"),
            Ok(Command::Fuzz { targets: vec!["tags".to_owned(), "mask".to_owned()], seconds: Some(20) })
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in
            ["", "tset", "test now", "fuzz --seconds", "fuzz --seconds 0", "fuzz --seconds ten", "fuzz -x"]
        {
            assert!(parsed(line).is_err(), "{line:?} is taken");
        }
    }
}
