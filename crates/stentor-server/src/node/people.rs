//! Finding people by nick, wherever they are.

use std::sync::Arc;
use std::time::Duration;

use super::Node;
use crate::client::Client;
use crate::operator;
use crate::store::{Partition, StoreError, Writer};

/// Somebody whom a nick names: a user who is here, or an account whose owner is not.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id; empty where nobody is here.
    pub id: Arc<str>,
    /// The nick as its owner writes it.
    pub nick: String,
    /// `nick!user@host`; the nick alone where nobody is here.
    pub source: String,
    /// The account's name.
    pub account: Option<String>,
    /// Where private messages go.
    pub inbox: Partition,
    /// The away message.
    pub away: Option<String>,
    /// Whether the user is an operator.
    pub operator: bool,
    /// The letters of the user's modes.
    pub modes: String,
    /// The ids of those who may write to the user whatever its modes say, separated by spaces.
    pub accepted: String,
    /// Whether somebody is here.
    pub online: bool,
    /// The node that the user is on.
    pub writer: Option<Writer>,
    /// The client, where it is on this node.
    pub local: Option<Arc<Client>>,
    /// Of an account whose owner has no such nick: the session that is logged in to it, if any.
    session: Option<String>,
}

impl Node {
    /// The user with this nick, or the account of that name.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_person(&self, nick: &str) -> Result<Option<Person>, StoreError> {
        let folded = nick.to_ascii_lowercase();
        // Of one that is about to go the store knows more: somebody else may have the name by now.
        if let Some(client) = self.clients.by_nick(&folded).filter(|client| client.queue.closed().is_none()) {
            return Ok(Some(local_person(self, client)));
        }
        let partitions = [Partition::nick(&folded), Partition::account(&folded)];
        let mut peeks = self.hub.store().peek(&partitions, FIELDS).await?.into_iter();
        let (claim, account) = (peeks.next().unwrap_or_default(), peeks.next().unwrap_or_default());
        let claimed = |index: usize| claim.fields.get(index).cloned().flatten();
        let (modes, accepted) = (claimed(7).unwrap_or_default(), claimed(8).unwrap_or_default());
        let operator = claimed(9).is_some();
        let mut claim_fields = claim.fields.into_iter();
        let mut next = || claim_fields.next().flatten();
        if let (Some(id), Some(source), account, away, Some(writer)) =
            (next(), next(), next(), next(), next())
            && let Ok(writer) = writer.parse::<Writer>()
            && !self.fleet.is_dead(&writer).await?
        {
            let nick = source.split('!').next().unwrap_or(nick).to_owned();
            let inbox = inbox_of(account.as_deref(), &id);
            let id = id.into();
            let writer = Some(writer);
            return Ok(Some(Person {
                id,
                nick,
                source,
                account,
                inbox,
                away,
                operator,
                modes,
                accepted,
                online: true,
                writer,
                local: None,
                session: None,
            }));
        }
        let name = account.fields.get(5).cloned().flatten();
        let removed = account.fields.get(6).cloned().flatten();
        let session = account.fields.get(10).cloned().flatten();
        Ok(name.filter(|_| removed.is_none()).map(|name| Person {
            id: "".into(),
            source: name.clone(),
            account: Some(name.clone()),
            inbox: Partition::account(&folded),
            away: None,
            operator: false,
            modes: String::new(),
            accepted: String::new(),
            online: false,
            writer: None,
            local: None,
            session,
            nick: name,
        }))
    }

    /// Whom a private message to this nick reaches. As an account's name it means whoever is logged in to that, under
    /// whatever nick: their modes judge it, and they are called as the sender calls them. Where their node does not answer it
    /// is the account alone.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_recipient(&self, nick: &str) -> Result<Option<Person>, StoreError> {
        let found = self.find_person(nick).await?;
        let session = found.as_ref().and_then(|person| person.session.as_deref());
        let Some((id, writer)) = session.and_then(|session| session.split_once(' ')) else {
            return Ok(found);
        };
        if let Some(client) = self.clients.by_id(id) {
            let is_here = client.profile().registered;
            return Ok(match is_here {
                true => Some(called(local_person(self, client), found.as_ref())),
                false => found,
            });
        }
        let Ok(writer) = writer.parse::<Writer>() else { return Ok(found) };
        if self.fleet.is_dead(&writer).await? {
            return Ok(found);
        }
        let Some(nick) = self.ask(&writer, &format!("CALLED {id}"), PATIENCE).await else { return Ok(found) };
        let holder = self.find_person(&nick).await?.filter(|person| *person.id == *id);
        Ok(holder.map(|holder| called(holder, found.as_ref())).or(found))
    }
}

/// Somebody under the name of the account by which they were found.
fn called(holder: Person, account: Option<&Person>) -> Person {
    match account {
        Some(account) => Person { nick: account.nick.clone(), ..holder },
        None => holder,
    }
}

/// Answers another node's `CALLED <user's id>`: the nick.
pub(super) fn nick_of(node: &Node, id: &str) -> String {
    let profile = node.clients.by_id(id).map(|client| client.profile());
    profile.filter(|profile| profile.registered).map(|profile| profile.nick.clone()).unwrap_or_default()
}

/// Where the private messages of a user go.
#[must_use]
pub fn inbox_of(account: Option<&str>, id: &str) -> Partition {
    match account {
        Some(account) => Partition::account(&account.to_ascii_lowercase()),
        None => Partition::guest(id),
    }
}

fn local_person(node: &Node, client: Arc<Client>) -> Person {
    let profile = client.profile();
    Person {
        id: client.id.clone(),
        nick: profile.nick.clone(),
        source: profile.source(),
        account: profile.account.clone(),
        inbox: inbox_of(profile.account.as_deref(), &client.id),
        away: profile.away.clone(),
        operator: operator::is_operator(&node.config(), &profile),
        modes: profile.modes.clone(),
        accepted: profile.accepted.iter().map(|(id, _)| &**id).collect::<Vec<_>>().join(" "),
        online: true,
        writer: Some(client.tenure().writer().clone()),
        local: Some(client),
        session: None,
    }
}

/// All but `name`, `removed` and `session`, which are an account's, are a nick's claim's.
const FIELDS: &[&str] =
    &["user", "who", "account", "away", "writer", "name", "removed", "modes", "accepted", "oper", "session"];
/// How long another node may take to tell a nick.
const PATIENCE: Duration = Duration::from_secs(1);
