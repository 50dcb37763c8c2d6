//! Services: NickServ and its like, which many clients and people know. They are no users but words: what is said to one
//! runs the same code as the native commands, is answered with NOTICEs, and is kept nowhere.
//!
//! - [`nickserv`], for accounts
//! - [`chanserv`], for channels that last

/// A row of a service's table.
macro_rules! word {
    ($names:expr, $params:expr, $cost:expr, $run:path, $syntax:expr, $does:expr) => {
        word!($names, $params, $cost, $run, $syntax, $does, None)
    };
    ($names:expr, $params:expr, $cost:expr, $run:path, $syntax:expr, $does:expr, $privilege:expr) => {
        Word {
            names: $names,
            params: $params,
            cost: $cost,
            privilege: $privilege,
            run: |session, words, reply| Box::pin($run(session, words, reply)),
            help: ($syntax, $does),
        }
    };
}

pub mod chanserv;
pub mod nickserv;

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use stentor_proto::line::Line;
use stentor_proto::text::pack;

use crate::account::AccountError;
use crate::commit_identity::WriteError;
use crate::config::Privilege;
use crate::config::units::parse_typed_time;
use crate::error::Error;
use crate::operator::demand;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::partition::stable_hash;

/// One service.
#[derive(Debug)]
pub struct Service {
    /// Its nick, which nobody can take.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// What can be said to it. HELP is understood by each.
    pub words: &'static [Word],
}

/// One thing that can be said to a service.
#[derive(Debug)]
pub struct Word {
    /// The word itself, in capitals, and others that mean the same.
    pub names: &'static [&'static str],
    /// How many words follow. More are refused, since what would not be heeded was meant all the same.
    pub params: RangeInclusive<usize>,
    /// What it costs of the client's rate, in lines.
    pub cost: u32,
    /// What an operator needs for it; others are not told of it unless they ask.
    pub privilege: Option<Privilege>,
    run: Handler,
    /// How it is written and what it does, for HELP.
    pub help: (&'static str, &'static str),
}

/// Does what was asked with the words that followed, and returns what the service says.
type Handler = for<'a> fn(&'a mut Session, &'a [&'a str], &'a mut Reply) -> Running<'a>;
type Running<'a> = Pin<Box<dyn Future<Output = Said> + Send + 'a>>;
/// Sentences.
type Said = Result<Vec<String>, Error>;

/// Every service.
pub static SERVICES: &[&Service] = &[&nickserv::NICKSERV, &chanserv::CHANSERV];

/// The service with this nick, in any case.
#[must_use]
pub fn find(nick: &str) -> Option<&'static Service> {
    SERVICES.iter().copied().find(|service| service.name.eq_ignore_ascii_case(nick))
}

/// Whether a nick, in its folded form, is one that people take for a part of the server. Nobody can have it, be there such
/// a service here or not.
#[must_use]
pub fn is_reserved(folded: &str) -> bool {
    RESERVED.contains(&folded)
}

/// Whether a service answers this: not what is a question of one client to another.
#[must_use]
pub fn is_answered(text: &str) -> bool {
    !text.starts_with('\u{1}')
}

/// Takes what a client says to a service, and answers it.
///
/// # Errors
/// Those that are not the client's; what is, the service tells itself.
pub async fn hear(
    session: &mut Session,
    service: &'static Service,
    text: &str,
    reply: &mut Reply,
) -> Result<(), Error> {
    if !is_answered(text) {
        return Ok(());
    }
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let said = match words.split_first() {
        None => Ok(vec![format!("Say HELP to read what {} understands.", service.name)]),
        Some((first, rest)) if first.eq_ignore_ascii_case("HELP") => Ok(service.help(session, rest)),
        Some((first, rest)) => match service.word(first) {
            None => Ok(vec![format!("{} does not know that. Say HELP to read what it does.", service.name)]),
            Some(word) if !word.params.contains(&rest.len()) => Ok(vec![format!("Syntax: {}", word.help.0)]),
            Some(word) => {
                session.charge = session.charge.saturating_add(word.cost.saturating_sub(1));
                match word.may_be_said(session) {
                    Ok(()) => (word.run)(session, rest, reply).await,
                    Err(error) => Err(error),
                }
            }
        },
    };
    let sentences = match said {
        Ok(sentences) => sentences,
        Err(Error::Numeric(_, _, text) | Error::Fail { text, .. }) => vec![text],
        Err(other) => return Err(other),
    };
    let nick = session.client.profile().nick.clone();
    service.say(&nick, &sentences, reply);
    Ok(())
}

