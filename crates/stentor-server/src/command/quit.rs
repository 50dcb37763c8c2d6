//! QUIT: ends the connection.

use stentor_proto::message::Message;
use stentor_proto::text::truncate_utf8;

use crate::error::Error;
use crate::hub::render::EVENT_TAG;
use crate::hub::{Refusal, State};
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::Partition;

pub(super) async fn run(session: &mut Session, message: &Message<'_>, _: &mut Reply) -> Result<(), Error> {
    let limit = session.node.config().limits.kick_length;
    let reason = match message.param(0).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{SAID}{}", truncate_utf8(reason, limit)),
        None => SILENT.to_owned(),
    };
    if session.client.queue.is_drained() {
        session.client.cursor.goodbye();
    }
    Err(Error::Close(reason))
}

/// Takes a session out of one of its channels because it has ended. A room whose founder has an account outlives its
/// members.
///
/// # Errors
/// The store's.
pub async fn leave(session: &Session, channel: &str, reason: &str) -> Result<(), Refusal<()>> {
    let id = session.client.id.clone();
    let Some(held) =
        session.client.with_channels(|channels| channels.get(channel).map(|held| held.replica()))
    else {
        return Ok(());
    };
    held.remove_local(&id);
    let partition = Partition::channel(channel);
    let decide = |state: &State| {
        let member = policy::own_member(state, channel, &id)?;
        // What somebody says with it is said to the channel, too: by those who may speak there.
        let is_heard = |said: &str| super::part::may_say(state, channel, &member, said);
        let reason = match reason.strip_prefix(SAID) {
            Some(said) if !is_heard(said) => SILENT,
            _ => reason,
        };
        let line = member.line("QUIT").tag(EVENT_TAG, &id).trailing(reason).build();
        Ok::<_, Error>(super::part::leave(state, &id, line, false))
    };
    let (hub, tenure) = (&session.node.hub, session.client.tenure());
    let mut result = hub.transact(&held, &tenure, None, decide).await;
    if let Err(Refusal::Rule(_)) = result {
        // A JOIN may be stored that this copy has not heard of yet.
        hub.repair(&held).await?;
        result = hub.transact(&held, &tenure, None, decide).await;
    }
    match result {
        Ok(entry) if entry.ends => {
            crate::fleet::directory::forget(hub, &tenure, &partition, Some(entry.epoch)).await?;
        }
        Ok(_) | Err(Refusal::Rule(_)) => {}
        Err(Refusal::Store(error)) => return Err(Refusal::Store(error)),
        Err(Refusal::Contended) => return Err(Refusal::Contended),
        Err(Refusal::Fenced) => return Err(Refusal::Fenced),
    }
    session.client.with_channels(|channels| channels.remove(channel));
    Ok(())
}

/// What stands before a reason that somebody gives.
const SAID: &str = "Quit: ";
/// The reason of who gives none.
const SILENT: &str = "Client Quit";
