//! The commands that concern the screen alone; the engine does not know them.

/// A command that the screen does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local<'a> {
    /// Show the help. `/help COMMAND` is the engine's.
    Help,
    /// Look for this text; empty means: ask for it.
    Search(&'a str),
    /// Empty the place.
    Clear,
    /// Take the mouse, or give it back.
    Mouse,
}

impl<'a> Local<'a> {
    /// None where it is for the engine.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix('/')?;
        let (name, argument) = rest.split_once(' ').unwrap_or((rest, ""));
        match (name.to_ascii_lowercase().as_str(), argument.trim()) {
            ("help" | "?", "") => Some(Self::Help),
            ("search", wanted) => Some(Self::Search(wanted)),
            ("clear", "") => Some(Self::Clear),
            ("mouse", "") => Some(Self::Mouse),
            _ => None,
        }
    }
}

/// Their names, besides those that the engine has, too.
pub(super) const NAMES: &[&str] = &["search", "clear", "mouse"];

/// What the help tells about them.
pub(super) const HELP: &[(&str, &str)] = &[
    ("/search [text]", "Look for a text in what is shown here"),
    ("/clear", "Empty this place; what was said stays on the server"),
    ("/mouse", "Mouse on or off"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_takes_what_is_its_own() {
        assert_eq!(Local::parse("/search two words "), Some(Local::Search("two words")));
        assert_eq!(Local::parse("/HELP"), Some(Local::Help));
        assert_eq!(Local::parse("/help join"), None);
        assert_eq!(Local::parse("//clear"), None);
        assert_eq!(Local::parse("clear"), None);
    }

    #[test]
    fn no_name_is_taken_from_the_engine() {
        assert!(NAMES.iter().all(|name| crate::slash::find(name).is_none()));
        assert!(NAMES.iter().all(|name| HELP.iter().any(|(usage, _)| usage[1..].starts_with(name))));
    }
}
