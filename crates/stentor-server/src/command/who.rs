//! WHO: lists the people in a channel, or those whom a mask matches anywhere in the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stentor_proto::channel::is_channel_like;
use stentor_proto::mask::glob_matches;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;
use tokio::task::JoinSet;

use super::about::{self, About};
use super::whox::Fields;
use crate::error::Error;
use crate::modes::BOT;
use crate::node::Node;
use crate::policy;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let mask = message.nonempty(0).unwrap_or("*");
    let (flags, fields) = Fields::parse(message.param(1).unwrap_or_default());
    let mut list = List { session, reply, fields, operators: flags.contains('o') };
    if is_channel_like(mask) {
        list.channel(mask).await?;
    } else if mask == "0" || mask.contains(['*', '?']) {
        list.matching(if mask == "0" { "*" } else { mask }).await?;
    } else {
        list.person(mask).await?;
    }
    reply.numeric(Numeric::RPL_ENDOFWHO, &[mask], "End of WHO list");
    Ok(())
}

/// Answers another node's `WHO <asker's id> <limit> <o or -> <mask>` with those of this node's users that it is about.
pub(crate) fn answer(node: &Node, question: &[&str]) -> String {
    let [asker, limit, flag, mask] = question else { return Found::default().to_text() };
    let limit = limit.parse().unwrap_or_default();
    Found::within(about::ANSWER_MAX, matching(node, asker, mask, *flag == "o", limit)).to_text()
}

/// What one node tells of its users, as JSON.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Found {
    users: Vec<About>,
    /// There are more than the answer had room for.
    more: bool,
}

impl Found {
    /// As many of these users as fit into so many bytes.
    fn within(most: usize, mut users: Vec<About>) -> Self {
        let more = about::keep_within(most, &mut users);
        Self { users, more }
    }

    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain data has a JSON form")
    }
}

struct List<'a> {
    session: &'a Session,
    reply: &'a mut Reply,
    fields: Option<Fields>,
    operators: bool,
}

