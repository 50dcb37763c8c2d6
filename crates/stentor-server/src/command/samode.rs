//! SAMODE: shows or changes the modes of any channel, as an operator of the network.

use stentor_proto::channel::is_channel_like;
use stentor_proto::message::Message;
use stentor_proto::mode::{ModeChange, parse_changes, render};

use super::mode::{self, By};
use crate::config::Privilege;
use crate::error::Error;
use crate::modes;
use crate::operator::audit::Deed;
use crate::operator::{authorise, demand};
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    demand(session, Privilege::Channels)?;
    let target = message.param(0).unwrap_or_default();
    if !is_channel_like(target) {
        return Err(policy::no_such_channel(target));
    }
    if session.room(target).await?.with_state(|state| state.epoch.is_none()) {
        return Err(policy::no_such_channel(target));
    }
    let wanted = message.params().get(1..).unwrap_or_default();
    let modes = written(wanted);
    // Where no mode that was named is one, nothing is done but to say so.
    if !modes.is_empty() || wanted.is_empty() {
        authorise(session, Privilege::Channels, &Deed { what: "samode", target, reason: &modes }).await?;
    }
    mode::act(session, message, By::Network, reply).await
}

/// The changes as the audit log has them, which more people read than those who may know a channel's key.
fn written(params: &[&str]) -> String {
    let Some((modes, args)) = params.split_first() else { return String::new() };
    let changes = parse_changes(modes, args, modes::class).into_iter().flatten();
    let changes: Vec<ModeChange> = changes
        .map(|change| match change.letter {
            'k' => ModeChange::with(change.add, 'k', "*"),
            _ => change,
        })
        .collect();
    render(&changes, usize::MAX).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_written_down() {
        assert_eq!(written(&["+lk-kb", "5", "secret", "older", "a!*@*"]), "+lk-kb 5 * * a!*@*");
        assert_eq!(written(&["k", "secret"]), "+k *");
        assert_eq!(written(&["b"]), "+b");
        assert_eq!(written(&[]), "");
    }
}
