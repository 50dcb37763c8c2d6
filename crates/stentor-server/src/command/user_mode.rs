//! MODE of oneself.

use std::collections::BTreeSet;

use stentor_proto::message::Message;
use stentor_proto::mode::{ModeChange, ModeClass, ModeError, parse_changes, render};
use stentor_proto::numeric::Numeric;

use crate::client::Profile;
use crate::config::Privilege;
use crate::error::Error;
use crate::modes::{self, SERVER_NOTICES};
use crate::node::presence;
use crate::operator;
use crate::operator::notices::Topic;
use crate::reply::Reply;
use crate::session::Session;

/// Shows or changes the modes of a user, as the table [`modes::USER`] lists them; `o` can only be given up.
pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let target = message.param(0).unwrap_or_default();
    let profile = session.client.profile();
    if !profile.nick.eq_ignore_ascii_case(target) {
        let person = session.node.find_person(target).await?.filter(|person| person.online);
        if person.is_none() {
            return Err(super::no_such_nick(target));
        }
        return Err(Error::numeric(Numeric::ERR_USERSDONTMATCH, &[], "Cant change mode for other users"));
    }
    let Some(modes) = message.param(1) else {
        show(session, &profile, reply);
        return Ok(());
    };
    let wanted = Wanted::parse(modes, message.params().get(2..).unwrap_or_default(), &profile);
    let mut done = wanted.changes;
    set(session, &profile, wanted.letters).await?;
    let (asked, heard) = (wanted.notices.is_some(), hear(session, wanted.notices));
    let gave_up = wanted.gives_up && lay_down(session);
    let now = session.client.profile();
    if profile.notices.is_empty() != now.notices.is_empty() {
        done.push(ModeChange::flag(!now.notices.is_empty(), SERVER_NOTICES));
    }
    if gave_up {
        done.push(ModeChange::flag(false, modes::OPERATOR));
    }
    let pieces = render(&done, modes::LINE_BYTES);
    let shows = asked && !now.notices.is_empty();
    let answers = [shows, heard.is_err(), wanted.unknown].into_iter().filter(|answer| *answer).count();
    if pieces.len() + answers > 1 {
        reply.expect_many();
    }
    for modes in pieces {
        reply.own(&profile.line("MODE").param(&profile.nick).param(modes));
    }
    if shows {
        show_notices(&now, reply);
    }
    if let Err(error) = heard {
        error.send("MODE", reply);
    }
    if wanted.unknown {
        reply.numeric(Numeric::ERR_UMODEUNKNOWNFLAG, &[], "Unknown MODE flag");
    }
    if gave_up { super::oper::tell_others(session).await } else { Ok(()) }
}

/// What a MODE asks for.
struct Wanted {
    /// The letters that are set afterwards, besides `o` and `s`.
    letters: Vec<char>,
    /// What changes for that.
    changes: Vec<ModeChange>,
    /// Which server notices are to be heard, where that was said.
    notices: Option<BTreeSet<char>>,
    gives_up: bool,
    /// Whether there was a letter that is none.
    unknown: bool,
}

impl Wanted {
    fn parse(modes: &str, args: &[&str], profile: &Profile) -> Self {
        let mut wanted = Self {
            letters: profile.modes.chars().collect(),
            changes: Vec::new(),
            notices: None,
            gives_up: false,
            unknown: false,
        };
        for parsed in parse_changes(modes, args, class) {
            match parsed {
                Ok(ModeChange { letter: SERVER_NOTICES, add: true, arg }) => {
                    wanted.hear(arg.as_deref().unwrap_or_default(), profile);
                }
                Err(ModeError::MissingParam(SERVER_NOTICES)) => {
                    wanted.notices = Some(Topic::letters().chars().collect());
                }
                Ok(ModeChange { letter: SERVER_NOTICES, .. }) => wanted.notices = Some(BTreeSet::new()),
                // OPER alone makes operators; asking for it here is no error.
                Ok(ModeChange { letter: modes::OPERATOR, add, .. }) => wanted.gives_up |= !add,
                Ok(change) if wanted.letters.contains(&change.letter) != change.add => {
                    wanted.letters.retain(|letter| *letter != change.letter);
                    if change.add {
                        wanted.letters.push(change.letter);
                    }
                    wanted.changes.push(change);
                }
                Ok(_) => {}
                Err(_) => wanted.unknown = true,
            }
        }
        wanted
    }

    /// Takes in the parameter of `+s`: letters that are added to what is heard, or, after a `-`, taken away.
    fn hear(&mut self, topics: &str, profile: &Profile) {
        let mut heard = self.notices.take().unwrap_or_else(|| profile.notices.chars().collect());
        let mut add = true;
        for letter in topics.chars() {
            match letter {
                '+' => add = true,
                '-' => add = false,
                _ if Topic::of_letter(letter).is_none() => self.unknown = true,
                _ if add => {
                    heard.insert(letter);
                }
                _ => {
                    heard.remove(&letter);
                }
            }
        }
        self.notices = Some(heard);
    }
}

fn class(letter: char) -> Option<ModeClass> {
    match letter {
        SERVER_NOTICES => Some(ModeClass::WhenSet),
        _ => modes::USER.iter().any(|mode| mode.letter == letter).then_some(ModeClass::Flag),
    }
}

/// Has the user hear of these topics from now on, where that was asked for.
fn hear(session: &Session, notices: Option<BTreeSet<char>>) -> Result<(), Error> {
    let Some(notices) = notices else { return Ok(()) };
    if !notices.is_empty() {
        operator::demand(session, Privilege::Audit)?;
    }
    let (config, notices) = (session.node.config(), notices.into_iter().collect());
    // In one step with a look at the standing, so that nothing stays of one that is taken back meanwhile.
    session.client.update(|profile| {
        let may = operator::privileges(&config, profile).contains(&Privilege::Audit);
        profile.notices = if may { notices } else { String::new() };
    });
    Ok(())
}

/// Gives the user these modes in place of those of its profile until now.
async fn set(session: &mut Session, before: &Profile, mut letters: Vec<char>) -> Result<(), Error> {
    letters.sort_unstable();
    let letters: String = letters.into_iter().collect();
    if letters == before.modes {
        return Ok(());
    }
    let after = Profile { modes: letters, ..before.clone() };
    // Channels know who is a bot, and who is not found from outside.
    presence::change(session, &after, |from, to| to.modes.clone_from(&from.modes), None).await
}

/// Ends the user's being an operator. False where it was none, or is none any more: then it was told of that.
fn lay_down(session: &Session) -> bool {
    let mut was = None;
    session.client.update(|profile| {
        was = profile.operator.take();
        profile.notices.clear();
    });
    was.is_some()
}

fn show(session: &Session, profile: &Profile, reply: &mut Reply) {
    let operator = operator::is_operator(&session.node.config(), profile);
    let hears = !profile.notices.is_empty();
    let own = [(operator, modes::OPERATOR), (hears, SERVER_NOTICES)];
    let own = own.into_iter().filter_map(|(set, letter)| set.then_some(letter));
    let letters: BTreeSet<char> = profile.modes.chars().chain(own).collect();
    let letters: String = letters.into_iter().collect();
    if hears {
        reply.expect_many();
    }
    reply.bare(Numeric::RPL_UMODEIS, &[&format!("+{letters}")]);
    if hears {
        show_notices(profile, reply);
    }
}

fn show_notices(profile: &Profile, reply: &mut Reply) {
    reply.numeric(Numeric::RPL_SNOMASKIS, &[&format!("+{}", profile.notices)], "Server notice mask");
}
