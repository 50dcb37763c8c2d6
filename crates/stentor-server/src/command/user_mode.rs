//! MODE of oneself.

use stentor_proto::line::Line;
use stentor_proto::mode::{ModeChange, ModeClass, parse_changes, render};
use stentor_proto::numeric::Numeric;

use crate::client::Profile;
use crate::error::Error;
use crate::modes;
use crate::node::{claim, presence};
use crate::operator;
use crate::reply::Reply;
use crate::session::Session;

/// Shows or changes the modes of a user, as the table [`modes::USER`] lists them; `o` can only be given up.
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
    let mut letters: Vec<char> = profile.modes.chars().collect();
    let (mut done, mut unknown, mut gives_up) = (Vec::new(), false, false);
    let is_known = |letter| modes::USER.iter().any(|mode| mode.letter == letter);
    for parsed in parse_changes(modes, &[], |letter| is_known(letter).then_some(ModeClass::Flag)) {
        match parsed {
            // OPER alone makes operators; asking for it here is no error.
            Ok(ModeChange { letter: modes::OPERATOR, add, .. }) => gives_up |= !add,
            Ok(change) if letters.contains(&change.letter) != change.add => {
                letters.retain(|letter| *letter != change.letter);
                if change.add {
                    letters.push(change.letter);
                }
                done.push(change);
            }
            Ok(_) => {}
            Err(_) => unknown = true,
        }
    }
    set(session, &profile, letters).await?;
    let gave_up = gives_up && lay_down(session);
    if gave_up {
        done.push(ModeChange::flag(false, modes::OPERATOR));
    }
    if unknown && !done.is_empty() {
        reply.expect_many();
    }
    for modes in render(&done, MODE_BYTES) {
        reply.line(Line::new("MODE").source(profile.source()).param(&profile.nick).param(modes).build());
    }
    if unknown {
        reply.numeric(Numeric::ERR_UMODEUNKNOWNFLAG, &[], "Unknown MODE flag");
    }
    if gave_up { super::oper::tell_others(session).await } else { Ok(()) }
}

/// Gives the user these modes in place of those of its profile until now.
async fn set(session: &mut Session, before: &Profile, mut letters: Vec<char>) -> Result<(), Error> {
    letters.sort_unstable();
    let letters: String = letters.into_iter().collect();
    if letters == before.modes {
        return Ok(());
    }
    session.client.update(|profile| profile.modes.clone_from(&letters));
    if let Err(error) = claim::refresh(session, None).await {
        // No other node has heard of it: it has not happened.
        session.client.update(|now| now.modes.clone_from(&before.modes));
        return Err(error);
    }
    // Members see who is a bot.
    presence::spread(session).await
}

/// Ends the user's being an operator. False where it was none, or is none any more: then it was told of that.
fn lay_down(session: &Session) -> bool {
    let mut was = None;
    session.client.update(|profile| was = profile.operator.take());
    was.is_some()
}

fn shown(profile: &Profile, operator: bool) -> String {
    let mut letters: Vec<char> = profile.modes.chars().chain(operator.then_some(modes::OPERATOR)).collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// What the modes of one line may take, beside the source and the nick.
const MODE_BYTES: usize = 300;
