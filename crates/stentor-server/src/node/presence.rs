//! What a user's channels say of them: each is told of a change, also where the store is away in between.

use std::sync::Arc;

use super::{Node, retry};
use crate::client::Client;
use crate::error::Error;
use crate::hub::{Decision, Member};
use crate::policy;
use crate::session::Session;
use crate::store::{Change, Guard, Is};

/// A change of a user that all of its channels are to have.
struct Presence {
    node: Arc<Node>,
    client: Arc<Client>,
    /// What members are told, with an event's id, so that each is told once.
    line: String,
    change: Box<dyn Fn(&mut Member) + Send + Sync>,
}

/// Commits a change of the user's own member record to each of its channels. Channels that the store cannot write to now
/// get it later, as long as the session lasts.
///
/// # Errors
/// [`Error::Fenced`].
pub async fn change(
    session: &mut Session,
    line: String,
    change: impl Fn(&mut Member) + Send + Sync + 'static,
) -> Result<(), Error> {
    let (node, client) = (session.node.clone(), session.client.clone());
    let presence = Presence { node, client, line, change: Box::new(change) };
    let channels = presence.client.channel_names();
    session.charge += u32::try_from(channels.len()).unwrap_or(u32::MAX) / CHANNELS_PER_LINE;
    let mut missed = Vec::new();
    for channel in channels {
        match presence.tell(&channel).await {
            Ok(()) => {}
            Err(Error::Fenced) => return Err(Error::Fenced),
            Err(_) => missed.push(channel),
        }
    }
    if !missed.is_empty() {
        let tasks = presence.node.tasks.clone();
        tasks.spawn(presence.tell_later(missed));
    }
    Ok(())
}

impl Presence {
    async fn tell_later(self, mut missed: Vec<String>) {
        let mut pause = retry::FIRST;
        while let Some(channel) = missed.last() {
            if self.client.queue.closed().is_some() {
                return;
            }
            match self.tell(channel).await {
                Ok(()) => {
                    missed.pop();
                }
                Err(_) => {
                    if self.node.pause(&mut pause).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn tell(&self, channel: &str) -> Result<(), Error> {
        let id = &self.client.id;
        let Some(replica) =
            self.client.with_channels(|channels| channels.get(channel).map(|held| held.replica()))
        else {
            return Ok(());
        };
        let decide = |state: &crate::hub::State| {
            let member = policy::own_member(state, channel, id)?;
            let mut changed = Member::clone(&member);
            (self.change)(&mut changed);
            Ok::<_, Error>(Decision {
                guards: vec![Guard::Member(id.to_string(), Is::Equal(member.to_value()))],
                changes: vec![Change::SetMember(id.to_string(), changed.to_value())],
                lines: vec![self.line.clone()],
                ..Decision::default()
            })
        };
        match self.node.hub.transact(&replica, &self.client.tenure(), None, decide).await.map_err(Error::from)
        {
            // Kicked in the meantime.
            Ok(_) | Err(Error::Numeric(..)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A change that goes to so many channels costs what one more line does.
const CHANNELS_PER_LINE: u32 = 4;
