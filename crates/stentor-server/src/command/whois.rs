//! WHOIS: tells what there is to know about somebody.

use std::net::IpAddr;

use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use super::about::{self, About};
use super::who::PATIENCE;
use crate::config::Privilege;
use crate::error::Error;
use crate::metadata;
use crate::node::Node;
use crate::node::people::Person;
use crate::operator;
use crate::operator::audit::Deed;
use crate::reply::Reply;
use crate::services::{self, Service};
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    // In the form `WHOIS server nick` the server does not matter: any node knows whom to ask.
    let Some(nick) = message.nonempty(1).or(message.nonempty(0)) else {
        return Err(Error::numeric(Numeric::ERR_NONICKNAMEGIVEN, &[], "No nickname given"));
    };
    match session.node.find_person(nick).await?.filter(|person| person.online) {
        Some(person) => {
            let (about, complete) = About::fetch(session, &person).await;
            tell(session, &about, reply).await;
            tell_metadata(session, &person, reply).await;
            if *person.id == *session.client.id {
                tell_address(&about, session.address, reply);
            } else if operator::demand(session, Privilege::Addresses).is_ok()
                && let Some(address) = address_of(session, &person).await?
            {
                tell_address(&about, address, reply);
            }
            if !complete {
                let text = "The node of this user could not tell everything in time: more may be known there";
                reply.standard("NOTE", "WHOIS", "INCOMPLETE", &[nick], text);
            }
        }
        None => match services::find(nick) {
            Some(service) => tell_service(session, service, reply),
            None => super::no_such_nick(nick).send("WHOIS", reply),
        },
    }
    reply.numeric(Numeric::RPL_ENDOFWHOIS, &[nick], "End of /WHOIS list");
    Ok(())
}

/// Answers another node's `WHOIS <asker's id> <user's id>`.
pub(crate) fn answer(node: &Node, question: &[&str]) -> String {
    let [asker, id] = question else { return UNKNOWN.to_owned() };
    match node.clients.by_id(id) {
        Some(client) if client.profile().registered => {
            About::with_channels(node, &client, asker).into_answer()
        }
        _ => UNKNOWN.to_owned(),
    }
}

async fn tell(session: &Session, about: &About, reply: &mut Reply) {
    let nick = about.nick.as_str();
    let realname = if about.realname.is_empty() { "*" } else { &about.realname };
    reply.numeric(Numeric::RPL_WHOISUSER, &[nick, &about.user, &about.host, "*"], realname);
    if !about.channels.is_empty() {
        let shown: Vec<String> = about
            .channels
            .iter()
            .map(|(prefixes, name)| format!("{}{name}", about::shown_prefixes(session, prefixes)))
            .collect();
        reply.long_list(Numeric::RPL_WHOISCHANNELS, &[nick], &shown).await;
    }
    let network = session.node.config().network_name.clone();
    reply.numeric(Numeric::RPL_WHOISSERVER, &[nick, &about.server], &network);
    if about.operator {
        reply.numeric(Numeric::RPL_WHOISOPERATOR, &[nick], "is an operator of this network");
    }
    if about.bot {
        reply.numeric(Numeric::RPL_WHOISBOT, &[nick], "is a bot");
    }
    if let Some(account) = &about.account {
        reply.numeric(Numeric::RPL_WHOISACCOUNT, &[nick, account], "is logged in as");
    }
    if about.secure {
        reply.numeric(Numeric::RPL_WHOISSECURE, &[nick], "is using a secure connection");
    }
    let asker = session.client.profile();
    if let Some(certificate) = &about.certificate
        && (asker.nick.eq_ignore_ascii_case(nick) || operator::is_operator(&session.node.config(), &asker))
    {
        let text = format!("has client certificate fingerprint {certificate}");
        reply.numeric(Numeric::RPL_WHOISCERTFP, &[nick], &text);
    }
    if let Some(away) = &about.away {
        reply.numeric(Numeric::RPL_AWAY, &[nick], away);
    }
    if let Some(idle) = about.idle {
        let times = [nick, &idle.to_string(), &about.since.to_string()];
        reply.numeric(Numeric::RPL_WHOISIDLE, &times, "seconds idle, signon time");
    }
}

/// A service is no user, and people ask whether it is there.
fn tell_service(session: &Session, service: &Service, reply: &mut Reply) {
    let (name, server) = (service.name, &*session.node.server_name);
    reply.numeric(Numeric::RPL_WHOISUSER, &[name, name, server, "*"], service.about);
    let text = format!("answers what is said to it: /msg {name} HELP");
    reply.numeric(Numeric::RPL_WHOISSERVER, &[name, server], &text);
}

/// What the person says, where the client knows what to do with it and the store can be asked.
async fn tell_metadata(session: &Session, person: &Person, reply: &mut Reply) {
    if !metadata::is_wanted(&session.client) {
        return;
    }
    let Ok(peek) = session.node.hub.store().peek_one(&person.inbox, &[metadata::FIELD]).await else { return };
    for (key, value) in metadata::read(peek.fields.first().and_then(Option::as_deref)) {
        reply.numeric(Numeric::RPL_WHOISKEYVALUE, &[&person.nick, &key, metadata::EVERYBODY], &value);
    }
}

/// Where somebody comes from, for an operator who may know; that it was asked is in the audit log.
async fn address_of(session: &Session, person: &Person) -> Result<Option<IpAddr>, Error> {
    let deed = Deed { what: "address", target: &person.source, reason: "" };
    operator::authorise(session, Privilege::Addresses, &deed).await?;
    if let Some(client) = &person.local {
        return Ok(Some(client.address()));
    }
    let Some(writer) = &person.writer else { return Ok(None) };
    let answer = session.node.ask(writer, &format!("ADDRESS {}", person.id), PATIENCE).await;
    Ok(answer.and_then(|answer| answer.parse().ok()))
}

/// Answers another node's `ADDRESS <user's id>`, which goes past the store: addresses are kept nowhere.
pub(crate) fn address(node: &Node, id: &str) -> String {
    node.clients.by_id(id).map_or_else(|| UNKNOWN.to_owned(), |client| client.address().to_string())
}

/// The address is shown to its owner, and to operators who may see it.
fn tell_address(about: &About, address: IpAddr, reply: &mut Reply) {
    let source = format!("{}@{}", about.user, about.host);
    // An IPv6 address may begin with a colon, which no parameter but the last may.
    let address = match address.to_string() {
        address if address.starts_with(':') => format!("0{address}"),
        address => address,
    };
    let params = [about.nick.as_str(), &source, &address];
    reply.numeric(Numeric::RPL_WHOISACTUALLY, &params, "is the user name and host, and the real address");
}

/// The answer of a node that knows no such user. It is not JSON of an object, so it is none to the asker.
const UNKNOWN: &str = "gone";
