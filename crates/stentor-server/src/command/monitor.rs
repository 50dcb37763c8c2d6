//! MONITOR: watches for people to come and go.

use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::nick::Nick;
use stentor_proto::numeric::Numeric;

use crate::client::Client;
use crate::error::Error;
use crate::hub::{Held, State};
use crate::metadata;
use crate::node::people::inbox_of;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::Partition;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let targets = message.param(1).unwrap_or_default();
    let targets = targets.split(',').filter(|target| !target.is_empty());
    match message.param(0).unwrap_or_default() {
        "+" => add(session, targets.collect(), reply).await,
        "-" => {
            for target in targets {
                if let Some(held) = session.monitored.remove(&target.to_ascii_lowercase()) {
                    held.remove_local(&session.client.id);
                }
            }
            Ok(())
        }
        "C" | "c" => {
            for (_, held) in session.monitored.drain() {
                held.remove_local(&session.client.id);
            }
            Ok(())
        }
        "L" | "l" => {
            let names: Vec<&str> = session.monitored.keys().map(String::as_str).collect();
            reply.expect_many();
            list(reply, Numeric::RPL_MONLIST, names.into_iter());
            reply.numeric(Numeric::RPL_ENDOFMONLIST, &[], "End of MONITOR list");
            Ok(())
        }
        "S" | "s" => {
            let names = session.monitored.keys().cloned().collect::<Vec<_>>();
            report(session, &names, reply).await;
            Ok(())
        }
        _ => Err(super::need_more_params("MONITOR")),
    }
}

async fn add(session: &mut Session, targets: Vec<&str>, reply: &mut Reply) -> Result<(), Error> {
    session.charge_targets(targets.len(), super::LOOKUPS_PER_LINE);
    let config = session.node.config();
    let (mut added, mut failed) = (Vec::new(), None);
    for (index, target) in targets.iter().enumerate() {
        if session.is_over() {
            break;
        }
        let Ok(nick) = Nick::parse(target, config.limits.nick_length) else { continue };
        if session.monitored.contains_key(nick.folded()) {
            continue;
        }
        if !config.limits.monitor.has_room(session.monitored.len()) {
            let limit = config.limits.monitor.or_max().to_string();
            let rest = targets.get(index..).unwrap_or_default().join(",");
            report(session, &added, reply).await;
            return Err(Error::numeric(Numeric::ERR_MONLISTFULL, &[&limit, &rest], "Monitor list is full"));
        }
        let held = match session.node.hub.hold(&Partition::nick(nick.folded())).await {
            Ok(held) => held,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        held.add_local(session.client.clone());
        session.monitored.insert(nick.folded().to_owned(), held);
        added.push(nick.as_str().to_owned());
    }
    report(session, &added, reply).await;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Who holds a monitored nick now, and where that person's private messages go.
pub(crate) fn person(held: &Held) -> Option<(String, Partition)> {
    held.with_state(person_in)
}

fn person_in(state: &State) -> Option<(String, Partition)> {
    let nick = state.field("who")?.split('!').next()?;
    Some((nick.to_owned(), inbox_of(state.field("account"), state.field("user")?)))
}

/// Tells which of these are here and which are not, and the metadata of those who are.
async fn report(session: &mut Session, names: &[String], reply: &mut Reply) {
    let (mut online, mut people, mut offline) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let Some(held) = session.monitored.get(&name.to_ascii_lowercase()) else { continue };
        match held.with_state(|state| Some((state.field("who")?.to_owned(), person_in(state)))) {
            Some((who, person)) => {
                online.push(who);
                people.extend(person);
            }
            None => offline.push(name.clone()),
        }
    }
    if !online.is_empty() && !offline.is_empty() {
        reply.expect_many();
    }
    list(reply, Numeric::RPL_MONONLINE, online.iter().map(String::as_str));
    list(reply, Numeric::RPL_MONOFFLINE, offline.iter().map(String::as_str));
    metadata::sync::monitored(session, &people, reply).await;
}

fn list<'a>(reply: &mut Reply, numeric: Numeric, names: impl Iterator<Item = &'a str>) {
    for text in stentor_proto::text::pack(PREFIX, names, ',') {
        reply.numeric(numeric, &[], &text);
    }
}

/// Tells a client that somebody whom it monitors has come, or has gone.
pub fn tell(client: &Client, is_there: bool, who: &str) {
    let numeric = if is_there { Numeric::RPL_MONONLINE } else { Numeric::RPL_MONOFFLINE };
    let nick = client.profile().nick.clone();
    let line = Line::numeric(&*client.server, numeric, nick).trailing(who).build();
    client.queue.push_line(&line);
    if is_there {
        metadata::arrived(client, who.split('!').next().unwrap_or(who));
    }
}

/// Room for the source, the numeric and a nick before a list.
const PREFIX: usize = 160;
