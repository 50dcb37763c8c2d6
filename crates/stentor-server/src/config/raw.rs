//! The layers of settings as they were given, before anything is checked: file, environment, flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{ConfigError, Origin, Problem};
use super::key::{self, Key};

/// One value, and where it was given.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) value: toml::Value,
    pub(super) origin: Origin,
}

/// Values by key; a later layer has replaced what an earlier one said.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) values: BTreeMap<String, Setting>,
    pub(super) problems: Vec<Problem>,
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, or is not TOML. Unknown keys are kept among the problems, so that all are told at once.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| Problem {
            origin: Origin::File(path.to_owned(), 0),
            text: format!("cannot read the configuration: {error}"),
        })?;
        self.add_text(path, &text)
    }

    /// Reads the text of a file that is called `path`.
    pub(super) fn add_text(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let place = |offset: usize| Origin::File(path.to_owned(), line_of(text, offset));
        // Not the error's own display: it quotes the line, which may hold a password.
        let table = DeTable::parse(text).map_err(|error| Problem {
            origin: place(error.span().map_or(0, |span| span.start)),
            text: format!("not valid TOML: {}", error.message()),
        })?;
        self.add_table("", table.into_inner(), &place);
        Ok(())
    }

    fn add_table(&mut self, prefix: &str, table: DeTable<'_>, place: &dyn Fn(usize) -> Origin) {
        for (name, value) in table {
            let origin = place(name.span().start);
            let path =
                if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            let key = Key::find(&path);
            let start = value.span();
            match value.into_inner() {
                DeValue::Table(inner) if key.is_none() && (key::is_section(&path) || !inner.is_empty()) => {
                    self.add_table(&path, inner, place);
                }
                other => {
                    let value = toml::Value::deserialize(ValueDeserializer::from(Spanned::new(start, other)))
                        .unwrap_or_else(|error| toml::Value::String(error.message().to_owned()));
                    match key {
                        Some(_) => self.set(path, value, origin),
                        None => self.unknown(&path, Some(&value), origin),
                    }
                }
            }
        }
    }

    /// Takes every variable whose name begins with `STENTOR_`.
    pub(super) fn add_environment(&mut self, variables: &[(OsString, OsString)]) {
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let origin = Origin::Environment(name.to_owned());
            let path = rest.split("__").map(str::to_ascii_lowercase).collect::<Vec<_>>().join(".");
            match (Key::find(&path), value.to_str()) {
                (None, _) => self.unknown(&path, None, origin),
                (Some(_), None) => self.problems.push(Problem { origin, text: "it is not UTF-8".to_owned() }),
                (Some(key), Some(value)) => self.set(path, key.kind.parse_text(value), origin),
            }
        }
    }

    /// Takes a flag's values.
    pub(super) fn add_flag(&mut self, flag: &str, key: &str, values: &[String]) {
        let key = Key::find(key).expect("a flag sets a known key");
        let value = match (key.kind, values) {
            (key::Kind::List { .. }, values) => {
                toml::Value::Array(values.iter().cloned().map(toml::Value::String).collect())
            }
            (kind, values) => kind.parse_text(values.last().expect("a flag has a value")),
        };
        self.set(key.name.to_owned(), value, Origin::Flag(flag.to_owned()));
    }

    fn set(&mut self, key: String, value: toml::Value, origin: Origin) {
        self.values.insert(key, Setting { value, origin });
    }

    fn unknown(&mut self, path: &str, value: Option<&toml::Value>, origin: Origin) {
        let telling = ["pass", "secret", "token"].iter().any(|word| path.to_ascii_lowercase().contains(word));
        let shown = value.filter(|_| !telling).map(|value| format!(" = {}", show(value))).unwrap_or_default();
        let from_environment = matches!(origin, Origin::Environment(_));
        let what = match from_environment {
            true => "there is no such setting".to_owned(),
            false => format!("unknown key `{path}{shown}`"),
        };
        let help = match (key::nearest(path), key::in_section(path)) {
            (Some(key), _) if from_environment => format!("did you mean `{}`?", variable(key.name)),
            (Some(key), _) => format!("did you mean `{}`?", key.name),
            (None, _) if is_injected(&origin) => INJECTED.to_owned(),
            (None, known) if known.is_empty() => "`stentor config default` lists every key".to_owned(),
            (None, known) => format!("allowed there: {}", known.join(", ")),
        };
        self.problems.push(Problem { origin, text: format!("{what}; {help}") });
    }
}

/// A key's default, as if it had been given.
pub(super) fn default_value(key: &Key) -> Setting {
    let table: toml::Table = toml::from_str(&format!("value = {}", key.default)).expect("defaults are TOML");
    let value = table.get("value").expect("the value was written").clone();
    Setting { value, origin: Origin::Default }
}

/// What an environment variable for `key` is called.
#[must_use]
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// A value for a message: on one line, not long, and without what may hold a password.
pub(super) fn show(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(_) => "{…}".to_owned(),
        toml::Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        toml::Value::String(text) if text.contains("://") && text.contains('@') => "\"…\"".to_owned(),
        other => shorten(&other.to_string()),
    }
}

/// At most the first 60 characters, on one line.
fn shorten(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect();
    if text.chars().count() > 60 { format!("{line}…") } else { line }
}

/// Variables that begin so are settings.
pub const PREFIX: &str = "STENTOR_";

/// Told about variables that nobody set on purpose.
const INJECTED: &str = "Kubernetes sets it for a service named stentor: set `enableServiceLinks: false`";

/// Where the configuration is read from when no other file is named, and it exists.
pub const SYSTEM_FILE: &str = "/etc/stentor/stentor.toml";

/// The file to read: the one named, else [`SYSTEM_FILE`] where present.
pub(super) fn file_to_read(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(SYSTEM_FILE)).filter(|path| path.try_exists().unwrap_or(true)),
    }
}

fn is_injected(origin: &Origin) -> bool {
    matches!(origin, Origin::Environment(name)
        if name.starts_with("STENTOR_PORT") || name.starts_with("STENTOR_SERVICE_"))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