impl List<'_> {
    async fn channel(&mut self, target: &str) -> Result<(), Error> {
        let folded = target.to_ascii_lowercase();
        let held = match self.session.room(target).await {
            Err(Error::Numeric(..)) => return Ok(()),
            held => held?,
        };
        let Some((name, members)) = held.with_state(|state| {
            let visible = policy::is_visible_to(state, &self.session.client.id);
            let viewer = state.members.get(&self.session.client.id).map(|member| &**member);
            let shown = state.members.iter().filter(|(_, member)| policy::shows(state, viewer, member));
            let members = shown.map(|(id, member)| (id.clone(), member.clone())).collect::<Vec<_>>();
            visible.then(|| (policy::name(state, &folded).to_owned(), members))
        }) else {
            return Ok(());
        };
        for (id, member) in members {
            let about = About::of_member(&self.session.node, &id, &member);
            if about.operator || !self.operators {
                self.tell(&about, &name, &member.signs(true)).await;
            }
        }
        Ok(())
    }

    async fn person(&mut self, nick: &str) -> Result<(), Error> {
        let person = self.session.node.find_person(nick).await?.filter(|person| person.online);
        let Some(person) = person else { return Ok(()) };
        let (about, complete) = About::fetch(self.session, &person).await;
        if about.operator || !self.operators {
            self.tell(&about, "*", "").await;
        }
        if !complete {
            self.incomplete(nick, &about.server);
        }
        Ok(())
    }

    async fn matching(&mut self, mask: &str) -> Result<(), Error> {
        let node = &self.session.node;
        let id = &self.session.client.id;
        let limit = node.config().limits.whox;
        // One more than is shown, to know whether there are more.
        let enough = limit.or_max().saturating_add(1);
        let mut found = matching(node, id, mask, self.operators, enough);
        let flag = if self.operators { 'o' } else { '-' };
        let question = format!("WHO {id} {enough} {flag} {}", mask.replace(' ', "?"));
        let mut asked = JoinSet::new();
        for writer in node.peers().await? {
            let (node, question) = (node.clone(), question.clone());
            asked.spawn(async move {
                let answer = node.ask(&writer, &question, PATIENCE).await;
                answer.and_then(|answer| serde_json::from_str::<Found>(&answer).ok()).ok_or(writer)
            });
        }
        let (mut silent, mut more) = (Vec::new(), false);
        while let Some(answered) = asked.join_next().await {
            match answered {
                Ok(Ok(answer)) => {
                    found.extend(answer.users);
                    more |= answer.more;
                }
                Ok(Err(writer)) => silent.push(node.server_of(&writer)),
                Err(error) => tracing::error!(%error, "the question to another node failed"),
            }
        }
        found.sort_by(|left, right| left.nick.cmp(&right.nick));
        for about in found.iter().take(limit.or_max()) {
            self.tell(about, "*", "").await;
        }
        for server in silent {
            self.incomplete(mask, &server);
        }
        if more || !limit.allows(found.len()) {
            let text = "There are more; a narrower mask shows them";
            self.reply.numeric(Numeric::ERR_TOOMANYMATCHES, &[mask], text);
        }
        Ok(())
    }

    async fn tell(&mut self, about: &About, channel: &str, prefixes: &str) {
        self.reply.room().await;
        let away = if about.away.is_some() { 'G' } else { 'H' };
        let operator = if about.operator { "*" } else { "" };
        let bot = if about.bot { BOT.to_string() } else { String::new() };
        let flags = format!("{away}{operator}{}{bot}", about::shown_prefixes(self.session, prefixes));
        if let Some(fields) = &self.fields {
            return fields.tell(about, channel, &flags, self.reply);
        }
        let About { nick, user, host, server, realname, .. } = about;
        let params = [channel, user, host, server, nick, &flags];
        self.reply.numeric(Numeric::RPL_WHOREPLY, &params, &format!("0 {realname}"));
    }

    fn incomplete(&mut self, about: &str, server: &str) {
        let text = format!("{server} did not answer in time; its users may be missing here");
        self.reply.standard("NOTE", "WHO", "INCOMPLETE", &[about], &text);
    }
}

/// Up to `limit` users of this node whom `asker` may find by a mask.
fn matching(node: &Node, asker: &str, mask: &str, operators: bool, limit: usize) -> Vec<About> {
    let clients = node.clients.all();
    let found = clients.iter().filter(|client| {
        let profile = client.profile();
        let names = [&profile.nick, &profile.user, &profile.host, &profile.realname];
        profile.registered
            && (names.into_iter().chain(&profile.account).any(|name| glob_matches(mask, name))
                || mask.contains(['!', '@']) && glob_matches(mask, &profile.source()))
            && (!about::is_invisible(&profile)
                || *client.id == *asker
                || about::shares_channel(client, asker))
    });
    let found = found.map(|client| About::of(node, client));
    found.filter(|about| about.operator || !operators).take(limit).collect()
}

/// How long another node may take to tell of its users.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::about::ANSWER_MAX;
    use super::*;

    #[test]
    fn an_answer_that_would_be_too_long_says_that_there_are_more() {
        let realname = "\u{1}".repeat(390);
        let users = (0..1000).map(|n| About {
            nick: format!("n{n}"),
            realname: realname.clone(),
            ..About::default()
        });
        let users: Vec<About> = users.collect();
        let found = Found::within(ANSWER_MAX, users.clone());
        assert!(found.more && found.to_text().len() <= ANSWER_MAX + 64);
        assert!(found.to_text().len() > ANSWER_MAX - 4096);
        assert_eq!(serde_json::from_str::<Found>(&found.to_text()).expect("it is JSON"), found);
        let all = Found::within(ANSWER_MAX, users[..10].to_vec());
        assert_eq!((all.users.len(), all.more), (10, false));
    }
}
