//! What the server said of itself in its 005 lines.

use stentor_proto::casemapping::Casemapping;
use stentor_proto::isupport::Token;
use stentor_proto::mode::ModeClass;

/// What matters of it here, with what the protocol assumes of a server that says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Support {
    pub(super) casemapping: Casemapping,
    /// How many bytes a line has with its CR LF, and without tags.
    pub(super) line_length: usize,
    /// How many messages a page of history has; none where that is not known.
    pub(super) page: Option<usize>,
    pub(super) network: Option<String>,
    /// Mode letters of members with their signs, the highest first.
    pub(super) prefixes: Vec<(char, char)>,
    /// The four groups of `CHANMODES`.
    modes: [String; 4],
    /// Signs before a room's name that mean some of its members.
    pub(super) status_signs: String,
    /// Whether the server passes `+typing` on.
    pub(super) typing: bool,
}

impl Default for Support {
    fn default() -> Self {
        Self {
            casemapping: Casemapping::Rfc1459,
            line_length: 512,
            page: None,
            network: None,
            prefixes: vec![('o', '@'), ('v', '+')],
            modes: ["beI", "k", "l", "imnpst"].map(str::to_owned),
            status_signs: String::new(),
            typing: true,
        }
    }
}

impl Support {
    /// Takes in one parameter of a 005 line.
    pub(super) fn take(&mut self, written: &str) {
        let Some(Token::Set(key, value)) = Token::parse(written) else { return };
        match key {
            "CASEMAPPING" => {
                if let Some(casemapping) = Casemapping::from_name(&value) {
                    self.casemapping = casemapping;
                }
            }
            "LINELEN" => {
                if let Ok(length) = value.parse::<usize>() {
                    self.line_length = length.clamp(512, LONGEST_LINE);
                }
            }
            "CHATHISTORY" => self.page = value.parse().ok().filter(|page| *page > 0),
            "NETWORK" => self.network = Some(value.into_owned()),
            "PREFIX" => {
                if let Some((letters, signs)) = value.strip_prefix('(').and_then(|rest| rest.split_once(')'))
                {
                    self.prefixes = letters.chars().zip(signs.chars()).collect();
                }
            }
            "CHANMODES" => {
                let mut groups = value.split(',');
                self.modes = std::array::from_fn(|_| groups.next().unwrap_or_default().to_owned());
            }
            "STATUSMSG" => self.status_signs = value.into_owned(),
            "CLIENTTAGDENY" => {
                let denied: Vec<&str> = value.split(',').collect();
                let all = denied.contains(&"*");
                self.typing = if all { denied.contains(&"-typing") } else { !denied.contains(&"typing") };
            }
            _ => {}
        }
    }

    /// What a mode letter of a room takes.
    pub(super) fn class(&self, letter: char) -> Option<ModeClass> {
        if self.prefixes.iter().any(|(mode, _)| *mode == letter) {
            return Some(ModeClass::Prefix);
        }
        let classes = [ModeClass::List, ModeClass::Key, ModeClass::WhenSet, ModeClass::Flag];
        let group = self.modes.iter().position(|group| group.contains(letter))?;
        classes.get(group).copied()
    }

    /// The sign of a mode that members have.
    pub(super) fn sign(&self, letter: char) -> Option<char> {
        self.prefixes.iter().find(|(mode, _)| *mode == letter).map(|(_, sign)| *sign)
    }

    /// These signs with one more, or one less, the highest first.
    pub(super) fn with_sign(&self, signs: &str, sign: char, add: bool) -> String {
        let has = |other: char| if other == sign { add } else { signs.contains(other) };
        self.prefixes.iter().map(|(_, sign)| *sign).filter(|sign| has(*sign)).collect()
    }

    /// The signs at the start of a name in NAMES, and the rest.
    pub(super) fn split_signs<'a>(&self, name: &'a str) -> (&'a str, &'a str) {
        let is_sign = |character: char| self.prefixes.iter().any(|(_, sign)| *sign == character);
        let at = name.find(|character| !is_sign(character)).unwrap_or(name.len());
        name.split_at(at)
    }
}

/// A server that allows more would get no longer lines from here.
const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_change_what_is_assumed() {
        let mut support = Support::default();
        for token in
            ["CASEMAPPING=ascii", "PREFIX=(qov)~@+", "CHANMODES=b,k,l,n", "CHATHISTORY=50", "LINELEN=1024"]
        {
            support.take(token);
        }
        assert_eq!(
            (support.casemapping, support.page, support.line_length),
            (Casemapping::Ascii, Some(50), 1024)
        );
        assert_eq!(support.class('q'), Some(ModeClass::Prefix));
        assert_eq!((support.class('b'), support.class('x')), (Some(ModeClass::List), None));
        assert_eq!(support.split_signs("~+ann"), ("~+", "ann"));
        assert_eq!(support.with_sign("+", '~', true), "~+");
        assert_eq!(support.with_sign("~+", '~', false), "+");
    }
}
