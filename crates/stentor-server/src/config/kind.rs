//! What kinds of value a setting can have, and how each is read and written.

use std::time::Duration;

use super::units::{parse_size, parse_time, show_size, show_time};

/// What a setting accepts.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text that `check` accepts; the empty text, where `optional`, means that it is not set.
    Text {
        /// What is allowed, in words.
        allowed: &'static str,
        /// Says what is wrong with a text.
        check: fn(&str) -> Result<(), String>,
        /// Whether it may be empty.
        optional: bool,
    },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number from `least` to `most`; also 0 where `zero` gives it a meaning.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
        /// What 0 stands for.
        zero: Option<&'static str>,
    },
    /// A time from `least` to `most`; also 0 where `zero` gives it a meaning.
    Time {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
        /// What 0 stands for.
        zero: Option<&'static str>,
    },
    /// A size in bytes from `least` to `most`; also 0 where `zero` gives it a meaning.
    Size {
        /// The smallest, in bytes.
        least: u64,
        /// The largest, in bytes.
        most: u64,
        /// What 0 stands for.
        zero: Option<&'static str>,
    },
    /// A list of texts that `check` accepts one by one.
    List {
        /// What is allowed, in words.
        allowed: &'static str,
        /// Says what is wrong with an item.
        check: fn(&str) -> Result<(), String>,
        /// Whether it may be empty.
        optional: bool,
    },
}

/// A value that its kind has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Number(u64),
    Time(Duration),
    Size(u64),
    List(Vec<String>),
}

impl Kind {
    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        let or_zero =
            |zero: &Option<&str>| zero.map(|meaning| format!(", or 0: {meaning}")).unwrap_or_default();
        match self {
            Self::Text { allowed, .. } | Self::List { allowed, .. } => (*allowed).to_owned(),
            Self::Choice(words) => {
                words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
            }
            Self::Flag => "true, false".to_owned(),
            Self::Number { least, most, zero } => {
                format!("a whole number from {least} to {most}{}", or_zero(zero))
            }
            Self::Time { least, most, zero } => {
                let (least, most) = (show_time(*least), show_time(*most));
                format!("a time from \"{least}\" to \"{most}\"{} (units: ms, s, m, h, d, w)", or_zero(zero))
            }
            Self::Size { least, most, zero } => {
                let (least, most) = (show_size(*least), show_size(*most));
                format!("a size from \"{least}\" to \"{most}\"{} (units: B, KiB, MiB, GiB)", or_zero(zero))
            }
        }
    }

    /// What stands for this kind in an environment variable or after a flag; lists are separated by commas, or written
    /// as in TOML.
    pub(super) fn parse_text(&self, text: &str) -> toml::Value {
        let string = || toml::Value::String(text.to_owned());
        match self {
            Self::Flag => text.parse().map_or_else(|_| string(), toml::Value::Boolean),
            Self::Number { .. } => text.parse().map_or_else(|_| string(), toml::Value::Integer),
            Self::List { .. } if text.trim_start().starts_with('[') => {
                let table: Option<toml::Table> = toml::from_str(&format!("list = {text}")).ok();
                table.and_then(|mut table| table.remove("list")).unwrap_or_else(string)
            }
            Self::List { .. } => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
            }
            Self::Text { .. } | Self::Choice(_) | Self::Time { .. } | Self::Size { .. } => string(),
        }
    }

    /// Accepts a value, or says what is wrong with it where that is more than "it is not allowed".
    pub(super) fn read(&self, raw: &toml::Value) -> Result<Value, Option<String>> {
        use toml::Value as Raw;
        match (self, raw) {
            (Self::Text { optional: true, .. }, Raw::String(text)) if text.is_empty() => {
                Ok(Value::Text(String::new()))
            }
            (Self::Text { check, .. }, Raw::String(text)) => {
                check(text).map_err(Some)?;
                Ok(Value::Text(text.clone()))
            }
            (Self::Choice(words), Raw::String(text)) if words.contains(&text.as_str()) => {
                Ok(Value::Text(text.clone()))
            }
            (Self::Flag, Raw::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Self::Number { least, most, zero }, Raw::Integer(number)) => u64::try_from(*number)
                .ok()
                .filter(|number| (least..=most).contains(&number) || (*number == 0 && zero.is_some()))
                .map(Value::Number)
                .ok_or(None),
            (Self::Time { least, most, zero }, Raw::String(_) | Raw::Integer(0)) => raw
                .as_str()
                .map_or(Some(Duration::ZERO), parse_time)
                .filter(|time| (least..=most).contains(&time) || (time.is_zero() && zero.is_some()))
                .map(Value::Time)
                .ok_or(None),
            (Self::Size { least, most, zero }, Raw::String(_) | Raw::Integer(_)) => {
                let bytes = match raw {
                    Raw::String(text) => parse_size(text),
                    _ => raw.as_integer().and_then(|bytes| u64::try_from(bytes).ok()),
                };
                bytes
                    .filter(|bytes| (least..=most).contains(&bytes) || (*bytes == 0 && zero.is_some()))
                    .map(Value::Size)
                    .ok_or(None)
            }
            (Self::List { check, optional, .. }, Raw::Array(items)) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let text = item
                        .as_str()
                        .ok_or_else(|| Some("there is an item that is not a text".to_owned()))?;
                    check(text).map_err(|problem| Some(format!("`{text}`: {problem}")))?;
                    if !list.iter().any(|known| known == text) {
                        list.push(text.to_owned());
                    }
                }
                if list.is_empty() && !optional {
                    Err(Some("the list is empty".to_owned()))
                } else {
                    Ok(Value::List(list))
                }
            }
            _ => Err(None),
        }
    }
}

impl Value {
    /// As it stands in a file.
    pub(super) fn to_toml(&self) -> toml::Value {
        match self {
            Self::Text(text) => toml::Value::String(text.clone()),
            Self::Flag(flag) => toml::Value::Boolean(*flag),
            Self::Number(number) => toml::Value::Integer(i64::try_from(*number).unwrap_or(i64::MAX)),
            Self::Time(time) => toml::Value::String(show_time(*time)),
            Self::Size(bytes) => toml::Value::String(show_size(*bytes)),
            Self::List(items) => toml::Value::Array(items.iter().cloned().map(toml::Value::String).collect()),
        }
    }
}