impl Service {
    /// `nick!user@host` of what it says and does on a server.
    #[must_use]
    pub fn source(&self, server: &str) -> String {
        format!("{0}!{0}@{server}", self.name)
    }

    /// Tells somebody sentences, each in as many lines as it takes.
    fn say(&self, nick: &str, sentences: &[String], reply: &mut Reply) {
        let start = Line::new("NOTICE").source(self.source(reply.server())).param(nick);
        let taken = start.clone().trailing("").build().len();
        for sentence in sentences {
            for text in pack(taken, sentence.split(' '), ' ') {
                reply.line(start.clone().trailing(&text).build());
            }
        }
    }

    fn word(&self, name: &str) -> Option<&'static Word> {
        self.words.iter().find(|word| word.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    fn help(&self, session: &Session, about: &[&str]) -> Vec<String> {
        let Some(name) = about.first() else {
            let list = self.words.iter().filter(|word| word.may_be_said(session).is_ok());
            let list = list.map(|word| format!("{}: {}", word.help.0, word.help.1));
            return std::iter::once(self.about.to_owned()).chain(list).collect();
        };
        match self.word(name) {
            Some(word) => vec![format!("{}: {}", word.help.0, word.help.1)],
            None => vec![format!("{} does not know that. Say HELP to read what it does.", self.name)],
        }
    }
}

impl Word {
    fn may_be_said(&self, session: &Session) -> Result<(), Error> {
        self.privilege.map_or(Ok(()), |privilege| demand(session, privilege))
    }
}

/// What has to be said once more to do `what` for good: another code for each life of its subject.
fn code(what: &str) -> String {
    format!("{:08x}", stable_hash(what) >> 32)
}

/// Whether a word says when something ends, with other services: `+30d`, or `!T` and `!P` before a time.
fn is_end(word: &str) -> bool {
    ["!T", "!P"].iter().any(|flag| word.eq_ignore_ascii_case(flag))
        || word.starts_with('+') && parse_typed_time(word).is_some()
}

/// What the client is told of something that was not done to an account.
pub(crate) fn refused(command: &'static str, error: AccountError) -> Error {
    match error {
        AccountError::Write(WriteError::Store(error)) => Error::Store(error),
        AccountError::Write(WriteError::Fenced) => Error::Fenced,
        AccountError::Write(WriteError::Contended) => Error::Contended,
        AccountError::Busy => Error::fail(command, "TEMPORARILY_UNAVAILABLE", &[], &error.to_string()),
        error => Error::fail(command, "REFUSED", &[], &error.to_string()),
    }
}

/// How many words follow at most where the last ones are a text.
const TEXT: usize = usize::MAX;
/// In their folded form.
const RESERVED: &[&str] = &[
    "alis", "botserv", "chanserv", "global", "helpserv", "histserv", "hostserv", "infoserv", "memoserv",
    "nickserv", "operserv", "rpgserv", "saslserv", "services", "statserv",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_reserved_and_every_word_is_documented_once() {
        for service in SERVICES {
            assert!(is_reserved(&service.name.to_ascii_lowercase()), "{}", service.name);
            let mut names: Vec<&str> = service.words.iter().flat_map(|word| word.names).copied().collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
            for word in service.words {
                assert!(
                    word.help.0.starts_with(word.names[0]) && word.help.1.ends_with('.'),
                    "{:?}",
                    word.names
                );
            }
        }
    }
}
