//! MODE of oneself.

use stentor_proto::line::Line;
use stentor_proto::mode::{ModeChange, ModeClass, parse_changes, render};
use stentor_proto::numeric::Numeric;

use crate::client::Profile;
use crate::error::Error;
use crate::operator;
use crate::reply::Reply;
use crate::session::Session;

/// Shows or changes the modes of a user: `i` (not found by those who share no channel) and `w` (hears WALLOPS) as one
/// likes; `o` (is an operator) can only be given up.
pub(super) async fn run(
    session: &mut Session,
    target: &str,
    modes: Option<&str>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let profile = session.client.profile();
    if !profile.nick.eq_ignore_ascii_case(target) {
        if session.node.clients.by_nick(&target.to_ascii_lowercase()).is_none() {
            return Err(super::no_such_nick(target));
        }
        return Err(Error::numeric(Numeric::ERR_USERSDONTMATCH, &[], "Cant change mode for other users"));
    }
    let Some(modes) = modes else {
        let shown = shown(&profile, operator::is_operator(&session.node.config(), &profile));
        reply.bare(Numeric::RPL_UMODEIS, &[&format!("+{shown}")]);
        return Ok(());
    };
    let mut letters = profile.modes.clone();
    let (mut done, mut unknown, mut gives_up) = (Vec::new(), false, false);
    for parsed in parse_changes(modes, &[], |letter| LETTERS.contains(letter).then_some(ModeClass::Flag)) {
        match parsed {
            // OPER alone makes operators; asking for it here is no error.
            Ok(ModeChange { letter: 'o', add, .. }) => gives_up |= !add && profile.operator.is_some(),
            Ok(change) if letters.contains(change.letter) != change.add => {
                letters.retain(|letter| letter != change.letter);
                if change.add {
                    letters.push(change.letter);
                }
                done.push(change);
            }
            Ok(_) => {}
            Err(_) => unknown = true,
        }
    }
    if gives_up {
        done.push(ModeChange::flag(false, 'o'));
    }
    if unknown && !done.is_empty() {
        reply.expect_many();
    }
    let mut sorted: Vec<char> = letters.chars().collect();
    sorted.sort_unstable();
    session.client.update(|profile| {
        profile.modes = sorted.into_iter().collect();
        if gives_up {
            profile.operator = None;
        }
    });
    for modes in render(&done, MODE_BYTES) {
        reply.line(Line::new("MODE").source(profile.source()).param(&profile.nick).param(modes).build());
    }
    if unknown {
        reply.numeric(Numeric::ERR_UMODEUNKNOWNFLAG, &[], "Unknown MODE flag");
    }
    if gives_up { super::oper::tell_others(session).await } else { Ok(()) }
}

fn shown(profile: &Profile, operator: bool) -> String {
    let mut letters: Vec<char> = profile.modes.chars().chain(operator.then_some('o')).collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// The modes of users, sorted.
pub(super) const LETTERS: &str = "iow";
/// What the modes of one line may take, beside the source and the nick.
const MODE_BYTES: usize = 300;
