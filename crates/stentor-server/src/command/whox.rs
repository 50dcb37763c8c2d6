//! WHOX: a WHO that names the fields it wants.

use stentor_proto::numeric::Numeric;

use super::about::About;
use crate::reply::Reply;

/// The fields that were asked for, and the token that each answer repeats.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    letters: String,
    token: String,
}

impl Fields {
    /// Reads WHO's second parameter, `flags%fields,token`: the flags, and what is asked for where something is.
    pub(super) fn parse(text: &str) -> (&str, Option<Self>) {
        let Some((flags, wanted)) = text.split_once('%') else { return (text, None) };
        let (letters, token) = wanted.split_once(',').unwrap_or((wanted, ""));
        let legal = (1..=3).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_digit());
        let token = if legal { token } else { "0" };
        (flags, Some(Self { letters: letters.to_owned(), token: token.to_owned() }))
    }

    /// Answers with the fields in their fixed order, whatever the order in the request.
    pub(super) fn tell(&self, about: &About, channel: &str, flags: &str, reply: &mut Reply) {
        let idle = about.idle.unwrap_or_default().to_string();
        let all = [
            ('t', self.token.as_str()),
            ('c', channel),
            ('u', &about.user),
            ('i', NO_ADDRESS),
            ('h', &about.host),
            ('s', &about.server),
            ('n', &about.nick),
            ('f', flags),
            ('d', "0"),
            ('l', &idle),
            ('a', about.account.as_deref().unwrap_or("0")),
            ('o', "n/a"),
        ];
        let wanted = all.iter().filter(|(letter, _)| self.letters.contains(*letter));
        let params: Vec<&str> = wanted.map(|(_, value)| *value).collect();
        if self.letters.contains('r') {
            reply.numeric(Numeric::RPL_WHOSPCRPL, &params, &about.realname);
        } else {
            reply.bare(Numeric::RPL_WHOSPCRPL, &params);
        }
    }
}

/// Stands for an address: addresses are shown to nobody.
const NO_ADDRESS: &str = "255.255.255.255";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_taken_apart() {
        let fields =
            |letters: &str, token: &str| Some(Fields { letters: letters.into(), token: token.into() });
        assert_eq!(Fields::parse("o"), ("o", None));
        assert_eq!(Fields::parse("o%tn,12"), ("o", fields("tn", "12")));
        assert_eq!(Fields::parse("%n"), ("", fields("n", "0")));
        assert_eq!(Fields::parse("%t,1234"), ("", fields("t", "0")));
        assert_eq!(Fields::parse("%t,-1"), ("", fields("t", "0")));
    }
}
