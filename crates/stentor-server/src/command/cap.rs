//! CAP: negotiates capabilities.

use stentor_proto::capability::{Capability, CapabilitySet};
use stentor_proto::line::Line;
use stentor_proto::message::Message;
use stentor_proto::numeric::Numeric;

use crate::config::{Accounts, Registration, Sts};
use crate::error::Error;
use crate::reply::Reply;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    message: &Message<'_>,
    reply: &mut Reply,
) -> Result<(), Error> {
    let subcommand = message.param(0).unwrap_or_default().to_ascii_uppercase();
    match subcommand.as_str() {
        "LS" => {
            let version = message.param(1).and_then(|version| version.parse().ok()).unwrap_or(301_u32);
            if let Some(registering) = session.registering.as_mut() {
                registering.negotiating = true;
            }
            if version >= 302 {
                let mut capabilities = session.client.capabilities();
                capabilities.insert(Capability::CapNotify);
                session.client.set_capabilities(capabilities);
            }
            let mut all: Vec<String> =
                offered(session).map(|capability| show(session, capability, version >= 302)).collect();
            if version >= 302 {
                all.extend(sts(session));
            }
            list(session, reply, "LS", &all, version >= 302);
        }
        "LIST" => {
            let names: Vec<String> =
                session.client.capabilities().iter().map(|one| one.name().to_owned()).collect();
            list(session, reply, "LIST", &names, true);
        }
        "REQ" => {
            if let Some(registering) = session.registering.as_mut() {
                registering.negotiating = true;
            }
            request(session, message.param(1).unwrap_or_default(), reply);
        }
        "END" => {
            if let Some(registering) = session.registering.as_mut() {
                registering.negotiating = false;
                return super::register::advance(session, reply).await;
            }
        }
        _ => {
            let params = [message.param(0).unwrap_or("*")];
            return Err(Error::numeric(Numeric::ERR_INVALIDCAPCMD, &params, "Invalid CAP command"));
        }
    }
    Ok(())
}

/// What this server offers, as it is configured now.
fn offered(session: &Session) -> impl Iterator<Item = Capability> {
    let closed = session.node.config().accounts.registration == Registration::Closed;
    Capability::ALL.into_iter().filter(move |capability| match capability {
        Capability::AccountRegistration => !closed,
        _ => true,
    })
}

fn show(session: &Session, capability: Capability, with_value: bool) -> String {
    let name = capability.name();
    let value = match capability {
        Capability::Sasl => super::authenticate::mechanisms(&session.node.config().accounts),
        Capability::AccountRegistration => making_accounts(&session.node.config().accounts),
        _ => "",
    };
    if with_value && !value.is_empty() { format!("{name}={value}") } else { name.to_owned() }
}

/// Where accounts are required, the account's name is the nick.
fn making_accounts(accounts: &Accounts) -> &'static str {
    match (accounts.registration_before_connect, accounts.required) {
        (true, true) => "before-connect",
        (true, false) => "before-connect,custom-account-name",
        (false, _) => "custom-account-name",
    }
}

/// The policy of coming by TLS alone. It is told and never requested: whoever asks for it is refused.
fn sts(session: &Session) -> Option<String> {
    let Sts { duration, port, preload } = session.node.config().tls.sts?;
    if !session.client.profile().secure {
        return Some(format!("sts=port={port}"));
    }
    let preload = if preload { ",preload" } else { "" };
    Some(format!("sts=duration={},port={port}{preload}", duration.as_secs()))
}

fn list(session: &Session, reply: &mut Reply, subcommand: &str, names: &[String], may_split: bool) {
    let nick = session.client.profile().nick.clone();
    let start = |more: bool| {
        let line = Line::new("CAP").source(reply.server()).param(&nick).param(subcommand);
        if more { line.param("*") } else { line }
    };
    let length = start(true).trailing("").build().len();
    let mut pieces: Vec<String> = stentor_proto::text::pack(length, names, ' ').collect();
    if !may_split {
        pieces = vec![names.join(" ")];
    }
    let last = pieces.pop().unwrap_or_default();
    let mut lines: Vec<String> = pieces.iter().map(|piece| start(true).trailing(piece).build()).collect();
    lines.push(start(false).trailing(last).build());
    for line in lines {
        reply.line(line);
    }
}

fn request(session: &Session, wanted: &str, reply: &mut Reply) {
    let mut capabilities: CapabilitySet = session.client.capabilities();
    let mut known = true;
    for name in wanted.split(' ').filter(|name| !name.is_empty()) {
        let (name, add) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
        match Capability::from_name(name) {
            Some(capability) if !add => capabilities.remove(capability),
            Some(capability) if offered(session).any(|one| one == capability) => {
                capabilities.insert(capability);
            }
            _ => known = false,
        }
    }
    let nick = session.client.profile().nick.clone();
    let answer = if known { "ACK" } else { "NAK" };
    reply.line(Line::new("CAP").source(reply.server()).param(nick).param(answer).trailing(wanted).build());
    if known {
        session.client.set_capabilities(capabilities);
    }
}
