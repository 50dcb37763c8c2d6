//! NAMES: lists who is in a channel.

use stentor_proto::capability::Capability;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::client::Client;
use crate::error::Error;
use crate::hub::{Replica, State};
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let Some(targets) = message.nonempty(0) else {
        reply.numeric(Numeric::RPL_ENDOFNAMES, &["*"], "End of /NAMES list");
        return Ok(());
    };
    for target in targets.split(',').filter(|target| !target.is_empty()).take(TARGETS) {
        let folded = target.to_ascii_lowercase();
        match session.room(target).await {
            Ok(held) if held.with_state(|state| policy::is_visible_to(state, &session.client.id)) => {
                list(session, &held, &folded, reply).await;
            }
            // Who asks waits for the end.
            Ok(_) | Err(Error::Numeric(..)) => {}
            Err(error) => error.send("NAMES", reply),
        }
    }
    // One end for one request, which names the channels as the request did.
    reply.numeric(Numeric::RPL_ENDOFNAMES, &[targets], "End of /NAMES list");
    Ok(())
}

/// Lists a channel's members to somebody who has come in.
pub(super) async fn show(session: &Session, replica: &Replica, folded: &str, reply: &mut Reply) {
    let name = list(session, replica, folded, reply).await;
    reply.numeric(Numeric::RPL_ENDOFNAMES, &[&name], "End of /NAMES list");
}

/// Lists a channel's members, and gives back its name.
async fn list(session: &Session, replica: &Replica, folded: &str, reply: &mut Reply) -> String {
    let (name, sign, members) = replica.with_state(|state| {
        (policy::name(state, folded).to_owned(), sign(state), shown(state, &session.client))
    });
    reply.long_list(Numeric::RPL_NAMREPLY, &[sign, &name], &members).await;
    name
}

/// How a list of names marks the channel.
pub(crate) fn sign(state: &State) -> &'static str {
    if policy::has_mode(state, 's') { "@" } else { "=" }
}

/// The members that a client is shown, as its capabilities have them written.
pub(crate) fn shown(state: &State, client: &Client) -> Vec<String> {
    let all = client.has(Capability::MultiPrefix);
    let hosts = client.has(Capability::UserhostInNames);
    let viewer = state.members.get(&client.id).map(|member| &**member);
    let shown = state.members.values().filter(|member| policy::shows(state, viewer, member));
    shown
        .map(|member| {
            let signs = member.signs(all);
            if hosts { format!("{signs}{}", member.source()) } else { format!("{signs}{}", member.nick) }
        })
        .collect()
}

/// How many channels one request may name.
pub(super) const TARGETS: usize = 10;
